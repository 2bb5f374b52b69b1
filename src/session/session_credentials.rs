//! The result of the ladder, and how to get it from a stored record alone.
//!
//! The warm path uses only this module: it reads the record, applies the quota approval, and needs no lock or network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    cache::CredentialsRecord,
    config::{Profile, QuotaSettings, RoleArn},
    credentials::AwsCredentials,
    time::Timestamp,
};

/// AWS credentials for a caller, with facts about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionCredentials {
    pub credentials: AwsCredentials,
    /// Empty if AWS did not name the session.
    pub session_name: String,
    /// The session is named after the user's subject, because the token has no claim that the profile wants.
    #[serde(default)]
    pub is_named_by_subject: bool,
    /// The role of the credentials, as AWS returned it or the profile names it.
    pub role: Option<RoleArn>,
    /// A warning for the user, for example about the quota.
    pub notice: Option<String>,
}

impl SessionCredentials {
    /// The role of these credentials. `None` if an identity pool chose the role and AWS did not return it.
    pub fn role<'r>(&'r self, profile: &'r Profile) -> Option<&'r RoleArn> {
        profile.final_role().or(self.role.as_ref())
    }
}

/// An approval is valid for at least this long. Otherwise SDKs could get credentials that have expired on arrival,
/// which they report as an error.
pub(super) const MIN_APPROVAL: Duration = Duration::from_secs(60);

/// When the approval of the quota service ends. An end later than any approval can last was stored before the clock was
/// set back, and counts as no approval: otherwise the user could spend for that long without being checked.
pub(super) fn find_approval_end(
    stored: &CredentialsRecord,
    service: &QuotaSettings,
    now: Timestamp,
) -> Option<Timestamp> {
    let latest = now.saturating_add(service.interval.max(MIN_APPROVAL));
    stored.cleared_until.filter(|until| *until <= latest)
}

/// The stored credentials, for the caller of this profile. They expire with the quota approval if that ends earlier, so
/// credentials without an approval look expired. The result can be expired; the caller judges its freshness.
pub fn find_credentials(stored: &CredentialsRecord, profile: &Profile, now: Timestamp) -> Option<SessionCredentials> {
    let mut credentials = stored.credentials.clone()?;
    if let Some(service) = &profile.quota {
        // Credentials must not outlive the approval to spend.
        let cleared_until = find_approval_end(stored, service, now).unwrap_or(Timestamp::from_unix(0));
        credentials.expiration = credentials.expiration.min(cleared_until);
    }
    let session_name = stored.session_name.clone().unwrap_or_default();
    let is_named_by_subject = stored.is_named_by_subject;
    Some(SessionCredentials { credentials, session_name, is_named_by_subject, role: stored.role.clone(), notice: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{QuotaErrorPolicy, testing},
        secret::Secret,
        url::SecureUrl,
    };

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn record(cleared_for: Duration) -> (CredentialsRecord, Profile) {
        let endpoint = SecureUrl::parse("https://quota.example/check").unwrap();
        let (interval, timeout) = (Duration::from_secs(1800), Duration::from_secs(5));
        let quota = Some(QuotaSettings { endpoint, interval, timeout, on_error: QuotaErrorPolicy::Deny });
        let credentials = AwsCredentials {
            access_key_id: "AKIA".to_owned(),
            secret_access_key: Secret::new("s"),
            session_token: Secret::new("t"),
            expiration: NOW.saturating_add(Duration::from_secs(40_000)),
        };
        let cleared_until = Some(NOW.saturating_add(cleared_for));
        let stored =
            CredentialsRecord { credentials: Some(credentials), cleared_until, ..CredentialsRecord::default() };
        (stored, Profile { quota, ..testing::profile() })
    }

    #[test]
    fn an_approval_beyond_the_interval_is_ignored() {
        let expiration = |cleared_for| {
            let (stored, profile) = record(Duration::from_secs(cleared_for));
            find_credentials(&stored, &profile, NOW).unwrap().credentials.expiration
        };
        assert_eq!(expiration(1800), NOW.saturating_add(Duration::from_secs(1800)));
        // The clock was set back by a day.
        assert_eq!(expiration(1801), Timestamp::from_unix(0));
        assert_eq!(expiration(86_400), Timestamp::from_unix(0));
    }
}
