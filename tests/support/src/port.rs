//! Loopback ports that a test can name now and bind later.
//!
//! A port from `bind(0)` can go to any other program as soon as it is closed. A reserved port lies below the ranges
//! from which systems choose ports, so only a program that names it can take it.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, UdpSocket},
};

use socket2::{Domain, SockRef, Socket, Type};

/// Linux chooses ports from 32768 on, macOS and Windows from 49152 on. `tests/real/office.py` uses the same range.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A TCP port that no other test gets while this value lives. It is free unless this test listens on it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// A UDP socket with the same number marks the reservation. It does not touch TCP, works across users and
    /// processes, and the kernel closes it when its process ends.
    _mark: UdpSocket,
}

impl Port {
    pub fn reserve() -> Self {
        let random = RandomState::new().build_hasher().finish();
        let start = u16::try_from(random % u64::from(COUNT)).expect("less than COUNT");
        (0..COUNT)
            .map(|step| FIRST + (start + step) % COUNT)
            .find_map(Self::claim)
            .expect("some port of twelve thousand is free")
    }

    /// Reserves this port; `None` if it is reserved already, or in use over TCP with IPv4 or IPv6.
    pub fn claim(number: u16) -> Option<Self> {
        let mark = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        let is_free = bind((Ipv4Addr::LOCALHOST, number)).is_ok()
            // On a machine without IPv6 nothing can listen there.
            && bind((Ipv6Addr::LOCALHOST, number)).map_or_else(|kind| !is_taken(kind), |()| true);
        is_free.then_some(Self { number, _mark: mark })
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// Listens on 127.0.0.1.
    pub fn listen(&self) -> TcpListener {
        self.listen_on(Ipv4Addr::LOCALHOST).expect("the port is reserved")
    }

    /// Listens on this loopback address; `None` if the machine does not support its address family.
    pub fn listen_on(&self, address: impl Into<IpAddr>) -> Option<TcpListener> {
        match TcpListener::bind((address.into(), self.number)) {
            Ok(listener) => Some(listener),
            Err(error) if is_taken(error.kind()) => panic!("port {self} is reserved, but in use: {error}"),
            Err(_) => None,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// Stops listening at once. After a plain `drop`, a child that another thread starts at that moment can hold the
/// socket, and with it the port, until it has loaded its program.
pub fn stop_listening(listener: TcpListener) {
    // Only Linux supports this. Elsewhere it is an error that changes nothing.
    let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
    drop(listener);
}

/// Binds without listening, so that no child can hold a listening socket: see [`stop_listening`].
fn bind(address: impl Into<SocketAddr>) -> Result<(), ErrorKind> {
    let address = address.into();
    let bound = Socket::new(Domain::for_address(address), Type::STREAM, None).and_then(|socket| {
        // As std does. On Unix this permits ports with lingering connections; on Windows it would let others share
        // the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    });
    bound.map_err(|error| error.kind())
}

/// Windows reports a reserved range as `PermissionDenied`.
fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}
