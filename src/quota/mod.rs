//! May this person spend: a service of the organisation, asked before AWS on every way to credentials.
//!
//! It asks and judges the answer (the AWS guidance sample's protocol); what follows from a no is for `session`.

mod answer;
mod usage;

use ::http::{Request, StatusCode, header};
use tokio::time::timeout;

pub use self::{
    answer::{Refusal, Scope},
    usage::Usage,
};
use crate::{
    config::{OnError, Quota},
    http::{self, Answer, Client},
    log,
    oidc::VerifiedToken,
    text::Foreign,
    time::Moment,
};

/// That somebody may spend, and until when it need not be asked again. Only this module makes one, and the exchange with
/// AWS demands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clearance {
    until: Option<Moment>,
    pub usage: Option<Usage>,
}

impl Clearance {
    /// When the service wants to be asked again; never, where there is none.
    pub fn until(&self) -> Option<Moment> {
        self.until
    }
}

/// Why nobody may spend now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The service says no.
    Over(Box<Refusal>),
    /// It says nothing that can be used, and the profile wants it asked.
    NoAnswer(Silence),
}

/// What came in place of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    Network(http::Error),
    Late {
        host: String,
        seconds: u64,
    },
    /// 401 or 403: it does not accept the token, or has no use for it.
    Unwelcome {
        host: String,
        status: StatusCode,
    },
    Status {
        host: String,
        status: StatusCode,
    },
    /// No JSON, or none that says whether it is allowed.
    Malformed {
        host: String,
    },
}

impl Denied {
    /// What the service counted, where it told.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Self::Over(refusal) => refusal.usage.as_ref(),
            Self::NoAnswer(_) => None,
        }
    }
}

/// Asks. Where the profile names no service, everybody may.
pub async fn clear(
    client: &Client,
    service: Option<&Quota>,
    token: &VerifiedToken,
    now: Moment,
) -> Result<Clearance, Denied> {
    let Some(service) = service else { return Ok(Clearance { until: None, usage: None }) };
    let until = Some(now.plus(service.interval));
    match ask(client, service, token).await {
        Ok(answer::Said::Yes(usage)) => Ok(Clearance { until, usage }),
        Ok(answer::Said::No(refusal)) => Err(Denied::Over(Box::new(refusal.without(token.raw())))),
        Err(silence) => unanswered(service, silence).map(|()| Clearance { until, usage: None }),
    }
}

fn unanswered(service: &Quota, silence: Silence) -> Result<(), Denied> {
    log::warn(
        "quota",
        format_args!("the quota service gave no answer: {silence:?}; {:?} holds", service.on_error),
    );
    match service.on_error {
        OnError::Allow => Ok(()),
        OnError::Deny => Err(Denied::NoAnswer(silence)),
    }
}

async fn ask(client: &Client, service: &Quota, token: &VerifiedToken) -> Result<answer::Said, Silence> {
    let host = || service.endpoint.authority().to_owned();
    let request = Request::get(service.endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.raw().expose()))
        .body(Vec::new())
        .expect("an address that was parsed, and a token of printable characters, make a request");
    match timeout(service.timeout, client.send(request)).await {
        Err(_) => Err(Silence::Late { host: host(), seconds: service.timeout.as_secs() }),
        Ok(Err(error)) => Err(Silence::Network(error)),
        Ok(Ok(answer)) => judged(&answer, host),
    }
}

fn judged(answer: &Answer, host: impl Fn() -> String) -> Result<answer::Said, Silence> {
    match answer.status {
        StatusCode::OK => answer::read(&answer.body).ok_or_else(|| Silence::Malformed { host: host() }),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(Silence::Unwelcome { host: host(), status })
        }
        status => Err(Silence::Status { host: host(), status }),
    }
}

impl Refusal {
    /// A service that quotes the token it was shown does not bring it to a terminal.
    fn without(self, token: &crate::secret::Secret) -> Self {
        let blot = |text: Foreign| text.without(token);
        Self { reason: blot(self.reason), message: blot(self.message), policy: self.policy.map(blot), ..self }
    }
}

#[cfg(test)]
mod tests;
