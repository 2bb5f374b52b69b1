//! Which models `doctor --live` calls, with which request, and how the lists of models affect that.

use serde_json::json;
use testworld::{APPLICATION_PROFILE, Endpoint, GUARDRAIL, HAIKU, Knob, World};

use super::{OPUS, SONNET, live, posted, results, row, signed_in};

#[test]
fn each_configured_model_is_called_once_and_streamed_once() {
    let world = World::new();
    let models = format!(
        "models = {{ default = \"{APPLICATION_PROFILE}\", opus = \"{OPUS}\", sonnet = \"{SONNET}[1m]\", haiku = \"{OPUS}\" }}"
    );
    let desk = signed_in(&world, &models);
    let found = live(&desk);
    let expected = [
        ("exchange", "ok"),
        ("identity", "ok"),
        ("bedrock-models", "ok"),
        ("bedrock-profiles", "ok"),
        ("converse", "ok"),
        ("streaming", "ok"),
        ("converse-opus", "ok"),
        ("streaming-opus", "ok"),
        ("converse-sonnet", "ok"),
        ("streaming-sonnet", "ok"),
    ];
    assert_eq!(results(&found), expected, "{found:?}");
    row(&found, "bedrock-profiles").has(&["us-east-1", "6", "3"]);
    let asked = [Endpoint::InferenceProfile, Endpoint::Converse, Endpoint::ConverseStream];
    assert_eq!(asked.map(|endpoint| world.count(endpoint)), [1, 3, 3]);
    assert_eq!(world.count(Endpoint::Unknown), 0);
}

#[test]
fn live_call_requests_one_token_and_names_the_doctor() {
    let world = World::new();
    let desk = signed_in(&world, "");
    live(&desk);
    for endpoint in [Endpoint::Converse, Endpoint::ConverseStream] {
        let [body] = &posted(&world, endpoint)[..] else { panic!("{endpoint:?}") };
        assert_eq!(body["inferenceConfig"], json!({ "maxTokens": 1 }));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(body["requestMetadata"], json!({ "client": "bedrock-sso doctor", "version": version }));
        assert_eq!(body["guardrailConfig"], json!(null));
    }
}

#[test]
fn configured_guardrail_applies_to_live_calls() {
    let world = World::new();
    let headers = format!("X-Amzn-Bedrock-GuardrailIdentifier: {GUARDRAIL}\\nX-Amzn-Bedrock-GuardrailVersion: 2");
    let desk = signed_in(&world, &format!("env = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"));
    let found = live(&desk);
    row(&found, "guardrail").has(&[GUARDRAIL, "2"]);
    for endpoint in [Endpoint::Converse, Endpoint::ConverseStream] {
        let expected = json!({ "guardrailIdentifier": GUARDRAIL, "guardrailVersion": "2" });
        assert_eq!(posted(&world, endpoint)[0]["guardrailConfig"], expected);
    }
}

#[test]
fn missing_guardrail_fails_only_the_guardrail_check() {
    let world = World::new();
    let headers = "X-Amzn-Bedrock-GuardrailIdentifier: other\\nX-Amzn-Bedrock-GuardrailVersion: 1";
    let desk = signed_in(&world, &format!("env = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"));
    let found = live(&desk);
    let guardrail = row(&found, "guardrail");
    assert_eq!(guardrail.result, "bad");
    guardrail.has(&["ValidationException", "ANTHROPIC_CUSTOM_HEADERS"]);
    assert_eq!(
        (row(&found, "converse").result.as_str(), row(&found, "streaming").result.as_str()),
        ("skipped", "skipped")
    );
}

#[test]
fn guardrail_without_version_fails_before_any_call() {
    let world = World::new();
    let headers = "X-Amzn-Bedrock-GuardrailIdentifier: other";
    let desk = signed_in(&world, &format!("env = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"));
    let found = live(&desk);
    assert_eq!(row(&found, "guardrail").result, "bad");
    assert_eq!(world.count(Endpoint::Converse), 0);
}

#[test]
fn bare_model_id_reports_that_it_needs_a_profile() {
    let world = World::new();
    let desk = signed_in(&world, "models = { default = \"anthropic.claude-opus-4-6-v1\" }");
    let found = live(&desk);
    assert_eq!(row(&found, "bedrock-models").remedy, row(&found, "converse").remedy);
    assert_eq!(
        (row(&found, "bedrock-models").result.as_str(), row(&found, "converse").result.as_str()),
        ("warn", "bad")
    );
    assert!(row(&found, "converse").message.contains("on-demand throughput isn\u{2019}t supported"));
}

#[test]
fn model_missing_in_the_region_is_named_with_a_command() {
    let world = World::new();
    let desk = signed_in(&world, "models = { default = \"eu.anthropic.claude-opus-4-6-v1\" }");
    let found = live(&desk);
    let profiles = row(&found, "bedrock-profiles");
    assert_eq!(profiles.result, "warn");
    profiles.has(&["us-east-1", "eu.anthropic.claude-opus-4-6-v1"]);
    let converse = row(&found, "converse");
    converse
        .has(&["The provided model identifier is invalid.", "aws bedrock list-inference-profiles --region us-east-1"]);
    assert_eq!(row(&found, "streaming").result, "skipped");
}

#[test]
fn legacy_model_warns_while_it_still_answers() {
    let world = World::new();
    let desk = signed_in(&world, "models = { default = \"anthropic.claude-3-haiku-20240307-v1:0\" }");
    let found = live(&desk);
    assert_eq!(
        (row(&found, "bedrock-models").result.as_str(), row(&found, "converse").result.as_str()),
        ("warn", "ok")
    );
    row(&found, "bedrock-models").has(&["anthropic.claude-3-haiku-20240307-v1:0"]);
}

#[test]
fn failed_model_lists_only_warn_with_a_configured_model() {
    let world = World::new();
    let down = json!({ "status": 503, "code": "ServiceUnavailableException", "message": "Service Unavailable" });
    world.set(Knob::BedrockRefusals, json!({ "models": down, "inference-profiles": down }));
    let desk = signed_in(&world, &format!("models = {{ default = \"{HAIKU}\" }}"));
    let expected = [("bedrock-models", "warn"), ("bedrock-profiles", "warn"), ("converse", "ok"), ("streaming", "ok")];
    assert_eq!(results(&live(&desk))[2..], expected);
    desk.configure(&world.configuration(""));
    let expected =
        [("bedrock-models", "bad"), ("bedrock-profiles", "bad"), ("converse", "skipped"), ("streaming", "skipped")];
    assert_eq!(results(&live(&desk))[2..], expected);
}

#[test]
fn configured_model_is_called_without_list_permissions() {
    let world = World::new();
    let who = "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane is not authorized to perform:";
    let denied = |action: &str| {
        json!({ "status": 403, "code": "AccessDeniedException",
                "message": format!("{who} {action} because no identity-based policy allows the {action} action") })
    };
    let refusals = json!({
        "models": denied("bedrock:ListFoundationModels"),
        "inference-profiles": denied("bedrock:ListInferenceProfiles"),
    });
    world.set(Knob::BedrockRefusals, refusals);
    let desk = signed_in(&world, &format!("models = {{ default = \"{HAIKU}\" }}"));
    let found = live(&desk);
    let expected =
        [("bedrock-models", "skipped"), ("bedrock-profiles", "warn"), ("converse", "ok"), ("streaming", "ok")];
    assert_eq!(results(&found)[2..], expected, "{found:?}");
    let role = "arn:aws:iam::123456789012:role/BedrockUser";
    row(&found, "bedrock-profiles").has(&[role, "bedrock:ListInferenceProfiles"]);
    desk.configure(&world.configuration(""));
    let found = live(&desk);
    assert_eq!(row(&found, "converse").result, "skipped", "{found:?}");
}
