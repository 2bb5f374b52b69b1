//! Reads one HTTP request of an exporter: the head, and then the body, up to a limit.
//!
//! Any program of the computer can connect, and a web page can too. So the parser accepts only what an exporter sends,
//! and refuses every request whose length is ambiguous. The functions for the text are pure.

use ::http::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::response::RelayResponse;
use crate::secret::Secret;

/// The largest head. An exporter's has less than one kilobyte.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// The largest line that announces a chunk, and the largest trailer.
const MAX_CHUNK_LINE: usize = 256;

/// The head of a request.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) host: Option<String>,
    /// The token after `Bearer`.
    pub(super) token: Option<Secret>,
    /// A browser sends this header with every request of a page that could have a body.
    pub(super) has_origin: bool,
    pub(super) content_type: String,
    pub(super) content_encoding: String,
    pub(super) length: BodyLength,
    pub(super) expects_continue: bool,
    /// What `otel-headers` reported of itself.
    pub(super) helper_version: Option<String>,
    pub(super) helper_failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    Known(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// A request whose head has arrived, and what arrived after the head.
pub(super) struct ArrivedRequest {
    pub(super) head: RequestHead,
    rest: Vec<u8>,
}

/// Reads the head; `Ok(None)` if the client closed without sending one.
pub(super) async fn read_head(stream: &mut TcpStream) -> Result<Option<ArrivedRequest>, RelayResponse> {
    let mut bytes = Vec::with_capacity(2048);
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Ok(None),
        }
        if let Some((head, end)) = parse_head(&bytes)? {
            return Ok(Some(ArrivedRequest { head, rest: bytes.split_off(end) }));
        }
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(RelayResponse::refuse(431, "the head of the request is too large"));
        }
    }
}

/// Parses the head and returns where the body begins. `None`: more bytes are needed.
fn parse_head(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, RelayResponse> {
    let malformed = || RelayResponse::refuse(400, "the request is not valid HTTP");
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    let end = match parsed.parse(bytes).map_err(|_| malformed())? {
        httparse::Status::Complete(end) => end,
        httparse::Status::Partial => return Ok(None),
    };
    let (method, target) = parsed.method.zip(parsed.path).ok_or_else(malformed)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = HeaderLines(parsed.headers);
    // Two of these headers, or both lengths, could make two programs see different requests (RFC 9112 §6.3).
    let host = headers.find_one("host")?;
    let length = match (headers.find_one("content-length")?, headers.find_one("transfer-encoding")?) {
        (None, None) => BodyLength::Known(0),
        (Some(length), None) if !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit()) => {
            BodyLength::Known(length.parse().map_err(|_| RelayResponse::too_large())?)
        }
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => BodyLength::Chunked,
        _ => return Err(malformed()),
    };
    let token = headers.find_one("authorization")?;
    let token = token.and_then(|text| text.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer")));
    let text = |name| Ok::<_, RelayResponse>(headers.find_one(name)?.unwrap_or_default().to_ascii_lowercase());
    let head = RequestHead {
        method: method.parse().map_err(|_| malformed())?,
        path: path.to_owned(),
        query: query.to_owned(),
        host: host.map(str::to_owned),
        token: token.map(|(_, token)| Secret::new(token.trim())),
        has_origin: headers.find_one("origin")?.is_some(),
        content_type: text("content-type")?,
        content_encoding: text("content-encoding")?,
        length,
        expects_continue: text("expect")? == "100-continue",
        helper_version: headers.find_one("x-bedrock-sso-version")?.map(str::to_owned),
        helper_failure: headers.find_one("x-bedrock-sso-failure")?.map(str::to_owned),
    };
    Ok(Some((head, end)))
}

struct HeaderLines<'a>(&'a [httparse::Header<'a>]);

impl<'a> HeaderLines<'a> {
    /// The value of a header that may occur only once.
    fn find_one(&self, name: &str) -> Result<Option<&'a str>, RelayResponse> {
        let mut found = self.0.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let (first, second) = (found.next(), found.next());
        let refuse = || RelayResponse::refuse(400, "a header of the request is repeated or not text");
        match (first, second) {
            (_, Some(_)) => Err(refuse()),
            (Some(header), None) => Ok(Some(str::from_utf8(header.value).map_err(|_| refuse())?.trim())),
            (None, None) => Ok(None),
        }
    }
}

impl ArrivedRequest {
    /// Reads the body. `limit` counts the bytes of the body itself.
    pub(super) async fn read_body(self, stream: &mut TcpStream, limit: usize) -> Result<Vec<u8>, RelayResponse> {
        let Self { head, mut rest } = self;
        if head.expects_continue && rest.is_empty() {
            let gone = |_| RelayResponse::refuse(400, "the client closed the connection");
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(gone)?;
        }
        match head.length {
            BodyLength::Known(length) if length > limit => Err(RelayResponse::too_large()),
            BodyLength::Known(length) => {
                rest.reserve_exact(length.saturating_sub(rest.len()));
                while rest.len() < length {
                    fill(stream, &mut rest).await?;
                }
                rest.truncate(length);
                Ok(rest)
            }
            BodyLength::Chunked => read_chunks(stream, rest, limit).await,
        }
    }
}

/// Reads a chunked body (RFC 9112 §7.1). Extensions and trailers are read and ignored.
async fn read_chunks(stream: &mut TcpStream, mut rest: Vec<u8>, limit: usize) -> Result<Vec<u8>, RelayResponse> {
    let malformed = || RelayResponse::refuse(400, "the body is not in valid chunks");
    let mut body = Vec::new();
    loop {
        let line = take_line(stream, &mut rest).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let is_hex = (1..=8).contains(&size.len()) && size.bytes().all(|digit| digit.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| is_hex).ok_or_else(malformed)?;
        if size == 0 {
            while !take_line(stream, &mut rest).await?.is_empty() {}
            return Ok(body);
        }
        if body.len() + size > limit {
            return Err(RelayResponse::too_large());
        }
        while rest.len() < size {
            fill(stream, &mut rest).await?;
        }
        body.extend(rest.drain(..size));
        if !take_line(stream, &mut rest).await?.is_empty() {
            return Err(malformed());
        }
    }
}

/// Takes a line from the bytes that have arrived, without its line break. Reads more bytes if needed.
async fn take_line(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Result<String, RelayResponse> {
    loop {
        if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = rest.drain(..end + 2).take(end).collect();
            return String::from_utf8(line).map_err(|_| RelayResponse::refuse(400, "a line of the body is not text"));
        }
        if rest.len() > MAX_CHUNK_LINE {
            return Err(RelayResponse::refuse(400, "a line of the body is too long"));
        }
        fill(stream, rest).await?;
    }
}

async fn fill(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), RelayResponse> {
    match stream.read_buf(bytes).await {
        Ok(1..) => Ok(()),
        Ok(0) | Err(_) => Err(RelayResponse::refuse(400, "the body is not complete")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> Result<Option<RequestHead>, u16> {
        let head = parse_head(format!("{lines}\r\n").as_bytes());
        head.map(|head| head.map(|(head, _)| head)).map_err(|refusal| refusal.status)
    }

    #[test]
    fn head_of_an_exporter_is_parsed() {
        let head = parse(
            "POST /v1/metrics?x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: Application/JSON\r\n\
             Authorization: bearer  abc\r\nContent-Length: 12\r\nX-Bedrock-Sso-Failure: a/b\r\n",
        );
        let head = head.unwrap().unwrap();
        assert_eq!((head.path.as_str(), head.content_type.as_str()), ("/v1/metrics", "application/json"));
        assert_eq!(head.token.as_ref().map(Secret::expose), Some("abc"));
        assert_eq!((head.length, head.has_origin), (BodyLength::Known(12), false));
        assert_eq!(head.helper_failure.as_deref(), Some("a/b"));
        assert!(!format!("{head:?}").contains("abc"));
    }

    #[test]
    fn ambiguous_length_and_repeated_headers_are_refused() {
        for lines in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: \r\n",
            "Host: a\r\nhost: b\r\n",
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        ] {
            assert_eq!(parse(&format!("POST / HTTP/1.1\r\n{lines}")).unwrap_err(), 400, "{lines}");
        }
        assert_eq!(parse("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n").unwrap_err(), 413);
    }

    #[test]
    fn incomplete_head_needs_more_bytes() {
        for part in ["", "POST", "POST / HTTP/1.1\r\nHost: 127"] {
            assert!(parse_head(part.as_bytes()).unwrap().is_none(), "{part}");
        }
        assert_eq!(parse_head(b"\x16\x03\x01\x00\x00").unwrap_err().status, 400);
    }
}
