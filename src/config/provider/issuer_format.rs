//! How each kind of provider spells its issuer. For the usual mistakes the hint shows the correct line.
//!
//! The spelling must be exact, because the program and AWS compare it byte for byte with the `iss` of the ID token. The
//! other requirements of a provider are in `requirements`.

use crate::config::{Issuer, Partition, error::ValueConflict};

/// Entra's sign-in host outside the national clouds.
pub(super) const ENTRA_WORLDWIDE: &str = "login.microsoftonline.com";

/// Entra's sign-in hosts, each of a different cloud ("Microsoft Entra authentication and national clouds").
const ENTRA_HOSTS: [&str; 3] = [ENTRA_WORLDWIDE, "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// The hosts in the issuers of v1.0 tokens. These issuers end in a slash and have no `/v2.0`.
const ENTRA_V1_HOSTS: [&str; 2] = ["sts.windows.net", "sts.chinacloudapi.cn"];

/// An https issuer in two parts.
#[derive(Debug)]
pub(super) struct IssuerParts<'a> {
    pub host: &'a str,
    /// Everything after the host, as written.
    pub path: &'a str,
    /// The domains of the provider (see `ProviderSpec::domains`).
    pub domains: &'static [&'static str],
}

impl IssuerParts<'_> {
    /// The conflict if the issuer is not spelled exactly like `right`, which then becomes the hint.
    fn require_spelling(&self, right: &str, rule: &str) -> Option<ValueConflict> {
        let is_right = right == format!("https://{}{}", self.host, self.path);
        (!is_right).then(|| ValueConflict::suggest_issuer(rule, right))
    }
}

/// An org authorization server has the bare domain as its issuer. A custom one has `/oauth2/ID`.
pub(super) fn check_okta(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    let IssuerParts { host, path: tail, domains } = parts;
    let (first, domain) = host.split_once('.').unwrap_or((host, ""));
    let is_of_okta = domains.iter().any(|own| is_domain_or_below(domain, own));
    if let Some(name) = first.strip_suffix("-admin").filter(|_| is_of_okta) {
        let remedy = format!("write `issuer = \"https://{name}.{domain}\"`, or `okta_domain = \"{name}.{domain}\"`");
        return Some(ValueConflict::new("this is the address of Okta's Admin Console", remedy));
    }
    let server = tail.strip_prefix("/oauth2/").unwrap_or_default();
    let id = server.split('/').next().filter(|id| !id.is_empty() && *id != "v1");
    let right = id.map_or_else(|| format!("https://{host}"), |id| format!("https://{host}/oauth2/{id}"));
    parts.require_spelling(
        &right,
        "an Okta issuer is https://DOMAIN or https://DOMAIN/oauth2/ID, without a trailing slash",
    )
}

/// An issuer of Entra names one tenant by its GUID. Tokens never name it differently, so neither a domain name nor one
/// of the multi-tenant addresses can be an issuer.
pub(super) fn check_entra(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    let IssuerParts { host, path: tail, domains: _ } = parts;
    let host = host.to_ascii_lowercase();
    let tenant = tail.split('/').nth(1).unwrap_or_default().to_ascii_lowercase();
    let is_v1 = ENTRA_V1_HOSTS.contains(&host.as_str());
    let is_external = is_domain_or_below(&host, "ciamlogin.com");
    if !is_v1 && !is_external && !ENTRA_HOSTS.contains(&host.as_str()) {
        return Some(ValueConflict::new("this is not a sign-in host of Microsoft Entra ID", ENTRA_TENANT));
    }
    if ["common", "organizations", "consumers"].contains(&tenant.as_str()) {
        return Some(ValueConflict::new(
            "it means every tenant, but each token names the user's own tenant as its issuer",
            ENTRA_TENANT,
        ));
    }
    if !is_guid(&tenant) {
        return Some(ValueConflict::new("tokens contain the tenant's ID, never its domain name", ENTRA_TENANT));
    }
    let right = match () {
        () if is_v1 => format!("https://{host}/{tenant}/"),
        // The issuer of an external tenant contains the GUID in the host too, even if users sign in under its name.
        () if is_external => format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0"),
        () => format!("https://{host}/{tenant}/v2.0"),
    };
    parts.require_spelling(&right, "this is not exactly how Entra spells its issuer")
}

const ENTRA_TENANT: &str =
    "write `entra_tenant = \"…\"` with the \"Directory (tenant) ID\" from the app registration's overview";

/// The tenant in an issuer of Entra. `None` for an external tenant, whose users register themselves, so that belonging
/// to it says nothing about their addresses.
pub(super) fn find_entra_tenant(issuer: &Issuer) -> Option<&str> {
    let url = issuer.url().as_url();
    let is_external = url.host_str().is_some_and(|host| is_domain_or_below(host, "ciamlogin.com"));
    let tenant = url.path().split('/').nth(1).filter(|tenant| is_guid(tenant));
    tenant.filter(|_| !is_external)
}

/// Auth0's issuers always end in a slash (Auth0, "OpenID Connect discovery").
pub(super) fn check_auth0(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    let right = format!("https://{}/", parts.host);
    parts.require_spelling(&right, "an Auth0 issuer is https://DOMAIN/, with the trailing slash")
}

/// The issuer of a user pool follows from the pool's ID, which begins with its region.
pub(super) fn check_cognito(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    let IssuerParts { host, path: tail, domains: _ } = parts;
    if !is_cognito_host(host) {
        return Some(ValueConflict::new(
            "this is the domain of Cognito's sign-in pages, not the issuer",
            format!("{WRITE_POOL}, and `cognito_domain = \"{host}\"`"),
        ));
    }
    let pool = tail.strip_prefix('/').unwrap_or_default();
    let pool = pool.split('/').next().unwrap_or_default();
    let (region, _) = pool.split_once('_').unwrap_or_default();
    if region.is_empty() {
        return Some(ValueConflict::new("it does not end in a user pool ID", WRITE_POOL));
    }
    // The correction changes as little as possible: a FIPS host stays a FIPS host, and the domain changes only if the
    // region belongs to another partition.
    let mut labels = host.splitn(3, '.');
    let (service, domain) = (labels.next().unwrap_or_default(), labels.nth(1).unwrap_or_default());
    let partition = Partition::from_region(region);
    let is_same_partition = Partition::from_host(host).is_some_and(|found| found.name == partition.name);
    let domain = if is_same_partition { domain } else { partition.domain };
    let right = format!("https://{service}.{region}.{domain}/{pool}");
    parts.require_spelling(&right, "the region must be that of the user pool ID, without a trailing slash")
}

const WRITE_POOL: &str = "write `cognito_user_pool_id = \"REGION_ID\"` in place of `issuer`";

/// All accounts of Google have the same issuer.
pub(super) fn check_google(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    parts.require_spelling("https://accounts.google.com", "Google has only one issuer")
}

/// The issuer of a tenant that the configuration of AWS's guidance sample names: by its ID, by a host and an ID, or by
/// a domain.
pub(super) fn build_entra_issuer(domain: &str) -> String {
    let domain = domain.trim_end_matches("/v2.0");
    match domain.contains('/') {
        true => format!("https://{domain}/v2.0"),
        false if domain.contains('.') => format!("https://{domain}"),
        false => format!("https://{ENTRA_WORLDWIDE}/{domain}/v2.0"),
    }
}

/// Whether the host is an endpoint of Cognito user pools, such as `cognito-idp.eu-west-1.amazonaws.com`, in any
/// partition.
pub(super) fn is_cognito_host(host: &str) -> bool {
    ["cognito-idp.", "cognito-idp-fips."].iter().any(|service| host.starts_with(service))
        && Partition::from_host(host).is_some()
}

/// Whether the host is the domain or a subdomain of it. A host that only ends in the same letters is neither.
pub(super) fn is_domain_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the text is a GUID: 8-4-4-4-12 hexadecimal digits.
pub(in crate::config) fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Issuer, Provider, provider::requirements::check_issuer_format};

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    fn judged(issuer: &str) -> Option<ValueConflict> {
        let issuer = Issuer::parse(issuer).unwrap();
        check_issuer_format(issuer.provider(), &issuer)
    }

    #[test]
    fn correctly_spelled_issuer_has_no_conflict() {
        for good in [
            "https://acme.okta.com",
            "https://acme.okta.com/oauth2/default",
            "https://acme.okta-gov.com/oauth2/aus1",
            "https://acme.eu.auth0.com/",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
            "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC",
            "https://accounts.google.com",
            "https://sso.acme.example/realms/acme",
            "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
            "https://login.microsoftonline.us/11111111-2222-3333-4444-555555555555/v2.0",
            "https://login.partner.microsoftonline.cn/11111111-2222-3333-4444-555555555555/v2.0",
            "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
            "https://11111111-2222-3333-4444-555555555555.ciamlogin.com/11111111-2222-3333-4444-555555555555/v2.0",
        ] {
            assert_eq!(judged(good), None, "{good}");
        }
    }

    #[test]
    fn misspelled_issuer_gets_the_correct_line_as_remedy() {
        let v2 = format!("`issuer = \"https://login.microsoftonline.com/{TENANT}/v2.0\"`");
        let external = format!("`issuer = \"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0\"`");
        for (written, line) in [
            ("https://acme.okta.com/", "`issuer = \"https://acme.okta.com\"`"),
            ("https://acme-admin.okta.com", "`issuer = \"https://acme.okta.com\"`"),
            ("https://acme-admin.oktapreview.com/", "`issuer = \"https://acme.oktapreview.com\"`"),
            ("https://acme.okta.com/oauth2/v1/authorize", "`issuer = \"https://acme.okta.com\"`"),
            ("https://acme.okta.com/oauth2/default/", "`issuer = \"https://acme.okta.com/oauth2/default\"`"),
            ("https://acme.okta.com/.well-known/openid-configuration", "`issuer = \"https://acme.okta.com\"`"),
            ("https://acme.auth0.com", "`issuer = \"https://acme.auth0.com/\"`"),
            ("https://acme.auth0.com/authorize", "`issuer = \"https://acme.auth0.com/\"`"),
            ("https://acme.auth0.com/.well-known/openid-configuration", "`issuer = \"https://acme.auth0.com/\"`"),
            (
                "https://sso.acme.example/realms/a/.well-known/openid-configuration",
                "`issuer = \"https://sso.acme.example/realms/a\"`",
            ),
            (
                "https://acme.auth.eu-west-1.amazoncognito.com",
                "`cognito_domain = \"acme.auth.eu-west-1.amazoncognito.com\"`",
            ),
            ("https://acme.auth-fips.us-gov-west-1.amazoncognito.com", "`cognito_user_pool_id = "),
            (
                "https://cognito-idp.us-east-1.amazonaws.com/eu-west-1_AbC",
                "`issuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC\"`",
            ),
            (
                "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC/",
                "`issuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC\"`",
            ),
            (
                "https://cognito-idp.us-east-1.amazonaws.com/cn-north-1_AbC",
                "`issuer = \"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC\"`",
            ),
            (
                "https://cognito-idp-fips.us-gov-west-1.amazonaws.com/us-gov-east-1_AbC",
                "`issuer = \"https://cognito-idp-fips.us-gov-east-1.amazonaws.com/us-gov-east-1_AbC\"`",
            ),
            ("https://cognito-idp.eu-west-1.amazonaws.com", "`cognito_user_pool_id = "),
            ("https://accounts.google.com/", "`issuer = \"https://accounts.google.com\"`"),
            ("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555", &v2),
            ("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0/", &v2),
            ("https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token", &v2),
            ("https://acme.ciamlogin.com/11111111-2222-3333-4444-555555555555/v2.0", &external),
            (
                "https://sts.windows.net/11111111-2222-3333-4444-555555555555",
                "`issuer = \"https://sts.windows.net/11111111-2222-3333-4444-555555555555/\"`",
            ),
        ] {
            let wrong = judged(written).unwrap_or_else(|| panic!("{written} passes"));
            assert!(wrong.remedy.contains(line), "{written}: {wrong:?}");
        }
    }

    #[test]
    fn multi_tenant_issuer_is_rejected_with_the_reason() {
        for tenant in ["common", "organizations", "consumers", "Common"] {
            let wrong = judged(&format!("https://login.microsoftonline.com/{tenant}/v2.0")).unwrap();
            assert!(wrong.rule.contains("every tenant"), "{wrong:?}");
            assert!(wrong.remedy.contains("Directory (tenant) ID"), "{wrong:?}");
        }
        let wrong = judged("https://login.microsoftonline.com/acme.onmicrosoft.com/v2.0").unwrap();
        assert!(wrong.rule.contains("never its domain name"), "{wrong:?}");
    }

    #[test]
    fn issuer_on_loopback_is_not_checked() {
        let issuer = Issuer::parse("http://127.0.0.1:9/anything/").unwrap();
        for kind in [Provider::Okta, Provider::Entra, Provider::Auth0, Provider::Cognito, Provider::Google] {
            assert_eq!(check_issuer_format(kind, &issuer), None);
        }
    }
}
