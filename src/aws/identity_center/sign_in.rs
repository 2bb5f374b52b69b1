//! Signs a user in by the authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636): registers the client, builds
//! the address for the browser, and exchanges codes and refresh tokens.

use std::{fmt, time::Duration};

use openidconnect::url::Url;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    IdentityCenterClient,
    error::{IdentityCenterError, PortalCall},
    extend_path,
};
use crate::{
    http::{self, FullResponse},
    oidc::{CHALLENGE_METHOD, compute_code_challenge, generate_request_secret},
    secret::Secret,
    time::Timestamp,
};

/// The name that Identity Center shows when it asks the user for consent.
const CLIENT_NAME: &str = "bedrock-sso";

/// The scope of a token that the access portal accepts. With it AWS also issues a refresh token.
const ACCOUNT_SCOPE: &str = "sso:account:access";

pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// This program as a client of one Identity Center. AWS issues it, and it serves any number of sign-ins until it
/// expires. The client ID is no secret, but the whole value is stored sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    pub client_id: String,
    pub client_secret: Secret,
    pub expires_at: Timestamp,
    /// The redirect URI that AWS has registered.
    pub redirect_uri: String,
}

/// The authorization request of one sign-in, with the values that the response must match. No secret serves twice.
pub struct PortalRequest {
    /// The address for the browser. It contains the state, so it may not appear in a process list or a log.
    pub url: Url,
    /// Returns in the callback and proves that the callback belongs to this request.
    pub state: Secret,
    /// Proves that the program that sent the request also redeems the code.
    pub code_verifier: Secret,
    pub redirect_uri: String,
}

/// The tokens of one session in the access portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalTokens {
    pub access_token: Secret,
    pub expires_at: Timestamp,
    /// `None` after a refresh means that the previous refresh token stays valid.
    pub refresh_token: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationResponse {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    /// Seconds since 1970.
    client_secret_expires_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateTokenResponse {
    access_token: Option<Secret>,
    /// Seconds from now.
    expires_in: Option<u64>,
    refresh_token: Option<Secret>,
}

impl fmt::Debug for PortalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalRequest")
            .field("service", &self.url.authority())
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl IdentityCenterClient {
    /// Registers this program for the browser flow and the device flow (RegisterClient). `redirect_uri` names the
    /// loopback address without a port: AWS then accepts any port, but compares host and path.
    pub async fn register_client(
        &self,
        start_url: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<ClientRegistration, IdentityCenterError> {
        let question = json!({
            "clientName": CLIENT_NAME,
            "clientType": "public",
            "grantTypes": ["authorization_code", "refresh_token", DEVICE_GRANT],
            "issuerUrl": start_url,
            "redirectUris": [redirect_uri],
            "scopes": [ACCOUNT_SCOPE],
        });
        let answer = self.post_sign_in(PortalCall::RegisterClient, &["client", "register"], &question, &[]).await?;
        let given: RegistrationResponse = parse_answer(&answer)?;
        let lacks = IdentityCenterError::Incomplete;
        let expires_at = given.client_secret_expires_at.ok_or(lacks("clientSecretExpiresAt"))?;
        let registration = ClientRegistration {
            client_id: given.client_id.filter(|id| !id.is_empty()).ok_or(lacks("clientId"))?,
            client_secret: given.client_secret.filter(is_token).ok_or(lacks("clientSecret"))?,
            expires_at: Timestamp::from_unix(expires_at),
            redirect_uri: redirect_uri.to_owned(),
        };
        // A registration that never works would be requested again at each sign-in.
        if registration.expires_at > now { Ok(registration) } else { Err(IdentityCenterError::RegistrationExpired) }
    }

    /// Builds the request that the browser opens. `redirect_uri` is the listener's address, with its port.
    pub fn build_request(
        &self,
        registration: &ClientRegistration,
        redirect_uri: &str,
        random: &dyn Fn(&mut [u8]),
    ) -> PortalRequest {
        let [state, code_verifier] = [(); 2].map(|()| generate_request_secret(random));
        let mut url = extend_path(&self.endpoints.sign_in, &["authorize"]);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &registration.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", state.expose())
            .append_pair("code_challenge", &compute_code_challenge(&code_verifier))
            .append_pair("code_challenge_method", CHALLENGE_METHOD)
            // AWS names this parameter in the plural, unlike RFC 6749 §4.1.1.
            .append_pair("scopes", ACCOUNT_SCOPE);
        PortalRequest { url, state, code_verifier, redirect_uri: redirect_uri.to_owned() }
    }

    /// Exchanges the code of the callback for tokens (CreateToken).
    pub async fn exchange_code(
        &self,
        registration: &ClientRegistration,
        request: &PortalRequest,
        code: &Secret,
        now: Timestamp,
    ) -> Result<PortalTokens, IdentityCenterError> {
        let fields = json!({
            "grantType": "authorization_code",
            "code": code.expose(),
            "codeVerifier": request.code_verifier.expose(),
            "redirectUri": request.redirect_uri,
        });
        self.create_token(registration, fields, &[code, &request.code_verifier], now).await
    }

    /// Exchanges a refresh token for new tokens (CreateToken). AWS rotates it: the caller must store the new one before
    /// anything else can fail.
    pub async fn refresh(
        &self,
        registration: &ClientRegistration,
        refresh_token: &Secret,
        now: Timestamp,
    ) -> Result<PortalTokens, IdentityCenterError> {
        let fields = json!({ "grantType": "refresh_token", "refreshToken": refresh_token.expose() });
        self.create_token(registration, fields, &[refresh_token], now).await
    }

    /// Calls CreateToken with these fields and the client's own.
    pub(super) async fn create_token(
        &self,
        registration: &ClientRegistration,
        mut fields: Value,
        secrets: &[&Secret],
        now: Timestamp,
    ) -> Result<PortalTokens, IdentityCenterError> {
        if let Some(members) = fields.as_object_mut() {
            members.extend(client_fields(registration));
        }
        let secrets = [secrets, &[&registration.client_secret]].concat();
        let answer = self.post_sign_in(PortalCall::CreateToken, &["token"], &fields, &secrets).await?;
        let given: CreateTokenResponse = parse_answer(&answer)?;
        let lacks = IdentityCenterError::Incomplete;
        let lifetime = given.expires_in.filter(|seconds| *seconds > 0).ok_or(lacks("expiresIn"))?;
        Ok(PortalTokens {
            access_token: given.access_token.filter(is_token).ok_or(lacks("accessToken"))?,
            expires_at: now.saturating_add(Duration::from_secs(lifetime)),
            refresh_token: given.refresh_token.filter(|token| !token.expose().is_empty()),
        })
    }
}

/// The members that identify this program to the sign-in service.
pub(super) fn client_fields(registration: &ClientRegistration) -> [(String, Value); 2] {
    let ClientRegistration { client_id, client_secret, .. } = registration;
    [("clientId", client_id.as_str()), ("clientSecret", client_secret.expose())]
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
}

/// Parses an answer that has passed the check of its status. The parser's error text is dropped, because it quotes the
/// input.
pub(super) fn parse_answer<T: DeserializeOwned>(answer: &FullResponse) -> Result<T, IdentityCenterError> {
    http::parse_json_object(&answer.body).ok_or(IdentityCenterError::Incomplete("answer"))
}

/// Returns whether the text can be a token. It becomes a header, so it must be visible ASCII.
fn is_token(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}
