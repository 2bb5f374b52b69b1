//! Which proxy stands between this machine and an address: `HTTPS_PROXY`, `NO_PROXY` and the system's settings.
//!
//! It decides by the very matcher that the client uses inside, and tells only the proxy's host, never its password.

use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;

use crate::url::SecureUrl;

#[derive(Clone)]
pub(super) struct Proxies {
    matcher: Arc<Matcher>,
    /// A test's own proxy in place of the system's.
    fixed: Option<String>,
}

impl Proxies {
    pub(super) fn of_system() -> Self {
        Self { matcher: Arc::new(Matcher::from_system()), fixed: None }
    }

    #[cfg(test)]
    pub(super) fn fixed(proxy: &str) -> Self {
        let matcher = Matcher::builder().all(proxy.to_owned()).build();
        Self { matcher: Arc::new(matcher), fixed: Some(proxy.to_owned()) }
    }

    /// Host and port of the proxy that requests for this address pass through; none for this very machine.
    pub(super) fn host_for(&self, target: &SecureUrl) -> Option<String> {
        if target.is_this_machine() {
            return None;
        }
        let proxy = self.matcher.intercept(&target.as_str().parse().ok()?)?;
        proxy.uri().authority().map(|authority| authority.as_str().to_owned())
    }

    /// Without a fixed proxy the client reads the same settings itself.
    pub(super) fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match self.fixed.as_deref().map(reqwest::Proxy::all) {
            Some(Ok(proxy)) => builder.proxy(proxy),
            _ => builder,
        }
    }
}
