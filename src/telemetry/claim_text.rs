//! Reads a claim as text, and escapes it for a header value.
//!
//! A claim is untrusted text: some providers let users choose their own values. After escaping, no value can end its
//! header or begin another one.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::{config::strip_user_info_prefix, identity, oidc::VerifiedToken};

/// The maximum length of a value in bytes. Servers limit all headers of a request together to a few kilobytes.
const MAX_VALUE_LENGTH: usize = 512;

/// The ASCII characters to escape; everything that is not ASCII is escaped too. `%` is one of them, so that a value can
/// be decoded without ambiguity.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The prefix of a claim that names a session tag. A token holds session tags either as flat claims with this prefix or
/// nested in one object; `identity` reads both forms.
const TAG: &str = "https://aws.amazon.com/tags/principal_tags/";

/// The text of the first of these claims that has one.
pub(super) fn read_first_claim(token: &VerifiedToken, claims: &[impl AsRef<str>]) -> Option<String> {
    claims.iter().find_map(|claim| read_claim(token, claim.as_ref()))
}

/// A claim as text; `None` if the claim is missing, blank, null or an object.
fn read_claim(token: &VerifiedToken, claim: &str) -> Option<String> {
    let text = match claim.strip_prefix(TAG) {
        Some(tag) => identity::read_session_tags(token).remove(tag),
        None => match strip_user_info_prefix(claim) {
            Some(name) => token.user_info(name).map(str::to_owned),
            None => format_claim(token.claim(claim)?),
        },
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

/// Escapes a value: visible ASCII and spaces stay, and every other byte becomes `%XX`, line breaks and `%` included.
/// HTTP libraries refuse a request with any other byte in a header, so one bad value would lose all telemetry. A long
/// value is cut between two characters.
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
