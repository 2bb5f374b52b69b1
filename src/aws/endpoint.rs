//! Chooses the endpoint of an AWS service: the profile's, or that of AWS's variables if they are used, or the region's.
//!
//! The SDK knows the regional addresses of STS with FIPS and dual stack. This module has the rules for Cognito,
//! Bedrock and IAM Identity Center. Every endpoint is https or loopback, because it receives tokens.

use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

use super::{Error, service::AwsService};
use crate::{
    config::{Federation, IdentityCenterEndpoints, Partition, Profile, SignInSettings, TelemetryEndpoints},
    host::Environment,
    text::UntrustedText,
    url::SecureUrl,
};

/// Selects endpoints with validated cryptography.
pub(super) const FIPS_VARIABLE: &str = "AWS_USE_FIPS_ENDPOINT";
/// Selects endpoints that support IPv6.
pub(super) const DUALSTACK_VARIABLE: &str = "AWS_USE_DUALSTACK_ENDPOINT";

/// Returns the endpoint that receives the token of the sign-in.
pub async fn resolve_exchange_endpoint(profile: &Profile, environment: &Environment) -> Result<SecureUrl, Error> {
    let oidc = match &profile.sign_in {
        SignInSettings::Oidc(oidc) => oidc,
        SignInSettings::IdentityCenter(center) => {
            return Ok(resolve_identity_center(profile, &center.region, environment)?.portal);
        }
    };
    match &oidc.federation {
        Federation::IdentityPool { id, .. } => resolve_endpoint(AwsService::Cognito, profile, id.region(), environment),
        Federation::Sts { .. } => match find_named_endpoint(AwsService::Sts, profile, environment)? {
            Some(named) => Ok(named),
            None => resolve_regional_sts(&profile.region, environment).await,
        },
    }
}

/// Returns the regional endpoint of STS, by the SDK's rules.
async fn resolve_regional_sts(region: &str, environment: &Environment) -> Result<SecureUrl, Error> {
    let unknown = || Error::InvalidRequest(UntrustedText::new(region));
    let params = Params::builder()
        .region(region)
        .use_fips(environment.is_true(FIPS_VARIABLE))
        .use_dual_stack(environment.is_true(DUALSTACK_VARIABLE))
        .build()
        .map_err(|_| unknown())?;
    let found = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|_| unknown())?;
    SecureUrl::parse(found.url()).map_err(|_| unknown())
}

/// Returns the configured endpoint of a service: the profile's, or else that of AWS's variables, if the profile
/// permits them. The service's variable precedes the general one. `None` means the regional endpoint. FIPS and dual
/// stack do not change a configured endpoint.
pub(super) fn find_named_endpoint(
    service: AwsService,
    profile: &Profile,
    environment: &Environment,
) -> Result<Option<SecureUrl>, Error> {
    let endpoints = &profile.aws_endpoints;
    let bedrock = endpoints.bedrock.as_ref();
    let identity_center = endpoints.identity_center.as_ref();
    let (own, variable) = match service {
        AwsService::Sts => (endpoints.sts.as_ref(), "AWS_ENDPOINT_URL_STS"),
        AwsService::Cognito => (endpoints.cognito.as_ref(), "AWS_ENDPOINT_URL_COGNITO_IDENTITY"),
        AwsService::Bedrock => (bedrock.map(|both| &both.control), "AWS_ENDPOINT_URL_BEDROCK"),
        AwsService::BedrockRuntime => (bedrock.map(|both| &both.runtime), "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        // It receives the credentials themselves, so no variable may change it.
        AwsService::Console => return Ok(endpoints.console.clone()),
        AwsService::SsoOidc => (identity_center.map(|both| &both.sign_in), "AWS_ENDPOINT_URL_SSO_OIDC"),
        AwsService::SsoPortal => (identity_center.map(|both| &both.portal), "AWS_ENDPOINT_URL_SSO"),
    };
    if own.is_some() || !profile.uses_endpoint_variables() {
        return Ok(own.cloned());
    }
    if environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        return Ok(None);
    }
    let named = [variable, "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|variable| Some((variable, environment.var_text(variable)?)));
    let Some((variable, text)) = named else { return Ok(None) };
    SecureUrl::parse(&text).map(Some).map_err(|refusal| Error::BadEndpoint { variable, refusal })
}

/// Returns the endpoints of an Identity Center, which has one region for both services.
pub fn resolve_identity_center(
    profile: &Profile,
    region: &str,
    environment: &Environment,
) -> Result<IdentityCenterEndpoints, Error> {
    let find = |service| resolve_endpoint(service, profile, region, environment);
    Ok(IdentityCenterEndpoints { sign_in: find(AwsService::SsoOidc)?, portal: find(AwsService::SsoPortal)? })
}

/// Returns the endpoint of Cognito, of a Bedrock service or of a service of Identity Center. Their regional addresses
/// follow one rule in every partition, with two exceptions. For STS, see [`resolve_exchange_endpoint`].
pub(super) fn resolve_endpoint(
    service: AwsService,
    profile: &Profile,
    region: &str,
    environment: &Environment,
) -> Result<SecureUrl, Error> {
    if let Some(url) = find_named_endpoint(service, profile, environment)? {
        return Ok(url);
    }
    let Partition { name, domain, dual_stack_domain, .. } = Partition::from_region(region);
    // In the partition `aws`, Cognito's usual address supports IPv6 already.
    let has_both = service == AwsService::Cognito && *name == "aws";
    let uses_both = environment.is_true(DUALSTACK_VARIABLE) && !has_both;
    let domain = if uses_both { dual_stack_domain } else { domain };
    // In GovCloud, the usual addresses of Identity Center have validated cryptography already.
    let is_identity_center = matches!(service, AwsService::SsoOidc | AwsService::SsoPortal);
    let has_fips = is_identity_center && *name == "aws-us-gov" && !uses_both;
    let fips = if environment.is_true(FIPS_VARIABLE) && !has_fips { "-fips" } else { "" };
    SecureUrl::parse(&format!("https://{}{fips}.{region}.{domain}/", service.host_label()))
        .map_err(|_| Error::InvalidRequest(UntrustedText::new(region)))
}

/// Returns the endpoints of CloudWatch that take telemetry in the profile's region. A profile names others in
/// `telemetry.relay_endpoint`; no variable does.
pub fn resolve_telemetry_endpoints(profile: &Profile, environment: &Environment) -> Result<TelemetryEndpoints, Error> {
    let region = &profile.region;
    let Partition { domain, dual_stack_domain, .. } = Partition::from_region(region);
    let domain = if environment.is_true(DUALSTACK_VARIABLE) { dual_stack_domain } else { domain };
    let fips = if environment.is_true(FIPS_VARIABLE) { "-fips" } else { "" };
    let find = |label| {
        SecureUrl::parse(&format!("https://{label}{fips}.{region}.{domain}/"))
            .map_err(|_| Error::InvalidRequest(UntrustedText::new(region.as_str())))
    };
    Ok(TelemetryEndpoints { metrics: find("monitoring")?, logs: find("logs")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{
            Aws,
            testing::{NOW, build_profile, build_role, build_token},
        },
        config::AwsEndpoints,
        http::{
            self,
            testing::{LoopbackServer, block_on, proxied_client, write_response},
        },
        url::SecureUrlError,
    };

    /// The host that a profile of this region contacts. A proxy that refuses every request records it.
    fn asked_host(region: &str, environment: &Environment) -> String {
        let proxy = LoopbackServer::start_plain(|_, out| write_response(out, "403 Forbidden", "", ""));
        let client = proxied_client(&format!("http://{}", proxy.address));
        let profile = Profile { region: region.to_owned(), ..build_profile() };
        let aws = Aws::new(&client, &profile, environment, || NOW).unwrap();
        match block_on(aws.assume_role(&build_role(), &build_token(), "jane", 3600)) {
            Err(Error::Network(http::Error::Proxy { host, .. })) => host,
            other => panic!("the proxy let something through: {other:?}"),
        }
    }

    #[test]
    fn sts_endpoint_follows_fips_and_dual_stack() {
        for (region, variables, host) in [
            ("eu-west-1", [("", ""), ("", "")], "sts.eu-west-1.amazonaws.com"),
            ("us-east-1", [("AWS_USE_FIPS_ENDPOINT", "true"), ("", "")], "sts-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", [("AWS_USE_DUALSTACK_ENDPOINT", "true"), ("", "")], "sts.eu-west-1.api.aws"),
            ("cn-north-1", [("", ""), ("", "")], "sts.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", [("", ""), ("", "")], "sts.us-gov-west-1.amazonaws.com"),
            ("us-gov-east-1", [("AWS_USE_FIPS_ENDPOINT", "true"), ("", "")], "sts.us-gov-east-1.amazonaws.com"),
            ("eusc-de-east-1", [("", ""), ("", "")], "sts.eusc-de-east-1.amazonaws.eu"),
            (
                "eusc-de-east-1",
                [("AWS_USE_DUALSTACK_ENDPOINT", "true"), ("", "")],
                "sts.eusc-de-east-1.api.amazonwebservices.eu",
            ),
            (
                "us-east-1",
                [("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
                "sts-fips.us-east-1.api.aws",
            ),
            (
                "us-east-1",
                [("AWS_ENDPOINT_URL", "https://vpce-1.example"), ("AWS_USE_FIPS_ENDPOINT", "true")],
                "vpce-1.example",
            ),
        ] {
            assert_eq!(asked_host(region, &Environment::fixed(variables)), host);
        }
    }

    #[test]
    fn cognito_endpoint_follows_partition_and_switches() {
        let (fips, dual) = (("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true"));
        let own = ("AWS_ENDPOINT_URL_COGNITO_IDENTITY", "https://pools.example");
        let none = ("", "");
        for (region, variables, url) in [
            ("eu-west-1", [none, none], "https://cognito-identity.eu-west-1.amazonaws.com/"),
            ("us-east-1", [fips, none], "https://cognito-identity-fips.us-east-1.amazonaws.com/"),
            ("us-east-1", [dual, none], "https://cognito-identity.us-east-1.amazonaws.com/"),
            ("us-east-1", [fips, dual], "https://cognito-identity-fips.us-east-1.amazonaws.com/"),
            ("us-gov-west-1", [dual, none], "https://cognito-identity.us-gov-west-1.api.aws/"),
            ("cn-north-1", [none, none], "https://cognito-identity.cn-north-1.amazonaws.com.cn/"),
            ("eusc-de-east-1", [none, none], "https://cognito-identity.eusc-de-east-1.amazonaws.eu/"),
            ("us-east-1", [own, ("AWS_ENDPOINT_URL", "https://all.example")], "https://pools.example/"),
        ] {
            assert_eq!(
                resolve_endpoint(AwsService::Cognito, &build_profile(), region, &Environment::fixed(variables))
                    .unwrap()
                    .as_str(),
                url
            );
        }
    }

    #[test]
    fn profiles_endpoint_precedes_variables_specific_first() {
        let variables = [
            ("AWS_ENDPOINT_URL_STS", "https://sts.example"),
            ("AWS_ENDPOINT_URL", "https://all.example"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ];
        let [near, far, ignore] = variables;
        let named = |profile: &Profile, environment: Environment| {
            find_named_endpoint(AwsService::Sts, profile, &environment).unwrap().map(|url| url.to_string())
        };
        let endpoints = AwsEndpoints { sts: SecureUrl::parse("https://own.example").ok(), ..Default::default() };
        let own = Profile { aws_endpoints: endpoints, ..build_profile() };
        assert_eq!(named(&own, Environment::fixed(variables)).as_deref(), Some("https://own.example/"));
        assert_eq!(named(&build_profile(), Environment::fixed([near, far])).as_deref(), Some("https://sts.example/"));
        assert_eq!(named(&build_profile(), Environment::fixed([far])).as_deref(), Some("https://all.example/"));
        assert_eq!(named(&build_profile(), Environment::fixed([near, ignore])), None);
        for key in ["sts_endpoint", "cognito_endpoint", "bedrock_endpoint"] {
            let enforced = Profile { enforced_keys: [key].into(), ..build_profile() };
            assert_eq!(named(&enforced, Environment::fixed([near, far])), None, "{key}");
        }
        let decided = Profile { deciding_file: Some("config.toml".into()), ..build_profile() };
        assert_eq!(named(&decided, Environment::fixed([near, far])), None);
    }

    #[test]
    fn plain_http_endpoint_in_a_variable_is_rejected() {
        let environment = Environment::fixed([("AWS_ENDPOINT_URL", "http://sts.example")]);
        let error = find_named_endpoint(AwsService::Sts, &build_profile(), &environment).unwrap_err();
        assert_eq!(error, Error::BadEndpoint { variable: "AWS_ENDPOINT_URL", refusal: SecureUrlError::NotSecure });
    }

    /// The hosts of the control plane and the runtime.
    fn bedrocks(region: &str, variables: [(&str, &str); 2]) -> [String; 2] {
        let environment = Environment::fixed(variables);
        let host =
            |service| resolve_endpoint(service, &build_profile(), region, &environment).unwrap().authority().to_owned();
        [host(AwsService::Bedrock), host(AwsService::BedrockRuntime)]
    }

    /// The expected hosts come from botocore.
    #[test]
    fn bedrock_endpoints_follow_one_rule() {
        let none = ("", "");
        let (fips, dual) = (("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true"));
        for (region, variables, rest) in [
            ("us-east-1", [none; 2], ".us-east-1.amazonaws.com"),
            ("eu-west-1", [fips, none], "-fips.eu-west-1.amazonaws.com"),
            ("us-east-1", [dual, none], ".us-east-1.api.aws"),
            ("us-east-1", [fips, dual], "-fips.us-east-1.api.aws"),
            ("us-gov-west-1", [fips, none], "-fips.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", [none; 2], ".cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", [none; 2], ".eusc-de-east-1.amazonaws.eu"),
        ] {
            let hosts = ["bedrock", "bedrock-runtime"].map(|service| format!("{service}{rest}"));
            assert_eq!(bedrocks(region, variables), hosts, "{region}");
        }
    }

    /// The addresses of the sign-in service and of the access portal.
    fn identity_centers<const N: usize>(
        profile: &Profile,
        region: &str,
        variables: [(&str, &str); N],
    ) -> Result<[String; 2], Error> {
        let environment = Environment::fixed(variables);
        let IdentityCenterEndpoints { sign_in, portal } = resolve_identity_center(profile, region, &environment)?;
        Ok([sign_in, portal].map(|url| url.to_string()))
    }

    /// The expected hosts come from botocore.
    #[test]
    fn identity_center_endpoints_follow_botocores_rules() {
        let none = ("", "");
        let (fips, dual) = (("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true"));
        for (region, variables, rest) in [
            ("us-east-1", [none; 2], ".us-east-1.amazonaws.com"),
            ("us-east-1", [fips, none], "-fips.us-east-1.amazonaws.com"),
            ("us-east-1", [dual, none], ".us-east-1.api.aws"),
            ("us-east-1", [fips, dual], "-fips.us-east-1.api.aws"),
            ("us-gov-west-1", [none; 2], ".us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", [fips, none], ".us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", [dual, none], ".us-gov-west-1.api.aws"),
            ("us-gov-east-1", [fips, dual], "-fips.us-gov-east-1.api.aws"),
            ("cn-north-1", [none; 2], ".cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", [fips, none], "-fips.cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", [dual, none], ".cn-north-1.api.amazonwebservices.com.cn"),
            ("eusc-de-east-1", [none; 2], ".eusc-de-east-1.amazonaws.eu"),
            ("eusc-de-east-1", [fips, dual], "-fips.eusc-de-east-1.api.amazonwebservices.eu"),
            ("us-iso-east-1", [none; 2], ".us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", [dual, none], ".us-isob-east-1.api.aws.scloud"),
            ("eu-isoe-west-1", [fips, none], "-fips.eu-isoe-west-1.cloud.adc-e.uk"),
            ("us-isof-south-1", [none; 2], ".us-isof-south-1.csp.hci.ic.gov"),
        ] {
            let urls = ["oidc", "portal.sso"].map(|service| format!("https://{service}{rest}/"));
            assert_eq!(identity_centers(&build_profile(), region, variables), Ok(urls), "{region}");
        }
    }

    #[test]
    fn identity_center_services_have_separate_variables() {
        fn named<const N: usize>(profile: &Profile, variables: [(&str, &str); N]) -> Result<[String; 2], Error> {
            identity_centers(profile, "us-east-1", variables)
        }
        let profile = build_profile();
        let all = ("AWS_ENDPOINT_URL", "https://all.example");
        let (sign_in, portal) =
            (("AWS_ENDPOINT_URL_SSO_OIDC", "https://own.example"), ("AWS_ENDPOINT_URL_SSO", "https://own.example"));
        let (all_url, own_url) = ("https://all.example/".to_owned(), "https://own.example/".to_owned());
        assert_eq!(named(&profile, [all, sign_in]), Ok([own_url.clone(), all_url.clone()]));
        assert_eq!(named(&profile, [all, portal]), Ok([all_url, own_url]));
        let regional =
            ["https://oidc.us-east-1.amazonaws.com/", "https://portal.sso.us-east-1.amazonaws.com/"].map(str::to_owned);
        let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(named(&profile, [sign_in, portal, ignore]), Ok(regional.clone()));
        let decided = Profile { deciding_file: Some("config.toml".into()), ..build_profile() };
        assert_eq!(named(&decided, [all, sign_in, portal]), Ok(regional));
        let url = |text| SecureUrl::parse(text).unwrap();
        let endpoints =
            IdentityCenterEndpoints { sign_in: url("https://a.example"), portal: url("https://b.example/p") };
        let aws_endpoints = AwsEndpoints { identity_center: Some(endpoints), ..Default::default() };
        let own = Profile { aws_endpoints, ..build_profile() };
        let urls = ["https://a.example/", "https://b.example/p"].map(str::to_owned);
        assert_eq!(named(&own, [all, sign_in, portal]), Ok(urls));
        let plain = ("AWS_ENDPOINT_URL_SSO", "http://sso.example");
        let (variable, refusal) = ("AWS_ENDPOINT_URL_SSO", SecureUrlError::NotSecure);
        assert_eq!(named(&profile, [plain]), Err(Error::BadEndpoint { variable, refusal }));
    }

    #[test]
    fn bedrock_services_have_separate_endpoint_variables() {
        let all = ("AWS_ENDPOINT_URL", "https://all.example");
        let (control, runtime) = ("bedrock.us-east-1.amazonaws.com", "bedrock-runtime.us-east-1.amazonaws.com");
        for (variables, hosts) in [
            ([all, ("AWS_USE_FIPS_ENDPOINT", "true")], ["all.example"; 2]),
            ([all, ("AWS_ENDPOINT_URL_BEDROCK", "https://own.example")], ["own.example", "all.example"]),
            ([all, ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://own.example")], ["all.example", "own.example"]),
            ([all, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], [control, runtime]),
        ] {
            assert_eq!(bedrocks("us-east-1", variables), hosts);
        }
    }
}
