//! `bedrock-sso login` in a hint, spelt so that it signs in with the profile of the command that says so.
//!
//! What there is to do is `failure`'s advice; here it only gets the words that lead to the same profile and the same file.

use crate::{
    cli::Global,
    config::{self, Inputs},
    host::Host,
    shell::word,
    text::{line, path},
};

const LOGIN: &str = "`bedrock-sso login";

/// A hint as it has to be typed by whoever typed this command.
pub(super) fn spelt(hint: &str, global: &Global) -> String {
    if !hint.contains(LOGIN) || hint.contains("--profile") {
        return hint.to_owned();
    }
    hint.replace(LOGIN, &format!("{LOGIN}{}", words(global)))
}

/// None where the command finds there by itself.
fn words(global: &Global) -> String {
    let profile = global.profile.as_ref().filter(|name| !is_chosen_anyway(name, global));
    let profile = profile.map(|name| format!(" --profile {}", word(&line(name))));
    let config = global.config.as_ref().map(|file| format!(" --config {}", word(&path(file))));
    profile.into_iter().chain(config).collect()
}

fn is_chosen_anyway(name: &str, global: &Global) -> bool {
    let Some(host) = Host::of_system() else { return false };
    let chosen = config::chosen(&Inputs {
        environment: &host.environment,
        paths: &host.paths,
        file: global.config.clone(),
        profile: None,
        flags: &[],
        personal: true,
    });
    chosen.is_ok_and(|chosen| chosen == name)
}
