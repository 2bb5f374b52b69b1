//! A browser without a screen: it follows redirects, stores cookies and returns pages. It is also the tests' plain HTTP
//! client. `person` decides what the user clicks.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use url::{Position, Url};

use crate::{
    wait::retry_interrupted,
    wire::{Fields, owned},
};

pub struct Browser {
    tls: Arc<ClientConfig>,
    patience: Duration,
    /// Pairs of a host and a `name=value`.
    cookies: Vec<(String, String)>,
}

/// An HTTP response as it was received.
#[derive(Clone, Debug)]
pub struct Got {
    pub status: u16,
    pub headers: Fields,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Browser {
    /// Creates a browser that trusts only the authorities in this file.
    pub fn new(ca_bundle: Option<&Path>) -> Self {
        let mut roots = RootCertStore::empty();
        let pem = ca_bundle.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls), patience: Duration::from_secs(60), cookies: Vec::new() }
    }

    /// Sets how long to wait for bytes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub fn get(&mut self, url: &str) -> io::Result<Got> {
        self.request("GET", url, &[], b"")
    }

    pub fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> io::Result<Got> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        self.request("POST", url, &form, body.as_bytes())
    }

    /// Sends one request with the cookies collected so far, and returns redirects instead of following them.
    pub fn request(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Got> {
        let host = parsed(url)?.authority().to_owned();
        let mine = self.cookies.iter().filter(|(of, _)| *of == host).map(|(_, cookie)| cookie.as_str());
        let cookies = mine.collect::<Vec<_>>().join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let got = self.fetch(method, url, &headers, body)?;
        for (name, value) in &got.headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let cookie = value.split(';').next().unwrap_or_default();
                self.cookies.push((host.clone(), cookie.to_owned()));
            }
        }
        Ok(got)
    }

    /// Sends one request without cookies.
    pub fn fetch(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Got> {
        let url = parsed(url)?;
        let host = url.host_str().ok_or_else(|| io::Error::other("an address without a host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let mut request = format!("{method} {} HTTP/1.1\r\n", &url[Position::BeforePath..Position::AfterQuery]);
        request.push_str(&format!("Host: {}\r\nConnection: close\r\n", url.authority()));
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let bytes = [request.as_bytes(), body].concat();

        let host = host.trim_matches(['[', ']']);
        let socket = retry_interrupted(|| TcpStream::connect((host, port)))?;
        socket.set_read_timeout(Some(self.patience))?;
        if url.scheme() == "http" {
            return send_and_receive(&mut &socket, &bytes, method == "HEAD");
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(self.tls.clone(), name).map_err(io::Error::other)?;
        send_and_receive(&mut StreamOwned::new(connection, socket), &bytes, method == "HEAD")
    }
}

fn parsed(url: &str) -> io::Result<Url> {
    Url::parse(url).map_err(io::Error::other)
}

fn send_and_receive(stream: &mut (impl Read + Write), request: &[u8], head_only: bool) -> io::Result<Got> {
    stream.write_all(request)?;
    retry_interrupted(|| stream.flush())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        let read = match retry_interrupted(|| stream.read(&mut piece)) {
            // Some peers close without TLS's close_notify. What they sent before is complete all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        bytes.extend_from_slice(&piece[..read]);
        if let Some(got) = parse(&bytes, read == 0, head_only)? {
            return Ok(got);
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Parses a response; `None` while it is incomplete.
fn parse(bytes: &[u8], ended: bool, head_only: bool) -> io::Result<Option<Got>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = parsed.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let mut got = Got { status: parsed.code.unwrap_or(0), headers: owned(parsed.headers), body: Vec::new() };
    let rest = bytes.get(start..).unwrap_or_default();
    let length = got.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let is_chunked = got.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let body = match length {
        _ if head_only => Some(Vec::new()),
        _ if is_chunked => dechunked(rest),
        Some(length) => rest.get(..length).map(<[u8]>::to_vec),
        None => ended.then(|| rest.to_vec()),
    };
    Ok(body.map(|body| {
        got.body = body;
        got
    }))
}

fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return None;
        };
        let size = usize::try_from(size).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(start..start + size)?);
        rest = rest.get(start + size + 2..)?;
    }
}
