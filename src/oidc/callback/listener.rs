//! Takes the registered address before the browser opens, on every loopback family its name may resolve to.
//!
//! Where it cannot, it says which ports were tried, what stood in the way, and who.

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

/// What the path of a start address consists of.
const PATH_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PATH_LENGTH: usize = 8;

/// A free port of one family may be taken in the other; this often in a row it never is.
const MAX_PORT_ATTEMPTS: usize = 16;

/// The bound address, not yet answering: connections wait in the system's queue until `answer` is called.
pub struct CallbackListener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) server: CallbackServer,
    pub(super) receiver: oneshot::Receiver<Result<Secret, CallbackError>>,
    redirect: RedirectUri,
}

/// No port could be taken; one attempt for each that was tried.
#[derive(Debug)]
pub struct BindError {
    pub attempts: Vec<BindAttempt>,
}

#[derive(Debug)]
pub struct BindAttempt {
    /// Port 0 stands for any free one.
    pub address: SocketAddr,
    pub obstacle: BindObstacle,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindObstacle {
    /// Someone listens there already; who, where that is known.
    InUse(Option<PortHolder>),
    /// A port below 1024, or one that the system keeps for itself.
    Denied,
    Other(ErrorKind),
}

impl CallbackListener {
    /// Takes the first registered port that is free in every family, or any such port where none is registered.
    ///
    /// Unix: tokio sets `SO_REUSEADDR`, so that connections of the last sign-in that linger do not hold a registered
    /// port for a minute; it lets nobody share a listening address. Windows: it is left unset, since there it would
    /// let others share one. `SO_EXCLUSIVEADDRUSE`, which would also refuse another program that sets it, is out of
    /// reach of std and tokio; `state`, PKCE and `nonce` are what a code that went astray has to pass.
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

    /// Tells `listener` of everything that happens, for the log.
    #[must_use]
    pub fn with_reporter(mut self, listener: impl Fn(CallbackEvent) + Send + Sync + 'static) -> Self {
        self.server.report = Box::new(listener);
        self
    }

    /// What the provider is told, and has registered.
    pub fn redirect_uri(&self) -> String {
        self.redirect.uri_for_port(self.server.addresses.port)
    }

    /// The short address that leads to the provider, so that no state reaches a process list or a terminal.
    pub fn start_address(&self) -> String {
        let CallbackAddresses { start_path, port, .. } = &self.server.addresses;
        RedirectUri { path: start_path.expose().to_owned(), ..self.redirect.clone() }.uri_for_port(*port)
    }
}

/// Whether this program could have made the address with [`CallbackListener::start_address`].
pub fn is_start_address(address: &str) -> bool {
    let Some((host, rest)) = address.strip_prefix("http://").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let Some((port, word)) = rest.split_once('/') else { return false };
    let is_word = word.len() == PATH_LENGTH && word.bytes().all(|letter| PATH_ALPHABET.contains(&letter));
    let is_port = port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
    ["127.0.0.1", "localhost"].contains(&host) && is_port && is_word
}

/// Binds the port in every family that the host's name stands for, and gives it: port 0 becomes a free one.
async fn bind_every_family(host: RedirectHost, port: u16) -> Result<(Vec<TcpListener>, u16), BindAttempt> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let first = bind_address(address).await?;
    let failed = |error: Error| BindAttempt { address, obstacle: BindObstacle::Other(error.kind()) };
    let port = first.local_addr().map_err(failed)?.port();
    if host == RedirectHost::LoopbackIp {
        return Ok((vec![first], port));
    }
    // A browser may try [::1] first: whoever holds it there would be given the code.
    match bind_address(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(second) => Ok((vec![first, second], port)),
        Err(BindAttempt { obstacle: BindObstacle::Other(ErrorKind::AddrNotAvailable), .. }) => Ok((vec![first], port)),
        Err(attempt) => Err(attempt),
    }
}

pub(super) async fn bind_address(address: SocketAddr) -> Result<TcpListener, BindAttempt> {
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

/// `EAFNOSUPPORT`, which std gives no kind: Linux without IPv6, macOS, Windows.
fn is_unsupported_family(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

/// Eight characters nobody guesses within a sign-in, and none that is mistaken for another when typed by hand.
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
    fn a_start_address_is_told_from_any_other() {
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
    fn a_busy_port_is_passed_over_for_the_next_registered_one() {
        run(async {
            let (busy, free) = (Port::reserve(), Port::reserve());
            let _other = busy.listen();
            let ports = [busy.number(), free.number()];
            let listener = CallbackListener::bind(&redirect(RedirectHost::LoopbackIp, &ports)).await.unwrap();
            assert_eq!(listener.redirect_uri(), format!("http://127.0.0.1:{free}/callback"));
        });
    }

    #[test]
    fn when_all_ports_are_busy_each_is_named_with_its_holder() {
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
    fn a_port_that_someone_holds_in_the_other_family_is_busy() {
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
