//! A fake bus that sends the replies of a test.
//!
//! It encodes messages independently of `wire`, so that a mistake in `wire` does not cancel itself out.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    thread,
};

use super::wire::{BusMessage, FIXED_HEADER_LEN, WireWriter};
use crate::host::Environment;

/// A header field: its code, and a text with its type or a number.
pub(super) enum HeaderField<'a> {
    Text(u8, &'a str, &'a str),
    Number(u8, u32),
}

pub(super) fn encode_message(kind: u8, fields: &[HeaderField<'_>], signature: &str, body: WireWriter) -> Vec<u8> {
    let mut head = Vec::new();
    for field in fields.iter().chain([&HeaderField::Text(8, "g", signature)]) {
        head.resize(head.len().next_multiple_of(8), 0);
        match field {
            HeaderField::Text(code, "g", value) => {
                head.extend([*code, 1, b'g', 0, u8::try_from(value.len()).unwrap()]);
                head.extend(value.bytes().chain([0]));
            }
            HeaderField::Text(code, of, value) => {
                head.extend([*code, 1, of.as_bytes()[0], 0]);
                head.extend(u32::try_from(value.len()).unwrap().to_ne_bytes());
                head.extend(value.bytes().chain([0]));
            }
            HeaderField::Number(code, value) => {
                head.extend([*code, 1, b'u', 0]);
                head.extend(value.to_ne_bytes());
            }
        }
    }
    let body = body.into_bytes();
    let number = |length: usize| u32::try_from(length).unwrap().to_ne_bytes();
    let endian = if cfg!(target_endian = "big") { b'B' } else { b'l' };
    let mut message = vec![endian, kind, 0, 1];
    message.extend([number(body.len()), number(7), number(head.len())].concat());
    message.extend(head);
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(body);
    message
}

/// What the bus sends after a call.
pub(super) enum BusReply {
    Return(&'static str, WireWriter),
    Error(&'static str),
    Signal(&'static str, &'static str, &'static str, WireWriter),
}

/// A bus with a Secret Service, which lives as long as this value.
pub(super) struct FakeBus {
    folder: tempfile::TempDir,
}

impl FakeBus {
    /// `answer` gets the method and the bytes of a call, and returns what the bus sends, in this order.
    pub(super) fn start(answer: impl FnMut(&str, &[u8]) -> Vec<BusReply> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("bus")).unwrap();
        thread::spawn(move || {
            let mut answer = answer;
            for caller in listener.incoming().flatten() {
                // The client closes the connection once it has its answer.
                let _ = serve_caller(caller, &mut answer);
            }
        });
        Self { folder }
    }

    pub(super) fn environment(&self) -> Environment {
        let place: PathBuf = self.folder.path().join("bus");
        Environment::fixed([("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", place.display()))])
    }
}

fn serve_caller(mut caller: UnixStream, answer: &mut impl FnMut(&str, &[u8]) -> Vec<BusReply>) -> std::io::Result<()> {
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        caller.read_exact(&mut byte)?;
        greeting.extend(byte);
    }
    caller.write_all(b"OK 0123456789abcdef\r\n")?;
    loop {
        let mut head = [0; FIXED_HEADER_LEN];
        caller.read_exact(&mut head)?;
        let mut call = head.to_vec();
        call.resize(BusMessage::total_length(&head).unwrap(), 0);
        caller.read_exact(&mut call[FIXED_HEADER_LEN..])?;
        let to = u32::from_ne_bytes(head[8..12].try_into().unwrap());
        for reply in answer(find_method(&call), &call) {
            caller.write_all(&match reply {
                BusReply::Return(signature, body) => encode_message(2, &[HeaderField::Number(5, to)], signature, body),
                BusReply::Error(name) => {
                    let fields = [HeaderField::Text(4, "s", name), HeaderField::Number(5, to)];
                    encode_message(3, &fields, "s", WireWriter::new().string("because"))
                }
                BusReply::Signal(path, member, signature, body) => encode_message(
                    4,
                    &[HeaderField::Text(1, "o", path), HeaderField::Text(3, "s", member)],
                    signature,
                    body,
                ),
            })?;
        }
    }
}

/// The method that a call names, found by the encoding of its name: the length before it, a zero after it.
fn find_method(call: &[u8]) -> &'static str {
    let known = [
        "Hello", "AddMatch", "OpenSession", "SearchItems", "GetSecret", "ReadAlias", "Get", "Unlock", "Prompt",
        "CreateItem", "Delete",
    ];
    let is_in = |name: &&&str| {
        let written = WireWriter::new().string(name).into_bytes();
        call.windows(written.len()).any(|part| part == written)
    };
    known.iter().find(is_in).expect("a method of the Secret Service")
}
