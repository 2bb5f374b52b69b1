//! May this person spend: a service of the organisation, asked before AWS on every way to credentials.
//!
//! It asks and judges the answer (the AWS guidance sample's protocol); what follows from a no is for `session`.

mod answer;
mod usage;

use ::http::{Request, StatusCode, header};
use tokio::time::timeout;

use self::answer::{QuotaAnswer, parse_answer};
pub use self::{
    answer::{QuotaDenied, QuotaPeriod},
    usage::QuotaUsage,
};
use crate::{
    config::{QuotaErrorPolicy, QuotaSettings},
    http::{self, Client},
    log,
    oidc::VerifiedToken,
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
};

/// The approval to spend, for the user of one token. Only this module makes one, and the exchange with AWS takes the token
/// out of it, so that no other token can be exchanged with it.
#[derive(Debug)]
pub struct Clearance<'t> {
    token: &'t VerifiedToken,
    until: Option<Timestamp>,
    pub usage: Option<QuotaUsage>,
}

impl<'t> Clearance<'t> {
    /// Whose approval it is.
    pub fn token(&self) -> &'t VerifiedToken {
        self.token
    }

    /// When the service wants to be asked again; never, where there is none.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

/// Why nobody may spend now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// The service says no.
    Denied(Box<QuotaDenied>),
    /// It says nothing that can be used, and the profile wants it asked.
    NoAnswer(NoQuotaAnswer),
}

/// What came in place of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoQuotaAnswer {
    /// No answer arrived.
    Network(http::Error),
    /// None arrived within the time that the profile allows.
    Timeout { host: String, seconds: u64 },
    /// 401 or 403: it does not accept the token, or has no use for it.
    Unauthorized { host: String, status: StatusCode },
    /// Another status than that of an answer.
    Status { host: String, status: StatusCode },
    /// No JSON, or none that says whether it is allowed.
    Malformed { host: String },
}

impl QuotaError {
    /// What the service counted, where it told.
    pub fn usage(&self) -> Option<&QuotaUsage> {
        match self {
            Self::Denied(refusal) => refusal.usage.as_ref(),
            Self::NoAnswer(_) => None,
        }
    }
}

/// Asks. Where the profile names no service, everybody may.
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
            log::warn("quota", format_args!("the quota service gave no answer: {silence:?}; {policy:?} holds"));
            match policy {
                QuotaErrorPolicy::Allow => None,
                QuotaErrorPolicy::Deny => return Err(QuotaError::NoAnswer(silence)),
            }
        }
    };
    Ok(Clearance { token, until, usage })
}

async fn ask_service(
    client: &Client,
    service: &QuotaSettings,
    token: &VerifiedToken,
) -> Result<QuotaAnswer, NoQuotaAnswer> {
    let host = service.endpoint.authority().to_owned();
    let request = Request::get(service.endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.raw().expose()))
        .body(Vec::new())
        .expect("an address that was parsed, and a token of printable characters, make a request");
    let Ok(answer) = timeout(service.timeout, client.send(request)).await else {
        return Err(NoQuotaAnswer::Timeout { host, seconds: service.timeout.as_secs() });
    };
    let answer = answer.map_err(NoQuotaAnswer::Network)?;
    match answer.status {
        StatusCode::OK => parse_answer(&answer.body).ok_or(NoQuotaAnswer::Malformed { host }),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(NoQuotaAnswer::Unauthorized { host, status })
        }
        status => Err(NoQuotaAnswer::Status { host, status }),
    }
}

impl QuotaDenied {
    /// A service that quotes the token it was shown does not bring it to a terminal.
    fn redact_token(self, token: &Secret) -> Self {
        let blot = |text: UntrustedText| text.redact_secret(token);
        Self { reason: blot(self.reason), message: blot(self.message), policy: self.policy.map(blot), ..self }
    }
}

#[cfg(test)]
mod tests;
