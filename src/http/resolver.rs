//! Resolves names with the system's resolver, with a shorter timeout than the connection's, so that a silent name
//! server is reported as the cause instead of the host.
//!
//! It also ensures that names of this machine resolve to loopback addresses only.

use std::{error, fmt, io, net::SocketAddr, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::url::is_localhost_name;

/// Long enough for the second name server to answer when the first does not.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct SystemResolver;

/// No name server answered within this time.
#[derive(Debug)]
pub(super) struct NameServerTimeout(pub(super) Duration);

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // `reqwest` replaces the port.
            match tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((name.as_str(), 0))).await {
                Ok(found) => Ok(Box::new(filter_addresses(name.as_str(), found?.collect())?.into_iter()) as Addrs),
                Err(_) => Err(NameServerTimeout(LOOKUP_TIMEOUT).into()),
            }
        })
    }
}

/// Drops every address of `localhost` that is not loopback. The client permits plain http to that name, and some
/// resolvers ask the network for it: an attacker there could then read secrets (RFC 6761 §6.3).
fn filter_addresses(name: &str, mut found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    if is_localhost_name(name) {
        found.retain(|address| address.ip().is_loopback());
    }
    if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
}

impl error::Error for NameServerTimeout {}

impl fmt::Display for NameServerTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no name server answered")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_must_resolve_to_loopback() {
        let addresses = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let [here, there] = [addresses(&["127.0.0.1:0", "[::1]:0"]), addresses(&["192.0.2.1:0"])];
        let both = [&here[..], &there[..]].concat();
        assert_eq!(filter_addresses("localhost", both.clone()).unwrap(), here);
        assert!(filter_addresses("idp.localhost", there).is_err());
        assert_eq!(filter_addresses("idp.example", both.clone()).unwrap(), both);
    }
}
