//! Failures of Amazon Bedrock, which `doctor --live` meets when it calls the models as Claude Code does.
//!
//! Bedrock uses one code for many causes (`AccessDeniedException` for a policy, a missing subscription or an unpaid
//! bill), and `aws` separates them by the text. Many can be removed only by the administrator of the account or of the
//! organization, or by AWS, so each hint names who has to act.

use std::net::IpAddr;

use super::{
    BedrockCall, RefusalAdvice, SET_CLOCK, advise_on_other_refusal, bedrock_denial, describe_blocking_policy,
    describe_general_error, make_aws_failure, quote_refusal, suggest_clock_and_login,
};
use crate::{
    aws::{AwsErrorDetails, BedrockError, BedrockRefusalCause, Error},
    failure::{Exit, Failure},
    hint::{Hint, Invocation, NextCommand},
    http,
    text::sanitize_line,
};

/// The service as messages call it.
pub(super) const NAME: &str = "Amazon Bedrock";

/// Claude Code reads these variables too, so the hint names all of them.
const BEDROCK: super::ServiceLabel = super::ServiceLabel {
    name: NAME,
    endpoint: "AWS_ENDPOINT_URL_BEDROCK, AWS_ENDPOINT_URL_BEDROCK_RUNTIME and AWS_ENDPOINT_URL if they are set",
};

impl Failure {
    /// Describes why a call of Bedrock failed.
    pub fn from_bedrock_error(error: BedrockError, call: &BedrockCall<'_>) -> Self {
        let failure = match error {
            BedrockError::Refused { cause, details, peer } => match describe_blocking_policy(&details) {
                // A block does not depend on the model, so the message does not name it.
                Some(blocked) => return blocked,
                None => describe_bedrock_refusal(cause, &details, call, peer),
            },
            BedrockError::Network(error) => describe_network_error(error, call.region),
            BedrockError::Unexpected { status, content_type } => {
                describe_general_error(Error::Unexpected { status, content_type }, &BEDROCK)
            }
            // The stream lacks its last events. Proxies that inspect traffic often buffer, or end too
            // early, a response that has no Content-Length.
            BedrockError::Truncated => {
                let what = "the response stream ended before the response was complete";
                let hint =
                    "try again, then configure the proxy on the way to pass Bedrock's response streams unchanged";
                Self::new(Exit::Network, "network/stream_cut", what, hint)
            }
            // The model's name is part of the address.
            BedrockError::InvalidAddress(address) => {
                let what = format!("{} is not a valid address of Amazon Bedrock", sanitize_line(&address));
                Self::new(Exit::Configuration, "config/model", what, "check `models` in [profiles.NAME.claude_code]")
            }
        };
        match call.model {
            Some(model) => failure.with_subject(&sanitize_line(model)),
            None => failure,
        }
    }
}

/// The host name of Bedrock's endpoint contains the region, and a region without Bedrock has no such name in DNS.
/// Without this case the hint would send the user to the network administrator.
fn describe_network_error(error: http::Error, region: &str) -> Failure {
    let http::Error::Dns { host } = error.cause() else { return error.into() };
    if !host.contains(region) {
        return error.into();
    }
    let (host, region) = (sanitize_line(host), sanitize_line(region));
    let what = format!("{host} does not resolve: Amazon Bedrock may not be available in {region}");
    let hint = "check the DNS of this network or VPN, or set another `region`, for Bedrock alone in [profiles.NAME.claude_code]";
    if matches!(error, http::Error::Dns { .. }) {
        return make_aws_failure("bedrock_region", what, hint);
    }
    // A PAC script or an ignored variable may name a proxy that resolves the name, so its hint is shown too.
    let note = Failure::from(error).hint.render(&Invocation::default());
    make_aws_failure("bedrock_region", what, format!("{hint}; {note}"))
}

/// Slug and hint of each cause. The message is AWS's own text; the causes differ in who can remove them.
fn describe_bedrock_refusal(
    cause: BedrockRefusalCause,
    details: &AwsErrorDetails,
    call: &BedrockCall<'_>,
    peer: Option<IpAddr>,
) -> Failure {
    if let Some(denial) = &details.denial {
        return bedrock_denial::describe_denial(denial, call, peer, details);
    }
    let what = quote_refusal(details, NAME);
    let region = sanitize_line(call.region);
    let (slug, hint): RefusalAdvice = match cause {
        BedrockRefusalCause::NotOnDemand => return require_inference_profile(what),
        BedrockRefusalCause::NoModel => return describe_unknown_model(what, &region),
        BedrockRefusalCause::NoAccess => {
            let place = format!("the model catalog of the Amazon Bedrock console in {region}");
            ("model_access", format!("ask your AWS administrator to enable the model in {place}").into())
        }
        // The first call of a model in an account subscribes to it, which needs permissions that developers rarely
        // have.
        BedrockRefusalCause::MarketplaceNeeded => {
            let both = "aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions";
            let once = format!("ask an administrator with {both} to call the model once");
            let role = sanitize_line(call.role);
            ("marketplace", format!("{once}, or allow {role} both actions, then wait some minutes").into())
        }
        // INVALID_PAYMENT_INSTRUMENT. In an organization, the management account pays.
        BedrockRefusalCause::PaymentMissing => (
            "payment",
            "ask the owner of the paying AWS account to add a valid payment method, then wait some minutes".into(),
        ),
        // Anthropic requires the form once per account; AWS needs up to 15 minutes to notice it.
        BedrockRefusalCause::UseCaseMissing => (
            "use_case",
            "ask your AWS administrator to submit Anthropic's use case form in the Bedrock model catalog, then \
             wait 15 minutes"
                .into(),
        ),
        // "Operation not allowed" in every region: nothing in the account itself enables Bedrock.
        BedrockRefusalCause::AccountNotAllowed => (
            "account",
            "ask AWS Support to enable Amazon Bedrock for this account (AWS verifies new accounts first)".into(),
        ),
        // Anthropic judges by the address that the request comes from.
        BedrockRefusalCause::CountryNotServed => (
            "country",
            "connect from a country that the model's provider serves (the exit of a proxy or VPN counts)".into(),
        ),
        BedrockRefusalCause::EndOfLife => {
            ("end_of_life", "set a newer model in `models` of [profiles.NAME.claude_code]".into())
        }
        // The model is near its end, and AWS refuses accounts that have not called it in the last 30 days.
        BedrockRefusalCause::Legacy => (
            "legacy",
            "set a newer model in `models` of [profiles.NAME.claude_code]: this one is closed to new users".into(),
        ),
        // An embedding or image model.
        BedrockRefusalCause::NoConverse => {
            ("no_talk", "set an Anthropic chat model in `models` of [profiles.NAME.claude_code]".into())
        }
        // Claude Code sends a guardrail by these two headers, and a guardrail exists in one region only.
        BedrockRefusalCause::NoGuardrail => {
            let headers = "X-Amzn-Bedrock-GuardrailIdentifier and X-Amzn-Bedrock-GuardrailVersion";
            let place = format!("ANTHROPIC_CUSTOM_HEADERS: {region} has no such guardrail or version");
            ("guardrail", format!("check {headers} in {place}").into())
        }
        // Requests or tokens per minute or per day. New accounts have small quotas.
        BedrockRefusalCause::Throttled => {
            let quotas = format!("the model's quotas in {region} (Service Quotas > Amazon Bedrock)");
            ("throttled", format!("wait, or ask your AWS administrator to raise {quotas}").into())
        }
        // Any 5xx status, and ModelNotReadyException after a model was not used for a while.
        BedrockRefusalCause::Server => {
            ("server", "try again in a moment: AWS reports an internal error, or the model is still starting".into())
        }
        // ValidationException with an unknown text. The model is the only part of the request that the user chooses.
        BedrockRefusalCause::InvalidRequest => ("invalid", "check `models` in [profiles.NAME.claude_code]".into()),
        BedrockRefusalCause::ExpiredCredentials => ("expired_token", suggest_clock_and_login()),
        BedrockRefusalCause::ClockSkew => ("clock", SET_CLOCK.into()),
        // UnrecognizedClientException: a region that the account has not enabled does not know the account's
        // credentials.
        BedrockRefusalCause::UnknownCredentials => {
            let enable = format!(", or ask your AWS administrator to enable {region} if it is an opt-in region");
            ("unknown_credentials", Hint::run(NextCommand::LoginForce).text(enable))
        }
        // The program signs correctly elsewhere, so a proxy or gateway rewrote the path, the body or a signed header.
        BedrockRefusalCause::Signature => (
            "signature",
            "check the proxy, and AWS_ENDPOINT_URL if it is set: something changed the request on its way".into(),
        ),
        // A denial has its facts in the details, see above.
        BedrockRefusalCause::Denied | BedrockRefusalCause::Other => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

/// Newer models have no on-demand throughput of their own in a region. `doctor` also reports it before any call.
pub(in crate::failure) fn require_inference_profile(what: String) -> Failure {
    let hint = "set an inference profile instead of the model, such as us.MODEL, eu.MODEL or global.MODEL";
    make_aws_failure("on_demand", what, hint)
}

/// The region has no model or inference profile of this name. `region` must be safe for a terminal already.
pub(in crate::failure) fn describe_unknown_model(what: String, region: &str) -> Failure {
    let command = format!("`aws bedrock list-inference-profiles --region {region}`");
    let hint = format!("run {command} to list the names in {region}, and correct `models`");
    make_aws_failure("no_model", what, hint)
}
