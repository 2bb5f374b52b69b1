//! What a provider requires of a profile: the spelling of its issuer, the redirect URI, and which settings it rejects.
//!
//! A setting that the provider would reject is an error before any browser opens. A setting that is legal but probably
//! a mistake is a warning of `config check`.

use super::{
    IssuerShorthand, Provider,
    issuer_format::IssuerParts,
    proof_support::describe_late_renewal,
    specs::{REGISTERED_PORTS, RedirectRule},
};
use crate::{
    config::{Issuer, Profile, RedirectHost, error::ValueConflict, key::ConfigKey, keys, toml_value::quote_text},
    url::SecureUrl,
};

impl Issuer {
    /// The kind of provider that the issuer's host belongs to; `Generic` for a company's domain.
    pub fn provider(&self) -> Provider {
        Provider::from_host(self.url().as_url().host_str().unwrap_or_default())
    }
}

/// The issuer that a short form stands for, spelled as the provider spells it. Fails if the value is not legal.
pub(in crate::config) fn build_shorthand_issuer(
    provider: Provider,
    shorthand: &IssuerShorthand,
    value: &str,
    companion: &str,
) -> Result<Issuer, ValueConflict> {
    let text = (shorthand.expand)(value, companion)?;
    let issuer =
        Issuer::parse(&text).map_err(|refusal| ValueConflict::new(refusal.to_string(), "correct the value"))?;
    check_issuer_format(provider, &issuer).map_or(Ok(issuer), Err)
}

/// The conflict if this cannot be the issuer of a provider of that kind; `None` if it can. The spelling matters
/// because the program compares it byte for byte with the `iss` of the ID token (OIDC Core §3.1.3.7). An issuer on
/// loopback is a test's, and is not checked.
pub(super) fn check_issuer_format(provider: Provider, issuer: &Issuer) -> Option<ValueConflict> {
    let rest = issuer.as_str().strip_prefix("https://")?;
    let spec = provider.spec();
    if let Some(stem) = issuer.as_str().strip_suffix("/.well-known/openid-configuration") {
        let slash = if spec.issuer_ends_in_slash { "/" } else { "" };
        return Some(ValueConflict::suggest_issuer(
            "this is the address of the discovery document, not the issuer",
            &format!("{stem}{slash}"),
        ));
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (spec.check_issuer)(&IssuerParts { host, path, domains: spec.domains })
}

/// The redirect host for a profile that does not set one. A provider on loopback (a test's) accepts every host.
pub(in crate::config) fn choose_redirect_host(kind: Provider, issuer: &Issuer) -> RedirectHost {
    if issuer.url().is_https() { kind.spec().redirect_host } else { RedirectHost::LoopbackIp }
}

/// The redirect ports for a profile that does not set them; empty for any free port.
pub(in crate::config) fn choose_redirect_ports(kind: Provider, issuer: &Issuer) -> Vec<u16> {
    match kind.spec().redirect_rule {
        RedirectRule::RegisteredPort | RedirectRule::RegisteredPortAndHost if issuer.url().is_https() => {
            REGISTERED_PORTS.into()
        }
        RedirectRule::AnyPort | RedirectRule::RegisteredPort | RedirectRule::RegisteredPortAndHost => Vec::new(),
    }
}

/// The settings of a profile that a provider may reject.
#[derive(Debug)]
pub(in crate::config) struct ProviderSettings<'a> {
    pub kind: Provider,
    pub issuer: &'a Issuer,
    /// The kind that the key `provider` names; `None` for "auto".
    pub named_provider: Option<Provider>,
    /// The short form of the issuer that the profile uses, and the kind of provider that it belongs to.
    pub shorthand: Option<(&'static ConfigKey, Provider)>,
    /// `None` if the profile does not set it.
    pub redirect_host: Option<RedirectHost>,
    pub scopes: &'a [String],
    pub login_domain: Option<&'a SecureUrl>,
}

/// Every key with a value that the provider would reject, with the reason and the hint.
pub(in crate::config) fn find_conflicts(written: &ProviderSettings<'_>) -> Vec<(&'static ConfigKey, ValueConflict)> {
    let all = [
        check_provider_name(written),
        check_issuer(written),
        check_redirect_host(written),
        check_scopes(written),
        check_login_domain(written),
    ];
    all.into_iter().flatten().collect()
}

type KeyConflict = Option<(&'static ConfigKey, ValueConflict)>;

/// Checks the key `provider`. It is wrong only if the kind is certain: from a short form, or from a host that belongs
/// to a provider. A company's own domain can lead to any kind of provider.
fn check_provider_name(written: &ProviderSettings<'_>) -> KeyConflict {
    let ProviderSettings { issuer, named_provider: named, shorthand: short, .. } = written;
    let named = (*named)?;
    let known = issuer.provider();
    let (whose, kind) = match short {
        Some((key, kind)) => (format!("`{}` belongs to", key.name), *kind),
        None if [known, named].iter().any(|it| it.spec().domains.is_empty()) => return None,
        None => (format!("{} belongs to", issuer.url().authority()), known),
    };
    let word = kind.name();
    (named != kind).then(|| {
        let wrong = ValueConflict::new(
            format!("{whose} the provider \"{word}\""),
            format!("write `provider = \"{word}\"`, or remove `provider`"),
        );
        (&*keys::PROVIDER, wrong)
    })
}

fn check_issuer(written: &ProviderSettings<'_>) -> KeyConflict {
    let wrong = check_issuer_format(written.kind, written.issuer)?;
    written.shorthand.is_none().then_some((&*keys::ISSUER, wrong))
}

fn check_redirect_host(written: &ProviderSettings<'_>) -> KeyConflict {
    let spec = written.kind.spec();
    let refused = spec.redirect_rule == RedirectRule::RegisteredPortAndHost
        && written.issuer.url().is_https()
        && written.redirect_host.is_some_and(|host| host != spec.redirect_host);
    refused.then(|| {
        let rule = format!("{} accepts plain http only for localhost", written.kind.name());
        (
            &*keys::REDIRECT_HOST,
            ValueConflict::new(rule, "write `redirect_host = \"localhost\"`, and register that redirect URI"),
        )
    })
}

fn check_scopes(written: &ProviderSettings<'_>) -> KeyConflict {
    let unknown = written.kind.spec().unknown_scopes;
    let (bad, good): (Vec<&str>, Vec<&str>) =
        written.scopes.iter().map(String::as_str).partition(|scope| unknown.contains(scope));
    let bad = bad.first()?;
    let list: Vec<String> = good.into_iter().map(quote_text).collect();
    let rule =
        format!("{} rejects requests with the scope {bad}; it issues refresh tokens without it", written.kind.name());
    Some((&*keys::SCOPES, ValueConflict::new(rule, format!("write `scopes = [{}]`", list.join(", ")))))
}

fn check_login_domain(written: &ProviderSettings<'_>) -> KeyConflict {
    written.login_domain?;
    written.kind.spec().endpoint_paths.is_none().then(|| {
        let rule = format!("it is a key for Cognito, but the provider is \"{}\"", written.kind.name());
        (&*keys::COGNITO_DOMAIN, ValueConflict::new(rule, "remove it, or add `cognito_user_pool_id`"))
    })
}

/// The warnings about values that are legal but probably a mistake, each with its key.
pub(in crate::config) fn collect_warnings(profile: &Profile) -> Vec<(&'static ConfigKey, String)> {
    let Some(oidc) = profile.oidc() else { return Vec::new() };
    let spec = oidc.provider.spec();
    let mut found: Vec<(&'static ConfigKey, String)> = Vec::new();
    let has = |scope: &str| oidc.scopes.is_empty() || oidc.scopes.iter().any(|one| one == scope);
    if !has("openid") {
        found.push((&keys::SCOPES, "\"openid\" is missing; bedrock-sso requests it anyway".to_owned()));
    }
    if let Some(scope) = spec.refresh_scope.filter(|scope| !has(scope)) {
        let reason = format!("\"{scope}\" is missing, so nothing can be refreshed and a browser opens each time");
        found.push((&keys::SCOPES, reason));
    }
    if !(spec.is_client_id)(&oidc.client_id) {
        found.push((&keys::CLIENT_ID, spec.client_id_rule.to_owned()));
    }
    if oidc.extra_params.get("prompt").is_some_and(|prompt| prompt == "none") {
        let reason = "prompt = \"none\" forbids the provider to prompt the user, so a first sign-in fails";
        found.push((&keys::EXTRA_PARAMS, reason.to_owned()));
    }
    // Without the restriction every account of the provider can sign in, from any company.
    let is_restricted = |name| oidc.extra_params.contains_key(name) || !oidc.require.email_domain.is_empty();
    if let Some((_, reason)) = spec.account_restriction.filter(|(name, _)| !is_restricted(*name)) {
        found.push((&keys::EXTRA_PARAMS, reason.to_owned()));
    }
    found.extend(describe_late_renewal(profile, oidc).map(|reason| (keys::REQUIRE.untyped(), reason)));
    if oidc.issuer.as_str().contains(PERSONAL_TENANT) {
        found.push((&keys::ISSUER, "this is the tenant of all personal Microsoft accounts".to_owned()));
    }
    found
}

/// The tenant that all personal Microsoft accounts share ("ID token claims reference", `tid`).
const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing;

    fn written(kind: Provider, issuer: &Issuer) -> ProviderSettings<'_> {
        ProviderSettings {
            kind,
            issuer,
            named_provider: None,
            shorthand: None,
            redirect_host: None,
            scopes: &[],
            login_domain: None,
        }
    }

    fn issuer(text: &str) -> Issuer {
        Issuer::parse(text).unwrap()
    }

    const GOOGLE: &str = "https://accounts.google.com";
    const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC";

    #[test]
    fn default_redirect_uri_is_accepted_by_each_provider() {
        use Provider::{Auth0, Cognito, Entra, Generic, Google, Okta};
        let there = issuer("https://login.acme.example");
        for (kind, host, registered) in [
            (Okta, RedirectHost::LoopbackIp, &REGISTERED_PORTS[..]),
            (Entra, RedirectHost::Localhost, &[]),
            (Auth0, RedirectHost::LoopbackIp, &REGISTERED_PORTS),
            (Cognito, RedirectHost::Localhost, &REGISTERED_PORTS),
            (Google, RedirectHost::LoopbackIp, &[]),
            (Generic, RedirectHost::LoopbackIp, &[]),
        ] {
            assert_eq!(
                (choose_redirect_host(kind, &there), choose_redirect_ports(kind, &there).as_slice()),
                (host, registered)
            );
            let here = issuer("http://127.0.0.1:9");
            assert_eq!(
                (choose_redirect_host(kind, &here), choose_redirect_ports(kind, &here)),
                (RedirectHost::LoopbackIp, vec![])
            );
        }
    }

    #[test]
    fn unknown_scope_is_a_conflict_with_the_correct_list() {
        let scopes: Vec<String> = ["openid", "offline_access", "email"].map(str::to_owned).into();
        for (kind, address) in [(Provider::Google, GOOGLE), (Provider::Cognito, POOL)] {
            let issuer = issuer(address);
            let found = find_conflicts(&ProviderSettings { scopes: &scopes, ..written(kind, &issuer) });
            let [(key, wrong)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((key.name, wrong.remedy.as_str()), ("scopes", "write `scopes = [\"openid\", \"email\"]`"));
        }
        let okta = issuer("https://acme.okta.com");
        assert_eq!(find_conflicts(&ProviderSettings { scopes: &scopes, ..written(Provider::Okta, &okta) }), []);
    }

    #[test]
    fn scopes_in_a_remedy_are_quoted_as_toml() {
        let scopes: Vec<String> = ["a\"b", "offline_access"].map(str::to_owned).into();
        let pool = issuer(POOL);
        let found = find_conflicts(&ProviderSettings { scopes: &scopes, ..written(Provider::Cognito, &pool) });
        assert_eq!(found[0].1.remedy, r#"write `scopes = ["a\"b"]`"#);
    }

    #[test]
    fn redirect_host_that_cannot_be_registered_is_a_conflict() {
        let pool = issuer(POOL);
        let with = |host| ProviderSettings { redirect_host: Some(host), ..written(Provider::Cognito, &pool) };
        assert_eq!(find_conflicts(&with(RedirectHost::LoopbackIp)).len(), 1);
        assert_eq!(find_conflicts(&with(RedirectHost::Localhost)), []);
    }

    #[test]
    fn suspicious_values_are_warnings() {
        let profile = testing::profile_with(|oidc| {
            oidc.provider = Provider::Google;
            oidc.issuer = issuer(GOOGLE);
            oidc.client_id = "1-x.apps.googleusercontent.com".into();
            oidc.extra_params = [("hd".to_owned(), "acme.com".to_owned())].into();
        });
        assert_eq!(collect_warnings(&profile), []);
        let mut oidc = profile.oidc().unwrap().clone();
        oidc.extra_params = [("prompt".to_owned(), "none".to_owned())].into();
        oidc.client_id = "1-x".into();
        oidc.scopes = vec!["email".into()];
        let profile = Profile { sign_in: crate::config::SignInSettings::Oidc(Box::new(oidc.clone())), ..profile };
        let keys: Vec<&str> = collect_warnings(&profile).into_iter().map(|(key, _)| key.name).collect();
        assert_eq!(keys, ["scopes", "client_id", "extra_params", "extra_params"]);
        oidc.provider = Provider::Okta;
        let profile = Profile { sign_in: crate::config::SignInSettings::Oidc(Box::new(oidc)), ..profile };
        assert!(collect_warnings(&profile).iter().any(|(_, said)| said.contains("offline_access")));
    }

    #[test]
    fn tenant_of_personal_accounts_is_a_warning() {
        let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
        let profile = testing::profile_with(|oidc| {
            oidc.provider = Provider::Entra;
            oidc.issuer = issuer(&format!("https://login.microsoftonline.com/{tenant}/v2.0"));
            oidc.client_id = tenant.into();
        });
        assert_eq!(collect_warnings(&profile).len(), 1);
    }
}
