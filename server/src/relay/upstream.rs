//! The next place of an export: CloudWatch, another endpoint for OpenTelemetry, or a stream of rows.

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{HeaderMap, Request, StatusCode, header},
};
use bedrock_sso::{http::Client, text::sanitize_line, url::SecureUrl};

use super::answer::ExportRefusal;
use crate::{
    aws_calls::{AwsClient, OtlpDestination, StreamName},
    config::OtlpEndpoint,
};

/// For one export. Claude Code's exporters give up after ten seconds in all, so rows and export together must end before.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the rows of one export, with repetitions.
const ROWS_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends exports on.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client,
    aws: Option<AwsClient>,
}

/// What the next place has answered.
struct UpstreamAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The code of an error of AWS.
    code: Option<String>,
}

impl Upstream {
    pub(super) fn new(client: &Client, aws: Option<AwsClient>) -> Self {
        // The path of an endpoint may contain a key.
        Self { client: client.with_hidden_paths().with_total_timeout(EXPORT_TIMEOUT), aws }
    }

    fn aws(&self) -> Result<&AwsClient, ExportRefusal> {
        let missing = || ExportRefusal::NotForwarded("the environment has no credentials of AWS".to_owned());
        self.aws.as_ref().ok_or_else(missing)
    }

    pub(super) async fn put_rows(&self, stream: &StreamName, rows: &[String]) -> Result<(), ExportRefusal> {
        let put = self.aws()?.put_rows(stream, rows, ROWS_TIMEOUT).await;
        put.map_err(|error| ExportRefusal::NotForwarded(format!("rows are not stored: {error}")))
    }

    /// Sends an export, and returns the answer in JSON if it was accepted.
    pub(super) async fn send(&self, endpoint: &OtlpEndpoint, export: Vec<u8>) -> Result<Bytes, ExportRefusal> {
        let answer = match endpoint {
            OtlpEndpoint::CloudWatchMetrics { region } => {
                self.send_signed(OtlpDestination::Metrics { region }, export).await?
            }
            OtlpEndpoint::CloudWatchLogs { region, group, stream } => {
                self.send_signed(OtlpDestination::Logs { region, group, stream }, export).await?
            }
            OtlpEndpoint::Other(url) => self.send_unsigned(url, export).await?,
        };
        judge_answer(answer)
    }

    async fn send_signed(
        &self,
        destination: OtlpDestination<'_>,
        export: Vec<u8>,
    ) -> Result<UpstreamAnswer, ExportRefusal> {
        let sent = self.aws()?.send_otlp(destination, export, EXPORT_TIMEOUT).await;
        let (answer, code) = sent.map_err(|error| ExportRefusal::NotForwarded(error.to_string()))?;
        Ok(UpstreamAnswer { status: answer.status, headers: answer.headers, body: answer.body, code })
    }

    async fn send_unsigned(&self, url: &SecureUrl, export: Vec<u8>) -> Result<UpstreamAnswer, ExportRefusal> {
        let request = Request::post(url.as_str()).header(header::CONTENT_TYPE, "application/json").body(export);
        let request =
            request.map_err(|_| ExportRefusal::NotForwarded("the endpoint has no valid address".to_owned()))?;
        let sent = self.client.send(request).await;
        let answer = sent.map_err(|error| {
            ExportRefusal::NotForwarded(format!("the endpoint has no answer: {}", sanitize_line(&format!("{error:?}"))))
        })?;
        Ok(UpstreamAnswer { status: answer.status, headers: answer.headers, body: answer.body, code: None })
    }
}

/// Translates the answer for the sender. Only what concerns this one export is final. Whatever concerns the relay, such
/// as its rights, is an error that the sender repeats: otherwise a wrong policy would lose telemetry.
fn judge_answer(answer: UpstreamAnswer) -> Result<Bytes, ExportRefusal> {
    let UpstreamAnswer { status, headers, body, code } = answer;
    if status.is_success() {
        return Ok(body.into());
    }
    let said = code.as_deref().unwrap_or("no code");
    let cause = format!("the next place answers {}: {said}", status.as_u16());
    let retry_after = headers.get(header::RETRY_AFTER).cloned();
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(ExportRefusal::RepeatLater { status, retry_after, cause }),
        // AWS also answers 400 when it throttles, and when the relay's rights or its log group are missing.
        StatusCode::BAD_REQUEST if code.as_deref().is_some_and(is_about_throttling) => {
            Err(ExportRefusal::RepeatLater { status: StatusCode::TOO_MANY_REQUESTS, retry_after, cause })
        }
        StatusCode::BAD_REQUEST if code.as_deref().is_some_and(is_about_relay) => {
            Err(ExportRefusal::NotForwarded(cause))
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(ExportRefusal::NotAccepted { status, cause }),
        _ => Err(ExportRefusal::NotForwarded(cause)),
    }
}

fn is_about_throttling(code: &str) -> bool {
    code.contains("Throttl") || code.contains("TooManyRequests") || code.contains("LimitExceeded")
}

fn is_about_relay(code: &str) -> bool {
    const CODES: [&str; 10] = [
        "AccessDenied", "UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "IncompleteSignature",
        "MissingAuthenticationToken", "ExpiredToken", "NotAuthorized", "ResourceNotFound", "OptInRequired",
    ];
    CODES.iter().any(|known| code.contains(known)) || code.contains("SignatureDoesNotMatch")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The status that the sender gets, and the header that says how long it should wait.
    fn judge(status: u16, code: Option<&str>, retry_after: Option<&str>) -> (u16, Option<String>) {
        let mut headers = HeaderMap::new();
        if let Some(wait) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(wait).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let answer = UpstreamAnswer { status, headers, body: b"{}".to_vec(), code: code.map(str::to_owned) };
        match judge_answer(answer) {
            Ok(_) => (200, None),
            Err(ExportRefusal::RepeatLater { status, retry_after, .. }) => {
                (status.as_u16(), retry_after.map(|wait| wait.to_str().unwrap().to_owned()))
            }
            Err(ExportRefusal::NotAccepted { status, .. }) => (status.as_u16(), None),
            Err(ExportRefusal::NotForwarded(_)) => (503, None),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_faults_of_the_export_are_final() {
        assert_eq!(judge(200, None, None), (200, None));
        assert_eq!(judge(202, None, None), (200, None));
        for repeated in [429, 502, 503, 504] {
            assert_eq!(judge(repeated, None, Some("7")), (repeated, Some("7".to_owned())));
            assert_eq!(judge(repeated, Some("Any"), None), (repeated, None));
        }
        for of_the_relay in [500, 501, 401, 403, 404, 301, 302, 307, 409, 415] {
            assert_eq!(judge(of_the_relay, None, None), (503, None), "{of_the_relay}");
        }
        for refused in [400, 413] {
            assert_eq!(judge(refused, None, None), (refused, None));
            assert_eq!(judge(refused, Some("InvalidParameterException"), None), (refused, None));
        }
        assert_eq!(judge(400, Some("ThrottlingException"), None), (429, None));
        for code in ["ExpiredTokenException", "UnrecognizedClientException", "ResourceNotFoundException"] {
            assert_eq!(judge(400, Some(code), None), (503, None), "{code}");
        }
    }
}
