//! What each kind of provider demands of a profile: where it sends the browser back, and which settings it cannot take.
//!
//! A contradiction is an error before any browser opens; what only smells is said by `config check`.

use super::{Issuer, Provider, ValueConflict, issuer_format};
use crate::{
    config::{Profile, RedirectHost},
    url::SecureUrl,
};

/// A row for each kind. Sources: the vendors' references of application settings.
struct ProviderSpec {
    /// The loopback host whose redirect addresses can be registered; the other cannot where `only`.
    host: RedirectHost,
    host_is_required: bool,
    /// Compares redirect addresses to the letter, port included, so that a port has to be registered.
    needs_registered_port: bool,
    /// Scopes that it answers with `invalid_scope`.
    unknown_scopes: &'static [&'static str],
    /// The scope without which no refresh token comes.
    refresh_scope: Option<&'static str>,
    /// How its client identifiers look.
    is_client_id: fn(&str) -> bool,
    client_id_rule: &'static str,
}

/// The registered ports where the profile names none and the provider takes no other.
const REGISTERED_PORTS: [u16; 2] = [8400, 8401];

const DEFAULT_SPEC: ProviderSpec = ProviderSpec {
    host: RedirectHost::LoopbackIp,
    host_is_required: false,
    needs_registered_port: false,
    unknown_scopes: &[],
    refresh_scope: Some("offline_access"),
    is_client_id: |_| true,
    client_id_rule: "",
};

fn select_spec(kind: Provider) -> ProviderSpec {
    match kind {
        // RFC 8252 §7.3, which some follow and some do not; nothing is known of those that nobody named.
        Provider::Generic => DEFAULT_SPEC,
        // "Sign-in redirect URIs" are compared exactly, port and case included (Okta, "OpenID Connect redirect URI").
        Provider::Okta => ProviderSpec { needs_registered_port: true, ..DEFAULT_SPEC },
        // The portal takes http for `localhost` only (127.0.0.1 in the manifest alone) and ignores the port of either
        // ("Redirect URI restrictions and limitations").
        Provider::Entra => ProviderSpec {
            host: RedirectHost::Localhost,
            is_client_id: issuer_format::is_guid,
            client_id_rule: "Entra's \"Application (client) ID\" is a GUID",
            ..DEFAULT_SPEC
        },
        // "Allowed Callback URLs" are compared exactly (Auth0, "Application settings").
        Provider::Auth0 => ProviderSpec { needs_registered_port: true, ..DEFAULT_SPEC },
        // "requires HTTPS over HTTP except for http://localhost" (CallbackURLs in the reference of CreateUserPoolClient).
        // Refresh tokens come unasked; `offline_access` is no scope of a user pool.
        Provider::Cognito => ProviderSpec {
            host: RedirectHost::Localhost,
            host_is_required: true,
            needs_registered_port: true,
            unknown_scopes: &["offline_access"],
            refresh_scope: None,
            ..DEFAULT_SPEC
        },
        // Desktop applications need register no address ("OAuth 2.0 for iOS & Desktop Apps"). `access_type=offline`
        // stands for the scope that Google does not know.
        Provider::Google => ProviderSpec {
            unknown_scopes: &["offline_access"],
            refresh_scope: None,
            is_client_id: |id| id.ends_with(".apps.googleusercontent.com"),
            client_id_rule: "Google's client identifiers end in .apps.googleusercontent.com",
            ..DEFAULT_SPEC
        },
    }
}

/// The redirect host that holds where the profile names none. What stands on this machine is nobody's cloud.
pub(in crate::config) fn choose_redirect_host(kind: Provider, issuer: &Issuer) -> RedirectHost {
    if issuer.url().is_https() { select_spec(kind).host } else { RedirectHost::LoopbackIp }
}

/// The ports that hold where the profile names none.
pub(in crate::config) fn choose_redirect_ports(kind: Provider, issuer: &Issuer) -> Vec<u16> {
    if issuer.url().is_https() && select_spec(kind).needs_registered_port {
        REGISTERED_PORTS.into()
    } else {
        Vec::new()
    }
}

/// What the profile says of itself, as far as a provider may object to it.
#[derive(Debug)]
pub(in crate::config) struct ProviderSettings<'a> {
    pub kind: Provider,
    pub issuer: &'a Issuer,
    /// The kind that `provider` names.
    pub named_provider: Option<Provider>,
    /// The kind that a short form stands for, and that form.
    pub shorthand: Option<(&'static str, Provider)>,
    /// `None` where the profile leaves it to us.
    pub redirect_host: Option<RedirectHost>,
    pub scopes: &'a [String],
    pub login_domain: Option<&'a SecureUrl>,
}

/// Each key whose value the provider cannot take, with what to write.
pub(in crate::config) fn find_conflicts(
    written: &ProviderSettings<'_>,
) -> Vec<(&'static str, ValueConflict)> {
    let all = [
        check_provider_name(written),
        check_issuer(written),
        check_redirect_host(written),
        check_scopes(written),
        check_login_domain(written),
    ];
    all.into_iter().flatten().collect()
}

type KeyConflict = Option<(&'static str, ValueConflict)>;

/// A custom domain may be anybody's, so `provider` is only contradicted by what is certain.
fn check_provider_name(written: &ProviderSettings<'_>) -> KeyConflict {
    let ProviderSettings { issuer, named_provider: named, shorthand: short, .. } = written;
    let named = (*named)?;
    let known = Provider::from_issuer(issuer);
    let (whose, kind) = match short {
        Some((key, kind)) => (format!("`{key}` is a form of"), *kind),
        None if known == Provider::Generic || named == Provider::Generic => return None,
        None => (format!("{} belongs to", issuer.url().authority()), known),
    };
    let word = kind.name();
    (named != kind).then(|| {
        let wrong = ValueConflict::new(
            format!("{whose} the provider \"{word}\""),
            format!("write `provider = \"{word}\"`, or leave `provider` out"),
        );
        ("provider", wrong)
    })
}

fn check_issuer(written: &ProviderSettings<'_>) -> KeyConflict {
    let wrong = issuer_format::check_issuer_format(written.kind, written.issuer)?;
    written.shorthand.is_none().then_some(("issuer", wrong))
}

fn check_redirect_host(written: &ProviderSettings<'_>) -> KeyConflict {
    let ProviderSpec { host, host_is_required: only, .. } = select_spec(written.kind);
    let refused =
        only && written.issuer.url().is_https() && written.redirect_host.is_some_and(|it| it != host);
    refused.then(|| {
        let rule = format!("{} takes plain http for localhost only", written.kind.name());
        (
            "redirect_host",
            ValueConflict::new(rule, "write `redirect_host = \"localhost\"`, and register that"),
        )
    })
}

fn check_scopes(written: &ProviderSettings<'_>) -> KeyConflict {
    let unknown = select_spec(written.kind).unknown_scopes;
    let (bad, good): (Vec<&str>, Vec<&str>) =
        written.scopes.iter().map(String::as_str).partition(|scope| unknown.contains(scope));
    let bad = bad.first()?;
    let list: Vec<String> = good.iter().map(|scope| format!("\"{scope}\"")).collect();
    let rule = format!(
        "{} knows no scope {bad} and would refuse them all; it gives refresh tokens without it",
        written.kind.name()
    );
    Some(("scopes", ValueConflict::new(rule, format!("write `scopes = [{}]`", list.join(", ")))))
}

fn check_login_domain(written: &ProviderSettings<'_>) -> KeyConflict {
    written.login_domain?;
    (written.kind != Provider::Cognito).then(|| {
        let rule = format!("the provider is \"{}\"", written.kind.name());
        (
            "cognito_domain",
            ValueConflict::new(rule, "leave it out, or write `cognito_user_pool_id` beside it"),
        )
    })
}

/// What can work and most likely shall not, each with its key.
pub(in crate::config) fn collect_warnings(profile: &Profile) -> Vec<(&'static str, String)> {
    let ProviderSpec { refresh_scope: renewal_scope, is_client_id: client_id, client_id_rule, .. } =
        select_spec(profile.provider);
    let mut found = Vec::new();
    let has = |scope: &str| profile.scopes.iter().any(|one| one == scope);
    if !profile.scopes.is_empty() && !has("openid") {
        found.push(("scopes", "lacks \"openid\", which is asked for all the same".to_owned()));
    }
    if let Some(scope) = renewal_scope.filter(|scope| !profile.scopes.is_empty() && !has(scope)) {
        found.push((
            "scopes",
            format!("lacks \"{scope}\": nothing can be renewed silently, and a browser opens each time"),
        ));
    }
    if !client_id(&profile.client_id) {
        found.push(("client_id", client_id_rule.to_owned()));
    }
    if profile.extra_params.get("prompt").is_some_and(|prompt| prompt == "none") {
        found.push((
            "extra_params",
            "prompt = \"none\" forbids the provider to ask anybody anything".to_owned(),
        ));
    }
    if let Some(crowd) = warn_open_tenant(profile) {
        found.push(crowd);
    }
    found
}

/// Whether people from anywhere could sign in.
fn warn_open_tenant(profile: &Profile) -> Option<(&'static str, String)> {
    /// The tenant of all personal accounts ("ID token claims reference", `tid`).
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    if profile.provider.fixed_issuer().is_some() && !profile.extra_params.contains_key("hd") {
        let line = "extra_params = { hd = \"acme.com\" }";
        return Some((
            "extra_params",
            format!("lacks hd: any Google account passes that the consent screen lets in; write `{line}`"),
        ));
    }
    let everybodys = profile.issuer.as_str().contains(PERSONAL);
    everybodys.then(|| ("issuer", "is the tenant of every personal Microsoft account".to_owned()))
}

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
    fn redirect_addresses_are_such_as_the_provider_lets_register() {
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
    fn a_scope_that_the_provider_would_refuse_is_an_error_with_the_list_that_will_do() {
        let scopes: Vec<String> = ["openid", "offline_access", "email"].map(str::to_owned).into();
        for (kind, address) in [(Provider::Google, GOOGLE), (Provider::Cognito, POOL)] {
            let issuer = issuer(address);
            let found = find_conflicts(&ProviderSettings { scopes: &scopes, ..written(kind, &issuer) });
            let [(key, wrong)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((*key, wrong.remedy.as_str()), ("scopes", "write `scopes = [\"openid\", \"email\"]`"));
        }
        let okta = issuer("https://acme.okta.com");
        assert_eq!(
            find_conflicts(&ProviderSettings { scopes: &scopes, ..written(Provider::Okta, &okta) }),
            []
        );
    }

    #[test]
    fn a_redirect_host_that_cannot_be_registered_is_an_error() {
        let pool = issuer(POOL);
        let with = |host| ProviderSettings { redirect_host: Some(host), ..written(Provider::Cognito, &pool) };
        assert_eq!(find_conflicts(&with(RedirectHost::LoopbackIp)).len(), 1);
        assert_eq!(find_conflicts(&with(RedirectHost::Localhost)), []);
    }

    #[test]
    fn what_only_smells_is_a_warning() {
        let mut profile = Profile {
            provider: Provider::Google,
            issuer: issuer(GOOGLE),
            client_id: "1-x.apps.googleusercontent.com".into(),
            extra_params: [("hd".to_owned(), "acme.com".to_owned())].into(),
            ..testing::profile()
        };
        assert_eq!(collect_warnings(&profile), []);
        profile.extra_params = [("prompt".to_owned(), "none".to_owned())].into();
        profile.client_id = "1-x".into();
        profile.scopes = vec!["email".into()];
        let keys: Vec<&str> = collect_warnings(&profile).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["scopes", "client_id", "extra_params", "extra_params"]);
        profile.provider = Provider::Okta;
        assert!(collect_warnings(&profile).iter().any(|(_, said)| said.contains("offline_access")));
    }

    #[test]
    fn the_tenant_of_all_personal_accounts_smells() {
        let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
        let profile = Profile {
            provider: Provider::Entra,
            issuer: issuer(&format!("https://login.microsoftonline.com/{tenant}/v2.0")),
            client_id: tenant.into(),
            ..testing::profile()
        };
        assert_eq!(collect_warnings(&profile).len(), 1);
    }
}
