//! Loopback ports that a test may name now and bind later.
//!
//! A port that `bind(0)` gave out and that was closed again belongs to whichever program is given it next. A reserved one
//! lies below the ranges from which systems choose ports, so only a program that names it can take it.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, UdpSocket},
};

use socket2::{Domain, SockRef, Socket, Type};

/// Linux chooses from 32768 on, macOS and Windows from 49152 on. `tests/real/office.py` uses the same range.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A TCP port that no other test is given while this value lives; it is free unless this test listens there.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// A UDP socket of the same number marks the reservation: it leaves TCP alone, holds across users and processes, and
    /// the kernel releases it when its process dies.
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

    /// This port; `None` where it is reserved, or used over TCP in either family.
    pub fn claim(number: u16) -> Option<Self> {
        let mark = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        let is_free = bind((Ipv4Addr::LOCALHOST, number)).is_ok()
            // A machine without IPv6 has nobody there.
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

    /// Listens on this loopback address; `None` where the machine lacks its family.
    pub fn listen_on(&self, address: impl Into<IpAddr>) -> Option<TcpListener> {
        match TcpListener::bind((address.into(), self.number)) {
            Ok(listener) => Some(listener),
            Err(error) if is_taken(error.kind()) => panic!("port {self} is reserved, and taken: {error}"),
            Err(_) => None,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// Stops listening at once. After a mere `drop` a child that another thread is starting may hold the socket, and so the
/// port, until it has loaded its program.
pub fn stop_listening(listener: TcpListener) {
    // Only Linux stops so; elsewhere this is an error without consequence.
    let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
    drop(listener);
}

/// Binds, and does not listen, so that nothing remains for a child to hold: see [`stop_listening`].
fn bind(address: impl Into<SocketAddr>) -> Result<(), ErrorKind> {
    let address = address.into();
    let bound = Socket::new(Domain::for_address(address), Type::STREAM, None).and_then(|socket| {
        // As std does: on Unix it excuses connections that linger, on Windows it would let others share the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    });
    bound.map_err(|error| error.kind())
}

/// Windows refuses the ranges that it has set aside.
fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}
