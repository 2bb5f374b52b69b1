//! How each kind of provider spells its issuer, and how the usual misspellings are put right.
//!
//! It knows issuers only; what else a provider demands of a profile is in `requirements`.

use crate::config::{Partition, error::ValueConflict};

pub(super) const ENTRA_WORLDWIDE: &str = "login.microsoftonline.com";

/// Entra's sign-in hosts whose tokens name the tenant behind them ("Microsoft Entra authentication and national clouds").
const ENTRA_HOSTS: [&str; 3] = [ENTRA_WORLDWIDE, "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// Hosts of Entra's first version, whose issuers end in a slash.
const ENTRA_V1_HOSTS: [&str; 2] = ["sts.windows.net", "sts.chinacloudapi.cn"];

/// An issuer taken apart.
#[derive(Debug)]
pub(super) struct IssuerParts<'a> {
    pub host: &'a str,
    /// All behind the host, as written.
    pub path: &'a str,
    /// The domains of the provider.
    pub domains: &'static [&'static str],
}

impl IssuerParts<'_> {
    /// What is wrong with an issuer that is not spelt like this one.
    fn require_spelling(&self, right: &str, rule: &str) -> Option<ValueConflict> {
        let is_right = right == format!("https://{}{}", self.host, self.path);
        (!is_right).then(|| ValueConflict::suggest_issuer(rule, right))
    }
}

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
        // Tokens of an external tenant name it in the host too, whatever name it signs in under.
        () if is_external => format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0"),
        () => format!("https://{host}/{tenant}/v2.0"),
    };
    parts.require_spelling(&right, "this is not exactly how Entra spells its issuer")
}

const ENTRA_TENANT: &str =
    "write `entra_tenant = \"…\"` with the \"Directory (tenant) ID\" from the app registration's overview";

pub(super) fn check_auth0(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    let right = format!("https://{}/", parts.host);
    parts.require_spelling(&right, "an Auth0 issuer is https://DOMAIN/, with the trailing slash")
}

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
    // The service, FIPS or not, and the domain stay, unless the region is of another partition.
    let mut labels = host.splitn(3, '.');
    let (service, domain) = (labels.next().unwrap_or_default(), labels.nth(1).unwrap_or_default());
    let partition = Partition::from_region(region);
    let is_same_partition = Partition::from_host(host).is_some_and(|found| found.name == partition.name);
    let domain = if is_same_partition { domain } else { partition.domain };
    let right = format!("https://{service}.{region}.{domain}/{pool}");
    parts.require_spelling(&right, "the region must be that of the user pool ID, without a trailing slash")
}

const WRITE_POOL: &str = "write `cognito_user_pool_id = \"REGION_ID\"` in place of `issuer`";

pub(super) fn check_google(parts: &IssuerParts<'_>) -> Option<ValueConflict> {
    parts.require_spelling("https://accounts.google.com", "Google has only one issuer")
}

/// The issuer of a tenant, which the sample of AWS's guidance names by an identifier, a host and an identifier, or a domain.
pub(super) fn build_entra_issuer(domain: &str) -> String {
    let domain = domain.trim_end_matches("/v2.0");
    match domain.contains('/') {
        true => format!("https://{domain}/v2.0"),
        false if domain.contains('.') => format!("https://{domain}"),
        false => format!("https://{ENTRA_WORLDWIDE}/{domain}/v2.0"),
    }
}

/// `cognito-idp.eu-west-1.amazonaws.com`, and the same in AWS's other partitions.
pub(super) fn is_cognito_host(host: &str) -> bool {
    ["cognito-idp.", "cognito-idp-fips."].iter().any(|service| host.starts_with(service))
        && Partition::from_host(host).is_some()
}

pub(super) fn is_domain_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// 8-4-4-4-12 hexadecimal digits.
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
    fn an_issuer_as_its_provider_spells_it_is_left_alone() {
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
    fn the_usual_misspellings_are_answered_with_the_right_line() {
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
    fn a_tenant_that_stands_for_all_is_refused_with_the_reason() {
        for tenant in ["common", "organizations", "consumers", "Common"] {
            let wrong = judged(&format!("https://login.microsoftonline.com/{tenant}/v2.0")).unwrap();
            assert!(wrong.rule.contains("every tenant"), "{wrong:?}");
            assert!(wrong.remedy.contains("Directory (tenant) ID"), "{wrong:?}");
        }
        let wrong = judged("https://login.microsoftonline.com/acme.onmicrosoft.com/v2.0").unwrap();
        assert!(wrong.rule.contains("never its domain name"), "{wrong:?}");
    }

    #[test]
    fn what_stands_on_this_machine_is_not_judged() {
        let issuer = Issuer::parse("http://127.0.0.1:9/anything/").unwrap();
        for kind in [Provider::Okta, Provider::Entra, Provider::Auth0, Provider::Cognito, Provider::Google] {
            assert_eq!(check_issuer_format(kind, &issuer), None);
        }
    }
}
