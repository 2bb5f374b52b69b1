//! Signs a user in by the authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636): registers the client, builds
//! the address for the browser, and exchanges codes and refresh tokens.

use std::{fmt, time::Duration};

use openidconnect::url::Url;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    IdentityCenterClient,
    error::{IdentityCenterError, PortalCall},
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

/// This program as a client of one Identity Center, for one of the two flows. AWS issues it, and it serves any number of
/// sign-ins and refreshes until it expires. Tokens can be refreshed only with the registration that they were issued to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    pub client_id: String,
    pub client_secret: Secret,
    pub expires_at: Timestamp,
    /// The registered redirect URI; `None` for the device flow.
    pub redirect_uri: Option<String>,
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
    /// Registers this program for the browser flow (RegisterClient). In `redirect_uri`, AWS accepts only the host
    /// `127.0.0.1` and the path `/oauth/callback`. If it has no port, a request can have any port (RFC 8252 §7.3).
    ///
    /// A registration for both flows is impossible: AWS refuses the two grants together with `InvalidScopeException` or
    /// status 500.
    pub async fn register_client(
        &self,
        start_url: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<ClientRegistration, IdentityCenterError> {
        let question = json!({
            "clientName": CLIENT_NAME,
            "clientType": "public",
            "grantTypes": ["authorization_code", "refresh_token"],
            "issuerUrl": start_url,
            "redirectUris": [redirect_uri],
            "scopes": [ACCOUNT_SCOPE],
        });
        self.send_registration(PortalCall::NamedStartUrl, &question, Some(redirect_uri), now).await
    }

    /// Registers this program for the device flow (RegisterClient). Without grant types, AWS permits the device flow
    /// and refreshes. The request does not name the Identity Center, so the registration serves all of its region.
    pub async fn register_device_client(&self, now: Timestamp) -> Result<ClientRegistration, IdentityCenterError> {
        let question = json!({ "clientName": CLIENT_NAME, "clientType": "public", "scopes": [ACCOUNT_SCOPE] });
        self.send_registration(PortalCall::SignIn, &question, None, now).await
    }

    async fn send_registration(
        &self,
        call: PortalCall,
        question: &Value,
        redirect_uri: Option<&str>,
        now: Timestamp,
    ) -> Result<ClientRegistration, IdentityCenterError> {
        let answer = self.post_sign_in(call, &["client", "register"], question, &[]).await?;
        let given: RegistrationResponse = parse_answer(answer)?;
        let lacks = IdentityCenterError::Incomplete;
        let expires_at = given.client_secret_expires_at.ok_or(lacks("clientSecretExpiresAt"))?;
        let registration = ClientRegistration {
            client_id: given.client_id.filter(|id| !id.is_empty()).ok_or(lacks("clientId"))?,
            client_secret: given.client_secret.filter(is_token).ok_or(lacks("clientSecret"))?,
            expires_at: Timestamp::from_unix(expires_at),
            redirect_uri: redirect_uri.map(str::to_owned),
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
        let mut url = self.endpoints.sign_in.extend_path(&["authorize"]).as_url().clone();
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
        let answer = self.post_sign_in(PortalCall::SignIn, &["token"], &fields, &secrets).await?;
        let given: CreateTokenResponse = parse_answer(answer)?;
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

/// Parses an answer that has passed the check of its status, and overwrites its text, which can contain tokens. The
/// parser's error text is dropped, because it quotes the input.
pub(super) fn parse_answer<T: DeserializeOwned>(answer: FullResponse) -> Result<T, IdentityCenterError> {
    http::parse_json_object(&Zeroizing::new(answer.body)).ok_or(IdentityCenterError::Incomplete("answer"))
}

/// Returns whether the text can be a token. It becomes a header, so it must be visible ASCII.
fn is_token(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{
        super::testing::{REDIRECT_URI, START_URL, TestIdentityCenter, build_registration, sign_in_request},
        *,
    };
    use crate::{aws::testing::NOW, http::testing::block_on};

    const REGISTERED: &str = r#"{"authorizationEndpoint":null,"clientId":"client","clientIdIssuedAt":1893456000,
        "clientSecret":"client-secret","clientSecretExpiresAt":1901232000,"tokenEndpoint":null}"#;
    const TOKENS: &str =
        r#"{"accessToken":"access","expiresIn":3600,"idToken":null,"refreshToken":"next","tokenType":"Bearer"}"#;

    fn register(server: &TestIdentityCenter) -> Result<ClientRegistration, IdentityCenterError> {
        block_on(server.client().register_client(START_URL, REDIRECT_URI, NOW))
    }

    fn refresh(server: &TestIdentityCenter) -> Result<PortalTokens, IdentityCenterError> {
        block_on(server.client().refresh(&build_registration(), &Secret::new("refresh"), NOW))
    }

    fn build_tokens() -> PortalTokens {
        PortalTokens {
            access_token: Secret::new("access"),
            expires_at: NOW.saturating_add(Duration::from_secs(3600)),
            refresh_token: Some(Secret::new("next")),
        }
    }

    /// Fills each call's bytes with the number of the call, so that all secrets differ.
    fn build_request(server: &TestIdentityCenter) -> PortalRequest {
        let calls = Cell::new(0);
        let random = |bytes: &mut [u8]| {
            calls.set(calls.get() + 1);
            bytes.fill(calls.get());
        };
        server.client().build_request(&build_registration(), "http://127.0.0.1:8400/oauth/callback", &random)
    }

    #[test]
    fn browser_registration_names_grants_and_redirect_uri() {
        let server = TestIdentityCenter::granting(REGISTERED);
        assert_eq!(register(&server), Ok(build_registration()));
        server.assert_request(&sign_in_request(
            "/client/register",
            "{\"clientName\":\"bedrock-sso\",\"clientType\":\"public\",\
             \"grantTypes\":[\"authorization_code\",\"refresh_token\"],\
             \"issuerUrl\":\"https://acme.awsapps.com/start\",\
             \"redirectUris\":[\"http://127.0.0.1/oauth/callback\"],\"scopes\":[\"sso:account:access\"]}",
        ));
    }

    #[test]
    fn device_registration_names_no_grants() {
        let server = TestIdentityCenter::granting(REGISTERED);
        let registration = block_on(server.client().register_device_client(NOW));
        assert_eq!(registration, Ok(ClientRegistration { redirect_uri: None, ..build_registration() }));
        server.assert_request(&sign_in_request(
            "/client/register",
            r#"{"clientName":"bedrock-sso","clientType":"public","scopes":["sso:account:access"]}"#,
        ));
    }

    #[test]
    fn registration_survives_storage_and_hides_its_secret() {
        let registration = build_registration();
        let stored = serde_json::to_string(&registration).unwrap();
        assert_eq!(serde_json::from_str::<ClientRegistration>(&stored).unwrap(), registration);
        assert!(!format!("{registration:?}{:?}", build_tokens()).contains("client-secret"));
    }

    #[test]
    fn registration_without_a_member_is_incomplete() {
        for (member, value) in
            [("clientId", "\"client\""), ("clientSecret", "\"client-secret\""), ("clientSecretExpiresAt", "1901232000")]
        {
            let replaced = |by: &str| REGISTERED.replace(&format!("\"{member}\":{value}"), by);
            for body in [replaced("\"other\":1"), replaced(&format!("\"{member}\":null"))] {
                assert_eq!(
                    register(&TestIdentityCenter::granting(&body)),
                    Err(IdentityCenterError::Incomplete(member))
                );
            }
        }
        let spaced = REGISTERED.replace("client-secret", "client secret");
        let error = register(&TestIdentityCenter::granting(&spaced)).unwrap_err();
        assert_eq!(error, IdentityCenterError::Incomplete("clientSecret"));
    }

    #[test]
    fn registration_that_has_expired_already_is_rejected() {
        let expired = REGISTERED.replace("1901232000", &NOW.unix_seconds().to_string());
        let error = register(&TestIdentityCenter::granting(&expired)).unwrap_err();
        assert_eq!(error, IdentityCenterError::RegistrationExpired);
        assert!(!error.is_network());
    }

    #[test]
    fn browser_address_contains_state_and_challenge() {
        let server = TestIdentityCenter::granting("{}");
        let request = build_request(&server);
        let state = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        assert_eq!(request.state.expose(), state);
        let challenge = compute_code_challenge(&request.code_verifier);
        let (before, query) = request.url.as_str().split_once('?').unwrap();
        assert!(before.ends_with("/oidc/authorize"), "{before}");
        let expected = format!(
            "response_type=code&client_id=client&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Foauth%2Fcallback\
             &state={state}&code_challenge={challenge}&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess"
        );
        assert_eq!(query, expected);
        assert_ne!(request.state, request.code_verifier);
        assert!(!format!("{request:?}").contains(state));
    }

    #[test]
    fn code_is_exchanged_with_verifier_and_redirect_uri() {
        let server = TestIdentityCenter::granting(TOKENS);
        let request = build_request(&server);
        let code = Secret::new("the-code");
        let tokens = block_on(server.client().exchange_code(&build_registration(), &request, &code, NOW));
        assert_eq!(tokens, Ok(build_tokens()));
        server.assert_request(&sign_in_request(
            "/token",
            "{\"clientId\":\"client\",\"clientSecret\":\"client-secret\",\"code\":\"the-code\",\
             \"codeVerifier\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\",\"grantType\":\"authorization_code\",\
             \"redirectUri\":\"http://127.0.0.1:8400/oauth/callback\"}",
        ));
    }

    #[test]
    fn refresh_sends_the_refresh_token_once() {
        let server = TestIdentityCenter::granting(TOKENS);
        assert_eq!(refresh(&server), Ok(build_tokens()));
        let body = "{\"clientId\":\"client\",\"clientSecret\":\"client-secret\",\"grantType\":\"refresh_token\",\
                    \"refreshToken\":\"refresh\"}";
        server.assert_request(&sign_in_request("/token", body));
    }

    #[test]
    fn token_request_is_never_repeated() {
        let server = TestIdentityCenter::answering(vec![("503 Service Unavailable", "", "{\"error\":\"x\"}".into())]);
        assert!(refresh(&server).unwrap_err().is_network());
        assert_eq!(server.take_requests().len(), 1);
    }

    #[test]
    fn refresh_without_a_new_token_has_none() {
        for missing in [r#""refreshToken":null"#, r#""refreshToken":"""#, r#""other":1"#] {
            let body = TOKENS.replace(r#""refreshToken":"next""#, missing);
            let tokens = refresh(&TestIdentityCenter::granting(&body));
            assert_eq!(tokens, Ok(PortalTokens { refresh_token: None, ..build_tokens() }));
        }
    }

    #[test]
    fn token_answer_without_a_valid_member_is_incomplete() {
        for (was, is, member) in [
            (r#""accessToken":"access""#, r#""x":1"#, "accessToken"),
            (r#""accessToken":"access""#, r#""accessToken":"""#, "accessToken"),
            (r#""accessToken":"access""#, r#""accessToken":"a\r\nb""#, "accessToken"),
            (r#""expiresIn":3600"#, r#""x":1"#, "expiresIn"),
            (r#""expiresIn":3600"#, r#""expiresIn":0"#, "expiresIn"),
            (r#""expiresIn":3600"#, r#""expiresIn":-5"#, "answer"),
        ] {
            let server = TestIdentityCenter::granting(&TOKENS.replace(was, is));
            assert_eq!(refresh(&server), Err(IdentityCenterError::Incomplete(member)), "{is}");
        }
    }
}
