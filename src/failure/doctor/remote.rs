//! What a user can do about hosts that answer wrongly, and about the clock that they reveal.
//!
//! What was found, and how serious it is, is for `doctor`. Hosts and addresses are safe to print already.

use std::time::Duration;

use super::join_with_and;
use crate::{
    failure::{Exit, Failure},
    oidc::ClockSkew,
    time::format_duration,
};

/// The clock here differs from that of `host`.
pub fn describe_clock_skew(skew: ClockSkew, host: &str) -> Failure {
    let compare = |span: Duration, relation| {
        format!("this computer's clock is {} {relation} that of {host}", format_duration(span))
    };
    let what = match skew {
        ClockSkew::AheadBy(span) => compare(span, "ahead of"),
        ClockSkew::BehindBy(span) => compare(span, "behind"),
    };
    let hint = "set this computer's clock; better, let it follow network time";
    Failure::new(Exit::TokenRejected, "doctor/clock", what, hint)
}

const SUPPORTED_ALGORITHMS: &str = "have the application's ID tokens signed with RS256 or ES256";

/// The provider signs with no algorithm that this program accepts.
pub fn describe_unsupported_algorithms(offered: &[String]) -> Failure {
    let what = format!("the provider signs with {}, which this program does not accept", join_with_and(offered));
    Failure::new(Exit::TokenRejected, "doctor/algorithm", what, SUPPORTED_ALGORITHMS)
}

/// The provider signs with no algorithm that AWS accepts.
pub fn describe_algorithms_aws_rejects(offered: &[String]) -> Failure {
    let what = format!("the provider signs with {}, which AWS does not accept", join_with_and(offered));
    Failure::new(Exit::Aws, "doctor/algorithm", what, SUPPORTED_ALGORITHMS)
}

pub fn describe_missing_keys(host: &str) -> Failure {
    let what = format!("{host} publishes no key, so no token of its can be verified");
    Failure::new(Exit::TokenRejected, "doctor/keys", what, "tell whoever runs the provider")
}

/// The provider answers an authorization request with an error page.
pub fn describe_unknown_client(client_id: &str, redirect_uri: &str) -> Failure {
    let what = format!("the provider answers the client {client_id} at {redirect_uri} with an error");
    let hint = format!("check `client_id`, and that {redirect_uri} is registered for it, letter by letter");
    Failure::new(Exit::Refused, "doctor/client", what, hint)
}

/// What answered is not AWS.
pub fn describe_not_aws(host: &str, status: u16) -> Failure {
    let what = format!("{host} answered {status}, and not as AWS does");
    let hint = "sign in to this network if it wants that, or check the proxy and `sts_endpoint`";
    Failure::new(Exit::Network, "doctor/not_aws", what, hint)
}

/// The quota service does not know the address, or is broken.
pub fn describe_broken_quota_service(host: &str, status: u16) -> Failure {
    let what = format!("the quota service at {host} answered {status}");
    Failure::new(Exit::OverQuota, "doctor/quota", what, "check quota.endpoint, or tell your administrator")
}

/// Everybody between here and the collector can read the telemetry.
pub fn describe_insecure_collector(address: &str) -> Failure {
    let what = format!("telemetry goes unencrypted to {address}");
    Failure::new(Exit::Configuration, "doctor/collector", what, "name the collector with https in claude_code.env")
}

pub fn describe_bad_collector(address: &str, why: &str) -> Failure {
    let what = format!("the collector {address} is no address: {why}");
    let hint = "correct OTEL_EXPORTER_OTLP_ENDPOINT in claude_code.env";
    Failure::new(Exit::Configuration, "doctor/collector", what, hint)
}
