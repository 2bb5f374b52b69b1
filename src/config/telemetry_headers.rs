//! Parses `telemetry.headers`: the names of HTTP headers, each with the claims that can fill it.
//!
//! `telemetry` takes the values from the token. This file makes sure that no claim can fill a header that controls the
//! request or authenticates it.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{
    error::ParseResult,
    parsers::{expect_table, parse_string_list, reject_text, reject_type},
};

/// The headers by their names in lower case, because HTTP ignores case. Two spellings of one header are an error.
pub(super) fn parse_header_claims(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, Vec<String>>> {
    const EXPECTED: &str = "a table of claim names or lists of them";
    let mut headers = BTreeMap::new();
    for (name, item) in expect_table(key, value, EXPECTED)? {
        let (name, value) = (name.get_ref(), item.get_ref());
        let refuse = |rule| reject_text(key, name, rule);
        let claims = match (value.as_str(), value.as_array()) {
            (Some(claim), _) => vec![claim.to_owned()],
            (None, Some(_)) => parse_string_list(key, value)?,
            (None, None) => return Err(reject_type(key, EXPECTED, value)),
        };
        let header = name.to_ascii_lowercase();
        if !is_header_name(&header) {
            return Err(refuse("this is not a valid header name"));
        }
        if RESERVED_HEADERS.contains(&header.as_str()) {
            return Err(refuse("a claim must not set this header"));
        }
        if headers.insert(header, claims).is_some() {
            return Err(refuse("this header is listed twice"));
        }
    }
    Ok(headers)
}

/// Headers that control the request itself or authenticate its sender.
const RESERVED_HEADERS: [&str; 11] = [
    "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect", "host",
    "proxy-authorization", "transfer-encoding", "upgrade",
];

/// Whether the text is a header name: a token (RFC 9110 §5.6.2) of reasonable length.
fn is_header_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}
