//! Parses one HTTP request: method, path, query and host. Other headers are ignored.
//!
//! The input comes from any program on this machine and any web page. The parser is pure, so a fuzzer runs it without
//! a socket. `verdict` decides what a request means.

use ::http::Method;

use crate::secret::Secret;

/// More headers than any browser sends.
const MAX_HEADERS: usize = 128;

/// A request whose head has arrived completely. Its body is never read.
#[derive(Debug)]
pub struct CallbackRequest {
    pub method: Method,
    /// The path as sent, without decoding: the server only compares it with its own paths. It may be the start path,
    /// which redirects to an address with the state, and so it is as secret as the query.
    pub path: Secret,
    /// The text after the question mark. It may contain the code and the state.
    pub query: Option<Secret>,
    pub host: Option<String>,
}

/// Why the received bytes are not a valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedRequest {
    /// Not HTTP/1.x, for example a TLS handshake on the plain port.
    Syntax,
    /// The target is not a path but an absolute address (for a proxy), an authority (CONNECT) or `*`.
    Target,
    /// `Host` occurs twice or is not text (RFC 9112 §3.2 requires a 400). With two, the check against DNS rebinding
    /// might read the wrong one.
    Host,
    TooManyHeaders,
}

/// Parses the head of a request. `None` means that the bytes are valid so far and more are needed.
pub fn parse_request(head: &[u8]) -> Result<Option<CallbackRequest>, MalformedRequest> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut read = httparse::Request::new(&mut lines);
    match read.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(MalformedRequest::TooManyHeaders),
        Err(_) => return Err(MalformedRequest::Syntax),
    }
    let (method, target) = read.method.zip(read.path).ok_or(MalformedRequest::Syntax)?;
    let method = method.parse().map_err(|_| MalformedRequest::Syntax)?;
    let (path, query) = split_target(target)?;
    Ok(Some(CallbackRequest { method, path, query, host: find_host(read.headers)? }))
}

/// Splits `/path?query` (RFC 9112 §3.2.1), the only form that a browser sends to a server that is not a proxy.
fn split_target(target: &str) -> Result<(Secret, Option<Secret>), MalformedRequest> {
    if !target.starts_with('/') {
        return Err(MalformedRequest::Target);
    }
    Ok(match target.split_once('?') {
        Some((path, query)) => (Secret::new(path), Some(Secret::new(query))),
        None => (Secret::new(target), None),
    })
}

fn find_host(headers: &[httparse::Header<'_>]) -> Result<Option<String>, MalformedRequest> {
    let mut named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let Some(first) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        return Err(MalformedRequest::Host);
    }
    std::str::from_utf8(first.value).map(|text| Some(text.trim().to_owned())).map_err(|_| MalformedRequest::Host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<CallbackRequest>, MalformedRequest> {
        parse_request(text.as_bytes())
    }

    #[test]
    fn request_is_parsed_and_debug_hides_its_query() {
        let request = read("GET /callback?code=c0de&state=x HTTP/1.1\r\nhost: 127.0.0.1:1 \r\n\r\n").unwrap().unwrap();
        assert_eq!((&request.method, request.path.expose()), (&Method::GET, "/callback"));
        assert_eq!(request.host.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(request.query.as_ref().map(Secret::expose), Some("code=c0de&state=x"));
        assert!(!format!("{request:?}").contains("c0de"));
    }

    #[test]
    fn incomplete_request_head_needs_more_bytes() {
        for part in ["", "GET", "GET /callback?co", "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"] {
            assert!(matches!(read(part), Ok(None)), "{part:?}");
        }
    }

    #[test]
    fn noise_and_tls_hello_are_not_requests() {
        for noise in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0\r\n\r\n", b"GET / SPDY/9\r\n\r\n"] {
            assert_eq!(parse_request(noise).unwrap_err(), MalformedRequest::Syntax, "{noise:?}");
        }
    }

    #[test]
    fn request_target_must_be_a_path() {
        for target in ["http://127.0.0.1:1/callback?state=x", "127.0.0.1:1", "*"] {
            assert_eq!(
                read(&format!("GET {target} HTTP/1.1\r\n\r\n")).unwrap_err(),
                MalformedRequest::Target,
                "{target}"
            );
        }
    }

    #[test]
    fn repeated_or_binary_host_header_is_rejected() {
        assert_eq!(read("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n").unwrap_err(), MalformedRequest::Host);
        assert_eq!(parse_request(b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n").unwrap_err(), MalformedRequest::Host);
    }

    #[test]
    fn too_many_request_headers_are_rejected() {
        let many = "X: y\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).unwrap_err(), MalformedRequest::TooManyHeaders);
    }

    #[test]
    fn http_1_0_request_without_host_is_parsed() {
        assert_eq!(read("GET /x HTTP/1.0\r\n\r\n").unwrap().unwrap().host, None);
    }
}
