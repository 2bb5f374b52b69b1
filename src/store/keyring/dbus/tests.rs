//! The client against a bus that sends arbitrary bytes.

use std::thread;

use super::*;
use crate::store::keyring::testing::{HeaderField, encode_message};

const TIMEOUT: Duration = Duration::from_millis(300);

/// The reply to one call, over a bus that sends these bytes after the call has arrived, and then closes or stays open.
fn answered(bytes: &[u8], stays: bool) -> Result<String, KeyringFault> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let bytes = bytes.to_vec();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let bus = thread::spawn(move || {
        let mut theirs = theirs;
        theirs.read_exact(&mut [0; 16]).unwrap();
        // The client closes the connection once it has an answer.
        let _ = theirs.write_all(&bytes);
        if stays {
            let _ = wait.recv();
        }
        // Without reading to the end, closing could send a reset that discards the bytes before the client reads them.
        let _ = theirs.shutdown(std::net::Shutdown::Write);
        let _ = theirs.read_to_end(&mut Vec::new());
    });
    let mut connection = BusConnection::from_stream(ours, TIMEOUT).unwrap();
    connection.queue_hello();
    let serial = connection.queue_call(&MethodCall {
        destination: "a.b",
        path: "/",
        interface: "a.b",
        member: "M",
        signature: "",
        body: WireWriter::new(),
    });
    let answer = connection.wait_for_reply(serial, "s", |reader| reader.read_text());
    drop((connection, done));
    bus.join().unwrap();
    answer
}

#[track_caller]
fn assert_failed(answer: &Result<String, KeyringFault>, why: &str) {
    assert!(matches!(answer, Err(KeyringFault::Failed(text)) if text.to_safe_line().contains(why)), "{answer:?}");
}

/// A reply to the test's call, which is the second one after `Hello`.
fn reply(signature: &str, body: WireWriter) -> Vec<u8> {
    encode_message(2, &[HeaderField::Number(5, 2)], signature, body)
}

fn text(value: &str) -> WireWriter {
    WireWriter::new().string(value)
}

fn good() -> Vec<u8> {
    [b"OK 0123\r\n".to_vec(), reply("s", text("hello"))].concat()
}

#[test]
fn a_reply_is_found_among_other_replies() {
    let other = encode_message(2, &[HeaderField::Number(5, 1)], "s", text("another reply"));
    let bytes = [b"OK 0123\r\n".to_vec(), other, good()[9..].to_vec()].concat();
    assert_eq!(answered(&bytes, true).unwrap(), "hello");
}

#[test]
fn a_bus_error_is_reported_with_its_name() {
    let error =
        encode_message(3, &[HeaderField::Text(4, "s", "org.x.No"), HeaderField::Number(5, 2)], "s", text("because"));
    let bytes = [b"OK 0\r\n".to_vec(), error].concat();
    assert_failed(&answered(&bytes, true), "because (org.x.No)");
}

#[test]
fn a_silent_bus_fails_at_the_timeout() {
    let began = Instant::now();
    assert!(matches!(answered(b"", true), Err(KeyringFault::TimedOut { after: TIMEOUT })));
    assert!(matches!(answered(b"OK 0\r\n", true), Err(KeyringFault::TimedOut { after: TIMEOUT })));
    assert!(began.elapsed() < TIMEOUT * 10);
}

#[test]
fn a_bus_that_rejects_the_user_is_reported() {
    assert!(matches!(answered(b"REJECTED EXTERNAL\r\n", true), Err(KeyringFault::Denied)));
    assert_failed(&answered(&[b'x'; 2000], true), "cannot be read");
}

#[test]
fn a_reply_of_another_signature_is_malformed() {
    let bytes = [b"OK 0\r\n".to_vec(), reply("u", WireWriter::new().u32(0))].concat();
    assert_failed(&answered(&bytes, true), "cannot be read");
}

#[test]
fn a_truncated_bus_answer_is_an_error() {
    let good = good();
    for length in 0..good.len() {
        assert!(answered(&good[..length], false).is_err(), "length {length}");
    }
}

#[test]
fn random_bytes_never_crash_the_parser() {
    let good = good();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20_000 {
        let mut bytes = good[9..].to_vec();
        for _ in 0..1 + random() % 4 {
            let place = usize::try_from(random()).unwrap_or(0) % bytes.len();
            bytes[place] = random().to_le_bytes()[0];
        }
        if let Some(head) = bytes.first_chunk::<FIXED_HEADER_LEN>() {
            assert!(BusMessage::total_length(head).is_none_or(|length| length <= 1 << 20));
        }
        drop(BusMessage::parse(&bytes));
        drop(BusMessage::parse(&bytes[..usize::try_from(random()).unwrap_or(0) % bytes.len()]));
    }
}

#[test]
fn a_bus_message_above_one_mebibyte_is_refused() {
    let mut head = *good()[9..].first_chunk::<FIXED_HEADER_LEN>().unwrap();
    head[4..8].copy_from_slice(&(1u32 << 20).to_ne_bytes());
    assert_eq!(BusMessage::total_length(&head), None);
    head[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    head[12..].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(BusMessage::total_length(&head), None);
}

#[test]
fn bus_addresses_that_would_start_a_program_are_ignored() {
    let found = |address: &str| {
        find_addresses(&Environment::fixed([("DBUS_SESSION_BUS_ADDRESS", address), ("XDG_RUNTIME_DIR", "/run/me")]))
    };
    let path = |path: &str| BusAddress::Path(path.into());
    assert_eq!(found("unix:path=/tmp/a%20b,guid=00"), [path("/tmp/a b")]);
    assert_eq!(found("unix:abstract=/tmp/x"), [BusAddress::Abstract(b"/tmp/x".to_vec())]);
    assert_eq!(found("tcp:host=x;unix:guid=1,path=/a;unix:path=/b"), [path("/a"), path("/b")]);
    assert_eq!(found("unix:runtime=yes"), [path("/run/me/bus")]);
    for nothing in ["autolaunch:", "unixexec:path=/bin/sh", "unix:tmpdir=/tmp", "unix:path=%z1", "nonsense"] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
    assert_eq!(
        find_addresses(&Environment::fixed([("XDG_RUNTIME_DIR", "/run/me")])),
        [path("/run/me/bus")],
        "where systemd puts it"
    );
    assert_eq!(find_addresses(&Environment::fixed([])), []);
}

#[test]
fn a_bus_of_another_user_is_not_trusted() {
    let (one, _other) = UnixStream::pair().unwrap();
    assert!(is_trusted_peer(&one), "both ends are this process");
    assert!(is_trusted_user(Uid::ROOT) && !is_trusted_user(Uid::from_raw(65_533)));
}
