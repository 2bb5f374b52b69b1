//! AWS STS: an ID token for role credentials, and the question whether credentials still stand.
//!
//! No credential chain anywhere: `AWS_PROFILE` names this very program, and asking it would ask us, without end.

mod answer;
mod endpoint;
mod error;
mod length;
mod session_name;
mod standing;

use std::time::Duration;

use aws_sdk_sts::config::{
    AppName, BehaviorVersion, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use ring::rand::{SecureRandom, SystemRandom};

pub use self::{
    error::{Error, Flaw, Reason, Said},
    session_name::session_name,
    standing::Standing,
};
use crate::{
    config::{Profile, RoleArn},
    credentials::Credentials,
    host::Environment,
    http,
    oidc::VerifiedToken,
    time::Moment,
};

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
        answer::checked(Box::pin(answer).await?, &self.role, (self.now)())
    }

    /// Half of the pause, and a random part of the other half, so that a team's machines do not march in step.
    async fn rest(&self, attempt: u32) {
        let pause = self.pause * 2_u32.pow(attempt - 1);
        let mut random = [0];
        let chance = SystemRandom::new().fill(&mut random).map_or(1.0, |()| f64::from(random[0]) / 255.0);
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
