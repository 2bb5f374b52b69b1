//! Which issuers a person may mean who was asked for their company's sign-in: a domain, a tenant, a pool, an address.
//!
//! Guesses in the order in which to try them; only the provider's own description tells which is right.

/// None for what names nothing.
pub fn issuers(said: &str) -> Vec<String> {
    let said = said.trim().trim_end_matches("/.well-known/openid-configuration");
    if said.is_empty() || said.contains(char::is_whitespace) {
        return Vec::new();
    }
    if is_guid(said) {
        return vec![format!("https://login.microsoftonline.com/{said}/v2.0")];
    }
    if let Some(region) = pool_region(said) {
        return vec![format!("https://cognito-idp.{region}.amazonaws.com/{said}")];
    }
    let address = if said.contains("://") { said.to_owned() } else { format!("https://{said}") };
    // Some spell their issuer with a slash at the end, some without, and the spelling is part of the name.
    let other = address.strip_suffix('/').map_or_else(|| format!("{address}/"), str::to_owned);
    let tenant = address.strip_prefix("https://").filter(|host| host.ends_with(".onmicrosoft.com"));
    let tenant = tenant.map(|tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    [address, other].into_iter().chain(tenant).collect()
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// `eu-west-1` of `eu-west-1_AbCdEf123`.
fn pool_region(text: &str) -> Option<&str> {
    let (region, name) = text.split_once('_')?;
    let is_region = region.split('-').count() >= 3 && region.ends_with(|last: char| last.is_ascii_digit());
    (is_region && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_leads_to_issuers() {
        for (said, first) in [
            ("acme.okta.com", "https://acme.okta.com"),
            (" https://acme.okta.com/oauth2/default ", "https://acme.okta.com/oauth2/default"),
            ("https://sso.acme.example/.well-known/openid-configuration", "https://sso.acme.example"),
            ("eu-west-1_AbC123", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"),
            (
                "72f988bf-86f1-41af-91ab-2d7cd011db47",
                "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            ),
        ] {
            assert_eq!(issuers(said)[0], first);
        }
        assert_eq!(issuers("acme.auth0.com"), ["https://acme.auth0.com", "https://acme.auth0.com/"]);
        assert!(
            issuers("acme.onmicrosoft.com")
                .contains(&"https://login.microsoftonline.com/acme.onmicrosoft.com/v2.0".into())
        );
        assert!(issuers("").is_empty() && issuers("two words").is_empty());
    }
}
