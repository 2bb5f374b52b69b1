//! What a person can do when AWS gives no credentials.
//!
//! Some advice needs facts of both sides, the token's and the profile's, so these errors carry a context.

mod bedrock;
mod chain;
mod pool;

pub use bedrock::{Astray, UnansweredError};

use crate::{
    aws::{Error, Failed, Flaw, Reason, Said, Step},
    config::{Federation, Profile, RoleArn},
    failure::{Exit, Failure},
    oidc::VerifiedToken,
    text::line,
};

/// An AWS error together with what was asked.
#[derive(Debug)]
pub struct ExchangeError<'a> {
    pub failed: Failed,
    pub profile: &'a Profile,
    pub token: &'a VerifiedToken,
}

impl From<ExchangeError<'_>> for Failure {
    fn from(ExchangeError { failed: Failed { step, error }, profile, token }: ExchangeError<'_>) -> Self {
        let is_pool = matches!(step, Step::Identity | Step::PoolRole);
        match (error, step, &profile.federation) {
            (error, Step::Link(at), _) => chain::failed(error, at, profile),
            (Error::Refused { reason, said }, _, Federation::IdentityPool { id, role }) if is_pool => {
                pool::refused(reason, &said, &pool::Asked { id, role: role.as_ref(), profile, token })
            }
            (Error::Refused { reason, said }, ..) => refused(reason, &said, profile, token),
            (error, ..) if is_pool => general(error, &COGNITO),
            (error, ..) => error.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        general(error, &STS)
    }
}

/// Whom an error is about, and where its address is set.
struct Service {
    name: &'static str,
    endpoint: &'static str,
}

const STS: Service = Service { name: "AWS STS", endpoint: "`sts_endpoint` if it is set" };
const COGNITO: Service =
    Service { name: "Amazon Cognito", endpoint: "AWS_ENDPOINT_URL_COGNITO_IDENTITY if it is set" };

/// What does not depend on the question.
fn general(error: Error, Service { name, endpoint }: &Service) -> Failure {
    match error {
        Error::Network(error) => error.into(),
        Error::Refused { said, .. } => aws("refused", quoted(&said), "read what AWS says above"),
        Error::Unexpected { status, content_type } => {
            let kind = content_type.map_or_else(String::new, |kind| format!(" of type {}", kind.line()));
            Failure::new(
                Exit::Network,
                "network/not_aws",
                format!("something answered in place of {name}: HTTP status {status}{kind}"),
                format!("check the network for a captive portal or a proxy, and {endpoint}"),
            )
        }
        Error::Flawed(Flaw::Incomplete) => aws(
            "incomplete",
            format!("{name} answered without complete credentials"),
            format!("check {endpoint}"),
        ),
        Error::Flawed(Flaw::Malformed) => aws(
            "malformed",
            format!("{name} answered with credentials that AWS does not make"),
            format!("check {endpoint}"),
        ),
        Error::Flawed(Flaw::Spent { expiration, now }) => aws(
            "clock",
            format!("AWS gave credentials that end at {expiration}, and this computer's clock says {now}"),
            "set this computer's clock (better: let it follow network time)",
        ),
        Error::Flawed(Flaw::OtherAccount { answered }) => aws(
            "other_account",
            format!("{name} answered for another account: {}", answered.line()),
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
        Error::NoRequest(why) => Failure::new(
            Exit::Configuration,
            "config/region",
            format!("{name} cannot be asked: {}", why.line()),
            "check `region`, and AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT if they are set",
        ),
        Error::LacksClaim { claim } => lacks_claim(&claim),
    }
}

fn lacks_claim(claim: &str) -> Failure {
    aws(
        "claim_missing",
        format!(
            "`role_chain` wants the claim {}, and the ID token says nothing under that name",
            line(claim)
        ),
        "have the provider put it into the ID token, or take it out of `role_chain`",
    )
}

fn refused(reason: Reason, said: &Said, profile: &Profile, token: &VerifiedToken) -> Failure {
    let what = quoted(said);
    let role = profile.federation.role().map_or("the role", RoleArn::as_str);
    match reason {
        Reason::AccessDenied if said.message.line().to_string().contains("TagSession") => aws(
            "tag_session",
            what,
            "allow the action sts:TagSession beside sts:AssumeRoleWithWebIdentity in the role's trust policy",
        ),
        Reason::AccessDenied if token.leaves_groups_out() => aws(
            "access_denied",
            what,
            "the provider left your groups out of the token, for they are too many: have it send only groups assigned to the application",
        ),
        Reason::AccessDenied => aws(
            "access_denied",
            what,
            format!(
                "check that {role} exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for {} with audience {}",
                provider_name(profile),
                line(&profile.client_id)
            ),
        ),
        Reason::InvalidIdentityToken => aws(
            "invalid_identity_token",
            format!("{what}; {}", side_by_side(profile, token)),
            registered(said, profile),
        ),
        Reason::ExpiredToken => {
            aws("expired_token", what, "set this computer's clock, then run `bedrock-sso login`")
        }
        Reason::IdpRejectedClaim => aws(
            "rejected_claim",
            what,
            "the provider no longer stands by this token: run `bedrock-sso login --force`",
        ),
        Reason::IdpCommunication => aws(
            "idp_communication",
            what,
            format!(
                "AWS itself could not fetch the provider's keys: make sure that {} is reachable from the internet, then try again",
                profile.issuer.as_str()
            ),
        ),
        Reason::TooLong => {
            aws("duration", what, "lower `session_duration`, or raise the role's maximum session duration")
        }
        Reason::Validation => validation(what, said),
        Reason::PackedPolicyTooLarge => {
            aws("tags_too_large", what, "send fewer or shorter session tags in the token")
        }
        other => whatever(other, what),
    }
}

/// Refusals that mean the same whatever was asked.
fn whatever(reason: Reason, what: String) -> Failure {
    match reason {
        Reason::RegionDisabled => aws(
            "region_disabled",
            what,
            "choose another `region`, or have STS enabled there in the account's settings",
        ),
        Reason::MalformedPolicy => aws("malformed_policy", what, "check the role's policies"),
        Reason::Throttled => aws("throttled", what, "AWS asks for patience: try again in a minute"),
        Reason::Server => aws("server", what, "AWS has a fault of its own: try again in a moment"),
        _ => aws("refused", what, "read what AWS says above, and ask your AWS administrator"),
    }
}

fn validation(what: String, said: &Said) -> Failure {
    if said.message.line().to_string().contains("webIdentityToken") {
        let hint = "send fewer groups and claims in the ID token: AWS takes 20,000 characters at most";
        return aws("token_too_large", what, hint);
    }
    aws("validation", what, "check `role_arn`, `session_name` and `session_duration`")
}

/// Whoever compares these two pairs sees the missing slash or the wrong client.
fn side_by_side(profile: &Profile, token: &VerifiedToken) -> String {
    let claim = |name: &str| match token.claim(name) {
        Some(serde_json::Value::String(text)) => line(text),
        Some(other) => line(&other.to_string()),
        None => "nothing".to_owned(),
    };
    format!(
        "the token says issuer {} and audience {}, the profile {} and {}",
        claim("iss"),
        claim("aud"),
        line(profile.issuer.as_str()),
        line(&profile.client_id)
    )
}

fn registered(said: &Said, profile: &Profile) -> String {
    let message = said.message.line().to_string();
    if message.contains("audience") {
        return format!(
            "add {} to the audiences of the IAM identity provider {}",
            line(&profile.client_id),
            provider_name(profile)
        );
    }
    let slash = if profile.issuer.as_str().ends_with('/') { "with" } else { "without" };
    format!(
        "register {} ({slash} the trailing slash) as an OpenID Connect provider in IAM of account {}, with audience {}",
        line(profile.issuer.as_str()),
        profile.federation.role().map_or("AWS", RoleArn::account),
        line(&profile.client_id)
    )
}

/// The name IAM gives an identity provider: its address without the scheme.
fn provider_name(profile: &Profile) -> String {
    line(profile.issuer.as_str().trim_start_matches("https://"))
}

fn quoted(said: &Said) -> String {
    let request = said.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {})", id.line()));
    format!("AWS refused: {}: {}{request}", said.code.line(), said.message.line())
}

fn aws(slug: &str, what: String, hint: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Aws, format!("aws/{slug}"), what, hint)
}
