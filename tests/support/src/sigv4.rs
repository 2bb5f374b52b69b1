//! AWS Signature Version 4, from the side that checks it.
//!
//! Whose credentials they are, and whether they are still good, is for `sts`.

use std::fmt::Write;

use chrono::NaiveDateTime;
use ring::{digest, hmac};
use url::form_urlencoded;

use crate::{
    sts::{Refused, refused},
    wire::Request,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of an `Authorization` header.
pub(crate) struct Signed {
    pub access_key: String,
    /// date/region/service/aws4_request
    scope: String,
    headers: String,
    signature: String,
}

impl Signed {
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let mut signed = Self {
            access_key: String::new(),
            scope: String::new(),
            headers: String::new(),
            signature: String::new(),
        };
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

    pub(crate) fn check(&self, request: &Request, secret_key: &str, now: i64) -> Result<(), Refused> {
        let mismatch = |why: &str| {
            refused(403, "SignatureDoesNotMatch", format!("The request signature does not match: {why}"))
        };
        let date = request.header("x-amz-date").unwrap_or_default();
        let at =
            NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| mismatch("no x-amz-date"))?;
        if (at.and_utc().timestamp() - now).abs() > 300 {
            return Err(mismatch("Signature expired"));
        }
        let [day, _region, service, terminator] = self.scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(mismatch("malformed credential scope"));
        };
        if !date.starts_with(day) || service != "sts" || terminator != "aws4_request" {
            return Err(mismatch("Credential should be scoped to correct service: 'sts'"));
        }
        for needed in ["host", "x-amz-date", "x-amz-security-token"] {
            if !self.headers.split(';').any(|name| name == needed) {
                return Err(mismatch(&format!("{needed} is not signed")));
            }
        }
        let text =
            format!("{ALGORITHM}\n{date}\n{}\n{}", self.scope, sha256(self.canonical(request).as_bytes()));
        let key = self
            .scope
            .split('/')
            .fold(format!("AWS4{secret_key}").into_bytes(), |key, part| hmac(&key, part));
        if hex(&hmac(&key, &text)) == self.signature { Ok(()) } else { Err(mismatch("wrong signature")) }
    }

    fn canonical(&self, request: &Request) -> String {
        let mut query: Vec<_> = request.query();
        query.sort();
        let encode = |text: &str| {
            form_urlencoded::byte_serialize(text.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
                .replace('*', "%2A")
                .replace("%7E", "~")
        };
        let query: Vec<_> =
            query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
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
            request.path(),
            query.join("&"),
            self.headers,
            sha256(&request.body)
        )
    }
}

pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}
