//! What a person can do when AWS gives no credentials.
//!
//! Some advice needs facts of both sides, the token's and the profile's, so these errors carry a context.

mod bedrock;
mod console;
mod role_chain;
mod identity_pool;

pub(super) use bedrock::{describe_unknown_model, require_inference_profile};

use crate::{
    aws::{AwsErrorDetails, AwsRefusalReason, CommonRefusal, CredentialsFlaw, Error, ExchangeStep, FailedStep},
    config::{Federation, Profile, RoleArn},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    oidc::VerifiedToken,
    text::sanitize_line,
};

impl Failure {
    /// AWS gave no credentials for the token.
    pub fn from_exchange_error(
        FailedStep { step, error }: FailedStep,
        profile: &Profile,
        token: &VerifiedToken,
    ) -> Self {
        let service = match step {
            ExchangeStep::ChainLink(at) => return role_chain::describe_link_failure(error, at, profile),
            ExchangeStep::PoolIdentity | ExchangeStep::PoolRole => &COGNITO,
            ExchangeStep::WebIdentity => &STS,
        };
        let Error::Refused { reason, details } = error else { return describe_general_error(error, service) };
        match &profile.federation {
            Federation::IdentityPool { id, .. } => {
                identity_pool::describe_pool_refusal(reason, &details, id, profile, token)
            }
            Federation::Sts { .. } => describe_sts_refusal(reason, &details, profile, token),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        describe_general_error(error, &STS)
    }
}

/// Whom an error is about, and where its address is set.
struct ServiceLabel {
    name: &'static str,
    endpoint: &'static str,
}

const STS: ServiceLabel = ServiceLabel { name: "AWS STS", endpoint: "`sts_endpoint` if it is set" };
const COGNITO: ServiceLabel =
    ServiceLabel { name: "Amazon Cognito", endpoint: "AWS_ENDPOINT_URL_COGNITO_IDENTITY if it is set" };

/// What does not depend on the question.
fn describe_general_error(error: Error, ServiceLabel { name, endpoint }: &ServiceLabel) -> Failure {
    let check_endpoint = || format!("check {endpoint}");
    let (slug, what, hint) = match error {
        Error::Network(error) => return error.into(),
        Error::Unexpected { status, content_type } => {
            let kind = content_type.map_or_else(String::new, |kind| format!(" of type {}", kind.to_safe_line()));
            let what = format!("something answered in place of {name}: HTTP status {status}{kind}");
            let hint = format!("check the network for a captive portal or a proxy, and {endpoint}");
            return Failure::new(Exit::Network, "network/not_aws", what, hint);
        }
        Error::BadEndpoint { variable, refusal } => {
            let service = match variable {
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY" => COGNITO.name,
                "AWS_ENDPOINT_URL_BEDROCK" | "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" => bedrock::NAME,
                _ => STS.name,
            };
            let what = format!("{variable} names no address of {service}: {refusal}");
            let hint = format!("correct or unset {variable}");
            return Failure::new(Exit::Configuration, "config/sts_endpoint", what, hint);
        }
        Error::InvalidRequest(why) => {
            let what = format!("{name} cannot be asked: {}", why.to_safe_line());
            let hint = "check `region`, and AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT if they are set";
            return Failure::new(Exit::Configuration, "config/region", what, hint);
        }
        Error::Refused { details: said, .. } => {
            ("refused", quote_refusal(&said), "read what AWS says above".to_owned())
        }
        Error::Flawed(CredentialsFlaw::Incomplete) => {
            ("incomplete", format!("{name} answered without complete credentials"), check_endpoint())
        }
        Error::Flawed(CredentialsFlaw::Malformed) => {
            ("malformed", format!("{name} answered with credentials that AWS does not make"), check_endpoint())
        }
        Error::Flawed(CredentialsFlaw::AlreadyExpired { expiration, now }) => (
            "clock",
            format!("AWS gave credentials that end at {expiration}, and this computer's clock says {now}"),
            SET_CLOCK.to_owned(),
        ),
        Error::Flawed(CredentialsFlaw::OtherAccount { answered }) => (
            "other_account",
            format!("{name} answered for another account: {}", answered.to_safe_line()),
            "check `sts_endpoint`: the host that answers there is not AWS".to_owned(),
        ),
        Error::MissingClaim { claim } => {
            let claim = sanitize_line(&claim);
            let what = format!("`role_chain` wants the claim {claim}, and the ID token says nothing under that name");
            let hint = "have the provider put it into the ID token, or take it out of `role_chain`";
            ("claim_missing", what, hint.to_owned())
        }
    };
    make_aws_failure(slug, what, hint)
}

const SET_CLOCK: &str = "set this computer's clock (better: let it follow network time)";

fn describe_sts_refusal(
    reason: AwsRefusalReason,
    said: &AwsErrorDetails,
    profile: &Profile,
    token: &VerifiedToken,
) -> Failure {
    let mut what = quote_refusal(said);
    let role = profile.federation.role().map_or("the role", RoleArn::as_str);
    let (slug, hint): RefusalAdvice = match reason {
        AwsRefusalReason::AccessDenied if said.message.to_safe_line().contains("TagSession") => (
            "tag_session",
            "allow the action sts:TagSession beside sts:AssumeRoleWithWebIdentity in the role's trust policy".into(),
        ),
        AwsRefusalReason::AccessDenied if token.has_groups_overage() => (
            "access_denied",
            "the provider left your groups out of the token, for they are too many: have it send only groups assigned to the application".into(),
        ),
        AwsRefusalReason::AccessDenied => {
            let (provider, audience) = (format_provider_name(profile), sanitize_line(&profile.client_id));
            let action = format!("sts:AssumeRoleWithWebIdentity for {provider} with audience {audience}");
            ("access_denied", format!("check that {role} exists and that its trust policy allows {action}").into())
        }
        AwsRefusalReason::InvalidIdentityToken => {
            what = format!("{what}; {}", compare_token_to_profile(profile, token));
            ("invalid_identity_token", suggest_registration(said, profile).into())
        }
        AwsRefusalReason::ExpiredToken => ("expired_token", suggest_clock_and_login()),
        AwsRefusalReason::IdpRejectedClaim => {
            let hint = Hint::from("the provider no longer stands by this token: run ").command(NextCommand::LoginForce);
            ("rejected_claim", hint)
        }
        AwsRefusalReason::IdpCommunication => {
            let issuer = profile.issuer.as_str();
            let hint = format!("make sure that {issuer} is reachable from the internet, then try again");
            ("idp_communication", format!("AWS itself could not fetch the provider's keys: {hint}").into())
        }
        AwsRefusalReason::SessionTooLong => {
            ("duration", "lower `session_duration`, or raise the role's maximum session duration".into())
        }
        AwsRefusalReason::Validation if said.message.to_safe_line().contains("webIdentityToken") => (
            "token_too_large",
            "send fewer groups and claims in the ID token: AWS takes 20,000 characters at most".into(),
        ),
        AwsRefusalReason::Validation => {
            ("validation", "check `role_arn`, `session_name` and `session_duration`".into())
        }
        AwsRefusalReason::PackedPolicyTooLarge => {
            ("tags_too_large", "send fewer or shorter session tags in the token".into())
        }
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
        AwsRefusalReason::UnknownLogin
        | AwsRefusalReason::NotFound
        | AwsRefusalReason::PoolConfiguration
        | AwsRefusalReason::LimitExceeded => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

/// The slug of a refusal, behind `aws/`, and what to do about it.
type RefusalAdvice = (&'static str, Hint);

/// Refusals that mean the same whatever was asked.
fn advise_on_common_refusal(reason: CommonRefusal) -> RefusalAdvice {
    match reason {
        CommonRefusal::RegionDisabled => {
            ("region_disabled", "choose another `region`, or have STS enabled there in the account's settings".into())
        }
        CommonRefusal::MalformedPolicy => ("malformed_policy", "check the role's policies".into()),
        CommonRefusal::Throttled => ("throttled", "AWS asks for patience: try again in a minute".into()),
        CommonRefusal::Server => ("server", "AWS has a fault of its own: try again in a moment".into()),
        CommonRefusal::Other => advise_on_other_refusal(),
    }
}

fn advise_on_other_refusal() -> RefusalAdvice {
    ("refused", "read what AWS says above, and ask your AWS administrator".into())
}

/// Whoever compares these two pairs sees the missing slash or the wrong client.
fn compare_token_to_profile(profile: &Profile, token: &VerifiedToken) -> String {
    let claim = |name: &str| match token.claim(name) {
        Some(serde_json::Value::String(text)) => sanitize_line(text),
        Some(other) => sanitize_line(&other.to_string()),
        None => "nothing".to_owned(),
    };
    format!(
        "the token says issuer {} and audience {}, the profile {} and {}",
        claim("iss"),
        claim("aud"),
        sanitize_line(profile.issuer.as_str()),
        sanitize_line(&profile.client_id)
    )
}

fn suggest_registration(said: &AwsErrorDetails, profile: &Profile) -> String {
    let message = said.message.to_safe_line();
    if message.contains("audience") {
        return format!(
            "add {} to the audiences of the IAM identity provider {}",
            sanitize_line(&profile.client_id),
            format_provider_name(profile)
        );
    }
    let slash = if profile.issuer.as_str().ends_with('/') { "with" } else { "without" };
    format!(
        "register {} ({slash} the trailing slash) as an OpenID Connect provider in IAM of account {}, with audience {}",
        sanitize_line(profile.issuer.as_str()),
        profile.federation.role().map_or("AWS", RoleArn::account),
        sanitize_line(&profile.client_id)
    )
}

/// The name IAM gives an identity provider: its address without the scheme.
fn format_provider_name(profile: &Profile) -> String {
    sanitize_line(profile.issuer.as_str().trim_start_matches("https://"))
}

fn quote_refusal(said: &AwsErrorDetails) -> String {
    let request = said.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {})", id.to_safe_line()));
    format!("AWS refused: {}: {}{request}", said.code.to_safe_line(), said.message.to_safe_line())
}

fn suggest_clock_and_login() -> Hint {
    Hint::from("set this computer's clock, then run ").command(NextCommand::Login)
}

pub(super) fn make_aws_failure(slug: &str, what: String, hint: impl Into<Hint>) -> Failure {
    Failure::new(Exit::Aws, format!("aws/{slug}"), what, hint)
}
