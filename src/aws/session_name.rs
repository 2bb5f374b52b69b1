//! The name of a role session: who this is, in CloudTrail and on the bill.
//!
//! One person, one name, whatever characters the provider puts in it. STS takes `[\w+=,.@-]{2,64}` (AssumeRole).

use std::fmt::Write;

use ring::digest;

use crate::oidc::VerifiedToken;

const LONGEST: usize = 64;

/// Stands between the readable part and the digest of a name that had to be altered.
const MARK: char = '=';

/// Hexadecimal digits of the digest: 80 bits, more than anyone could search for a stranger's name.
const DIGITS: usize = 20;

/// The first of the claims that says something; else the subject, which is never empty.
///
/// A legal value is the name, as it is. Any other is made legal and marked with a digest of the whole value, so that
/// two people never share a name. A legal value that happens to look marked is altered too: so no one's own name can
/// ever be another's altered one.
pub fn session_name(token: &VerifiedToken, claims: &[String]) -> String {
    let said = claims.iter().filter_map(|claim| token.claim(claim)?.as_str());
    named(said.into_iter().find(|value| !value.trim().is_empty()).unwrap_or(token.subject()))
}

fn named(value: &str) -> String {
    if is_legal(value) && !looks_marked(value) { value.to_owned() } else { altered(value) }
}

fn is_legal(value: &str) -> bool {
    (2..=LONGEST).contains(&value.len()) && value.chars().all(is_legal_character)
}

fn is_legal_character(part: char) -> bool {
    part.is_ascii_alphanumeric() || "_+=,.@-".contains(part)
}

fn looks_marked(value: &str) -> bool {
    value.rsplit_once(MARK).is_some_and(|(_, digits)| {
        digits.len() == DIGITS && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn altered(value: &str) -> String {
    let readable = value.chars().map(|part| if is_legal_character(part) { part } else { '-' });
    let mut name: String = readable.take(LONGEST - DIGITS - 1).chain([MARK]).collect();
    for byte in digest::digest(&digest::SHA256, value.as_bytes()).as_ref().iter().take(DIGITS / 2) {
        write!(name, "{byte:02x}").expect("a String takes everything that is written to it");
    }
    name
}
