//! Each error of Bedrock, with AWS's message, and the remedy that `doctor --live` shows.

use serde_json::json;
use testworld::{APPLICATION_PROFILE, Endpoint, Fault, HAIKU, Knob, World};

use super::{live, refuse, results, row, signed_in};

const ACCESS: &str = "AccessDeniedException";
const INVALID: &str = "ValidationException";
const MISSING: &str = "ResourceNotFoundException";
const WHO: &str =
    "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane@example.com is not authorized to perform:";

/// Status, code and message.
pub(super) const REFUSALS: [(u16, &str, &str); 21] = [
    (403, ACCESS, "You don't have access to the model with the specified model ID."),
    (
        403,
        ACCESS,
        "anthropic.claude-haiku-4-5 is not available for this account. You can explore other available models on Amazon Bedrock.",
    ),
    (
        403,
        ACCESS,
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. If you recently fixed this issue, try again after 5 minutes.",
    ),
    (
        403,
        ACCESS,
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided. Your AWS Marketplace subscription for this model cannot be completed at this time.",
    ),
    (
        404,
        MISSING,
        "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model. If you have already filled out the form, try again in 15 minutes.",
    ),
    (403, ACCESS, "Your account is not authorized to invoke this API operation."),
    (400, INVALID, "Operation not allowed"),
    (
        400,
        INVALID,
        "Access to Anthropic models is not allowed from unsupported countries, regions, or territories. Please refer to https://www.anthropic.com/supported-countries for more information on the countries and regions Anthropic currently supports.",
    ),
    (
        404,
        MISSING,
        "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
    ),
    (
        404,
        MISSING,
        "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
    ),
    (400, INVALID, "The provided model identifier is invalid."),
    (404, MISSING, "Could not resolve the foundation model from the provided model identifier."),
    (
        400,
        INVALID,
        "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
    ),
    (429, "ThrottlingException", "Too many tokens per day, please wait before trying again."),
    (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account."),
    (429, "ModelNotReadyException", "Model is not ready for inference."),
    (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    (403, "ExpiredTokenException", "The security token included in the request is expired"),
    (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    (403, "InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"),
];

#[test]
fn model_refusal_shows_the_aws_message_and_a_remedy() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (status, code, message) in REFUSALS {
        refuse(&world, "converse", status, code, message);
        let found = live(&desk);
        let converse = row(&found, "converse");
        assert_eq!(converse.result, "bad", "{message}");
        converse.has(&[HAIKU, code, message.get(..150).unwrap_or(message), " (request "]);
        assert_eq!(row(&found, "streaming").result, "skipped", "{message}");
    }
}

#[test]
fn missing_stream_permission_fails_only_streaming() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let model = "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0";
    let action = "bedrock:InvokeModelWithResponseStream";
    let message =
        format!("{WHO} {action} on resource: {model} because no identity-based policy allows the {action} action");
    refuse(&world, "converse-stream", 403, ACCESS, &message);
    let outcome = desk.run(["doctor", "--live", "--json"]);
    let found = super::rows(&outcome);
    super::expect_wording(&desk, &found);
    assert_eq!(row(&found, "converse").result, "ok");
    let streaming = row(&found, "streaming");
    streaming.has(&[HAIKU, "arn:aws:iam::123456789012:role/BedrockUser", action, model]);
    assert_eq!((streaming.result.as_str(), outcome.code), ("bad", Some(7)));
}

#[test]
fn denial_names_the_kind_of_policy() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let action = "bedrock:InvokeModel";
    for (kind, end) in [
        ("identity-based policy", "with an explicit deny in an identity-based policy"),
        (
            "service control policy",
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
        ),
        ("permissions boundary", "because no permissions boundary allows the bedrock:InvokeModel action"),
        ("session policy", "because no session policy allows the bedrock:InvokeModel action"),
        ("VPC endpoint policy", "because no VPC endpoint policy allows the bedrock:InvokeModel action"),
    ] {
        let message = format!("{WHO} {action} on resource: arn:aws:bedrock:::foundation-model/anthropic.x {end}");
        refuse(&world, "converse", 403, ACCESS, &message);
        let found = live(&desk);
        let converse = row(&found, "converse");
        converse.has(&[kind]);
        assert_eq!(row(&found, "streaming").result, "ok", "streaming has another permission");
    }
}

const BLOCK: &str = "arn:aws:iam::123456789012:policy/acme-federation-you-are-blocked-ask-your-administrator";

#[test]
fn blocked_user_is_named_and_ends_the_live_checks() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let deny = |action: &str| {
        let message = format!("{WHO} {action} with an explicit deny in an identity-based policy: {BLOCK}");
        json!({ "status": 403, "code": ACCESS, "message": message })
    };
    world.set(Knob::BedrockRefusals, json!({ "models": deny("bedrock:ListFoundationModels") }));
    let outcome = desk.run(["doctor", "--live", "--json"]);
    let found = super::rows(&outcome);
    super::expect_wording(&desk, &found);
    let models = row(&found, "bedrock-models");
    models.has(&["administrator", "blocked", "you-are-blocked", "unblock jane@example.com"]);
    let expected = [("bedrock-models", "bad"), ("bedrock-profiles", "skipped"), ("converse", "skipped")];
    assert_eq!(results(&found)[2..5], expected, "{found:?}");
    assert_eq!((world.count(Endpoint::Converse), outcome.code), (0, Some(7)));
    let budget = BLOCK.replace("federation", "guardrails-budget-spent");
    let message =
        format!("{WHO} bedrock:ListFoundationModels with an explicit deny in an identity-based policy: {budget}");
    refuse(&world, "models", 403, ACCESS, &message);
    row(&live(&desk), "bedrock-models").has(&["budget", "spent"]);
    for number in [1, 4] {
        let limit = BLOCK.replace("ask-your-administrator", &format!("limit-reached-run-bedrock-sso-quota-{number}"));
        let message =
            format!("{WHO} bedrock:ListFoundationModels with an explicit deny in an identity-based policy: {limit}");
        refuse(&world, "models", 403, ACCESS, &message);
        row(&live(&desk), "bedrock-models").has(&["reached a limit", "`bedrock-sso quota`", "limit-reached"]);
    }
    // Some networks do not reach the lists.
    world.set(Knob::BedrockRefusals, json!({ "converse": deny("bedrock:InvokeModel") }));
    row(&live(&desk), "converse").has(&["administrator has blocked you"]);
}

#[test]
fn explicit_deny_shows_the_policy_and_the_facts_of_the_call() {
    let world = World::new();
    let tags = json!({ "principal_tags": { "Team": ["ml"] } });
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/tags": tags }));
    let desk = signed_in(&world, "");
    let policy = "arn:aws:iam::123456789012:policy/acme-federation-Permissions-1ABC";
    let message = format!(
        "{WHO} bedrock:InvokeModel on resource: {PROFILE} with an explicit deny in an identity-based policy: {policy}"
    );
    refuse(&world, "converse", 403, ACCESS, &message);
    let found = live(&desk);
    let endpoint = world.bedrock_endpoint();
    let host = endpoint.split('/').nth(2).unwrap();
    let facts = ["plain http", host, "private address 127.0.0.1", "us-east-1", "without a guardrail", "Team=ml"];
    row(&found, "converse").has(&[policy]);
    row(&found, "converse").has(&facts);
}

const PROFILE: &str =
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0";

/// The condition that refuses follows from the resource that AWS names.
#[test]
fn missing_permission_is_explained_by_the_resource() {
    for (claims, model, resource, facts) in [
        (json!({}), HAIKU, PROFILE, &["`models`", "the role allows in us-east-1", PROFILE][..]),
        (
            json!({}),
            "anthropic.claude-3-haiku-20240307-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            &["inference profile instead of the model"],
        ),
        (
            json!({}),
            HAIKU,
            "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
            &["on its model in each of its regions"],
        ),
        (json!({}), APPLICATION_PROFILE, APPLICATION_PROFILE, &["compare the tags", "it has none"]),
        (
            json!({ "https://aws.amazon.com/tags/principal_tags/Team": "ml" }),
            APPLICATION_PROFILE,
            APPLICATION_PROFILE,
            &["compare the tags", "Team=ml"],
        ),
    ] {
        let world = World::new();
        world.set(Knob::Claims, claims);
        let desk = signed_in(&world, &format!("models = {{ default = \"{model}\" }}"));
        for policy in ["identity-based policy", "permissions boundary"] {
            let action = "bedrock:InvokeModel";
            let end = format!("because no {policy} allows the {action} action");
            refuse(&world, "converse", 403, ACCESS, &format!("{WHO} {action} on resource: {resource} {end}"));
            let found = live(&desk);
            row(&found, "converse").has(&[policy, resource]);
            row(&found, "converse").has(facts);
        }
    }
}

#[test]
fn denied_guardrail_fails_the_guardrail_check() {
    let world = World::new();
    let headers = "X-Amzn-Bedrock-GuardrailIdentifier: gr4il0abc123\\nX-Amzn-Bedrock-GuardrailVersion: 1";
    let desk = signed_in(&world, &format!("env = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"));
    let guardrail = "arn:aws:bedrock:us-east-1:123456789012:guardrail/gr4il0abc123";
    let message = format!(
        "{WHO} bedrock:ApplyGuardrail on resource: {guardrail} because no identity-based policy allows the \
         bedrock:ApplyGuardrail action"
    );
    refuse(&world, "converse", 403, ACCESS, &message);
    let found = live(&desk);
    let expected = [("guardrail", "bad"), ("converse", "skipped"), ("streaming", "skipped")];
    assert_eq!(results(&found)[4..], expected, "{found:?}");
    row(&found, "guardrail").has(&["bedrock:ApplyGuardrail", guardrail]);
}

#[test]
fn interrupted_stream_fails_the_streaming_check() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (stream, facts) in [
        (json!("cut"), [HAIKU; 2]),
        (
            json!({ "code": "throttlingException", "message": "Too many tokens, please wait before trying again." }),
            ["ThrottlingException: Too many tokens, please wait", "Service Quotas"],
        ),
    ] {
        world.set(Knob::BedrockStream, stream);
        let found = live(&desk);
        let streaming = row(&found, "streaming");
        assert_eq!((row(&found, "converse").result.as_str(), streaming.result.as_str()), ("ok", "bad"));
        streaming.has(&facts);
    }
}

#[test]
fn foreign_answer_is_not_taken_for_bedrock() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (fault, facts) in [
        (Fault::Portal, ["Amazon Bedrock", "200", "text/html"]),
        (Fault::Status(502), ["Amazon Bedrock", "502", "text/plain"]),
    ] {
        world.set(Knob::BedrockFault, fault);
        let found = live(&desk);
        let models = row(&found, "bedrock-models");
        assert_eq!(models.result, "bad");
        models.has(&facts);
    }
}

#[test]
fn bedrock_message_is_escaped_for_the_terminal() {
    let world = World::new();
    let desk = signed_in(&world, "");
    refuse(&world, "converse", 403, ACCESS, "no\u{1b}[31m\u{202e}\nhint: run this");
    let outcome = desk.run(["doctor", "--live"]);
    assert!(outcome.stdout.contains("no\\u{1b}[31m\\u{202e} hint: run this"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn insecure_bedrock_endpoint_names_its_variable() {
    let world = World::new();
    let desk = signed_in(&world, "");
    desk.set_variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://bedrock.example/");
    assert_eq!(row(&live(&desk), "bedrock-models").result, "ok", "a file hides the variable");
    desk.configure_by_variables();
    // The other service has AWS's own endpoint, which this machine may or may not reach.
    let found = super::rows(&desk.run(["doctor", "--live", "--json"]));
    let models = row(&found, "bedrock-models");
    assert_eq!(models.result, "bad");
    models.has(&["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]);
}
