//! The short forms of the issuer: a domain, a tenant ID or a user pool ID, as the provider's console shows it.
//!
//! Users copy such a value more reliably than an issuer, whose spelling must be exact. This file expands one short
//! form; `issuer` checks that several keys do not name different issuers.

use super::issuer_format::{ENTRA_WORLDWIDE, is_guid};
use crate::{
    config::{Partition, error::ValueConflict, key::TypedKey, keys, partition::is_region},
    url::SecureUrl,
};

/// A key that names an issuer in short form, and a second key that can complete it.
#[derive(Debug)]
pub(in crate::config) struct IssuerShorthand {
    pub key: &'static TypedKey<String>,
    pub companion_key: Option<&'static TypedKey<String>>,
    /// Expands the values of the two keys into the issuer. The second value is empty if its key is not set.
    pub expand: fn(&str, &str) -> Result<String, ValueConflict>,
}

/// The org authorization server is the domain itself, a custom one is `/oauth2/ID` below it (Okta, "Authorization
/// servers").
pub(super) fn expand_okta(domain: &str, server: &str) -> Result<String, ValueConflict> {
    let host = parse_bare_domain(&keys::OKTA_DOMAIN, domain, "acme.okta.com")?;
    if server.is_empty() {
        return Ok(format!("https://{host}"));
    }
    if server.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(format!("https://{host}/oauth2/{server}"));
    }
    Err(ValueConflict::new(
        "okta_auth_server is not the ID of an authorization server",
        "write `okta_auth_server = \"default\"`, or the ID that Okta shows under Security > API",
    ))
}

/// The tenant ID, preceded by the sign-in host and a slash for a national cloud. An external tenant is written with its
/// host. The result is checked like any issuer, so this function accepts every text.
pub(super) fn expand_entra(tenant: &str, _: &str) -> Result<String, ValueConflict> {
    let (host, tenant) = tenant.split_once('/').unwrap_or((ENTRA_WORLDWIDE, tenant));
    let tenant = tenant.to_ascii_lowercase();
    if let Some(id) = tenant.strip_suffix(".ciamlogin.com").filter(|id| is_guid(id)) {
        return Ok(format!("https://{tenant}/{id}/v2.0"));
    }
    Ok(format!("https://{}/{tenant}/v2.0", host.to_ascii_lowercase()))
}

/// The trailing slash is Auth0's own spelling (Auth0, "OpenID Connect discovery").
pub(super) fn expand_auth0(domain: &str, _: &str) -> Result<String, ValueConflict> {
    Ok(format!("https://{}/", parse_bare_domain(&keys::AUTH0_DOMAIN, domain, "acme.eu.auth0.com")?))
}

/// The user pool ID, which contains the region.
pub(super) fn expand_cognito(pool: &str, _: &str) -> Result<String, ValueConflict> {
    build_pool_issuer(pool).ok_or_else(|| {
        ValueConflict::new(
            "this is not a user pool ID",
            "write the \"User pool ID\" from the pool's overview, such as `cognito_user_pool_id = \"eu-west-1_AbCd12345\"`",
        )
    })
}

/// The issuer of a user pool, whose ID begins with its region (Amazon Cognito, "User pool endpoints"). `None` if the
/// text is not a user pool ID.
pub fn build_pool_issuer(pool: &str) -> Option<String> {
    let (region, name) = pool.split_once('_')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let domain = Partition::from_region(region).domain;
    (is_region(region) && is_name).then(|| format!("https://cognito-idp.{region}.{domain}/{pool}"))
}

/// The domain of Cognito's sign-in pages: a custom domain, or a prefix below AWS's domain. A URL is accepted too,
/// because the console shows one.
pub(in crate::config) fn parse_login_domain(text: &str) -> Result<SecureUrl, ValueConflict> {
    let address = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match SecureUrl::parse(&address) {
        Ok(url) if url.as_url().path() == "/" && url.as_url().query().is_none() && text.contains(['.', ':']) => Ok(url),
        _ => Err(ValueConflict::new(
            "this is not the domain of a user pool",
            "write the domain that the pool shows under Branding > Domain, such as `cognito_domain = \"acme.auth.eu-west-1.amazoncognito.com\"`",
        )),
    }
}

/// Parses a bare domain. A scheme in front and a slash at the end are dropped, because an address bar adds them when
/// the user copies the domain.
fn parse_bare_domain(key: &TypedKey<String>, text: &str, example: &str) -> Result<String, ValueConflict> {
    let bare = text.strip_prefix("https://").unwrap_or(text);
    let bare = bare.strip_suffix('/').unwrap_or(bare).to_ascii_lowercase();
    let host = bare.split('/').next().unwrap_or_default();
    let parsed = SecureUrl::parse(&format!("https://{host}"));
    let is_domain = host.contains('.') && parsed.is_ok_and(|url| url.authority() == host);
    match (is_domain, bare.strip_prefix(&format!("{host}/oauth2/"))) {
        (true, None) if bare == host => Ok(bare),
        (true, Some(server)) if key.name == keys::OKTA_DOMAIN.name => Err(ValueConflict::new(
            "a domain must not have a path",
            format!("write `okta_domain = \"{host}\"` and `okta_auth_server = \"{server}\"`"),
        )),
        (true, _) => {
            Err(ValueConflict::new("a domain must not have a path", format!("write `{} = \"{host}\"`", key.name)))
        }
        (false, _) => Err(ValueConflict::new(
            "this is not a domain",
            format!("write one, such as `{} = \"{example}\"`", key.name),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::provider::{Provider, build_shorthand_issuer};

    fn spelt(key: &str, value: &str, beside: &str) -> Result<String, ValueConflict> {
        let mut forms = Provider::all().filter_map(|kind| Some((kind, kind.spec().shorthand.as_ref()?)));
        let (kind, form) = forms.find(|(_, form)| form.key.name == key).unwrap();
        build_shorthand_issuer(kind, form, value, beside).map(|issuer| issuer.as_str().to_owned())
    }

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn shorthand_expands_to_the_issuer_of_its_provider() {
        for (key, value, beside, issuer) in [
            ("okta_domain", "acme.okta.com", "", "https://acme.okta.com"),
            ("okta_domain", "https://acme.okta.com/", "", "https://acme.okta.com"),
            ("okta_domain", "acme.okta-gov.com", "", "https://acme.okta-gov.com"),
            ("okta_domain", "acme.okta.mil", "", "https://acme.okta.mil"),
            ("okta_domain", "login.acme.example", "default", "https://login.acme.example/oauth2/default"),
            ("okta_domain", "acme.okta.com", "aus1a2B3c", "https://acme.okta.com/oauth2/aus1a2B3c"),
            ("auth0_domain", "acme.eu.auth0.com", "", "https://acme.eu.auth0.com/"),
            ("auth0_domain", "login.acme.example", "", "https://login.acme.example/"),
            (
                "cognito_user_pool_id",
                "eu-west-1_AbC123",
                "",
                "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123",
            ),
            (
                "cognito_user_pool_id",
                "us-gov-west-1_AbC123",
                "",
                "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC123",
            ),
            (
                "cognito_user_pool_id",
                "cn-north-1_AbC123",
                "",
                "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC123",
            ),
            (
                "cognito_user_pool_id",
                "us-iso-east-1_AbC123",
                "",
                "https://cognito-idp.us-iso-east-1.c2s.ic.gov/us-iso-east-1_AbC123",
            ),
        ] {
            assert_eq!(spelt(key, value, beside).unwrap(), issuer, "{key} = {value}");
        }
    }

    #[test]
    fn entra_tenant_of_each_cloud_expands_to_its_issuer() {
        for (value, issuer) in [
            (TENANT.to_owned(), format!("https://login.microsoftonline.com/{TENANT}/v2.0")),
            (format!("login.microsoftonline.us/{TENANT}"), format!("https://login.microsoftonline.us/{TENANT}/v2.0")),
            (
                format!("login.partner.microsoftonline.cn/{TENANT}"),
                format!("https://login.partner.microsoftonline.cn/{TENANT}/v2.0"),
            ),
            (format!("{TENANT}.ciamlogin.com"), format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0")),
            (
                "ABCDEF00-2222-3333-4444-555555555555".into(),
                "https://login.microsoftonline.com/abcdef00-2222-3333-4444-555555555555/v2.0".into(),
            ),
        ] {
            assert_eq!(spelt("entra_tenant", &value, "").unwrap(), issuer);
        }
    }

    #[test]
    fn illegal_shorthand_gets_the_correct_line_as_remedy() {
        for (key, value, beside, word) in [
            ("okta_domain", "acme", "", "`okta_domain = \"acme.okta.com\"`"),
            ("okta_domain", "acme-admin.okta.com", "", "`okta_domain = \"acme.okta.com\"`"),
            ("okta_domain", "acme.okta.com/oauth2/aus1", "", "`okta_auth_server = \"aus1\"`"),
            ("okta_domain", "acme.okta.com", "a/b", "`okta_auth_server = \"default\"`"),
            ("okta_domain", "user@acme.okta.com", "", "`okta_domain = \"acme.okta.com\"`"),
            ("entra_tenant", "common", "", "`entra_tenant = "),
            ("entra_tenant", "acme.onmicrosoft.com", "", "Directory (tenant) ID"),
            ("entra_tenant", "evil.example/11111111-2222-3333-4444-555555555555", "", "Directory (tenant) ID"),
            ("auth0_domain", "acme.eu.auth0.com/authorize", "", "`auth0_domain = \"acme.eu.auth0.com\"`"),
            ("cognito_user_pool_id", "acme", "", "eu-west-1_"),
            ("cognito_user_pool_id", "eu-west-1_a/../b", "", "eu-west-1_"),
        ] {
            let wrong = spelt(key, value, beside).unwrap_err();
            assert!(wrong.remedy.contains(word), "{key} = {value}: {wrong:?}");
        }
    }

    #[test]
    fn login_domain_is_a_bare_domain_or_a_url() {
        for good in ["acme.auth.eu-west-1.amazoncognito.com", "https://login.acme.example", "http://127.0.0.1:8"] {
            assert!(parse_login_domain(good).is_ok(), "{good}");
        }
        for bad in ["acme", "http://login.acme.example", "login.acme.example/oauth2/authorize", "a.example?b", ""] {
            assert!(parse_login_domain(bad).is_err(), "{bad}");
        }
    }
}
