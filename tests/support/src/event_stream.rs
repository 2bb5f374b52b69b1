//! Encodes messages of AWS's event stream (`application/vnd.amazon.eventstream`), with their checksums.

use serde_json::Value;

/// Encodes an event or, if `kind` is `exception`, an exception.
pub(crate) fn message(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let named = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let headers: Vec<u8> = [(named, name), (":content-type", "application/json"), (":message-type", kind)]
        .into_iter()
        .flat_map(|(name, value)| header(name, value))
        .collect();
    let payload = payload.to_string().into_bytes();
    let total = 12 + headers.len() + payload.len() + 4;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend(number(total));
    bytes.extend(number(headers.len()));
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32(&bytes).to_be_bytes());
    bytes
}

/// A header with a string value, which is type 7.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(name.len()).expect("a short name")];
    bytes.extend(name.as_bytes());
    bytes.push(7);
    bytes.extend(u16::try_from(value.len()).expect("a short value").to_be_bytes());
    bytes.extend(value.as_bytes());
    bytes
}

fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a short message").to_be_bytes()
}

/// The CRC-32 of ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
