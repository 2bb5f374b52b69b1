//! One short conversation over the session's D-Bus: connect, authenticate, ask, hear answers and signals.
//!
//! It finds a bus that runs and starts none: an autolaunched bus would outlive the call that caused it.

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStringExt as _, net::UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Uid;
use zeroize::Zeroizing;

use super::wire::{Call, HEAD, Kind, Message, Writer};
use crate::host::Environment;

pub(super) const BUS: &str = "org.freedesktop.DBus";

/// Answers and signals that wait to be asked for; we never await more.
const WAITING: usize = 16;
/// The server's lines before messages begin are short.
const LINE: usize = 1024;

/// What can go wrong on the way.
#[derive(Debug)]
pub(super) enum Error {
    /// The environment names no bus, or the bus it names is not there.
    NoBus,
    /// The bus does not take us for who we are.
    Rejected,
    Io(io::Error),
    TimedOut,
    /// Bytes that are no D-Bus, or not what the call's answer holds.
    Malformed,
    /// The other side's own error.
    Refused {
        name: String,
        why: String,
    },
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// The serial number of a call whose answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Serial(u32);

/// A conversation. Calls are collected and go out together when the first answer is asked for.
pub(super) struct Connection {
    stream: UnixStream,
    until: Instant,
    unsent: Zeroizing<Vec<u8>>,
    unread: Zeroizing<Vec<u8>>,
    is_welcome: bool,
    last: u32,
    waiting: Vec<Message>,
}

impl Connection {
    /// Connects to the session's bus and introduces us; nobody has answered yet.
    pub(super) fn open(environment: &Environment, patience: Duration) -> Result<Self, Error> {
        let mut places = places(environment).into_iter();
        let stream = places.find_map(|place| place.connect()).ok_or(Error::NoBus)?;
        let mut connection = Self::over(stream, patience)?;
        connection.introduce();
        Ok(connection)
    }

    fn over(stream: UnixStream, patience: Duration) -> Result<Self, Error> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            until: Instant::now() + patience,
            unsent: Zeroizing::new(Vec::with_capacity(4096)),
            unread: Zeroizing::new(Vec::with_capacity(4096)),
            is_welcome: false,
            last: 0,
            waiting: Vec::new(),
        })
    }

    /// Who we are the kernel tells the bus (EXTERNAL), so nothing has to be awaited before the first call.
    fn introduce(&mut self) {
        let user = rustix::process::geteuid().as_raw().to_string();
        let hex: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
        self.unsent.extend_from_slice(format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").as_bytes());
        self.call(&Call {
            destination: BUS,
            path: "/org/freedesktop/DBus",
            interface: BUS,
            member: "Hello",
            signature: "",
            body: Writer::new(),
        });
    }

    pub(super) fn call(&mut self, call: &Call<'_>) -> Serial {
        self.last += 1;
        self.unsent.extend_from_slice(&call.written(self.last));
        Serial(self.last)
    }

    /// Waits for the answer to a call; its body must be of the signature that the call's contract says.
    pub(super) fn answer(&mut self, serial: Serial, signature: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let is_it =
            |kind: &Kind| matches!(kind, Kind::Return { to } | Kind::Error { to, .. } if *to == serial.0);
        let message = self.await_message(is_it)?;
        match &message.kind {
            Kind::Error { name, .. } => Err(Error::Refused { name: name.clone(), why: message.text() }),
            _ if message.signature == signature => Ok(message.body),
            _ => Err(Error::Malformed),
        }
    }

    /// Waits for a signal of an object.
    pub(super) fn signal(
        &mut self,
        path: &str,
        member: &str,
        signature: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let is_it =
            |kind: &Kind| matches!(kind, Kind::Signal { path: p, member: m } if p == path && m == member);
        let message = self.await_message(is_it)?;
        if message.signature == signature { Ok(message.body) } else { Err(Error::Malformed) }
    }

    fn await_message(&mut self, is_it: impl Fn(&Kind) -> bool) -> Result<Message, Error> {
        self.send()?;
        if let Some(place) = self.waiting.iter().position(|message| is_it(&message.kind)) {
            return Ok(self.waiting.remove(place));
        }
        loop {
            let message = self.receive()?;
            if is_it(&message.kind) {
                return Ok(message);
            }
            if message.kind != Kind::Other && self.waiting.len() < WAITING {
                self.waiting.push(message);
            }
        }
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.unsent)?;
        zeroize::Zeroize::zeroize(&mut *self.unsent);
        if !self.is_welcome {
            self.is_welcome = self.welcomed()?;
        }
        Ok(())
    }

    /// Reads the server's verdict, `OK guid` or `REJECTED mechanisms`.
    fn welcomed(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let is_ok = self.unread.starts_with(b"OK ");
                self.unread.drain(..end + 2);
                return if is_ok { Ok(true) } else { Err(Error::Rejected) };
            }
            if self.unread.len() > LINE {
                return Err(Error::Malformed);
            }
            self.read_on()?;
        }
    }

    fn receive(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(head) = self.unread.first_chunk::<HEAD>() {
                let length = Message::length(head).ok_or(Error::Malformed)?;
                if let Some(bytes) = self.unread.get(..length) {
                    let message = Message::read(bytes).ok_or(Error::Malformed)?;
                    self.unread.drain(..length);
                    return Ok(message);
                }
            }
            self.read_on()?;
        }
    }

    fn read_on(&mut self) -> Result<(), Error> {
        if Instant::now() >= self.until {
            return Err(Error::TimedOut);
        }
        let mut piece = Zeroizing::new([0; 4096]);
        match self.stream.read(&mut *piece) {
            Ok(0) => Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                self.unread.extend_from_slice(piece.get(..read).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Message {
    /// An error's text, where it has one.
    fn text(&self) -> String {
        let has_text = self.signature.starts_with('s');
        let text =
            has_text.then(|| super::wire::Reader::new(&self.body).string().map(str::to_owned)).flatten();
        text.unwrap_or_default()
    }
}

/// Where a bus may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Path(PathBuf),
    /// A name in the kernel, without a file.
    Abstract(Vec<u8>),
}

impl Place {
    fn connect(&self) -> Option<UnixStream> {
        use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
        match self {
            Self::Path(path) => UnixStream::connect(path).ok(),
            Self::Abstract(name) => {
                let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()?;
                is_ours(&stream).then_some(stream)
            }
        }
    }
}

/// Whether our own user or root made this socket. Any user can take a name in the kernel; a path lies in a folder that has
/// an owner.
fn is_ours(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| is_trusted(peer.uid))
}

fn is_trusted(user: Uid) -> bool {
    user == Uid::ROOT || user == rustix::process::geteuid()
}

/// The places that `DBUS_SESSION_BUS_ADDRESS` names and that need nothing started; without it, the one where systemd
/// puts a user's bus.
fn places(environment: &Environment) -> Vec<Place> {
    let usual = || environment.path("XDG_RUNTIME_DIR").map(|folder| Place::Path(folder.join("bus")));
    match environment.text("DBUS_SESSION_BUS_ADDRESS") {
        Some(addresses) => {
            addresses.split(';').filter_map(|address| place(address.strip_prefix("unix:")?, usual)).collect()
        }
        None => usual().into_iter().collect(),
    }
}

fn place(address: &str, usual: impl Fn() -> Option<Place>) -> Option<Place> {
    address.split(',').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| match key {
        "path" => Some(Place::Path(OsString::from_vec(unescaped(value)?).into())),
        "abstract" => Some(Place::Abstract(unescaped(value)?)),
        "runtime" => usual(),
        _ => None,
    })
}

/// `%2f` and the like (D-Bus specification, "Server Addresses").
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut found = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        found.push(match byte {
            b'%' => hexadecimal(bytes.next()?)? << 4 | hexadecimal(bytes.next()?)?,
            byte => byte,
        });
    }
    Some(found)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests;
