//! The way to the provider and to AWS: the clock that they are compared by, proxies, certificates, and AWS itself.
//!
//! Nothing of a person's is sent; what the provider says of itself is for `provider`.

use std::collections::BTreeMap;

use super::{Finding, Patient, patient::Heard};
use crate::{aws, failure::doctor::Remote, oidc::Skew, text::Foreign};

/// What the verification of tokens forgives, in seconds, and what AWS does.
const FORGIVEN: u64 = 60;
const FORGIVEN_BY_AWS: u64 = 300;

pub(super) async fn clock(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let heard = [patient.provider(profile).await.ok(), patient.aws(profile).await.ok()];
    let compared: Vec<(&str, Skew)> = heard.into_iter().flatten().filter_map(compared).collect();
    let worst = compared.iter().max_by_key(|(_, skew)| seconds(*skew));
    match worst {
        None => Finding::Skipped("nobody answered with whom it could be compared".to_owned()),
        Some((_, skew)) if seconds(*skew) <= FORGIVEN => {
            let hosts: Vec<&str> = compared.iter().map(|(host, _)| *host).collect();
            Finding::Fine(format!("agrees with {}", hosts.join(" and ")))
        }
        Some((host, skew)) => {
            let is_harmless = matches!(skew, Skew::AheadBy(_)) && seconds(*skew) <= FORGIVEN_BY_AWS;
            let failure = Remote::Clock { skew: *skew, host: (*host).to_owned() }.into();
            if is_harmless { Finding::Warning(failure) } else { Finding::Bad(failure) }
        }
    }
}

fn compared(heard: &Heard) -> Option<(&str, Skew)> {
    let theirs = heard.answer.date()?;
    let (ahead, behind) = (heard.at.since(theirs), theirs.since(heard.at));
    Some((&heard.host, if ahead > behind { Skew::AheadBy(ahead) } else { Skew::BehindBy(behind) }))
}

fn seconds(skew: Skew) -> u64 {
    match skew {
        Skew::AheadBy(span) | Skew::BehindBy(span) => span.as_secs(),
    }
}

/// Which proxy stands before whom.
pub(super) async fn proxy(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let client = match patient.client(profile) {
        Ok(client) => client,
        Err(failure) => return Finding::Bad(failure.clone()),
    };
    let mut hosts = vec![profile.issuer.url().clone()];
    hosts.extend(aws::address(profile, &patient.host.environment).await);
    hosts.extend(profile.quota.iter().map(|quota| quota.endpoint.clone()));
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in &hosts {
        ways.entry(client.proxy_before(host).unwrap_or_default()).or_default().push(host.authority());
    }
    let told = ways.into_iter().map(|(proxy, hosts)| match proxy {
        "" => format!("{} directly", hosts.join(", ")),
        proxy => format!("{} through {proxy}", hosts.join(", ")),
    });
    Finding::Fine(told.collect::<Vec<_>>().join("; "))
}

/// Who vouches for whom: what a person looks at who wonders whether somebody reads along.
pub(super) async fn certificates(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let (provider, aws) = (patient.provider(profile).await, patient.aws(profile).await);
    let heard: Vec<&Heard> = [provider.ok(), aws.ok()].into_iter().flatten().collect();
    if heard.is_empty() {
        return Finding::Skipped("nobody answered, see `discovery` and `aws`".to_owned());
    }
    let issuers: Vec<(&str, Option<Foreign>)> =
        heard.iter().map(|heard| (heard.host.as_str(), heard.answer.issuer())).collect();
    if let [(one, Some(issuer)), (other, Some(same))] = issuers.as_slice()
        && issuer == same
        && !is_awss_own(issuer)
    {
        return Finding::Fine(format!(
            "{} vouches for both {one} and {other}: a proxy that reads along, or an authority of your own",
            issuer.line()
        ));
    }
    let told = issuers.iter().map(|(host, issuer)| match issuer {
        Some(issuer) => format!("{} vouches for {host}", issuer.line()),
        None => format!("{host} is this machine"),
    });
    Finding::Fine(told.collect::<Vec<_>>().join("; "))
}

/// Cognito and STS are vouched for by the same.
fn is_awss_own(issuer: &Foreign) -> bool {
    issuer.line().to_string().contains("Amazon")
}

/// Whether AWS answers, and nobody in its place.
pub(super) async fn aws(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    match patient.aws(profile).await {
        Err(failure) => Finding::Bad(failure.clone()),
        Ok(Heard { host, answer, .. }) if is_aws(&answer.body) => {
            Finding::Fine(format!("{host} answers for {}", profile.region))
        }
        Ok(Heard { host, answer, .. }) => {
            Finding::Bad(Remote::NotAws { host: host.clone(), status: answer.status.as_u16() }.into())
        }
    }
}

/// The refusal of STS, or of an identity pool, of a question without a signature.
fn is_aws(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    ["<ErrorResponse", "__type", "<UnknownOperationException"].iter().any(|mark| text.contains(mark))
}
