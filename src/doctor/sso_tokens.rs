//! Finds tokens of IAM Identity Center that the AWS CLI and the SDKs store in plain text.
//!
//! Every program that runs as the user can get credentials of all assigned roles with an access token, and a new access
//! token with the refresh token and the client registration that stand beside it. The check reads a limited number of
//! files, and shows nothing of their content.

use serde::{Deserialize, de::IgnoredAny};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, files, time::Timestamp};

/// The number of files that are read at most. The AWS CLI has one for each session and each registered client.
const MAX_FILES: usize = 100;

/// The largest file that is read. AWS's tokens have less than two kilobytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A file of the cache. Files without a token are registrations of a client. The tokens are not copied out of the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CachedToken {
    access_token: Option<IgnoredAny>,
    expires_at: Option<String>,
    refresh_token: Option<IgnoredAny>,
    /// The secret of the client registration, without which AWS does not refresh the access token.
    client_secret: Option<IgnoredAny>,
    registration_expires_at: Option<String>,
}

/// Whether a file of `~/.aws/sso/cache` has a token that may still work.
pub(super) fn check_sso_tokens(context: &DoctorContext<'_>) -> CheckOutcome {
    let folder = context.home.join(".aws/sso/cache");
    let shown = context.display_path(&folder);
    let mut names = files::list_files(&folder)?;
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    let is_open = |name: &&String| {
        let file = files::read_untrusted(&folder.join(name), MAX_BYTES).ok().flatten();
        file.is_some_and(|file| has_usable_token(&file.bytes, context.now()))
    };
    match names.iter().take(MAX_FILES).filter(is_open).count() {
        0 => Ok(Finding::Ok(format!("{shown} has no token that could still work"))),
        count => Ok(Finding::Warn(doctor::describe_open_sso_tokens(&shown, count))),
    }
}

/// Whether the file has an access token that has not expired, or a refresh token whose registration has not. An expiry
/// that cannot be read counts as one in the future. Nothing in the file says when the session ends.
fn has_usable_token(bytes: &[u8], now: Timestamp) -> bool {
    let Ok(CachedToken { access_token, expires_at, refresh_token, client_secret, registration_expires_at }) =
        serde_json::from_slice(bytes)
    else {
        return false;
    };
    // Earlier versions of the AWS CLI write `UTC` instead of `Z`.
    let parse = |text: String| Timestamp::from_rfc3339(&text.replace("UTC", "Z"));
    let is_open = |token: Option<IgnoredAny>, end: Option<String>| {
        token.is_some() && end.and_then(parse).is_none_or(|end| end > now)
    };
    is_open(access_token, expires_at) || is_open(refresh_token.and(client_secret), registration_expires_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_may_still_work_is_reported() {
        let now = Timestamp::from_rfc3339("2026-11-30T12:00:00Z").unwrap();
        let is_open = |text: &str| has_usable_token(text.as_bytes(), now);
        for open in [
            r#"{"startUrl": "https://a", "accessToken": "t", "expiresAt": "2026-11-30T12:00:01Z"}"#,
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T12:00:01UTC"}"#,
            r#"{"accessToken": "t", "expiresAt": "tomorrow"}"#,
            r#"{"accessToken": "t"}"#,
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T11:00:00Z", "refreshToken": "r",
                "clientSecret": "s", "registrationExpiresAt": "2026-12-30T12:00:00Z"}"#,
        ] {
            assert!(is_open(open), "{open}");
        }
        for harmless in [
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T12:00:00Z"}"#,
            r#"{"accessToken": "t", "expiresAt": "2020-06-17T10:02:08UTC"}"#,
            r#"{"accessToken": null, "refreshToken": null}"#,
            r#"{"accessToken": "t", "expiresAt": "2026-11-30T11:00:00Z", "refreshToken": "r"}"#,
            r#"{"accessToken": "t", "expiresAt": "2026-08-30T12:00:00Z", "refreshToken": "r",
                "clientSecret": "s", "registrationExpiresAt": "2026-11-30T12:00:00Z"}"#,
            r#"{"clientId": "c", "clientSecret": "s", "expiresAt": "2027-01-01T00:00:00Z"}"#,
            "[]",
            "no JSON",
        ] {
            assert!(!is_open(harmless), "{harmless}");
        }
    }
}
