//! The provider: whether it can be reached, and says of itself what a sign-in needs.
//!
//! Nobody is signed in, and no token is asked for; the way there is for `network`.

use super::{Finding, Patient, patient::in_time};
use crate::{
    failure::{Failure, doctor::Remote},
    oidc,
    text::line,
};

/// What IAM accepts ID tokens to be signed with.
const FOR_AWS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// A port for whoever takes any; no browser is ever sent there.
const ANY_PORT: u16 = 8400;

pub(super) async fn discovery(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    match patient.described(profile).await {
        Ok(metadata) => {
            let codes = if metadata.device_authorization_endpoint.is_some() {
                ", and gives device codes"
            } else {
                ""
            };
            Finding::Fine(format!("{} describes itself{codes}", line(&metadata.issuer)))
        }
        Err(failure) => Finding::Bad(failure.clone()),
    }
}

pub(super) async fn algorithms(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let Ok(metadata) = patient.described(profile).await else { return undescribed() };
    let Some(offered) = &metadata.algorithms else {
        return Finding::Fine("the provider does not say, and rules none out".to_owned());
    };
    let is_for_aws = |name: &&String| FOR_AWS.contains(&name.as_str());
    let verified: Vec<&String> = offered.iter().filter(|name| oidc::is_verified(name)).collect();
    let offered = || offered.iter().map(|name| line(name)).collect();
    if verified.is_empty() {
        return Finding::Bad(Remote::NoAlgorithm { offered: offered() }.into());
    }
    if !verified.iter().any(is_for_aws) {
        return Finding::Bad(Remote::NoAlgorithmForAws { offered: offered() }.into());
    }
    let names: Vec<&str> = verified.iter().map(|name| name.as_str()).collect();
    Finding::Fine(names.join(", "))
}

pub(super) async fn keys(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let Ok(metadata) = patient.described(profile).await else { return undescribed() };
    let Ok(client) = patient.client(profile) else { return undescribed() };
    let host = metadata.jwks_uri.authority();
    let fetched = match in_time(host, oidc::fetch_keys(client, metadata)).await {
        Ok(fetched) => fetched.map_err(Failure::from),
        Err(error) => Err(error.into()),
    };
    match fetched {
        Err(failure) => Finding::Bad(failure),
        Ok(keys) if keys.count() == 0 => Finding::Bad(Remote::NoKeys { host: host.to_owned() }.into()),
        Ok(keys) => Finding::Fine(format!("{host} publishes {}", keys.count())),
    }
}

/// Whether the provider knows the client and where it shall be sent back, as far as it tells without a sign-in.
pub(super) async fn client(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let Ok(metadata) = patient.described(profile).await else { return undescribed() };
    let Ok(client) = patient.client(profile) else { return undescribed() };
    let redirect = &profile.redirect;
    let any = [ANY_PORT];
    let ports = if redirect.ports.is_empty() { &any[..] } else { &redirect.ports };
    let host = metadata.authorization_endpoint.authority();
    for port in ports {
        let redirect_uri = redirect.uri(*port);
        let knock = oidc::knock(client, metadata, &profile.client_id, &redirect_uri);
        match in_time(host, knock).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                let client_id = line(&profile.client_id);
                return Finding::Warning(Remote::UnknownClient { client_id, redirect_uri }.into());
            }
            Ok(Err(error)) => return Finding::Bad(error.into()),
            Err(error) => return Finding::Bad(error.into()),
        }
    }
    Finding::Fine("the provider takes the client and where it is sent back to, as far as it tells".to_owned())
}

fn undescribed() -> Finding {
    Finding::Skipped("the provider does not describe itself, see `discovery`".to_owned())
}
