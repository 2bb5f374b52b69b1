//! What a person can do when AWS gives no credentials.
//!
//! Some advice needs facts of both sides, the token's and the profile's, so these errors carry a context.

mod bedrock;
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
    match error {
        Error::Network(error) => error.into(),
        Error::Refused { details: said, .. } => {
            make_aws_failure("refused", quote_refusal(&said), "read what AWS says above")
        }
        Error::Unexpected { status, content_type } => {
            let kind = content_type.map_or_else(String::new, |kind| format!(" of type {}", kind.to_safe_line()));
            Failure::new(
                Exit::Network,
                "network/not_aws",
                format!("something answered in place of {name}: HTTP status {status}{kind}"),
                format!("check the network for a captive portal or a proxy, and {endpoint}"),
            )
        }
        Error::Flawed(CredentialsFlaw::Incomplete) => make_aws_failure(
            "incomplete",
            format!("{name} answered without complete credentials"),
            format!("check {endpoint}"),
        ),
        Error::Flawed(CredentialsFlaw::Malformed) => make_aws_failure(
            "malformed",
            format!("{name} answered with credentials that AWS does not make"),
            format!("check {endpoint}"),
        ),
        Error::Flawed(CredentialsFlaw::AlreadyExpired { expiration, now }) => make_aws_failure(
            "clock",
            format!("AWS gave credentials that end at {expiration}, and this computer's clock says {now}"),
            "set this computer's clock (better: let it follow network time)",
        ),
        Error::Flawed(CredentialsFlaw::OtherAccount { answered }) => make_aws_failure(
            "other_account",
            format!("{name} answered for another account: {}", answered.to_safe_line()),
            "check `sts_endpoint`: whoever answers there is not AWS",
        ),
        Error::BadEndpoint { variable, refusal } => {
            let of = match variable {
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY" => COGNITO.name,
                "AWS_ENDPOINT_URL_BEDROCK" | "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" => bedrock::NAME,
                _ => STS.name,
            };
            Failure::new(
                Exit::Configuration,
                "config/sts_endpoint",
                format!("{variable} names no address of {of}: {refusal}"),
                format!("correct or unset {variable}"),
            )
        }
        Error::InvalidRequest(why) => Failure::new(
            Exit::Configuration,
            "config/region",
            format!("{name} cannot be asked: {}", why.to_safe_line()),
            "check `region`, and AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT if they are set",
        ),
        Error::MissingClaim { claim } => make_aws_failure(
            "claim_missing",
            format!(
                "`role_chain` wants the claim {}, and the ID token says nothing under that name",
                sanitize_line(&claim)
            ),
            "have the provider put it into the ID token, or take it out of `role_chain`",
        ),
    }
}

fn describe_sts_refusal(
    reason: AwsRefusalReason,
    said: &AwsErrorDetails,
    profile: &Profile,
    token: &VerifiedToken,
) -> Failure {
    let what = quote_refusal(said);
    let role = profile.federation.role().map_or("the role", RoleArn::as_str);
    match reason {
        AwsRefusalReason::AccessDenied if said.message.to_safe_line().contains("TagSession") => make_aws_failure(
            "tag_session",
            what,
            "allow the action sts:TagSession beside sts:AssumeRoleWithWebIdentity in the role's trust policy",
        ),
        AwsRefusalReason::AccessDenied if token.has_groups_overage() => make_aws_failure(
            "access_denied",
            what,
            "the provider left your groups out of the token, for they are too many: have it send only groups assigned to the application",
        ),
        AwsRefusalReason::AccessDenied => make_aws_failure(
            "access_denied",
            what,
            format!(
                "check that {role} exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for {} with audience {}",
                format_provider_name(profile),
                sanitize_line(&profile.client_id)
            ),
        ),
        AwsRefusalReason::InvalidIdentityToken => make_aws_failure(
            "invalid_identity_token",
            format!("{what}; {}", compare_token_to_profile(profile, token)),
            suggest_registration(said, profile),
        ),
        AwsRefusalReason::ExpiredToken => make_aws_failure("expired_token", what, suggest_clock_and_login()),
        AwsRefusalReason::IdpRejectedClaim => make_aws_failure(
            "rejected_claim",
            what,
            Hint::from("the provider no longer stands by this token: run ").command(NextCommand::LoginForce),
        ),
        AwsRefusalReason::IdpCommunication => make_aws_failure(
            "idp_communication",
            what,
            format!(
                "AWS itself could not fetch the provider's keys: make sure that {} is reachable from the internet, then try again",
                profile.issuer.as_str()
            ),
        ),
        AwsRefusalReason::SessionTooLong => {
            make_aws_failure("duration", what, "lower `session_duration`, or raise the role's maximum session duration")
        }
        AwsRefusalReason::Validation if said.message.to_safe_line().contains("webIdentityToken") => make_aws_failure(
            "token_too_large",
            what,
            "send fewer groups and claims in the ID token: AWS takes 20,000 characters at most",
        ),
        AwsRefusalReason::Validation => {
            make_aws_failure("validation", what, "check `role_arn`, `session_name` and `session_duration`")
        }
        AwsRefusalReason::PackedPolicyTooLarge => {
            make_aws_failure("tags_too_large", what, "send fewer or shorter session tags in the token")
        }
        AwsRefusalReason::Common(reason) => describe_common_refusal(reason, what),
        AwsRefusalReason::UnknownLogin
        | AwsRefusalReason::NotFound
        | AwsRefusalReason::PoolConfiguration
        | AwsRefusalReason::LimitExceeded => describe_other_refusal(what),
    }
}

/// Refusals that mean the same whatever was asked.
fn describe_common_refusal(reason: CommonRefusal, what: String) -> Failure {
    match reason {
        CommonRefusal::RegionDisabled => make_aws_failure(
            "region_disabled",
            what,
            "choose another `region`, or have STS enabled there in the account's settings",
        ),
        CommonRefusal::MalformedPolicy => make_aws_failure("malformed_policy", what, "check the role's policies"),
        CommonRefusal::Throttled => make_aws_failure("throttled", what, "AWS asks for patience: try again in a minute"),
        CommonRefusal::Server => make_aws_failure("server", what, "AWS has a fault of its own: try again in a moment"),
        CommonRefusal::Other => describe_other_refusal(what),
    }
}

fn describe_other_refusal(what: String) -> Failure {
    make_aws_failure("refused", what, "read what AWS says above, and ask your AWS administrator")
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
