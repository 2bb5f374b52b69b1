//! The one HTTP client, for the provider and for AWS alike: the system's roots and the company's, proxies,
//! deadlines, a bounded body, no redirects.
//!
//! It carries requests and names what went wrong on the way; what an answer means is its caller's business.

mod aws_connector;
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

use std::{io, sync::Arc, time::Duration};

use ::http::{HeaderMap, StatusCode, header};
use reqwest::redirect;
use serde::de::DeserializeOwned;

pub use self::{
    error::{BundleFault, Error, ProxyFault, TlsFault, UnusedReason, UnusedVariable},
    proxy::{NO_PROXY_VARIABLES, PROXY_VARIABLES, ProxyChoice},
    settings::{HttpSettings, UnusedVariables},
    trust::TrustConfig,
};
use self::{proxy::ProxyRules, request_error::RequestContext, resolver::SystemResolver};
use crate::{host, log, text::UntrustedText, time::Timestamp, trait_impls::impl_debug, url::SecureUrl};

/// The most of a body that is ever read. The largest honest answer, a key set, has some ten kilobytes.
const BODY_LIMIT: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For a whole answer, unless said otherwise.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Cheap to clone. Making one costs milliseconds, for the roots are read and parsed: once per process is enough.
#[derive(Clone)]
pub struct Client {
    direct: reqwest::Client,
    proxied: Option<reqwest::Client>,
    proxies: ProxyRules,
    /// How long a whole answer may take.
    total_timeout: Duration,
    unused: Arc<UnusedVariables>,
}

/// A whole answer. A redirect is one too: nothing is followed.
#[derive(Debug)]
pub struct FullResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The server's certificate, in DER, where it has one.
    certificate: Option<Vec<u8>>,
}

impl Client {
    pub fn new(settings: HttpSettings<'_>) -> Result<Self, Error> {
        let HttpSettings { environment, ca_bundle, proxy, authority_variables, unused } = settings;
        let proxies = ProxyRules::from_choice(&proxy, environment, &host::read_system_proxy())?;
        let trust = TrustConfig::new(ca_bundle, environment, authority_variables);
        for UnusedVariable { name, reason: because, .. } in unused.iter() {
            log::info("http", format_args!("{name} is not used, because {because}"));
        }
        Ok(Self { unused: Arc::new(unused), ..Self::build(&trust, proxies)? })
    }

    fn build(trust: &TrustConfig, proxies: ProxyRules) -> Result<Self, Error> {
        let tls = verifier::build_tls_config(trust)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .tls_info(true)
                .dns_resolver(Arc::new(SystemResolver))
                .user_agent(concat!("bedrock-sso/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .referer(false)
                // No connection waits for a second request: a server closes it after some seconds, a sign-in takes
                // longer, and a code or a refresh token sent at that moment is lost.
                .pool_max_idle_per_host(0)
                .connect_timeout(CONNECT_TIMEOUT)
        };
        let direct = builder().no_proxy().build().map_err(|_| Error::Internal)?;
        let proxied = proxies.build_proxied_client(builder())?;
        Ok(Self { direct, proxied, proxies, total_timeout: TOTAL_TIMEOUT, unused: Arc::default() })
    }

    /// The same, with less patience for a whole answer.
    #[must_use]
    pub fn with_total_timeout(&self, total_timeout: Duration) -> Self {
        Self { total_timeout, ..self.clone() }
    }

    /// Asks for what is at an address that was parsed, in this type of content. Answers as [`Self::send`] does.
    pub async fn get(&self, url: &str, accepted: &'static str) -> Result<FullResponse, Error> {
        let request = ::http::Request::get(url).header(header::ACCEPT, accepted).body(Vec::new());
        self.send(request.expect("an address that was parsed makes a request")).await
    }

    /// One request, one answer: 10 s to connect, 30 s in all unless said otherwise, at most 1 MiB of body, no redirects.
    pub async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<FullResponse, Error> {
        let target = SecureUrl::parse(&request.uri().to_string())
            .map_err(|_| Error::NotSecure { host: request.uri().host().unwrap_or_default().to_owned() })?;
        let mut request = reqwest::Request::try_from(request).map_err(|_| Error::Internal)?;
        *request.timeout_mut() = Some(self.total_timeout);
        let sent = format!("{} {}{}", request.method(), target.authority(), request.url().path());
        self.execute_request(request, &target)
            .await
            .inspect(|answer| log::debug("http", format_args!("{sent}: {}", answer.status.as_u16())))
            .inspect_err(|error| log::info("http", format_args!("{sent}: {error:?}")))
    }

    /// Host and port of the proxy that requests for this address pass through; none when it is reached directly.
    pub fn proxy_for(&self, target: &SecureUrl) -> Option<&str> {
        self.proxies.proxy_for(target).map(|proxy| proxy.host_and_port.as_str())
    }

    async fn execute_request(&self, request: reqwest::Request, target: &SecureUrl) -> Result<FullResponse, Error> {
        let proxy = self.proxies.proxy_for(target);
        let client = proxy.and(self.proxied.as_ref()).unwrap_or(&self.direct);
        let context = RequestContext { host: target.authority(), proxy, total_timeout: self.total_timeout };
        let mut answer = match client.execute(request).await {
            Ok(response) => read_response(response, &context).await,
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

/// Runs what speaks to the network to its end, on a runtime of its own: the common case needs none.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // Dropped, it would wait for lookups of names that nobody waits for any more.
    runtime.shutdown_background();
    Ok(result)
}

/// Reads the answer and stops at the limit, whatever length the server announced.
async fn read_response(mut response: reqwest::Response, context: &RequestContext<'_>) -> Result<FullResponse, Error> {
    let too_large = || Error::TooLarge { host: context.host.to_owned(), limit: BODY_LIMIT };
    if response.content_length().is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| context.classify_error(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let tls = response.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate = tls.and_then(|tls| tls.peer_certificate()).map(<[u8]>::to_vec);
    Ok(FullResponse { status: response.status(), headers: std::mem::take(response.headers_mut()), body, certificate })
}

/// The object that a body holds. The parser by itself takes a list as well, value by value, for a struct.
pub fn parse_json_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if is_object { serde_json::from_slice(body).ok() } else { None }
}

impl FullResponse {
    /// The server's clock: its `Date`, and the `Age` that a cache in between adds (RFC 9111 §4.2.3).
    pub fn server_date(&self) -> Option<Timestamp> {
        let text = |name| self.headers.get(name)?.to_str().ok();
        let age = text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
        Some(Timestamp::from_http_date(text(header::DATE)?)?.saturating_add(Duration::from_secs(age)))
    }

    /// Who vouches for the server: the name of its certificate's issuer.
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
    fn an_answer_is_handed_over_whole() {
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
    fn no_connection_waits_for_a_second_request() {
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
    fn answer_from_a_cache_is_dated_by_its_age() {
        let server = LoopbackServer::start_plain(|_, out| {
            write_response(out, "200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 1358\r\n", "");
        });
        let client = test_client(&TrustConfig::default());
        let answer = block_on(client.send(get_request(&server.base_url("http")))).unwrap();
        assert_eq!(answer.server_date(), Some(Timestamp::from_unix(784_111_777 + 1358)));
    }

    #[test]
    fn a_redirect_is_an_answer_and_is_not_followed() {
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
    fn a_server_signed_by_the_bundle_is_trusted_and_may_speak_http_2() {
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
    fn a_certificate_for_another_host_or_another_year_is_refused_as_such() {
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
    fn a_server_without_tls_is_a_failed_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad\r\n\r\n"));
        let error = failure(&address);
        assert!(matches!(error, Error::Tls { fault: TlsFault::Handshake(_), .. }), "{error}");
    }

    #[test]
    fn a_handshake_cut_short_is_no_absent_host() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || drop(listener.accept()));
        assert_eq!(failure(&format!("https://{host}/")), Error::Interrupted { host });
    }

    #[test]
    fn nobody_there_is_told_apart_from_no_such_name() {
        let closed = testworld::Port::reserve();
        let host = format!("127.0.0.1:{closed}");
        assert_eq!(failure(&format!("http://{host}/")), Error::Connect { host });
        assert_eq!(failure("https://nothing.invalid:8443/"), Error::Dns { host: "nothing.invalid".into() });
    }

    /// The system's resolver cannot be broken off, and without a way to its servers takes half a minute or more.
    #[test]
    fn a_name_that_is_still_looked_up_holds_nobody_up() {
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
    fn silence_ends_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let whole = Duration::from_millis(50);
        let client = test_client(&TrustConfig::default()).with_total_timeout(whole);
        assert_eq!(failure_of(&client, &format!("http://{host}/")), Error::Timeout { host, after: whole });
    }

    #[test]
    fn a_body_is_cut_off_at_the_limit_announced_or_not() {
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
        assert!(written.recv().unwrap() < 32 << 20, "the server could say all it had");
    }

    #[test]
    fn a_connection_cut_in_the_middle_is_no_answer() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        });
        let error = failure(&server.base_url("http"));
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    }

    #[test]
    fn plain_http_never_leaves_this_machine() {
        assert_eq!(failure("http://a.example/x"), Error::NotSecure { host: "a.example".into() });
    }
}
