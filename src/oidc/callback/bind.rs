//! Takes the registered address before the browser opens, on every loopback family its name may resolve to.
//!
//! Where it cannot, it says which ports were tried, what stood in the way, and who.

use std::{
    fmt,
    io::{Error, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use tokio::net::TcpListener;

use super::{Event, Holder, serve::Patience};
use crate::{
    config::{Redirect, RedirectHost},
    host,
    secret::Secret,
};

/// What the path of a start address consists of.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const WORD_LENGTH: usize = 8;

/// A free port of one family may be taken in the other; this often in a row it never is.
const ROUNDS: usize = 16;

/// The bound address, not yet answering: connections wait in the system's queue until `answer` is called.
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) port: u16,
    pub(super) redirect: Redirect,
    pub(super) start: Secret,
    pub(super) result: Secret,
    pub(super) report: Arc<dyn Fn(Event) + Send + Sync>,
    pub(super) patience: Patience,
}

/// No port could be taken; one attempt for each that was tried.
#[derive(Debug)]
pub struct BindError {
    pub attempts: Vec<Attempt>,
}

#[derive(Debug)]
pub struct Attempt {
    /// Port 0 stands for any free one.
    pub address: SocketAddr,
    pub obstacle: Obstacle,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Someone listens there already; who, where that is known.
    InUse(Option<Holder>),
    /// A port below 1024, or one that the system keeps for itself.
    Denied,
    Other(ErrorKind),
}

impl Listener {
    /// Takes the first registered port that is free in every family, or any such port where none is registered.
    ///
    /// Unix: tokio sets `SO_REUSEADDR`, so that connections of the last sign-in that linger do not hold a registered
    /// port for a minute; it lets nobody share a listening address. Windows: it is left unset, since there it would
    /// let others share one. `SO_EXCLUSIVEADDRUSE`, which would also refuse another program that sets it, is out of
    /// reach of std and tokio; `state`, PKCE and `nonce` are what a code that went astray has to pass.
    pub async fn bind(redirect: &Redirect) -> Result<Self, BindError> {
        let mut attempts = Vec::new();
        let any = [0; ROUNDS];
        let ports: &[u16] = if redirect.ports.is_empty() { &any } else { &redirect.ports };
        for port in ports {
            match every_family(redirect.host, *port).await {
                Ok(sockets) => return Self::on(sockets, redirect),
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(BindError { attempts })
    }

    fn on(sockets: Vec<TcpListener>, redirect: &Redirect) -> Result<Self, BindError> {
        let port = sockets.iter().find_map(|socket| Some(socket.local_addr().ok()?.port()));
        let nowhere = || Attempt {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            obstacle: Obstacle::Other(ErrorKind::AddrNotAvailable),
        };
        Ok(Self {
            port: port.ok_or_else(|| BindError { attempts: vec![nowhere()] })?,
            sockets,
            redirect: redirect.clone(),
            start: Secret::new(format!("/{}", word())),
            result: Secret::new(format!("/done-{}", word())),
            report: Arc::new(|_| {}),
            patience: Patience::default(),
        })
    }

    /// Tells `listener` of everything that happens, for the log.
    #[must_use]
    pub fn reporting(mut self, listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.report = Arc::new(listener);
        self
    }

    /// What the provider is told, and has registered.
    pub fn redirect_uri(&self) -> String {
        self.redirect.uri(self.port)
    }

    /// The short address that leads to the provider, so that no state reaches a process list or a terminal.
    pub fn start_address(&self) -> String {
        Redirect { path: self.start.expose().to_owned(), ..self.redirect.clone() }.uri(self.port)
    }
}

/// Whether this program could have made the address with [`Listener::start_address`].
pub fn is_start_address(address: &str) -> bool {
    let Some((host, rest)) = address.strip_prefix("http://").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let Some((port, word)) = rest.split_once('/') else { return false };
    let is_word = word.len() == WORD_LENGTH && word.bytes().all(|letter| LETTERS.contains(&letter));
    let is_port = port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
    ["127.0.0.1", "localhost"].contains(&host) && is_port && is_word
}

async fn every_family(host: RedirectHost, port: u16) -> Result<Vec<TcpListener>, Attempt> {
    let first = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    if host == RedirectHost::Address {
        return Ok(vec![first]);
    }
    // A browser may try [::1] first: whoever holds it there would be given the code.
    let port = first.local_addr().map_or(port, |address| address.port());
    match bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(second) => Ok(vec![first, second]),
        Err(Attempt { obstacle: Obstacle::Other(ErrorKind::AddrNotAvailable), .. }) => Ok(vec![first]),
        Err(attempt) => Err(attempt),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Attempt> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Attempt { address, obstacle: obstacle(&error, address.port()) })
}

fn obstacle(error: &Error, port: u16) -> Obstacle {
    match error.kind() {
        ErrorKind::AddrInUse => Obstacle::InUse(Holder::of(port)),
        ErrorKind::PermissionDenied => Obstacle::Denied,
        _ if lacks_family(error) => Obstacle::Other(ErrorKind::AddrNotAvailable),
        other => Obstacle::Other(other),
    }
}

/// `EAFNOSUPPORT`, which std gives no kind: Linux without IPv6, macOS, Windows.
fn lacks_family(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

/// Eight characters nobody guesses within a sign-in, and none that is mistaken for another when typed by hand.
fn word() -> String {
    let mut bytes = [0; WORD_LENGTH];
    host::random(&mut bytes);
    let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    letters.copied().map(char::from).collect()
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("redirect_uri", &self.redirect_uri()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use testworld::Port;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    fn redirect(host: RedirectHost, ports: &[u16]) -> Redirect {
        Redirect { host, ports: ports.to_vec(), path: "/callback".into() }
    }

    #[test]
    fn a_start_address_is_told_from_any_other() {
        run(async {
            for host in [RedirectHost::Address, RedirectHost::Name] {
                let listener = Listener::bind(&redirect(host, &[])).await.unwrap();
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
            let listener = Listener::bind(&redirect(RedirectHost::Address, &ports)).await.unwrap();
            assert_eq!(listener.redirect_uri(), format!("http://127.0.0.1:{free}/callback"));
        });
    }

    #[test]
    fn when_all_ports_are_busy_each_is_named_with_its_holder() {
        run(async {
            let ports = [Port::reserve(), Port::reserve()];
            let _others = ports.each_ref().map(Port::listen);
            let ports = ports.each_ref().map(Port::number);
            let error = Listener::bind(&redirect(RedirectHost::Address, &ports)).await.unwrap_err();
            assert_eq!(
                error.attempts.iter().map(|attempt| attempt.address.port()).collect::<Vec<_>>(),
                ports
            );
            for attempt in error.attempts {
                let Obstacle::InUse(holder) = attempt.obstacle else { panic!("{:?}", attempt.obstacle) };
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
            let error = Listener::bind(&redirect(RedirectHost::Name, &[port.number()])).await.unwrap_err();
            assert!(
                matches!(error.attempts.as_slice(), [Attempt { obstacle: Obstacle::InUse(_), .. }]),
                "{error:?}"
            );
            assert!(error.attempts[0].address.is_ipv6());
        });
    }
}
