//! The provider: whether it can be reached, and says of itself what a sign-in needs.
//!
//! Nobody is signed in, and no token is asked for; the way there is for `network`.

use super::{CheckOutcome, DoctorContext, Finding, Profile, context::run_with_timeout};
use crate::{
    failure::{Failure, doctor},
    oidc::{self, ClientProbe},
    text::sanitize_line,
};

/// What IAM accepts ID tokens to be signed with.
const AWS_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// A port for whoever takes any; no browser is ever sent there.
const ANY_PORT: u16 = 8400;

pub(super) async fn check_discovery(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile).await?;
    let codes = metadata.device_authorization_endpoint.as_ref().map_or("", |_| ", and gives device codes");
    Ok(Finding::Ok(format!("{} describes itself{codes}", sanitize_line(&metadata.issuer))))
}

pub(super) async fn check_algorithms(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile).await.map_err(skip_without_metadata)?;
    let Some(offered) = &metadata.algorithms else {
        return Ok(Finding::Ok("the provider does not say, and rules none out".to_owned()));
    };
    let is_for_aws = |name: &&String| AWS_ALGORITHMS.contains(&name.as_str());
    let verified: Vec<&String> = offered.iter().filter(|name| oidc::is_supported_algorithm(name)).collect();
    let offered: Vec<String> = offered.iter().map(|name| sanitize_line(name)).collect();
    if verified.is_empty() {
        return Err(doctor::describe_unsupported_algorithms(&offered).into());
    }
    if !verified.iter().any(is_for_aws) {
        return Err(doctor::describe_algorithms_aws_rejects(&offered).into());
    }
    let names: Vec<&str> = verified.iter().map(|name| name.as_str()).collect();
    Ok(Finding::Ok(names.join(", ")))
}

pub(super) async fn check_keys(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile).await.map_err(skip_without_metadata)?;
    let client = context.client(profile)?;
    let host = metadata.jwks_uri.authority();
    let keys = run_with_timeout(host, oidc::fetch_keys(client, metadata)).await??;
    match keys.count() {
        0 => Err(doctor::describe_missing_keys(host).into()),
        count => Ok(Finding::Ok(format!("{host} publishes {count}"))),
    }
}

/// Whether the provider knows the client and where it shall be sent back, as far as it tells without a sign-in.
pub(super) async fn check_client(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile).await.map_err(skip_without_metadata)?;
    let client = context.client(profile)?;
    let redirect = &profile.redirect_uri;
    let ports = if redirect.ports.is_empty() { &[ANY_PORT][..] } else { &redirect.ports };
    let host = metadata.authorization_endpoint.authority();
    for port in ports {
        let redirect_uri = redirect.uri_for_port(*port);
        let probe = oidc::probe_client(client, metadata, &profile.client_id, &redirect_uri);
        match run_with_timeout(host, probe).await?? {
            ClientProbe::Accepted => {}
            ClientProbe::Rejected => {
                let client_id = sanitize_line(&profile.client_id);
                return Ok(Finding::Warn(doctor::describe_unknown_client(&client_id, &redirect_uri)));
            }
            ClientProbe::Inconclusive => {
                return Ok(Finding::Skipped(format!("{host} did not say whether it knows the client")));
            }
        }
    }
    Ok(Finding::Ok("the provider takes the client and where it is sent back to, as far as it tells".to_owned()))
}

/// For a check that needs what the provider says of itself; `discovery` reports the failure.
fn skip_without_metadata(_: Failure) -> Finding {
    Finding::Skipped("the provider does not describe itself, see `discovery`".to_owned())
}
