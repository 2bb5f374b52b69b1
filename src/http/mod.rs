//! The one HTTP client, for the provider and for AWS alike: the system's roots and the company's, proxies,
//! deadlines, a bounded body, no redirects.
//!
//! It carries requests and names what went wrong on the way; what an answer means is its caller's business.

mod bridge;
mod error;
mod proxy;
#[cfg(test)]
pub(crate) mod testing;
mod trust;
mod verifier;

use std::{fmt, time::Duration};

use ::http::{HeaderMap, StatusCode, header};
use reqwest::redirect;

pub use self::{
    error::{BundleFault, Error, ProxyFault, TlsFault},
    trust::Trust,
};
use self::{error::Journey, proxy::Proxies};
use crate::{time::Moment, url::SecureUrl};

/// The most of a body that is ever read. The largest honest answer, a key set, has some ten kilobytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Cheap to clone. Making one costs milliseconds, for the roots are read and parsed: once per process is enough.
#[derive(Clone)]
pub struct Client {
    direct: reqwest::Client,
    proxied: reqwest::Client,
    proxies: Proxies,
    deadlines: Deadlines,
}

/// A whole answer. A redirect is one too: nothing is followed.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Deadlines {
    connect: Duration,
    whole: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), whole: Duration::from_secs(30) }
    }
}

impl Client {
    pub fn new(trust: &Trust) -> Result<Self, Error> {
        Self::build(trust, Proxies::of_system(), Deadlines::default())
    }

    fn build(trust: &Trust, proxies: Proxies, deadlines: Deadlines) -> Result<Self, Error> {
        let tls = verifier::tls_config(trust)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("bedrock-sso/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .referer(false)
                .connect_timeout(deadlines.connect)
                .timeout(deadlines.whole)
        };
        let direct = builder().no_proxy().build().map_err(|_| Error::Internal)?;
        let proxied = proxies.apply(builder()).build().map_err(|_| Error::Internal)?;
        Ok(Self { direct, proxied, proxies, deadlines })
    }

    /// One request, one answer: 10 s to connect, 30 s in all, at most 1 MiB of body, no redirects.
    pub async fn send(&self, request: ::http::Request<Vec<u8>>) -> Result<Answer, Error> {
        let target = SecureUrl::parse(&request.uri().to_string())
            .map_err(|_| Error::NotSecure { host: request.uri().host().unwrap_or_default().to_owned() })?;
        let proxy = self.proxies.host_for(&target);
        let client = if proxy.is_some() { &self.proxied } else { &self.direct };
        let journey = Journey {
            host: target.authority(),
            proxy: proxy.as_deref(),
            connect: self.deadlines.connect,
            whole: self.deadlines.whole,
        };
        let request = reqwest::Request::try_from(request).map_err(|_| Error::Internal)?;
        let response = client.execute(request).await.map_err(|error| journey.failed(&error))?;
        read(response, &journey).await
    }
}

/// Reads the answer and stops at the limit, whatever length the server announced.
async fn read(mut response: reqwest::Response, journey: &Journey<'_>) -> Result<Answer, Error> {
    let too_large = || Error::TooLarge { host: journey.host.to_owned(), limit: BODY_LIMIT };
    if response.content_length().is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| journey.failed(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
}

impl Answer {
    /// The server's clock, from its `Date` header.
    pub fn date(&self) -> Option<Moment> {
        Moment::from_http_date(self.headers.get(header::DATE)?.to_str().ok()?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
