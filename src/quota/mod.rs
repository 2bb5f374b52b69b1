//! The quota check: a service of the organization decides whether the user may spend more, before the program requests
//! AWS credentials.
//!
//! Every way to credentials needs a [`Clearance`], which only this module issues, so no code path can forget the
//! check. The protocol is that of AWS's guidance sample: `GET /check` with the ID token as bearer, or without one with a
//! signature (see `proof`). `session` reports a denial.

mod answer;
mod overview;
mod proof;
mod usage;

use ::http::StatusCode;
use tokio::time::timeout;

use self::answer::{QuotaAnswer, parse_answer};
pub use self::{
    answer::{QuotaDenied, QuotaPeriod, StoredDenial},
    overview::{QuotaBlock, QuotaLimit, QuotaOverview, fetch_overview},
    proof::{ProofMethod, QuotaProof, UnclearedCredentials},
    usage::{QuotaUnit, QuotaUsage},
};
use crate::{
    config::{QuotaErrorPolicy, QuotaSettings},
    credentials::AwsCredentials,
    http::{self, Client},
    log,
    oidc::VerifiedToken,
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
    url::SecureUrl,
};

/// The approval to spend, for what it holds: an ID token, or the credentials that signed the question. It is the only
/// way to either, so an approval cannot be used for another user's.
#[derive(Debug)]
pub struct Clearance<S> {
    subject: S,
    until: Option<Timestamp>,
    pub usage: Option<QuotaUsage>,
}

/// The approval for an ID token. The exchange with AWS takes the token out of it.
pub type TokenClearance<'t> = Clearance<&'t VerifiedToken>;

/// The approval for the credentials of an assignment, which leave `aws` and reach the cache only through it.
pub type CredentialsClearance = Clearance<AwsCredentials>;

impl<'t> TokenClearance<'t> {
    /// The token that the approval is for.
    pub fn token(&self) -> &'t VerifiedToken {
        self.subject
    }
}

impl CredentialsClearance {
    /// The credentials that the approval is for.
    pub fn into_credentials(self) -> AwsCredentials {
        self.subject
    }
}

impl<S> Clearance<S> {
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
    /// 401 or 403: the service does not accept the ID token, or the signature.
    Unauthorized { host: String, status: StatusCode, method: ProofMethod },
    /// Another status than 200.
    Status { host: String, status: StatusCode },
    /// The body is not JSON, or does not contain `allowed`.
    Malformed { host: String },
}

impl QuotaError {
    /// Whether the service, or the gateway before it, did not accept the proof.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::NoAnswer(NoQuotaAnswer::Unauthorized { .. }))
    }
}

/// Requests an approval for the user of this token. Without a quota service every user is approved. If the service
/// gives no valid answer, `on_error` of the profile decides.
pub async fn request_clearance<'t>(
    client: &Client,
    service: Option<&QuotaSettings>,
    token: &'t VerifiedToken,
    now: Timestamp,
) -> Result<TokenClearance<'t>, QuotaError> {
    let Some(service) = service else { return Ok(Clearance { subject: token, until: None, usage: None }) };
    let usage = request_approval(client, service, QuotaProof::from_verified_token(token)).await?;
    Ok(Clearance { subject: token, until: Some(now.saturating_add(service.interval)), usage })
}

/// The same for the user of these credentials, which sign the request. A denial drops them. `region` is that of the
/// signature, if the address of the service names none.
pub async fn clear_credentials(
    client: &Client,
    service: Option<&QuotaSettings>,
    credentials: UnclearedCredentials,
    region: &str,
    now: Timestamp,
) -> Result<CredentialsClearance, QuotaError> {
    let (until, usage) = match service {
        None => (None, None),
        Some(service) => {
            let proof = QuotaProof::from_credentials(&credentials, region, now);
            (Some(now.saturating_add(service.interval)), request_approval(client, service, proof).await?)
        }
    };
    Ok(Clearance { subject: credentials.into_cleared(), until, usage })
}

/// Asks the service whether the user whom the proof shows may spend. It grants nothing, so `on_error` does not matter.
pub async fn ask_about_user(
    client: &Client,
    service: &QuotaSettings,
    proof: QuotaProof<'_>,
) -> Result<Result<Option<QuotaUsage>, Box<QuotaDenied>>, NoQuotaAnswer> {
    let answer = ask_service(client, service, proof).await?;
    Ok(answer.map_err(|denied| Box::new(denied.redact_secret(proof.sent_secret()))))
}

/// Asks the service, and applies `on_error` if there is no valid answer. Returns the usage that it reported.
async fn request_approval(
    client: &Client,
    service: &QuotaSettings,
    proof: QuotaProof<'_>,
) -> Result<Option<QuotaUsage>, QuotaError> {
    match ask_service(client, service, proof).await {
        Ok(answer) => {
            let redact = |denied: QuotaDenied| QuotaError::Denied(Box::new(denied.redact_secret(proof.sent_secret())));
            answer.map_err(redact)
        }
        Err(silence) => {
            let policy = service.on_error;
            log::warn(
                "quota",
                format_args!("no valid answer from the quota service ({silence:?}), on_error = {policy:?}"),
            );
            match policy {
                QuotaErrorPolicy::Allow => Ok(None),
                QuotaErrorPolicy::Deny => Err(QuotaError::NoAnswer(silence)),
            }
        }
    }
}

/// Asks whether the user may spend.
async fn ask_service(
    client: &Client,
    service: &QuotaSettings,
    proof: QuotaProof<'_>,
) -> Result<QuotaAnswer, NoQuotaAnswer> {
    let body = get_body(client, service, &service.endpoint, proof).await?;
    parse_answer(&body).ok_or_else(|| NoQuotaAnswer::Malformed { host: service.endpoint.authority().to_owned() })
}

/// Sends a request with the proof, and returns the body of an answer with status 200, within the timeout of the profile.
async fn get_body(
    client: &Client,
    service: &QuotaSettings,
    address: &SecureUrl,
    proof: QuotaProof<'_>,
) -> Result<Vec<u8>, NoQuotaAnswer> {
    let host = address.authority().to_owned();
    let Ok(answer) = timeout(service.timeout, client.send(proof.build_request(address))).await else {
        return Err(NoQuotaAnswer::Timeout { host, seconds: service.timeout.as_secs() });
    };
    let answer = answer.map_err(NoQuotaAnswer::Network)?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(NoQuotaAnswer::Unauthorized { host, status, method: proof.method() })
        }
        status => Err(NoQuotaAnswer::Status { host, status }),
    }
}

impl QuotaDenied {
    /// Removes a secret from the texts. A service may quote the token that it rejects, and the texts reach a terminal
    /// and the log.
    fn redact_secret(self, secret: &Secret) -> Self {
        let blot = |text: UntrustedText| text.redact_secret(secret);
        Self { reason: blot(self.reason), message: blot(self.message), policy: self.policy.map(blot), ..self }
    }
}

#[cfg(test)]
mod tests;
