//! The provider: whether it can be reached, and says of itself what a sign-in needs.
//!
//! Nobody is signed in, and no token is asked for; the way there is for `network`.

use super::{DoctorContext, Finding, context::run_with_timeout};
use crate::{
    failure::{Failure, doctor::RemoteFinding},
    oidc,
    text::sanitize_line,
};

/// What IAM accepts ID tokens to be signed with.
const AWS_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// A port for whoever takes any; no browser is ever sent there.
const ANY_PORT: u16 = 8400;

pub(super) async fn check_discovery(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    match context.fetch_metadata(profile).await {
        Ok(metadata) => {
            let codes = if metadata.device_authorization_endpoint.is_some() {
                ", and gives device codes"
            } else {
                ""
            };
            Finding::Ok(format!("{} describes itself{codes}", sanitize_line(&metadata.issuer)))
        }
        Err(failure) => Finding::Bad(failure.clone()),
    }
}

pub(super) async fn check_algorithms(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let Ok(metadata) = context.fetch_metadata(profile).await else { return skip_without_metadata() };
    let Some(offered) = &metadata.algorithms else {
        return Finding::Ok("the provider does not say, and rules none out".to_owned());
    };
    let is_for_aws = |name: &&String| AWS_ALGORITHMS.contains(&name.as_str());
    let verified: Vec<&String> = offered.iter().filter(|name| oidc::is_supported_algorithm(name)).collect();
    let offered = || offered.iter().map(|name| sanitize_line(name)).collect();
    if verified.is_empty() {
        return Finding::Bad(RemoteFinding::UnsupportedAlgorithms { offered: offered() }.into());
    }
    if !verified.iter().any(is_for_aws) {
        return Finding::Bad(RemoteFinding::AlgorithmsAwsRejects { offered: offered() }.into());
    }
    let names: Vec<&str> = verified.iter().map(|name| name.as_str()).collect();
    Finding::Ok(names.join(", "))
}

pub(super) async fn check_keys(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let Ok(metadata) = context.fetch_metadata(profile).await else { return skip_without_metadata() };
    let Ok(client) = context.client(profile) else { return skip_without_metadata() };
    let host = metadata.jwks_uri.authority();
    let fetched = match run_with_timeout(host, oidc::fetch_keys(client, metadata)).await {
        Ok(fetched) => fetched.map_err(Failure::from),
        Err(error) => Err(error.into()),
    };
    match fetched {
        Err(failure) => Finding::Bad(failure),
        Ok(keys) if keys.count() == 0 => Finding::Bad(RemoteFinding::NoKeys { host: host.to_owned() }.into()),
        Ok(keys) => Finding::Ok(format!("{host} publishes {}", keys.count())),
    }
}

/// Whether the provider knows the client and where it shall be sent back, as far as it tells without a sign-in.
pub(super) async fn check_client(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let Ok(metadata) = context.fetch_metadata(profile).await else { return skip_without_metadata() };
    let Ok(client) = context.client(profile) else { return skip_without_metadata() };
    let redirect = &profile.redirect_uri;
    let any = [ANY_PORT];
    let ports = if redirect.ports.is_empty() { &any[..] } else { &redirect.ports };
    let host = metadata.authorization_endpoint.authority();
    for port in ports {
        let redirect_uri = redirect.uri_for_port(*port);
        let knock = oidc::probe_client(client, metadata, &profile.client_id, &redirect_uri);
        match run_with_timeout(host, knock).await {
            Ok(Ok(oidc::ClientProbe::Accepted)) => {}
            Ok(Ok(oidc::ClientProbe::Inconclusive)) => {
                return Finding::Skipped(format!("{host} did not say whether it knows the client"));
            }
            Ok(Ok(oidc::ClientProbe::Rejected)) => {
                let client_id = sanitize_line(&profile.client_id);
                return Finding::Warn(RemoteFinding::UnknownClient { client_id, redirect_uri }.into());
            }
            Ok(Err(error)) => return Finding::Bad(error.into()),
            Err(error) => return Finding::Bad(error.into()),
        }
    }
    Finding::Ok("the provider takes the client and where it is sent back to, as far as it tells".to_owned())
}

fn skip_without_metadata() -> Finding {
    Finding::Skipped("the provider does not describe itself, see `discovery`".to_owned())
}
