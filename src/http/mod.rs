//! The HTTP client for the provider and for AWS.
//!
//! It verifies certificates, uses the configured proxy, limits time and body size, and never follows a redirect: a
//! redirect could carry a code, a refresh token or a client secret to another host. It accepts plain http for loopback
//! hosts only. A failed request yields a typed fact about its cause. Callers interpret the answers.

mod aws_connector;
mod authority;
mod proxy_bypass;
mod error;
mod resolver;
mod proxy_probe;
mod proxy;
mod settings;
mod request_error;
#[cfg(test)]
pub(crate) mod testing;
mod trust;
mod verifier;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use ::http::{HeaderMap, StatusCode, header};
use reqwest::redirect;
use serde::de::DeserializeOwned;

pub use self::{
    authority::{BundleAuthority, list_added_authorities},
    error::{BundleFault, Error, ProxyFault, TlsFault, UnusedReason, UnusedVariable},
    proxy::{NO_PROXY_VARIABLES, PROXY_VARIABLES, ProxyChoice},
    settings::{HttpSettings, UnusedVariables},
    trust::TrustConfig,
};
use self::{proxy::ProxyRules, request_error::RequestContext, resolver::SystemResolver};
use crate::{host, log, text::UntrustedText, time::Timestamp, trait_impls::impl_debug, url::SecureUrl};

/// The most bytes of a body that are read, so that a hostile or broken server cannot fill the memory. The largest
/// normal answer, a key set, has about ten kilobytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// The same for a service: an answer of DynamoDB has up to 16 MiB of items, and JSON makes them larger.
const SERVICE_BODY_LIMIT: usize = 32 * 1024 * 1024;

/// How long an idle connection of a service stays open. AWS closes it later than that.
const SERVICE_IDLE_TIME: Duration = Duration::from_secs(15);

/// For name resolution, TCP, the proxy's tunnel and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// From the request to the end of the answer, unless the caller chooses another timeout.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The client. Cloning is cheap. Creating one takes milliseconds, because it reads and parses the root certificates,
/// so a process creates one.
#[derive(Clone)]
pub struct Client {
    direct: reqwest::Client,
    proxied: Option<reqwest::Client>,
    proxies: ProxyRules,
    /// From the request to the end of the answer.
    total_timeout: Duration,
    body_limit: usize,
    logs_paths: bool,
    unused: Arc<UnusedVariables>,
}

/// Whether a connection serves more than one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionUse {
    /// A server closes an idle connection after some seconds, while a sign-in takes longer. A request that is sent at that
    /// moment fails, and its code or refresh token may be spent.
    Once,
    /// For requests that can be repeated, and that are too many for a TLS handshake each.
    Many,
}

/// A complete answer. A redirect arrives here like any other status.
#[derive(Debug)]
pub struct FullResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The address that answered: the server's, or that of a proxy.
    pub peer: Option<IpAddr>,
    /// The server's certificate in DER; `None` for plain http.
    certificate: Option<Vec<u8>>,
}

impl Client {
    /// Creates the client, and logs every variable that is set but not used. Fails if a proxy address or a CA bundle
    /// is unusable: a client that ignored them would fail later with a cause that is harder to see.
    pub fn new(settings: HttpSettings<'_>) -> Result<Self, Error> {
        Self::from_settings(settings, ConnectionUse::Once)
    }

    /// Creates the client of a service that sends many requests to one host, all of which it can repeat: it reuses
    /// connections and accepts larger bodies.
    pub fn new_for_service(settings: HttpSettings<'_>) -> Result<Self, Error> {
        let client = Self::from_settings(settings, ConnectionUse::Many)?;
        Ok(Self { body_limit: SERVICE_BODY_LIMIT, ..client })
    }

    fn from_settings(settings: HttpSettings<'_>, connections: ConnectionUse) -> Result<Self, Error> {
        let HttpSettings { environment, ca_bundle, proxy, authority_variables, unused } = settings;
        let proxies = ProxyRules::from_choice(&proxy, environment, &host::read_system_proxy())?;
        let trust = TrustConfig::new(ca_bundle, environment, authority_variables);
        for UnusedVariable { name, reason: because, .. } in unused.iter() {
            log::info("http", format_args!("{name} is not used, because {because}"));
        }
        Ok(Self { unused: Arc::new(unused), ..Self::build(&trust, proxies, connections)? })
    }

    fn build(trust: &TrustConfig, proxies: ProxyRules, connections: ConnectionUse) -> Result<Self, Error> {
        let idle_connections = match connections {
            ConnectionUse::Once => 0,
            ConnectionUse::Many => usize::MAX,
        };
        let tls = verifier::build_tls_config(trust)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .tls_info(true)
                .dns_resolver(Arc::new(SystemResolver))
                .user_agent(concat!("bedrock-sso/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .referer(false)
                .pool_max_idle_per_host(idle_connections)
                .pool_idle_timeout(SERVICE_IDLE_TIME)
                .connect_timeout(CONNECT_TIMEOUT)
        };
        let direct = builder().no_proxy().build().map_err(|_| Error::Internal)?;
        let proxied = proxies.build_proxied_client(builder())?;
        Ok(Self {
            direct,
            proxied,
            proxies,
            total_timeout: TOTAL_TIMEOUT,
            body_limit: BODY_LIMIT,
            logs_paths: true,
            unused: Arc::default(),
        })
    }

    /// Returns a client with another total timeout.
    #[must_use]
    pub fn with_total_timeout(&self, total_timeout: Duration) -> Self {
        Self { total_timeout, ..self.clone() }
    }

    /// Returns a client whose total timeout is at most this one.
    #[must_use]
    pub fn with_timeout_limit(&self, limit: Duration) -> Self {
        self.with_total_timeout(self.total_timeout.min(limit))
    }

    /// Returns a client that reads at most this many bytes of a body.
    #[must_use]
    pub fn with_body_limit(&self, body_limit: usize) -> Self {
        Self { body_limit, ..self.clone() }
    }

    /// Returns a client whose log leaves out the paths: that of a webhook is often a secret.
    #[must_use]
    pub fn with_hidden_paths(&self) -> Self {
        Self { logs_paths: false, ..self.clone() }
    }

    /// Sends a GET request that accepts this content type. `url` is a parsed address. Fails as [`Self::send`] does.
    pub async fn get(&self, url: &str, accepted: &'static str) -> Result<FullResponse, Error> {
        let request = ::http::Request::get(url).header(header::ACCEPT, accepted).body(Vec::new());
        self.send(request.expect("a parsed address forms a valid request")).await
    }

    /// Sends one request: 10 s to connect, 30 s in total by default, at most 1 MiB of body, no redirects.
    ///
    /// The log gets method, host and path (see [`Self::with_hidden_paths`]), but no query, header or body, which may
    /// contain secrets.
    pub async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<FullResponse, Error> {
        let target = SecureUrl::parse(&request.uri().to_string())
            .map_err(|_| Error::NotSecure { host: request.uri().host().unwrap_or_default().to_owned() })?;
        let mut request = reqwest::Request::try_from(request).map_err(|_| Error::Internal)?;
        *request.timeout_mut() = Some(self.total_timeout);
        let path = if self.logs_paths { request.url().path() } else { "" };
        let sent = format!("{} {}{path}", request.method(), target.authority());
        self.execute_request(request, &target)
            .await
            .inspect(|answer| log::debug("http", format_args!("{sent}: {}", answer.status.as_u16())))
            .inspect_err(|error| log::info("http", format_args!("{sent}: {error:?}")))
    }

    /// Host and port of the proxy for this address; `None` if the client connects directly.
    pub fn proxy_for(&self, target: &SecureUrl) -> Option<&str> {
        self.proxies.proxy_for(target).map(|proxy| proxy.host_and_port.as_str())
    }

    /// Sends the request through the proxy or directly, and adds to a failure what the user may need to know: the
    /// proxy's own answer, a proxy script that the program does not run, or a variable that it does not use.
    async fn execute_request(&self, request: reqwest::Request, target: &SecureUrl) -> Result<FullResponse, Error> {
        let proxy = self.proxies.proxy_for(target);
        let client = proxy.and(self.proxied.as_ref()).unwrap_or(&self.direct);
        let context = RequestContext { host: target.authority(), proxy, total_timeout: self.total_timeout };
        let mut answer = match client.execute(request).await {
            Ok(response) => read_response(response, &context, self.body_limit).await,
            Err(error) => Err(context.classify_error(&error)),
        };
        if let (Err(Error::Proxy { fault, .. }), Some(proxy)) = (&mut answer, proxy) {
            *fault = proxy_probe::explain_proxy_fault(fault.clone(), proxy, target).await;
        } else if proxy.is_none() && self.proxies.skips_pac_script(target) {
            answer = answer.map_err(Error::with_pac_script_note);
        }
        answer.map_err(|error| self.unused.explain_error(error, target))
    }
}

/// Runs a future on a new runtime. There is no global runtime, because a call with cached credentials needs none.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // Dropping the runtime would wait for unfinished name lookups, which can take half a minute.
    runtime.shutdown_background();
    Ok(result)
}

/// Reads the body and stops at the limit, also when the server announced no length or a wrong one.
async fn read_response(
    mut response: reqwest::Response,
    context: &RequestContext<'_>,
    limit: usize,
) -> Result<FullResponse, Error> {
    let too_large = || Error::TooLarge { host: context.host.to_owned(), limit };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| context.classify_error(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let tls = response.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate = tls.and_then(|tls| tls.peer_certificate()).map(<[u8]>::to_vec);
    Ok(FullResponse {
        status: response.status(),
        peer: response.remote_addr().map(|address| address.ip()),
        headers: std::mem::take(response.headers_mut()),
        body,
        certificate,
    })
}

/// Parses a JSON object. Without the check, serde would also accept a JSON array for a struct, element by element.
pub fn parse_json_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if is_object { serde_json::from_slice(body).ok() } else { None }
}

impl FullResponse {
    /// The server's clock: `Date`, plus the `Age` that a cache on the way adds (RFC 9111 §4.2.3).
    pub fn server_date(&self) -> Option<Timestamp> {
        let text = |name| self.headers.get(name)?.to_str().ok();
        let age = text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
        Some(Timestamp::from_http_date(text(header::DATE)?)?.saturating_add(Duration::from_secs(age)))
    }

    /// The issuer of the server's certificate. Behind a TLS-intercepting proxy it names the proxy's CA.
    pub fn certificate_issuer(&self) -> Option<UntrustedText> {
        verifier::read_issuer_name(self.certificate.as_deref()?)
    }
}

impl_debug!(Client, |_| "Client");

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::{
        testing::{LoopbackServer, TestCertificate, block_on, get_request, test_client, write_bundle, write_response},
        *,
    };
    use crate::host::{Environment, VariableUse};

    fn failure(address: &str) -> Error {
        failure_of(&test_client(&TrustConfig::default()), address)
    }

    fn failure_of(client: &Client, address: &str) -> Error {
        block_on(client.send(get_request(address))).unwrap_err()
    }

    fn trusting(identity: &TestCertificate) -> Client {
        let file = write_bundle(&identity.authority_pem);
        test_client(&TrustConfig::new(Some(file.path()), &Environment::fixed([]), VariableUse::Honored))
    }

    #[test]
    fn answer_is_returned_completely() {
        let server = LoopbackServer::start_plain(|_, out| {
            write_response(out, "200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "hello");
        });
        let answer =
            block_on(test_client(&TrustConfig::default()).send(get_request(&server.base_url("http")))).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, b"hello".as_slice()));
        assert_eq!(answer.server_date(), Some(Timestamp::from_unix(784_111_777)));
        let request = server.requests.recv().unwrap().to_lowercase();
        assert!(request.contains(concat!("user-agent: bedrock-sso/", env!("CARGO_PKG_VERSION"))), "{request}");
        assert!(!request.contains("accept-encoding") && !request.contains("cookie"), "{request}");
    }

    #[test]
    fn connections_are_not_reused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let request = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n").unwrap();
            (request > 0, stream.read(&mut [0; 4096]).ok())
        });
        let client = test_client(&TrustConfig::default());
        let after_the_answer = block_on(async {
            client.send(get_request(&address)).await.unwrap();
            tokio::task::spawn_blocking(move || server.join().unwrap()).await.unwrap()
        });
        assert_eq!(after_the_answer, (true, Some(0)), "the client closes the connection");
    }

    #[test]
    fn a_service_reuses_a_connection_and_reads_large_bodies() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let body = vec![b'x'; BODY_LIMIT + 1];
        let server = std::thread::spawn(move || {
            // Only the first connection is accepted.
            let (mut stream, _) = listener.accept().unwrap();
            for body in [&b""[..], &body] {
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body).unwrap();
            }
        });
        let environment = Environment::fixed([]);
        let client = Client::new_for_service(HttpSettings::from_environment(&environment)).unwrap();
        let lengths = block_on(async {
            let client = client.with_total_timeout(Duration::from_secs(20));
            let first = client.send(get_request(&address)).await.unwrap();
            let second = client.send(get_request(&address)).await.unwrap();
            [first.body.len(), second.body.len()]
        });
        assert_eq!(lengths, [0, BODY_LIMIT + 1]);
        server.join().unwrap();
    }

    #[test]
    fn answer_from_a_cache_is_dated_by_its_age() {
        let server = LoopbackServer::start_plain(|_, out| {
            write_response(out, "200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 1358\r\n", "");
        });
        let client = test_client(&TrustConfig::default());
        let answer = block_on(client.send(get_request(&server.base_url("http")))).unwrap();
        assert_eq!(answer.server_date(), Some(Timestamp::from_unix(784_111_777 + 1358)));
    }

    #[test]
    fn redirect_is_returned_and_not_followed() {
        let server = LoopbackServer::start_plain(|_, out| {
            write_response(out, "302 Found", "Location: /elsewhere\r\n", "");
        });
        let answer =
            block_on(test_client(&TrustConfig::default()).send(get_request(&server.base_url("http")))).unwrap();
        assert_eq!(
            (answer.status, answer.headers[header::LOCATION].as_bytes()),
            (StatusCode::FOUND, b"/elsewhere".as_slice())
        );
        assert_eq!(server.requests.try_iter().count(), 1);
    }

    #[test]
    fn server_of_a_bundled_authority_is_trusted() {
        let identity = TestCertificate::new("localhost", "Acme Root");
        let server = LoopbackServer::start_tls(&identity, "http/1.1", |_, out| write_response(out, "200 OK", "", ""));
        let client = trusting(&identity);
        assert_eq!(block_on(client.send(get_request(&server.base_url("https")))).unwrap().status, StatusCode::OK);

        let server = LoopbackServer::start_tls(&identity, "h2", |_, _| {});
        failure_of(&client, &server.base_url("https"));
        assert!(server.requests.recv().unwrap().starts_with("PRI * HTTP/2.0"));
    }

    #[test]
    fn an_untrusted_server_is_named_by_its_issuer() {
        let identity = TestCertificate::new("localhost", "Zscaler Intermediate CA");
        let server = LoopbackServer::start_tls(&identity, "http/1.1", |_, _| {});
        let error = failure(&server.base_url("https"));
        let host = format!("localhost:{}", server.address.port());
        let issuer = Some(UntrustedText::new("Zscaler Intermediate CA"));
        assert_eq!(error, Error::Tls { host, fault: TlsFault::Untrusted, issuer });
    }

    #[test]
    fn certificate_of_wrong_name_or_time_is_rejected() {
        for (identity, fault) in [
            (TestCertificate::new("other.example", "Acme Root"), TlsFault::WrongName),
            (TestCertificate::new_expired("localhost", "Acme Root"), TlsFault::Expired),
        ] {
            let server = LoopbackServer::start_tls(&identity, "http/1.1", |_, _| {});
            let error = failure_of(&trusting(&identity), &server.base_url("https"));
            assert!(matches!(&error, Error::Tls { fault: what, .. } if *what == fault), "{error}");
        }
    }

    #[test]
    fn plain_server_is_a_failed_tls_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad\r\n\r\n"));
        let error = failure(&address);
        assert!(matches!(error, Error::Tls { fault: TlsFault::Handshake(_), .. }), "{error}");
    }

    #[test]
    fn interrupted_handshake_is_not_an_unreachable_host() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || drop(listener.accept()));
        assert_eq!(failure(&format!("https://{host}/")), Error::Interrupted { host });
    }

    #[test]
    fn closed_port_differs_from_unknown_name() {
        let closed = testworld::Port::reserve();
        let host = format!("127.0.0.1:{closed}");
        assert_eq!(failure(&format!("http://{host}/")), Error::Connect { host });
        assert_eq!(failure("https://nothing.invalid:8443/"), Error::Dns { host: "nothing.invalid".into() });
    }

    /// The system's resolver cannot be cancelled, and takes half a minute or more when it reaches no name server.
    #[test]
    fn unfinished_name_lookup_does_not_block_the_end() {
        let (_found, lookup) = std::sync::mpsc::channel::<()>();
        let mut looking = None;
        super::block_on(async {
            let (begun, begins) = tokio::sync::oneshot::channel();
            looking = Some(tokio::task::spawn_blocking(move || {
                let _ = begun.send(());
                lookup.recv_timeout(Duration::from_secs(10)).is_ok()
            }));
            begins.await.unwrap();
        })
        .unwrap();
        assert!(!looking.unwrap().is_finished());
    }

    #[test]
    fn silent_server_ends_in_a_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let whole = Duration::from_millis(50);
        let client = test_client(&TrustConfig::default()).with_total_timeout(whole);
        assert_eq!(failure_of(&client, &format!("http://{host}/")), Error::Timeout { host, after: whole });
    }

    #[test]
    fn body_over_the_limit_is_rejected_announced_or_not() {
        let announced = LoopbackServer::start_plain(|_, out| {
            let _ = write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20);
        });
        let (sender, written) = std::sync::mpsc::channel();
        let endless = LoopbackServer::start_plain(move |_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let sent = (0..1024).take_while(|_| out.write_all(&[b'x'; 64 << 10]).is_ok()).count();
            let _ = sender.send(sent * (64 << 10));
        });
        for server in [&announced, &endless] {
            let error = failure(&server.base_url("http"));
            assert!(matches!(error, Error::TooLarge { limit: BODY_LIMIT, .. }), "{error}");
        }
        assert!(written.recv().unwrap() < 32 << 20, "the server could send everything");
    }

    #[test]
    fn interrupted_body_is_an_error() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        });
        let error = failure(&server.base_url("http"));
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    }

    #[test]
    fn plain_http_to_another_machine_is_refused() {
        assert_eq!(failure("http://a.example/x"), Error::NotSecure { host: "a.example".into() });
    }
}
