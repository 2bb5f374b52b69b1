//! Signs a user in by the device authorization grant (RFC 8628): the user enters a short code in a browser on any device
//! while this program polls.
//!
//! Each call sends one request. `session` decides how often to poll and when to stop.

use std::{fmt, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ClientRegistration, IdentityCenterClient, PortalTokens,
    error::{IdentityCenterError, PortalCall, PortalRefusal},
    sign_in::{DEVICE_GRANT, client_fields, parse_answer},
};
use crate::{
    oidc::{DeviceCodeTimes, check_user_code},
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
    url::{SecureUrl, SecureUrlError},
};

/// The codes and addresses that AWS issued for one sign-in.
#[derive(Clone)]
pub struct PortalDeviceCode {
    /// The code that the user compares or types. The program shows it and never logs it: during its lifetime it can
    /// approve a sign-in.
    pub user_code: String,
    /// The page where the user enters the code.
    pub verification_uri: SecureUrl,
    /// The same page with the code in its address.
    pub verification_uri_complete: Option<SecureUrl>,
    pub interval: Duration,
    pub lifetime: Duration,
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

impl fmt::Debug for PortalDeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalDeviceCode").field("address", &self.verification_uri).finish_non_exhaustive()
    }
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
        let answer = self.post_sign_in(PortalCall::StartDevice, &path, &question, &secrets).await?;
        let given: DeviceAuthorizationResponse = parse_answer(&answer)?;
        let lacks = IdentityCenterError::Incomplete;
        let page = given.verification_uri.ok_or(lacks("verificationUri"))?;
        let complete = given.verification_uri_complete;
        let DeviceCodeTimes { interval, lifetime } = DeviceCodeTimes::from_stated(given.interval, given.expires_in);
        Ok(PortalDeviceCode {
            device_code: given.device_code.filter(|code| !code.expose().is_empty()).ok_or(lacks("deviceCode"))?,
            user_code: given.user_code.and_then(check_user_code).ok_or(lacks("userCode"))?,
            verification_uri: self.parse_page(&page)?,
            verification_uri_complete: complete.map(|page| self.parse_page(&page)).transpose()?,
            interval,
            lifetime,
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
