//! `bedrock-sso login` in a hint, spelt so that it signs in with the profile of the command that says so.
//!
//! What there is to do is `failure`'s advice; here it only gets the words that lead to the same profile and the same file.

use crate::{
    cli::GlobalArgs,
    config::{self, ConfigInputs},
    host::Host,
    shell::quote_argument,
    text::{display_path, sanitize_line},
};

const LOGIN: &str = "`bedrock-sso login";

/// A hint as it has to be typed by whoever typed this command.
pub(super) fn complete_login_hint(hint: &str, global: &GlobalArgs) -> String {
    if !hint.contains(LOGIN) || hint.contains("--profile") {
        return hint.to_owned();
    }
    hint.replace(LOGIN, &format!("{LOGIN}{}", format_profile_flags(global)))
}

/// None where the command finds there by itself.
fn format_profile_flags(global: &GlobalArgs) -> String {
    let profile = global.profile.as_ref().filter(|name| !is_default_profile(name, global));
    let profile = profile.map(|name| format!(" --profile {}", quote_argument(&sanitize_line(name))));
    let config =
        global.config.as_ref().map(|file| format!(" --config {}", quote_argument(&display_path(file))));
    profile.into_iter().chain(config).collect()
}

fn is_default_profile(name: &str, global: &GlobalArgs) -> bool {
    let Some(host) = Host::from_system() else { return false };
    let chosen = config::choose_profile_name(&ConfigInputs {
        environment: &host.environment,
        paths: &host.paths,
        file: global.config.clone(),
        profile: None,
        flags: &[],
        with_user_layers: true,
    });
    chosen.is_ok_and(|chosen| chosen == name)
}
