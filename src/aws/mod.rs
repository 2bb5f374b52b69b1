//! The client side of AWS: exchanges a verified ID token for role credentials (by STS or a Cognito identity pool), or
//! gets them from IAM Identity Center, assumes the configured chain of roles, and calls Bedrock and the console with the
//! result.
//!
//! It never uses the SDK's credential chain, because `AWS_PROFILE` usually names this program as `credential_process`,
//! and the SDK would start it again without end. It sends an ID token only with a quota approval. All credentials from AWS
//! pass `credential_check` before anything uses them.

mod credential_check;
mod api_key;
mod assignment;
mod bedrock;
mod console;
mod retry;
mod role_chain;
mod service;
mod destination;
mod endpoint;
mod iam_denial;
mod error;
mod session_duration;
mod identity_pool;
mod identity_center;
mod sts_client;
mod caller_identity;
#[cfg(test)]
mod testing;
mod token_algorithm;
mod web_identity;

use std::time::Duration;

pub use self::{
    api_key::create_api_key,
    assignment::{AssignedCredentials, AssignedSession, AssignmentError, SessionHolder},
    bedrock::{
        BedrockClient, BedrockError, BedrockRefusalCause, ConverseRequest, FoundationModel, Guardrail,
        InferenceProfile, TokenUsage, is_inference_profile,
    },
    caller_identity::CredentialStatus,
    console::{ConsoleError, ConsolePage, request_console_address},
    endpoint::{resolve_exchange_endpoint, resolve_identity_center, resolve_telemetry_endpoints},
    error::{AwsErrorDetails, AwsRefusalReason, CommonRefusal, CredentialsFlaw, Error, ExchangeStep, FailedStep},
    iam_denial::{BlockKind, IamDenial, PolicyKind},
    identity_center::{
        AssignedAccount, ClientRegistration, IdentityCenterClient, IdentityCenterError, PortalDeviceCode,
        PortalPollOutcome, PortalRefusal, PortalRequest, PortalTokens,
    },
};
pub use self::{
    destination::list_destinations,
    service::AwsService,
    token_algorithm::{AlgorithmRefuser, AlgorithmSupport, assess_algorithm, list_required_algorithms},
};
use self::{identity_pool::IdentityPool, sts_client::StsClient};
pub use crate::signature::sign_request;
use crate::{
    config::{ChainedRole, Federation, IdentityCenterSettings, Profile, RoleArn, SignInSettings},
    credentials::AwsCredentials,
    host::Environment,
    http,
    quota::TokenClearance,
    text::UntrustedText,
    time::Timestamp,
};

/// The exchange that a profile configures.
#[derive(Debug)]
pub struct Aws {
    sts: StsClient,
    first_exchange: FirstExchange,
    chain: Vec<ChainedRole>,
    /// The role of the resulting credentials, if the profile names it.
    role: Option<RoleArn>,
    wanted_duration: Duration,
    now: fn() -> Timestamp,
    /// The timeout of [`Aws::check_credentials`].
    caller_timeout: Duration,
}

/// The step that yields the first credentials.
#[derive(Debug)]
enum FirstExchange {
    Sts(RoleArn),
    Pool(Box<IdentityPool>),
    /// It has no ID token, so [`Aws::request_assigned_session`] asks it.
    IdentityCenter(Box<AssignedPortal>),
}

/// An Identity Center, and the assignment there that a profile uses.
#[derive(Debug)]
struct AssignedPortal {
    client: IdentityCenterClient,
    assignment: IdentityCenterSettings,
}

/// The input of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeRequest<'q> {
    /// The session name, which CloudTrail and cost reports show.
    pub session_name: &'q str,
    /// The session duration, in seconds, that the role allowed last time.
    pub max_seconds: Option<u32>,
    /// The user's identity in the pool, from the last exchange. It saves one request.
    pub pool_identity: Option<&'q str>,
    /// The quota approval, which contains the ID token. The type prevents an exchange without an approval.
    pub clearance: &'q TokenClearance<'q>,
}

/// The credentials, and the facts that make the next exchange faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedCredentials {
    pub credentials: AwsCredentials,
    /// The assumed role; `None` if neither the profile nor AWS names it.
    pub role: Option<RoleArn>,
    /// The session duration that the role allowed, to try first next time.
    pub max_seconds: Option<u32>,
    pub pool_identity: Option<String>,
}

impl Aws {
    /// Creates the exchange of a profile without any request. Fails if an endpoint is invalid.
    pub fn new(
        client: &http::Client,
        profile: &Profile,
        environment: &Environment,
        now: fn() -> Timestamp,
    ) -> Result<Self, Error> {
        let first = match &profile.sign_in {
            SignInSettings::Oidc(oidc) => match &oidc.federation {
                Federation::Sts { role } => FirstExchange::Sts(role.clone()),
                Federation::IdentityPool { id, role } => {
                    let role = role.as_ref().map(RoleArn::as_str);
                    FirstExchange::Pool(Box::new(IdentityPool::new(client, id, role, oidc, profile, environment)?))
                }
            },
            SignInSettings::IdentityCenter(center) => {
                let endpoints = resolve_identity_center(profile, &center.region, environment)?;
                let client = IdentityCenterClient::new(client, endpoints);
                FirstExchange::IdentityCenter(Box::new(AssignedPortal { client, assignment: center.clone() }))
            }
        };
        Ok(Self {
            sts: StsClient::new(client, profile, environment)?,
            first_exchange: first,
            chain: profile.role_chain.clone(),
            role: profile.final_role().cloned(),
            wanted_duration: profile.session_duration,
            now,
            caller_timeout: Duration::from_secs(2),
        })
    }

    /// Exchanges the token and then assumes each role of the chain. An error names the step that failed.
    pub async fn exchange_token(&self, question: &ExchangeRequest<'_>) -> Result<GrantedCredentials, FailedStep> {
        let first = self.run_first_exchange(question).await?;
        let token = Some(question.clearance.token());
        let credentials = self.assume_role_chain(first.credentials, token, question.session_name).await?;
        let role = match &self.role {
            Some(role) => Some(role.clone()),
            None => self.get_role(&credentials).await,
        };
        Ok(GrantedCredentials { credentials, role, ..first })
    }

    async fn run_first_exchange(&self, question: &ExchangeRequest<'_>) -> Result<GrantedCredentials, FailedStep> {
        let ExchangeRequest { session_name, max_seconds: longest, pool_identity: identity, clearance } = *question;
        let token = clearance.token();
        match &self.first_exchange {
            FirstExchange::Pool(pool) => pool.get_credentials(&self.sts, token, identity, self.now).await,
            FirstExchange::Sts(role) => {
                // A session that only assumes the next role needs the shortest duration, which limits the harm if it
                // leaks.
                let wanted = if self.chain.is_empty() { self.wanted_duration } else { session_duration::MIN_DURATION };
                let granted = self.assume_role_longest(role, token, session_name, wanted, longest).await;
                let (credentials, longest) =
                    granted.map_err(|error| FailedStep { step: ExchangeStep::WebIdentity, error })?;
                Ok(GrantedCredentials { credentials, role: None, max_seconds: Some(longest), pool_identity: None })
            }
            // Nobody has an ID token of such a profile, so nobody has an approval for one.
            FirstExchange::IdentityCenter(_) => {
                let error = Error::InvalidRequest(UntrustedText::new("an Identity Center exchanges no ID token"));
                Err(FailedStep { step: ExchangeStep::WebIdentity, error })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        retry::TransientError as _,
        testing::{
            ACCOUNT, NOW, TestSts, build_aws, build_credentials, build_refusal, build_role, build_session_answer,
            build_token,
        },
        *,
    };
    use crate::{http::testing::block_on, text::UntrustedText};

    fn assume(sts: &TestSts) -> Result<AwsCredentials, Error> {
        block_on(build_aws(sts).assume_role(&build_role(), &build_token(), "jane@example.com", 3600))
    }

    fn longest(sts: &TestSts, hours: u64, remembered: Option<u32>) -> Result<u32, Error> {
        let wanted = Duration::from_secs(hours * 3600);
        let (aws, role, token) = (build_aws(sts), build_role(), build_token());
        let found = aws.assume_role_longest(&role, &token, "jane@example.com", wanted, remembered);
        block_on(found).map(|(_, seconds)| seconds)
    }

    fn reason_of(error: &Error) -> Option<AwsRefusalReason> {
        if let Error::Refused { reason, .. } = error { Some(*reason) } else { None }
    }

    /// Refuses every session that is longer than this, with STS's own answer.
    fn sts_of_a_role_limited_to(limit: u32) -> TestSts {
        TestSts::answering(move |asked| {
            let seconds: u32 = asked.form_value("DurationSeconds").parse().unwrap();
            let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            if seconds > limit {
                build_refusal("400 Bad Request", "ValidationError", message)
            } else {
                build_session_answer()
            }
        })
    }

    #[test]
    fn web_identity_exchange_is_unsigned() {
        let sts = TestSts::answering(|_| build_session_answer());
        assert_eq!(assume(&sts), Ok(build_credentials()));
        let asked = sts.take_requests();
        let [asked] = asked.as_slice() else { panic!("one question, not {}", asked.len()) };
        let form = |name| asked.form_value(name);
        assert_eq!((form("Action"), form("Version")), ("AssumeRoleWithWebIdentity".into(), "2011-06-15".into()));
        assert_eq!(form("RoleArn"), build_role().as_str());
        assert_eq!((form("RoleSessionName"), form("DurationSeconds")), ("jane@example.com".into(), "3600".into()));
        assert_eq!(form("WebIdentityToken"), build_token().raw().expose());
        assert!(!asked.head.to_lowercase().contains("authorization:"), "{}", asked.head);
    }

    #[test]
    fn only_transient_sts_refusals_are_retried() {
        use AwsRefusalReason as R;
        for (status, code, reason, asked) in [
            ("403 Forbidden", "AccessDenied", R::AccessDenied, 1),
            ("400 Bad Request", "InvalidIdentityToken", R::InvalidIdentityToken, 1),
            ("400 Bad Request", "ExpiredTokenException", R::ExpiredToken, 1),
            ("403 Forbidden", "IDPRejectedClaim", R::IdpRejectedClaim, 1),
            ("400 Bad Request", "IDPCommunicationError", R::IdpCommunication, 3),
            ("400 Bad Request", "ValidationError", R::Validation, 1),
            ("400 Bad Request", "PackedPolicyTooLarge", R::PackedPolicyTooLarge, 1),
            ("403 Forbidden", "RegionDisabledException", R::Common(CommonRefusal::RegionDisabled), 1),
            ("400 Bad Request", "MalformedPolicyDocument", R::Common(CommonRefusal::MalformedPolicy), 1),
            ("400 Bad Request", "Throttling", R::Common(CommonRefusal::Throttled), 3),
            ("429 Too Many Requests", "Whatever", R::Common(CommonRefusal::Throttled), 3),
            ("500 Internal Server Error", "InternalFailure", R::Common(CommonRefusal::Server), 3),
            ("503 Service Unavailable", "ServiceUnavailable", R::Common(CommonRefusal::Server), 3),
            ("400 Bad Request", "SomethingNew", R::Common(CommonRefusal::Other), 1),
        ] {
            let sts = TestSts::answering(move |_| build_refusal(status, code, "in AWS\u{2019}s own words"));
            let error = assume(&sts).unwrap_err();
            let said = AwsErrorDetails {
                code: UntrustedText::new(code),
                message: UntrustedText::new("in AWS\u{2019}s own words"),
                request_id: Some(UntrustedText::new("0f3a")),
                denial: None,
            };
            assert_eq!(error, Error::Refused { reason, details: said }, "{code}");
            assert_eq!(sts.take_requests().len(), asked, "{code}");
        }
    }

    /// AWS quotes a value that fails its validation.
    #[test]
    fn sts_refusal_that_quotes_the_token_is_redacted() {
        let quoting = |asked: &testing::ReceivedRequest| {
            format!("Value '{}' at 'webIdentityToken'", asked.form_value("WebIdentityToken"))
        };
        let sts = TestSts::answering(move |asked| build_refusal("400 Bad Request", "ValidationError", &quoting(asked)));
        let Err(Error::Refused { details: said, .. }) = assume(&sts) else { panic!("nothing was refused") };
        assert_eq!(said.message, UntrustedText::new("Value '[secret]' at 'webIdentityToken'"));
    }

    #[test]
    fn transient_server_errors_are_retried_until_success() {
        let mut stumbles = 2;
        let sts = TestSts::answering(move |_| {
            stumbles -= 1;
            if stumbles < 0 {
                build_session_answer()
            } else {
                build_refusal("503 Service Unavailable", "ServiceUnavailable", "")
            }
        });
        assert_eq!(assume(&sts), Ok(build_credentials()));
        assert_eq!(sts.take_requests().len(), 3);
    }

    #[test]
    fn broken_connection_is_retried_and_then_reported() {
        let sts = TestSts::writing(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Assume");
        });
        assert!(matches!(assume(&sts), Err(Error::Network(http::Error::Interrupted { .. }))));
        assert_eq!(sts.take_requests().len(), 3);
    }

    #[test]
    fn timeout_is_not_retried() {
        let silence = http::Error::Timeout { host: "sts.example".into(), after: Duration::from_secs(30) };
        assert!(!Error::Network(silence).is_transient());
    }

    #[test]
    fn captive_portal_page_is_not_taken_for_an_answer_from_sts() {
        for status in ["200 OK", "403 Forbidden"] {
            let page = "<html><body>Welcome to the lounge</body></html>".to_owned();
            let sts = TestSts::answering(move |_| (status, "text/html", page.clone()));
            let content_type = Some(UntrustedText::new("text/html"));
            let status = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(assume(&sts), Err(Error::Unexpected { status, content_type }));
            assert_eq!(sts.take_requests().len(), 1);
        }
    }

    #[test]
    fn longest_allowed_session_is_found() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, None), Ok(7200));
        let asked: Vec<_> = sts.take_requests().iter().map(|asked| asked.form_value("DurationSeconds")).collect();
        assert_eq!(asked, ["43200", "28800", "14400", "7200"]);
    }

    #[test]
    fn remembered_duration_needs_one_request() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, Some(7200)), Ok(7200));
        assert_eq!(sts.take_requests().len(), 1);
    }

    #[test]
    fn search_ends_if_the_role_allows_no_duration() {
        let sts = sts_of_a_role_limited_to(0);
        assert_eq!(
            longest(&sts, 2, None).map_err(|error| reason_of(&error)),
            Err(Some(AwsRefusalReason::SessionTooLong))
        );
        assert_eq!(sts.take_requests().len(), 3);
    }

    #[test]
    fn other_refusal_ends_the_duration_search() {
        let sts = TestSts::answering(|_| build_refusal("400 Bad Request", "ValidationError", "roleSessionName is odd"));
        assert_eq!(longest(&sts, 12, None).map_err(|error| reason_of(&error)), Err(Some(AwsRefusalReason::Validation)));
        assert_eq!(sts.take_requests().len(), 1);
    }

    #[test]
    fn unusable_credentials_are_rejected() {
        let spent = CredentialsFlaw::AlreadyExpired { expiration: NOW, now: NOW };
        let other = CredentialsFlaw::OtherAccount { answered: UntrustedText::new("999999999999") };
        for (was, is, flaw) in [
            ("2030-01-01T12:00:00Z", NOW.to_string().as_str(), spent),
            (ACCOUNT, "999999999999", other),
            ("<SessionToken>session-token</SessionToken>", "", CredentialsFlaw::Incomplete),
            ("<SecretAccessKey>secret</SecretAccessKey>", "<SecretAccessKey/>", CredentialsFlaw::Incomplete),
            ("<Expiration>2030-01-01T12:00:00Z</Expiration>", "", CredentialsFlaw::Incomplete),
        ] {
            let (status, kind, body) = build_session_answer();
            let body = body.replace(was, is);
            let sts = TestSts::answering(move |_| (status, kind, body.clone()));
            assert_eq!(assume(&sts), Err(Error::Flawed(flaw)));
        }
    }
}
