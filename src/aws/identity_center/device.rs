//! Signs a user in by the device authorization grant (RFC 8628): the user enters a short code in a browser on any device
//! while this program polls.
//!
//! Each call sends one request. `session` decides how often to poll and when to stop.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ClientRegistration, IdentityCenterClient, PortalTokens,
    error::{IdentityCenterError, PortalCall, PortalRefusal},
    sign_in::{DEVICE_GRANT, client_fields, parse_answer},
};
use crate::{
    oidc::{DeviceCodeTimes, ShownCode, check_user_code},
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
    url::{SecureUrl, SecureUrlError},
};

/// The codes and addresses that AWS issued for one sign-in.
#[derive(Clone, Debug)]
pub struct PortalDeviceCode {
    pub shown: ShownCode,
    device_code: Secret,
}

/// The answer to one poll.
#[derive(Debug)]
pub enum PortalPollOutcome {
    Granted(PortalTokens),
    /// The user has not approved the sign-in yet.
    Pending,
    /// As `Pending`, but the caller must poll less often (RFC 8628 §3.5).
    SlowDown,
    /// The device code has expired.
    Expired,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceAuthorizationResponse {
    device_code: Option<Secret>,
    user_code: Option<String>,
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<u64>,
    interval: Option<u64>,
}

impl IdentityCenterClient {
    /// Requests a device code (StartDeviceAuthorization).
    pub async fn request_device_code(
        &self,
        registration: &ClientRegistration,
        start_url: &str,
    ) -> Result<PortalDeviceCode, IdentityCenterError> {
        let mut fields: Map<_, _> = client_fields(registration).into_iter().collect();
        fields.insert("startUrl".to_owned(), Value::from(start_url));
        let secrets = [&registration.client_secret];
        let question = Value::Object(fields);
        let path = ["device_authorization"];
        let answer = self.post_sign_in(PortalCall::NamedStartUrl, &path, &question, &secrets).await?;
        let given: DeviceAuthorizationResponse = parse_answer(answer)?;
        let lacks = IdentityCenterError::Incomplete;
        let page = given.verification_uri.ok_or(lacks("verificationUri"))?;
        let complete = given.verification_uri_complete;
        let DeviceCodeTimes { interval, lifetime } = DeviceCodeTimes::from_stated(given.interval, given.expires_in);
        Ok(PortalDeviceCode {
            device_code: given.device_code.filter(|code| !code.expose().is_empty()).ok_or(lacks("deviceCode"))?,
            shown: ShownCode {
                user_code: given.user_code.and_then(check_user_code).ok_or(lacks("userCode"))?,
                verification_uri: self.parse_page(&page)?,
                verification_uri_complete: complete.map(|page| self.parse_page(&page)).transpose()?,
                interval,
                lifetime,
            },
        })
    }

    /// Polls once (CreateToken). A refusal other than these outcomes ends the sign-in.
    pub async fn poll_device_code(
        &self,
        registration: &ClientRegistration,
        code: &PortalDeviceCode,
        now: Timestamp,
    ) -> Result<PortalPollOutcome, IdentityCenterError> {
        let fields = json!({ "grantType": DEVICE_GRANT, "deviceCode": code.device_code.expose() });
        let error = match self.create_token(registration, fields, &[&code.device_code], now).await {
            Ok(tokens) => return Ok(PortalPollOutcome::Granted(tokens)),
            Err(error) if error.is_refused_for(PortalRefusal::Server) => return Err(error),
            Err(error) => error,
        };
        let outcomes = [
            ("authorization_pending", PortalPollOutcome::Pending),
            ("slow_down", PortalPollOutcome::SlowDown),
            ("expired_token", PortalPollOutcome::Expired),
        ];
        outcomes.into_iter().find(|(code, _)| error.has_code(code)).map(|(_, outcome)| outcome).ok_or(error)
    }

    /// Parses the address of a verification page. A remote service may not name plain http on this machine: the user
    /// types a password on that page.
    fn parse_page(&self, stated: &str) -> Result<SecureUrl, IdentityCenterError> {
        let fault = |refusal| IdentityCenterError::UnusablePage { stated: UntrustedText::new(stated), refusal };
        let url = SecureUrl::parse(stated).map_err(fault)?;
        let is_safe = url.is_https() || !self.endpoints.sign_in.is_https();
        if is_safe { Ok(url) } else { Err(fault(SecureUrlError::NotSecure)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::testing::{PortalAnswer, START_URL, TestIdentityCenter, build_registration, grant, sign_in_request},
        *,
    };
    use crate::{aws::testing::NOW, http::testing::block_on};

    const GIVEN: &str = r#"{"deviceCode":"device","expiresIn":600,"interval":1,"userCode":"WDJB-MJHT",
        "verificationUri":"https://device.sso.eu-west-1.amazonaws.com/",
        "verificationUriComplete":"https://device.sso.eu-west-1.amazonaws.com/?user_code=WDJB-MJHT"}"#;

    fn request_code(body: &str) -> Result<PortalDeviceCode, IdentityCenterError> {
        let server = TestIdentityCenter::granting(body);
        block_on(server.client().request_device_code(&build_registration(), START_URL))
    }

    fn poll(answer: PortalAnswer) -> Result<PortalPollOutcome, IdentityCenterError> {
        let server = TestIdentityCenter::answering(vec![answer]);
        let outcome =
            block_on(server.client().poll_device_code(&build_registration(), &request_code(GIVEN).unwrap(), NOW));
        server.assert_request(&sign_in_request(
            "/token",
            "{\"clientId\":\"client\",\"clientSecret\":\"client-secret\",\"deviceCode\":\"device\",\
             \"grantType\":\"urn:ietf:params:oauth:grant-type:device_code\"}",
        ));
        outcome
    }

    #[test]
    fn device_code_request_names_client_and_start_url() {
        let server = TestIdentityCenter::granting(GIVEN);
        let code = block_on(server.client().request_device_code(&build_registration(), START_URL)).unwrap();
        server.assert_request(&sign_in_request(
            "/device_authorization",
            "{\"clientId\":\"client\",\"clientSecret\":\"client-secret\",\
             \"startUrl\":\"https://acme.awsapps.com/start\"}",
        ));
        assert_eq!(code.shown.user_code, "WDJB-MJHT");
        assert_eq!(code.shown.verification_uri.as_str(), "https://device.sso.eu-west-1.amazonaws.com/");
        let complete = code.shown.verification_uri_complete.as_ref().unwrap();
        assert_eq!(complete.as_str(), "https://device.sso.eu-west-1.amazonaws.com/?user_code=WDJB-MJHT");
        assert_eq!((code.shown.interval, code.shown.lifetime), (Duration::from_secs(1), Duration::from_secs(600)));
        let shown = format!("{code:?}");
        assert!(!shown.contains("WDJB") && !shown.contains("\"device\""), "{shown}");
    }

    #[test]
    fn device_code_times_are_limited() {
        let times =
            |body: &str| request_code(body).map(|code| (code.shown.interval.as_secs(), code.shown.lifetime.as_secs()));
        assert_eq!(times(&GIVEN.replace("\"interval\":1", "\"interval\":0")), Ok((1, 600)));
        assert_eq!(times(&GIVEN.replace("\"interval\":1", "\"interval\":3600")), Ok((60, 600)));
        let without = GIVEN.replace("\"interval\":1", "\"x\":1").replace("\"expiresIn\":600", "\"y\":1");
        assert_eq!(times(&without), Ok((5, 600)));
    }

    #[test]
    fn device_answer_without_a_valid_member_is_incomplete() {
        for (was, is, member) in [
            ("deviceCode", "x", "deviceCode"),
            ("userCode", "x", "userCode"),
            ("verificationUri\"", "x\"", "verificationUri"),
            ("\"device\"", "\"\"", "deviceCode"),
            ("\"WDJB-MJHT\"", "\"a\\u001b[31m\"", "userCode"),
        ] {
            let error = request_code(&GIVEN.replace(was, is)).map(drop);
            assert_eq!(error, Err(IdentityCenterError::Incomplete(member)), "{is}");
        }
    }

    #[test]
    fn insecure_verification_page_is_rejected() {
        let client = TestIdentityCenter::granting("{}").client();
        let parse = |sign_in: &str, stated| {
            let mut client = client.clone();
            client.endpoints.sign_in = SecureUrl::parse(sign_in).unwrap();
            client.parse_page(stated).map(drop)
        };
        let fault = |stated: &str, refusal| {
            Err(IdentityCenterError::UnusablePage { stated: UntrustedText::new(stated), refusal })
        };
        let remote = "https://oidc.eu-west-1.amazonaws.com";
        for stated in ["http://device.example/", "http://127.0.0.1:9/"] {
            assert_eq!(parse(remote, stated), fault(stated, SecureUrlError::NotSecure));
        }
        assert_eq!(parse(remote, "javascript:alert(1)"), fault("javascript:alert(1)", SecureUrlError::NotSecure));
        assert_eq!(parse(remote, "device"), fault("device", SecureUrlError::Malformed));
        assert_eq!(parse("http://127.0.0.1:9", "http://127.0.0.1:9/device"), Ok(()));
    }

    #[test]
    fn approved_device_code_returns_tokens() {
        let tokens = r#"{"accessToken":"access","expiresIn":28800,"tokenType":"Bearer"}"#;
        let Ok(PortalPollOutcome::Granted(tokens)) = poll(grant(tokens)) else { panic!("nothing was granted") };
        assert_eq!(tokens.access_token, Secret::new("access"));
        assert_eq!(tokens.expires_at, NOW.saturating_add(Duration::from_secs(28_800)));
        assert_eq!(tokens.refresh_token, None);
    }

    #[test]
    fn poll_outcome_follows_name_or_error_code() {
        for (name, code, expected) in [
            ("x-amzn-ErrorType: AuthorizationPendingException\r\n", "authorization_pending", "Pending"),
            ("", "authorization_pending", "Pending"),
            ("x-amzn-ErrorType: SlowDownException:http://internal/\r\n", "slow_down", "SlowDown"),
            ("", "slow_down", "SlowDown"),
            ("x-amzn-ErrorType: ExpiredTokenException\r\n", "expired_token", "Expired"),
            ("", "expired_token", "Expired"),
        ] {
            let body = format!(r#"{{"error":"{code}","error_description":null}}"#);
            let outcome = poll(("400 Bad Request", name, body)).unwrap();
            assert_eq!(format!("{outcome:?}"), expected, "{name}{code}");
        }
    }

    #[test]
    fn slow_down_is_an_outcome_with_status_429_too() {
        let outcome = poll(("429 Too Many Requests", "", r#"{"error":"slow_down"}"#.into())).unwrap();
        assert!(matches!(outcome, PortalPollOutcome::SlowDown), "{outcome:?}");
    }

    #[test]
    fn rejected_device_code_ends_the_sign_in() {
        let error = poll(("400 Bad Request", "", r#"{"error":"access_denied"}"#.into())).unwrap_err();
        assert!(error.is_refused_for(PortalRefusal::AccessDenied), "{error:?}");
        let error = poll(("503 Unavailable", "", r#"{"error":"authorization_pending"}"#.into())).unwrap_err();
        assert!(error.is_network(), "{error:?}");
    }
}
