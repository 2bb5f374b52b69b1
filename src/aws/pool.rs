//! Cognito identity pools: an ID token for the credentials of the pool's role.
//!
//! Two unsigned questions in JSON, by hand over the one client: the SDK's crate for them is twenty-three operations and a
//! second copy of the endpoint rules. Which role the pool gives is for the pool.

use std::time::Duration;

use ::http::{Request, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, Failed, Flaw, Reason, Step, answer::plausible, endpoint, error::in_json, reach::Reach};
use crate::{
    config::{PoolId, Profile},
    credentials::Credentials,
    host::Environment,
    http::{self, Answer, Client},
    oidc::VerifiedToken,
    secret::Secret,
    time::Moment,
    url::SecureUrl,
};

/// A pool, where it is asked, and as whom.
#[derive(Debug)]
pub(super) struct Pool {
    client: Client,
    endpoint: SecureUrl,
    id: String,
    role: Option<String>,
    /// Under which names the pool may know the token's issuer, the likelier first.
    logins: Vec<String>,
}

/// What a pool gave.
pub(super) struct Drawn {
    pub(super) credentials: Credentials,
    /// The person's id in the pool, which never changes.
    pub(super) identity: String,
}

impl Pool {
    pub(super) fn new(
        client: &Client,
        id: &PoolId,
        role: Option<&str>,
        profile: &Profile,
        environment: &Environment,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: client.clone(),
            endpoint: endpoint::cognito(profile, id.region(), environment)?,
            id: id.as_str().to_owned(),
            role: role.map(str::to_owned),
            logins: logins(profile.issuer.as_str()),
        })
    }

    /// GetId, unless the identity is known, and GetCredentialsForIdentity.
    pub(super) async fn draw(
        &self,
        reach: &Reach,
        token: &VerifiedToken,
        known: Option<&str>,
        now: fn() -> Moment,
    ) -> Result<Drawn, Failed> {
        let mut refusal = None;
        for login in &self.logins {
            let call = Call { pool: self, reach, login, token, now };
            match call.draw(known).await {
                // The pool may know the issuer with its last slash.
                Err(failed) if failed.error.is(Reason::UnknownLogin) => refusal = refusal.or(Some(failed)),
                settled => return settled,
            }
        }
        Err(refusal.unwrap_or(Failed { step: Step::Identity, error: Error::Flawed(Flaw::Incomplete) }))
    }
}

/// The issuer without its scheme: so IAM names an OpenID Connect provider, so a user pool is called, and Google. Some
/// issuers end in a slash (Auth0's do), which IAM may have kept or not.
fn logins(issuer: &str) -> Vec<String> {
    let whole = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let plain = whole.trim_end_matches('/');
    let mut logins = vec![plain.to_owned()];
    if plain != whole {
        logins.push(whole.to_owned());
    }
    logins
}

/// One round of questions under one name of the issuer.
struct Call<'c> {
    pool: &'c Pool,
    reach: &'c Reach,
    login: &'c str,
    token: &'c VerifiedToken,
    now: fn() -> Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identified {
    identity_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    credentials: Keys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    secret_key: Secret,
    session_token: Secret,
    /// Seconds since 1970, with a fraction.
    expiration: f64,
}

impl Call<'_> {
    async fn draw(&self, known: Option<&str>) -> Result<Drawn, Failed> {
        if let Some(identity) = known {
            match self.credentials(identity).await {
                // Somebody has deleted it; the pool makes a new one.
                Err(failed) if failed.error.is(Reason::NotFound) => {}
                settled => return settled,
            }
        }
        let question = json!({ "IdentityPoolId": self.pool.id, "Logins": self.proof() });
        let failed = |error| Failed { step: Step::Identity, error };
        let Identified { identity_id } = self.ask("GetId", &question).await.map_err(failed)?;
        self.credentials(&identity_id).await
    }

    async fn credentials(&self, identity: &str) -> Result<Drawn, Failed> {
        let failed = |error| Failed { step: Step::PoolRole, error };
        let mut question = json!({ "IdentityId": identity, "Logins": self.proof() });
        if let (Some(role), Some(members)) = (&self.pool.role, question.as_object_mut()) {
            members.insert("CustomRoleArn".to_owned(), Value::from(role.as_str()));
        }
        let given = self.ask::<Given>("GetCredentialsForIdentity", &question).await.map_err(failed)?;
        let credentials = given.credentials.checked((self.now)()).map_err(failed)?;
        Ok(Drawn { credentials, identity: identity.to_owned() })
    }

    fn proof(&self) -> Value {
        json!({ self.login: self.token.raw().expose() })
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, call: &str, question: &Value) -> Result<T, Error> {
        let answer = self.reach.patiently(async || self.post(call, question).await).await;
        let answer = answer.map_err(|error| error.without(self.token.raw()))?;
        http::object(&answer.body).ok_or(Error::Flawed(Flaw::Incomplete))
    }

    async fn post(&self, call: &str, question: &Value) -> Result<Answer, Error> {
        let request = Request::post(self.pool.endpoint.as_str())
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityService.{call}"))
            .body(question.to_string().into_bytes())
            .expect("an address that was parsed makes a request");
        in_json(self.pool.client.send(request).await.map_err(Error::Network)?)
    }
}

impl Keys {
    fn checked(self, now: Moment) -> Result<Credentials, Error> {
        let Self { access_key_id, secret_key, session_token, expiration } = self;
        let seconds = Duration::try_from_secs_f64(expiration).unwrap_or_default();
        let expiration = Moment::from_unix(i64::try_from(seconds.as_secs()).unwrap_or_default());
        plausible(
            Credentials { access_key_id, secret_access_key: secret_key, session_token, expiration },
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
            assert_eq!(logins(issuer), expected, "{issuer}");
        }
    }
}
