//! Parses `telemetry.headers`, the names of HTTP headers with the claims that can fill them, and `telemetry.static`,
//! headers with fixed values.
//!
//! `telemetry` takes the claims from the token. This file makes sure that neither can fill a header that controls the
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
    parse_headers(key, value, EXPECTED, |value| match (value.as_str(), value.as_array()) {
        (Some(claim), _) => Ok(vec![claim.to_owned()]),
        (None, Some(_)) => parse_string_list(key, value),
        (None, None) => Err(reject_type(key, EXPECTED, value)),
    })
}

/// The fixed values of headers, by their names in lower case.
pub(super) fn parse_static_headers(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, String>> {
    const EXPECTED: &str = "a table of strings";
    parse_headers(key, value, EXPECTED, |value| {
        value.as_str().map(str::to_owned).ok_or_else(|| reject_type(key, EXPECTED, value))
    })
}

fn parse_headers<T>(
    key: &str,
    value: &DeValue<'_>,
    expected: &'static str,
    parse_item: impl Fn(&DeValue<'_>) -> ParseResult<T>,
) -> ParseResult<BTreeMap<String, T>> {
    let mut headers = BTreeMap::new();
    for (name, item) in expect_table(key, value, expected)? {
        let name = name.get_ref();
        let refuse = |rule| reject_text(key, name, rule);
        let parsed = parse_item(item.get_ref())?;
        let header = name.to_ascii_lowercase();
        if !is_header_name(&header) {
            return Err(refuse("this is not a valid header name"));
        }
        if RESERVED_HEADERS.contains(&header.as_str()) {
            return Err(refuse("telemetry must not set this header"));
        }
        if headers.insert(header, parsed).is_some() {
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
