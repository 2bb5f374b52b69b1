//! A bus that says what a test has written down.
//!
//! Its messages are made here from scratch, so that reading is tested against other hands than our own.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    thread,
};

use super::wire::{HEAD, Message, Writer};
use crate::host::Environment;

/// A field of a header: its code, and a text of some type or a number.
pub(super) enum Field<'a> {
    Text(u8, &'a str, &'a str),
    Number(u8, u32),
}

pub(super) fn message(kind: u8, fields: &[Field<'_>], signature: &str, body: Writer) -> Vec<u8> {
    let mut head = Vec::new();
    for field in fields.iter().chain([&Field::Text(8, "g", signature)]) {
        head.resize(head.len().next_multiple_of(8), 0);
        match field {
            Field::Text(code, "g", value) => {
                head.extend([*code, 1, b'g', 0, u8::try_from(value.len()).unwrap()]);
                head.extend(value.bytes().chain([0]));
            }
            Field::Text(code, of, value) => {
                head.extend([*code, 1, of.as_bytes()[0], 0]);
                head.extend(u32::try_from(value.len()).unwrap().to_ne_bytes());
                head.extend(value.bytes().chain([0]));
            }
            Field::Number(code, value) => {
                head.extend([*code, 1, b'u', 0]);
                head.extend(value.to_ne_bytes());
            }
        }
    }
    let body = body.written();
    let number = |length: usize| u32::try_from(length).unwrap().to_ne_bytes();
    let endian = if cfg!(target_endian = "big") { b'B' } else { b'l' };
    let mut message = vec![endian, kind, 0, 1];
    message.extend([number(body.len()), number(7), number(head.len())].concat());
    message.extend(head);
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(body);
    message
}

/// What the bus says to a call.
pub(super) enum Reply {
    Return(&'static str, Writer),
    Error(&'static str),
    Signal(&'static str, &'static str, &'static str, Writer),
}

/// A bus with one Secret Service on it, for as long as the test holds it.
pub(super) struct Bus {
    folder: tempfile::TempDir,
}

impl Bus {
    /// `answer` is given the method and the call's bytes, and says what goes back, in this order.
    pub(super) fn start(answer: impl FnMut(&str, &[u8]) -> Vec<Reply> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("bus")).unwrap();
        thread::spawn(move || {
            let mut answer = answer;
            for caller in listener.incoming().flatten() {
                // A caller that has heard enough hangs up.
                let _ = converse(caller, &mut answer);
            }
        });
        Self { folder }
    }

    pub(super) fn environment(&self) -> Environment {
        let place: PathBuf = self.folder.path().join("bus");
        Environment::fixed([("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", place.display()))])
    }
}

fn converse(
    mut caller: UnixStream,
    answer: &mut impl FnMut(&str, &[u8]) -> Vec<Reply>,
) -> std::io::Result<()> {
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        caller.read_exact(&mut byte)?;
        greeting.extend(byte);
    }
    caller.write_all(b"OK 0123456789abcdef\r\n")?;
    loop {
        let mut head = [0; HEAD];
        caller.read_exact(&mut head)?;
        let mut call = head.to_vec();
        call.resize(Message::length(&head).unwrap(), 0);
        caller.read_exact(&mut call[HEAD..])?;
        let to = u32::from_ne_bytes(head[8..12].try_into().unwrap());
        for reply in answer(method(&call), &call) {
            caller.write_all(&match reply {
                Reply::Return(signature, body) => message(2, &[Field::Number(5, to)], signature, body),
                Reply::Error(name) => {
                    let fields = [Field::Text(4, "s", name), Field::Number(5, to)];
                    message(3, &fields, "s", Writer::new().string("because"))
                }
                Reply::Signal(path, member, signature, body) => {
                    message(4, &[Field::Text(1, "o", path), Field::Text(3, "s", member)], signature, body)
                }
            })?;
        }
    }
}

/// The method that a call's header names, found by how a text is written: its length before it, a zero after it.
fn method(call: &[u8]) -> &'static str {
    let known = [
        "Hello",
        "AddMatch",
        "OpenSession",
        "SearchItems",
        "GetSecret",
        "ReadAlias",
        "Get",
        "Unlock",
        "Prompt",
        "CreateItem",
        "Delete",
    ];
    let is_in = |name: &&&str| {
        let written = Writer::new().string(name).written();
        call.windows(written.len()).any(|part| part == written)
    };
    known.iter().find(is_in).expect("a method of the Secret Service")
}
