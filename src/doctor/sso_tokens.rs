//! Finds access tokens of IAM Identity Center that the AWS CLI and the SDKs store in plain text.
//!
//! Every program that runs as the user can get credentials of all assigned roles with such a token. The check reads a
//! limited number of files, and shows nothing of their content.

use serde::{Deserialize, de::IgnoredAny};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, files, time::Timestamp};

/// The number of files that are read at most. The AWS CLI has one for each session and each registered client.
const MAX_FILES: usize = 100;

/// The largest file that is read. AWS's tokens have less than two kilobytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A file of the cache. Files without an access token are registrations of a client.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CachedToken {
    /// The token itself is not copied out of the file.
    access_token: Option<IgnoredAny>,
    expires_at: Option<String>,
}

/// Whether a file of `~/.aws/sso/cache` has an access token that has not expired.
pub(super) fn check_sso_tokens(context: &DoctorContext<'_>) -> CheckOutcome {
    let folder = context.home.join(".aws/sso/cache");
    let shown = context.display_path(&folder);
    let mut names = files::list_files(&folder)?;
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    let is_open = |name: &&String| {
        let file = files::read_untrusted(&folder.join(name), MAX_BYTES).ok().flatten();
        file.is_some_and(|file| has_valid_token(&file.bytes, context.now()))
    };
    match names.iter().take(MAX_FILES).filter(is_open).count() {
        0 => Ok(Finding::Ok(format!("{shown} has no access token that is still valid"))),
        count => Ok(Finding::Warn(doctor::describe_open_sso_tokens(&shown, count))),
    }
}

/// Whether this is a token that has not expired. A token whose expiry cannot be read counts as valid.
fn has_valid_token(bytes: &[u8], now: Timestamp) -> bool {
    let Ok(CachedToken { access_token: Some(_), expires_at }) = serde_json::from_slice(bytes) else { return false };
    // Earlier versions of the AWS CLI write `UTC` instead of `Z`.
    let expires_at = expires_at.map(|text| text.replace("UTC", "Z"));
    expires_at.and_then(|text| Timestamp::from_rfc3339(&text)).is_none_or(|end| end > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_has_not_expired_is_reported() {
        let now = Timestamp::from_rfc3339("2026-11-30T12:00:00Z").unwrap();
        let is_open = |text: &str| has_valid_token(text.as_bytes(), now);
        for open in [
            r#"{"startUrl": "https://a", "accessToken": "t", "expiresAt": "2026-11-30T12:00:01Z"}"#,
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T12:00:01UTC"}"#,
            r#"{"accessToken": "t", "expiresAt": "tomorrow"}"#,
            r#"{"accessToken": "t"}"#,
        ] {
            assert!(is_open(open), "{open}");
        }
        for harmless in [
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T12:00:00Z"}"#,
            r#"{"accessToken": "t", "expiresAt": "2020-06-17T10:02:08UTC"}"#,
            r#"{"accessToken": null}"#,
            r#"{"clientId": "c", "clientSecret": "s", "expiresAt": "2027-01-01T00:00:00Z"}"#,
            "[]",
            "no JSON",
        ] {
            assert!(!is_open(harmless), "{harmless}");
        }
    }
}
