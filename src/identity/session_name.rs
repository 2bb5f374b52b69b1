//! The name of an AWS role session. CloudTrail and cost reports identify the user by it.
//!
//! Two users never get the same name, whatever characters the provider uses in claims. STS accepts `[\w+=,.@-]{2,64}`
//! (`AssumeRole`), so other texts must be altered.

use ring::digest;

use super::{fill_template, read_claim};
use crate::{
    config::{ClaimTemplate, list_user_info_claims},
    oidc::VerifiedToken,
    text::encode_hex,
};

const MAX_NAME_LENGTH: usize = 64;

/// The separator between the readable part and the digest in an altered name.
const DIGEST_MARK: char = '=';

/// The number of hexadecimal digits of the digest: 80 bits, so that an attacker cannot search for a text with the name
/// of another user.
const DIGEST_DIGITS: usize = 20;

/// The name of an AWS session, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    pub name: String,
    /// The profile wants other claims, and the token has none of them. The subject of most providers is a random
    /// identifier, which does not say who the user is.
    pub is_last_resort: bool,
}

/// The session name from the first item of `claims` that the token can fill, or else from the subject, which is never
/// empty. An item is the name of a claim, or a template such as `{email}+{team}`, which requires all of its claims.
///
/// A legal value is used as it is. Every other value is made legal and gets a digest of the whole value, so that two
/// users never share a name. A legal value that looks like an altered name is altered too; otherwise a user could
/// choose a claim that equals the altered name of another user.
pub fn derive_session_name(token: &VerifiedToken, claims: &[String]) -> SessionName {
    let found = claims.iter().find_map(|claim| Some((claim, fill_item(claim, token)?)));
    let is_last_resort = match &found {
        Some((claim, _)) => *claim == SUBJECT_CLAIM && claims.first() != Some(claim),
        None => !claims.is_empty(),
    };
    let name = make_legal_name(found.as_ref().map_or(token.subject(), |(_, value)| value));
    SessionName { name, is_last_resort }
}

/// Whether an item with a claim of UserInfo precedes every item that the ID token can fill.
pub fn needs_user_info(token: &VerifiedToken, claims: &[String]) -> bool {
    let first =
        claims.iter().find(|claim| !list_user_info_claims(claim).is_empty() || fill_item(claim, token).is_some());
    first.is_some_and(|claim| !list_user_info_claims(claim).is_empty())
}

const SUBJECT_CLAIM: &str = "sub";

/// The value of an item; `None` if the token lacks a claim of it.
fn fill_item(claim: &str, token: &VerifiedToken) -> Option<String> {
    match claim.contains('{') {
        true => fill_template(&ClaimTemplate::parse(claim)?, Some(token)).ok(),
        false => read_claim(token, claim).map(str::to_owned),
    }
}

/// Turns a text into a legal session name. Different texts have different names. Source identities follow the same
/// rule.
pub fn make_legal_name(value: &str) -> String {
    if is_legal_name(value) && !has_digest_suffix(value) { value.to_owned() } else { append_digest(value) }
}

fn is_legal_name(value: &str) -> bool {
    (2..=MAX_NAME_LENGTH).contains(&value.len()) && value.chars().all(is_legal_character)
}

fn is_legal_character(part: char) -> bool {
    part.is_ascii_alphanumeric() || "_+=,.@-".contains(part)
}

/// Whether the text looks like the result of [`append_digest`].
fn has_digest_suffix(value: &str) -> bool {
    value.rsplit_once(DIGEST_MARK).is_some_and(|(_, digits)| {
        digits.len() == DIGEST_DIGITS && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The readable part of the text, the mark, and the digest of the whole text, in at most 64 characters.
fn append_digest(value: &str) -> String {
    let readable = value.chars().map(|part| if is_legal_character(part) { part } else { '-' });
    let mut name: String = readable.take(MAX_NAME_LENGTH - DIGEST_DIGITS - 1).chain([DIGEST_MARK]).collect();
    let digest = encode_hex(digest::digest(&digest::SHA256, value.as_bytes()).as_ref());
    name.extend(digest.chars().take(DIGEST_DIGITS));
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::identity::testing::build_token_with;

    fn name_of(claims: &serde_json::Value) -> String {
        let order = ["email", "preferred_username", "sub"].map(str::to_owned);
        derive_session_name(&build_token_with(claims), &order).name
    }

    #[test]
    fn session_name_is_the_first_claim_with_text() {
        for (claims, name) in [
            (json!({ "email": "jane@example.com", "preferred_username": "jane" }), "jane@example.com"),
            (json!({ "email": "", "preferred_username": "jane" }), "jane"),
            (json!({ "email": "  ", "preferred_username": "jane" }), "jane"),
            (json!({ "email": ["jane@example.com"], "preferred_username": "jane" }), "jane"),
            (json!({ "email": 7, "preferred_username": null }), "subject"),
            (json!({}), "subject"),
        ] {
            assert_eq!(name_of(&claims), name, "{claims}");
        }
        assert_eq!(derive_session_name(&build_token_with(&json!({})), &[]).name, "subject");
    }

    #[test]
    fn subject_is_a_last_resort_unless_the_profile_prefers_it() {
        let token = build_token_with(&json!({ "team": "a" }));
        for (order, is_last_resort) in [
            (&["email", "sub"][..], true),
            (&["email"], true),
            (&["{email}+{sub}", "{team}+{sub}", "sub"], false),
            (&["sub", "email"], false),
            (&["sub"], false),
            (&["team", "sub"], false),
            (&[], false),
        ] {
            let order: Vec<String> = order.iter().map(|claim| (*claim).to_owned()).collect();
            assert_eq!(derive_session_name(&token, &order).is_last_resort, is_last_resort, "{order:?}");
        }
    }

    #[test]
    fn user_info_is_needed_only_if_no_earlier_claim_exists() {
        let token = build_token_with(&json!({ "upn": "jane" }));
        for (order, is_needed) in [
            (["email", "userinfo:email", "sub"], true),
            (["email", "{userinfo:email}+{sub}", "sub"], true),
            (["userinfo:email", "upn", "sub"], true),
            (["upn", "userinfo:email", "sub"], false),
            (["email", "sub", "userinfo:email"], false),
            (["email", "upn", "sub"], false),
        ] {
            assert_eq!(needs_user_info(&token, &order.map(str::to_owned)), is_needed, "{order:?}");
        }
    }

    #[test]
    fn user_info_names_the_session_like_a_claim() {
        let order = ["email", "userinfo:email", "sub"].map(str::to_owned);
        let with = |email: &str| {
            let info = [("email".to_owned(), email.to_owned())].into();
            derive_session_name(&build_token_with(&json!({})).with_user_info(info), &order)
        };
        assert_eq!(with("jane@example.com"), SessionName { name: "jane@example.com".into(), is_last_resort: false });
        assert!(with("jane doe\r\n").name.starts_with("jane-doe--="));
        assert_eq!(with(" "), SessionName { name: "subject".into(), is_last_resort: true });
    }

    #[test]
    fn template_names_the_session_if_all_claims_exist() {
        let claims = json!({ "email": "jane@example.com", "team": "a" });
        for (order, name) in [
            (["{email}+{team}", "email"], "jane@example.com+a"),
            (["{email}+{unit}", "email"], "jane@example.com"),
            (["{unit}", "none"], "subject"),
        ] {
            assert_eq!(derive_session_name(&build_token_with(&claims), &order.map(str::to_owned)).name, name);
        }
    }

    #[test]
    fn illegal_session_name_is_altered_but_stays_readable() {
        for (value, readable) in [
            ("j", "j="),
            ("auth0|123", "auth0-123="),
            ("Jürgen Groß", "J-rgen-Gro-="),
            ("山田", "--="),
            (&"x".repeat(80), &format!("{}=", "x".repeat(43))),
        ] {
            let name = name_of(&json!({ "email": value }));
            assert!(is_legal_name(&name) && name.starts_with(readable), "{value}: {name}");
            assert_eq!(name.len(), readable.len() + DIGEST_DIGITS, "{value}: {name}");
        }
        assert_eq!(make_legal_name("auth0|123"), "auth0-123=4043445eadeeeb2a5d88");
    }

    #[test]
    fn name_that_looks_altered_is_altered_again() {
        let altered = make_legal_name("auth0|123");
        assert!(is_legal_name(&altered));
        assert_ne!(make_legal_name(&altered), altered);
        assert_eq!(make_legal_name("jane=42"), "jane=42");
    }

    /// Each text of up to four of these characters stands for a different user.
    #[test]
    fn different_users_never_share_a_session_name() {
        let alphabet = ['a', '-', '|', 'ü', '=', ' ', '@'];
        let mut people = vec![String::new()];
        for _ in 0..4 {
            let longer = people.iter().flat_map(|text| alphabet.map(|part| format!("{text}{part}")));
            people = people.iter().cloned().chain(longer).collect::<HashSet<_>>().into_iter().collect();
        }
        people.extend((60..70).map(|length| "a".repeat(length)));
        people
            .extend(people.clone().iter().map(|person| make_legal_name(person)).filter(|name| has_digest_suffix(name)));
        let people: HashSet<_> = people.into_iter().collect();
        let names: HashSet<_> = people.iter().map(|person| make_legal_name(person)).collect();
        assert_eq!(names.len(), people.len());
        assert!(names.iter().all(|name| is_legal_name(name)));
    }
}
