//! Scripted loopback servers, plain or TLS, for the tests of `http`, `oidc` and `aws`.
//!
//! They parse only as much HTTP as they need to find the end of a request.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use super::{Client, ConnectionUse, ProxyRules, TrustConfig};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    super::block_on(future).unwrap()
}

/// The real client, with additional bundles and without the proxies of the machine that runs the test.
pub(crate) fn test_client(trust: &TrustConfig) -> Client {
    Client::build(trust, ProxyRules::default(), ConnectionUse::Once).unwrap()
}

pub(crate) fn proxied_client(proxy: &str) -> Client {
    Client::build(&TrustConfig::default(), ProxyRules::from_https_proxy(proxy), ConnectionUse::Once).unwrap()
}

pub(crate) fn get_request(address: &str) -> ::http::Request<Vec<u8>> {
    ::http::Request::get(address).body(Vec::new()).unwrap()
}

/// A loopback server. `answer` gets each complete request and writes the response. Then the connection closes.
pub(crate) struct LoopbackServer {
    pub(crate) address: SocketAddr,
    /// Every request as it arrived.
    pub(crate) requests: mpsc::Receiver<String>,
}

impl LoopbackServer {
    pub(crate) fn start_plain(answer: impl FnMut(&str, &mut dyn Write) + Send + 'static) -> Self {
        Self::start_with(answer, |stream| Some(Box::new(stream)))
    }

    pub(crate) fn start_tls(
        certificate: &TestCertificate,
        protocol: &str,
        answer: impl FnMut(&str, &mut dyn Write) + Send + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.leaf.clone()], certificate.key.clone_key())
            .unwrap();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let config = Arc::new(config);
        Self::start_with(answer, move |stream| {
            let tls = ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(Box::new(StreamOwned::new(tls, stream)))
        })
    }

    fn start_with(
        mut answer: impl FnMut(&str, &mut dyn Write) + Send + 'static,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn ReadWrite>> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let Some(mut stream) = wrap(stream) else { continue };
                let Some(request) = read_request(&mut *stream) else { continue };
                // Record the request before the answer, because the test may read it as soon as it has the answer.
                let _ = sender.send(request.clone());
                answer(&request, &mut *stream);
                let _ = stream.flush();
            }
        });
        Self { address, requests }
    }

    pub(crate) fn base_url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.address.port())
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// Writes a response with its length, which closes the connection.
pub(crate) fn write_response(out: &mut dyn Write, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(out, "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}

fn read_request(stream: &mut dyn ReadWrite) -> Option<String> {
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(count) => seen.extend_from_slice(&part[..count]),
        }
    }
}

/// A server's certificate, and the authority that signed it.
pub(crate) struct TestCertificate {
    leaf: rustls::pki_types::CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    /// The authority's certificate, as a PEM bundle.
    pub(crate) authority_pem: String,
}

impl TestCertificate {
    pub(crate) fn new(host: &str, authority: &str) -> Self {
        Self::with_params(host, authority, |_| {})
    }

    pub(crate) fn new_expired(host: &str, authority: &str) -> Self {
        Self::with_params(host, authority, |leaf| {
            leaf.not_before = (read_system_time() - 30 * DAY).into();
            leaf.not_after = (read_system_time() - DAY).into();
        })
    }

    fn with_params(host: &str, authority: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, authority);
        let authority_key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(params, authority_key);
        let mut leaf = CertificateParams::new([host.to_owned()]).unwrap();
        // macOS requires a purpose and a lifetime of at most 825 days.
        leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        leaf.not_before = (read_system_time() - DAY).into();
        leaf.not_after = (read_system_time() + 30 * DAY).into();
        adjust(&mut leaf);
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { leaf: certificate.der().clone(), key, authority_pem: pem }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[expect(clippy::disallowed_methods, reason = "TLS compares a certificate with the real time")]
fn read_system_time() -> SystemTime {
    SystemTime::now()
}

/// Writes a bundle into a temporary file, which is deleted when it is dropped.
pub(super) fn write_bundle(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}
