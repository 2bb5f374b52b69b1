//! Decodes the parameters of an authorization response (RFC 6749 §4.1.2, RFC 9207 §2) from a query.
//!
//! A repeated parameter is an error. `verdict` compares the values with the expected ones.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::IgnoreReason;
use crate::secret::Secret;

/// The parameters that a provider may send. Unknown ones are ignored, as RFC 6749 §4.1.2 requires.
#[derive(Debug, Default)]
pub(super) struct CallbackParameters {
    pub(super) state: Option<Secret>,
    pub(super) code: Option<Secret>,
    pub(super) error: Option<Secret>,
    pub(super) error_description: Option<Secret>,
    pub(super) iss: Option<Secret>,
}

impl CallbackParameters {
    /// Fails if a parameter occurs twice (RFC 6749 §3.1 forbids it). Otherwise an attacker could append a second
    /// `code` or `state`, and this program and a proxy or scanner could disagree about which one counts.
    pub(super) fn parse_query(query: &str) -> Result<Self, IgnoreReason> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_form_value(name)?, Secret::new(decode_form_value(value)?));
            if read.parameter_mut(&name).is_some_and(|slot| slot.replace(value).is_some()) {
                return Err(IgnoreReason::Repeated);
            }
        }
        Ok(read)
    }

    fn parameter_mut(&mut self, name: &str) -> Option<&mut Option<Secret>> {
        match name {
            "state" => Some(&mut self.state),
            "code" => Some(&mut self.code),
            "error" => Some(&mut self.error),
            "error_description" => Some(&mut self.error_description),
            "iss" => Some(&mut self.iss),
            _ => None,
        }
    }
}

/// Decodes `+` and percent escapes. A percent sign without two hex digits stays as it is.
fn decode_form_value(text: &str) -> Result<String, IgnoreReason> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(Cow::into_owned).map_err(|_| IgnoreReason::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        assert_eq!(decode_form_value("not+assigned%21%20%C3%BC+%2B").unwrap(), "not assigned! ü +");
    }

    #[test]
    fn stray_percent_sign_stays_as_it_is() {
        assert_eq!(decode_form_value("100%+%zz%4").unwrap(), "100% %zz%4");
    }

    #[test]
    fn query_bytes_that_are_not_utf8_are_rejected() {
        assert_eq!(decode_form_value("%ff%fe"), Err(IgnoreReason::Encoding));
        assert_eq!(CallbackParameters::parse_query("other=%ff").unwrap_err(), IgnoreReason::Encoding);
    }

    #[test]
    fn repeated_parameter_is_rejected_in_any_encoding() {
        assert_eq!(CallbackParameters::parse_query("state=a&st%61te=b").unwrap_err(), IgnoreReason::Repeated);
        assert!(CallbackParameters::parse_query("session_state=1&session_state=2&state=a").is_ok());
    }

    #[test]
    fn parameter_without_a_value_is_empty() {
        assert_eq!(CallbackParameters::parse_query("&code&&").unwrap().code.as_ref().map(Secret::expose), Some(""));
    }
}
