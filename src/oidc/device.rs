//! The device authorization grant (RFC 8628): the user enters a short code in a browser on any device while this
//! program polls the token endpoint.
//!
//! Each call sends one request. `session` decides how often to poll and when to stop. The grant has no protection
//! against a user who is tricked into entering an attacker's code (RFC 8628 §5.4), so `session` prefers the browser.

use std::{fmt, time::Duration};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    TokenResponse, UnverifiedToken,
    authorization_request::{
        CHALLENGE_METHOD, compute_code_challenge, generate_request_secret, log_omitted_scope, select_scopes,
    },
    discovery::parse_endpoint,
    error::{Error, PollPace, ProviderEndpoint, ResponseSource},
    form::{DEVICE_GRANT_TYPE, ProviderForm, ProviderSession},
    proof_request::build_proof_parameters,
    response::parse_body,
};
use crate::{config::Issuer, http::FullResponse, secret::Secret, text::sanitize_line, url::SecureUrl};

/// The poll interval, in seconds, of a provider that states none (RFC 8628 §3.2).
const DEFAULT_INTERVAL: u64 = 5;
/// The longest accepted poll interval, in seconds. A longer one is a mistake and would outlast the user's patience.
const MAX_INTERVAL: u64 = 60;
/// The lifetime, in seconds, of a code whose provider omits the required `expires_in`.
const DEFAULT_CODE_LIFETIME: u64 = 600;
/// The longest user code. A longer one cannot be typed, so the answer is treated as incomplete.
const MAX_USER_CODE_LENGTH: usize = 64;

/// A device code as the user sees it, from a provider or from an Identity Center.
#[derive(Clone)]
pub struct ShownCode {
    /// The code that the user types. The program shows it and never logs it: during its lifetime it can approve a
    /// sign-in.
    pub user_code: String,
    /// The page where the user enters the code.
    pub verification_uri: SecureUrl,
    /// The same page with the code in its address (RFC 8628 §3.3.1).
    pub verification_uri_complete: Option<SecureUrl>,
    pub interval: Duration,
    pub lifetime: Duration,
}

impl fmt::Debug for ShownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShownCode").field("address", &self.verification_uri).finish_non_exhaustive()
    }
}

/// The codes and addresses that the provider issued for one sign-in.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    pub shown: ShownCode,
    device_code: Secret,
    /// Proves at the token endpoint that the program that requested the code also redeems it (RFC 7636 §4.5). `None`
    /// if the request had no challenge.
    code_verifier: Option<Secret>,
}

/// How long a device code is valid, and how often to poll for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceCodeTimes {
    pub(crate) interval: Duration,
    pub(crate) lifetime: Duration,
}

impl DeviceCodeTimes {
    /// Limits the seconds that the server states and replaces missing ones. Without the lower limit, an interval of
    /// zero would cause a busy loop.
    pub(crate) fn from_stated(interval: Option<u64>, lifetime: Option<u64>) -> Self {
        let interval = interval.unwrap_or(DEFAULT_INTERVAL).clamp(1, MAX_INTERVAL);
        let lifetime = lifetime.unwrap_or(DEFAULT_CODE_LIFETIME);
        Self { interval: Duration::from_secs(interval), lifetime: Duration::from_secs(lifetime) }
    }
}

#[derive(Debug)]
pub enum DevicePollOutcome {
    Waiting(PollPace),
    Granted(UnverifiedToken, TokenResponse),
}

impl ProviderSession<'_> {
    /// Requests a device code. The grant has no `nonce`. The device code, which only this program and the provider
    /// know, binds the tokens to this request.
    ///
    /// RFC 8628 does not mention PKCE, but Keycloak requires it of a client that must use PKCE. Other providers ignore
    /// the parameters (RFC 6749 §3.1), except those of `ProviderSpec::device_pkce`.
    pub async fn request_device_code(
        &self,
        endpoint: &SecureUrl,
        random: &dyn Fn(&mut [u8]),
    ) -> Result<DeviceCode, Error> {
        let settings = self.application.settings;
        let scope = select_scopes(settings, self.metadata);
        log_omitted_scope(settings, &scope);
        let code_verifier = settings.provider.spec().device_pkce.then(|| generate_request_secret(random));
        let challenge = code_verifier.as_ref().map(compute_code_challenge);
        let mut fields = vec![("scope", scope.as_str())];
        if let Some(challenge) = &challenge {
            fields.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", CHALLENGE_METHOD)]);
        }
        let proof = build_proof_parameters(settings, self.metadata);
        fields.extend(proof.iter().map(|(name, value)| (*name, value.as_str())));
        let own = settings.extra_params.iter().filter(|(_, value)| !value.is_empty());
        fields.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        let endpoint = self.metadata.auth_endpoint(ProviderEndpoint::DeviceAuthorization, endpoint);
        let form = ProviderForm { endpoint, fields: &fields, secrets: &[], origin: None };
        let source = form.endpoint.response_source();
        parse_device_response(&source, self.post(&form).await?, &settings.issuer, code_verifier)
    }

    /// Polls once. A refusal other than "pending" or "slow down" ends the sign-in (RFC 8628 §3.5).
    pub async fn poll_device_code(&self, code: &DeviceCode) -> Result<DevicePollOutcome, Error> {
        let DeviceCode { device_code, code_verifier, .. } = code;
        let mut fields = vec![("grant_type", DEVICE_GRANT_TYPE), ("device_code", device_code.expose())];
        fields.extend(code_verifier.as_ref().map(|verifier| ("code_verifier", verifier.expose())));
        let secrets: Vec<&Secret> = std::iter::once(device_code).chain(code_verifier).collect();
        match self.request_tokens(&fields, &secrets).await {
            Ok(tokens) => {
                tokens.require_id_token(self.metadata).map(|(token, tokens)| DevicePollOutcome::Granted(token, tokens))
            }
            Err(error) => error.poll_pace().map(DevicePollOutcome::Waiting).ok_or(error),
        }
    }
}

/// The answer of RFC 8628 §3.2. Google names the address `verification_url`, as an earlier draft did.
#[derive(Deserialize)]
struct DeviceResponse {
    device_code: Option<Secret>,
    user_code: Option<String>,
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<LenientSeconds>,
    interval: Option<LenientSeconds>,
}

/// A number of seconds, which some providers send as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum LenientSeconds {
    Number(u64),
    Text(String),
}

/// Checks the answer. The addresses must be https like every endpoint, because the program sends the user there to
/// type a password.
fn parse_device_response(
    source: &ResponseSource,
    answer: FullResponse,
    issuer: &Issuer,
    code_verifier: Option<Secret>,
) -> Result<DeviceCode, Error> {
    let given: DeviceResponse = parse_body(source.clone(), &Zeroizing::new(answer.body))?;
    let lacks = |lacks| Error::MissingMember { source: source.clone(), member: lacks };
    let seconds = |stated| match stated? {
        LenientSeconds::Number(number) => Some(number),
        LenientSeconds::Text(text) => text.parse().ok(),
    };
    let DeviceCodeTimes { interval, lifetime } =
        DeviceCodeTimes::from_stated(seconds(given.interval), seconds(given.expires_in));
    let address = given.verification_uri.ok_or_else(|| lacks("verification_uri"))?;
    Ok(DeviceCode {
        device_code: given.device_code.filter(|code| !code.expose().is_empty()).ok_or_else(|| lacks("device_code"))?,
        shown: ShownCode {
            user_code: given.user_code.and_then(check_user_code).ok_or_else(|| lacks("user_code"))?,
            verification_uri: parse_endpoint(issuer, "verification_uri", &address)?,
            verification_uri_complete: given
                .verification_uri_complete
                .map(|address| parse_endpoint(issuer, "verification_uri_complete", &address))
                .transpose()?,
            interval,
            lifetime,
        },
        code_verifier,
    })
}

/// Accepts a code that is safe to print. Control or direction characters in it could rewrite the terminal and so
/// display another address than the one that the program opens.
pub(crate) fn check_user_code(code: String) -> Option<String> {
    let is_plain = !code.trim().is_empty() && code.len() <= MAX_USER_CODE_LENGTH && sanitize_line(&code) == code;
    is_plain.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Provider,
        http::{
            self, TrustConfig,
            testing::{LoopbackServer, block_on, test_client},
        },
        oidc::testing::{
            server_authority, server_base_url, start_provider, test_application, test_metadata, test_settings,
        },
        text::UntrustedText,
        url::SecureUrlError,
    };

    const GIVEN: &str = r#"{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://id.example/device","expires_in":900}"#;

    fn asked(server: &LoopbackServer) -> Result<DeviceCode, Error> {
        asked_by(Provider::Generic, server)
    }

    fn asked_by(kind: Provider, server: &LoopbackServer) -> Result<DeviceCode, Error> {
        let (settings, metadata) = (test_settings(kind), test_metadata(&server_base_url(server)));
        let endpoint = SecureUrl::parse(&format!("{}/device", server_base_url(server))).unwrap();
        let application = test_application(&settings, None);
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.request_device_code(&endpoint, &|bytes| bytes.fill(1)))
    }

    fn asked_of(answer: &str) -> Result<DeviceCode, Error> {
        asked(&start_provider("200 OK", "", answer))
    }

    fn polled(status: &str, answer: &str) -> Result<DevicePollOutcome, Error> {
        let server = start_provider(status, "", answer);
        let (settings, metadata) = (test_settings(Provider::Generic), test_metadata(&server_base_url(&server)));
        let code = asked_of(GIVEN).unwrap();
        let application = test_application(&settings, None);
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.poll_device_code(&code))
    }

    #[test]
    fn device_request_sends_client_scopes_and_parameters() {
        let server = start_provider("200 OK", "", GIVEN);
        let mut settings = test_settings(Provider::Generic);
        settings.extra_params.insert("audience".into(), "https://api.example/".into());
        let endpoint = SecureUrl::parse(&format!("{}/device", server_base_url(&server))).unwrap();
        let metadata = test_metadata(&server_base_url(&server));
        let application = test_application(&settings, None);
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        let code = block_on(provider.request_device_code(&endpoint, &|bytes| bytes.fill(1))).unwrap();
        assert_eq!(code.shown.user_code, "WDJB-MJHT");
        let verifier = code.code_verifier.as_ref().unwrap();
        assert!(!format!("{code:?}").contains(verifier.expose()));
        let request = server.requests.recv().unwrap();
        assert!(request.starts_with("POST /device HTTP/1.1\r\n"), "{request}");
        let form = format!(
            "scope=openid+profile+email+offline_access&code_challenge={}&code_challenge_method=S256\
             &audience=https%3A%2F%2Fapi.example%2F&client_id=client",
            compute_code_challenge(verifier)
        );
        assert!(request.ends_with(&form), "{request}");
    }

    /// The form of the first poll for a code that this kind of provider has issued.
    fn first_poll(kind: Provider) -> (DeviceCode, String) {
        let (given, polled) = (start_provider("200 OK", "", GIVEN), start_provider("400 Bad Request", "", "{}"));
        let code = asked_by(kind, &given).unwrap();
        let (settings, metadata) = (test_settings(kind), test_metadata(&server_base_url(&polled)));
        let (client, application) = (test_client(&TrustConfig::default()), test_application(&settings, None));
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.poll_device_code(&code)).unwrap_err();
        let request = polled.requests.recv().unwrap();
        (code, request.rsplit_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[test]
    fn poll_sends_the_verifier_of_its_device_code() {
        let (code, form) = first_poll(Provider::Generic);
        let verifier = code.code_verifier.unwrap();
        let end = format!("&device_code=d&code_verifier={}&client_id=client", verifier.expose());
        assert!(form.ends_with(&end), "{form}");
    }

    #[test]
    fn google_device_flow_has_no_pkce_parameters() {
        let server = start_provider("200 OK", "", GIVEN);
        asked_by(Provider::Google, &server).unwrap();
        let request = server.requests.recv().unwrap();
        assert!(!request.contains("code_challenge"), "{request}");
        let (_, form) = first_poll(Provider::Google);
        assert!(form.ends_with("&device_code=d&client_id=client"), "{form}");
    }

    #[test]
    fn device_times_have_defaults_and_may_be_quoted() {
        let code = asked_of(GIVEN).unwrap();
        assert_eq!((code.shown.interval, code.shown.lifetime), (Duration::from_secs(5), Duration::from_secs(900)));
        assert!(code.shown.verification_uri_complete.is_none() && !format!("{code:?}").contains("WDJB"));
        let quoted = GIVEN.replace("900", "\"60\",\"interval\":\"2\"").replace("verification_uri", "verification_url");
        let code = asked_of(&quoted).unwrap();
        assert_eq!((code.shown.interval, code.shown.lifetime), (Duration::from_secs(2), Duration::from_secs(60)));
    }

    #[test]
    fn unprintable_or_too_long_user_code_is_rejected() {
        for code in ["", " ", "a\\u001b[31m", "a\\u202eb", "a\\nb", &"x".repeat(65)] {
            let given = GIVEN.replace("WDJB-MJHT", code);
            assert!(matches!(asked_of(&given), Err(Error::MissingMember { member: "user_code", .. })), "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_needed_member_names_it() {
        for lacks in ["device_code", "user_code", "verification_uri"] {
            let server = start_provider("200 OK", "", &GIVEN.replace(lacks, "other"));
            let source =
                ResponseSource { endpoint: ProviderEndpoint::DeviceAuthorization, host: server_authority(&server) };
            assert_eq!(asked(&server).map(drop), Err(Error::MissingMember { source, member: lacks }));
        }
    }

    #[test]
    fn unsafe_verification_address_is_rejected() {
        let refusal = asked_of(&GIVEN.replace("https://id", "http://id")).map(drop);
        let stated = UntrustedText::new("http://id.example/device");
        let name = "verification_uri";
        assert_eq!(refusal, Err(Error::UnusableEndpoint { name, stated, refusal: SecureUrlError::NotSecure }));
        let refusal = asked_of(&GIVEN.replace("https://id.example", "http://127.0.0.1:1")).map(drop);
        assert!(matches!(refusal, Err(Error::UnusableEndpoint { .. })), "the issuer is elsewhere");
    }

    #[test]
    fn pending_and_slow_down_continue_with_any_status() {
        for status in ["400 Bad Request", "403 Forbidden", "428 Precondition Required"] {
            let said = |error: &str| polled(status, &format!(r#"{{"error":"{error}"}}"#));
            assert!(matches!(said("authorization_pending"), Ok(DevicePollOutcome::Waiting(PollPace::Unchanged))));
            assert!(matches!(said("slow_down"), Ok(DevicePollOutcome::Waiting(PollPace::SlowDown))));
            assert!(said("expired_token").is_err_and(|error| error.is_expired_device_code()));
            assert!(
                said("access_denied")
                    .is_err_and(|error| !error.is_expired_device_code() && !error.lacks_provider_answer())
            );
        }
    }

    #[test]
    fn polling_continues_only_where_the_provider_may_answer_later() {
        assert!(polled("503 Service Unavailable", "").is_err_and(|error| error.lacks_provider_answer()));
        for status in ["404 Not Found", "405 Method Not Allowed"] {
            assert!(polled(status, "").is_err_and(|error| !error.lacks_provider_answer()), "{status}");
        }
        for error in [http::Error::Internal, http::Error::NotSecure { host: "id.example".into() }] {
            assert!(!Error::from(error).lacks_provider_answer());
        }
        assert!(Error::from(http::Error::Connect { host: "id.example".into() }).lacks_provider_answer());
        assert!(polled("200 OK", "<html>").is_err_and(|error| error.lacks_provider_answer()));
        let error = polled("200 OK", r#"{"access_token":"at"}"#).unwrap_err();
        assert!(matches!(error, Error::MissingMember { member: "id_token", .. }) && !error.lacks_provider_answer());
    }
}
