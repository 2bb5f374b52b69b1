//! The system's resolver, given less time than a connection has, so that a name server's silence can be told.
//!
//! It looks up; which of the addresses is taken is the connector's choice.

use std::{error, fmt, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Enough for a second name server to answer when the first is gone.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Names;

/// No name server answered within this time.
#[derive(Debug)]
pub(super) struct Unanswered(pub(super) Duration);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is put in its place by the caller.
            match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name.as_str(), 0))).await {
                Ok(found) => Ok(Box::new(found?.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(_) => Err(Unanswered(PATIENCE).into()),
            }
        })
    }
}

impl error::Error for Unanswered {}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no name server answered")
    }
}
