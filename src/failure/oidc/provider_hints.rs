//! Hints for the error codes of providers: two tables, `vendor_hints.txt` and `standard_hints.txt`.
//!
//! A vendor's row is tried first. One code of RFC 6749 §5.2, such as `invalid_client`, covers a dozen mistakes, and the
//! vendor's own text in `error_description` (Entra: `AADSTS…`) says which of them it was. The standard's codes are
//! those of RFC 6749 §4.1.2.1 and §5.2 and of OpenID Connect Core §3.1.2.6; the vendors' come from their error
//! references.

use crate::hint::{Hint, NextCommand};

/// Rows by a text that the error response contains.
const VENDOR_HINTS: &str = include_str!("vendor_hints.txt");
/// Rows by the whole error code.
const STANDARD_HINTS: &str = include_str!("standard_hints.txt");
/// The hint for an error that no row covers. The message above it quotes the provider, which is what an administrator
/// needs.
const DEFAULT_HINT: &str = "show this message to the administrator of your identity provider";

/// The hint for an error response with this code and description; there is always one.
pub(super) fn find_hint(code: &str, description: &str) -> Hint {
    find_specific_hint(code, description).or_else(|| find_standard_hint(code)).unwrap_or(DEFAULT_HINT.into())
}

/// The hint for a code of the standards.
pub(super) fn find_standard_hint(code: &str) -> Option<Hint> {
    list_rows(STANDARD_HINTS).find(|(error, _)| *error == code).map(|(_, hint)| parse_hint(hint))
}

/// The hint for what this error response says beyond its standard code, if there is one.
pub(super) fn find_specific_hint(code: &str, description: &str) -> Option<Hint> {
    let said = format!("{code} ({description})");
    list_rows(VENDOR_HINTS).find(|(mark, _)| contains_code(&said, mark)).map(|(_, hint)| parse_hint(hint))
}

/// The hint for an Entra number, and for nothing else. After a rejected client authentication, texts such as "client
/// authentication failed" would match rows that are about applications without a secret.
pub(super) fn find_hint_by_number(said: &str) -> Option<Hint> {
    let mut numbered = list_rows(VENDOR_HINTS).filter(|(mark, _)| mark.starts_with("AADSTS"));
    numbered.find(|(mark, _)| contains_code(said, mark)).map(|(_, hint)| parse_hint(hint))
}

/// The rows of a table as pairs of text and hint. Comments and blank lines are skipped.
fn list_rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" | "))
}

/// Turns a placeholder of a row into a command value, which gets the flags of the call when it is shown. A row has at
/// most one.
fn parse_hint(text: &'static str) -> Hint {
    let commands = [("{login}", NextCommand::Login), ("{login --client-secret-stdin}", NextCommand::LoginClientSecret)];
    let parse = |(mark, command)| text.split_once(mark).map(|(before, after)| (before, command, after));
    match commands.into_iter().find_map(parse) {
        Some((before, command, after)) => Hint::from(before).command(command).text(after),
        None => text.into(),
    }
}

/// Whether `said` contains `mark`. A number must end there, because AADSTS500208 is another code than AADSTS50020.
fn contains_code(said: &str, mark: &str) -> bool {
    said.match_indices(mark).any(|(at, _)| {
        let next = said.get(at + mark.len()..).and_then(|rest| rest.bytes().next());
        !(mark.ends_with(|last: char| last.is_ascii_digit()) && next.is_some_and(|next| next.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Invocation;

    fn render(hint: &Hint) -> String {
        hint.render(&Invocation::default())
    }

    #[test]
    fn vendor_code_precedes_the_standard_code() {
        let known =
            ["50011", "65001", "50105", "50020", "700016", "7000218", "7000215", "9002327", "90094", "53003", "50076"];
        let mut said: Vec<String> =
            known.map(|code| render(&find_hint("invalid_client", &format!("AADSTS{code}: something")))).to_vec();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), known.len(), "each has its own");
        assert!(!said.contains(&render(&find_hint("invalid_client", ""))));
    }

    #[test]
    fn longer_entra_number_is_another_code() {
        let of = |code: &str| find_hint("invalid_client", &format!("AADSTS{code}: something"));
        assert_ne!(of("50020"), of("500208"));
        assert_eq!(of("500208"), of("1"));
        assert_ne!(of("53000"), of("530003"));
    }

    #[test]
    fn rejected_client_matches_entra_numbers_only() {
        assert_eq!(
            find_hint_by_number("invalid_client (AADSTS7000222: expired)"),
            Some(find_hint("", "AADSTS7000222"))
        );
        assert_eq!(find_hint_by_number("invalid_client (AADSTS7000240: new)"), None, "it is not AADSTS700024");
        assert_eq!(find_hint_by_number("invalid_client (client authentication failed)"), None);
    }

    #[test]
    fn common_refusals_of_each_provider_have_their_own_hint() {
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
            ("login_required", "prompt=none was requested", "bedrock-sso login"),
            ("invalid_request", "DPoP proof is missing", "DPoP"),
            ("invalid_request", "Pushed Authorization Request is only allowed.", "pushed"),
            ("invalid_request", "Missing parameter: code_challenge_method", "S256"),
            ("invalid_request", "unsupported prompt value requested", "empty value"),
            ("invalid_request", "Invalid parameter: redirect_uri", "redirect URI"),
            ("invalid_request", "", "`extra_params`"),
        ] {
            let said = render(&find_hint(code, description));
            assert!(said.contains(word), "{code} ({description}): {said}");
        }
        assert!(!render(&find_hint("access_denied", "Unauthorized for this")).contains("Native"));
    }

    #[test]
    fn cancelled_sign_in_suggests_login_not_an_administrator() {
        let hint = render(&find_hint("access_denied", "End-User aborted interaction"));
        assert!(hint.starts_with("run `bedrock-sso login` to start again"), "{hint}");
    }

    #[test]
    fn denial_of_the_user_is_the_first_advice() {
        for description in ["", "User denied access", "The resource owner or authorization server denied the request"] {
            let hint = render(&find_hint("access_denied", description));
            assert!(hint.starts_with("if you pressed Deny or Cancel, run `bedrock-sso login` and accept"), "{hint}");
            assert!(hint.contains("assign you"), "{hint}");
        }
    }

    #[test]
    fn unknown_error_code_gets_the_default_hint() {
        assert_eq!(find_hint("weird", "\u{1b}"), DEFAULT_HINT.into());
    }

    #[test]
    fn every_hint_row_parses_and_names_known_commands() {
        for table in [VENDOR_HINTS, STANDARD_HINTS] {
            let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            assert_eq!(lines.count(), list_rows(table).count());
        }
        for (_, hint) in list_rows(VENDOR_HINTS).chain(list_rows(STANDARD_HINTS)) {
            let advice = render(&parse_hint(hint));
            assert!(!advice.contains("{login") && !advice.ends_with('.') && advice.trim() == advice, "{advice}");
        }
    }
}
