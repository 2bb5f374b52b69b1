//! CloudWatch's endpoints for OpenTelemetry: metrics, and logs of one log group.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use bedrock_sso::http::FullResponse;

use super::{AwsCall, AwsCallError, AwsClient, CalledService, error::read_refusal};

/// Where CloudWatch stores an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpDestination<'d> {
    Metrics { region: &'d str },
    Logs { region: &'d str, group: &'d str, stream: &'d str },
}

impl AwsClient {
    /// Sends an export in JSON, once: its sender repeats it. Returns the answer, and the code of AWS's error if it is one.
    pub async fn send_otlp(
        &self,
        destination: OtlpDestination<'_>,
        export: Vec<u8>,
        timeout: Duration,
    ) -> Result<(FullResponse, Option<String>), AwsCallError> {
        let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let (service, operation, region, path) = match destination {
            OtlpDestination::Metrics { region } => (CalledService::CloudWatch, "PutMetricData", region, "/v1/metrics"),
            OtlpDestination::Logs { region, group, stream } => {
                for (name, value) in [("x-aws-log-group", group), ("x-aws-log-stream", stream)] {
                    // The configuration accepts no other names.
                    let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
                    headers.push((HeaderName::from_static(name), value));
                }
                (CalledService::CloudWatchLogs, "PutLogEvents", region, "/v1/logs")
            }
        };
        let path = path.to_owned();
        let call = AwsCall { service, operation, method: Method::POST, region, path, headers, body: export };
        let answer = self.send(&call, timeout).await?;
        let code = match read_refusal(&call, &answer) {
            AwsCallError::Refused { code, .. } if !answer.status.is_success() => Some(code),
            _ => None,
        };
        Ok((answer, code))
    }
}
