//! What a person can do when Amazon Bedrock gives no answer.
//!
//! Half of it is for somebody else to do: the account's administrator, the organization's, AWS. The sentence says who.

use super::{
    RefusalAdvice, SET_CLOCK, advise_on_other_refusal, describe_general_error, make_aws_failure, quote_refusal,
    suggest_clock_and_login,
};
use crate::{
    aws::{AwsErrorDetails, BedrockError, BedrockRefusalCause, Error, IamDenial, PolicyKind},
    failure::{Exit, Failure},
    hint::{Hint, Invocation, NextCommand},
    http,
    text::sanitize_line,
};

pub(super) const NAME: &str = "Amazon Bedrock";

const BEDROCK: super::ServiceLabel = super::ServiceLabel {
    name: NAME,
    endpoint: "AWS_ENDPOINT_URL_BEDROCK, AWS_ENDPOINT_URL_BEDROCK_RUNTIME and AWS_ENDPOINT_URL if they are set",
};

impl Failure {
    /// `role`: whose credentials they were, as far as is known. `model`: which one was asked; `None` for a list.
    pub fn from_bedrock_error(error: BedrockError, region: &str, role: &str, model: Option<&str>) -> Self {
        let told = match error {
            BedrockError::Refused { cause, details } => describe_bedrock_refusal(&cause, &details, region, role),
            BedrockError::Network(error) => describe_network_error(error, region),
            BedrockError::Unexpected { status, content_type } => {
                describe_general_error(Error::Unexpected { status, content_type }, &BEDROCK)
            }
            BedrockError::Truncated => {
                let what = "the stream of the answer ended before the answer did";
                let hint = "try again; if it stays so, a proxy on the way ends or holds back streams: have it let Bedrock's pass";
                Self::new(Exit::Network, "network/stream_cut", what, hint)
            }
            BedrockError::InvalidAddress(address) => {
                let what = format!("{} is no address that can be asked", sanitize_line(&address));
                Self::new(Exit::Configuration, "config/model", what, "check `models` in [profiles.NAME.claude_code]")
            }
        };
        match model {
            Some(model) => told.with_subject(&sanitize_line(model)),
            None => told,
        }
    }
}

/// The name of Bedrock's endpoint has the region in it, so a region without Bedrock is a name that does not resolve.
fn describe_network_error(error: http::Error, region: &str) -> Failure {
    let http::Error::Dns { host } = error.cause() else { return error.into() };
    if !host.contains(region) {
        return error.into();
    }
    let (host, region) = (sanitize_line(host), sanitize_line(region));
    let what = format!("{host} does not exist: there is no Amazon Bedrock in {region}");
    let hint = "choose another `region`, for Bedrock alone in [profiles.NAME.claude_code]";
    if matches!(error, http::Error::Dns { .. }) {
        return make_aws_failure("bedrock_region", what, hint);
    }
    // The proxy that was not used may resolve the name.
    let note = Failure::from(error).hint.render(&Invocation::default());
    make_aws_failure("bedrock_region", what, format!("{hint}; {note}"))
}

/// AWS's sentence names a session where a person has to look for a role, and is long: here are its facts.
fn describe_denial(denial: &IamDenial, role: &str, request: Option<&crate::text::UntrustedText>) -> Failure {
    let IamDenial { action, resource, policy, is_explicit } = denial;
    let action = action.to_safe_line();
    let on = resource.as_ref().map_or_else(String::new, |resource| format!(" on {}", resource.to_safe_line()));
    let (article, policy_name) = name_policy(*policy);
    let why = match is_explicit {
        true => format!("{article} {policy_name} denies it"),
        false => format!("no {policy_name} allows it"),
    };
    let request = request.map_or_else(String::new, |id| format!(" (request {})", id.to_safe_line()));
    let what = format!("AWS does not let {} call {action}{on}: {why}{request}", sanitize_line(role));
    let hint = suggest_policy_change(*policy, *is_explicit, &action, &on, role);
    if action.ends_with("InvokeModelWithResponseStream") {
        let hint = format!("{hint}; without it Claude Code hangs instead of answering");
        return make_aws_failure("streaming_denied", what, hint);
    }
    make_aws_failure("bedrock_denied", what, hint)
}

fn name_policy(policy: PolicyKind) -> (&'static str, &'static str) {
    match policy {
        PolicyKind::Identity => ("an", "identity-based policy"),
        PolicyKind::Boundary => ("a", "permissions boundary"),
        PolicyKind::Session => ("a", "session policy"),
        PolicyKind::ServiceControl => ("a", "service control policy"),
        PolicyKind::ResourceControl => ("a", "resource control policy"),
        PolicyKind::Endpoint => ("a", "VPC endpoint policy"),
        PolicyKind::Resource => ("a", "resource-based policy"),
        PolicyKind::Unknown => ("a", "policy"),
    }
}

fn suggest_policy_change(policy: PolicyKind, is_explicit: bool, action: &str, on: &str, role: &str) -> String {
    let role = sanitize_line(role);
    match (policy, is_explicit) {
        (PolicyKind::Identity | PolicyKind::Unknown, false) => format!(
            "allow {action}{on} in the policies of {role}; an inference profile needs it on itself and on its model in each region it leads to"
        ),
        (PolicyKind::Identity | PolicyKind::Unknown, true) => {
            let conditions = "meet its conditions (a region, a guardrail)";
            format!("take the Deny of {action}{on} out of the policies of {role}, or {conditions}")
        }
        (PolicyKind::Boundary, _) => format!("have the permissions boundary of {role} allow {action}{on}"),
        (PolicyKind::Session, _) => {
            format!("have the session policy under which {role} is assumed allow {action}{on}")
        }
        (PolicyKind::ServiceControl | PolicyKind::ResourceControl, _) => format!(
            "ask whoever administers the AWS organization to allow {action}{on}, or choose an inference profile that stays in the regions it allows"
        ),
        (PolicyKind::Endpoint, _) => format!("have the policy of the VPC endpoint on the way allow {action}{on}"),
        (PolicyKind::Resource, _) => format!("have the policy of the resource allow {role} {action}"),
    }
}

fn describe_bedrock_refusal(
    cause: &BedrockRefusalCause,
    details: &AwsErrorDetails,
    region: &str,
    role: &str,
) -> Failure {
    let what = quote_refusal(details);
    let region = sanitize_line(region);
    let (slug, hint): RefusalAdvice = match cause {
        BedrockRefusalCause::Denied(denial) => return describe_denial(denial, role, details.request_id.as_ref()),
        BedrockRefusalCause::NotOnDemand => return require_inference_profile(what),
        BedrockRefusalCause::NoModel => return describe_unknown_model(what, &region),
        BedrockRefusalCause::NoAccess => {
            let place = format!("the model catalog of the Amazon Bedrock console in {region}");
            let hint = format!("have the account given the model: {place}, by somebody who may subscribe");
            ("model_access", hint.into())
        }
        BedrockRefusalCause::MarketplaceNeeded => {
            let both = "aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions";
            let call = format!("have somebody with {both} call the model once for the whole account");
            let role = sanitize_line(role);
            ("marketplace", format!("{call}, or allow {role} both; it takes AWS some minutes").into())
        }
        BedrockRefusalCause::PaymentMissing => (
            "payment",
            "have a valid means of payment added to the AWS account that pays; it takes some minutes".into(),
        ),
        BedrockRefusalCause::UseCaseMissing => (
            "use_case",
            "have the account's administrator fill out Anthropic's use case form: any Anthropic model in the console's model catalog; then wait 15 minutes".into(),
        ),
        BedrockRefusalCause::AccountNotAllowed => (
            "account",
            "AWS has not opened Bedrock to this account: have its administrator ask AWS Support (new accounts wait for a verification)".into(),
        ),
        BedrockRefusalCause::CountryNotServed => (
            "country",
            "the model's provider serves no requests from this country, a proxy's or VPN's exit included".into(),
        ),
        BedrockRefusalCause::EndOfLife => {
            ("end_of_life", "name a newer model in [profiles.NAME.claude_code] `models`".into())
        }
        BedrockRefusalCause::Legacy => (
            "legacy",
            "name a newer model in [profiles.NAME.claude_code] `models`: this one is only for those who already use it".into(),
        ),
        BedrockRefusalCause::NoConverse => {
            ("no_talk", "name a model that holds conversations: Claude Code needs Anthropic's".into())
        }
        BedrockRefusalCause::NoGuardrail => {
            let headers = "X-Amzn-Bedrock-GuardrailIdentifier and X-Amzn-Bedrock-GuardrailVersion";
            let exists = format!("the guardrail has to exist in {region}, and that version of it");
            ("guardrail", format!("check {headers} in ANTHROPIC_CUSTOM_HEADERS: {exists}").into())
        }
        BedrockRefusalCause::Throttled => {
            let quotas = format!("the model's quotas in {region} raised (Service Quotas, Amazon Bedrock)");
            ("throttled", format!("wait, or have {quotas}; new accounts begin with small ones").into())
        }
        BedrockRefusalCause::Server => (
            "server",
            "AWS has a fault of its own, or the model is still being started: try again in a moment".into(),
        ),
        BedrockRefusalCause::InvalidRequest => {
            ("invalid", "check `models` in [profiles.NAME.claude_code]".into())
        }
        BedrockRefusalCause::ExpiredCredentials => ("expired_token", suggest_clock_and_login()),
        BedrockRefusalCause::ClockSkew => ("clock", SET_CLOCK.into()),
        BedrockRefusalCause::UnknownCredentials => {
            let enabled = format!("have {region} enabled in the account's settings if it is one that has to be");
            let hint = Hint::from(format!("{enabled}, else run ")).command(NextCommand::LoginForce);
            ("unknown_credentials", hint)
        }
        BedrockRefusalCause::Signature => (
            "signature",
            "something on the way changes requests: check proxies, and AWS_ENDPOINT_URL if it is set".into(),
        ),
        BedrockRefusalCause::Other => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

pub(in crate::failure) fn require_inference_profile(what: String) -> Failure {
    let hint = "name an inference profile in place of the model, such as us.MODEL, eu.MODEL or global.MODEL";
    make_aws_failure("on_demand", what, hint)
}

pub(in crate::failure) fn describe_unknown_model(what: String, region: &str) -> Failure {
    let command = format!("`aws bedrock list-inference-profiles --region {region}`");
    let hint = format!("check the name, and that it exists in {region}: {command} lists what does");
    make_aws_failure("no_model", what, hint)
}
