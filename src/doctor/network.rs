//! Checks the network between this machine and its peers: the clock, the proxies, the certificates, and AWS's answer.
//!
//! All of it comes from requests without credentials. The content of the provider's answer is the subject of
//! `provider`.

use std::{collections::BTreeMap, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding, Profile, context::ProbeResponse};
use crate::{
    aws,
    config::SignInSettings,
    failure::{Failure, doctor},
    oidc::ClockSkew,
    text::UntrustedText,
};

/// The clock difference that the verification of ID tokens accepts.
const TOLERATED: Duration = Duration::from_secs(60);
/// The clock difference that AWS accepts in the signature of a request.
const TOLERATED_BY_AWS: Duration = Duration::from_secs(300);

/// Compares this computer's clock with the `Date` headers of the provider and of AWS, and judges the larger difference.
/// A clock that is slightly ahead is a warning: tokens seem older than they are, but both sides still accept them.
pub(super) async fn check_clock(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let probes = [context.probe_provider(profile).await.ok(), context.probe_aws(profile).await.ok()];
    let compared: Vec<(&str, ClockSkew)> = probes.into_iter().flatten().filter_map(measure_skew).collect();
    let Some((host, skew)) = compared.iter().max_by_key(|(_, skew)| skew.span()) else {
        return Ok(Finding::Skipped(format!("{} sent a time to compare with", deny_for_both(profile))));
    };
    if skew.span() <= TOLERATED {
        let mut hosts: Vec<&str> = compared.iter().map(|(host, _)| *host).collect();
        hosts.dedup();
        return Ok(Finding::Ok(format!("this computer's clock agrees with {}", hosts.join(" and "))));
    }
    let is_harmless = matches!(skew, ClockSkew::AheadBy(_)) && skew.span() <= TOLERATED_BY_AWS;
    let failure = doctor::describe_clock_skew(*skew, host);
    Ok(if is_harmless { Finding::Warn(failure) } else { Finding::Bad(failure) })
}

/// The host and the difference of the two clocks; `None` if the answer has no readable date.
fn measure_skew(probe: &ProbeResponse) -> Option<(&str, ClockSkew)> {
    Some((&probe.host, ClockSkew::between(probe.received_at, probe.answer.server_date()?)))
}

/// Reports which hosts the program reaches through which proxy. It only fails if the proxy setting cannot be used.
pub(super) async fn check_proxy(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let client = context.client(profile)?;
    let environment = &context.host.environment;
    let mut hosts = match &profile.sign_in {
        SignInSettings::Oidc(oidc) => vec![oidc.issuer.url().clone()],
        SignInSettings::IdentityCenter(center) => aws::resolve_identity_center(profile, &center.region, environment)
            .map(|both| vec![both.sign_in])
            .unwrap_or_default(),
    };
    hosts.extend(aws::resolve_exchange_endpoint(profile, environment).await);
    hosts.extend(profile.quota.iter().map(|quota| quota.endpoint.clone()));
    // The empty name stands for a direct connection, and sorts first.
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in &hosts {
        ways.entry(client.proxy_for(host).unwrap_or_default()).or_default().push(host.authority());
    }
    ways.values_mut().for_each(Vec::dedup);
    let described = ways.into_iter().map(|(proxy, hosts)| match proxy {
        "" => format!("no proxy for {}", hosts.join(", ")),
        proxy => format!("proxy {proxy} for {}", hosts.join(", ")),
    });
    Ok(Finding::Ok(described.collect::<Vec<_>>().join("; ")))
}

/// Reports which authority issued the certificates of the provider and of AWS. The two are different companies, so one
/// name for both means that something between them and this machine issues the certificates. That is no problem in
/// itself: `discovery` and `aws` report a certificate that is not trusted.
pub(super) async fn check_certificates(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let (provider, aws) = (context.probe_provider(profile).await, context.probe_aws(profile).await);
    let probes: Vec<&ProbeResponse> = [provider.ok(), aws.ok()].into_iter().flatten().collect();
    if probes.is_empty() {
        let checks = if profile.oidc().is_some() { "`discovery` and `aws`" } else { "`aws`" };
        return Ok(Finding::Skipped(format!("{} answered, see {checks}", deny_for_both(profile))));
    }
    let mut issuers: Vec<(&str, Option<UntrustedText>)> =
        probes.iter().map(|probe| (probe.host.as_str(), probe.answer.certificate_issuer())).collect();
    issuers.dedup();
    if let [(one, Some(issuer)), (other, Some(same))] = issuers.as_slice()
        && issuer == same
        && !is_amazon_issuer(issuer)
    {
        return Ok(Finding::Ok(format!(
            "{} issued the certificates of {one} and {other}: a TLS-intercepting proxy or a private CA",
            issuer.to_safe_line()
        )));
    }
    let described = issuers.iter().map(|(host, issuer)| match issuer {
        Some(issuer) => format!("{} issued the certificate of {host}", issuer.to_safe_line()),
        // Only loopback hosts are reached without TLS.
        None => format!("{host} is on this machine and needs no certificate"),
    });
    Ok(Finding::Ok(described.collect::<Vec<_>>().join("; ")))
}

/// Whether Amazon issued the certificate. It issues those of both Cognito and STS, so the same issuer for both is
/// normal.
fn is_amazon_issuer(issuer: &UntrustedText) -> bool {
    issuer.to_safe_line().contains("Amazon")
}

/// The beginning of a sentence about what neither of the two probed services did.
fn deny_for_both(profile: &Profile) -> &'static str {
    match &profile.sign_in {
        SignInSettings::Oidc(_) => "neither the provider nor AWS",
        SignInSettings::IdentityCenter(_) => "no service of IAM Identity Center",
    }
}

/// Whether AWS answers at the address of the first token exchange, and not a captive portal or a proxy in its place. For
/// an Identity Center, whether both of its services answer.
pub(super) async fn check_aws(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(center) = profile.identity_center() else {
        let host = check_aws_answer(context.probe_aws(profile).await?, "sts_endpoint")?;
        return Ok(Finding::Ok(format!("AWS answers at {host} for {}", profile.region)));
    };
    let mut hosts = Vec::new();
    for probe in [context.probe_provider(profile).await?, context.probe_aws(profile).await?] {
        hosts.push(check_aws_answer(probe, "identity_center_endpoint")?);
    }
    hosts.dedup();
    Ok(Finding::Ok(format!("IAM Identity Center answers at {} for {}", hosts.join(" and "), center.region)))
}

/// The host of the answer, if it is AWS's. `key` names the endpoint in the configuration.
fn check_aws_answer<'p>(probe: &'p ProbeResponse, key: &str) -> Result<&'p str, Failure> {
    let ProbeResponse { host, answer, .. } = probe;
    let is_from_aws = is_aws_error_body(&answer.body) || answer.headers.contains_key("x-amzn-errortype");
    if is_from_aws { Ok(host) } else { Err(doctor::describe_not_aws(host, answer.status.as_u16(), key)) }
}

/// Whether a body is AWS's refusal of an unsigned request: XML from STS, JSON with `__type` from an identity pool.
fn is_aws_error_body(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    ["<ErrorResponse", "__type", "<UnknownOperationException"].iter().any(|mark| text.contains(mark))
}
