//! URLs to which the program may send secrets: https, or plain http on loopback.
//!
//! A [`SecureUrl`] protects against eavesdropping only. Whether the server is the right one, the caller must decide.

use std::fmt;

use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};

use crate::trait_impls::impl_debug;

/// A URL that never sends a secret over the network unencrypted. It contains no user name and no password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SecureUrl(Url);

/// Why a text is not a [`SecureUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureUrlError {
    /// The text is not an absolute URL.
    Malformed,
    /// The URL uses http for another computer, or a scheme other than http and https.
    NotSecure,
    /// The URL contains a user name or a password, which would appear in logs and messages.
    HasCredentials,
}

impl SecureUrl {
    /// Parses a URL, or says why the program must not use it.
    pub fn parse(text: &str) -> Result<Self, SecureUrlError> {
        let url = Url::parse(text).map_err(|_| SecureUrlError::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SecureUrlError::HasCredentials);
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => Ok(Self(url)),
            ("http", Some(host)) if is_loopback_host(&host) => Ok(Self(url)),
            _ => Err(SecureUrlError::NotSecure),
        }
    }

    pub fn as_url(&self) -> &Url {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the URL points to this computer, so that nothing leaves it.
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback_host(&host))
    }

    /// Scheme, host and port. Two URLs with the same origin send a secret to the same server.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The same URL with further segments of the path. Characters with a meaning in URLs are escaped.
    #[must_use]
    pub fn extend_path(&self, segments: &[&str]) -> Self {
        let mut url = self.0.clone();
        // It fails only for URLs without a host, which `parse` rejects.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self(url)
    }

    /// The URL with another last segment of the path, and without a query.
    #[must_use]
    pub fn replace_last_segment(&self, segment: &str) -> Self {
        let mut url = self.0.clone();
        url.set_query(None);
        // It fails only for URLs without a host, which `parse` rejects.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop().push(segment);
        }
        Self(url)
    }

    /// The host, with the port if the URL names one, for messages.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }
}

/// Whether the host is `localhost` or a loopback address.
fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_localhost_name(name),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether the name is reserved for this computer (RFC 6761 §6.3).
pub fn is_localhost_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Display for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl_debug!(SecureUrl, SecureUrl::as_str);

impl TryFrom<String> for SecureUrl {
    type Error = SecureUrlError;

    fn try_from(text: String) -> Result<Self, SecureUrlError> {
        Self::parse(&text)
    }
}

impl fmt::Display for SecureUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it must be an absolute URL, such as https://login.example.com",
            Self::NotSecure => "it must use https; plain http is allowed only for this computer",
            Self::HasCredentials => "it must not contain a user name or password",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_allowed_for_loopback_only() {
        for good in ["https://a.example", "http://127.0.0.1:1", "http://[::1]/x", "http://localhost:80/"] {
            assert!(SecureUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://a.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost", "file:///etc"]
        {
            assert_eq!(SecureUrl::parse(bad), Err(SecureUrlError::NotSecure), "{bad}");
        }
    }

    #[test]
    fn last_segment_is_replaced() {
        for (url, expected) in [
            ("https://a.example/check", "https://a.example/me"),
            ("https://a.example/check/", "https://a.example/me"),
            ("https://a.example/v1/check?stage=prod", "https://a.example/v1/me"),
        ] {
            assert_eq!(SecureUrl::parse(url).unwrap().replace_last_segment("me").as_str(), expected);
        }
    }

    #[test]
    fn url_with_a_password_is_rejected() {
        assert_eq!(SecureUrl::parse("https://me:pw@a.example"), Err(SecureUrlError::HasCredentials));
    }

    #[test]
    fn path_is_extended_behind_its_own_segments() {
        for (url, expected) in [
            ("https://a.example", "https://a.example/b%2Fc/d"),
            ("https://a.example/", "https://a.example/b%2Fc/d"),
            ("https://a.example/own/", "https://a.example/own/b%2Fc/d"),
        ] {
            assert_eq!(SecureUrl::parse(url).unwrap().extend_path(&["b/c", "d"]).as_str(), expected);
        }
    }

    #[test]
    fn url_parser_reports_text_that_is_not_a_url_as_malformed() {
        assert_eq!(SecureUrl::parse("login.example.com"), Err(SecureUrlError::Malformed));
    }
}
