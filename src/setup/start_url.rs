//! The start URL of an IAM Identity Center, as users copy it from a browser.

use crate::url::SecureUrl;

/// Removes what the access portal's page adds to the address: a fragment such as `#/?tab=accounts`, and the slash
/// before it.
pub fn normalize_start_url(text: &str) -> &str {
    match text.trim().split_once('#') {
        Some((address, _)) => address.strip_suffix('/').unwrap_or(address),
        None => text.trim(),
    }
}

/// The start URL, or the issuer URL of an Identity Center, that a user has typed. `None` for the address of anything
/// else, such as an OpenID provider. The scheme may be missing.
pub fn parse_start_url(answer: &str) -> Option<String> {
    let answer = normalize_start_url(answer);
    let address = if answer.contains("://") { answer.to_owned() } else { format!("https://{answer}") };
    let url = SecureUrl::parse(&address).ok()?;
    let host = url.as_url().host_str()?.to_ascii_lowercase();
    let is_portal = host.ends_with(".awsapps.com")
        || host.ends_with(".awsapps.cn")
        || host.contains(".portal.") && host.ends_with(".app.aws")
        || host == "identitycenter.amazonaws.com"
        || url.is_loopback() && url.as_url().path().ends_with("/start");
    is_portal.then_some(address)
}

/// The region that a start URL names, as in `https://ssoins-1234567890abcdef.portal.eu-central-1.app.aws`. The other
/// forms name none.
pub fn find_portal_region(start_url: &str) -> Option<&str> {
    let host = start_url.strip_prefix("https://")?.split('/').next()?;
    Some(host.strip_suffix(".app.aws")?.split_once(".portal.")?.1).filter(|region| !region.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_url_loses_the_fragment_of_the_portal_page() {
        for suffix in ["", "#", "/#", "/#/", "/#/?tab=accounts", " "] {
            let copied = format!("https://acme.awsapps.com/start{suffix}");
            assert_eq!(normalize_start_url(&copied), "https://acme.awsapps.com/start", "{copied}");
        }
        let issuer = "https://identitycenter.amazonaws.com/ssoins-1234567890abcdef/";
        assert_eq!(normalize_start_url(issuer), issuer);
    }

    #[test]
    fn start_url_differs_from_the_address_of_a_provider() {
        for answer in [
            "https://acme.awsapps.com/start",
            "https://start.us-gov-home.awsapps.com/directory/acme",
            "https://ssoins-1.portal.eu-central-1.app.aws",
            "https://identitycenter.amazonaws.com/ssoins-1234567890abcdef",
            "http://127.0.0.1:8123/start",
        ] {
            assert_eq!(parse_start_url(answer).as_deref(), Some(answer));
        }
        let typed = parse_start_url("acme.awsapps.com/start/#/");
        assert_eq!(typed.as_deref(), Some("https://acme.awsapps.com/start"));
        for answer in ["acme.okta.com", "https://awsapps.com", "http://127.0.0.1:8123", "", "https://example.com/start"]
        {
            assert_eq!(parse_start_url(answer), None, "{answer}");
        }
    }

    #[test]
    fn only_a_portal_address_names_its_region() {
        assert_eq!(find_portal_region("https://ssoins-1.portal.eu-central-1.app.aws"), Some("eu-central-1"));
        assert_eq!(find_portal_region("https://ssoins-1.portal.eu-central-1.app.aws/start"), Some("eu-central-1"));
        for other in ["https://acme.awsapps.com/start", "https://a.portal.b.c.app.aws", "https://portal.app.aws"] {
            assert_eq!(find_portal_region(other), None, "{other}");
        }
    }
}
