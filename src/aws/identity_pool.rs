//! Cognito identity pools: exchanges an ID token for the credentials of a role that the pool chooses.
//!
//! It sends two unsigned JSON requests with the HTTP client. The SDK's crate for Cognito would add twenty-three
//! operations and a second copy of the endpoint rules.

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
    config::{IdentityPoolId, OidcSettings, Profile},
    credentials::AwsCredentials,
    host::Environment,
    http::{self, Client},
    oidc::VerifiedToken,
    secret::Secret,
    time::Timestamp,
    url::SecureUrl,
};

/// A pool, its endpoint, and the role to request.
#[derive(Debug)]
pub(super) struct IdentityPool {
    client: Client,
    endpoint: SecureUrl,
    id: String,
    /// The role to request, if the profile names one. Otherwise the pool chooses.
    role: Option<String>,
    /// The names by which the pool may know the token's issuer, the more likely first.
    logins: Vec<String>,
}

impl IdentityPool {
    pub(super) fn new(
        client: &Client,
        id: &IdentityPoolId,
        role: Option<&str>,
        oidc: &OidcSettings,
        profile: &Profile,
        environment: &Environment,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: client.clone(),
            endpoint: resolve_endpoint(AwsService::Cognito, profile, id.region(), environment)?,
            id: id.as_str().to_owned(),
            role: role.map(str::to_owned),
            logins: list_login_names(oidc.issuer.as_str()),
        })
    }

    /// Calls GetId, unless `known` has the identity, and then GetCredentialsForIdentity. It tries the second name of
    /// the issuer only if the pool does not know the first.
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
                // The pool may know the issuer with its trailing slash.
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

/// Lists the names of the issuer in a pool. IAM names an OpenID Connect provider by the issuer without its scheme, and
/// so do user pools and Google. Some issuers, for example Auth0's, end with a slash, which IAM may have removed.
fn list_login_names(issuer: &str) -> Vec<String> {
    let whole = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let mut logins = vec![whole.trim_end_matches('/').to_owned(), whole.to_owned()];
    logins.dedup();
    logins
}

/// The requests of one exchange, with one name of the issuer.
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

/// The members of the answer, by the names of Cognito's API, which differ from those of STS.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PoolKeys {
    access_key_id: String,
    secret_key: Secret,
    session_token: Secret,
    /// Seconds since 1970. They can have decimals.
    expiration: f64,
}

impl PoolCall<'_> {
    /// Uses the known identity if the pool still has it, or else requests one.
    async fn get_credentials(&self, known: Option<&str>) -> Result<GrantedCredentials, FailedStep> {
        if let Some(identity) = known {
            match self.get_for_identity(identity).await {
                // An administrator has deleted the identity. The pool creates a new one.
                Err(failed) if failed.error.is_refused_for(AwsRefusalReason::NotFound) => {}
                settled => return settled,
            }
        }
        let question = json!({ "IdentityPoolId": self.pool.id, "Logins": self.logins_json() });
        let failed = |error| FailedStep { step: ExchangeStep::PoolIdentity, error };
        let GetIdResponse { identity_id } = self.call_with_retries("GetId", &question).await.map_err(failed)?;
        self.get_for_identity(&identity_id).await
    }

    /// Requests the credentials of an identity. The caller asks AWS for the role's name afterwards.
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

    /// Calls one operation and retries transient failures. An error never quotes the token.
    async fn call_with_retries<T: DeserializeOwned>(&self, call: &str, question: &Value) -> Result<T, Error> {
        let ask = async || {
            let request = Request::post(self.pool.endpoint.as_str())
                .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
                .header("x-amz-target", format!("AWSCognitoIdentityService.{call}"))
                .body(question.to_string().into_bytes())
                .expect("a parsed address forms a valid request");
            check_json_answer(self.pool.client.send(request).await.map_err(Error::Network)?)
        };
        let answer = self.reach.retry_transient(ask).await.map_err(|error| error.redact_token(self.token.raw()))?;
        http::parse_json_object(&answer.body).ok_or(Error::Flawed(CredentialsFlaw::Incomplete))
    }
}

impl PoolKeys {
    /// Checks the credentials. An expiry that is not a date counts as 1970, and so as expired.
    fn into_credentials(self, now: Timestamp) -> Result<AwsCredentials, Error> {
        let Self { access_key_id, secret_key, session_token, expiration } = self;
        let seconds = Duration::try_from_secs_f64(expiration).unwrap_or_default();
        let expiration = Timestamp::from_unix(i64::try_from(seconds.as_secs()).unwrap_or_default());
        let given = AwsCredentials { access_key_id, secret_access_key: secret_key, session_token, expiration };
        validate_credentials(given, now).map_err(Error::Flawed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_login_name_is_the_issuer_without_scheme() {
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
