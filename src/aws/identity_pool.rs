//! Cognito identity pools: an ID token for the credentials of the pool's role.
//!
//! Two unsigned questions in JSON, by hand over the one client: the SDK's crate for them is twenty-three operations and a
//! second copy of the endpoint rules. Which role the pool gives is for the pool.

use std::time::Duration;

use ::http::{Request, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    AwsRefusalReason, AwsService, CredentialsFlaw, Error, ExchangeStep, FailedStep, GrantedCredentials,
    credential_check::validate_credentials, endpoint::resolve_endpoint, error::check_json_answer,
    sts_client::StsClient,
};
use crate::{
    config::{IdentityPoolId, Profile},
    credentials::AwsCredentials,
    host::Environment,
    http::{self, Client},
    oidc::VerifiedToken,
    secret::Secret,
    time::Timestamp,
    url::SecureUrl,
};

/// A pool, where it is asked, and as whom.
#[derive(Debug)]
pub(super) struct IdentityPool {
    client: Client,
    endpoint: SecureUrl,
    id: String,
    role: Option<String>,
    /// Under which names the pool may know the token's issuer, the likelier first.
    logins: Vec<String>,
}

impl IdentityPool {
    pub(super) fn new(
        client: &Client,
        id: &IdentityPoolId,
        role: Option<&str>,
        profile: &Profile,
        environment: &Environment,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: client.clone(),
            endpoint: resolve_endpoint(AwsService::Cognito, profile, id.region(), environment)?,
            id: id.as_str().to_owned(),
            role: role.map(str::to_owned),
            logins: list_login_names(profile.issuer.as_str()),
        })
    }

    /// GetId, unless the identity is known, and GetCredentialsForIdentity.
    pub(super) async fn get_credentials(
        &self,
        reach: &StsClient,
        token: &VerifiedToken,
        known: Option<&str>,
        now: fn() -> Timestamp,
    ) -> Result<GrantedCredentials, FailedStep> {
        let mut refusal = None;
        for login in &self.logins {
            let call = PoolCall { pool: self, reach, login, token, now };
            match call.get_credentials(known).await {
                // The pool may know the issuer with its last slash.
                Err(failed) if failed.error.is_refused_for(AwsRefusalReason::UnknownLogin) => {
                    refusal = refusal.or(Some(failed));
                }
                settled => return settled,
            }
        }
        Err(refusal.unwrap_or(FailedStep {
            step: ExchangeStep::PoolIdentity,
            error: Error::Flawed(CredentialsFlaw::Incomplete),
        }))
    }
}

/// The issuer without its scheme: so IAM names an OpenID Connect provider, so a user pool is called, and Google. Some
/// issuers end in a slash (Auth0's do), which IAM may have kept or not.
fn list_login_names(issuer: &str) -> Vec<String> {
    let whole = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let mut logins = vec![whole.trim_end_matches('/').to_owned(), whole.to_owned()];
    logins.dedup();
    logins
}

/// One round of questions under one name of the issuer.
struct PoolCall<'c> {
    pool: &'c IdentityPool,
    reach: &'c StsClient,
    login: &'c str,
    token: &'c VerifiedToken,
    now: fn() -> Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetIdResponse {
    identity_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PoolCredentialsResponse {
    credentials: PoolKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PoolKeys {
    access_key_id: String,
    secret_key: Secret,
    session_token: Secret,
    /// Seconds since 1970, with a fraction.
    expiration: f64,
}

impl PoolCall<'_> {
    async fn get_credentials(&self, known: Option<&str>) -> Result<GrantedCredentials, FailedStep> {
        if let Some(identity) = known {
            match self.get_for_identity(identity).await {
                // Somebody has deleted it; the pool makes a new one.
                Err(failed) if failed.error.is_refused_for(AwsRefusalReason::NotFound) => {}
                settled => return settled,
            }
        }
        let question = json!({ "IdentityPoolId": self.pool.id, "Logins": self.logins_json() });
        let failed = |error| FailedStep { step: ExchangeStep::PoolIdentity, error };
        let GetIdResponse { identity_id } = self.call_with_retries("GetId", &question).await.map_err(failed)?;
        self.get_for_identity(&identity_id).await
    }

    async fn get_for_identity(&self, identity: &str) -> Result<GrantedCredentials, FailedStep> {
        let failed = |error| FailedStep { step: ExchangeStep::PoolRole, error };
        let mut question = json!({ "IdentityId": identity, "Logins": self.logins_json() });
        if let (Some(role), Some(members)) = (&self.pool.role, question.as_object_mut()) {
            members.insert("CustomRoleArn".to_owned(), Value::from(role.as_str()));
        }
        let given = self
            .call_with_retries::<PoolCredentialsResponse>("GetCredentialsForIdentity", &question)
            .await
            .map_err(failed)?;
        let credentials = given.credentials.into_credentials((self.now)()).map_err(failed)?;
        let pool_identity = Some(identity.to_owned());
        Ok(GrantedCredentials { credentials, role: None, max_seconds: None, pool_identity })
    }

    fn logins_json(&self) -> Value {
        json!({ self.login: self.token.raw().expose() })
    }

    async fn call_with_retries<T: DeserializeOwned>(&self, call: &str, question: &Value) -> Result<T, Error> {
        let ask = async || {
            let request = Request::post(self.pool.endpoint.as_str())
                .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
                .header("x-amz-target", format!("AWSCognitoIdentityService.{call}"))
                .body(question.to_string().into_bytes())
                .expect("an address that was parsed makes a request");
            check_json_answer(self.pool.client.send(request).await.map_err(Error::Network)?)
        };
        let answer = self.reach.retry_transient(ask).await.map_err(|error| error.redact_token(self.token.raw()))?;
        http::parse_json_object(&answer.body).ok_or(Error::Flawed(CredentialsFlaw::Incomplete))
    }
}

impl PoolKeys {
    fn into_credentials(self, now: Timestamp) -> Result<AwsCredentials, Error> {
        let Self { access_key_id, secret_key, session_token, expiration } = self;
        let seconds = Duration::try_from_secs_f64(expiration).unwrap_or_default();
        let expiration = Timestamp::from_unix(i64::try_from(seconds.as_secs()).unwrap_or_default());
        validate_credentials(
            AwsCredentials { access_key_id, secret_access_key: secret_key, session_token, expiration },
            now,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_knows_an_issuer_by_its_address_without_the_scheme() {
        for (issuer, expected) in [
            ("https://accounts.google.com", &["accounts.google.com"][..]),
            (
                "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
                &["cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"],
            ),
            ("https://login.microsoftonline.com/72f9/v2.0", &["login.microsoftonline.com/72f9/v2.0"]),
            ("https://acme.eu.auth0.com/", &["acme.eu.auth0.com", "acme.eu.auth0.com/"]),
        ] {
            assert_eq!(list_login_names(issuer), expected, "{issuer}");
        }
    }
}
