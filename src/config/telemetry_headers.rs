//! The headers of `telemetry.headers`: each a name, and the claims that may fill it.
//!
//! It judges what is written; what claims say is for `telemetry`.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{
    error::ParseResult,
    parsers::{expect_table, parse_string_list, reject_text, reject_type},
};

/// Headers by their names in small letters, as HTTP compares them.
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

/// What carries the request itself, or proves who sends it.
const RESERVED_HEADERS: [&str; 11] = [
    "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect", "host",
    "proxy-authorization", "transfer-encoding", "upgrade",
];

/// RFC 9110 §5.6.2
fn is_header_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}
