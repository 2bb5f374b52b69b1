//! What calls the role `ingest`: a log group's subscription, a bucket with the log, or somebody with records at hand.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

/// What an event delivers.
#[derive(Debug, PartialEq, Eq)]
pub enum EventContent {
    /// What `POST /ingest` would get.
    Delivery(Vec<u8>),
    /// Objects that contain it.
    Objects(Vec<LogObject>),
}

/// An object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogObject {
    pub region: String,
    pub bucket: String,
    pub key: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum IngestEvent {
    Subscription {
        awslogs: SubscriptionData,
    },
    /// The notification of a bucket.
    Notification {
        #[serde(rename = "Records")]
        records: Vec<ObjectRecord>,
    },
    /// The same from EventBridge.
    ObjectCreated {
        source: BucketSource,
        region: String,
        detail: ObjectPlace,
    },
    /// A bucket that was just connected tests whether it can be reached.
    Test {
        #[serde(rename = "Event")]
        _event: TestEvent,
    },
    Records {
        records: Vec<Value>,
    },
}

#[derive(Deserialize)]
struct SubscriptionData {
    /// The compressed envelope in base64.
    data: String,
}

#[derive(Deserialize)]
struct ObjectRecord {
    #[serde(rename = "awsRegion")]
    region: String,
    s3: ObjectPlace,
}

#[derive(Deserialize)]
enum BucketSource {
    #[serde(rename = "aws.s3")]
    S3,
}

#[derive(Deserialize)]
enum TestEvent {
    #[serde(rename = "s3:TestEvent")]
    S3,
}

#[derive(Deserialize)]
struct ObjectPlace {
    bucket: BucketName,
    object: ObjectKey,
}

#[derive(Deserialize)]
struct BucketName {
    name: String,
}

#[derive(Deserialize)]
struct ObjectKey {
    key: String,
}

impl EventContent {
    /// Reads an event. Something else than records stays as it is, so that it is rejected and counted later.
    pub fn read(event: &Value) -> Self {
        match IngestEvent::deserialize(event) {
            Ok(IngestEvent::Subscription { awslogs }) => {
                Self::Delivery(STANDARD.decode(&awslogs.data).unwrap_or_else(|_| awslogs.data.into_bytes()))
            }
            Ok(IngestEvent::Notification { records }) => {
                // A notification encodes the key as a form does; EventBridge does not.
                let objects = records.into_iter().map(|record| LogObject {
                    region: record.region,
                    key: decode_key(&record.s3.object.key),
                    bucket: record.s3.bucket.name,
                });
                Self::Objects(objects.filter(LogObject::has_records).collect())
            }
            Ok(IngestEvent::ObjectCreated { source: BucketSource::S3, region, detail }) => {
                let object = LogObject { region, bucket: detail.bucket.name, key: detail.object.key };
                Self::Objects(Some(object).filter(LogObject::has_records).into_iter().collect())
            }
            Ok(IngestEvent::Test { .. }) => Self::Objects(Vec::new()),
            Ok(IngestEvent::Records { records }) => {
                Self::Delivery(records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes())
            }
            Err(_) => Self::Delivery(event.to_string().into_bytes()),
        }
    }
}

impl LogObject {
    /// Whether the object has records. Bedrock stores long prompts and answers beside them in a folder `data`, which this
    /// program never reads, and an empty object when the log is switched on.
    fn has_records(&self) -> bool {
        !self.key.split('/').any(|part| part == "data") && !self.key.ends_with("amazon-bedrock-logs-permission-check")
    }
}

fn decode_key(key: &str) -> String {
    form_urlencoded::parse(key.as_bytes()).next().map_or_else(String::new, |(key, _)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(key: &str) -> LogObject {
        LogObject { region: "eu-west-1".to_owned(), bucket: "logs".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn each_event_becomes_a_delivery() {
        let delivery = |event: &Value| match EventContent::read(event) {
            EventContent::Delivery(bytes) => String::from_utf8(bytes).unwrap(),
            EventContent::Objects(objects) => panic!("{objects:?}"),
        };
        assert_eq!(delivery(&json!({ "awslogs": { "data": "e30=" } })), "{}");
        assert_eq!(delivery(&json!({ "records": [{ "a": 1 }, { "b": 2 }] })), "{\"a\":1}\n{\"b\":2}\n");
        // What is rejected is not lost on the way.
        assert_eq!(delivery(&json!({ "awslogs": { "data": "?" } })), "?");
        assert_eq!(delivery(&json!({ "detail": 1 })), "{\"detail\":1}");
        let foreign = json!({ "source": "aws.ec2", "region": "eu-west-1", "detail": { "bucket": { "name": "b" }, "object": { "key": "k" } } });
        assert_eq!(delivery(&foreign), foreign.to_string());
    }

    #[test]
    fn objects_are_named_by_a_bucket_or_by_eventbridge() {
        let record = |key: &str| {
            json!({ "eventSource": "aws:s3", "awsRegion": "eu-west-1",
                    "s3": { "bucket": { "name": "logs", "arn": "arn:aws:s3:::logs" }, "object": { "key": key, "size": 1 } } })
        };
        let event = json!({ "Records": [record("a/b+c%3D%2Bd%C3%BC.json.gz"), record("e.json.gz")] });
        assert_eq!(
            EventContent::read(&event),
            EventContent::Objects(vec![object("a/b c=+dü.json.gz"), object("e.json.gz")])
        );
        let event = json!({
            "version": "0", "detail-type": "Object Created", "source": "aws.s3", "region": "eu-west-1",
            "detail": { "bucket": { "name": "logs" }, "object": { "key": "a/b+c%20.json.gz" } },
        });
        assert_eq!(EventContent::read(&event), EventContent::Objects(vec![object("a/b+c%20.json.gz")]));
        let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs" });
        assert_eq!(EventContent::read(&test), EventContent::Objects(vec![]));
    }

    #[test]
    fn prompts_beside_the_log_are_never_fetched() {
        let folder = "AWSLogs/123456789012/BedrockModelInvocationLogs";
        assert!(object(&format!("{folder}/eu-west-1/2026/11/30/12/20261130T120000000Z_ab.json.gz")).has_records());
        assert!(!object(&format!("{folder}/eu-west-1/2026/11/30/12/data/id_input.json.gz")).has_records());
        assert!(!object(&format!("{folder}/amazon-bedrock-logs-permission-check")).has_records());
    }
}
