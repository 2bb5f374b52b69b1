//! Where a service of a Region is, and for which Region its requests are signed.

use std::collections::BTreeMap;

use bedrock_sso::{config::Partition, host::Environment, url::SecureUrl};

use super::{AwsCallError, CalledService};

/// Where a request is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// Scheme and host, without a slash at the end.
    pub(super) origin: String,
    pub(super) signing_region: String,
}

impl Destination {
    pub(super) fn find(service: CalledService, region: &str, replacement: Option<&SecureUrl>) -> Self {
        let partition = Partition::from_region(region);
        let domain = partition.domain;
        let (host, signing_region) = match service {
            // IAM is one service for a whole partition.
            CalledService::Iam => match partition.name {
                "aws" => (format!("iam.{domain}"), "us-east-1"),
                "aws-cn" => (format!("iam.cn-north-1.{domain}"), "cn-north-1"),
                "aws-us-gov" => (format!("iam.us-gov.{domain}"), "us-gov-west-1"),
                "aws-eusc" => (format!("iam.eusc-de-east-1.{domain}"), "eusc-de-east-1"),
                _ => (format!("iam.{region}.{domain}"), region),
            },
            CalledService::Sns
            | CalledService::Lambda
            | CalledService::S3
            | CalledService::CloudWatch
            | CalledService::CloudWatchLogs
            | CalledService::Firehose => (format!("{}.{region}.{domain}", service.signing_name()), region),
        };
        let origin = match replacement {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://{host}"),
        };
        Self { origin, signing_region: signing_region.to_owned() }
    }
}

/// The variable that names another endpoint of the service, as AWS's SDKs call it.
fn override_variable(service: CalledService) -> &'static str {
    match service {
        CalledService::Iam => "AWS_ENDPOINT_URL_IAM",
        CalledService::Sns => "AWS_ENDPOINT_URL_SNS",
        CalledService::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
        CalledService::S3 => "AWS_ENDPOINT_URL_S3",
        CalledService::CloudWatch => "AWS_ENDPOINT_URL_CLOUDWATCH",
        CalledService::CloudWatchLogs => "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        CalledService::Firehose => "AWS_ENDPOINT_URL_FIREHOSE",
    }
}

/// The endpoints that the environment names. They decide who is refused, so only an emulator of this machine may take
/// AWS's place.
pub(super) fn read_overrides(environment: &Environment) -> Result<BTreeMap<CalledService, SecureUrl>, AwsCallError> {
    let mut overrides = BTreeMap::new();
    for service in CalledService::ALL {
        let named = [override_variable(service), "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| Some((name, environment.var_text(name)?)));
        let Some((name, endpoint)) = named else { continue };
        match SecureUrl::parse(&endpoint) {
            Ok(url) if url.is_loopback() => overrides.insert(service, url),
            _ => {
                let what = format!("{name} is \"{endpoint}\", which is not on this machine's loopback");
                return Err(AwsCallError::NotConfigured(what));
            }
        };
    }
    Ok(overrides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_endpoints() {
        use CalledService::{CloudWatch, CloudWatchLogs, Firehose, Iam, Lambda, S3, Sns};
        for (service, region, origin, signing_region) in [
            (Iam, "eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (Iam, "cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Iam, "us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (Iam, "eusc-de-east-1", "https://iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            (Sns, "eu-west-1", "https://sns.eu-west-1.amazonaws.com", "eu-west-1"),
            (Lambda, "cn-north-1", "https://lambda.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (S3, "us-gov-west-1", "https://s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            (CloudWatch, "eu-west-1", "https://monitoring.eu-west-1.amazonaws.com", "eu-west-1"),
            (CloudWatchLogs, "cn-north-1", "https://logs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Firehose, "eusc-de-east-1", "https://firehose.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ] {
            let expected = Destination { origin: origin.to_owned(), signing_region: signing_region.to_owned() };
            assert_eq!(Destination::find(service, region, None), expected);
        }
    }

    #[test]
    fn only_an_endpoint_on_loopback_takes_a_place() {
        let read = |variables: &[(&str, &str)]| {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            read_overrides(&Environment::Fixed(owned.collect()))
        };
        let emulator = "http://127.0.0.1:4566";
        let found = read(&[("AWS_ENDPOINT_URL_IAM", emulator)]).unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [CalledService::Iam]);
        assert_eq!(read(&[("AWS_ENDPOINT_URL", emulator)]).unwrap().len(), CalledService::ALL.len());
        let replaced = SecureUrl::parse(emulator).unwrap();
        let destination = Destination::find(CalledService::Iam, "eu-west-1", Some(&replaced));
        assert_eq!(destination, Destination { origin: emulator.to_owned(), signing_region: "us-east-1".to_owned() });
        for refused in ["https://iam.example.com", "http://10.0.0.1:1", "nonsense"] {
            let error = read(&[("AWS_ENDPOINT_URL_SNS", refused)]).unwrap_err();
            assert!(error.to_string().contains("AWS_ENDPOINT_URL_SNS"), "{error}");
        }
    }
}
