//! Predicts how `login` would prompt the user here: on which callback port, and in which browser or by which other
//! method.
//!
//! The checks bind the callback ports and release them at once. They open no browser and start no sign-in.

use std::path::Path;

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    config::{Profile, RedirectUri, SignInSettings},
    failure::{Failure, doctor},
    host::{self, Browser, ExecutionContext, Terminal},
    lock,
    oidc::callback::CallbackListener,
    session::{SignInMethod, SignInNeeded, predict_method},
    text::sanitize_line,
};

/// Whether the callback listener could use each registered port. One free port is enough for a sign-in, so a taken one
/// is bad only if no other is free. During a sign-in the check is skipped: binding a port could take it from that
/// sign-in.
pub(super) async fn check_ports(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let lock = context.cache(profile).sign_in_lock_path();
    if lock.exists() && lock::is_held(&lock).is_ok_and(|held| held) {
        return Ok(Finding::Skipped("a sign-in is in progress and may use a port".to_owned()));
    }
    let (mut attempts, mut free) = (Vec::new(), Vec::new());
    let redirect = &profile.redirect_uri;
    // Port 0 lets the system choose, as a sign-in does for a profile without registered ports.
    let ports = if redirect.ports.is_empty() { &[0][..] } else { &redirect.ports };
    for port in ports {
        match CallbackListener::bind(&RedirectUri { ports: vec![*port], ..redirect.clone() }).await {
            Ok(_) => free.push(*port),
            Err(error) => attempts.extend(error.attempts),
        }
    }
    Ok(match (attempts.is_empty(), free.first().copied()) {
        (true, Some(0)) => Finding::Ok("a sign-in can use any free port".to_owned()),
        (true, _) => {
            let free: Vec<String> = free.iter().map(ToString::to_string).collect();
            Finding::Ok(format!("free ports: {}", free.join(", ")))
        }
        (false, None) => Finding::Bad(doctor::describe_taken_ports(&attempts, None)),
        (false, free) => Finding::Warn(doctor::describe_taken_ports(&attempts, free)),
    })
}

/// Which method `login` would use here and why. It depends on the terminal and on the display, so the result holds only
/// where `doctor` runs. Bad if no method can work.
pub(super) async fn check_browser(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let environment = &context.host.environment;
    let browser = profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    let gives_codes = match &profile.sign_in {
        SignInSettings::Oidc(oidc) => {
            let described = context.fetch_metadata(profile, oidc).await;
            described.is_ok_and(|it| it.device_authorization_endpoint.is_some())
        }
        SignInSettings::IdentityCenter(_) => true,
    };
    let (way, because) = predict_method(profile, &browser, &around, gives_codes);
    Ok(Finding::Ok(match way.map_err(SignInNeeded::NoMethod)? {
        SignInMethod::Browser => describe_browser(context, profile, &browser, because)?,
        SignInMethod::ManualBrowser => format!("`login` prints an address for you to open ({because})"),
        SignInMethod::DeviceCode => format!("`login` shows a code to enter in any browser ({because})"),
        SignInMethod::Paste => format!("`login` prompts you to paste the browser's final address ({because})"),
    }))
}

/// Names the browser that `login` would open. Fails if the configured program does not exist.
fn describe_browser(
    context: &DoctorContext<'_>,
    profile: &Profile,
    browser: &Browser,
    because: &str,
) -> Result<String, Failure> {
    let Browser::Command(words) = browser else { return Ok(format!("`login` opens the default browser ({because})")) };
    let path = words.first().map_or(Path::new(""), Path::new);
    let program = sanitize_line(&context.display_path(path));
    match host::find_program(&context.host.environment, path) {
        Some(_) => Ok(format!("`login` opens {program} ({because})")),
        None => Err(doctor::describe_missing_browser(&program, profile)),
    }
}
