//! The stand-alone server: its address, its connections, TLS, and how it ends.

mod admin_socket;

use std::{future::Future, io, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use bedrock_sso::{
    failure::Exit,
    log,
    text::{describe_io_error, display_path},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{
    api::{EnforcementRunner, Service, build_router_with},
    config::{Config, StoreLocation, TlsFiles},
    failure::Failure,
    prices::PriceList,
    relay::{Relay, build_relay_routes},
    store::Store,
};

/// The most bytes of one request's headers. A token with many groups has tens of kilobytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// How long a client may take for a TLS handshake, and for the headers of a request. An idle connection is closed after
/// this time, too.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);

/// How long open requests may take after the server has been asked to end. It is longer than a request's deadline.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(25);

/// The pause after a connection could not be accepted, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often what has expired is removed from the store.
const CLEANING_INTERVAL: Duration = Duration::from_secs(3600);

/// Serves until the process gets SIGTERM or Ctrl-C, and then finishes the open requests. Prints one line with the
/// address when it accepts requests.
pub async fn serve(config: &Config, prices: PriceList, store: Arc<dyn Store>) -> Result<(), Failure> {
    let stop = listen_for_signals().map_err(|error| describe_system_error("signals", &error))?;
    let service = Arc::new(Service::with_own_client(config, prices, store, EnforcementRunner::ThisProcess)?);
    if !config.identity_center.is_empty() {
        // Nothing here verifies signatures, so a header would be believed.
        log::warn(
            "serve",
            format_args!("[[identity_center]] has no effect: only a function of AWS Lambda believes signatures"),
        );
    }
    let telemetry = build_relay_routes(Relay::from_config(config)?);
    let listening = Listening::bind(config).await?;
    let mut background = JoinSet::new();
    background.spawn(clean_store(Arc::clone(&service)));
    let watch = Arc::clone(&service.watch);
    background.spawn(async move { watch.enforce_in_loop().await });
    if let StoreLocation::File(path) = &config.store {
        background.spawn(admin_socket::serve_administrators(path, Arc::clone(&service))?);
    }
    announce(&listening.url());
    listening.run(build_router_with(telemetry, service), stop).await;
    Ok(())
}

/// Removes what has expired, now and then.
async fn clean_store(service: Arc<Service>) {
    loop {
        // Nothing happens when an entry expires, so only time can start the cleaning.
        sleep(CLEANING_INTERVAL).await;
        if let Err(error) = service.store.remove_expired((service.now)()).await {
            log::warn("serve", format_args!("what has expired stays in the store: {error:?}"));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one line that says where the server listens")]
fn announce(url: &str) {
    eprintln!("bedrock-sso-server: listening on {url}");
}

/// A server that accepts connections, and has answered none yet.
pub struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listening").field(&self.url()).finish()
    }
}

impl Listening {
    /// Reads the certificate and binds the address. Port 0 lets the system choose a port.
    pub async fn bind(config: &Config) -> Result<Self, Failure> {
        let tls = config.tls.as_ref().map(load_tls).transpose()?;
        let failed = |error: io::Error| {
            Failure::new(
                Exit::Network,
                "serve/listen",
                format!("cannot listen on {}: {}", config.listen, describe_io_error(&error)),
                "choose another address with `listen`, or end the program that uses it",
            )
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, tls, address })
    }

    /// The address with the port that is really used.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers requests until `stop` is ready, and then finishes the open ones.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (tls, router) = (self.tls.clone(), router.clone());
                    tokio::spawn(serve_client(stream, tls, router, connections.watcher()));
                }
                Err(error) => {
                    log::warn("serve", format_args!("a connection cannot be accepted: {error}"));
                    // Without a pause the loop would occupy a processor until a file can be opened again.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // New connections are refused at once.
        drop(self.listener);
        if timeout(SHUTDOWN_PATIENCE, connections.shutdown()).await.is_err() {
            log::warn("serve", format_args!("some requests did not end in time"));
        }
    }
}

async fn serve_client(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, watcher: Watcher) {
    // Answers are small and complete, so waiting for more bytes only delays them.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_connection(stream, router, watcher).await,
        Some(tls) => match timeout(CLIENT_PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_connection(stream, router, watcher).await,
            Ok(Err(error)) => log::debug("serve", format_args!("a TLS handshake failed: {error}")),
            Err(_) => log::debug("serve", format_args!("a TLS handshake took too long")),
        },
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_PATIENCE)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        log::debug("serve", format_args!("a connection failed: {error}"));
    }
}

fn load_tls(files: &TlsFiles) -> Result<TlsAcceptor, Failure> {
    let unusable = |path: &Path, why: String| {
        Failure::configuration(
            format!("{} is not usable: {why}", display_path(path)),
            "name a certificate chain and its private key, both in PEM, in [tls]",
        )
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, error.to_string()))?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable(&files.certificate, error.to_string()))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Listens for SIGTERM and Ctrl-C from now on. The future ends with the first of them.
fn listen_for_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn describe_system_error(what: &str, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        "serve/system",
        format!("the operating system refuses {what}: {}", describe_io_error(error)),
        "report this message",
    )
}
