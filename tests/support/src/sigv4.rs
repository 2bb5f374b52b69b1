//! AWS Signature Version 4: checks the signatures of requests, and signs a request to STS for a test.
//!
//! `sts` decides whose credentials they are and whether they are valid.

use std::fmt::Write;

use chrono::NaiveDateTime;
use ring::{digest, hmac};
#[cfg(unix)]
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    sts::{Refused, refused},
    wire::Request,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parsed `Authorization` header.
pub(crate) struct Signed {
    pub access_key: String,
    /// `date/region/service/aws4_request`
    scope: String,
    headers: String,
    signature: String,
}

impl Signed {
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let mut signed =
            Self { access_key: String::new(), scope: String::new(), headers: String::new(), signature: String::new() };
        for part in request.header("authorization")?.strip_prefix(ALGORITHM)?.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "Credential" => {
                    let (key, scope) = value.split_once('/')?;
                    (signed.access_key, signed.scope) = (key.to_owned(), scope.to_owned());
                }
                "SignedHeaders" => signed.headers = value.to_owned(),
                "Signature" => signed.signature = value.to_owned(),
                _ => return None,
            }
        }
        Some(signed)
    }

    /// Checks the signature for this service, in any region.
    pub(crate) fn check(&self, request: &Request, service: &str, secret_key: &str, now: i64) -> Result<(), Refused> {
        let mismatch =
            |why: &str| refused(403, "SignatureDoesNotMatch", format!("The request signature does not match: {why}"));
        let date = request.header("x-amz-date").unwrap_or_default();
        let at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| mismatch("no x-amz-date"))?;
        if (at.and_utc().timestamp() - now).abs() > 300 {
            return Err(mismatch("Signature expired"));
        }
        let [day, _region, named, terminator] = self.scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(mismatch("malformed credential scope"));
        };
        if !date.starts_with(day) || named != service || terminator != "aws4_request" {
            return Err(mismatch(&format!("Credential should be scoped to correct service: '{service}'")));
        }
        let typed = request.header("content-type").map(|_| "content-type");
        for needed in ["host", "x-amz-date", "x-amz-security-token"].into_iter().chain(typed) {
            if !self.headers.split(';').any(|name| name == needed) {
                return Err(mismatch(&format!("{needed} is not signed")));
            }
        }
        let expected = signature(secret_key, &self.scope, date, &self.canonical(request));
        if expected == self.signature { Ok(()) } else { Err(mismatch("wrong signature")) }
    }

    /// The region in the scope.
    pub(crate) fn region(&self) -> &str {
        self.scope.split('/').nth(1).unwrap_or_default()
    }

    /// The canonical request. Every service but S3 encodes the path once more than it was sent.
    fn canonical(&self, request: &Request) -> String {
        let mut query: Vec<_> = request.query();
        query.sort();
        let path = request.path().split('/').map(encode).collect::<Vec<_>>().join("/");
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let headers: String = self
            .headers
            .split(';')
            .map(|name| {
                let value = request.header(name).unwrap_or_default();
                format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect();
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            path,
            query.join("&"),
            self.headers,
            sha256(&request.body)
        )
    }
}

fn signature(secret_key: &str, scope: &str, date: &str, canonical: &str) -> String {
    let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let key = scope.split('/').fold(format!("AWS4{secret_key}").into_bytes(), |key, part| hmac(&key, part));
    hex(&hmac(&key, &text))
}

/// The headers of a signed request that posts a form to `/` of this STS host.
#[cfg(unix)]
pub(crate) fn headers(credentials: &Value, host: &str, date: &str, body: &[u8]) -> [(&'static str, String); 4] {
    const FORM: &str = "application/x-www-form-urlencoded";
    const SIGNED: &str = "content-type;host;x-amz-date;x-amz-security-token";
    let text = |name| credentials[name].as_str().unwrap_or_default();
    let (key, token) = (text("AccessKeyId"), text("SessionToken"));
    let scope = format!("{}/us-east-1/sts/aws4_request", date.get(..8).unwrap_or_default());
    let canonical = format!(
        "POST\n/\n\ncontent-type:{FORM}\nhost:{host}\nx-amz-date:{date}\nx-amz-security-token:{token}\n\n{SIGNED}\n{}",
        sha256(body)
    );
    let signature = signature(text("SecretAccessKey"), &scope, date, &canonical);
    let proof = format!("{ALGORITHM} Credential={key}/{scope}, SignedHeaders={SIGNED}, Signature={signature}");
    [
        ("content-type", FORM.to_owned()),
        ("x-amz-date", date.to_owned()),
        ("x-amz-security-token", token.to_owned()),
        ("authorization", proof),
    ]
}

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
        .replace('*', "%2A")
        .replace("%7E", "~")
}

pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
