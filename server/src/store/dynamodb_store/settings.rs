//! How the SDK's client is set up.

use aws_sdk_dynamodb::{
    Config,
    config::{
        AppName, BehaviorVersion, Credentials, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use bedrock_sso::{host::Environment, http, url::SecureUrl};

use crate::store::{StoreError, StoreResult};

/// Configures everything explicitly, so that the SDK reads no file and no variable of its own.
pub(super) fn read_settings(http: &http::Client, environment: &Environment) -> StoreResult<Config> {
    let required = |names: &[&str]| {
        let value = names.iter().find_map(|name| environment.var_text(name));
        value.ok_or_else(|| StoreError::Unavailable(format!("{} is not set", names.join(" or "))))
    };
    let credentials = Credentials::new(
        required(&["AWS_ACCESS_KEY_ID"])?,
        required(&["AWS_SECRET_ACCESS_KEY"])?,
        environment.var_text("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let builder = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(required(&["AWS_REGION", "AWS_DEFAULT_REGION"])?))
        .credentials_provider(credentials)
        .http_client(SharedHttpClient::new(http.clone()))
        // Here are the retries: they know what a cancelled transaction means.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .app_name(AppName::new("bedrock-sso-server").expect("the name contains only valid characters"));
    let endpoint = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| Some((name, environment.var_text(name)?)));
    let Some((name, endpoint)) = endpoint else {
        return Ok(builder.use_fips(environment.is_true("AWS_USE_FIPS_ENDPOINT")).build());
    };
    // It decides everybody's limits, so only an emulator of this machine may take DynamoDB's place.
    match SecureUrl::parse(&endpoint) {
        Ok(url) if url.is_loopback() => Ok(builder.endpoint_url(url.as_str()).build()),
        _ => Err(StoreError::Unavailable(format!("{name} is \"{endpoint}\", which is not on this machine's loopback"))),
    }
}
