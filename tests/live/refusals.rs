//! Each way in which Bedrock refuses, in its own words, and the remedy that is told for it.

use serde_json::json;
use testworld::{Fault, HAIKU, Knob, World};

use super::{live, refuse, results, row, signed_in};

const ACCESS: &str = "AccessDeniedException";
const INVALID: &str = "ValidationException";
const MISSING: &str = "ResourceNotFoundException";
const WHO: &str =
    "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane@example.com is not authorized to perform:";

/// Status, code, message, and what the remedy has to say.
pub(super) const REFUSALS: [(u16, &str, &str, &str); 21] = [
    (
        403,
        ACCESS,
        "You don't have access to the model with the specified model ID.",
        "model catalog of the Amazon Bedrock console in us-east-1",
    ),
    (
        403,
        ACCESS,
        "anthropic.claude-haiku-4-5 is not available for this account. You can explore other available models on Amazon Bedrock.",
        "have the account given the model",
    ),
    (
        403,
        ACCESS,
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. If you recently fixed this issue, try again after 5 minutes.",
        "aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions",
    ),
    (
        403,
        ACCESS,
        "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided. Your AWS Marketplace subscription for this model cannot be completed at this time.",
        "means of payment",
    ),
    (
        404,
        MISSING,
        "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model. If you have already filled out the form, try again in 15 minutes.",
        "use case form",
    ),
    (403, ACCESS, "Your account is not authorized to invoke this API operation.", "AWS Support"),
    (400, INVALID, "Operation not allowed", "AWS Support"),
    (
        400,
        INVALID,
        "Access to Anthropic models is not allowed from unsupported countries, regions, or territories. Please refer to https://www.anthropic.com/supported-countries for more information on the countries and regions Anthropic currently supports.",
        "this country",
    ),
    (
        404,
        MISSING,
        "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
        "name a newer model",
    ),
    (
        404,
        MISSING,
        "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
        "only for those who already use it",
    ),
    (400, INVALID, "The provided model identifier is invalid.", "list-inference-profiles --region us-east-1"),
    (
        404,
        MISSING,
        "Could not resolve the foundation model from the provided model identifier.",
        "list-inference-profiles --region us-east-1",
    ),
    (
        400,
        INVALID,
        "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
        "holds conversations",
    ),
    (
        429,
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
        "Service Quotas",
    ),
    (429, "ThrottlingException", "Too many requests, please wait before trying again.", "Service Quotas"),
    (
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
        "Service Quotas",
    ),
    (429, "ModelNotReadyException", "Model is not ready for inference.", "try again in a moment"),
    (
        503,
        "ServiceUnavailableException",
        "Bedrock is unable to process your request.",
        "try again in a moment",
    ),
    (
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
        "set this computer's clock",
    ),
    (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        "have us-east-1 enabled",
    ),
    (
        403,
        "InvalidSignatureException",
        "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
        "network time",
    ),
];

#[test]
fn each_refusal_of_a_model_is_told_in_awss_words_with_its_remedy() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (status, code, message, remedy) in REFUSALS {
        refuse(&world, "converse", status, code, message);
        let found = live(&desk);
        let converse = row(&found, "converse");
        assert_eq!(converse.result, "bad", "{message}");
        let told = format!("{HAIKU}: AWS refused: {code}: {}", message.get(..150).unwrap_or(message));
        assert!(converse.message.starts_with(&told), "{told}\n{}", converse.message);
        assert!(converse.message.contains(" (request "), "{}", converse.message);
        assert!(converse.remedy.as_ref().unwrap().contains(remedy), "{message}: {converse:?}");
        assert_eq!(row(&found, "streaming").result, "skipped", "{message}");
    }
}

#[test]
fn a_missing_permission_to_stream_is_named_with_what_comes_of_it() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let model = "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0";
    let action = "bedrock:InvokeModelWithResponseStream";
    let message = format!(
        "{WHO} {action} on resource: {model} because no identity-based policy allows the {action} action"
    );
    refuse(&world, "converse-stream", 403, ACCESS, &message);
    let outcome = desk.run(["doctor", "--live", "--json"]);
    let found = super::rows(&outcome);
    assert_eq!(row(&found, "converse").result, "ok");
    let streaming = row(&found, "streaming");
    assert_eq!(
        streaming.message.split(" (request").next().unwrap(),
        format!(
            "{HAIKU}: AWS does not let arn:aws:iam::123456789012:role/BedrockUser call {action} on {model}: no \
             identity-based policy allows it"
        )
    );
    let remedy = streaming.remedy.as_ref().unwrap();
    assert!(remedy.starts_with(&format!("allow {action} on {model} in the policies of")), "{remedy}");
    assert!(remedy.ends_with("without it Claude Code hangs instead of answering"), "{remedy}");
    assert_eq!((streaming.result.as_str(), outcome.code), ("bad", Some(7)));
}

#[test]
fn whose_policy_denies_decides_whom_to_turn_to() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let action = "bedrock:InvokeModel";
    for (end, why, remedy) in [
        (
            "with an explicit deny in an identity-based policy",
            "an identity-based policy denies it",
            "take the Deny",
        ),
        (
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
            "a service control policy denies it",
            "ask whoever administers the AWS organization",
        ),
        (
            "because no permissions boundary allows the bedrock:InvokeModel action",
            "no permissions boundary allows it",
            "have the permissions boundary",
        ),
        (
            "because no session policy allows the bedrock:InvokeModel action",
            "no session policy allows it",
            "have the session policy",
        ),
        (
            "because no VPC endpoint policy allows the bedrock:InvokeModel action",
            "no VPC endpoint policy allows it",
            "the VPC endpoint on the way",
        ),
    ] {
        let message =
            format!("{WHO} {action} on resource: arn:aws:bedrock:::foundation-model/anthropic.x {end}");
        refuse(&world, "converse", 403, ACCESS, &message);
        let found = live(&desk);
        let converse = row(&found, "converse");
        assert!(converse.message.contains(why), "{converse:?}");
        assert!(converse.remedy.as_ref().unwrap().contains(remedy), "{converse:?}");
        assert_eq!(row(&found, "streaming").result, "ok", "it is another permission");
    }
}

#[test]
fn a_guardrail_that_the_role_may_not_apply_is_told_as_the_guardrails() {
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
    let remedy = row(&found, "guardrail").remedy.clone().unwrap();
    assert!(remedy.starts_with(&format!("allow bedrock:ApplyGuardrail on {guardrail}")), "{remedy}");
}

#[test]
fn a_stream_that_breaks_off_or_refuses_in_the_middle_is_no_answer() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (stream, message, remedy) in [
        (json!("cut"), "ended before the answer did", "a proxy on the way"),
        (
            json!({ "code": "throttlingException", "message": "Too many tokens, please wait before trying again." }),
            "AWS refused: ThrottlingException: Too many tokens, please wait",
            "Service Quotas",
        ),
    ] {
        world.set(Knob::BedrockStream, stream);
        let found = live(&desk);
        let streaming = row(&found, "streaming");
        assert_eq!((row(&found, "converse").result.as_str(), streaming.result.as_str()), ("ok", "bad"));
        assert!(streaming.message.contains(message), "{streaming:?}");
        assert!(streaming.remedy.as_ref().unwrap().contains(remedy), "{streaming:?}");
    }
}

#[test]
fn whoever_answers_in_place_of_bedrock_is_told_from_it() {
    let world = World::new();
    let desk = signed_in(&world, "");
    for (fault, what) in [
        (Fault::Portal, "something answered in place of Amazon Bedrock: HTTP status 200 of type text/html"),
        (
            Fault::Status(502),
            "something answered in place of Amazon Bedrock: HTTP status 502 of type text/plain",
        ),
    ] {
        world.set(Knob::BedrockFault, fault);
        let found = live(&desk);
        assert_eq!(
            (row(&found, "bedrock-models").result.as_str(), row(&found, "bedrock-models").message.as_str()),
            ("bad", what)
        );
    }
}

#[test]
fn what_bedrock_says_cannot_command_the_terminal() {
    let world = World::new();
    let desk = signed_in(&world, "");
    refuse(&world, "converse", 403, ACCESS, "no\u{1b}[31m\u{202e}\nhint: run this");
    let outcome = desk.run(["doctor", "--live"]);
    assert!(outcome.stdout.contains("no\\u{1b}[31m\\u{202e} hint: run this"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn an_address_of_bedrocks_that_is_no_secure_one_is_named_by_its_variable() {
    let world = World::new();
    let desk = signed_in(&world, "");
    desk.set_variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://bedrock.example/");
    assert_eq!(row(&live(&desk), "bedrock-models").result, "ok", "no variable counts beside a file");
    desk.by_variables();
    let found = live(&desk);
    let models = row(&found, "bedrock-models");
    assert_eq!(models.result, "bad");
    assert!(
        models.message.starts_with("AWS_ENDPOINT_URL_BEDROCK_RUNTIME names no address of Amazon Bedrock"),
        "{models:?}"
    );
}
