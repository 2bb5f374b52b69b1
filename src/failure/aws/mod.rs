//! Failures of AWS: STS, Amazon Cognito, role chains, Amazon Bedrock and the console sign-in.
//!
//! The message quotes AWS's error code, text and request ID, because administrators search for them. The hint names the
//! setting that has to change. Several mistakes have one code at AWS, so some hints compare the ID token with the
//! profile, and the functions here get both. All end with exit code 7, except for network failures (9) and endpoints in
//! the environment (3).

mod bedrock;
mod bedrock_denial;
mod console;
mod role_chain;
mod identity_pool;
mod identity_center;
mod trust_policy;

pub(super) use bedrock::{describe_unknown_model, require_inference_profile};
pub use bedrock_denial::BedrockCall;

use crate::{
    aws::{
        AlgorithmSupport, AwsErrorDetails, AwsRefusalReason, BlockKind, CommonRefusal, CredentialsFlaw, Error,
        ExchangeStep, FailedStep, assess_algorithm,
    },
    config::{Federation, OidcSettings, Profile, RoleArn},
    failure::{Exit, Failure, oidc::SUPPORTED_ALGORITHMS},
    hint::{Hint, NextCommand},
    oidc::VerifiedToken,
    text::{UntrustedText, sanitize_line},
};

impl Failure {
    /// AWS issued no credentials for `token`. The failed step says which service was called; a role chain's link
    /// reports itself, because its fault lies between two roles and not in the token.
    pub fn from_exchange_error(
        FailedStep { step, error }: FailedStep,
        profile: &Profile,
        oidc: &OidcSettings,
        token: &VerifiedToken,
    ) -> Self {
        if let Some(failure) = describe_block(&error) {
            return failure;
        }
        let service = match step {
            ExchangeStep::ChainLink(at) => return role_chain::describe_link_failure(error, at, profile),
            ExchangeStep::PoolIdentity | ExchangeStep::PoolRole => &COGNITO,
            ExchangeStep::WebIdentity => &STS,
        };
        // Everything but a refusal means the same at each service.
        let Error::Refused { reason, details } = error else { return describe_general_error(error, service) };
        match &oidc.federation {
            Federation::IdentityPool { id, .. } => {
                identity_pool::describe_pool_refusal(reason, &details, id, oidc, token)
            }
            Federation::Sts { .. } => describe_sts_refusal(reason, &details, profile, oidc, token),
        }
    }
}

impl From<Error> for Failure {
    /// For errors without a token or a step, such as an endpoint that the environment spells wrongly. STS is the
    /// service.
    fn from(error: Error) -> Self {
        describe_general_error(error, &STS)
    }
}

/// How messages call a service, and where its endpoint can be set.
struct ServiceLabel {
    name: &'static str,
    /// Completes a hint that begins with "check".
    endpoint: &'static str,
}

const STS: ServiceLabel = ServiceLabel { name: "AWS STS", endpoint: "`sts_endpoint` if it is set" };
const IDENTITY_CENTER: ServiceLabel =
    ServiceLabel { name: "IAM Identity Center", endpoint: "`identity_center_endpoint` if it is set" };
const COGNITO: ServiceLabel =
    ServiceLabel { name: "Amazon Cognito", endpoint: "AWS_ENDPOINT_URL_COGNITO_IDENTITY if it is set" };

/// Errors that do not depend on the request: AWS was not reached, something else answered in its place, or the
/// credentials in the response are unusable.
fn describe_general_error(error: Error, ServiceLabel { name, endpoint }: &ServiceLabel) -> Failure {
    if let Some(failure) = describe_block(&error) {
        return failure;
    }
    let check_endpoint = || format!("check {endpoint}");
    let (slug, what, hint) = match error {
        Error::Network(error) => return error.into(),
        // No error document of AWS: a captive portal, a proxy's page, or a wrong endpoint.
        Error::Unexpected { status, content_type } => {
            let kind = content_type.map_or_else(String::new, |kind| format!(", content type {}", kind.to_safe_line()));
            let what = format!("the response did not come from {name}: HTTP status {status}{kind}");
            let hint = format!("check the network for a captive portal or proxy, and check {endpoint}");
            return Failure::new(Exit::Network, "network/not_aws", what, hint);
        }
        Error::BadEndpoint { variable, refusal } => {
            let service = match variable {
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY" => COGNITO.name,
                "AWS_ENDPOINT_URL_BEDROCK" | "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" => bedrock::NAME,
                "AWS_ENDPOINT_URL_SSO_OIDC" | "AWS_ENDPOINT_URL_SSO" => IDENTITY_CENTER.name,
                _ => STS.name,
            };
            let what = format!("{variable} is not a usable address of {service}: {refusal}");
            let hint = format!("correct or unset {variable}");
            return Failure::new(Exit::Configuration, "config/sts_endpoint", what, hint);
        }
        // The SDK resolves no endpoint: the region does not exist, or has no FIPS or dual-stack endpoint.
        Error::InvalidRequest(why) => {
            let what = format!("the request to {name} could not be built: {}", why.to_safe_line());
            let hint = "check `region`, and AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT if they are set";
            return Failure::new(Exit::Configuration, "config/region", what, hint);
        }
        Error::Refused { details: said, .. } => ("refused", quote_refusal(&said, name), SHOW_ADMINISTRATOR.to_owned()),
        Error::Flawed(CredentialsFlaw::Incomplete) => {
            ("incomplete", format!("{name} returned incomplete credentials"), check_endpoint())
        }
        // Characters that could break out of an environment variable or a file.
        Error::Flawed(CredentialsFlaw::Malformed) => {
            ("malformed", format!("{name} returned credentials in a form that AWS does not use"), check_endpoint())
        }
        // AWS issues no expired credentials, so one clock is wrong, and AWS's is not.
        Error::Flawed(CredentialsFlaw::AlreadyExpired { expiration, now }) => (
            "clock",
            format!("AWS issued credentials that expired at {expiration}, and this computer's clock says {now}"),
            SET_CLOCK.to_owned(),
        ),
        // The role's ARN in the response has another account than the role that was requested. AWS never does that.
        Error::Flawed(CredentialsFlaw::OtherAccount { answered }) => (
            "other_account",
            format!("{name} returned credentials of another account: {}", answered.to_safe_line()),
            format!("{}: the server at that address is not AWS", check_endpoint()),
        ),
        Error::MissingClaim { claim } => {
            let claim = sanitize_line(&claim);
            let what = format!("`role_chain` uses the claim {claim}, which the ID token does not have");
            let hint = "configure the provider to add the claim to the ID token, or remove it from `role_chain`";
            ("claim_missing", what, hint.to_owned())
        }
    };
    make_aws_failure(slug, what, hint)
}

/// The failure of a user whom an administrator has blocked: the policy that denies the request has the name that says so.
/// `None` for every other error.
fn describe_block(error: &Error) -> Option<Failure> {
    if let Error::Refused { details, .. } = error { describe_blocking_policy(details) } else { None }
}

/// The same for the answer of any service. No change of a setting would help, so the message names only the policy.
fn describe_blocking_policy(said: &AwsErrorDetails) -> Option<Failure> {
    let denial = said.denial.as_ref()?;
    let (who, hint): (_, Hint) = match denial.block? {
        BlockKind::User => {
            // An identity pool gives every session the same name, which would help nobody.
            let name = denial.session_name.as_ref().map(UntrustedText::to_safe_line);
            let you = name.filter(|name| name != "CognitoIdentityCredentials").unwrap_or_else(|| "you".to_owned());
            ("an administrator has blocked you", format!("ask your AWS administrator to unblock {you}").into())
        }
        BlockKind::LimitReached => (
            "you have reached a limit",
            Hint::run(NextCommand::Quota).text(" to see which one, when it resets, and whom to ask for more"),
        ),
        BlockKind::BudgetSpent => (
            "the budget for Amazon Bedrock is spent, and everybody is blocked",
            "ask your AWS administrator to raise the budget and undo its action".into(),
        ),
    };
    let arn = denial.policy_arn.as_ref().map(UntrustedText::to_safe_line).unwrap_or_default();
    let policy = arn.rsplit('/').next().unwrap_or_default();
    let (action, request) = (denial.action.to_safe_line(), format_request_id(said));
    Some(make_aws_failure("blocked", format!("{who}: {policy} denies {action}{request}"), hint))
}

/// Signatures and tokens are valid for minutes, so a clock that is set by hand fails again soon.
const SET_CLOCK: &str = "synchronize this computer's clock with network time";

/// The hint where AWS's own text is all that is known.
const SHOW_ADMINISTRATOR: &str = "show this message to your AWS administrator";

/// STS refused `AssumeRoleWithWebIdentity`. The codes are those of the API reference; some of them say less than AWS's
/// text.
fn describe_sts_refusal(
    reason: AwsRefusalReason,
    said: &AwsErrorDetails,
    profile: &Profile,
    oidc: &OidcSettings,
    token: &VerifiedToken,
) -> Failure {
    let mut what = quote_refusal(said, STS.name);
    let (slug, hint): RefusalAdvice = match reason {
        // The token has session tags (https://aws.amazon.com/tags), which need an action of their own. The policy may
        // allow it for some tags only.
        AwsRefusalReason::AccessDenied if said.message.to_safe_line().contains("TagSession") => (
            "tag_session",
            format!(
                "allow sts:TagSession with {}, together with sts:AssumeRoleWithWebIdentity, in the role's trust policy",
                trust_policy::describe_tags(token)
            )
            .into(),
        ),
        // Entra replaces more than 200 groups by a link (`_claim_names`), so a trust policy on groups matches nobody.
        AwsRefusalReason::AccessDenied if token.has_groups_overage() => (
            "access_denied",
            "configure the provider to send only groups assigned to the application: it sent none, as there \
             are too many"
                .into(),
        ),
        AwsRefusalReason::AccessDenied => {
            ("access_denied", trust_policy::suggest_trust_check(profile, oidc, token).into())
        }
        AwsRefusalReason::InvalidIdentityToken => {
            what = format!("{what} ({})", compare_token_to_profile(oidc, token));
            ("invalid_identity_token", suggest_registration(said, oidc, token).into())
        }
        // ExpiredTokenException.
        AwsRefusalReason::ExpiredToken => ("expired_token", suggest_clock_and_login()),
        // IDPRejectedClaim: the provider reports the token as expired or revoked. `--force` requests another one.
        AwsRefusalReason::IdpRejectedClaim => {
            let hint = Hint::run(NextCommand::LoginForce).text(": the provider no longer accepts this ID token");
            ("rejected_claim", hint)
        }
        // IDPCommunicationError: AWS fetches the keys itself, so a provider inside a private network is not enough.
        AwsRefusalReason::IdpCommunication => {
            let issuer = sanitize_line(oidc.issuer.as_str());
            let hint = format!("make {issuer} reachable from the internet: AWS could not fetch the provider's keys");
            ("idp_communication", hint.into())
        }
        // `DurationSeconds` exceeds the role's MaxSessionDuration.
        AwsRefusalReason::SessionTooLong => {
            ("duration", "lower `session_duration`, or raise the role's maximum session duration".into())
        }
        AwsRefusalReason::Validation if said.message.to_safe_line().contains("webIdentityToken") => (
            "token_too_large",
            "configure the provider to send fewer groups and claims: AWS accepts ID tokens of at \
             most 20,000 characters"
                .into(),
        ),
        // ValidationError: the remaining parameters of the request come from these three keys.
        AwsRefusalReason::Validation => {
            ("validation", "check `role_arn`, `session_name` and `session_duration`".into())
        }
        // AWS packs the session tags into a binary form with a limit of its own.
        AwsRefusalReason::PackedPolicyTooLarge => {
            ("tags_too_large", "configure the provider to send fewer or shorter session tags in the ID token".into())
        }
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
        // Codes of Cognito, which STS does not return.
        AwsRefusalReason::UnknownLogin
        | AwsRefusalReason::NotFound
        | AwsRefusalReason::PoolConfiguration
        | AwsRefusalReason::LimitExceeded => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

/// The slug of a refusal, without `aws/`, and its hint.
type RefusalAdvice = (&'static str, Hint);

/// Refusals that mean the same at every step of the exchange.
fn advise_on_common_refusal(reason: CommonRefusal) -> RefusalAdvice {
    match reason {
        // RegionDisabledException: the account has switched off the region's STS endpoint.
        CommonRefusal::RegionDisabled => (
            "region_disabled",
            "choose another `region`, or ask your AWS administrator to enable STS in this one".into(),
        ),
        CommonRefusal::MalformedPolicy => {
            ("malformed_policy", "correct the role's policies: AWS cannot read one of them".into())
        }
        CommonRefusal::Throttled => ("throttled", "try again in a minute: AWS limits the rate of requests".into()),
        CommonRefusal::Server => ("server", "try again in a moment: AWS reports an internal error".into()),
        CommonRefusal::Other => advise_on_other_refusal(),
    }
}

/// A code that this program does not know, or that the called operation does not document.
fn advise_on_other_refusal() -> RefusalAdvice {
    ("refused", SHOW_ADMINISTRATOR.into())
}

/// Issuer and audience of the token beside those of the profile: a reader sees a missing slash or a wrong client at
/// once.
fn compare_token_to_profile(oidc: &OidcSettings, token: &VerifiedToken) -> String {
    let claim = |name: &str| match token.claim(name) {
        Some(serde_json::Value::String(text)) => sanitize_line(text),
        Some(other) => sanitize_line(&other.to_string()),
        None => "nothing".to_owned(),
    };
    format!(
        "the ID token has issuer {} and audience {}, the profile has {} and {}",
        claim("iss"),
        claim("aud"),
        sanitize_line(oidc.issuer.as_str()),
        sanitize_line(&oidc.client_id)
    )
}

/// InvalidIdentityToken: IAM has no OpenID Connect provider with this issuer, or its audiences lack the client, or it
/// does not support the signature. AWS's text says which, but for a signature not always.
fn suggest_registration(said: &AwsErrorDetails, oidc: &OidcSettings, token: &VerifiedToken) -> String {
    let message = said.message.to_safe_line();
    // A profile with an identity pool may have stored the token, and this one shares its sign-in.
    let is_refused = token
        .signature_algorithm()
        .is_some_and(|name| assess_algorithm(&oidc.federation, &name) == AlgorithmSupport::Refused);
    if message.contains("audience") {
        return format!(
            "add {} to the audiences of the IAM identity provider {}",
            sanitize_line(&oidc.client_id),
            format_provider_name(oidc)
        );
    }
    if is_refused || message.contains("algorithm") {
        return SUPPORTED_ALGORITHMS.to_owned();
    }
    let slash = if oidc.issuer.as_str().ends_with('/') { "with" } else { "without" };
    format!(
        "register {} ({slash} the trailing slash) as an OpenID Connect provider in IAM of account {}, with audience {}",
        sanitize_line(oidc.issuer.as_str()),
        oidc.federation.role().map_or("AWS", RoleArn::account),
        sanitize_line(&oidc.client_id)
    )
}

/// The name that IAM gives an identity provider: the issuer without its scheme.
fn format_provider_name(oidc: &OidcSettings) -> String {
    sanitize_line(oidc.issuer.as_str().trim_start_matches("https://"))
}

/// AWS's code and text as they came, escaped, and the request ID for a support case.
fn quote_refusal(said: &AwsErrorDetails, service: &str) -> String {
    let (code, message) = (said.code.to_safe_line(), said.message.to_safe_line());
    format!("{service} refused the request: {code}: {message}{}", format_request_id(said))
}

/// The end of a message: the request's identifier, if AWS has given it one.
fn format_request_id(said: &AwsErrorDetails) -> String {
    said.request_id.as_ref().map_or_else(String::new, |id| format!(" (request {})", id.to_safe_line()))
}

/// An expired token although this program checks the expiry first: the clock is slow.
fn suggest_clock_and_login() -> Hint {
    Hint::from(SET_CLOCK).text(", then run ").command(NextCommand::Login)
}

/// A failure with exit code 7. `slug` is without `aws/`.
pub(super) fn make_aws_failure(slug: &str, what: String, hint: impl Into<Hint>) -> Failure {
    Failure::new(Exit::Aws, format!("aws/{slug}"), what, hint)
}
