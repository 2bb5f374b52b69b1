//! Builds the responses of the callback server: status, security headers and a page or redirect.
//!
//! Every response closes its connection. `server` and `one_time_address` choose the response.

use crate::oidc::page::HtmlPage;

pub(super) struct CallbackResponse {
    status: &'static str,
    fields: Vec<(&'static str, String)>,
    body: String,
    sends_body: bool,
}

impl CallbackResponse {
    /// A page, with a policy that permits no script and nothing from another host.
    pub(super) fn from_page(status: &'static str, page: HtmlPage) -> Self {
        let fields = vec![
            ("Content-Type", "text/html; charset=utf-8".to_owned()),
            ("Content-Security-Policy", page.security_policy()),
        ];
        Self { status, fields, body: page.into_html(), sends_body: true }
    }

    /// A redirect. Callers use 302 or 303, never 307, which would repeat a posted form (RFC 9700 §4.12).
    pub(super) fn redirect_to(status: &'static str, location: &str) -> Self {
        // The address is a path of this server or a parsed URL. Dropping everything except visible ASCII also excludes
        // line breaks, which could inject a header.
        let location = location.chars().filter(char::is_ascii_graphic).collect();
        Self { status, fields: vec![("Location", location)], body: String::new(), sends_body: true }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The response to HEAD: all headers of the full response, without the body.
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

/// The headers of every response. They stop the browser from caching the page, from framing it (clickjacking), from
/// guessing another content type, and from sending the address, which may hold the code, as referrer (RFC 9700 §4.2.4).
const COMMON_HEADERS: [(&str, &str); 7] = [
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
];
