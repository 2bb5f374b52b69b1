//! How a person would be asked here: at which address, in which browser, or by which other way.
//!
//! Ports are taken and let go again; nothing is opened.

use std::path::Path;

use super::{Finding, Patient};
use crate::{
    config::Redirect,
    failure::{SignInNeeded, doctor::Machine},
    host::{self, Browser, Surroundings, Terminal},
    lock,
    oidc::callback::Listener,
    session::{WayIn, foreseen},
    text::line,
};

pub(super) async fn ports(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let lock = patient.cache(profile).lock_path();
    if lock.exists() && lock::is_held(&lock).is_ok_and(|held| held) {
        return Finding::Skipped("a sign-in is under way, and may hold one".to_owned());
    }
    let (mut attempts, mut free) = (Vec::new(), Vec::new());
    let any = [0];
    let ports = if profile.redirect.ports.is_empty() { &any[..] } else { &profile.redirect.ports };
    for port in ports {
        match Listener::bind(&Redirect { ports: vec![*port], ..profile.redirect.clone() }).await {
            Ok(_) => free.push(*port),
            Err(error) => attempts.extend(error.attempts),
        }
    }
    let free_one = free.first().copied();
    match (attempts.is_empty(), free_one) {
        (true, Some(0)) => Finding::Fine("any free port will do".to_owned()),
        (true, _) => {
            let free: Vec<String> = free.iter().map(ToString::to_string).collect();
            Finding::Fine(format!("free: {}", free.join(", ")))
        }
        (false, None) => Finding::Bad(Machine::PortsTaken { attempts, left: None }.into()),
        (false, left) => Finding::Warning(Machine::PortsTaken { attempts, left }.into()),
    }
}

pub(super) async fn browser(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let environment = &patient.host.environment;
    let browser = profile.chosen_browser(environment);
    let around = Surroundings::of(environment, Terminal::ours().is_some());
    let described = patient.described(profile).await;
    let gives_codes = described.is_ok_and(|it| it.device_authorization_endpoint.is_some());
    let (way, because) = foreseen(profile, &browser, &around, gives_codes);
    match way {
        Err(why) => Finding::Bad(SignInNeeded::NoWay(why).into()),
        Ok(WayIn::Browser) => opened(patient, &browser, !profile.browser.is_empty(), because),
        Ok(WayIn::ByHand) => Finding::Fine(format!("`login` prints an address for you to open: {because}")),
        Ok(WayIn::Code) => Finding::Fine(format!("`login` shows a code to enter in any browser: {because}")),
        Ok(WayIn::Paste) => Finding::Fine(format!("`login` has you paste the last address back: {because}")),
    }
}

fn opened(patient: &Patient<'_>, browser: &Browser, by_profile: bool, because: &str) -> Finding {
    let Browser::Command(words) = browser else {
        return Finding::Fine(format!("the system's is opened: {because}"));
    };
    let program = words.first().map_or("", String::as_str);
    let shown = patient.shown(Path::new(program));
    let has_folder = Path::new(program).parent().is_some_and(|folder| !folder.as_os_str().is_empty());
    let is_there = match has_folder {
        true => Path::new(program).exists(),
        false => !host::named_on_path(&patient.host.environment, program).is_empty(),
    };
    match is_there {
        true => Finding::Fine(format!("{} is opened: {because}", line(&shown))),
        false => Finding::Bad(Machine::NoSuchBrowser { program: line(&shown), by_profile }.into()),
    }
}
