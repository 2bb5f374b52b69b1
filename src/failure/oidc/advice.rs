//! The provider's error codes and what to do about each: first the vendor's own, which are exact, then the standard's.
//!
//! Vendors' codes stand in the text: `AADSTS…` is Microsoft Entra's. Sources: the vendors' error references and RFC 6749
//! §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6.

/// One line of what to do.
pub(super) fn advice(code: &str, description: &str) -> String {
    let vendor = VENDORS.iter().find(|(mark, _)| description.contains(mark));
    let standard = || STANDARD.iter().find(|(error, _)| *error == code);
    vendor.or_else(standard).map_or(OTHERWISE, |(_, advice)| advice).to_owned()
}

const OTHERWISE: &str = "ask the administrator of your identity provider, with the words above";

const BROKEN_OFF: &str = "the sign-in was broken off in the browser: run `bedrock-sso login` to begin again";

const VENDORS: &[(&str, &str)] = &[
    (
        "AADSTS50011",
        "register the redirect address `http://127.0.0.1/callback` (or `http://localhost/callback` with redirect_host = \"localhost\") under \"Mobile and desktop applications\" in Entra",
    ),
    (
        "AADSTS65001",
        "ask an Entra administrator to grant consent to this application (Enterprise applications > Permissions)",
    ),
    ("AADSTS65004", "you declined the consent; run `bedrock-sso login` and accept it"),
    ("AADSTS50105", "ask an Entra administrator to assign you, or a group you are in, to this application"),
    ("AADSTS700016", "check `client_id` and the tenant in `issuer`: Entra knows no such application there"),
    (
        "AADSTS7000218",
        "in Entra, open the app registration > Authentication and set \"Allow public client flows\" to Yes",
    ),
    (
        "AADSTS9002327",
        "register the redirect address under \"Mobile and desktop applications\" instead of \"Single-page application\" in Entra",
    ),
    ("AADSTS90002", "check the tenant in `issuer`: Entra does not know it"),
    (
        "AADSTS50020",
        "your account is not in this tenant: sign in with your work account, or ask to be invited as a guest",
    ),
    (
        "AADSTS53003",
        "a conditional access policy refused this sign-in: use a compliant device or network, or ask your administrator",
    ),
    (
        "AADSTS50076",
        "multi-factor authentication is required: run `bedrock-sso login` and complete it in the browser",
    ),
    ("AADSTS70011", "check `scopes`: Entra does not know one of them"),
    (
        "Callback URL mismatch",
        "add the redirect address to \"Allowed Callback URLs\" of the Auth0 application, port included",
    ),
    (
        "redirect_uri' parameter must be",
        "add the redirect address to \"Sign-in redirect URIs\" of the Okta application, exactly as it is used",
    ),
    (
        "User is not assigned",
        "ask your Okta administrator to assign you to this application, then run `bedrock-sso login`",
    ),
    (
        "user is not assigned",
        "ask your Okta administrator to assign you to this application, then run `bedrock-sso login`",
    ),
    (
        "redirect_mismatch",
        "add the redirect address to \"Allowed callback URLs\" of the Cognito app client, exactly as it is used",
    ),
    (
        "redirect_uri_mismatch",
        "use an OAuth client of type \"Desktop app\", or register the redirect address exactly as it is used",
    ),
    (
        "redirect_uri",
        "register the redirect address of this program with the provider, and list its port in `redirect_ports`",
    ),
    ("abort", BROKEN_OFF),
    ("cancel", BROKEN_OFF),
];

const STANDARD: &[(&str, &str)] = &[
    (
        "access_denied",
        "ask your administrator to assign you to this application, then run `bedrock-sso login`",
    ),
    (
        "consent_required",
        "run `bedrock-sso login` and accept the consent, or ask your administrator to grant it for everybody",
    ),
    ("interaction_required", "run `bedrock-sso login`; the provider needs you to act in the browser"),
    (
        "invalid_client",
        "check `client_id`, and that the application is registered as a public (native) client without a secret",
    ),
    ("invalid_grant", "the answer was used or too old: run `bedrock-sso login`"),
    ("invalid_request", "check `extra_params` and the redirect address that the provider has registered"),
    ("invalid_scope", "check `scopes`: the provider does not allow one of them to this application"),
    ("login_required", "run `bedrock-sso login`"),
    (
        "redirect_uri_mismatch",
        "register the redirect address of this program with the provider, and list its port in `redirect_ports`",
    ),
    ("server_error", "the provider has a fault of its own: try again in a moment"),
    ("temporarily_unavailable", "the provider is overloaded or under maintenance: try again in a moment"),
    ("unauthorized_client", "allow the application the authorization code and refresh token grants"),
    ("unsupported_response_type", "allow the application the authorization code grant"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_code_outranks_the_standards() {
        let known = ["50011", "65001", "50105", "700016", "7000218", "9002327"];
        let mut said: Vec<String> =
            known.map(|code| advice("invalid_client", &format!("AADSTS{code}: something"))).to_vec();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), known.len(), "each has its own");
        assert!(!said.contains(&advice("invalid_client", "")));
    }

    #[test]
    fn who_broke_off_is_not_sent_to_an_administrator() {
        assert_eq!(advice("access_denied", "End-User aborted interaction"), BROKEN_OFF);
    }

    #[test]
    fn what_nobody_has_heard_of_still_gets_a_line() {
        assert_eq!(advice("weird", "\u{1b}"), OTHERWISE);
    }

    #[test]
    fn every_advice_is_one_line() {
        for (_, advice) in VENDORS.iter().chain(STANDARD) {
            assert!(!advice.contains('\n') && !advice.ends_with('.'), "{advice}");
        }
    }
}
