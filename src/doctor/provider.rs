//! Checks the identity provider: can it be reached, and do its metadata, its keys and its answer to the client fit a
//! sign-in?
//!
//! The checks request public documents, and for `client` the first page of a sign-in. They never request a token.

use super::{CheckOutcome, DoctorContext, Finding, Profile, context::run_with_timeout};
use crate::{
    aws::{self, AlgorithmRefuser, AlgorithmSupport},
    config::OidcSettings,
    failure::{Failure, doctor},
    oidc::{ClientProbe, fetch_keys, is_supported_algorithm, probe_client},
    text::{join_with_and, sanitize_line},
};

/// Whether the provider publishes metadata that a sign-in accepts. The other checks of this file are skipped if not.
pub(super) async fn check_discovery(
    context: &DoctorContext<'_>,
    profile: &Profile,
    oidc: &OidcSettings,
) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile, oidc).await?;
    let codes = metadata.device_authorization_endpoint.as_ref().map_or("", |_| ", with support for device codes");
    Ok(Finding::Ok(format!("{} publishes its metadata{codes}", sanitize_line(&metadata.issuer))))
}

/// Whether both this program and AWS accept one of the algorithms with which the provider signs ID tokens. The metadata
/// lists them for all applications, so a list with an accepted one proves only that the right choice exists.
pub(super) async fn check_algorithms(
    context: &DoctorContext<'_>,
    profile: &Profile,
    oidc: &OidcSettings,
) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile, oidc).await.map_err(skip_without_metadata)?;
    let Some(offered) = &metadata.algorithms else {
        return Ok(Finding::Ok("the provider does not publish its signing algorithms".to_owned()));
    };
    let support = |name: &str| aws::assess_algorithm(&oidc.federation, name);
    let with = |wanted: AlgorithmSupport| {
        let verifiable = offered.iter().filter(|name| is_supported_algorithm(name));
        verifiable.filter(|name| support(name) == wanted).cloned().collect::<Vec<String>>()
    };
    let [accepted, refused, undocumented] =
        [AlgorithmSupport::Accepted, AlgorithmSupport::Refused, AlgorithmSupport::Undocumented].map(with);
    match (accepted.as_slice(), refused.as_slice(), undocumented.as_slice()) {
        ([], [], []) => Err(doctor::describe_unusable_algorithms(offered, AlgorithmRefuser::Program).into()),
        ([], _, []) => Err(doctor::describe_unusable_algorithms(offered, AlgorithmRefuser::Aws).into()),
        ([], _, undocumented) => Ok(Finding::Warn(doctor::describe_undocumented_algorithms(undocumented))),
        (accepted, refused, undocumented) => {
            let list = |names: &[String], note: &str| match names {
                [] => String::new(),
                names => format!(", and with {}, {note}", join_with_and(names)),
            };
            Ok(Finding::Ok(format!(
                "the provider can sign with {}{}{}",
                join_with_and(accepted),
                list(refused, "which AWS does not accept"),
                list(undocumented, "which AWS does not document for identity pools")
            )))
        }
    }
}

/// Whether the provider publishes keys to verify ID tokens with.
pub(super) async fn check_keys(context: &DoctorContext<'_>, profile: &Profile, oidc: &OidcSettings) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile, oidc).await.map_err(skip_without_metadata)?;
    let client = context.client(profile)?;
    let host = metadata.jwks_uri.authority();
    let keys = run_with_timeout(host, fetch_keys(client, metadata)).await??;
    match keys.count() {
        0 => Err(doctor::describe_missing_keys(host).into()),
        1 => Ok(Finding::Ok(format!("{host} publishes 1 signing key"))),
        count => Ok(Finding::Ok(format!("{host} publishes {count} signing keys"))),
    }
}

/// Whether the provider accepts the client ID with each redirect URI of the profile, as far as it reveals that without
/// a sign-in. A rejection is only a warning, since some providers answer programs in another way than browsers.
pub(super) async fn check_client(context: &DoctorContext<'_>, profile: &Profile, oidc: &OidcSettings) -> CheckOutcome {
    let metadata = context.fetch_metadata(profile, oidc).await.map_err(skip_without_metadata)?;
    let client = context.client(profile)?;
    let host = metadata.authorization_endpoint.authority();
    if metadata.requires_pushed_requests {
        return Err(doctor::describe_required_pushed_requests(host).into());
    }
    for redirect_uri in profile.redirect_uri.uris_to_probe() {
        let probe = probe_client(client, metadata, &oidc.client_id, &redirect_uri);
        match run_with_timeout(host, probe).await?? {
            ClientProbe::Accepted => {}
            ClientProbe::Rejected(refusal) => {
                let client_id = sanitize_line(&oidc.client_id);
                return Ok(Finding::Warn(doctor::describe_rejected_request(&client_id, &redirect_uri, &refusal)));
            }
            ClientProbe::Inconclusive => {
                return Ok(Finding::Skipped(format!("{host} does not reveal whether it knows the client")));
            }
        }
    }
    Ok(Finding::Ok("the provider reports no error for the client ID and the redirect URI".to_owned()))
}

/// Whether the provider announces what the profile requires of a sign-in. Providers announce less than they know, so an
/// unlisted requirement is only a warning; the sign-in decides.
pub(super) async fn check_requirements(
    context: &DoctorContext<'_>,
    profile: &Profile,
    oidc: &OidcSettings,
) -> CheckOutcome {
    let (require, support) = (&oidc.require, &oidc.provider.spec().proof);
    if require.is_empty() {
        return Ok(Finding::Skipped("the profile requires nothing of a sign-in (`require`)".to_owned()));
    }
    let metadata = context.fetch_metadata(profile, oidc).await.map_err(skip_without_metadata)?;
    let lists = |list: &Option<Vec<String>>, name: &str| {
        list.as_ref().is_none_or(|listed| listed.iter().any(|one| one == name))
    };
    let mut unlisted = Vec::new();
    if !require.acr.is_empty() && !require.acr.iter().any(|context| lists(&metadata.acr_values, context)) {
        unlisted.push(("acr_values_supported", format!("{} {}", support.acr.claim(), require.acr.join(", "))));
    }
    let claims = [
        (support.acr.claim(), !require.acr.is_empty()),
        ("amr", !require.amr.is_empty()),
        ("auth_time", require.max_age.is_some()),
        ("email", !require.email_domain.is_empty()),
    ];
    let needed = claims.into_iter().filter(|(_, is_needed)| *is_needed && support.is_announced);
    let missing = needed.filter(|(claim, _)| !lists(&metadata.claims, claim));
    unlisted.extend(missing.map(|(claim, _)| ("claims_supported", claim.to_owned())));
    match unlisted.first() {
        None => Ok(Finding::Ok(format!("nothing that the provider announces contradicts {}", require.describe()))),
        Some((list, value)) => {
            let host = metadata.authorization_endpoint.authority();
            Ok(Finding::Warn(doctor::describe_unlisted_requirement(host, list, &sanitize_line(value))))
        }
    }
}

/// The finding of a check that needs the metadata when they could not be fetched. Only `discovery` reports the failure.
fn skip_without_metadata(_: Failure) -> Finding {
    Finding::Skipped("the provider's metadata could not be read, see `discovery`".to_owned())
}
