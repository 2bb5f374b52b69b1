//! Calls STS in the profile's region, and in a fallback region if that one does not answer.
//!
//! A refusal is final: only silence and AWS's own faults lead to the next region. Credentials from any region are
//! valid in all of them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_sdk_sts::{
    Client, Config,
    config::{AppName, BehaviorVersion, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig},
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

use super::{AwsRefusalReason, AwsService, CommonRefusal, Error, endpoint, retry};
use crate::{
    config::Profile, credentials::AwsCredentials, host::Environment, http, log, signature::to_sdk_credentials,
    text::UntrustedText,
};

/// The STS endpoints of a profile, without credentials.
#[derive(Debug)]
pub(super) struct StsClient {
    /// One configuration per region, the profile's region first.
    configs: Vec<Config>,
    /// The region that answered last. The next request starts there, so the program waits for a silent region only
    /// once.
    last_answered: AtomicUsize,
    /// The backoff before the second attempt. It doubles before the third.
    pub(super) first_pause: Duration,
}

impl StsClient {
    /// Configures everything explicitly, so that the SDK reads no file and no variable: those could redirect the
    /// token. The HTTP client sets the timeouts, and this module retries.
    pub(super) fn new(client: &http::Client, profile: &Profile, environment: &Environment) -> Result<Self, Error> {
        let explicit = endpoint::find_named_endpoint(AwsService::Sts, profile, environment)?;
        let config = |region: &String| {
            let builder = Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region.clone()))
                .http_client(SharedHttpClient::new(client.clone()))
                .retry_config(RetryConfig::disabled())
                .timeout_config(TimeoutConfig::disabled())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .identity_cache(IdentityCache::no_cache())
                .app_name(AppName::new("bedrock-sso").expect("the name contains only valid characters"));
            match &explicit {
                Some(url) => builder.endpoint_url(url.as_str()),
                None => builder
                    .use_fips(environment.is_true(endpoint::FIPS_VARIABLE))
                    .use_dual_stack(environment.is_true(endpoint::DUALSTACK_VARIABLE)),
            }
            .build()
        };
        // A configured endpoint has no fallback: the administrator chose where the token may go.
        let elsewhere = if explicit.is_some() { &[] } else { profile.sts_fallback_regions.as_slice() };
        Ok(Self {
            configs: [&profile.region].into_iter().chain(elsewhere).map(config).collect(),
            last_answered: AtomicUsize::new(0),
            first_pause: retry::FIRST_PAUSE,
        })
    }

    /// Returns an SDK client for the region that answered last. It signs with these credentials only.
    pub(super) fn signing_client(&self, credentials: &AwsCredentials) -> Option<Client> {
        Some(build_signing_client(self.configs.get(self.last_answered.load(Ordering::Relaxed))?, credentials))
    }

    /// Sends a request, signed if there are credentials, to the profile's region and then to each fallback region
    /// until one answers. In each region it retries transient failures: throttling, 5xx, a broken connection, or AWS
    /// not reaching the provider. If no region answers, it returns the first region's error.
    pub(super) async fn ask_regions<T>(
        &self,
        credentials: Option<&AwsCredentials>,
        question: impl AsyncFn(Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let client = |config: &Config| match credentials {
            Some(credentials) => build_signing_client(config, credentials),
            None => Client::from_conf(config.clone()),
        };
        let mut silence = None;
        let begin = self.last_answered.load(Ordering::Relaxed);
        for (at, config) in self.configs.iter().enumerate().skip(begin) {
            if let Some(silence) = &silence {
                let region = config.region().map(ToString::to_string).unwrap_or_default();
                log::info("aws", format_args!("STS did not answer ({silence:?}): trying its endpoint in {region}"));
            }
            match self.retry_transient(|| question(client(config))).await {
                Err(error)
                    if error.is_unanswered()
                        || (at > 0
                            && error.is_refused_for(AwsRefusalReason::Common(CommonRefusal::RegionDisabled))) =>
                {
                    silence.get_or_insert(error);
                }
                answered => {
                    self.last_answered.store(at, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        // Report the failure of the profile's own region, which the user can fix.
        Err(silence.unwrap_or(Error::InvalidRequest(UntrustedText::new("no region is left"))))
    }

    /// Repeats a request while its failure is transient.
    pub(super) async fn retry_transient<T>(&self, question: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        retry::retry_transient(self.first_pause, question).await
    }
}

fn build_signing_client(config: &Config, credentials: &AwsCredentials) -> Client {
    Client::from_conf(config.to_builder().credentials_provider(to_sdk_credentials(credentials)).build())
}
