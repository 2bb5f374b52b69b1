//! Finds sections in a PEM file (RFC 7468). Real files contain comments between the sections and several sections.
//!
//! The caller interprets the decoded bytes. Decoded keys are erased from memory when they are dropped.
//!
//! The reader of `rustls-pki-types`, which reads the CA bundles, cannot replace this one. It skips every section that
//! it does not know, such as `ENCRYPTED PRIVATE KEY`, and reports OpenSSL's legacy encryption as invalid base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One section: the text between a BEGIN line and the END line of the same label.
#[derive(Debug)]
pub(super) struct PemSection<'t> {
    pub(super) label: &'t str,
    body: &'t str,
}

/// Returns the first section whose label has this ending. `PRIVATE KEY` so finds `EC PRIVATE KEY` as well.
pub(super) fn find_section<'t>(text: &'t str, ending: &str) -> Option<PemSection<'t>> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, after) = after.split_once(DASHES)?;
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        if label.ends_with(ending) {
            return Some(PemSection { label, body });
        }
        rest = after;
    }
    None
}

impl PemSection<'_> {
    /// Returns whether the section has headers of the form "Name: value" (RFC 1421 §4.6). Only OpenSSL's legacy
    /// encryption uses them.
    pub(super) fn has_headers(&self) -> bool {
        self.body.contains(':')
    }

    /// Decodes the base64 text. `None` if it is invalid or empty.
    pub(super) fn decode_der(&self) -> Option<Zeroizing<Vec<u8>>> {
        let plain: Zeroizing<Vec<u8>> =
            Zeroizing::new(self.body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
        let mut der = Zeroizing::new(vec![0; plain.len()]);
        let length = STANDARD.decode_slice(&*plain, &mut der).ok()?;
        der.truncate(length);
        (!der.is_empty()).then_some(der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVERAL: &str = "Bag Attributes\n  friendlyName: me\n-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\r\n\
        -----BEGIN EC PRIVATE KEY-----\r\nQUJD\r\nREVG\r\n-----END EC PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nWFla\n-----END CERTIFICATE-----\n";

    #[test]
    fn pem_section_is_found_among_others() {
        let key = find_section(SEVERAL, "PRIVATE KEY").unwrap();
        assert_eq!((key.label, key.decode_der().unwrap().as_slice()), ("EC PRIVATE KEY", &b"ABCDEF"[..]));
        let certificate = find_section(SEVERAL, "CERTIFICATE").unwrap();
        assert_eq!(certificate.decode_der().unwrap().as_slice(), b"XYZ");
    }

    #[test]
    fn truncated_or_invalid_pem_section_is_absent() {
        assert!(find_section(SEVERAL, "PUBLIC KEY").is_none());
        assert!(find_section("-----BEGIN PRIVATE KEY-----\nQUJD\n", "PRIVATE KEY").is_none());
        assert!(find_section("-----BEGIN PRIVATE", "PRIVATE KEY").is_none());
        for body in ["", "!", "Proc-Type: 4,ENCRYPTED\n\nQUJD"] {
            let text = format!("-----BEGIN A KEY-----\n{body}\n-----END A KEY-----");
            assert!(find_section(&text, "KEY").unwrap().decode_der().is_none(), "{body}");
        }
    }
}
