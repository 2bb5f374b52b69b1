//! The table `[relay]`: where telemetry goes that clients send.

use std::collections::BTreeMap;

use bedrock_sso::{
    config::{Partition, list_user_info_claims},
    telemetry::otlp::StampPlace,
    url::SecureUrl,
};
use serde::Deserialize;

use crate::aws_calls::StreamName;

/// How telemetry is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// `None` if metrics are not passed on.
    pub metrics: Option<OtlpEndpoint>,
    /// `None` if logs are not passed on.
    pub logs: Option<OtlpEndpoint>,
    /// The stream of Amazon Data Firehose that gets rows for analytics.
    pub stream: Option<StreamName>,
    pub place: StampPlace,
    /// Claims for an attribute, instead of those that it has by default.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// Who gets the exports of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtlpEndpoint {
    CloudWatchMetrics { region: String },
    CloudWatchLogs { region: String, group: String, stream: String },
    Other(SecureUrl),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelayTable {
    region: Option<String>,
    metrics: Option<String>,
    logs: Option<String>,
    log_group: Option<String>,
    log_stream: Option<String>,
    stream: Option<String>,
    #[serde(default)]
    also_datapoints: bool,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
}

impl RelayConfig {
    /// Whether requests to AWS have to be signed.
    pub fn needs_aws(&self) -> bool {
        let is_signed = |endpoint: &Option<OtlpEndpoint>| match endpoint {
            Some(OtlpEndpoint::CloudWatchMetrics { .. } | OtlpEndpoint::CloudWatchLogs { .. }) => true,
            Some(OtlpEndpoint::Other(_)) | None => false,
        };
        self.stream.is_some() || is_signed(&self.metrics) || is_signed(&self.logs)
    }
}

impl RelayTable {
    pub(super) fn check(self) -> Result<RelayConfig, String> {
        if let Some(region) = self.region.as_deref().filter(|region| !is_region(region)) {
            return Err(format!("region = \"{region}\" in [relay] is not the name of a Region"));
        }
        let metrics_region = match self.metrics.as_deref() {
            Some(address) => find_region("monitoring", address),
            None => self.region.clone(),
        };
        let logs_region = match self.logs.as_deref() {
            Some(address) => find_region("logs", address),
            None => self.region.clone(),
        };
        let metrics = match (metrics_region, self.metrics) {
            (Some(region), _) => Some(OtlpEndpoint::CloudWatchMetrics { region }),
            (None, Some(address)) => Some(OtlpEndpoint::Other(parse_endpoint("metrics", &address)?)),
            (None, None) => None,
        };
        let place = match (self.log_group, self.log_stream) {
            (Some(group), Some(stream)) => Some((check_log_group(group)?, check_log_stream(stream)?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("log_group and log_stream in [relay] belong together".to_owned());
            }
        };
        let logs = match (logs_region, self.logs, place) {
            (Some(region), _, Some((group, stream))) => Some(OtlpEndpoint::CloudWatchLogs { region, group, stream }),
            (Some(_), Some(_), None) => return Err("logs in [relay] needs log_group and log_stream".to_owned()),
            // Only metrics are wanted.
            (Some(_), None, None) | (None, None, None) => None,
            (None, Some(address), None) => Some(OtlpEndpoint::Other(parse_endpoint("logs", &address)?)),
            (None, _, Some(_)) => return Err("log_group in [relay] is for logs of CloudWatch".to_owned()),
        };
        let stream = self.stream.map(|name| {
            name.parse().map_err(|_| format!("stream = \"{name}\" in [relay] is not the name of a delivery stream"))
        });
        let stream = stream.transpose()?;
        if metrics.is_none() && logs.is_none() && stream.is_none() {
            return Err("[relay] says nowhere to send telemetry: set region, metrics, logs or stream".to_owned());
        }
        let place = match self.also_datapoints {
            true => StampPlace::ResourceAndDataPoints,
            false => StampPlace::Resource,
        };
        Ok(RelayConfig { metrics, logs, stream, place, attributes: check_attributes(self.attributes)? })
    }
}

fn is_region(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=32).contains(&text.len()) && text.contains('-') && text.bytes().all(is_legal)
}

/// The Region of an address that is one of CloudWatch's own. Its requests have to be signed.
fn find_region(service: &str, address: &str) -> Option<String> {
    let url = SecureUrl::parse(address).ok()?;
    let host = url.as_url().host_str()?;
    let (region, domain) = host.strip_prefix(service)?.strip_prefix('.')?.split_once('.')?;
    (is_region(region) && Partition::from_region(region).domain == domain).then(|| region.to_owned())
}

/// The address may contain a secret, so the error does not repeat it.
fn parse_endpoint(key: &str, address: &str) -> Result<SecureUrl, String> {
    SecureUrl::parse(address).map_err(|_| format!("{key} in [relay] is not an https address"))
}

fn check_log_group(group: String) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._/#-".contains(&byte);
    match (1..=512).contains(&group.len()) && group.bytes().all(is_legal) {
        true => Ok(group),
        false => Err(format!("log_group = \"{group}\" in [relay] is not the name of a log group")),
    }
}

/// The name becomes a header, so it has fewer characters than CloudWatch permits.
fn check_log_stream(stream: String) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_graphic() && !b":*".contains(&byte);
    match (1..=512).contains(&stream.len()) && stream.bytes().all(is_legal) {
        true => Ok(stream),
        false => Err(format!("log_stream = \"{stream}\" in [relay] is not the name of a log stream")),
    }
}

fn check_attributes(attributes: BTreeMap<String, Vec<String>>) -> Result<BTreeMap<String, Vec<String>>, String> {
    for (name, claims) in &attributes {
        let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_legal) {
            return Err(format!("\"{name}\" in [relay.attributes] has other characters than a-z, 0-9, . and _"));
        }
        if let Some(claim) = claims.iter().find(|claim| !list_user_info_claims(claim).is_empty()) {
            return Err(format!("{name} = \"{claim}\" is not in an ID token, which is all that the server gets"));
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<RelayConfig, String> {
        toml::from_str::<RelayTable>(text).unwrap().check()
    }

    const PLACE: &str = "log_group = \"/claude/code\"\nlog_stream = \"relay\"\n";

    #[test]
    fn a_region_is_that_of_cloudwatch() {
        let region = "eu-west-1".to_owned();
        let metrics = Some(OtlpEndpoint::CloudWatchMetrics { region: region.clone() });
        let config = check("region = \"eu-west-1\"").unwrap();
        assert_eq!((&config.metrics, &config.logs, config.place), (&metrics, &None, StampPlace::Resource));
        assert!(config.needs_aws());
        let config = check(&format!("region = \"eu-west-1\"\n{PLACE}also_datapoints = true")).unwrap();
        let group = "/claude/code".to_owned();
        let logs = OtlpEndpoint::CloudWatchLogs { region, group, stream: "relay".to_owned() };
        assert_eq!((config.logs, config.place), (Some(logs), StampPlace::ResourceAndDataPoints));
        // The addresses themselves say the same.
        let config = check("metrics = \"https://monitoring.eu-west-1.amazonaws.com/v1/metrics\"").unwrap();
        assert_eq!(config.metrics, metrics);
        let china = check("metrics = \"https://monitoring.cn-north-1.amazonaws.com.cn/v1/metrics\"").unwrap();
        assert_eq!(china.metrics, Some(OtlpEndpoint::CloudWatchMetrics { region: "cn-north-1".to_owned() }));
    }

    #[test]
    fn other_endpoints_are_not_signed() {
        for address in [
            "https://otel.example.com/v1/metrics",
            "https://monitoring.eu-west-1.amazonaws.com.example.com/v1/metrics",
            "https://monitoring.eu-west-1.example.com/v1/metrics",
            "https://xmonitoring.eu-west-1.amazonaws.com/v1/metrics",
            "http://127.0.0.1:9090/api/v1/otlp/v1/metrics",
        ] {
            let config = check(&format!("metrics = \"{address}\"")).unwrap();
            assert_eq!(config.metrics, Some(OtlpEndpoint::Other(SecureUrl::parse(address).unwrap())));
            assert!(!config.needs_aws(), "{address}");
        }
        let config = check("stream = \"acme-telemetry\"").unwrap();
        assert!(config.needs_aws() && config.metrics.is_none());
    }

    #[test]
    fn what_no_export_could_use_is_refused() {
        for (text, expected) in [
            ("", "says nowhere to send telemetry"),
            ("also_datapoints = true", "says nowhere to send telemetry"),
            ("region = \"Ireland\"", "is not the name of a Region"),
            ("region = \"eu-west-1/../x\"", "is not the name of a Region"),
            ("metrics = \"http://otel.example.com\"", "metrics in [relay] is not an https address"),
            ("logs = \"https://user:secret@otel.example.com\"", "logs in [relay] is not an https address"),
            ("region = \"eu-west-1\"\nlog_group = \"a\"", "belong together"),
            ("region = \"eu-west-1\"\nlog_group = \"a b\"\nlog_stream = \"c\"", "not the name of a log group"),
            ("region = \"eu-west-1\"\nlog_group = \"a\"\nlog_stream = \"c:d\"", "not the name of a log stream"),
            ("logs = \"https://logs.eu-west-1.amazonaws.com/v1/logs\"", "needs log_group and log_stream"),
            (
                "logs = \"https://otel.example.com/v1/logs\"\nlog_group = \"a\"\nlog_stream = \"b\"",
                "logs of CloudWatch",
            ),
            ("stream = \"arn:aws:firehose\"", "is not the name of a delivery stream"),
            ("stream = \"a\"\nattributes = { \"user email\" = [\"email\"] }", "has other characters"),
            ("stream = \"a\"\nattributes = { department = [\"userinfo:dept\"] }", "is not in an ID token"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
