//! The provider's error codes and what to do about each: first the vendor's own, which are exact, then the standard's.
//!
//! Vendors' codes stand in the text: `AADSTS…` is Microsoft Entra's. Sources: the vendors' error references and RFC 6749
//! §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6.

use crate::hint::{Hint, NextCommand};

const VENDOR_HINTS: &str = include_str!("vendor_hints.txt");
const STANDARD_HINTS: &str = include_str!("standard_hints.txt");
const DEFAULT_HINT: &str = "ask the administrator of your identity provider, with the words above";

/// One line of what to do.
pub(super) fn find_hint(code: &str, description: &str) -> Hint {
    let said = format!("{code} ({description})");
    let vendor = list_rows(VENDOR_HINTS).find(|(mark, _)| contains_code(&said, mark));
    let standard = || list_rows(STANDARD_HINTS).find(|(error, _)| *error == code);
    vendor.or_else(standard).map_or(DEFAULT_HINT.into(), |(_, hint)| parse_hint(hint))
}

/// The advice on a code with a number of its own, which tells a wrong secret from an expired one.
pub(super) fn find_hint_by_number(said: &str) -> Option<Hint> {
    let mut numbered = list_rows(VENDOR_HINTS).filter(|(mark, _)| mark.starts_with("AADSTS"));
    numbered.find(|(mark, _)| contains_code(said, mark)).map(|(_, hint)| parse_hint(hint))
}

fn list_rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" | "))
}

fn parse_hint(text: &'static str) -> Hint {
    let commands = [("{login}", NextCommand::Login), ("{login --client-secret-stdin}", NextCommand::LoginClientSecret)];
    let parse = |(mark, command)| text.split_once(mark).map(|(before, after)| (before, command, after));
    match commands.into_iter().find_map(parse) {
        Some((before, command, after)) => Hint::from(before).command(command).text(after),
        None => text.into(),
    }
}

/// A number that goes on is another code: AADSTS500208 is not AADSTS50020.
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
    fn a_vendors_code_outranks_the_standards() {
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
            let said = render(&find_hint(code, description));
            assert!(said.contains(word), "{code} ({description}): {said}");
        }
        assert!(!render(&find_hint("access_denied", "Unauthorized for this")).contains("Native"));
    }

    #[test]
    fn who_broke_off_is_not_sent_to_an_administrator() {
        let hint = render(&find_hint("access_denied", "End-User aborted interaction"));
        assert!(hint.ends_with("run `bedrock-sso login` to begin again"), "{hint}");
    }

    #[test]
    fn what_nobody_has_heard_of_still_gets_a_line() {
        assert_eq!(find_hint("weird", "\u{1b}"), DEFAULT_HINT.into());
    }

    #[test]
    fn every_row_has_one_line_of_advice_and_known_commands() {
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
