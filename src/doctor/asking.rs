//! How a person would be asked here: at which address, in which browser, or by which other way.
//!
//! Ports are taken and let go again; nothing is opened.

use std::path::Path;

use super::{DoctorContext, Finding};
use crate::{
    config::RedirectUri,
    failure::doctor::LocalFinding,
    host::{self, Browser, ExecutionContext, Terminal},
    lock,
    oidc::callback::CallbackListener,
    session::{SignInMethod, SignInNeeded, predict_method},
    text::sanitize_line,
};

pub(super) async fn check_ports(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let lock = context.cache(profile).lock_path();
    if lock.exists() && lock::is_held(&lock).is_ok_and(|held| held) {
        return Finding::Skipped("a sign-in is under way, and may hold one".to_owned());
    }
    let (mut attempts, mut free) = (Vec::new(), Vec::new());
    let any = [0];
    let ports = if profile.redirect_uri.ports.is_empty() { &any[..] } else { &profile.redirect_uri.ports };
    for port in ports {
        match CallbackListener::bind(&RedirectUri { ports: vec![*port], ..profile.redirect_uri.clone() })
            .await
        {
            Ok(_) => free.push(*port),
            Err(error) => attempts.extend(error.attempts),
        }
    }
    let free_one = free.first().copied();
    match (attempts.is_empty(), free_one) {
        (true, Some(0)) => Finding::Ok("any free port will do".to_owned()),
        (true, _) => {
            let free: Vec<String> = free.iter().map(ToString::to_string).collect();
            Finding::Ok(format!("free: {}", free.join(", ")))
        }
        (false, None) => Finding::Bad(LocalFinding::PortsTaken { attempts, free_port: None }.into()),
        (false, left) => Finding::Warn(LocalFinding::PortsTaken { attempts, free_port: left }.into()),
    }
}

pub(super) async fn check_browser(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let environment = &context.host.environment;
    let browser = profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    let described = context.fetch_metadata(profile).await;
    let gives_codes = described.is_ok_and(|it| it.device_authorization_endpoint.is_some());
    let (way, because) = predict_method(profile, &browser, &around, gives_codes);
    match way {
        Err(why) => Finding::Bad(SignInNeeded::NoMethod(why).into()),
        Ok(SignInMethod::Browser) => {
            check_browser_command(context, &browser, !profile.browser.is_empty(), because)
        }
        Ok(SignInMethod::ManualBrowser) => {
            Finding::Ok(format!("`login` prints an address for you to open: {because}"))
        }
        Ok(SignInMethod::DeviceCode) => {
            Finding::Ok(format!("`login` shows a code to enter in any browser: {because}"))
        }
        Ok(SignInMethod::Paste) => {
            Finding::Ok(format!("`login` has you paste the last address back: {because}"))
        }
    }
}

fn check_browser_command(
    context: &DoctorContext<'_>,
    browser: &Browser,
    by_profile: bool,
    because: &str,
) -> Finding {
    let Browser::Command(words) = browser else {
        return Finding::Ok(format!("the system's is opened: {because}"));
    };
    let program = words.first().map_or("", String::as_str);
    let shown = context.display_path(Path::new(program));
    let has_folder = Path::new(program).parent().is_some_and(|folder| !folder.as_os_str().is_empty());
    let is_there = match has_folder {
        true => Path::new(program).exists(),
        false => !host::find_on_path(&context.host.environment, program).is_empty(),
    };
    match is_there {
        true => Finding::Ok(format!("{} is opened: {because}", sanitize_line(&shown))),
        false => {
            Finding::Bad(LocalFinding::NoSuchBrowser { program: sanitize_line(&shown), by_profile }.into())
        }
    }
}
