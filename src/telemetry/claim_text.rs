//! What a claim says, and how it is written so that it can end no header and begin none.
//!
//! A claim is foreign text: a provider may let people choose their own.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::{identity, oidc::VerifiedToken};

/// Collectors take some kilobytes for all headers together.
const MAX_VALUE_LENGTH: usize = 512;

/// What is escaped besides everything that is not ASCII.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// Before the name of a session tag, which a token may hold flat, as a claim of that name, or nested.
const TAG: &str = "https://aws.amazon.com/tags/principal_tags/";

/// The first of these claims that says something.
pub(super) fn read_first_claim(token: &VerifiedToken, claims: &[impl AsRef<str>]) -> Option<String> {
    claims.iter().find_map(|claim| read_claim(token, claim.as_ref()))
}

/// A claim as text: a word, a number, yes or no, or several of them.
fn read_claim(token: &VerifiedToken, claim: &str) -> Option<String> {
    let text = match claim.strip_prefix(TAG) {
        Some(tag) => identity::read_session_tags(token).remove(tag),
        None => format_claim(token.claim(claim)?),
    };
    text.filter(|text| !text.trim().is_empty())
}

fn format_claim(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Array(several) => {
            let texts: Vec<_> = several.iter().filter_map(format_claim).collect();
            Some(texts.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Visible ASCII and single spaces stay; every other byte, line breaks and `%` among them, is written as `%0A`: libraries
/// refuse a header with anything else in it, and so all headers with it.
pub(super) fn escape_header_value(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut bytes = [0; 4];
    for part in value.trim().chars() {
        let length = text.len();
        text.extend(utf8_percent_encode(part.encode_utf8(&mut bytes), ESCAPED));
        if text.len() > MAX_VALUE_LENGTH {
            text.truncate(length);
            break;
        }
    }
    text
}
