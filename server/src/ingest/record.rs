//! One record of the invocation log.
//!
//! Only the fields that are counted are read. The bodies of requests and answers, which some accounts log, are skipped
//! without a copy, so that no prompt can reach a store or a log.

use std::time::Duration;

use bedrock_sso::time::Timestamp;
use serde::Deserialize;

use crate::{
    person::Person,
    usage::{AccountModel, TokenCounts},
};

/// Larger counts are no counts of tokens.
const MAX_COUNT: u64 = 1_000_000_000;

/// How far a record's clock may be ahead of ours.
const MAX_FUTURE: Duration = Duration::from_secs(10 * 60);

/// The longest request id and model id. Bedrock's request ids have 36 characters, its ARNs fewer than 300.
const MAX_ID_BYTES: usize = 512;

/// What a Cognito identity pool calls all of its sessions.
const POOL_SESSION: &str = "CognitoIdentityCredentials";

/// How the roles of permission sets begin, which only IAM Identity Center can assume.
const ASSIGNED_ROLE: &str = "AWSReservedSSO_";

/// A call that will be counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvocationRecord {
    pub(super) request_id: String,
    pub(super) person: Person,
    pub(super) target: AccountModel,
    pub(super) time: Timestamp,
    /// All zero if the call failed.
    pub(super) tokens: TokenCounts,
    /// Whether IAM Identity Center has named the session, after the user's name there.
    pub(super) is_assigned: bool,
}

/// Why a record is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The delivery is damaged.
    Compression,
    /// The delivery is larger than this program unpacks.
    TooLarge,
    /// The line is no JSON object with the fields of a record.
    NotARecord,
    /// Another schema, or another version of it.
    UnknownSchema,
    /// The caller is no session of an assumed role of this account, so nobody can be named.
    NoSession,
    /// The session has the name that an identity pool gives to all of its sessions, so it could be anybody.
    SharedName,
    /// The time is missing, or too far in the future.
    Time,
    /// A count is negative, no integer, or larger than any call's.
    Count,
    /// A request or model id is missing, or contains what no such id contains.
    Id,
}

impl Rejection {
    /// The reason under which rejections are counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compression => "compression",
            Self::TooLarge => "too_large",
            Self::NotARecord => "not_a_record",
            Self::UnknownSchema => "unknown_schema",
            Self::NoSession => "no_session",
            Self::SharedName => "shared_name",
            Self::Time => "time",
            Self::Count => "count",
            Self::Id => "id",
        }
    }
}

/// A record as Bedrock writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordFields {
    schema_type: String,
    schema_version: String,
    timestamp: String,
    account_id: String,
    identity: Identity,
    request_id: String,
    model_id: String,
    /// Only records of failed calls have one.
    error_code: Option<serde_json::Value>,
    status: Option<serde_json::Value>,
    #[serde(default)]
    input: InputCounts,
    #[serde(default)]
    output: OutputCounts,
}

#[derive(Deserialize)]
struct Identity {
    arn: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InputCounts {
    input_token_count: Option<serde_json::Number>,
    cache_read_input_token_count: Option<serde_json::Number>,
    cache_write_input_token_count: Option<serde_json::Number>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OutputCounts {
    output_token_count: Option<serde_json::Number>,
}

impl InvocationRecord {
    pub(super) fn parse(line: &[u8], now: Timestamp) -> Result<Self, Rejection> {
        let fields: RecordFields = serde_json::from_slice(line).map_err(|_| Rejection::NotARecord)?;
        if fields.schema_type != "ModelInvocationLog" || fields.schema_version != "1.0" {
            return Err(Rejection::UnknownSchema);
        }
        let time = Timestamp::from_rfc3339(&fields.timestamp).ok_or(Rejection::Time)?;
        if time > now.saturating_add(MAX_FUTURE) {
            return Err(Rejection::Time);
        }
        let counts = TokenCounts {
            input: read_count(fields.input.input_token_count.as_ref())?,
            output: read_count(fields.output.output_token_count.as_ref())?,
            cache_read: read_count(fields.input.cache_read_input_token_count.as_ref())?,
            cache_write: read_count(fields.input.cache_write_input_token_count.as_ref())?,
        };
        let failed = fields.error_code.is_some() || fields.status.as_ref().is_some_and(is_failure);
        let session = find_session(&fields.identity.arn, &fields.account_id).ok_or(Rejection::NoSession)?;
        if session.person.as_str() == POOL_SESSION {
            return Err(Rejection::SharedName);
        }
        Ok(Self {
            person: session.person,
            is_assigned: session.role.starts_with(ASSIGNED_ROLE),
            request_id: check_id(fields.request_id)?,
            target: AccountModel { account: fields.account_id, model: check_id(fields.model_id)? },
            time,
            tokens: if failed { TokenCounts::default() } else { counts },
        })
    }
}

/// A number of tokens. Bedrock omits counts that are zero.
fn read_count(count: Option<&serde_json::Number>) -> Result<u64, Rejection> {
    match count.map(serde_json::Number::as_u64) {
        None => Ok(0),
        Some(Some(count)) if count <= MAX_COUNT => Ok(count),
        Some(_) => Err(Rejection::Count),
    }
}

/// Whether a status, as a number or a text, is an HTTP status other than success.
fn is_failure(status: &serde_json::Value) -> bool {
    let code = status.as_u64().or_else(|| status.as_str()?.parse().ok());
    code.is_some_and(|code| !(200..300).contains(&code))
}

struct RoleSession<'a> {
    role: &'a str,
    person: Person,
}

/// The session in `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn find_session<'a>(arn: &'a str, account: &str) -> Option<RoleSession<'a>> {
    let [prefix, partition, service, region, owner, resource] = split_arn(arn)?;
    let is_session = prefix == "arn" && partition.starts_with("aws") && service == "sts" && region.is_empty();
    let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()) && owner == account;
    let (role, session) = resource.strip_prefix("assumed-role/")?.split_once('/')?;
    let person = Person::parse(session).ok()?;
    (is_session && is_account && !role.is_empty()).then_some(RoleSession { role, person })
}

fn split_arn(arn: &str) -> Option<[&str; 6]> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    parts.try_into().ok()
}

/// An id of printable ASCII characters without spaces, as AWS writes them.
fn check_id(id: String) -> Result<String, Rejection> {
    let is_id = !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
    is_id.then_some(id).ok_or(Rejection::Id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_rfc3339("2026-11-30T12:00:00Z").unwrap()
    }

    /// A record as Bedrock writes it for Claude Code, with the body that some accounts log.
    fn sample() -> Value {
        json!({
            "timestamp": "2026-11-30T11:59:58Z", "accountId": "123456789012",
            "identity": { "arn": "arn:aws:sts::123456789012:assumed-role/BedrockUser/alice@example.com" },
            "region": "us-east-1", "requestId": "3c5f2d3e-0001-4f2a-9d0b-5a7f0b6b1a11",
            "operation": "InvokeModelWithResponseStream",
            "modelId": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1",
            "input": { "inputContentType": "application/json", "inputBodyJson": { "messages": [] }, "inputTokenCount": 3,
                       "cacheReadInputTokenCount": 10, "cacheWriteInputTokenCount": 31814 },
            "output": { "outputContentType": "application/json", "outputTokenCount": 130 },
            "inferenceRegion": "us-east-2", "schemaType": "ModelInvocationLog", "schemaVersion": "1.0"
        })
    }

    fn parse(record: &Value) -> Result<InvocationRecord, Rejection> {
        InvocationRecord::parse(record.to_string().as_bytes(), now())
    }

    /// The sample with another value at this place.
    fn with(pointer: &str, value: Value) -> Value {
        let mut record = sample();
        *record.pointer_mut(pointer).unwrap() = value;
        record
    }

    #[test]
    fn a_record_of_claude_code_is_counted() {
        let record = parse(&sample()).unwrap();
        assert_eq!(record.person.as_str(), "alice@example.com");
        assert_eq!(record.tokens, TokenCounts { input: 3, output: 130, cache_read: 10, cache_write: 31_814 });
        assert_eq!(record.target.account, "123456789012");
        assert_eq!(record.time.to_string(), "2026-11-30T11:59:58Z");
        assert!(!record.is_assigned);
    }

    #[test]
    fn identity_center_names_the_sessions_of_its_roles() {
        let role = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_claude_0123456789abcdef/alice@example.com";
        let record = parse(&with("/identity/arn", json!(role))).unwrap();
        assert_eq!((record.person.as_str(), record.is_assigned), ("alice@example.com", true));
    }

    #[test]
    fn failed_calls_count_zero() {
        for (name, value) in
            [("errorCode", json!("ThrottlingException")), ("status", json!(429)), ("status", json!("500"))]
        {
            let mut record = sample();
            record[name] = value;
            assert_eq!(parse(&record).unwrap().tokens, TokenCounts::default(), "{name}");
        }
        let mut record = sample();
        record["status"] = json!("200");
        assert_eq!(parse(&record).unwrap().tokens.output, 130);
    }

    #[test]
    fn missing_counts_are_zero() {
        let mut record = sample();
        record.as_object_mut().unwrap().remove("output");
        record["input"] = json!({ "inputTokenCount": 7 });
        assert_eq!(parse(&record).unwrap().tokens, TokenCounts { input: 7, ..TokenCounts::default() });
    }

    #[test]
    fn poisoned_records_are_rejected_with_their_reason() {
        use Rejection::{Count, Id, NoSession, NotARecord, SharedName, Time, UnknownSchema};
        let count = "/input/inputTokenCount";
        let arn = "/identity/arn";
        for (record, reason) in [
            (with(count, json!(1_000_000_001)), Count),
            (with(count, json!(-1)), Count),
            (with(count, json!(1.5)), Count),
            (with(count, json!("3")), NotARecord),
            (with("/timestamp", json!("2026-11-30T12:10:01Z")), Time),
            (with("/timestamp", json!("yesterday")), Time),
            (with("/schemaType", json!("AgentLog")), UnknownSchema),
            (with("/schemaVersion", json!("2.0")), UnknownSchema),
            (with(arn, json!("arn:aws:iam::123456789012:user/bob")), NoSession),
            (with(arn, json!("arn:aws:iam::123456789012:root")), NoSession),
            (with(arn, json!("arn:aws:sts::999999999999:assumed-role/BedrockUser/alice")), NoSession),
            (with(arn, json!("arn:evil:sts::123456789012:assumed-role/BedrockUser/alice")), NoSession),
            (with(arn, json!("arn:aws:sts::123456789012:assumed-role/BedrockUser/al ice")), NoSession),
            (with(arn, json!("arn:aws:sts::123456789012:assumed-role//alice")), NoSession),
            (with(arn, json!("arn:aws:sts::123456789012:assumed-role/Pool/CognitoIdentityCredentials")), SharedName),
            (with("/accountId", json!("1")), NoSession),
            (with("/requestId", json!("")), Id),
            (with("/requestId", json!("a b")), Id),
            (with("/modelId", json!("x".repeat(513))), Id),
            (json!([]), NotARecord),
            (json!("text"), NotARecord),
        ] {
            assert_eq!(parse(&record), Err(reason), "{record}");
        }
        assert_eq!(InvocationRecord::parse(b"{\"schemaType\":", now()), Err(NotARecord));
    }

    #[test]
    fn limits_are_inclusive() {
        assert!(parse(&with("/input/inputTokenCount", json!(1_000_000_000))).is_ok());
        assert!(parse(&with("/timestamp", json!("2026-11-30T12:10:00Z"))).is_ok());
    }
}
