//! Parses AWS's event stream, far enough to know that a streamed answer is complete and which tokens it used.
//!
//! An exception inside the stream is a refusal. The text of the model is ignored. The checksums are not verified,
//! because TLS already detects damage.

use ::http::header;

use super::{BedrockError, TokenUsage, converse::UsageReport, error};
use crate::http::FullResponse;

/// A message starts with its total length, the length of its headers, and a checksum of both.
const PRELUDE_LEN: usize = 12;
const CHECKSUM_LEN: usize = 4;

/// One message of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct StreamMessage<'p> {
    /// `event`, `exception` or `error`.
    message_type: &'p str,
    /// The name of the event, the exception or the error.
    event_type: &'p str,
    error_message: Option<&'p str>,
    payload: &'p [u8],
}

/// Returns the usage from the `metadata` message, which is the last one. A stream without it is incomplete.
pub(super) fn parse_stream(answer: &FullResponse) -> Result<TokenUsage, BedrockError> {
    let is_stream = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
        == Some("application/vnd.amazon.eventstream");
    let mut spent = None;
    let mut rest = answer.body.as_slice();
    while is_stream && !rest.is_empty() {
        let (piece, next) = split_message(rest).ok_or(BedrockError::Truncated)?;
        rest = next;
        match (piece.message_type, piece.event_type) {
            ("event", "metadata") => {
                let report: UsageReport = serde_json::from_slice(piece.payload).map_err(|_| BedrockError::Truncated)?;
                spent = Some(report.usage);
            }
            ("event", _) => {}
            _ => {
                return Err(error::from_stream_exception(piece.event_type, piece.error_message, piece.payload, answer));
            }
        }
    }
    if is_stream { spent.ok_or(BedrockError::Truncated) } else { Err(BedrockError::from_unexpected_answer(answer)) }
}

/// Splits off the first message. `None` if it is incomplete. Every length is checked, because the bytes come from the
/// network.
fn split_message(bytes: &[u8]) -> Option<(StreamMessage<'_>, &[u8])> {
    let (total, headers) = (read_length(bytes, 0)?, read_length(bytes, 4)?);
    let (piece, rest) = bytes.split_at_checked(total)?;
    let body = piece.get(PRELUDE_LEN..total.checked_sub(CHECKSUM_LEN)?)?;
    let (headers, payload) = body.split_at_checked(headers)?;
    Some((StreamMessage { payload, ..parse_headers(headers)? }, rest))
}

fn read_length(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*four)).ok()
}

/// Parses the headers: a length byte, the name, the type of the value, and the value. Unknown names are skipped.
fn parse_headers(mut headers: &[u8]) -> Option<StreamMessage<'_>> {
    let mut piece = StreamMessage::default();
    while let Some((length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked((*length).into())?;
        let (kind, rest) = rest.split_first()?;
        let (value, rest) = split_header_value(*kind, rest)?;
        headers = rest;
        let text = std::str::from_utf8(value).unwrap_or_default();
        match name {
            b":message-type" => piece.message_type = text,
            b":event-type" | b":exception-type" | b":error-code" => piece.event_type = text,
            b":error-message" => piece.error_message = Some(text),
            _ => {}
        }
    }
    Some(piece)
}

/// Splits off a header's value. Its type decides the length: booleans have no bytes, numbers a fixed number, and texts
/// and byte arrays state their length.
fn split_header_value(kind: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match kind {
        0 | 1 => bytes.split_at_checked(0),
        2 => bytes.split_at_checked(1),
        3 => bytes.split_at_checked(2),
        4 => bytes.split_at_checked(4),
        5 | 8 => bytes.split_at_checked(8),
        9 => bytes.split_at_checked(16),
        6 | 7 => {
            let (length, rest) = bytes.split_first_chunk()?;
            rest.split_at_checked(u16::from_be_bytes(*length).into())
        }
        _ => None,
    }
}
