//! Answers as bytes: status, the headers every answer carries, and a page.
//!
//! Connections end with each answer; who gets which is `serve`'s business.

use crate::oidc::page::{self, HtmlPage};

/// An answer, ready to send.
pub(super) struct CallbackResponse {
    status: &'static str,
    fields: Vec<(&'static str, String)>,
    body: String,
    sends_body: bool,
}

impl CallbackResponse {
    pub(super) fn from_page(status: &'static str, page: HtmlPage) -> Self {
        let fields = vec![
            ("Content-Type", "text/html; charset=utf-8".to_owned()),
            ("Content-Security-Policy", page::build_security_policy().to_owned()),
        ];
        Self { status, fields, body: page.into_html(), sends_body: true }
    }

    pub(super) fn redirect_to(status: &'static str, location: &str) -> Self {
        // The address is ours or a parsed URL; what is not visible ASCII cannot start a header of its own.
        let location = location.chars().filter(char::is_ascii_graphic).collect();
        Self { status, fields: vec![("Location", location)], body: String::new(), sends_body: true }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The answer to HEAD: with the headers of the whole answer.
    pub(super) fn without_body(mut self) -> Self {
        self.sends_body = false;
        self
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {}\r\n", self.status);
        let length = self.body.len().to_string();
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(COMMON_HEADERS).chain([("Content-Length", length.as_str())]) {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        if self.sends_body {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

/// Nothing is kept, framed, guessed at or passed on.
const COMMON_HEADERS: [(&str, &str); 7] = [
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
];
