//! The body of a request: its format, its compression, and its limits.

use std::{borrow::Cow, io::Read as _};

use axum::http::{HeaderMap, header};
use bedrock_sso::telemetry::otlp::{OtlpExport, OtlpFormat, OtlpSignal};
use flate2::read::MultiGzDecoder;

use super::answer::ExportRefusal;

/// The most bytes of a body, before and after decompression. Claude Code's exports have a few hundred kilobytes.
pub(super) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEncoding {
    Plain,
    Gzip,
}

/// The format of the body, which is also that of the answer.
pub(super) fn read_format(headers: &HeaderMap) -> Result<OtlpFormat, ExportRefusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(OtlpFormat::Json),
        "application/x-protobuf" => Ok(OtlpFormat::Protobuf),
        _ => Err(ExportRefusal::UnknownFormat),
    }
}

pub(super) fn read_encoding(headers: &HeaderMap) -> Result<BodyEncoding, ExportRefusal> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(BodyEncoding::Plain) };
    match encoding.to_str().unwrap_or("unknown").trim().to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(BodyEncoding::Plain),
        "gzip" => Ok(BodyEncoding::Gzip),
        _ => Err(ExportRefusal::UnknownFormat),
    }
}

/// Decompresses the body, up to the limit.
pub(super) fn unpack_body(encoding: BodyEncoding, body: &[u8]) -> Result<Cow<'_, [u8]>, ExportRefusal> {
    match encoding {
        BodyEncoding::Plain => Ok(Cow::Borrowed(body)),
        BodyEncoding::Gzip => {
            let mut unpacked = Vec::new();
            let limit = MAX_BODY_BYTES as u64 + 1;
            let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut unpacked);
            match read {
                Err(_) => Err(ExportRefusal::Malformed("the body is not gzip".to_owned())),
                Ok(_) if unpacked.len() > MAX_BODY_BYTES => Err(ExportRefusal::TooLarge),
                Ok(_) => Ok(Cow::Owned(unpacked)),
            }
        }
    }
}

/// Reads an export that is not compressed.
pub fn parse_body(signal: OtlpSignal, format: OtlpFormat, body: &[u8]) -> Result<OtlpExport, ExportRefusal> {
    OtlpExport::parse(signal, format, body).map_err(|error| ExportRefusal::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn with_header(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_two_formats_of_otlp_are_accepted() {
        let read = |value: &str| read_format(&with_header(header::CONTENT_TYPE, value)).ok();
        assert_eq!(read("application/json"), Some(OtlpFormat::Json));
        assert_eq!(read("Application/JSON; charset=utf-8"), Some(OtlpFormat::Json));
        assert_eq!(read("application/x-protobuf"), Some(OtlpFormat::Protobuf));
        for other in ["", "text/plain", "application/grpc", "application/jsonl", "application/json, text/plain"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert!(read_format(&HeaderMap::new()).is_err());
        let encoding = |value: &str| read_encoding(&with_header(header::CONTENT_ENCODING, value)).ok();
        assert_eq!(read_encoding(&HeaderMap::new()).ok(), Some(BodyEncoding::Plain));
        assert_eq!(encoding("GZIP"), Some(BodyEncoding::Gzip));
        assert_eq!(encoding("identity"), Some(BodyEncoding::Plain));
        for other in ["deflate", "gzip, gzip", "zstd"] {
            assert_eq!(encoding(other), None, "{other}");
        }
    }

    #[test]
    fn a_small_archive_cannot_fill_the_memory() {
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let unpack = |bytes: &[u8]| unpack_body(BodyEncoding::Gzip, bytes).map(Cow::into_owned);
        assert_eq!(unpack(&gzip(b"{}")).unwrap(), b"{}");
        assert_eq!(unpack(&gzip(&vec![b' '; MAX_BODY_BYTES])).unwrap().len(), MAX_BODY_BYTES);
        let bomb = gzip(&vec![b' '; MAX_BODY_BYTES + 1]);
        assert!(bomb.len() < 50_000);
        assert!(matches!(unpack(&bomb), Err(ExportRefusal::TooLarge)));
        assert!(matches!(unpack(b"{}"), Err(ExportRefusal::Malformed(_))));
        let cut = gzip(b"{}");
        assert!(matches!(unpack(&cut[..cut.len() - 4]), Err(ExportRefusal::Malformed(_))));
    }
}
