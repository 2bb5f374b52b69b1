//! The way to the provider and to AWS: the clock that they are compared by, proxies, certificates, and AWS itself.
//!
//! Nothing of a person's is sent; what the provider says of itself is for `provider`.

use std::{collections::BTreeMap, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding, Profile, context::ProbeResponse};
use crate::{aws, failure::doctor, oidc::ClockSkew, text::UntrustedText};

/// What the verification of tokens forgives, and what AWS does.
const TOLERATED: Duration = Duration::from_secs(60);
const TOLERATED_BY_AWS: Duration = Duration::from_secs(300);

pub(super) async fn check_clock(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let heard = [context.probe_provider(profile).await.ok(), context.probe_aws(profile).await.ok()];
    let compared: Vec<(&str, ClockSkew)> = heard.into_iter().flatten().filter_map(measure_skew).collect();
    let Some((host, skew)) = compared.iter().max_by_key(|(_, skew)| skew.span()) else {
        return Ok(Finding::Skipped("nobody answered with whom it could be compared".to_owned()));
    };
    if skew.span() <= TOLERATED {
        let hosts: Vec<&str> = compared.iter().map(|(host, _)| *host).collect();
        return Ok(Finding::Ok(format!("agrees with {}", hosts.join(" and "))));
    }
    let is_harmless = matches!(skew, ClockSkew::AheadBy(_)) && skew.span() <= TOLERATED_BY_AWS;
    let failure = doctor::describe_clock_skew(*skew, host);
    Ok(if is_harmless { Finding::Warn(failure) } else { Finding::Bad(failure) })
}

fn measure_skew(heard: &ProbeResponse) -> Option<(&str, ClockSkew)> {
    Some((&heard.host, ClockSkew::between(heard.received_at, heard.answer.server_date()?)))
}

/// Which proxy stands before whom.
pub(super) async fn check_proxy(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let client = context.client(profile)?;
    let mut hosts = vec![profile.issuer.url().clone()];
    hosts.extend(aws::resolve_exchange_endpoint(profile, &context.host.environment).await);
    hosts.extend(profile.quota.iter().map(|quota| quota.endpoint.clone()));
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in &hosts {
        ways.entry(client.proxy_for(host).unwrap_or_default()).or_default().push(host.authority());
    }
    let told = ways.into_iter().map(|(proxy, hosts)| match proxy {
        "" => format!("{} directly", hosts.join(", ")),
        proxy => format!("{} through {proxy}", hosts.join(", ")),
    });
    Ok(Finding::Ok(told.collect::<Vec<_>>().join("; ")))
}

/// Who vouches for whom: what a person looks at who wonders whether somebody reads along.
pub(super) async fn check_certificates(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let (provider, aws) = (context.probe_provider(profile).await, context.probe_aws(profile).await);
    let heard: Vec<&ProbeResponse> = [provider.ok(), aws.ok()].into_iter().flatten().collect();
    if heard.is_empty() {
        return Ok(Finding::Skipped("nobody answered, see `discovery` and `aws`".to_owned()));
    }
    let issuers: Vec<(&str, Option<UntrustedText>)> =
        heard.iter().map(|heard| (heard.host.as_str(), heard.answer.certificate_issuer())).collect();
    if let [(one, Some(issuer)), (other, Some(same))] = issuers.as_slice()
        && issuer == same
        && !is_amazon_issuer(issuer)
    {
        return Ok(Finding::Ok(format!(
            "{} vouches for both {one} and {other}: a proxy that reads along, or an authority of your own",
            issuer.to_safe_line()
        )));
    }
    let told = issuers.iter().map(|(host, issuer)| match issuer {
        Some(issuer) => format!("{} vouches for {host}", issuer.to_safe_line()),
        None => format!("{host} is this machine"),
    });
    Ok(Finding::Ok(told.collect::<Vec<_>>().join("; ")))
}

/// Cognito and STS are vouched for by the same.
fn is_amazon_issuer(issuer: &UntrustedText) -> bool {
    issuer.to_safe_line().contains("Amazon")
}

/// Whether AWS answers, and nobody in its place.
pub(super) async fn check_aws(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let ProbeResponse { host, answer, .. } = context.probe_aws(profile).await?;
    if !is_aws_error_body(&answer.body) {
        return Err(doctor::describe_not_aws(host, answer.status.as_u16()).into());
    }
    Ok(Finding::Ok(format!("{host} answers for {}", profile.region)))
}

/// The refusal of STS, or of an identity pool, of a question without a signature.
fn is_aws_error_body(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    ["<ErrorResponse", "__type", "<UnknownOperationException"].iter().any(|mark| text.contains(mark))
}
