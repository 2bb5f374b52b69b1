//! Fingerprints: digests of a profile's settings, under which the cache stores sign-ins and credentials.
//!
//! `Profile::fingerprints` decides which settings count. The digests name files on disk, so a change of the input or
//! its order makes every user sign in again; a test compares them with fixed values.

use ring::digest::{Context, SHA256};

use super::{ChainedRole, ClaimTemplate};
use crate::text;

/// The SHA-256 digest of a list of settings. Equal fingerprints mean equal settings, so two profiles with the same
/// fingerprint share the stored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The first half as 32 hexadecimal digits, for the name of a file. 128 bits are enough to rule out collisions.
    pub fn short_hex(&self) -> String {
        let (half, _) = self.0.split_at(16);
        text::encode_hex(half)
    }
}

/// Collects the input of a fingerprint. It writes the length before each text and each list; otherwise the texts "ab",
/// "c" and "a", "bc" would have the same digest.
pub(super) struct FingerprintHasher(Context);

impl FingerprintHasher {
    /// `purpose` separates the fingerprints of different kinds of records and of different versions.
    pub(super) fn new(purpose: &str) -> Self {
        let mut hasher = Self(Context::new(&SHA256));
        hasher.add_text(purpose);
        hasher
    }

    pub(super) fn add_number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    pub(super) fn add_text(&mut self, text: &str) {
        self.add_number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    /// Adds every setting of a chained role. The destructuring makes the compiler point here when a field is added.
    pub(super) fn add_chained_role(&mut self, link: &ChainedRole) {
        let ChainedRole { role, external_id, duration, session_name, tags, transitive, source_identity } = link;
        let template = |template: &Option<ClaimTemplate>| template.as_ref().map(|it| it.as_str().to_owned());
        self.add_text("link");
        self.add_text(role.as_str());
        self.add_number(duration.as_secs());
        for text in [external_id.clone(), template(session_name), template(source_identity)] {
            self.add_list(text.as_deref().into_iter());
        }
        self.add_list(tags.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        self.add_list(transitive.iter().map(String::as_str));
    }

    pub(super) fn add_list<'t>(&mut self, items: impl Iterator<Item = &'t str> + Clone) {
        self.add_number(items.clone().count() as u64);
        items.for_each(|item| self.add_text(item));
    }

    pub(super) fn finish(self) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Fingerprint(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::{
        config::{
            BedrockEndpoints, Federation, IdentityCenterEndpoints, IdentityPoolId, Issuer, LoginMode, OidcSettings,
            Profile, ProfileFingerprints, Provider, QuotaErrorPolicy, QuotaSettings, RedirectHost, RedirectUri,
            RoleArn, SignInSettings, Storage, testing,
        },
        url::SecureUrl,
    };

    fn profile() -> Profile {
        let profile = testing::profile_with(|oidc| {
            oidc.issuer = Issuer::parse("https://acme.okta.com").unwrap();
            oidc.client_id = "0oa".into();
            oidc.provider = Provider::Okta;
            oidc.scopes = vec!["openid".into(), "email".into()];
            oidc.extra_params = [("prompt".into(), "login".into())].into();
        });
        let (session_duration, session_name) = (Duration::from_secs(3600), vec!["email".into()]);
        Profile { session_duration, session_name, ..profile }
    }

    fn oidc(profile: &mut Profile) -> &mut OidcSettings {
        let SignInSettings::Oidc(oidc) = &mut profile.sign_in else { panic!("an OpenID provider") };
        oidc
    }

    fn role(name: &str) -> RoleArn {
        RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap()
    }

    fn pool(own: &str) -> IdentityPoolId {
        IdentityPoolId::parse(&format!("us-east-1:{own}")).unwrap()
    }

    fn text(text: &str) -> ClaimTemplate {
        ClaimTemplate::parse(text).unwrap()
    }

    fn link(change: impl Fn(&mut ChainedRole)) -> ChainedRole {
        let mut link = ChainedRole::new(role("Next"), Duration::from_secs(900));
        change(&mut link);
        link
    }

    fn changed(change: impl Fn(&mut Profile)) -> ProfileFingerprints {
        let mut profile = profile();
        change(&mut profile);
        profile.fingerprints()
    }

    fn endpoint() -> Option<SecureUrl> {
        SecureUrl::parse("https://vpce.example").ok()
    }

    fn count_distinct(fingerprints: &[Fingerprint]) -> usize {
        fingerprints.iter().map(Fingerprint::short_hex).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn every_sign_in_setting_changes_the_sign_in_fingerprint() {
        let all = [
            changed(|_| ()),
            changed(|p| oidc(p).issuer = Issuer::parse("https://acme.okta.com/").unwrap()),
            changed(|p| oidc(p).login_domain = SecureUrl::parse("https://login.acme.example").ok()),
            changed(|p| oidc(p).client_id = "0ob".into()),
            changed(|p| oidc(p).provider = Provider::Generic),
            changed(|p| oidc(p).scopes = vec!["openid".into()]),
            changed(|p| oidc(p).scopes = vec!["openidemail".into()]),
            changed(|p| oidc(p).extra_params = [("prompt".into(), "none".into())].into()),
            changed(|p| oidc(p).extra_params = [("promptl".into(), "ogin".into())].into()),
            changed(|p| oidc(p).extra_params = [("login_hint".into(), "alice".into())].into()),
            changed(|p| oidc(p).extra_params = [("login_hint".into(), "bob".into())].into()),
            changed(|p| oidc(p).extra_params.clear()),
            changed(|p| p.redirect_uri.host = RedirectHost::Localhost),
            changed(|p| oidc(p).require.acr = vec!["a".into()]),
            changed(|p| oidc(p).require.amr = vec!["a".into()]),
            changed(|p| oidc(p).require.email_domain = vec!["a".into()]),
            changed(|p| oidc(p).require.max_age = Some(Duration::from_secs(60))),
            changed(|p| oidc(p).require.max_age = Some(Duration::from_secs(61))),
            changed(|p| p.storage = Storage::Keyring),
        ]
        .map(|it| it.sign_in);
        assert_eq!(count_distinct(&all), all.len());
    }

    #[test]
    fn every_exchange_setting_changes_only_the_credentials_key() {
        let all = [
            changed(|_| ()),
            changed(|p| oidc(p).federation = Federation::Sts { role: role("Other") }),
            changed(|p| oidc(p).federation = Federation::IdentityPool { id: pool("1b"), role: None }),
            changed(|p| oidc(p).federation = Federation::IdentityPool { id: pool("1c"), role: None }),
            changed(|p| oidc(p).federation = Federation::IdentityPool { id: pool("1b"), role: Some(role("Other")) }),
            changed(|p| p.role_chain = vec![link(|_| ())]),
            changed(|p| p.role_chain = vec![link(|_| ()), link(|_| ())]),
            changed(|p| p.role_chain = vec![link(|link| link.role = role("Third"))]),
            changed(|p| p.role_chain = vec![link(|link| link.external_id = Some("ab".into()))]),
            changed(|p| p.role_chain = vec![link(|link| link.session_name = ClaimTemplate::parse("ab"))]),
            changed(|p| p.role_chain = vec![link(|link| link.source_identity = ClaimTemplate::parse("ab"))]),
            changed(|p| p.role_chain = vec![link(|link| link.duration = Duration::from_secs(901))]),
            changed(|p| p.role_chain = vec![link(|link| drop(link.tags.insert("a".into(), text("b"))))]),
            changed(|p| p.role_chain = vec![link(|link| drop(link.tags.insert("ab".into(), text(""))))]),
            changed(|p| p.role_chain = vec![link(|link| link.transitive = vec!["a".into()])]),
            changed(|p| p.session_name = vec!["sub".into()]),
            changed(|p| p.session_duration = Duration::from_secs(3601)),
            changed(|p| p.aws_endpoints.sts = endpoint()),
            changed(|p| p.aws_endpoints.cognito = endpoint()),
            changed(|p| p.aws_endpoints.console = endpoint()),
            changed(|p| {
                let (control, runtime) = (endpoint().unwrap(), endpoint().unwrap());
                p.aws_endpoints.bedrock = Some(BedrockEndpoints { control, runtime });
            }),
            changed(|p| {
                let (sign_in, portal) = (endpoint().unwrap(), endpoint().unwrap());
                p.aws_endpoints.identity_center = Some(IdentityCenterEndpoints { sign_in, portal });
            }),
            changed(|p| {
                let (interval, timeout) = (Duration::from_secs(60), Duration::from_secs(5));
                let (endpoint, on_error) = (endpoint().unwrap(), QuotaErrorPolicy::Allow);
                p.quota = Some(QuotaSettings { endpoint, interval, timeout, on_error });
            }),
        ];
        assert_eq!(count_distinct(&all.map(|it| it.credentials)), all.len());
        assert_eq!(count_distinct(&all.map(|it| it.sign_in)), 1, "one sign-in serves all of them");
    }

    /// Version 0.1 knew no requirements, so a profile that has some must not find its records.
    #[test]
    fn a_requirement_changes_the_key_of_version_0_1() {
        let mut strict = profile();
        oidc(&mut strict).require.max_age = Some(Duration::from_secs(60));
        assert_ne!(strict.former_fingerprint(), profile().former_fingerprint());
    }

    #[test]
    fn adjacent_lists_have_distinct_fingerprints() {
        let left = changed(|p| oidc(p).extra_params = [("a".into(), "b".into()), ("c".into(), "d".into())].into());
        let right = changed(|p| oidc(p).extra_params = [("a".into(), "bc".into()), ("d".into(), String::new())].into());
        assert_ne!(left.sign_in, right.sign_in);
    }

    #[test]
    fn network_and_prompt_settings_do_not_change_fingerprints() {
        let same = changed(|p| {
            p.name = "other".into();
            p.region = "eu-west-1".into();
            p.sts_fallback_regions = vec!["eu-central-1".into()];
            p.redirect_uri = RedirectUri { ports: vec![8400], path: "/elsewhere".into(), ..p.redirect_uri.clone() };
            p.browser = vec!["firefox".into(), "{url}".into()];
            p.login = LoginMode::Explicit;
            p.login_timeout = Duration::from_secs(20);
            p.ca_bundle = Some("/ca.pem".into());
            p.aws_profile = Some("work".into());
        });
        assert_eq!(same, profile().fingerprints());
    }

    #[test]
    fn application_fingerprint_is_the_same_for_all_its_profiles() {
        let application = |change: fn(&mut Profile)| {
            let mut profile = profile();
            change(&mut profile);
            profile.oidc().unwrap().application_fingerprint().short_hex()
        };
        let own = application(|_| ());
        assert_eq!(
            own,
            application(|p| {
                p.name = "other".into();
                oidc(p).scopes.clear();
            })
        );
        assert_ne!(own, application(|p| oidc(p).client_id = "0ob".into()));
        assert_ne!(own, application(|p| oidc(p).issuer = Issuer::parse("https://acme.okta.com/").unwrap()));
        assert_ne!(own, profile().fingerprints().sign_in.short_hex());
    }

    #[test]
    fn fingerprints_are_stable_between_versions() {
        let full = |link: &mut ChainedRole| {
            link.duration = Duration::from_secs(901);
            link.external_id = Some("ab".into());
            link.session_name = ClaimTemplate::parse("{email}");
            link.source_identity = ClaimTemplate::parse("{sub}");
            link.tags = [("team".into(), text("{team}"))].into();
            link.transitive = vec!["team".into()];
        };
        let pool_role = |role| Federation::IdentityPool { id: pool("1b"), role };
        let former = |change: &dyn Fn(&mut Profile)| {
            let mut profile = profile();
            change(&mut profile);
            profile.former_fingerprint()
        };
        for (fingerprint, expected) in [
            (former(&|_| ()), "4e2d6b85b8dd6c11c3a5e87ee8376a0a"),
            (
                former(&|p| oidc(p).login_domain = SecureUrl::parse("https://login.acme.example").ok()),
                "b4f55659964e5b44232277f4e7ffe830",
            ),
            (former(&|p| oidc(p).federation = pool_role(None)), "3fcb68e77ea6398b2f89fba78dd9f726"),
            (former(&|p| oidc(p).federation = pool_role(Some(role("Other")))), "ff8bf26b36579b482442ce7f0e75ac4e"),
            (former(&|p| p.role_chain = vec![link(|_| ())]), "0eff3a3ddee5f3adc2263fd4848f0102"),
            (former(&|p| p.role_chain = vec![link(|_| ()), link(full)]), "443d4334b713eb5091b75bc6b3ec1816"),
            (profile().oidc().unwrap().application_fingerprint(), "a29c650606e97f78cd2761902188ca36"),
            (changed(|_| ()).sign_in, "14c84a976ed0ddf7ea1377ac5d35e809"),
            (
                changed(|p| oidc(p).login_domain = SecureUrl::parse("https://login.acme.example").ok()).sign_in,
                "79297cbaac17f6d6ff73b97c61cb84c0",
            ),
            (changed(|_| ()).credentials, "e8543af182b09cf0d28d5ae4b3e2230c"),
            (
                changed(|p| p.role_chain = vec![link(|_| ()), link(full)]).credentials,
                "bb225ade5be911ac926c3b814dc61474",
            ),
            (
                changed(|p| oidc(p).federation = pool_role(Some(role("Other")))).credentials,
                "84dbf612be4b082724036521c126d2c2",
            ),
        ] {
            assert_eq!(fingerprint.short_hex(), expected);
        }
    }
}
