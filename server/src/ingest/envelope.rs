//! Unpacks a delivery: lines of JSON, the same compressed (as in S3), or the envelope of a CloudWatch subscription.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::Rejection;

/// The largest delivery after decompression. CloudWatch sends at most 1 MB at once, S3 objects of Bedrock are smaller.
pub const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;

/// The first bytes of gzip (RFC 1952 §2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a CloudWatch subscription delivers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionEnvelope {
    message_type: MessageType,
    #[serde(default)]
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageType {
    DataMessage,
    /// CloudWatch tests whether the destination can be reached.
    ControlMessage,
}

#[derive(Deserialize)]
pub(super) struct LogEvent {
    message: String,
}

/// A delivery without its envelope.
pub(super) enum UnpackedDelivery<'b> {
    /// The records are lines of a text.
    Lines(Cow<'b, [u8]>),
    Events(Vec<LogEvent>),
}

impl<'b> UnpackedDelivery<'b> {
    pub(super) fn unpack(body: &'b [u8]) -> Result<Self, Rejection> {
        let text = match body.starts_with(&GZIP_MAGIC) {
            true => Cow::Owned(unpack_gzip(body)?),
            false => Cow::Borrowed(body),
        };
        // A record of Bedrock has no `messageType`, so this fails for it.
        Ok(match serde_json::from_slice::<SubscriptionEnvelope>(&text) {
            Ok(SubscriptionEnvelope { message_type: MessageType::DataMessage, log_events }) => Self::Events(log_events),
            Ok(SubscriptionEnvelope { message_type: MessageType::ControlMessage, .. }) => Self::Events(Vec::new()),
            Err(_) => Self::Lines(text),
        })
    }

    /// The records, one JSON text each. None is copied, because a small archive may unpack to millions of short lines.
    pub(super) fn records(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            Self::Events(events) => Box::new(events.iter().map(|event| event.message.as_bytes())),
            Self::Lines(text) => {
                let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
                Box::new(lines.filter(|line| !line.is_empty()))
            }
        }
    }
}

fn unpack_gzip(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(body)
        .take(MAX_UNPACKED_BYTES + 1)
        .read_to_end(&mut unpacked)
        .map_err(|_| Rejection::Compression)?;
    match unpacked.len() as u64 > MAX_UNPACKED_BYTES {
        true => Err(Rejection::TooLarge),
        false => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(body: &[u8]) -> Result<Vec<String>, Rejection> {
        let delivery = UnpackedDelivery::unpack(body)?;
        Ok(delivery.records().map(|record| String::from_utf8(record.to_vec()).unwrap()).collect())
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        assert_eq!(lines(b"{\"a\":1}\n\n  {\"b\":2}\r\n").unwrap(), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(lines(b"").unwrap(), [""; 0]);
        assert_eq!(lines(&gzip(b"one\ntwo\n")).unwrap(), ["one", "two"]);
    }

    #[test]
    fn an_envelope_contains_records_or_is_a_test_of_the_destination() {
        let data =
            br#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
            "logEvents":[{"id":"1","timestamp":1,"message":"one"},{"id":"2","timestamp":2,"message":"two"}]}"#;
        assert_eq!(lines(&gzip(data)).unwrap(), ["one", "two"]);
        let control = br#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#;
        assert_eq!(lines(&gzip(control)).unwrap(), [""; 0]);
    }

    #[test]
    fn damaged_and_huge_archives_are_rejected() {
        let mut cut = gzip(b"one\ntwo\n");
        cut.truncate(cut.len() - 4);
        assert_eq!(lines(&cut), Err(Rejection::Compression));
        let huge = vec![b' '; usize::try_from(MAX_UNPACKED_BYTES).unwrap() + 1];
        assert_eq!(lines(&gzip(&huge)), Err(Rejection::TooLarge));
    }
}
