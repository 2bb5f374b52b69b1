//! Guesses the issuer from what a user enters in the wizard: a domain, a tenant ID, a user pool ID or an address.
//!
//! A guess proves nothing. The caller must fetch the discovery document of each guess, and take the issuer that the
//! document itself names.

use super::provider::{build_pool_issuer, is_guid};

/// The possible issuers, in the order in which to try them. Empty if the text cannot be any of the known forms.
pub fn guess_issuers(said: &str) -> Vec<String> {
    let said = said.trim().trim_end_matches("/.well-known/openid-configuration");
    if said.is_empty() || said.contains(char::is_whitespace) {
        return Vec::new();
    }
    if is_guid(said) {
        return vec![format!("https://login.microsoftonline.com/{said}/v2.0")];
    }
    if let Some(issuer) = build_pool_issuer(said) {
        return vec![issuer];
    }
    let address = if said.contains("://") { said.to_owned() } else { format!("https://{said}") };
    // Some providers spell their issuer with a slash at the end, some without, and the spelling must match.

    let other = address.strip_suffix('/').map_or_else(|| format!("{address}/"), str::to_owned);
    let tenant = address.strip_prefix("https://").filter(|host| host.ends_with(".onmicrosoft.com"));
    let tenant = tenant.map(|tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    [address, other].into_iter().chain(tenant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_input_leads_to_possible_issuers() {
        for (said, first) in [
            ("acme.okta.com", "https://acme.okta.com"),
            (" https://acme.okta.com/oauth2/default ", "https://acme.okta.com/oauth2/default"),
            ("https://sso.acme.example/.well-known/openid-configuration", "https://sso.acme.example"),
            ("eu-west-1_AbC123", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"),
            ("cn-north-1_AbC123", "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC123"),
            (
                "72f988bf-86f1-41af-91ab-2d7cd011db47",
                "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            ),
        ] {
            assert_eq!(guess_issuers(said)[0], first);
        }
        assert_eq!(guess_issuers("acme.auth0.com"), ["https://acme.auth0.com", "https://acme.auth0.com/"]);
        assert!(
            guess_issuers("acme.onmicrosoft.com")
                .contains(&"https://login.microsoftonline.com/acme.onmicrosoft.com/v2.0".into())
        );
        assert!(guess_issuers("").is_empty() && guess_issuers("two words").is_empty());
    }
}
