//! The start URL of an IAM Identity Center, as users copy it from a browser.

/// Removes what the access portal's page adds to the address: a fragment such as `#/?tab=accounts`, and the slash
/// before it.
pub fn normalize_start_url(text: &str) -> &str {
    match text.trim().split_once('#') {
        Some((address, _)) => address.strip_suffix('/').unwrap_or(address),
        None => text.trim(),
    }
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
    fn only_a_portal_address_names_its_region() {
        assert_eq!(find_portal_region("https://ssoins-1.portal.eu-central-1.app.aws"), Some("eu-central-1"));
        assert_eq!(find_portal_region("https://ssoins-1.portal.eu-central-1.app.aws/start"), Some("eu-central-1"));
        for other in ["https://acme.awsapps.com/start", "https://a.portal.b.c.app.aws", "https://portal.app.aws"] {
            assert_eq!(find_portal_region(other), None, "{other}");
        }
    }
}
