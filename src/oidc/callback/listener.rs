//! Binds the redirect URI's port before the browser opens, on every loopback address that its host name may resolve to.
//!
//! The process that holds the port receives the code, so the program binds every address before it opens the browser
//! (RFC 8252 §8.3). If it cannot, the error lists each port with the reason and, where known, the process that holds
//! it.

use std::{
    fmt,
    io::{Error, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{net::TcpListener, sync::oneshot};

use super::{CallbackAddresses, CallbackError, CallbackEvent, PortHolder, server::CallbackServer};
use crate::{
    config::{RedirectHost, RedirectUri},
    host,
    secret::Secret,
};

/// The characters of a start path. Letters and digits that look alike are left out, because users type the address by
/// hand on machines without a browser.
const PATH_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PATH_LENGTH: usize = 8;

/// A port that is free in IPv4 may be in use in IPv6. The program then tries another, at most this often.
const MAX_PORT_ATTEMPTS: usize = 16;

/// A bound port that does not answer yet. Connections wait in the system's queue until `start_serving` is called.
pub struct CallbackListener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) server: CallbackServer,
    pub(super) receiver: oneshot::Receiver<Result<Secret, CallbackError>>,
    redirect: RedirectUri,
}

#[derive(Debug)]
pub struct BindError {
    pub attempts: Vec<BindAttempt>,
}

#[derive(Debug)]
pub struct BindAttempt {
    /// Port 0 means any free port.
    pub address: SocketAddr,
    pub obstacle: BindObstacle,
}

/// Why the system refused the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindObstacle {
    /// Another process listens there. Names it where that is known.
    InUse(Option<PortHolder>),
    /// A port below 1024, or one that the system reserves.
    Denied,
    Other(ErrorKind),
}

impl CallbackListener {
    /// Binds the first registered port that is free on every loopback address, or any free port if none is registered
    /// (RFC 8252 §7.3).
    ///
    /// On Unix, tokio sets `SO_REUSEADDR`. Closed connections of the last sign-in then do not block a registered port
    /// for a minute, and no other process can share a listening address. On Windows, the option stays unset, because
    /// there it would let another process share the port. `SO_EXCLUSIVEADDRUSE`, which would prevent that completely,
    /// is not available in std and tokio. If another process receives the code anyway, it lacks the PKCE verifier.
    pub async fn bind(redirect: &RedirectUri) -> Result<Self, BindError> {
        let mut attempts = Vec::new();
        let any = [0; MAX_PORT_ATTEMPTS];
        let ports: &[u16] = if redirect.ports.is_empty() { &any } else { &redirect.ports };
        for port in ports {
            match bind_every_family(redirect.host, *port).await {
                Ok((sockets, port)) => return Ok(Self::new(sockets, port, redirect)),
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(BindError { attempts })
    }

    fn new(sockets: Vec<TcpListener>, port: u16, redirect: &RedirectUri) -> Self {
        let addresses = CallbackAddresses {
            port,
            callback_path: redirect.path.clone(),
            start_path: Secret::new(format!("/{}", generate_path_segment())),
            result_path: Secret::new(format!("/done-{}", generate_path_segment())),
        };
        let (sender, receiver) = oneshot::channel();
        Self { sockets, server: CallbackServer::new(addresses, sender), receiver, redirect: redirect.clone() }
    }

    /// Sends every event to `listener`, for the log.
    #[must_use]
    pub fn with_reporter(mut self, listener: impl Fn(CallbackEvent) + Send + Sync + 'static) -> Self {
        self.server.report = Box::new(listener);
        self
    }

    /// The redirect URI to send to the provider. It equals the registered one (RFC 9700 §2.1), apart from a free port.
    pub fn redirect_uri(&self) -> String {
        self.redirect.uri_for_port(self.server.addresses.port)
    }

    /// The short address that redirects to the provider. The program passes this one to the browser, so the state of
    /// the authorization request appears in no process list and no terminal.
    pub fn start_address(&self) -> String {
        let CallbackAddresses { start_path, port, .. } = &self.server.addresses;
        RedirectUri { path: start_path.expose().to_owned(), ..self.redirect.clone() }.uri_for_port(*port)
    }
}

/// Returns whether the address has the form of [`CallbackListener::start_address`]. A process that reads the address
/// from a file of another process checks it before it prints it.
pub fn is_start_address(address: &str) -> bool {
    let Some((host, rest)) = address.strip_prefix("http://").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let Some((port, word)) = rest.split_once('/') else { return false };
    let is_word = word.len() == PATH_LENGTH && word.bytes().all(|letter| PATH_ALPHABET.contains(&letter));
    let is_port = port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
    ["127.0.0.1", "localhost"].contains(&host) && is_port && is_word
}

/// Binds the port on every address that the host name stands for. Returns the actual port if `port` is 0.
async fn bind_every_family(host: RedirectHost, port: u16) -> Result<(Vec<TcpListener>, u16), BindAttempt> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let first = bind_address(address).await?;
    let failed = |error: Error| BindAttempt { address, obstacle: BindObstacle::Other(error.kind()) };
    let port = first.local_addr().map_err(failed)?.port();
    if host == RedirectHost::LoopbackIp {
        return Ok((vec![first], port));
    }
    // A browser may resolve `localhost` to [::1] first, and a process that holds that address would receive the code
    // (RFC 8252 §8.3). Machines without IPv6 have no such address.
    match bind_address(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(second) => Ok((vec![first, second], port)),
        Err(BindAttempt { obstacle: BindObstacle::Other(ErrorKind::AddrNotAvailable), .. }) => Ok((vec![first], port)),
        Err(attempt) => Err(attempt),
    }
}

/// Binds one address. A failure names the cause and, if another process holds the port, that process.
pub async fn bind_address(address: SocketAddr) -> Result<TcpListener, BindAttempt> {
    TcpListener::bind(address)
        .await
        .map_err(|error| BindAttempt { address, obstacle: classify_bind_error(&error, address.port()) })
}

fn classify_bind_error(error: &Error, port: u16) -> BindObstacle {
    match error.kind() {
        ErrorKind::AddrInUse => BindObstacle::InUse(PortHolder::find_by_port(port)),
        ErrorKind::PermissionDenied => BindObstacle::Denied,
        _ if is_unsupported_family(error) => BindObstacle::Other(ErrorKind::AddrNotAvailable),
        other => BindObstacle::Other(other),
    }
}

/// Returns whether the error is `EAFNOSUPPORT` (of Linux, macOS or Windows), for which std has no kind.
fn is_unsupported_family(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

/// Returns eight random characters: 40 bits, too many to guess during one sign-in, and easy to type.
pub(super) fn generate_path_segment() -> String {
    let mut bytes = [0; PATH_LENGTH];
    host::fill_random(&mut bytes);
    let letters = bytes.iter().filter_map(|byte| PATH_ALPHABET.get(usize::from(byte % 32)));
    letters.copied().map(char::from).collect()
}

impl fmt::Debug for CallbackListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackListener").field("redirect_uri", &self.redirect_uri()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use testworld::Port;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    fn redirect(host: RedirectHost, ports: &[u16]) -> RedirectUri {
        RedirectUri { host, ports: ports.to_vec(), path: "/callback".into() }
    }

    #[test]
    fn only_exact_start_addresses_are_recognised() {
        run(async {
            for host in [RedirectHost::LoopbackIp, RedirectHost::Localhost] {
                let listener = CallbackListener::bind(&redirect(host, &[])).await.unwrap();
                assert!(is_start_address(&listener.start_address()), "{}", listener.start_address());
            }
        });
        for other in [
            "http://127.0.0.1:80/abcdefgh?x",
            "http://127.0.0.1:80/abcdefg",
            "http://127.0.0.1:80/abcdefg1",
            "http://127.0.0.1:80@evil.example/abcdefgh",
            "http://127.0.0.1:99999/abcdefgh",
            "http://localhost.evil.example:80/abcdefgh",
            "http://127.0.0.1/abcdefgh",
            "https://127.0.0.1:80/abcdefgh",
            "http://127.0.0.1:80/abcdef\u{1b}h",
        ] {
            assert!(!is_start_address(other), "{other}");
        }
    }

    #[test]
    fn busy_port_is_skipped_for_the_next_registered_one() {
        run(async {
            let (busy, free) = (Port::reserve(), Port::reserve());
            let _other = busy.listen();
            let ports = [busy.number(), free.number()];
            let listener = CallbackListener::bind(&redirect(RedirectHost::LoopbackIp, &ports)).await.unwrap();
            assert_eq!(listener.redirect_uri(), format!("http://127.0.0.1:{free}/callback"));
        });
    }

    #[test]
    fn all_busy_ports_are_listed_with_their_processes() {
        run(async {
            let ports = [Port::reserve(), Port::reserve()];
            let _others = ports.each_ref().map(Port::listen);
            let ports = ports.each_ref().map(Port::number);
            let error = CallbackListener::bind(&redirect(RedirectHost::LoopbackIp, &ports)).await.unwrap_err();
            assert_eq!(error.attempts.iter().map(|attempt| attempt.address.port()).collect::<Vec<_>>(), ports);
            for attempt in error.attempts {
                let BindObstacle::InUse(holder) = attempt.obstacle else { panic!("{:?}", attempt.obstacle) };
                let known = holder.map(|holder| holder.pid);
                assert_eq!(known, cfg!(target_os = "linux").then(std::process::id));
            }
        });
    }

    #[test]
    fn port_in_use_on_ipv6_counts_as_busy() {
        run(async {
            let port = Port::reserve();
            let Some(_other) = port.listen_on(Ipv6Addr::LOCALHOST) else { return };
            let error = CallbackListener::bind(&redirect(RedirectHost::Localhost, &[port.number()])).await.unwrap_err();
            assert!(
                matches!(error.attempts.as_slice(), [BindAttempt { obstacle: BindObstacle::InUse(_), .. }]),
                "{error:?}"
            );
            assert!(error.attempts[0].address.is_ipv6());
        });
    }
}
