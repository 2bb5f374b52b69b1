//! What a person can do when Amazon Bedrock gives no answer.
//!
//! Half of it is for somebody else to do: the account's administrator, the organization's, AWS. The sentence says who.

use super::{aws, general, quoted};
use crate::{
    aws::{BedrockError, Cause, Denial, Error, Policy},
    failure::{Exit, Failure},
    http,
    text::line,
};

/// Bedrock's error together with what was asked.
#[derive(Debug)]
pub struct UnansweredError<'a> {
    pub error: BedrockError,
    pub region: &'a str,
    /// Whose credentials they were, as far as anybody knows.
    pub role: &'a str,
    /// To whom it was said; `None` for a list.
    pub model: Option<&'a str>,
}

pub(super) const NAME: &str = "Amazon Bedrock";

const BEDROCK: super::Service = super::Service {
    name: NAME,
    endpoint: "AWS_ENDPOINT_URL_BEDROCK, AWS_ENDPOINT_URL_BEDROCK_RUNTIME and AWS_ENDPOINT_URL if they are set",
};

impl From<UnansweredError<'_>> for Failure {
    fn from(unanswered: UnansweredError<'_>) -> Self {
        let UnansweredError { error, region, role, model } = unanswered;
        let told = match error {
            BedrockError::Refused { cause: Cause::Denied(denial), said } => {
                denied(&denial, role, said.request_id.as_ref())
            }
            BedrockError::Refused { cause, said } => refused(&cause, quoted(&said), region, role),
            BedrockError::Network(http::Error::Dns { host }) if host.contains(region) => aws(
                "bedrock_region",
                format!("{} does not exist: there is no Amazon Bedrock in {}", line(&host), line(region)),
                "choose another `region`, for Bedrock alone in [profiles.NAME.claude_code]",
            ),
            BedrockError::Network(error) => error.into(),
            BedrockError::Unexpected { status, content_type } => {
                general(Error::Unexpected { status, content_type }, &BEDROCK)
            }
            BedrockError::Cut => Self::new(
                Exit::Network,
                "network/stream_cut",
                "the stream of the answer ended before the answer did",
                "try again; if it stays so, a proxy on the way ends or holds back streams: have it let Bedrock's pass",
            ),
            BedrockError::Unaskable(address) => Self::new(
                Exit::Configuration,
                "config/model",
                format!("{} is no address that can be asked", line(&address)),
                "check `models` in [profiles.NAME.claude_code]",
            ),
        };
        match model {
            Some(model) => Self { what: format!("{}: {}", line(model), told.what), ..told },
            None => told,
        }
    }
}

/// AWS's sentence names a session where a person has to look for a role, and is long: here are its facts.
fn denied(denial: &Denial, role: &str, request: Option<&crate::text::Foreign>) -> Failure {
    let Denial { action, resource, policy, is_explicit } = denial;
    let (action, policy_name) = (action.line(), name(*policy));
    let on = resource.as_ref().map_or_else(String::new, |resource| format!(" on {}", resource.line()));
    let why = match is_explicit {
        true => format!("{policy_name} denies it"),
        false => {
            format!("no {} allows it", policy_name.split_once(' ').map_or(policy_name, |(_, name)| name))
        }
    };
    let request = request.map_or_else(String::new, |id| format!(" (request {})", id.line()));
    let what = format!("AWS does not let {} call {action}{on}: {why}{request}", line(role));
    let streaming = action.to_string().ends_with("InvokeModelWithResponseStream");
    let consequence = if streaming { "; without it Claude Code hangs instead of answering" } else { "" };
    let mut hint = mended(*policy, *is_explicit, &action.to_string(), &on, role);
    hint.push_str(consequence);
    aws(if streaming { "streaming_denied" } else { "bedrock_denied" }, what, hint)
}

fn name(policy: Policy) -> &'static str {
    match policy {
        Policy::Identity => "an identity-based policy",
        Policy::Boundary => "a permissions boundary",
        Policy::Session => "a session policy",
        Policy::ServiceControl => "a service control policy",
        Policy::ResourceControl => "a resource control policy",
        Policy::Endpoint => "a VPC endpoint policy",
        Policy::Resource => "a resource-based policy",
        Policy::Unknown => "a policy",
    }
}

fn mended(policy: Policy, is_explicit: bool, action: &str, on: &str, role: &str) -> String {
    let role = line(role);
    match (policy, is_explicit) {
        (Policy::Identity | Policy::Unknown, false) => format!(
            "allow {action}{on} in the policies of {role}; an inference profile needs it on itself and on its model in each region it leads to"
        ),
        (Policy::Identity | Policy::Unknown, true) => {
            format!(
                "take the Deny of {action}{on} out of the policies of {role}, or meet its conditions (a region, a guardrail)"
            )
        }
        (Policy::Boundary, _) => format!("have the permissions boundary of {role} allow {action}{on}"),
        (Policy::Session, _) => {
            format!("have the session policy under which {role} is assumed allow {action}{on}")
        }
        (Policy::ServiceControl | Policy::ResourceControl, _) => format!(
            "ask whoever administers the AWS organization to allow {action}{on}, or choose an inference profile that stays in the regions it allows"
        ),
        (Policy::Endpoint, _) => {
            format!("have the policy of the VPC endpoint on the way allow {action}{on}")
        }
        (Policy::Resource, _) => format!("have the policy of the resource allow {role} {action}"),
    }
}

fn refused(cause: &Cause, what: String, region: &str, role: &str) -> Failure {
    let (region, role) = (line(region), line(role));
    match cause {
        Cause::Denied(_) | Cause::NoAccess => aws(
            "model_access",
            what,
            format!(
                "have the account given the model: the model catalog of the Amazon Bedrock console in {region}, by somebody who may subscribe"
            ),
        ),
        Cause::Marketplace => aws(
            "marketplace",
            what,
            format!(
                "have somebody with aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions call the model once for the whole \
                 account, or allow {role} both; it takes AWS some minutes"
            ),
        ),
        Cause::Unpaid => aws(
            "payment",
            what,
            "have a valid means of payment added to the AWS account that pays; it takes some minutes",
        ),
        Cause::UseCase => aws(
            "use_case",
            what,
            "have the account's administrator fill out Anthropic's use case form: any Anthropic model in the console's model catalog; then wait 15 minutes",
        ),
        Cause::Account => aws(
            "account",
            what,
            "AWS has not opened Bedrock to this account: have its administrator ask AWS Support (new accounts wait for a verification)",
        ),
        Cause::Country => aws(
            "country",
            what,
            "the model's provider serves no requests from this country, a proxy's or VPN's exit included",
        ),
        other => of_the_model(other, what, &region),
    }
}

fn of_the_model(cause: &Cause, what: String, region: &str) -> Failure {
    match cause {
        Cause::NotOnDemand => aws(
            "on_demand",
            what,
            "name an inference profile in place of the model, such as us.MODEL, eu.MODEL or global.MODEL",
        ),
        Cause::EndOfLife => {
            aws("end_of_life", what, "name a newer model in [profiles.NAME.claude_code] `models`")
        }
        Cause::Legacy => aws(
            "legacy",
            what,
            "name a newer model in [profiles.NAME.claude_code] `models`: this one is only for those who already use it",
        ),
        Cause::NoModel => aws(
            "no_model",
            what,
            format!(
                "check the name, and that it exists in {region}: `aws bedrock list-inference-profiles --region {region}` lists what does"
            ),
        ),
        Cause::NoTalk => {
            aws("no_talk", what, "name a model that holds conversations: Claude Code needs Anthropic's")
        }
        Cause::NoGuardrail => aws(
            "guardrail",
            what,
            format!(
                "check X-Amzn-Bedrock-GuardrailIdentifier and X-Amzn-Bedrock-GuardrailVersion in ANTHROPIC_CUSTOM_HEADERS: the guardrail has to exist in {region}, and that version of it"
            ),
        ),
        Cause::DaySpent | Cause::Throttled | Cause::Quota => aws(
            "throttled",
            what,
            format!(
                "wait, or have the model's quotas in {region} raised (Service Quotas, Amazon Bedrock); new accounts begin with small ones"
            ),
        ),
        Cause::NotReady | Cause::Model | Cause::Server => aws(
            "server",
            what,
            "AWS has a fault of its own, or the model is still being started: try again in a moment",
        ),
        Cause::Invalid => aws("invalid", what, "check `models` in [profiles.NAME.claude_code]"),
        other => of_the_caller(other, what, region),
    }
}

fn of_the_caller(cause: &Cause, what: String, region: &str) -> Failure {
    match cause {
        Cause::Expired => {
            aws("expired_token", what, "set this computer's clock, then run `bedrock-sso login`")
        }
        Cause::Clock => aws("clock", what, "set this computer's clock (better: let it follow network time)"),
        Cause::UnknownCredentials => aws(
            "unknown_credentials",
            what,
            format!(
                "have {region} enabled in the account's settings if it is one that has to be, else run `bedrock-sso login --force`"
            ),
        ),
        Cause::Signature => aws(
            "signature",
            what,
            "something on the way changes requests: check proxies, and AWS_ENDPOINT_URL if it is set",
        ),
        _ => aws("refused", what, "read what AWS says above, and ask your AWS administrator"),
    }
}

/// What Bedrock lists, or AWS says of the credentials, agrees with nothing that is configured.
#[derive(Debug)]
pub enum Astray<'a> {
    /// The credentials are another role's.
    OtherRole {
        expected: &'a str,
        found: &'a str,
    },
    /// A model that the region does not list.
    Unlisted {
        model: &'a str,
        region: &'a str,
    },
    /// Its own name is not enough.
    NotOnDemand {
        model: &'a str,
    },
    Legacy {
        model: &'a str,
    },
    /// An inference profile that is not ready.
    Inactive {
        profile: &'a str,
    },
    /// Claude Code would be refused for it.
    NoVersion,
}

impl From<Astray<'_>> for Failure {
    fn from(astray: Astray<'_>) -> Self {
        match astray {
            Astray::OtherRole { expected, found } => aws(
                "other_role",
                format!(
                    "AWS knows the credentials as {}, and the profile wants {}",
                    line(found),
                    line(expected)
                ),
                "check `role_arn`, `role_chain` and `sts_endpoint`",
            ),
            Astray::Unlisted { model, region } => {
                let what = format!("{} lists no {}", line(region), line(model));
                of_the_model(&Cause::NoModel, what, &line(region))
            }
            Astray::NotOnDemand { model } => {
                let what = format!("{} answers through an inference profile only", line(model));
                of_the_model(&Cause::NotOnDemand, what, "")
            }
            Astray::Legacy { model } => {
                let what = format!("{} is marked as legacy: its provider has announced its end", line(model));
                aws("legacy", what, "name a newer model in [profiles.NAME.claude_code] `models` in time")
            }
            Astray::Inactive { profile } => {
                let what = format!("the inference profile {} is not active", line(profile));
                aws("inactive_profile", what, "have whoever made it look at it in the Amazon Bedrock console")
            }
            Astray::NoVersion => Self::new(
                Exit::Configuration,
                "config/guardrail",
                "ANTHROPIC_CUSTOM_HEADERS names a guardrail without its version",
                "add the line `X-Amzn-Bedrock-GuardrailVersion: N` beside X-Amzn-Bedrock-GuardrailIdentifier",
            ),
        }
    }
}
