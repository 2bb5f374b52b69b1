//! Amazon Bedrock: ListFoundationModels, ListInferenceProfiles, GetInferenceProfile, Converse and ConverseStream.
//!
//! It checks requests as strictly as the API reference says, verifies each signature in full, and refuses with AWS's
//! own messages. Every model gives the same short answer.

use std::sync::Arc;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    event_stream,
    fault::Fault,
    keys,
    knobs::{Knob, merge},
    ledger::Endpoint,
    sigv4, sts,
    wire::{Ending, Reply, Request, Serve, field},
    world::{ACCOUNT, Common},
};

const REGION: &str = "us-east-1";

/// The newest small model.
pub const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
/// A company's own inference profile.
pub const APPLICATION_PROFILE: &str =
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/hq2of259skzs";
/// The account's guardrail. It has two versions and a draft.
pub const GUARDRAIL: &str = "gr4il0abc123";

/// Each model with the way to call it and the state of its life cycle.
const MODELS: [(&str, &str, &str); 6] = [
    ("amazon.nova-micro-v1:0", "ON_DEMAND", "ACTIVE"),
    ("anthropic.claude-3-haiku-20240307-v1:0", "ON_DEMAND", "LEGACY"),
    ("anthropic.claude-haiku-4-5-20251001-v1:0", "INFERENCE_PROFILE", "ACTIVE"),
    ("anthropic.claude-opus-4-6-v1", "INFERENCE_PROFILE", "ACTIVE"),
    ("anthropic.claude-sonnet-4-5-20250929-v1:0", "INFERENCE_PROFILE", "ACTIVE"),
    ("cohere.embed-english-v3", "ON_DEMAND", "ACTIVE"),
];

struct Refused(u16, String, String);

fn reject(status: u16, code: &str, message: impl Into<String>) -> Refused {
    Refused(status, code.to_owned(), message.into())
}

/// The operation that the path names, and the model or profile that it is about.
enum Operation {
    Models,
    Profiles,
    Profile(String),
    Converse(String),
    ConverseStream(String),
}

impl Operation {
    fn of(request: &Request) -> Option<Self> {
        let parts: Vec<_> = request.path().split('/').skip(1).map(decoded).collect::<Option<_>>()?;
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        Some(match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["bedrock", "foundation-models"]) => Self::Models,
            ("GET", ["bedrock", "inference-profiles"]) => Self::Profiles,
            ("GET", ["bedrock", "inference-profiles", name]) => Self::Profile((*name).to_owned()),
            ("POST", ["bedrock-runtime", "model", name, "converse"]) => Self::Converse((*name).to_owned()),
            ("POST", ["bedrock-runtime", "model", name, "converse-stream"]) => Self::ConverseStream((*name).to_owned()),
            _ => return None,
        })
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Models => Endpoint::Models,
            Self::Profiles => Endpoint::InferenceProfiles,
            Self::Profile(_) => Endpoint::InferenceProfile,
            Self::Converse(_) => Endpoint::Converse,
            Self::ConverseStream(_) => Endpoint::ConverseStream,
        }
    }
}

/// Decodes one segment of a path. The SDKs encode the colon, and encode exactly once: anything else is refused.
fn decoded(segment: &str) -> Option<String> {
    let is_plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte));
    let text: String = form_urlencoded::parse(format!("x={segment}").as_bytes()).next()?.1.into_owned();
    (is_plain && !text.contains('%')).then_some(text)
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let operation = Operation::of(request);
        world.note(operation.as_ref().map_or(Endpoint::Unknown, Operation::endpoint), request);
        let fault = world.knobs.fault(Knob::BedrockFault);
        let answer = || answer(&world, operation, request).unwrap_or_else(error_reply);
        match Fault::around(fault, &world.gate, answer) {
            Ending::Answer(reply) => Ending::Answer(
                reply.with("Date", &world.http_date(world.now())).with("x-amzn-RequestId", &keys::unguessable(12)),
            ),
            ending => ending,
        }
    })
}

/// AWS spells the name of the message field differently: layers before the service write `Message`, the service
/// `message`.
fn error_reply(Refused(status, code, message): Refused) -> Reply {
    let name = if message.contains("is not authorized to perform") { "Message" } else { "message" };
    let kind = format!("{code}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    Reply::json(status, &json!({ name: message })).with("x-amzn-ErrorType", &kind)
}

fn answer(world: &Common, operation: Option<Operation>, request: &Request) -> Result<Reply, Refused> {
    let operation = operation.ok_or_else(|| reject(404, "UnknownOperationException", ""))?;
    check_caller(world, request)?;
    let question = serde_json::to_value(operation.endpoint()).expect("a name");
    let refusals = world.knobs.peek(Knob::BedrockRefusals).unwrap_or_default();
    if let Some(refusal) = question.as_str().and_then(|question| refusals.get(question)) {
        let text = |name: &str| refusal[name].as_str().expect("a refusal is whole").to_owned();
        let status = refusal["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        return Err(reject(status.expect("a status"), &text("code"), text("message")));
    }
    match operation {
        Operation::Models => Ok(Reply::json(200, &json!({ "modelSummaries": models(world) }))),
        Operation::Profiles => list_profiles(world, request),
        Operation::Profile(name) => match profiles(world).into_iter().find(|profile| is_called(profile, &name)) {
            Some(profile) => Ok(Reply::json(200, &profile)),
            None => Err(reject(404, "ResourceNotFoundException", "The provided inference profile does not exist.")),
        },
        Operation::Converse(model) => {
            check_conversation(world, &model, request)?;
            Ok(Reply::json(200, &whole_answer()))
        }
        Operation::ConverseStream(model) => {
            check_conversation(world, &model, request)?;
            Ok(stream_answer(world))
        }
    }
}

/// Verifies the signature. Bedrock has other names for these errors than STS.
fn check_caller(world: &Common, request: &Request) -> Result<(), Refused> {
    let scoped = sigv4::Signed::of(request).is_none_or(|signed| signed.region() == REGION);
    if !scoped {
        let message = format!("Credential should be scoped to a valid region. region must be '{REGION}'.");
        return Err(reject(403, "InvalidSignatureException", message));
    }
    sts::caller(world, request, "bedrock").map(drop).map_err(|refused| {
        let code = match refused.code {
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "ExpiredToken" => "ExpiredTokenException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            _ => "MissingAuthenticationTokenException",
        };
        reject(refused.status, code, refused.message)
    })
}

fn arn(id: &str) -> String {
    format!("arn:aws:bedrock:{REGION}::foundation-model/{id}")
}

fn models(world: &Common) -> Vec<Value> {
    let changes = world.knobs.peek(Knob::BedrockModels).unwrap_or_default();
    let model = |(id, kind, status): (&str, &str, &str)| {
        let mut model = json!({
            "modelArn": arn(id), "modelId": id, "modelName": id, "providerName": id.split('.').next(),
            "inputModalities": ["TEXT"], "outputModalities": ["TEXT"], "responseStreamingSupported": true,
            "customizationsSupported": [], "inferenceTypesSupported": [kind],
            "modelLifecycle": { "status": status },
        });
        match changes.get(id) {
            Some(Value::Null) => None,
            change => {
                merge(&mut model, change.cloned());
                Some(model)
            }
        }
    };
    MODELS.into_iter().filter_map(model).collect()
}

/// AWS's own profiles, one per model that needs a profile, and the company's application profile.
fn profiles(world: &Common) -> Vec<Value> {
    let models = models(world);
    let mut profiles = Vec::new();
    let needs_one = |model: &&Value| model["inferenceTypesSupported"][0] == "INFERENCE_PROFILE";
    for model in models.iter().filter(needs_one) {
        let id = model["modelId"].as_str().unwrap_or_default();
        for place in ["us", "global"] {
            let name = format!("{place}.{id}");
            let own = format!("arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{name}");
            profiles.push(profile(&name, &own, "SYSTEM_DEFINED", id));
        }
    }
    let id = APPLICATION_PROFILE.rsplit('/').next().unwrap_or_default();
    profiles.push(profile(id, APPLICATION_PROFILE, "APPLICATION", "anthropic.claude-sonnet-4-5-20250929-v1:0"));
    profiles
}

fn profile(id: &str, own: &str, kind: &str, model: &str) -> Value {
    json!({
        "inferenceProfileId": id, "inferenceProfileArn": own, "inferenceProfileName": id, "status": "ACTIVE", "type": kind,
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "models": [{ "modelArn": arn(model) }],
    })
}

fn is_called(profile: &Value, name: &str) -> bool {
    profile["inferenceProfileId"] == name || profile["inferenceProfileArn"] == name
}

/// Returns two entries per page, whatever `maxResults` says: the reference only promises an upper limit.
fn list_profiles(world: &Common, request: &Request) -> Result<Reply, Refused> {
    let query = request.query();
    let most = field(&query, "maxResults").map_or(Ok(100), str::parse::<u32>);
    let kind = field(&query, "type").unwrap_or("SYSTEM_DEFINED");
    if !most.is_ok_and(|most| (1..=1000).contains(&most)) || !["SYSTEM_DEFINED", "APPLICATION"].contains(&kind) {
        return Err(reject(400, "ValidationException", "1 validation error detected"));
    }
    let begin = field(&query, "nextToken").map_or(Ok(0), |token| token.trim_start_matches("page+").parse());
    let begin: usize = begin.map_err(|_| reject(400, "ValidationException", "nextToken is invalid"))?;
    let all: Vec<_> = profiles(world).into_iter().filter(|profile| profile["type"] == kind).collect();
    let page: Vec<_> = all.iter().skip(begin).take(2).collect();
    let mut answer = json!({ "inferenceProfileSummaries": page });
    if begin + 2 < all.len() {
        answer["nextToken"] = json!(format!("page+{}", begin + 2));
    }
    Ok(Reply::json(200, &answer))
}

/// Checks everything that the API reference demands of a Converse request.
fn check_conversation(world: &Common, model: &str, request: &Request) -> Result<(), Refused> {
    let invalid = |what: &str| reject(400, "ValidationException", what);
    if request.header("content-type") != Some("application/json") {
        return Err(reject(400, "SerializationException", ""));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| reject(400, "SerializationException", ""))?;
    let members = body.as_object().ok_or_else(|| reject(400, "SerializationException", ""))?;
    let known = ["messages", "system", "inferenceConfig", "requestMetadata", "guardrailConfig"];
    if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(invalid(&format!("Malformed input request: extraneous key [{other}] is not permitted")));
    }
    let speaks = |message: &Value| {
        let text = |part: &Value| part["text"].as_str().is_some_and(|text| !text.trim().is_empty());
        message["role"] == "user" && message["content"].as_array().is_some_and(|parts| parts.iter().any(text))
    };
    if !body["messages"].as_array().and_then(|messages| messages.first()).is_some_and(speaks) {
        return Err(invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let most = &body["inferenceConfig"]["maxTokens"];
    if !most.is_null() && most.as_u64().unwrap_or(0) == 0 {
        return Err(invalid(
            "1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ));
    }
    check_metadata(&body["requestMetadata"])?;
    check_model(world, model)?;
    check_guardrail(&body["guardrailConfig"])
}

/// At most sixteen pairs of `[a-zA-Z0-9\s:_@$#=/+,-.]{1,256}`. The hyphen belongs to the last range, comma to full
/// stop.
fn check_metadata(metadata: &Value) -> Result<(), Refused> {
    let is_legal = |text: &str| {
        let known =
            |letter: char| letter.is_ascii_alphanumeric() || letter.is_whitespace() || ":_@$#=/+,-.".contains(letter);
        text.len() <= 256 && text.chars().all(known)
    };
    let legal = match metadata {
        Value::Null => true,
        Value::Object(pairs) => {
            let pair = |(name, value): (&String, &Value)| {
                !name.is_empty() && is_legal(name) && value.as_str().is_some_and(is_legal)
            };
            (1..=16).contains(&pairs.len()) && pairs.iter().all(pair)
        }
        _ => false,
    };
    if legal { Ok(()) } else { Err(reject(400, "ValidationException", "requestMetadata is invalid")) }
}

fn check_model(world: &Common, name: &str) -> Result<(), Refused> {
    let invalid = |what: String| reject(400, "ValidationException", what);
    if profiles(world).iter().any(|profile| is_called(profile, name)) {
        return Ok(());
    }
    let models = models(world);
    let model = models.iter().find(|model| model["modelId"] == name || model["modelArn"] == name);
    match model {
        None => Err(invalid("The provided model identifier is invalid.".to_owned())),
        Some(model) if model["inferenceTypesSupported"][0] != "ON_DEMAND" => Err(invalid(format!(
            "Invocation of model ID {name} with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or \
             ARN of an inference profile that contains this model."
        ))),
        Some(_) if name.contains("embed") => Err(invalid(
            "This action doesn't support the model that you provided. Try again with a supported text or chat model."
                .to_owned(),
        )),
        Some(_) => Ok(()),
    }
}

fn check_guardrail(guardrail: &Value) -> Result<(), Refused> {
    let invalid = |what: &str| reject(400, "ValidationException", what);
    let Value::Object(members) = guardrail else { return Ok(()) };
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let (identifier, version) = (text("guardrailIdentifier"), text("guardrailVersion"));
    if !identifier.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(invalid("The provided guardrail identifier is invalid."));
    }
    if identifier != GUARDRAIL || !["DRAFT", "1", "2"].contains(&version) {
        return Err(invalid("The guardrail identifier or version provided in the request does not exist."));
    }
    Ok(())
}

fn usage() -> Value {
    json!({ "inputTokens": 11, "outputTokens": 1, "totalTokens": 12 })
}

fn whole_answer() -> Value {
    json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": "ok" }] } },
        "stopReason": "max_tokens", "usage": usage(), "metrics": { "latencyMs": 451 },
    })
}

fn stream_answer(world: &Common) -> Reply {
    let event = |name: &str, payload: Value| event_stream::message("event", name, &payload);
    let mut pieces = vec![
        event("messageStart", json!({ "p": "abcd", "role": "assistant" })),
        event("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": "ok" }, "p": "abc" })),
        event("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        event("messageStop", json!({ "stopReason": "max_tokens" })),
        event("metadata", json!({ "metrics": { "latencyMs": 380 }, "usage": usage() })),
    ];
    match world.knobs.peek(Knob::BedrockStream) {
        Some(Value::String(_)) => {
            pieces.truncate(3);
            pieces[2].truncate(20);
        }
        Some(refusal) => {
            let code = refusal["code"].as_str().expect("a code");
            pieces.truncate(1);
            pieces.push(event_stream::message("exception", code, &json!({ "message": refusal["message"] })));
        }
        None => {}
    }
    let reply = Reply::new(200, "application/vnd.amazon.eventstream", "");
    Reply { body: pieces.concat(), ..reply }
}
