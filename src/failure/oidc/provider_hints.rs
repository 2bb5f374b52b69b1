//! The provider's error codes and what to do about each: first the vendor's own, which are exact, then the standard's.
//!
//! Vendors' codes stand in the text: `AADSTS…` is Microsoft Entra's. Sources: the vendors' error references and RFC 6749
//! §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6.

use crate::hint::{
    NextCommand,
    StaticHint::{self, Command, Text},
};

/// One line of what to do.
pub(super) fn find_hint(code: &str, description: &str) -> StaticHint {
    let said = format!("{code} ({description})");
    let vendor = VENDOR_HINTS.iter().find(|(mark, _)| contains_code(&said, mark));
    let standard = || STANDARD_HINTS.iter().find(|(error, _)| *error == code);
    vendor.or_else(standard).map_or(DEFAULT_HINT, |(_, hint)| *hint)
}

/// The advice on a code with a number of its own, which tells a wrong secret from an expired one.
pub(super) fn find_hint_by_number(said: &str) -> Option<StaticHint> {
    let numbered = VENDOR_HINTS.iter().filter(|(mark, _)| mark.starts_with("AADSTS"));
    numbered.filter(|(mark, _)| contains_code(said, mark)).map(|(_, advice)| *advice).next()
}

/// A number that goes on is another code: AADSTS500208 is not AADSTS50020.
fn contains_code(said: &str, mark: &str) -> bool {
    said.match_indices(mark).any(|(at, _)| {
        let next = said.get(at + mark.len()..).and_then(|rest| rest.bytes().next());
        !(mark.ends_with(|last: char| last.is_ascii_digit()) && next.is_some_and(|next| next.is_ascii_digit()))
    })
}

const DEFAULT_HINT: StaticHint = Text("ask the administrator of your identity provider, with the words above");

const CANCELLED_HINT: StaticHint =
    Command("the sign-in was broken off in the browser: run ", NextCommand::Login, " to begin again");

const REDIRECT_OF_PAGES: StaticHint = Text(
    "register the redirect address under \"Mobile and desktop applications\" instead of \"Single-page application\" in Entra",
);

const MORE_FACTORS: StaticHint =
    Command("multi-factor authentication is required: run ", NextCommand::Login, " and complete it in the browser");

const ASSIGN_IN_OKTA: StaticHint =
    Command("ask your Okta administrator to assign you to this application, then run ", NextCommand::Login, "");

const VENDOR_HINTS: &[(&str, StaticHint)] = &[
    (
        "AADSTS50011",
        Text(
            "register the redirect address `http://127.0.0.1/callback` (or `http://localhost/callback` with redirect_host = \"localhost\") under \"Mobile and desktop applications\" in Entra",
        ),
    ),
    (
        "AADSTS65001",
        Text("ask an Entra administrator to grant consent to this application (Enterprise applications > Permissions)"),
    ),
    ("AADSTS65004", Command("you declined the consent; run ", NextCommand::Login, " and accept it")),
    ("AADSTS50105", Text("ask an Entra administrator to assign you, or a group you are in, to this application")),
    ("AADSTS700016", Text("check `client_id` and the tenant in `issuer`: Entra knows no such application there")),
    (
        "AADSTS7000218",
        Text("in Entra, open the app registration > Authentication and set \"Allow public client flows\" to Yes"),
    ),
    ("AADSTS9002327", REDIRECT_OF_PAGES),
    ("AADSTS9002326", REDIRECT_OF_PAGES),
    ("AADSTS90002", Text("check the tenant in `issuer`: Entra does not know it")),
    ("AADSTS90094", Text("ask an Entra administrator to grant consent: your tenant lets only administrators consent")),
    (
        "AADSTS50194",
        Text("write `entra_tenant` with your own tenant: the application is registered for one tenant only"),
    ),
    (
        "AADSTS50034",
        Text("your account does not exist in this tenant: sign in with your work account, or check `entra_tenant`"),
    ),
    ("AADSTS700025", Text("the application is registered without a secret: write `client_auth = \"none\"`")),
    ("AADSTS7000215", Command("store the secret's value, not its ID, by ", NextCommand::LoginClientSecret, "")),
    (
        "AADSTS7000222",
        Command("the secret has expired: have a new one made in Entra, then run ", NextCommand::LoginClientSecret, ""),
    ),
    (
        "AADSTS700027",
        Text(
            "upload the certificate of `client_certificate` in Entra, under Certificates & secrets of the application",
        ),
    ),
    ("AADSTS700024", Text("set this computer's clock (better: let it follow network time), then try again")),
    ("AADSTS53000", Text("your device does not comply with the conditional access policy: enrol it, or use another")),
    ("AADSTS53001", Text("a conditional access policy wants a device that is joined to the domain")),
    (
        "AADSTS530003",
        Text("a conditional access policy wants a device that is managed: use the browser of a managed device"),
    ),
    ("AADSTS50158", MORE_FACTORS),
    ("AADSTS50079", MORE_FACTORS),
    (
        "AADSTS50020",
        Text("your account is not in this tenant: sign in with your work account, or ask to be invited as a guest"),
    ),
    (
        "AADSTS53003",
        Text(
            "a conditional access policy refused this sign-in: use a compliant device or network, or ask your administrator",
        ),
    ),
    ("AADSTS50076", MORE_FACTORS),
    ("AADSTS70011", Text("check `scopes`: Entra does not know one of them")),
    (
        "Callback URL mismatch",
        Text("add the redirect address to \"Allowed Callback URLs\" of the Auth0 application, port included"),
    ),
    (
        "redirect_uri' parameter must be",
        Text("add the redirect address to \"Sign-in redirect URIs\" of the Okta application, exactly as it is used"),
    ),
    ("User is not assigned", ASSIGN_IN_OKTA),
    ("user is not assigned", ASSIGN_IN_OKTA),
    (
        "Policy evaluation failed",
        Text(
            "ask your Okta administrator to add this application, or you, to an access policy of the authorization server",
        ),
    ),
    (
        "not configured for the authorization server resource",
        Text("check `scopes`: the Okta authorization server has to list each of them under Scopes"),
    ),
    (
        "client authentication failed",
        Text(
            "check `client_id`; in Okta the application's Client authentication has to be None, or else set `client_auth`",
        ),
    ),
    (
        "access_denied (Unauthorized)",
        Text(
            "make the Auth0 application one of the type Native, or set `client_auth` to how its Credentials say it authenticates",
        ),
    ),
    (
        "Service not found",
        Text("check `audience` in `extra_params`: it has to be the Identifier of an API that Auth0 knows"),
    ),
    (
        "Grant type 'refresh_token' not allowed",
        Text("switch on the Refresh Token grant of the Auth0 application (Settings > Advanced Settings > Grant Types)"),
    ),
    (
        "parameter organization is required",
        Text("add `extra_params = { organization = \"org_…\" }`, as Auth0 demands it"),
    ),
    ("user is blocked", Text("ask your Auth0 administrator to unblock you")),
    (
        "invalid_client_secret",
        Text(
            "the Cognito app client has a secret: make one without (Public client), or write `client_auth = \"secret\"`",
        ),
    ),
    ("User is disabled", Text("ask your AWS administrator to enable you in the Cognito user pool")),
    (
        "client_secret is missing",
        Command("Google's desktop applications have a secret: store it with ", NextCommand::LoginClientSecret, ""),
    ),
    (
        "org_internal",
        Text(
            "sign in with an account of your organization: the Google application is for it alone (Audience: Internal)",
        ),
    ),
    (
        "admin_policy_enforced",
        Text(
            "ask your Google Workspace administrator to trust this application (Security > API controls > App access control)",
        ),
    ),
    ("deleted_client", Text("check `client_id`: Google has deleted this client")),
    (
        "redirect_mismatch",
        Text("add the redirect address to \"Allowed callback URLs\" of the Cognito app client, exactly as it is used"),
    ),
    (
        "redirect_uri_mismatch",
        Text("use an OAuth client of type \"Desktop app\", or register the redirect address exactly as it is used"),
    ),
    (
        "redirect_uri",
        Text("register the redirect address of this program with the provider, and list its port in `redirect_ports`"),
    ),
    ("abort", CANCELLED_HINT),
    ("cancel", CANCELLED_HINT),
];

const STANDARD_HINTS: &[(&str, StaticHint)] = &[
    (
        "access_denied",
        Command("ask your administrator to assign you to this application, then run ", NextCommand::Login, ""),
    ),
    (
        "consent_required",
        Command(
            "run ",
            NextCommand::Login,
            " and accept the consent, or ask your administrator to grant it for everybody",
        ),
    ),
    ("interaction_required", Command("run ", NextCommand::Login, "; the provider needs you to act in the browser")),
    (
        "invalid_client",
        Text("check `client_id`, and that the application is registered as a public (native) client without a secret"),
    ),
    ("invalid_grant", Command("the answer was used or too old: run ", NextCommand::Login, "")),
    ("invalid_request", Text("check `extra_params` and the redirect address that the provider has registered")),
    ("invalid_scope", Text("check `scopes`: the provider does not allow one of them to this application")),
    ("login_required", Command("run ", NextCommand::Login, "")),
    ("server_error", Text("the provider has a fault of its own: try again in a moment")),
    ("temporarily_unavailable", Text("the provider is overloaded or under maintenance: try again in a moment")),
    ("unauthorized_client", Text("allow the application the authorization code and refresh token grants")),
    ("unsupported_response_type", Text("allow the application the authorization code grant")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::{Hint, Invocation};

    fn render(hint: StaticHint) -> String {
        Hint::from(hint).render(&Invocation::default())
    }

    #[test]
    fn a_vendors_code_outranks_the_standards() {
        let known =
            ["50011", "65001", "50105", "50020", "700016", "7000218", "7000215", "9002327", "90094", "53003", "50076"];
        let mut said: Vec<String> =
            known.map(|code| render(find_hint("invalid_client", &format!("AADSTS{code}: something")))).to_vec();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), known.len(), "each has its own");
        assert!(!said.contains(&render(find_hint("invalid_client", ""))));
    }

    #[test]
    fn a_longer_number_is_another_code() {
        let of = |code: &str| find_hint("invalid_client", &format!("AADSTS{code}: something"));
        assert_ne!(of("50020"), of("500208"));
        assert_eq!(of("500208"), of("1"));
        assert_ne!(of("53000"), of("530003"));
    }

    #[test]
    fn a_proof_that_is_not_believed_is_judged_by_the_number_alone() {
        assert_eq!(
            find_hint_by_number("invalid_client (AADSTS7000222: expired)"),
            Some(find_hint("", "AADSTS7000222"))
        );
        assert_eq!(find_hint_by_number("invalid_client (AADSTS7000240: new)"), None, "it is not AADSTS700024");
        assert_eq!(find_hint_by_number("invalid_client (client authentication failed)"), None);
    }

    #[test]
    fn the_common_refusals_of_each_provider_have_advice_of_their_own() {
        for (code, description, word) in [
            ("access_denied", "User is not assigned to the client application.", "assign you"),
            ("access_denied", "Policy evaluation failed for this request, please check the policy", "access policy"),
            (
                "invalid_scope",
                "One or more scopes are not configured for the authorization server resource.",
                "under Scopes",
            ),
            ("invalid_request", "The 'redirect_uri' parameter must be a Login redirect URI", "Sign-in redirect"),
            ("access_denied", "Unauthorized", "type Native"),
            ("access_denied", "Service not found: https://api.acme.example", "`audience`"),
            ("invalid_request", "parameter organization is required for this client", "`extra_params ="),
            ("unauthorized_client", "Callback URL mismatch. http://127.0.0.1:8400/callback", "Allowed Callback URLs"),
            ("invalid_client", "invalid_client_secret", "Public client"),
            ("redirect_mismatch", "", "Allowed callback URLs"),
            ("invalid_request", "client_secret is missing.", "--client-secret-stdin"),
            ("org_internal", "", "organization"),
            ("admin_policy_enforced", "", "API controls"),
            ("consent_required", "", "accept the consent"),
            ("interaction_required", "", "bedrock-sso login"),
        ] {
            let said = render(find_hint(code, description));
            assert!(said.contains(word), "{code} ({description}): {said}");
        }
        assert!(!render(find_hint("access_denied", "Unauthorized for this")).contains("Native"));
    }

    #[test]
    fn who_broke_off_is_not_sent_to_an_administrator() {
        assert_eq!(find_hint("access_denied", "End-User aborted interaction"), CANCELLED_HINT);
    }

    #[test]
    fn what_nobody_has_heard_of_still_gets_a_line() {
        assert_eq!(find_hint("weird", "\u{1b}"), DEFAULT_HINT);
    }

    #[test]
    fn every_advice_is_one_line() {
        for (_, hint) in VENDOR_HINTS.iter().chain(STANDARD_HINTS) {
            let advice = render(*hint);
            assert!(!advice.contains('\n') && !advice.ends_with('.'), "{advice}");
        }
    }
}
