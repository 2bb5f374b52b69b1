//! AWS STS: an ID token for role credentials, and the question whether credentials still stand.
//!
//! No credential chain anywhere: `AWS_PROFILE` names this very program, and asking it would ask us, without end.

mod answer;
mod endpoint;
mod error;
mod length;
mod standing;
#[cfg(test)]
mod testing;

use std::time::Duration;

pub use self::{
    error::{Error, Flaw, Reason, Said},
    standing::Standing,
};
use crate::{
    config::{Profile, RoleArn},
    credentials::Credentials,
    host::{self, Environment},
    http,
    oidc::VerifiedToken,
    time::Moment,
};
use aws_sdk_sts::config::{
    AppName, BehaviorVersion, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

/// How often one question is put to AWS, the first time included.
const ATTEMPTS: u32 = 3;

/// STS of the profile's region, for the profile's role.
#[derive(Debug)]
pub struct Aws {
    config: aws_sdk_sts::Config,
    client: aws_sdk_sts::Client,
    role: RoleArn,
    now: fn() -> Moment,
    /// The pause before the second attempt; it doubles before the third.
    pause: Duration,
    /// How long [`Aws::who_am_i`] waits for an answer.
    patience: Duration,
}

impl Aws {
    pub fn new(
        client: &http::Client,
        profile: &Profile,
        environment: &Environment,
        now: fn() -> Moment,
    ) -> Result<Self, Error> {
        let config = config(client, profile, environment)?;
        Ok(Self {
            client: aws_sdk_sts::Client::from_conf(config.clone()),
            config,
            role: profile.role.clone(),
            now,
            pause: Duration::from_millis(400),
            patience: Duration::from_secs(2),
        })
    }

    /// AssumeRoleWithWebIdentity. What may pass by itself is tried again: throttling, 5xx, a broken connection,
    /// AWS not reaching the provider.
    pub async fn assume_role(
        &self,
        token: &VerifiedToken,
        session_name: &str,
        seconds: u32,
    ) -> Result<Credentials, Error> {
        let mut attempt = 1;
        loop {
            match self.ask(token, session_name, seconds).await {
                Err(error) if error.may_pass() && attempt < ATTEMPTS => self.rest(attempt).await,
                settled => return settled,
            }
            attempt += 1;
        }
    }

    /// The longest session, up to the wanted one, that the role allows; and its length, to be remembered and tried
    /// first the next time. AWS does not say how long that is, so it is asked for less and less.
    pub async fn assume_role_for_longest(
        &self,
        token: &VerifiedToken,
        session_name: &str,
        wanted: Duration,
        remembered: Option<u32>,
    ) -> Result<(Credentials, u32), Error> {
        let mut lengths = length::to_try(wanted, remembered);
        let mut seconds = lengths.next().unwrap_or(length::SHORTEST);
        loop {
            match self.assume_role(token, session_name, seconds).await {
                Ok(credentials) => return Ok((credentials, seconds)),
                Err(error) if error.is_too_long() => seconds = lengths.next().ok_or(error)?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn ask(
        &self,
        token: &VerifiedToken,
        session_name: &str,
        seconds: u32,
    ) -> Result<Credentials, Error> {
        let answer = self
            .client
            .assume_role_with_web_identity()
            .role_arn(self.role.as_str())
            .role_session_name(session_name)
            .web_identity_token(token.raw().expose())
            .duration_seconds(i32::try_from(seconds).unwrap_or(i32::MAX))
            .send();
        // The SDK's future is large, and lives once a sign-in.
        let answer = Box::pin(answer).await.map_err(|error| Error::from(error).without(token.raw()))?;
        answer::checked(answer, &self.role, (self.now)())
    }

    /// Half of the pause, and a random part of the other half, so that a team's machines do not march in step.
    async fn rest(&self, attempt: u32) {
        let pause = self.pause * 2_u32.pow(attempt - 1);
        let mut random = [0];
        host::random(&mut random);
        let chance = f64::from(random[0]) / 255.0;
        tokio::time::sleep(pause.mul_f64(0.5 + chance / 2.0)).await;
    }
}

/// Every choice by hand: the SDK reads no file and no variable. Deadlines belong to the client, retries to us.
fn config(
    client: &http::Client,
    profile: &Profile,
    environment: &Environment,
) -> Result<aws_sdk_sts::Config, Error> {
    let builder = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(profile.region.clone()))
        .http_client(SharedHttpClient::new(client.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .app_name(AppName::new("bedrock-sso").expect("the name has legal characters only"));
    Ok(match endpoint::explicit(profile, environment)? {
        Some(url) => builder.endpoint_url(url.as_str()),
        None => builder
            .use_fips(environment.is_true("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(environment.is_true("AWS_USE_DUALSTACK_ENDPOINT")),
    }
    .build())
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{ACCOUNT, NOW, Sts, aws, credentials, profile, refusal, session, token},
        *,
    };
    use crate::{http::testing::block_on, text::Foreign};

    fn assume(sts: &Sts) -> Result<Credentials, Error> {
        block_on(aws(sts).assume_role(&token(), "jane@example.com", 3600))
    }

    fn longest(sts: &Sts, hours: u64, remembered: Option<u32>) -> Result<u32, Error> {
        let wanted = Duration::from_secs(hours * 3600);
        let (aws, token) = (aws(sts), token());
        let found = aws.assume_role_for_longest(&token, "jane@example.com", wanted, remembered);
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
        assert_eq!(form("RoleArn"), profile().role.as_str());
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
