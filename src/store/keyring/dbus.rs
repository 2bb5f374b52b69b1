//! A small D-Bus client for one short conversation: connect, authenticate, call methods, wait for replies and signals.
//!
//! It connects only to a bus that runs already. It never starts one, because an autolaunched bus would outlive the
//! call. Every read has a deadline, and every byte from the bus is untrusted (see `wire`).

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStringExt as _, net::UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Uid;
use zeroize::Zeroizing;

use super::{
    KeyringFault, MissingPart,
    wire::{BodyReader, BusMessage, FIXED_HEADER_LEN, MethodCall, WireWriter},
};
use crate::{host::Environment, text::encode_hex};

/// How many replies and signals are stored for a later wait. We never have more calls open, so more are dropped.
const MAX_PENDING: usize = 16;
/// The longest line that the bus may send during authentication.
const MAX_AUTH_LINE: usize = 1024;

/// A conversation. Calls are queued, and sent together when the first reply is waited for, which saves round trips.
/// Buffers are wiped on drop, because secrets pass through them.
pub(super) struct BusConnection {
    stream: UnixStream,
    timeout: Duration,
    deadline: Instant,
    unsent: Zeroizing<Vec<u8>>,
    unread: Zeroizing<Vec<u8>>,
    is_authenticated: bool,
    last_serial: u32,
    pending: Vec<BusMessage>,
}

impl BusConnection {
    /// Connects to the session's bus, and queues authentication and greeting. Nothing is sent yet.
    pub(super) fn open(environment: &Environment, timeout: Duration) -> Result<Self, KeyringFault> {
        let mut places = find_addresses(environment).into_iter();
        let stream = places.find_map(|place| place.connect()).ok_or(KeyringFault::Absent { what: MissingPart::Bus })?;
        let mut connection = Self::from_stream(stream, timeout)?;
        connection.queue_hello();
        Ok(connection)
    }

    fn from_stream(stream: UnixStream, timeout: Duration) -> Result<Self, KeyringFault> {
        stream
            .set_read_timeout(Some(timeout))
            .and_then(|()| stream.set_write_timeout(Some(timeout)))
            .map_err(|error| fail_io(&error))?;
        Ok(Self {
            stream,
            timeout,
            deadline: Instant::now() + timeout,
            unsent: Zeroizing::new(Vec::with_capacity(4096)),
            unread: Zeroizing::new(Vec::with_capacity(4096)),
            is_authenticated: false,
            last_serial: 0,
            pending: Vec::new(),
        })
    }

    /// Queues authentication and `Hello`. With the mechanism EXTERNAL the bus gets the user from the kernel, so the
    /// first call can follow without waiting for an answer.
    fn queue_hello(&mut self) {
        let user = rustix::process::geteuid().as_raw().to_string();
        let hex = encode_hex(user.as_bytes());
        self.unsent.extend_from_slice(format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").as_bytes());
        self.queue_call(&MethodCall::to_bus("Hello", "", WireWriter::new()));
    }

    /// Queues a call, and returns the serial number with which to wait for the reply.
    pub(super) fn queue_call(&mut self, call: &MethodCall<'_>) -> u32 {
        self.last_serial += 1;
        self.unsent.extend_from_slice(&call.encode(self.last_serial));
        self.last_serial
    }

    /// Waits for the reply to a call. A body with another signature than the method's is an error.
    pub(super) fn wait_for_reply<T>(
        &mut self,
        serial: u32,
        signature: &str,
        read: BodyReader<T>,
    ) -> Result<T, KeyringFault> {
        let message = self.wait_for_message(|message| message.is_reply_to(serial))?;
        match &message.error {
            Some(name) if name.ends_with(".Timeout") || name.ends_with(".TimedOut") => Err(self.timed_out()),
            Some(name) => Err(KeyringFault::from_refusal(name, &message.error_text().unwrap_or_default())),
            None => message.read_body(signature, read).ok_or_else(KeyringFault::malformed_answer),
        }
    }

    /// Waits for a signal of an object; the signature is checked in the same way.
    pub(super) fn wait_for_signal<T>(
        &mut self,
        (path, member): (&str, &str),
        signature: &str,
        read: BodyReader<T>,
    ) -> Result<T, KeyringFault> {
        let message = self.wait_for_message(|message| message.is_signal(path, member))?;
        message.read_body(signature, read).ok_or_else(KeyringFault::malformed_answer)
    }

    /// Waits for one message. Other replies and signals are stored for later: a signal can arrive before the reply to
    /// the call that caused it.
    fn wait_for_message(&mut self, is_it: impl Fn(&BusMessage) -> bool) -> Result<BusMessage, KeyringFault> {
        self.flush_calls()?;
        if let Some(index) = self.pending.iter().position(&is_it) {
            return Ok(self.pending.remove(index));
        }
        loop {
            let message = self.receive_message()?;
            if is_it(&message) {
                return Ok(message);
            }
            if message.is_expected() && self.pending.len() < MAX_PENDING {
                self.pending.push(message);
            }
        }
    }

    fn flush_calls(&mut self) -> Result<(), KeyringFault> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.unsent).map_err(|error| self.classify_io_error(&error))?;
        zeroize::Zeroize::zeroize(&mut *self.unsent);
        if !self.is_authenticated {
            self.is_authenticated = self.read_auth_result()?;
        }
        Ok(())
    }

    /// Reads the result of the authentication: `OK <guid>`, or `REJECTED <mechanisms>`.
    fn read_auth_result(&mut self) -> Result<bool, KeyringFault> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let is_ok = self.unread.starts_with(b"OK ");
                self.unread.drain(..end + 2);
                return if is_ok { Ok(true) } else { Err(KeyringFault::Denied) };
            }
            if self.unread.len() > MAX_AUTH_LINE {
                return Err(KeyringFault::malformed_answer());
            }
            self.read_more()?;
        }
    }

    fn receive_message(&mut self) -> Result<BusMessage, KeyringFault> {
        loop {
            if let Some(head) = self.unread.first_chunk::<FIXED_HEADER_LEN>() {
                let length = BusMessage::total_length(head).ok_or_else(KeyringFault::malformed_answer)?;
                if let Some(bytes) = self.unread.get(..length) {
                    let message = BusMessage::parse(bytes).ok_or_else(KeyringFault::malformed_answer)?;
                    self.unread.drain(..length);
                    return Ok(message);
                }
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> Result<(), KeyringFault> {
        if Instant::now() >= self.deadline {
            return Err(self.timed_out());
        }
        let mut piece = Zeroizing::new([0; 4096]);
        match self.stream.read(&mut *piece) {
            Ok(0) => Err(fail_io(&io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                self.unread.extend_from_slice(piece.get(..read).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.classify_io_error(&error)),
        }
    }

    fn timed_out(&self) -> KeyringFault {
        KeyringFault::TimedOut { after: self.timeout }
    }

    fn classify_io_error(&self, error: &io::Error) -> KeyringFault {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            _ => fail_io(error),
        }
    }
}

/// An address at which a bus can listen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BusAddress {
    Path(PathBuf),
    /// An abstract socket: a name in the kernel, without a file.
    Abstract(Vec<u8>),
}

impl BusAddress {
    fn connect(&self) -> Option<UnixStream> {
        use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
        match self {
            Self::Path(path) => UnixStream::connect(path).ok(),
            Self::Abstract(name) => {
                let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()?;
                is_trusted_peer(&stream).then_some(stream)
            }
        }
    }
}

/// Whether our own user or root has created this socket. Any user can create an abstract name and would receive the
/// key. A path needs no check, because its folder has an owner.
fn is_trusted_peer(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| is_trusted_user(peer.uid))
}

fn is_trusted_user(user: Uid) -> bool {
    user == Uid::ROOT || user == rustix::process::geteuid()
}

/// The addresses in `DBUS_SESSION_BUS_ADDRESS` that do not start a program. Without the variable, the socket that
/// systemd creates for the user's bus.
fn find_addresses(environment: &Environment) -> Vec<BusAddress> {
    let usual = || environment.var_path("XDG_RUNTIME_DIR").map(|folder| BusAddress::Path(folder.join("bus")));
    match environment.var_text("DBUS_SESSION_BUS_ADDRESS") {
        Some(addresses) => {
            addresses.split(';').filter_map(|address| parse_address(address.strip_prefix("unix:")?, usual)).collect()
        }
        None => usual().into_iter().collect(),
    }
}

fn parse_address(address: &str, usual: impl Fn() -> Option<BusAddress>) -> Option<BusAddress> {
    address.split(',').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| match key {
        "path" => Some(BusAddress::Path(OsString::from_vec(unescape_address(value)?).into())),
        "abstract" => Some(BusAddress::Abstract(unescape_address(value)?)),
        "runtime" => usual(),
        _ => None,
    })
}

/// Decodes `%2f` and other escaped bytes (D-Bus specification, "Server Addresses"). Written by hand because the crate
/// `percent-encoding` passes a `%` without two digits through, and here that makes the address invalid.
fn unescape_address(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut found = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        found.push(match byte {
            b'%' => parse_hex_digit(bytes.next()?)? << 4 | parse_hex_digit(bytes.next()?)?,
            byte => byte,
        });
    }
    Some(found)
}

fn parse_hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

impl KeyringFault {
    /// The fault for an error that the bus or the service returned.
    fn from_refusal(name: &str, why: &str) -> Self {
        let (family, word) = name.rsplit_once('.').unwrap_or(("", name));
        match (family, word) {
            (_, "ServiceUnknown" | "NameHasNoOwner") | ("org.freedesktop.DBus.Error.Spawn", _) => {
                Self::Absent { what: MissingPart::Service }
            }
            (_, "AccessDenied" | "AuthFailed") => Self::Denied,
            (_, "IsLocked") => Self::Locked,
            _ => Self::from_message(format!("{why} ({name})")),
        }
    }

    /// The fault for bytes that are not D-Bus, or for a reply with another signature.
    fn malformed_answer() -> Self {
        Self::from_message("it sent an answer that cannot be read")
    }
}

fn fail_io(error: &io::Error) -> KeyringFault {
    KeyringFault::from_message(error.to_string())
}

#[cfg(test)]
mod tests;
