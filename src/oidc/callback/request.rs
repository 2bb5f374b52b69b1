//! One HTTP request read from its bytes: method, path, query and host, and nothing else.
//!
//! Pure, so that a fuzzer needs no socket; what a request means is `judge`'s business.

use std::fmt;

use crate::secret::Secret;

/// More header lines than any browser sends.
const MOST_HEADERS: usize = 128;

/// A request whose head has come in full.
pub struct Request {
    pub method: Method,
    /// As sent, not decoded: it is only ever compared with an address of ours.
    pub path: String,
    /// What follows the question mark; it may hold the code and the state.
    pub query: Option<Secret>,
    pub host: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Other,
}

/// Why bytes are no request that could be answered with more than "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not HTTP/1.x: noise, or a browser that speaks TLS to a plain port.
    Syntax,
    /// A target that is no path of this server: absolute (a proxy's), an authority (CONNECT), `*`.
    Target,
    /// `Host` came twice or is not text (RFC 9112 §3.2 asks for an error).
    Host,
    TooManyHeaders,
}

/// Reads a request's head. `None`: so far so good, but more bytes are needed.
pub fn parse(head: &[u8]) -> Result<Option<Request>, Malformed> {
    let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut read = httparse::Request::new(&mut lines);
    match read.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooManyHeaders),
        Err(_) => return Err(Malformed::Syntax),
    }
    let (method, target) = read.method.zip(read.path).ok_or(Malformed::Syntax)?;
    let (path, query) = origin_form(target)?;
    Ok(Some(Request { method: Method::of(method), path, query, host: host(read.headers)? }))
}

/// Splits `/path?query` (RFC 9112 §3.2.1), the only form a browser sends to a server that is no proxy.
fn origin_form(target: &str) -> Result<(String, Option<Secret>), Malformed> {
    if !target.starts_with('/') {
        return Err(Malformed::Target);
    }
    Ok(match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(Secret::new(query))),
        None => (target.to_owned(), None),
    })
}

fn host(headers: &[httparse::Header<'_>]) -> Result<Option<String>, Malformed> {
    let mut named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let Some(first) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        return Err(Malformed::Host);
    }
    std::str::from_utf8(first.value).map(|text| Some(text.trim().to_owned())).map_err(|_| Malformed::Host)
}

impl Method {
    fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            _ => Self::Other,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path may be the start address, which leads to the state: it is as secret as the query.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Request>, Malformed> {
        parse(text.as_bytes())
    }

    #[test]
    fn a_request_is_taken_apart_and_its_secrets_are_not_shown() {
        let request =
            read("GET /callback?code=c0de&state=x HTTP/1.1\r\nhost: 127.0.0.1:1 \r\n\r\n").unwrap().unwrap();
        assert_eq!((request.method, request.path.as_str()), (Method::Get, "/callback"));
        assert_eq!(request.host.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(request.query.as_ref().map(Secret::expose), Some("code=c0de&state=x"));
        assert!(!format!("{request:?}").contains("c0de"));
    }

    #[test]
    fn half_a_head_asks_for_more() {
        for part in ["", "GET", "GET /callback?co", "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"] {
            assert!(matches!(read(part), Ok(None)), "{part:?}");
        }
    }

    #[test]
    fn noise_and_a_tls_hello_are_no_request() {
        for noise in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0\r\n\r\n", b"GET / SPDY/9\r\n\r\n"] {
            assert_eq!(parse(noise).unwrap_err(), Malformed::Syntax, "{noise:?}");
        }
    }

    #[test]
    fn a_target_that_is_no_path_is_refused() {
        for target in ["http://127.0.0.1:1/callback?state=x", "127.0.0.1:1", "*"] {
            assert_eq!(
                read(&format!("GET {target} HTTP/1.1\r\n\r\n")).unwrap_err(),
                Malformed::Target,
                "{target}"
            );
        }
    }

    #[test]
    fn two_hosts_are_one_too_many() {
        assert_eq!(read("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n").unwrap_err(), Malformed::Host);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n").unwrap_err(), Malformed::Host);
    }

    #[test]
    fn more_headers_than_a_browser_sends_are_refused() {
        let many = "X: y\r\n".repeat(MOST_HEADERS + 1);
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).unwrap_err(), Malformed::TooManyHeaders);
    }

    #[test]
    fn an_old_request_without_a_host_is_read() {
        assert_eq!(read("GET /x HTTP/1.0\r\n\r\n").unwrap().unwrap().host, None);
    }
}
