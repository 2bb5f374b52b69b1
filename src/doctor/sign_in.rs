//! How a person would be asked here: at which address, in which browser, or by which other way.
//!
//! Ports are taken and let go again; nothing is opened.

use std::path::Path;

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    config::{Profile, RedirectUri},
    failure::{Failure, doctor},
    host::{self, Browser, ExecutionContext, Terminal},
    lock,
    oidc::callback::CallbackListener,
    session::{SignInMethod, SignInNeeded, predict_method},
    text::sanitize_line,
};

pub(super) async fn check_ports(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let lock = context.cache(profile).sign_in_lock_path();
    if lock.exists() && lock::is_held(&lock).is_ok_and(|held| held) {
        return Ok(Finding::Skipped("a sign-in is under way, and may hold one".to_owned()));
    }
    let (mut attempts, mut free) = (Vec::new(), Vec::new());
    let redirect = &profile.redirect_uri;
    let ports = if redirect.ports.is_empty() { &[0][..] } else { &redirect.ports };
    for port in ports {
        match CallbackListener::bind(&RedirectUri { ports: vec![*port], ..redirect.clone() }).await {
            Ok(_) => free.push(*port),
            Err(error) => attempts.extend(error.attempts),
        }
    }
    Ok(match (attempts.is_empty(), free.first().copied()) {
        (true, Some(0)) => Finding::Ok("any free port will do".to_owned()),
        (true, _) => {
            let free: Vec<String> = free.iter().map(ToString::to_string).collect();
            Finding::Ok(format!("free: {}", free.join(", ")))
        }
        (false, None) => Finding::Bad(doctor::describe_taken_ports(&attempts, None)),
        (false, left) => Finding::Warn(doctor::describe_taken_ports(&attempts, left)),
    })
}

pub(super) async fn check_browser(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let environment = &context.host.environment;
    let browser = profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    let described = context.fetch_metadata(profile).await;
    let gives_codes = described.is_ok_and(|it| it.device_authorization_endpoint.is_some());
    let (way, because) = predict_method(profile, &browser, &around, gives_codes);
    Ok(Finding::Ok(match way.map_err(SignInNeeded::NoMethod)? {
        SignInMethod::Browser => describe_browser(context, profile, &browser, because)?,
        SignInMethod::ManualBrowser => format!("`login` prints an address for you to open: {because}"),
        SignInMethod::DeviceCode => format!("`login` shows a code to enter in any browser: {because}"),
        SignInMethod::Paste => format!("`login` has you paste the last address back: {because}"),
    }))
}

/// Which browser is opened; fails when there is no such program.
fn describe_browser(
    context: &DoctorContext<'_>,
    profile: &Profile,
    browser: &Browser,
    because: &str,
) -> Result<String, Failure> {
    let Browser::Command(words) = browser else { return Ok(format!("the system's is opened: {because}")) };
    let path = words.first().map_or(Path::new(""), Path::new);
    let program = sanitize_line(&context.display_path(path));
    match host::find_program(&context.host.environment, path) {
        Some(_) => Ok(format!("{program} is opened: {because}")),
        None => Err(doctor::describe_missing_browser(&program, profile)),
    }
}
