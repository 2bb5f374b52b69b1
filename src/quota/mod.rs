//! The quota check: a service of the organization decides whether the user may spend more, before the program requests
//! AWS credentials.
//!
//! Every way to credentials needs a [`Clearance`], which only this module issues, so no code path can forget the
//! check. The protocol is that of AWS's guidance sample: `GET /check` with the ID token as bearer. `session` reports a
//! denial.

mod answer;
mod overview;
mod usage;

use ::http::{Request, StatusCode, header};
use tokio::time::timeout;

use self::answer::{QuotaAnswer, parse_answer};
pub use self::{
    answer::{QuotaDenied, QuotaPeriod},
    overview::{QuotaBlock, QuotaLimit, QuotaOverview, fetch_overview},
    usage::{QuotaUnit, QuotaUsage},
};
use crate::{
    config::{QuotaErrorPolicy, QuotaSettings},
    http::{self, Client},
    log,
    oidc::VerifiedToken,
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
    url::SecureUrl,
};

/// The approval to spend, for one ID token. The exchange with AWS takes the token out of it, so an approval cannot be
/// used for the token of another user.
#[derive(Debug)]
pub struct Clearance<'t> {
    token: &'t VerifiedToken,
    until: Option<Timestamp>,
    pub usage: Option<QuotaUsage>,
}

impl<'t> Clearance<'t> {
    /// The token that the approval is for.
    pub fn token(&self) -> &'t VerifiedToken {
        self.token
    }

    /// When the approval expires, and the credentials with it. `None` if the profile has no quota service.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

/// Why the user gets no approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// The service denies the request.
    Denied(Box<QuotaDenied>),
    /// The service gave no valid answer, and the profile says `on_error = "deny"`.
    NoAnswer(NoQuotaAnswer),
}

/// Why there is no valid answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoQuotaAnswer {
    /// The request failed.
    Network(http::Error),
    /// No answer arrived within the `timeout` of the profile.
    Timeout { host: String, seconds: u64 },
    /// 401 or 403: the service does not accept the ID token.
    Unauthorized { host: String, status: StatusCode },
    /// Another status than 200.
    Status { host: String, status: StatusCode },
    /// The body is not JSON, or does not contain `allowed`.
    Malformed { host: String },
}

impl QuotaError {
    /// The usage, if the service reported it.
    pub fn usage(&self) -> Option<&QuotaUsage> {
        match self {
            Self::Denied(refusal) => refusal.usage.as_ref(),
            Self::NoAnswer(_) => None,
        }
    }
}

/// Requests an approval for the user of this token. Without a quota service every user is approved. If the service
/// gives no valid answer, `on_error` of the profile decides.
pub async fn request_clearance<'t>(
    client: &Client,
    service: Option<&QuotaSettings>,
    token: &'t VerifiedToken,
    now: Timestamp,
) -> Result<Clearance<'t>, QuotaError> {
    let Some(service) = service else { return Ok(Clearance { token, until: None, usage: None }) };
    let until = Some(now.saturating_add(service.interval));
    let usage = match ask_service(client, service, token).await {
        Ok(answer) => answer.map_err(|denied| QuotaError::Denied(Box::new(denied.redact_token(token.raw()))))?,
        Err(silence) => {
            let policy = service.on_error;
            log::warn(
                "quota",
                format_args!("no valid answer from the quota service ({silence:?}), on_error = {policy:?}"),
            );
            match policy {
                QuotaErrorPolicy::Allow => None,
                QuotaErrorPolicy::Deny => return Err(QuotaError::NoAnswer(silence)),
            }
        }
    };
    Ok(Clearance { token, until, usage })
}

/// Asks whether the user may spend.
async fn ask_service(
    client: &Client,
    service: &QuotaSettings,
    token: &VerifiedToken,
) -> Result<QuotaAnswer, NoQuotaAnswer> {
    let body = get_body(client, service, &service.endpoint, token.raw()).await?;
    parse_answer(&body).ok_or_else(|| NoQuotaAnswer::Malformed { host: service.endpoint.authority().to_owned() })
}

/// Sends a request with the token as bearer, and returns the body of an answer with status 200, within the timeout of
/// the profile.
async fn get_body(
    client: &Client,
    service: &QuotaSettings,
    address: &SecureUrl,
    token: &Secret,
) -> Result<Vec<u8>, NoQuotaAnswer> {
    let host = address.authority().to_owned();
    let request = Request::get(address.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
        .body(Vec::new())
        .expect("an address that was parsed, and a token of printable characters, make a request");
    let Ok(answer) = timeout(service.timeout, client.send(request)).await else {
        return Err(NoQuotaAnswer::Timeout { host, seconds: service.timeout.as_secs() });
    };
    let answer = answer.map_err(NoQuotaAnswer::Network)?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(NoQuotaAnswer::Unauthorized { host, status })
        }
        status => Err(NoQuotaAnswer::Status { host, status }),
    }
}

impl QuotaDenied {
    /// Removes the token from the texts. A service may quote the token that it rejects, and the texts reach a terminal
    /// and the log.
    fn redact_token(self, token: &Secret) -> Self {
        let blot = |text: UntrustedText| text.redact_secret(token);
        Self { reason: blot(self.reason), message: blot(self.message), policy: self.policy.map(blot), ..self }
    }
}

#[cfg(test)]
mod tests;
