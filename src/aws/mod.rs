//! AWS: an ID token for role credentials, by STS or by an identity pool, then along a chain of roles; and Bedrock, for
//! which they are.
//!
//! No credential chain anywhere: `AWS_PROFILE` names this very program, and asking it would ask us, without end.

mod credential_check;
mod api_key;
mod bedrock;
mod console;
mod role_chain;
mod service;
mod destination;
mod endpoint;
mod error;
mod session_duration;
mod identity_pool;
mod sts_client;
mod signature;
mod caller_identity;
#[cfg(test)]
mod testing;
mod web_identity;

use std::time::Duration;

pub use self::{
    api_key::create_api_key,
    bedrock::{
        BedrockClient, BedrockError, BedrockRefusalCause, ConverseRequest, FoundationModel, Guardrail, IamDenial,
        InferenceProfile, PolicyKind, TokenUsage,
    },
    caller_identity::CredentialStatus,
    console::{ConsoleError, ConsolePage, request_console_address},
    endpoint::resolve_exchange_endpoint,
    error::{AwsErrorDetails, AwsRefusalReason, CommonRefusal, CredentialsFlaw, Error, ExchangeStep, FailedStep},
};
pub use self::{destination::list_destinations, service::AwsService};
use self::{identity_pool::IdentityPool, sts_client::StsClient};
use crate::{
    config::{ChainedRole, Federation, Profile, RoleArn},
    credentials::AwsCredentials,
    host::Environment,
    http,
    quota::Clearance,
    time::Timestamp,
};

/// AWS as the profile speaks to it.
#[derive(Debug)]
pub struct Aws {
    sts: StsClient,
    first_exchange: FirstExchange,
    chain: Vec<ChainedRole>,
    /// The role of what is handed out, where the profile names it.
    role: Option<RoleArn>,
    wanted_duration: Duration,
    now: fn() -> Timestamp,
    /// How long [`Aws::check_credentials`] waits for an answer.
    caller_timeout: Duration,
}

/// The first exchange.
#[derive(Debug)]
enum FirstExchange {
    Sts(RoleArn),
    Pool(Box<IdentityPool>),
}

/// What is brought to AWS.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeRequest<'q> {
    pub session_name: &'q str,
    /// The length in seconds that the role allowed before.
    pub max_seconds: Option<u32>,
    /// The person's id in the identity pool, as it was before.
    pub pool_identity: Option<&'q str>,
    /// The approval to spend, with the token that is exchanged.
    pub clearance: &'q Clearance<'q>,
}

/// What AWS gave for it, with what is worth remembering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedCredentials {
    pub credentials: AwsCredentials,
    /// `None` where nobody would tell.
    pub role: Option<RoleArn>,
    pub max_seconds: Option<u32>,
    pub pool_identity: Option<String>,
}

impl Aws {
    pub fn new(
        client: &http::Client,
        profile: &Profile,
        environment: &Environment,
        now: fn() -> Timestamp,
    ) -> Result<Self, Error> {
        let first = match &profile.federation {
            Federation::Sts { role } => FirstExchange::Sts(role.clone()),
            Federation::IdentityPool { id, role } => {
                let role = role.as_ref().map(RoleArn::as_str);
                FirstExchange::Pool(Box::new(IdentityPool::new(client, id, role, profile, environment)?))
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

    /// The token for credentials: the first exchange, then each role of the chain.
    pub async fn exchange_token(&self, question: &ExchangeRequest<'_>) -> Result<GrantedCredentials, FailedStep> {
        let first = self.run_first_exchange(question).await?;
        let credentials =
            self.assume_role_chain(first.credentials, question.clearance.token(), question.session_name).await?;
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
                // Nobody keeps a session that only leads on to the next role, so that it is the shortest there is.
                let wanted = if self.chain.is_empty() { self.wanted_duration } else { session_duration::MIN_DURATION };
                let granted = self.assume_role_longest(role, token, session_name, wanted, longest).await;
                let (credentials, longest) =
                    granted.map_err(|error| FailedStep { step: ExchangeStep::WebIdentity, error })?;
                Ok(GrantedCredentials { credentials, role: None, max_seconds: Some(longest), pool_identity: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
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

    /// Answers every session longer than this as STS does.
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
    fn a_token_becomes_credentials_without_a_signature() {
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
    fn every_refusal_is_told_apart_and_only_what_may_pass_is_asked_again() {
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
            };
            assert_eq!(error, Error::Refused { reason, details: said }, "{code}");
            assert_eq!(sts.take_requests().len(), asked, "{code}");
        }
    }

    /// AWS quotes the value that fails its validation.
    #[test]
    fn a_refusal_that_quotes_the_token_is_told_without_it() {
        let quoting = |asked: &testing::ReceivedRequest| {
            format!("Value '{}' at 'webIdentityToken'", asked.form_value("WebIdentityToken"))
        };
        let sts = TestSts::answering(move |asked| build_refusal("400 Bad Request", "ValidationError", &quoting(asked)));
        let Err(Error::Refused { details: said, .. }) = assume(&sts) else { panic!("nothing was refused") };
        assert_eq!(said.message, UntrustedText::new("Value '[secret]' at 'webIdentityToken'"));
    }

    #[test]
    fn a_stumble_is_not_a_fall() {
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
    fn a_broken_connection_is_tried_again_and_then_named() {
        let sts = TestSts::writing(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Assume");
        });
        assert!(matches!(assume(&sts), Err(Error::Network(http::Error::Interrupted { .. }))));
        assert_eq!(sts.take_requests().len(), 3);
    }

    #[test]
    fn silence_is_waited_for_once() {
        let silence = http::Error::Timeout { host: "sts.example".into(), after: Duration::from_secs(30) };
        assert!(!Error::Network(silence).is_transient());
    }

    #[test]
    fn a_captive_portal_is_not_sts() {
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
    fn the_longest_session_that_the_role_allows_is_found() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, None), Ok(7200));
        let asked: Vec<_> = sts.take_requests().iter().map(|asked| asked.form_value("DurationSeconds")).collect();
        assert_eq!(asked, ["43200", "28800", "14400", "7200"]);
    }

    #[test]
    fn a_remembered_length_costs_one_question() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, Some(7200)), Ok(7200));
        assert_eq!(sts.take_requests().len(), 1);
    }

    #[test]
    fn a_role_that_allows_nothing_ends_the_search() {
        let sts = sts_of_a_role_limited_to(0);
        assert_eq!(
            longest(&sts, 2, None).map_err(|error| reason_of(&error)),
            Err(Some(AwsRefusalReason::SessionTooLong))
        );
        assert_eq!(sts.take_requests().len(), 3);
    }

    #[test]
    fn another_refusal_ends_the_search() {
        let sts = TestSts::answering(|_| build_refusal("400 Bad Request", "ValidationError", "roleSessionName is odd"));
        assert_eq!(longest(&sts, 12, None).map_err(|error| reason_of(&error)), Err(Some(AwsRefusalReason::Validation)));
        assert_eq!(sts.take_requests().len(), 1);
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_refused() {
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
