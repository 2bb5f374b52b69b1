//! Finds a sign-in of Claude Code to a gateway. Claude Code then sends its requests there, and uses neither Amazon
//! Bedrock nor this program.
//!
//! `conflicting_env` looks for the variables that have the same effect.

use serde::{Deserialize, de::IgnoredAny};

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    failure::doctor,
    files,
    setup::settings::{self, ClaudeSettingKey},
};

/// The settings that make Claude Code use a gateway, each with the value that has this effect; `None` for any value.
const SETTINGS: [(&str, Option<&str>); 2] = [("forceLoginMethod", Some("gateway")), ("forceLoginGatewayUrl", None)];

/// What Claude Code stores about its own sign-ins, as far as this check needs it. The parser skips the secrets.
#[derive(Deserialize)]
struct StoredLogins {
    #[serde(rename = "enterpriseGateway")]
    gateway: Option<IgnoredAny>,
}

/// Whether managed settings demand a gateway, or Claude Code has stored a sign-in to one. In the user's own settings
/// Claude Code ignores these keys, so they are a warning there.
pub(super) fn check_gateway(context: &DoctorContext<'_>, _: &Profile) -> CheckOutcome {
    let paths = &context.tool_config;
    let find_key = |path| {
        let text = context.read_text_or_empty(path);
        let is_set = |(key, value): &(&'static str, Option<&str>)| {
            let found = settings::read_setting(&text, &ClaudeSettingKey::Top(key));
            found.is_some_and(|found| value.is_none_or(|value| found == value))
        };
        SETTINGS.iter().find(|setting| is_set(setting)).map(|(key, _)| *key)
    };
    if let Some(key) = find_key(&paths.claude_managed) {
        return Err(doctor::describe_required_gateway(&context.display_path(&paths.claude_managed), key).into());
    }
    if let Some(file) = &paths.claude_logins {
        let stored = files::read_untrusted(file, files::MAX_FILE_SIZE)?;
        // A damaged file holds no sign-in that Claude Code could use.
        let stored = stored.and_then(|file| serde_json::from_slice::<StoredLogins>(&file.bytes).ok());
        if stored.is_some_and(|stored| stored.gateway.is_some()) {
            return Err(doctor::describe_gateway_session(&context.display_path(file)).into());
        }
    }
    if let Some(key) = find_key(&paths.claude_settings) {
        let file = context.display_path(&paths.claude_settings);
        return Ok(Finding::Warn(doctor::describe_ignored_gateway(&file, key)));
    }
    Ok(Finding::Ok(match paths.claude_logins {
        Some(_) => "Claude Code has no sign-in to a gateway".to_owned(),
        None => "Claude Code's settings name no gateway (its keychain was not read)".to_owned(),
    }))
}
