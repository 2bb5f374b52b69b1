//! Faults of one request: an endpoint can give a wrong answer, a late one, or none.
//!
//! Faults inside a token belong to `claims` and `keys`.

use std::{
    sync::{Condvar, Mutex},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    identity_center, sso_oidc, sso_portal, sts,
    wire::{Ending, Reply},
};

/// The value of every `…Fault` knob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An answer with this status, such as 503, and no useful body.
    Status(u16),
    /// The normal answer, this many milliseconds late.
    Delay(u64),
    /// The normal answer, once [`World::release`](crate::World::release) has been called.
    Hold,
    /// Does not process the request and never answers.
    Hang,
    /// Does not process the request and closes the connection.
    Close,
    /// Processes the request, but never answers.
    HangAfter,
    /// Processes the request, but closes the connection without an answer.
    CloseAfter,
    /// Status 200 and the HTML page of a captive portal.
    Portal,
    /// A body of 64 MiB without a declared length.
    Flood,
    Redirect(String),
    /// An OAuth error with status 400.
    Oauth {
        error: String,
        description: String,
    },
    /// An error document of AWS's query protocol.
    Aws {
        status: u16,
        code: String,
        message: String,
    },
    /// An error of SSO OIDC, with the status that AWS documents for it.
    SsoOidc {
        code: String,
        message: String,
    },
    /// An error of the access portal of IAM Identity Center.
    AccessPortal {
        status: u16,
        code: String,
        message: String,
    },
    Body {
        status: u16,
        content_type: String,
        body: String,
    },
    /// Does not process the request and sends these bytes, with so many milliseconds after each part. Nothing has to be
    /// HTTP.
    Raw {
        parts: Vec<Vec<u8>>,
        pause: u64,
    },
}

impl Fault {
    pub fn oauth(error: &str, description: &str) -> Self {
        Self::Oauth { error: error.into(), description: description.into() }
    }

    pub fn aws(status: u16, code: &str, message: &str) -> Self {
        Self::Aws { status, code: code.into(), message: message.into() }
    }

    /// # Panics
    /// If SSO OIDC has no such error.
    pub fn sso_oidc(code: &str, message: &str) -> Self {
        assert!(sso_oidc::describe_error(code, message).is_some(), "SSO OIDC has no error {code}");
        Self::SsoOidc { code: code.into(), message: message.into() }
    }

    pub fn access_portal(status: u16, code: &str, message: &str) -> Self {
        Self::AccessPortal { status, code: code.into(), message: message.into() }
    }

    /// Answers a request, with the fault if there is one.
    pub(crate) fn around(fault: Option<Self>, gate: &Gate, answer: impl FnOnce() -> Reply) -> Ending {
        match fault {
            None => Ending::Answer(answer()),
            Some(Self::Delay(milliseconds)) => {
                thread::sleep(Duration::from_millis(milliseconds));
                Ending::Answer(answer())
            }
            Some(Self::Hold) => {
                gate.wait();
                Ending::Answer(answer())
            }
            Some(Self::HangAfter) => {
                answer();
                Ending::Hang
            }
            Some(Self::CloseAfter) => {
                answer();
                Ending::Close
            }
            Some(fault) => fault.alone(),
        }
    }

    fn alone(self) -> Ending {
        Ending::Answer(match self {
            Self::Hang => return Ending::Hang,
            Self::Close => return Ending::Close,
            Self::Flood => return Ending::Flood,
            Self::Raw { parts, pause } => return Ending::Raw(parts, Duration::from_millis(pause)),
            Self::Status(status) => Reply::new(status, "text/plain", "out of order"),
            Self::Portal => Reply::new(200, "text/html", PORTAL),
            Self::Redirect(to) => Reply::redirect(302, &to),
            Self::Oauth { error, description } => {
                Reply::json(400, &json!({ "error": error, "error_description": description }))
            }
            Self::Aws { status, code, message } => sts::refusal(status, &code, &message),
            Self::SsoOidc { code, message } => {
                let (status, body) =
                    sso_oidc::describe_error(&code, &message).unwrap_or_else(|| panic!("SSO OIDC has no error {code}"));
                identity_center::refuse(status, &code, &body)
            }
            Self::AccessPortal { status, code, message } => {
                identity_center::refuse(status, &code, &sso_portal::describe_error(&code, &message))
            }
            Self::Body { status, content_type, body } => Reply::new(status, &content_type, &body),
            Self::Delay(_) | Self::Hold | Self::HangAfter | Self::CloseAfter => {
                unreachable!("handled by around")
            }
        })
    }
}

/// Requests with [`Fault::Hold`] wait here.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    /// Waits until the gate is open. The limit only ends a test that forgot to open it.
    fn wait(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_timeout_while(is_open, Duration::from_secs(120), |is_open| !*is_open));
    }
}

impl From<Fault> for Value {
    fn from(fault: Fault) -> Self {
        serde_json::to_value(fault).expect("a fault is plain data")
    }
}

const PORTAL: &str = "<!doctype html><title>Welcome to Airport WiFi</title><h1>Accept the terms to go online</h1>";
