//! What a person can do about what answers on the other side of the network, and about the clock it tells of.
//!
//! What was found, and how grave it is, is for `doctor`.

use std::time::Duration;

use super::join_with_and;
use crate::{
    failure::{Exit, Failure},
    oidc::ClockSkew,
    time::format_duration,
};

/// Hosts and addresses are safe to print already.
#[derive(Debug)]
pub enum RemoteFinding {
    /// The clock here differs from that of a host.
    Clock {
        skew: ClockSkew,
        host: String,
    },
    /// The provider signs with algorithms that this program does not believe in.
    UnsupportedAlgorithms {
        offered: Vec<String>,
    },
    /// It signs with none that AWS accepts.
    AlgorithmsAwsRejects {
        offered: Vec<String>,
    },
    NoKeys {
        host: String,
    },
    /// The provider answers a request to sign in with an error.
    UnknownClient {
        client_id: String,
        redirect_uri: String,
    },
    /// What answered is not AWS.
    NotAws {
        host: String,
        status: u16,
    },
    /// The quota service has no such address, or is broken.
    Quota {
        host: String,
        status: u16,
    },
    /// Telemetry would go there for everybody on the way to read.
    InsecureCollector {
        address: String,
    },
    BadCollector {
        address: String,
        why: String,
    },
}

impl From<RemoteFinding> for Failure {
    fn from(found: RemoteFinding) -> Self {
        let (exit, slug, what, hint) = match found {
            RemoteFinding::Clock { skew, host } => describe_clock_skew(&skew, &host),
            RemoteFinding::UnsupportedAlgorithms { offered } => (
                Exit::TokenRejected,
                "doctor/algorithm",
                format!(
                    "the provider signs with {}, which this program does not accept",
                    join_with_and(&offered)
                ),
                "have the application's ID tokens signed with RS256 or ES256".to_owned(),
            ),
            RemoteFinding::AlgorithmsAwsRejects { offered } => (
                Exit::Aws,
                "doctor/algorithm",
                format!("the provider signs with {}, which AWS does not accept", join_with_and(&offered)),
                "have the application's ID tokens signed with RS256 or ES256".to_owned(),
            ),
            RemoteFinding::NoKeys { host } => (
                Exit::TokenRejected,
                "doctor/keys",
                format!("{host} publishes no key, so no token of its can be verified"),
                "tell whoever runs the provider".to_owned(),
            ),
            RemoteFinding::UnknownClient { client_id, redirect_uri } => (
                Exit::Refused,
                "doctor/client",
                format!("the provider answers the client {client_id} at {redirect_uri} with an error"),
                format!("check `client_id`, and that {redirect_uri} is registered for it, letter by letter"),
            ),
            RemoteFinding::NotAws { host, status } => (
                Exit::Network,
                "doctor/not_aws",
                format!("{host} answered {status}, and not as AWS does"),
                "sign in to this network if it wants that, or check the proxy and `sts_endpoint`".to_owned(),
            ),
            RemoteFinding::Quota { host, status } => (
                Exit::OverQuota,
                "doctor/quota",
                format!("the quota service at {host} answered {status}"),
                "check quota.endpoint, or tell your administrator".to_owned(),
            ),
            RemoteFinding::InsecureCollector { address } => (
                Exit::Configuration,
                "doctor/collector",
                format!("telemetry goes unencrypted to {address}"),
                "name the collector with https in claude_code.env".to_owned(),
            ),
            RemoteFinding::BadCollector { address, why } => (
                Exit::Configuration,
                "doctor/collector",
                format!("the collector {address} is no address: {why}"),
                "correct OTEL_EXPORTER_OTLP_ENDPOINT in claude_code.env".to_owned(),
            ),
        };
        Self::new(exit, slug, what, hint)
    }
}

fn describe_clock_skew(skew: &ClockSkew, host: &str) -> (Exit, &'static str, String, String) {
    let said = |span: Duration, where_to| {
        format!("this computer's clock is {} {where_to} that of {host}", format_duration(span))
    };
    let what = match *skew {
        ClockSkew::AheadBy(span) => said(span, "ahead of"),
        ClockSkew::BehindBy(span) => said(span, "behind"),
    };
    let hint = "set this computer's clock; better, let it follow network time";
    (Exit::TokenRejected, "doctor/clock", what, hint.to_owned())
}
