//! Lists the AWS hosts that a profile sends secrets to, in a form that a session can store.
//!
//! `cache` compares them with the stored ones. A new host then needs the user's consent, so that a changed
//! configuration cannot redirect tokens unnoticed.

use super::{endpoint, service::AwsService};
use crate::{
    config::{Partition, Profile, is_region},
    host::Environment,
    url::SecureUrl,
};

/// Lists the services that the profile uses, each with its destination: the origin of a configured endpoint, or the
/// name of the partition for AWS's own hosts. Region, FIPS and dual stack only choose among AWS's hosts and do not
/// change the destination. An invalid endpoint is omitted, because nothing is sent to it.
pub fn list_destinations(profile: &Profile, environment: &Environment) -> impl Iterator<Item = (AwsService, String)> {
    let uses_pool = profile.oidc().is_some_and(|oidc| oidc.federation.pool().is_some());
    let names_console = profile.aws_endpoints.console.is_some();
    let names_identity_center = profile.aws_endpoints.identity_center.is_some();
    AwsService::ALL
        .into_iter()
        .filter(move |service| match service {
            AwsService::Cognito => uses_pool,
            AwsService::SsoOidc | AwsService::SsoPortal => names_identity_center,
            // Most profiles never open the console. AWS's own console endpoint needs no consent.
            AwsService::Console => names_console,
            AwsService::Sts | AwsService::Bedrock | AwsService::BedrockRuntime => true,
        })
        .filter_map(|service| {
            let host = match endpoint::find_named_endpoint(service, profile, environment).ok()? {
                Some(url) => find_partition(service, &url).map_or_else(|| url.origin(), str::to_owned),
                None => Partition::from_region(&profile.region).name.to_owned(),
            };
            Some((service, host))
        })
}

/// Returns the partition if the address is AWS's own regional host of the service. A VPC endpoint is not: its name
/// does not show who owns it.
fn find_partition(service: AwsService, url: &SecureUrl) -> Option<&'static str> {
    let rest = url.authority().strip_prefix(service.host_label())?;
    let (region, domain) = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?.split_once('.')?;
    let partition = Partition::from_region(region);
    let is_own =
        url.is_https() && is_region(region) && [partition.domain, partition.dual_stack_domain].contains(&domain);
    is_own.then_some(partition.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::testing::build_profile,
        config::{AwsEndpoints, IdentityCenterEndpoints},
    };

    fn sts_host(endpoint: &str) -> String {
        let aws_endpoints = AwsEndpoints { sts: SecureUrl::parse(endpoint).ok(), ..AwsEndpoints::default() };
        let profile = Profile { aws_endpoints, ..build_profile() };
        let environment = Environment::fixed([]);
        let mut all = list_destinations(&profile, &environment);
        all.find(|(service, _)| *service == AwsService::Sts).unwrap().1
    }

    #[test]
    fn regional_hosts_of_a_partition_count_as_one() {
        for endpoint in [
            "",
            "https://sts.eu-west-1.amazonaws.com",
            "https://sts-fips.us-east-1.amazonaws.com/",
            "https://sts.us-east-1.api.aws",
        ] {
            assert_eq!(sts_host(endpoint), "aws", "{endpoint}");
        }
        assert_eq!(sts_host("https://sts.cn-north-1.amazonaws.com.cn"), "aws-cn");
    }

    #[test]
    fn other_hosts_count_by_their_origin() {
        for endpoint in [
            "https://sts.us-east-1.amazonaws.com.evil.example",
            "https://sts.us-east-1.amazonaws.com:8443",
            "https://vpce-1.sts.us-east-1.vpce.amazonaws.com",
            "https://bedrock.us-east-1.amazonaws.com",
            "https://sts.evil.amazonaws.com",
            "http://127.0.0.1:9",
        ] {
            assert_eq!(sts_host(endpoint), endpoint);
        }
    }

    #[test]
    fn configured_console_endpoint_is_a_destination() {
        let listed = |console: Option<&str>| {
            let console = console.map(|endpoint| SecureUrl::parse(endpoint).unwrap());
            let profile =
                Profile { aws_endpoints: AwsEndpoints { console, ..AwsEndpoints::default() }, ..build_profile() };
            let environment = Environment::fixed([("AWS_ENDPOINT_URL", "https://all.example")]);
            let all: Vec<_> = list_destinations(&profile, &environment).collect();
            all.into_iter().find(|(service, _)| *service == AwsService::Console).map(|(_, host)| host)
        };
        assert_eq!(listed(Some("https://signin.example/federation")), Some("https://signin.example".to_owned()));
        assert_eq!(listed(None), None, "AWS's own host needs no consent, and no variable names another");
    }

    #[test]
    fn configured_identity_center_is_two_destinations() {
        let listed = |endpoints: Option<[&str; 2]>| {
            let identity_center = endpoints.map(|both| {
                let [sign_in, portal] = both.map(|endpoint| SecureUrl::parse(endpoint).unwrap());
                IdentityCenterEndpoints { sign_in, portal }
            });
            let aws_endpoints = AwsEndpoints { identity_center, ..AwsEndpoints::default() };
            let profile = Profile { aws_endpoints, ..build_profile() };
            let environment = Environment::fixed([]);
            let all = list_destinations(&profile, &environment);
            all.filter(|(service, _)| matches!(service, AwsService::SsoOidc | AwsService::SsoPortal))
                .map(|(_, host)| host)
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(None), [""; 0]);
        let own = ["https://oidc.us-east-1.amazonaws.com", "https://portal.sso-fips.us-east-1.api.aws"];
        assert_eq!(listed(Some(own)), ["aws", "aws"]);
        for other in [
            "https://portal.sso.example",
            "https://portal.ssofips.us-east-1.amazonaws.com",
            "https://sso.us-east-1.amazonaws.com",
        ] {
            assert_eq!(listed(Some([own[0], other])), ["aws", other]);
        }
    }

    #[test]
    fn fips_and_dual_stack_do_not_change_the_destination() {
        let switches = [("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")];
        let (profile, environment) = (build_profile(), Environment::fixed(switches));
        let all = list_destinations(&profile, &environment);
        assert!(all.map(|(_, host)| host).eq(["aws"; 3]));
    }
}
