//! Checks the credentials from STS and identity pools before anything stores or uses them.
//!
//! It rejects incomplete, malformed and expired credentials, and those of another account than the configured role's.
//! The last check stops a wrong or hostile endpoint that returns credentials of its own account, in which it could
//! read everything that the user does.

use std::time::Duration;

use aws_sdk_sts::types;

use super::{CredentialsFlaw, Error};
use crate::{config::RoleArn, credentials::AwsCredentials, secret::Secret, text::UntrustedText, time::Timestamp};

/// The longest plausible lifetime: the twelve hours of a role session, and some minutes for different clocks.
const MAX_CREDENTIAL_LIFE: Duration = Duration::from_secs(12 * 60 * 60 + 15 * 60);

/// Checks an answer of STS for `role`.
pub(super) fn validate_sts_answer(
    given: Option<types::Credentials>,
    user: Option<types::AssumedRoleUser>,
    role: &RoleArn,
    now: Timestamp,
) -> Result<AwsCredentials, Error> {
    let given = given.ok_or(Error::Flawed(CredentialsFlaw::Incomplete))?;
    let user = user.ok_or(Error::Flawed(CredentialsFlaw::Incomplete))?;
    check_session_account(&user.arn, role.account()).map_err(Error::Flawed)?;
    let types::Credentials { access_key_id, secret_access_key, session_token, expiration, .. } = given;
    // The SDK replaces a missing text by an empty one and a missing time by 1970.
    if expiration.secs() <= 0 {
        return Err(Error::Flawed(CredentialsFlaw::Incomplete));
    }
    let given = AwsCredentials {
        access_key_id,
        secret_access_key: Secret::new(secret_access_key),
        session_token: Secret::new(session_token),
        expiration: Timestamp::from_unix(expiration.secs()),
    };
    validate_credentials(given, now).map_err(Error::Flawed)
}

/// Checks that the session with this ARN belongs to the account.
pub(super) fn check_session_account(session_arn: &str, account: &str) -> Result<(), CredentialsFlaw> {
    let answered = session_arn.split(':').nth(4).unwrap_or_default();
    if answered == account {
        Ok(())
    } else {
        Err(CredentialsFlaw::OtherAccount { answered: UntrustedText::new(answered) })
    }
}

/// Checks that the credentials are complete, contain only characters that AWS uses, and have not expired. The
/// characters matter because the program prints the values to shells and JSON. An expiry that is too far away is
/// reduced, or the cache would return the credentials for ever.
pub(super) fn validate_credentials(given: AwsCredentials, now: Timestamp) -> Result<AwsCredentials, CredentialsFlaw> {
    let AwsCredentials { access_key_id, secret_access_key, session_token, expiration } = &given;
    let [secret, token] = [secret_access_key, session_token].map(Secret::expose);
    let flaw = if [access_key_id, secret, token].iter().any(|text| text.is_empty()) {
        CredentialsFlaw::Incomplete
    } else if !is_key_id(access_key_id) || ![secret, token].into_iter().all(is_printable) {
        CredentialsFlaw::Malformed
    } else if *expiration <= now {
        CredentialsFlaw::AlreadyExpired { expiration: *expiration, now }
    } else {
        let expiration = given.expiration.min(now.saturating_add(MAX_CREDENTIAL_LIFE));
        return Ok(AwsCredentials { expiration, ..given });
    };
    Err(flaw)
}

/// Returns whether the text is an `AccessKeyId` by the API reference of STS.
fn is_key_id(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000_000);

    fn given(id: &str, token: &str, expiration: i64) -> Result<Timestamp, CredentialsFlaw> {
        let credentials = AwsCredentials {
            access_key_id: id.into(),
            secret_access_key: Secret::new("wJalr/+="),
            session_token: Secret::new(token),
            expiration: Timestamp::from_unix(expiration),
        };
        validate_credentials(credentials, NOW).map(|credentials| credentials.expiration)
    }

    #[test]
    fn expiry_too_far_in_the_future_is_reduced() {
        assert_eq!(
            given("ASIA", "t", NOW.unix_seconds() + 43_200),
            Ok(NOW.saturating_add(Duration::from_secs(43_200)))
        );
        assert_eq!(given("ASIA", "t", i64::MAX), Ok(NOW.saturating_add(MAX_CREDENTIAL_LIFE)));
    }

    #[test]
    fn session_of_another_account_is_rejected() {
        let check = |arn| check_session_account(arn, "123456789012");
        let other = |answered: &str| Err(CredentialsFlaw::OtherAccount { answered: UntrustedText::new(answered) });
        assert_eq!(check("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Role_0a1b/jane@example.com"), Ok(()));
        assert_eq!(check("arn:aws:sts::999999999999:assumed-role/Role/123456789012"), other("999999999999"));
        assert_eq!(check("not an ARN"), other(""));
    }

    #[test]
    fn credentials_with_unknown_characters_are_rejected() {
        let malformed = Err(CredentialsFlaw::Malformed);
        for (id, token) in [("ASIA\u{9b}", "t"), ("ASIA X", "t"), (&"A".repeat(129), "t"), ("ASIA", "t\nx")] {
            assert_eq!(given(id, token, NOW.unix_seconds() + 60), malformed, "{id} {token}");
        }
        assert_eq!(given("ASIA", "", NOW.unix_seconds() + 60), Err(CredentialsFlaw::Incomplete));
    }
}
