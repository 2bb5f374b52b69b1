//! AWS: an ID token for role credentials, by STS or by an identity pool, then along a chain of roles; and Bedrock, for
//! which they are.
//!
//! No credential chain anywhere: `AWS_PROFILE` names this very program, and asking it would ask us, without end.

mod answer;
mod api_key;
mod bedrock;
mod chain;
mod destination;
mod endpoint;
mod error;
mod length;
mod pool;
mod reach;
mod signature;
mod standing;
#[cfg(test)]
mod testing;
mod web_identity;

use std::time::Duration;

pub use self::destination::{AwsService, destinations};
pub use self::{
    api_key::api_key,
    bedrock::{
        Bedrock, BedrockError, Cause, Denial, Guardrail, InferenceProfile, Line, Model, Policy, Spent,
    },
    endpoint::address,
    error::{Error, Failed, Flaw, Reason, Said, Step},
    standing::Standing,
};
use self::{pool::Pool, reach::Reach};
use crate::{
    config::{Federation, Link, Profile, RoleArn},
    credentials::Credentials,
    host::Environment,
    http,
    oidc::VerifiedToken,
    quota::Clearance,
    time::Moment,
};

/// AWS as the profile speaks to it.
#[derive(Debug)]
pub struct Aws {
    reach: Reach,
    first: First,
    chain: Vec<Link>,
    /// The role of what is handed out, where the profile names it.
    role: Option<RoleArn>,
    wanted: Duration,
    now: fn() -> Moment,
    /// How long [`Aws::who_am_i`] waits for an answer.
    patience: Duration,
}

/// The first exchange.
#[derive(Debug)]
enum First {
    Sts(RoleArn),
    Pool(Box<Pool>),
}

/// What is brought to AWS.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    pub token: &'q VerifiedToken,
    pub session_name: &'q str,
    /// The length in seconds that the role allowed before.
    pub longest: Option<u32>,
    /// The person's id in the identity pool, as it was before.
    pub identity: Option<&'q str>,
    /// Nobody is given anything who was not cleared.
    pub clearance: &'q Clearance,
}

/// What AWS gave for it, with what is worth remembering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub credentials: Credentials,
    /// `None` where nobody would tell.
    pub role: Option<RoleArn>,
    pub longest: Option<u32>,
    pub identity: Option<String>,
}

impl Aws {
    pub fn new(
        client: &http::Client,
        profile: &Profile,
        environment: &Environment,
        now: fn() -> Moment,
    ) -> Result<Self, Error> {
        let first = match &profile.federation {
            Federation::Sts { role } => First::Sts(role.clone()),
            Federation::IdentityPool { id, role } => {
                let role = role.as_ref().map(RoleArn::as_str);
                First::Pool(Box::new(Pool::new(client, id, role, profile, environment)?))
            }
        };
        Ok(Self {
            reach: Reach::new(client, profile, environment)?,
            first,
            chain: profile.role_chain.clone(),
            role: profile.role().cloned(),
            wanted: profile.session_duration,
            now,
            patience: Duration::from_secs(2),
        })
    }

    /// The token for credentials: the first exchange, then each role of the chain.
    pub async fn exchange(&self, question: &Question<'_>) -> Result<Granted, Failed> {
        let first = self.first(question).await?;
        let Question { token, session_name, .. } = *question;
        let credentials = self.along_the_chain(first.credentials, token, session_name).await?;
        let role = match &self.role {
            Some(role) => Some(role.clone()),
            None => self.role_of(&credentials).await,
        };
        Ok(Granted { credentials, role, ..first })
    }

    async fn first(&self, question: &Question<'_>) -> Result<Granted, Failed> {
        let Question { token, session_name, longest, identity, clearance: _ } = *question;
        match &self.first {
            First::Pool(pool) => {
                let drawn = pool.draw(&self.reach, token, identity, self.now).await?;
                let identity = Some(drawn.identity);
                Ok(Granted { credentials: drawn.credentials, role: None, longest: None, identity })
            }
            First::Sts(role) => {
                // Nobody keeps a session that only leads on to the next role, so that it is the shortest there is.
                let wanted = if self.chain.is_empty() { self.wanted } else { length::BRIEF };
                let granted = self.assume_role_for_longest(role, token, session_name, wanted, longest).await;
                let (credentials, longest) =
                    granted.map_err(|error| Failed { step: Step::WebIdentity, error })?;
                Ok(Granted { credentials, role: None, longest: Some(longest), identity: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{ACCOUNT, NOW, Sts, aws, credentials, refusal, role, session, token},
        *,
    };
    use crate::{http::testing::block_on, text::Foreign};

    fn assume(sts: &Sts) -> Result<Credentials, Error> {
        block_on(aws(sts).assume_role(&role(), &token(), "jane@example.com", 3600))
    }

    fn longest(sts: &Sts, hours: u64, remembered: Option<u32>) -> Result<u32, Error> {
        let wanted = Duration::from_secs(hours * 3600);
        let (aws, role, token) = (aws(sts), role(), token());
        let found = aws.assume_role_for_longest(&role, &token, "jane@example.com", wanted, remembered);
        block_on(found).map(|(_, seconds)| seconds)
    }

    fn reason_of(error: &Error) -> Option<Reason> {
        if let Error::Refused { reason, .. } = error { Some(*reason) } else { None }
    }

    /// Answers every session longer than this as STS does.
    fn sts_of_a_role_limited_to(limit: u32) -> Sts {
        Sts::answering(move |asked| {
            let seconds: u32 = asked.form("DurationSeconds").parse().unwrap();
            let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            if seconds > limit { refusal("400 Bad Request", "ValidationError", message) } else { session() }
        })
    }

    #[test]
    fn a_token_becomes_credentials_without_a_signature() {
        let sts = Sts::answering(|_| session());
        assert_eq!(assume(&sts), Ok(credentials()));
        let asked = sts.asked();
        let [asked] = asked.as_slice() else { panic!("one question, not {}", asked.len()) };
        let form = |name| asked.form(name);
        assert_eq!(
            (form("Action"), form("Version")),
            ("AssumeRoleWithWebIdentity".into(), "2011-06-15".into())
        );
        assert_eq!(form("RoleArn"), role().as_str());
        assert_eq!(
            (form("RoleSessionName"), form("DurationSeconds")),
            ("jane@example.com".into(), "3600".into())
        );
        assert_eq!(form("WebIdentityToken"), token().raw().expose());
        assert!(!asked.head.to_lowercase().contains("authorization:"), "{}", asked.head);
    }

    #[test]
    fn every_refusal_is_told_apart_and_only_what_may_pass_is_asked_again() {
        use Reason as R;
        for (status, code, reason, asked) in [
            ("403 Forbidden", "AccessDenied", R::AccessDenied, 1),
            ("400 Bad Request", "InvalidIdentityToken", R::InvalidIdentityToken, 1),
            ("400 Bad Request", "ExpiredTokenException", R::ExpiredToken, 1),
            ("403 Forbidden", "IDPRejectedClaim", R::IdpRejectedClaim, 1),
            ("400 Bad Request", "IDPCommunicationError", R::IdpCommunication, 3),
            ("400 Bad Request", "ValidationError", R::Validation, 1),
            ("400 Bad Request", "PackedPolicyTooLarge", R::PackedPolicyTooLarge, 1),
            ("403 Forbidden", "RegionDisabledException", R::RegionDisabled, 1),
            ("400 Bad Request", "MalformedPolicyDocument", R::MalformedPolicy, 1),
            ("400 Bad Request", "Throttling", R::Throttled, 3),
            ("429 Too Many Requests", "Whatever", R::Throttled, 3),
            ("500 Internal Server Error", "InternalFailure", R::Server, 3),
            ("503 Service Unavailable", "ServiceUnavailable", R::Server, 3),
            ("400 Bad Request", "SomethingNew", R::Other, 1),
        ] {
            let sts = Sts::answering(move |_| refusal(status, code, "in AWS\u{2019}s own words"));
            let error = assume(&sts).unwrap_err();
            let said = Said {
                code: Foreign::new(code),
                message: Foreign::new("in AWS\u{2019}s own words"),
                request_id: Some(Foreign::new("0f3a")),
            };
            assert_eq!(error, Error::Refused { reason, said }, "{code}");
            assert_eq!(sts.asked().len(), asked, "{code}");
        }
    }

    /// AWS quotes the value that fails its validation.
    #[test]
    fn a_refusal_that_quotes_the_token_is_told_without_it() {
        let quoting = |asked: &testing::Asked| {
            format!("Value '{}' at 'webIdentityToken'", asked.form("WebIdentityToken"))
        };
        let sts = Sts::answering(move |asked| refusal("400 Bad Request", "ValidationError", &quoting(asked)));
        let Err(Error::Refused { said, .. }) = assume(&sts) else { panic!("nothing was refused") };
        assert_eq!(said.message, Foreign::new("Value '[secret]' at 'webIdentityToken'"));
    }

    #[test]
    fn a_stumble_is_not_a_fall() {
        let mut stumbles = 2;
        let sts = Sts::answering(move |_| {
            stumbles -= 1;
            if stumbles < 0 {
                session()
            } else {
                refusal("503 Service Unavailable", "ServiceUnavailable", "")
            }
        });
        assert_eq!(assume(&sts), Ok(credentials()));
        assert_eq!(sts.asked().len(), 3);
    }

    #[test]
    fn a_broken_connection_is_tried_again_and_then_named() {
        let sts = Sts::writing(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Assume");
        });
        assert!(matches!(assume(&sts), Err(Error::Network(http::Error::Interrupted { .. }))));
        assert_eq!(sts.asked().len(), 3);
    }

    #[test]
    fn silence_is_waited_for_once() {
        let silence = http::Error::Timeout { host: "sts.example".into(), after: Duration::from_secs(30) };
        assert!(!Error::Network(silence).may_pass());
    }

    #[test]
    fn a_captive_portal_is_not_sts() {
        for status in ["200 OK", "403 Forbidden"] {
            let page = "<html><body>Welcome to the lounge</body></html>".to_owned();
            let sts = Sts::answering(move |_| (status, "text/html", page.clone()));
            let content_type = Some(Foreign::new("text/html"));
            let status = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(assume(&sts), Err(Error::Unexpected { status, content_type }));
            assert_eq!(sts.asked().len(), 1);
        }
    }

    #[test]
    fn the_longest_session_that_the_role_allows_is_found() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, None), Ok(7200));
        let asked: Vec<_> = sts.asked().iter().map(|asked| asked.form("DurationSeconds")).collect();
        assert_eq!(asked, ["43200", "28800", "14400", "7200"]);
    }

    #[test]
    fn a_remembered_length_costs_one_question() {
        let sts = sts_of_a_role_limited_to(7200);
        assert_eq!(longest(&sts, 12, Some(7200)), Ok(7200));
        assert_eq!(sts.asked().len(), 1);
    }

    #[test]
    fn a_role_that_allows_nothing_ends_the_search() {
        let sts = sts_of_a_role_limited_to(0);
        assert_eq!(longest(&sts, 2, None).map_err(|error| reason_of(&error)), Err(Some(Reason::TooLong)));
        assert_eq!(sts.asked().len(), 3);
    }

    #[test]
    fn another_refusal_ends_the_search() {
        let sts = Sts::answering(|_| refusal("400 Bad Request", "ValidationError", "roleSessionName is odd"));
        assert_eq!(longest(&sts, 12, None).map_err(|error| reason_of(&error)), Err(Some(Reason::Validation)));
        assert_eq!(sts.asked().len(), 1);
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_refused() {
        let spent = Flaw::Spent { expiration: NOW, now: NOW };
        let other = Flaw::OtherAccount { answered: Foreign::new("999999999999") };
        for (was, is, flaw) in [
            ("2030-01-01T12:00:00Z", NOW.to_string().as_str(), spent),
            (ACCOUNT, "999999999999", other),
            ("<SessionToken>session-token</SessionToken>", "", Flaw::Incomplete),
            ("<SecretAccessKey>secret</SecretAccessKey>", "<SecretAccessKey/>", Flaw::Incomplete),
            ("<Expiration>2030-01-01T12:00:00Z</Expiration>", "", Flaw::Incomplete),
        ] {
            let (status, kind, body) = session();
            let body = body.replace(was, is);
            let sts = Sts::answering(move |_| (status, kind, body.clone()));
            assert_eq!(assume(&sts), Err(Error::Flawed(flaw)));
        }
    }
}
