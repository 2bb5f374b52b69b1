//! The hosts that may receive the secrets of a sign-in, stored and sealed together with it.
//!
//! If a changed configuration, or a changed discovery document, names another host, that host does not receive secrets
//! that were stored for the first one. The user has to accept the new host first; `find_changes` decides what is new.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    aws::{self, AwsService},
    config::{ConfigKey, Profile, keys},
    host::Environment,
    oidc::ProviderMetadata,
};

/// A party that receives a secret of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRecipient {
    /// The provider's endpoint that receives the refresh token and returns new tokens.
    TokenEndpoint,
    /// The provider's endpoint that receives the refresh token at sign-out.
    RevocationEndpoint,
    /// The provider's endpoint that receives the access token at a sign-in, if the profile wants claims of UserInfo.
    UserInfoEndpoint,
    /// AWS services, which receive the ID token or requests signed with the credentials.
    Sts,
    Cognito,
    Bedrock,
    BedrockRuntime,
    /// The federation endpoint of the AWS console, which receives the credentials.
    Console,
    /// The services of IAM Identity Center: one receives codes and refresh tokens, the other access tokens.
    IdentityCenterSignIn,
    IdentityCenterPortal,
    /// The quota service, which receives the ID token, or requests signed with the credentials.
    Quota,
}

/// The hosts of each recipient: an origin (`https://quota.example`), or the name of a partition (`aws`) for AWS's own
/// hosts. Profiles that share a sign-in may name different hosts, so a recipient can have several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct Destinations(BTreeMap<SecretRecipient, BTreeSet<String>>);

/// A host that is not among the accepted hosts of its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DestinationChange {
    pub recipient: SecretRecipient,
    /// The accepted hosts, joined by commas. `None` if the sign-in was stored without this recipient.
    pub stored: Option<String>,
    pub now: String,
}

/// Reads the stored form. Version 0.1 stored one host for each recipient, this version stores a list. Recipients that
/// only a later version knows are skipped, so that a downgrade does not lose the sign-in.
impl From<BTreeMap<String, Value>> for Destinations {
    fn from(stored: BTreeMap<String, Value>) -> Self {
        let known = |(recipient, hosts): (String, Value)| {
            let hosts: BTreeSet<String> = match hosts {
                Value::String(host) => [host].into(),
                hosts => serde_json::from_value(hosts).ok()?,
            };
            Some((serde_json::from_value(Value::String(recipient)).ok()?, hosts))
        };
        Self(stored.into_iter().filter_map(known).collect())
    }
}

impl SecretRecipient {
    fn is_provider(self) -> bool {
        match self {
            Self::TokenEndpoint | Self::RevocationEndpoint | Self::UserInfoEndpoint => true,
            Self::Sts
            | Self::Cognito
            | Self::Bedrock
            | Self::BedrockRuntime
            | Self::Console
            | Self::IdentityCenterSignIn
            | Self::IdentityCenterPortal
            | Self::Quota => false,
        }
    }

    /// The configuration key that names the host.
    fn config_key(self) -> Option<&'static ConfigKey> {
        match self {
            Self::TokenEndpoint | Self::RevocationEndpoint | Self::UserInfoEndpoint => None,
            Self::IdentityCenterSignIn | Self::IdentityCenterPortal => Some(&keys::IDENTITY_CENTER_ENDPOINT),
            Self::Sts => Some(&keys::STS_ENDPOINT),
            Self::Cognito => Some(&keys::COGNITO_ENDPOINT),
            Self::Bedrock | Self::BedrockRuntime => Some(&keys::BEDROCK_ENDPOINT),
            Self::Console => Some(&keys::CONSOLE_ENDPOINT),
            Self::Quota => Some(&keys::QUOTA_ENDPOINT),
        }
    }
}

impl Destinations {
    /// The hosts that the configuration names.
    pub fn from_profile(profile: &Profile, environment: &Environment) -> Self {
        let aws = aws::list_destinations(profile, environment).map(|(service, host)| {
            let recipient = match service {
                AwsService::Sts => SecretRecipient::Sts,
                AwsService::Cognito => SecretRecipient::Cognito,
                AwsService::Bedrock => SecretRecipient::Bedrock,
                AwsService::BedrockRuntime => SecretRecipient::BedrockRuntime,
                AwsService::Console => SecretRecipient::Console,
                AwsService::SsoOidc => SecretRecipient::IdentityCenterSignIn,
                AwsService::SsoPortal => SecretRecipient::IdentityCenterPortal,
            };
            (recipient, host)
        });
        let quota = profile.quota.as_ref().map(|quota| (SecretRecipient::Quota, quota.endpoint.origin()));
        Self::from_hosts(aws.chain(quota))
    }

    /// The hosts that the provider's discovery document names, for the endpoints that this profile uses.
    pub fn from_provider(metadata: &ProviderMetadata, profile: &Profile) -> Self {
        let revocation = metadata.revocation_endpoint.as_ref();
        let user_info = metadata.userinfo_endpoint.as_ref().filter(|_| !profile.user_info_claims().is_empty());
        let endpoints = [
            (SecretRecipient::TokenEndpoint, Some(&metadata.token_endpoint)),
            (SecretRecipient::RevocationEndpoint, revocation),
            (SecretRecipient::UserInfoEndpoint, user_info),
        ];
        Self::from_hosts(endpoints.into_iter().filter_map(|(recipient, url)| Some((recipient, url?.origin()))))
    }

    fn from_hosts(hosts: impl Iterator<Item = (SecretRecipient, String)>) -> Self {
        let mut destinations = Self::default();
        for (recipient, host) in hosts {
            destinations.0.entry(recipient).or_default().insert(host);
        }
        destinations
    }

    /// Adds hosts to the accepted ones.
    pub fn accept_hosts(&mut self, now: Self) {
        for (recipient, hosts) in now.0 {
            self.0.entry(recipient).or_default().extend(hosts);
        }
    }

    /// Accepts the provider's hosts and drops its earlier ones, because another party may own those by now.
    pub fn replace_provider_hosts(&mut self, now: Self) {
        self.0.retain(|recipient, _| !recipient.is_provider());
        self.accept_hosts(now);
    }

    /// The hosts in `now` that are not accepted. A record of an earlier version stores no hosts and accepts any.
    pub fn find_changes(&self, now: &Self) -> Vec<DestinationChange> {
        let hosts = now.0.iter().flat_map(|(recipient, hosts)| hosts.iter().map(|host| (*recipient, host)));
        let is_new = |(recipient, host): &(SecretRecipient, &String)| !self.accepts_host(*recipient, host);
        let change = |(recipient, host): (SecretRecipient, &String)| DestinationChange {
            recipient,
            stored: self.0.get(&recipient).map(|hosts| hosts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
            now: host.clone(),
        };
        hosts.filter(is_new).map(change).collect()
    }

    fn accepts_host(&self, recipient: SecretRecipient, host: &str) -> bool {
        // The provider's hosts and the configured ones are stored at different moments, so either part may be missing.
        let same_kind = || self.0.iter().filter(|(stored, _)| stored.is_provider() == recipient.is_provider());
        if same_kind().next().is_none() {
            return true;
        }
        match recipient.is_provider() {
            // Both endpoints of the provider receive the same refresh token, so each may use the other's host.
            true => same_kind().any(|(_, stored)| stored.contains(host)),
            false => self.0.get(&recipient).is_some_and(|stored| stored.contains(host)),
        }
    }

    /// The hosts that the configuration names and that the user has to accept first.
    ///
    /// AWS's own hosts need no consent. Hosts in the administrator's file need none either, because a new address of
    /// the quota service must not sign out a whole fleet.
    pub fn find_profile_changes(&self, profile: &Profile, environment: &Environment) -> Vec<DestinationChange> {
        let mut changes = self.find_changes(&Self::from_profile(profile, environment));
        changes.retain(|change| {
            let is_administrators =
                change.recipient.config_key().is_some_and(|key| profile.set_by_administrator.contains(key.name));
            !is_administrators && change.now.contains("://")
        });
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{QuotaErrorPolicy, QuotaSettings, testing},
        url::SecureUrl,
    };

    fn with_quota(endpoint: &str) -> Profile {
        let quota = QuotaSettings {
            endpoint: SecureUrl::parse(endpoint).unwrap(),
            interval: std::time::Duration::from_secs(60),
            timeout: std::time::Duration::from_secs(5),
            on_error: QuotaErrorPolicy::Allow,
        };
        Profile { quota: Some(quota), ..testing::profile() }
    }

    fn hosts_of(profile: &Profile) -> Destinations {
        Destinations::from_profile(profile, &Environment::fixed([]))
    }

    fn changes(accepted: &Destinations, profile: &Profile) -> Vec<DestinationChange> {
        accepted.find_profile_changes(profile, &Environment::fixed([]))
    }

    #[test]
    fn a_new_quota_host_needs_consent() {
        let accepted = hosts_of(&with_quota("https://quota.example/check"));
        assert_eq!(changes(&accepted, &with_quota("https://quota.example/other")), []);
        let found = changes(&accepted, &with_quota("https://evil.example"));
        let [change] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((change.recipient, change.now.as_str()), (SecretRecipient::Quota, "https://evil.example"));
    }

    #[test]
    fn an_administrators_host_needs_no_consent() {
        let accepted = hosts_of(&with_quota("https://quota.example"));
        let profile = Profile { set_by_administrator: ["quota.endpoint"].into(), ..with_quota("https://new.example") };
        assert_eq!(changes(&accepted, &profile), []);
    }

    #[test]
    fn a_record_without_destinations_accepts_any_host() {
        assert_eq!(changes(&Destinations::default(), &with_quota("https://quota.example")), []);
    }

    #[test]
    fn a_change_back_to_aws_hosts_needs_no_consent() {
        let named = Profile {
            aws_endpoints: crate::config::AwsEndpoints {
                sts: SecureUrl::parse("https://sts.example").ok(),
                ..Default::default()
            },
            ..testing::profile()
        };
        assert_eq!(changes(&hosts_of(&named), &testing::profile()), []);
        assert_eq!(changes(&hosts_of(&testing::profile()), &named).len(), 1);
    }

    #[test]
    fn profiles_with_one_sign_in_may_name_different_hosts() {
        let mut accepted = hosts_of(&with_quota("https://quota.example"));
        accepted.accept_hosts(hosts_of(&with_quota("https://other.example")));
        for known in ["https://quota.example", "https://other.example"] {
            assert_eq!(changes(&accepted, &with_quota(known)), []);
        }
        let found = changes(&accepted, &with_quota("https://evil.example"));
        assert_eq!(found[0].stored.as_deref(), Some("https://other.example, https://quota.example"));
    }

    #[test]
    fn destinations_of_version_0_1_are_read() {
        let stored = serde_json::json!({ "quota": "https://quota.example", "sts": "aws", "of-tomorrow": { "a": 1 } });
        let accepted: Destinations = serde_json::from_value(stored).unwrap();
        assert_eq!(changes(&accepted, &with_quota("https://quota.example")), []);
        assert_eq!(changes(&accepted, &with_quota("https://evil.example")).len(), 1);
    }
}
