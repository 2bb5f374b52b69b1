//! Rows of JSON for a delivery stream of Amazon Data Firehose.

use std::{str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{AwsCall, AwsCallError, AwsClient, CalledService, FIRST_BACKOFF, random_thousandths};

/// The most bytes of one record. Firehose accepts 1,000 KiB, and bills each record as a multiple of 5 KB, so rows share
/// records.
const MAX_RECORD_BYTES: usize = 900_000;

/// The most records of one call, which may have 4 MiB. Base64 makes them a third larger.
const MAX_BATCH: usize = 3;

/// The name of a delivery stream of this Region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName(String);

/// The text is not the name of a delivery stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAStreamName;

impl FromStr for StreamName {
    type Err = NotAStreamName;

    fn from_str(text: &str) -> Result<Self, NotAStreamName> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        match (1..=64).contains(&text.len()) && text.bytes().all(is_legal) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAStreamName),
        }
    }
}

impl StreamName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutAnswer {
    request_responses: Vec<PutRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord {
    error_code: Option<String>,
}

impl AwsClient {
    /// Puts rows into a stream, and repeats those that it refuses until the time is over. A row may arrive twice. Fails if
    /// one has not arrived.
    pub async fn put_rows(&self, stream: &StreamName, rows: &[String], limit: Duration) -> Result<(), AwsCallError> {
        let deadline = Instant::now() + limit;
        for batch in pack_rows(rows).chunks(MAX_BATCH) {
            self.put_batch(stream, batch.to_vec(), deadline).await?;
        }
        Ok(())
    }

    async fn put_batch(
        &self,
        stream: &StreamName,
        mut records: Vec<String>,
        deadline: Instant,
    ) -> Result<(), AwsCallError> {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let encoded: Vec<_> = records.iter().map(|record| json!({ "Data": STANDARD.encode(record) })).collect();
            let call = AwsCall {
                service: CalledService::Firehose,
                operation: "PutRecordBatch",
                method: Method::POST,
                region: &self.region,
                path: "/".to_owned(),
                headers: vec![
                    (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
                    (
                        HeaderName::from_static("x-amz-target"),
                        HeaderValue::from_static("Firehose_20150804.PutRecordBatch"),
                    ),
                ],
                body: json!({ "DeliveryStreamName": stream.as_str(), "Records": encoded }).to_string().into_bytes(),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.attempt(&call, left).await {
                Ok(answer) => match find_refused(&call, &answer, &records)? {
                    (refused, _) if refused.is_empty() => return Ok(()),
                    (refused, code) => {
                        records = refused;
                        AwsCallError::Refused {
                            call: "Firehose PutRecordBatch".to_owned(),
                            status: 200,
                            code,
                            message: format!("{} records have not arrived", records.len()),
                        }
                    }
                },
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            let pause = backoff / 1000 * random_thousandths();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            // A stream that throttles accepts more only after some time, and says nothing when.
            sleep(pause).await;
            backoff *= 2;
        }
    }
}

/// The records that Firehose has not accepted, and why it has not accepted the first of them.
fn find_refused(call: &AwsCall<'_>, answer: &[u8], records: &[String]) -> Result<(Vec<String>, String), AwsCallError> {
    let unreadable = || AwsCallError::unreadable(call, "the answer says nothing about the records");
    let answer: PutAnswer = serde_json::from_slice(answer).map_err(|_| unreadable())?;
    if answer.request_responses.len() != records.len() {
        return Err(unreadable());
    }
    let refused = records.iter().zip(&answer.request_responses).filter(|(_, said)| said.error_code.is_some());
    let codes = answer.request_responses.iter().filter_map(|said| said.error_code.as_deref());
    let code = bedrock_sso::text::sanitize_line(codes.into_iter().next().unwrap_or_default());
    Ok((refused.map(|(record, _)| record.clone()).collect(), code))
}

/// Records of whole lines.
fn pack_rows(rows: &[String]) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    for row in rows {
        match records.last_mut() {
            Some(record) if record.len() + row.len() < MAX_RECORD_BYTES => {
                record.push_str(row);
                record.push('\n');
            }
            _ => records.push(format!("{row}\n")),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_share_records_and_stay_whole() {
        assert!(pack_rows(&[]).is_empty());
        let rows = ["{}", "{\"a\":1}"].map(str::to_owned);
        assert_eq!(pack_rows(&rows), ["{}\n{\"a\":1}\n"]);
        let large: Vec<String> = (0..10).map(|number| number.to_string().repeat(MAX_RECORD_BYTES / 4)).collect();
        let records = pack_rows(&large);
        assert_eq!(records.iter().map(|record| record.lines().count()).collect::<Vec<_>>(), [3, 3, 3, 1]);
        assert!(records.iter().all(|record| record.len() <= MAX_RECORD_BYTES && record.ends_with('\n')));
    }
}
