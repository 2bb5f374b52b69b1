//! What can go wrong with one request, whichever endpoint it meets.
//!
//! Only answers and their absence; faults inside a token are the business of `claims` and `keys`.

use std::{
    sync::{Condvar, Mutex},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    sts,
    wire::{Ending, Reply},
};

/// The value of every `…Fault` knob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An empty-handed answer with this status, such as 503.
    Status(u16),
    /// Answers properly, this many milliseconds late.
    Delay(u64),
    /// Answers properly once [`World::release`](crate::World::release) has been called.
    Hold,
    /// Never answers, and does nothing.
    Hang,
    /// Closes the connection without an answer, and does nothing.
    Close,
    /// Does what was asked, but the answer never comes.
    HangAfter,
    /// Does what was asked, but the answer is lost.
    CloseAfter,
    /// 200 and the HTML of a captive portal.
    Portal,
    /// 64 MiB of body without a declared length.
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
    Body {
        status: u16,
        content_type: String,
        body: String,
    },
}

impl Fault {
    pub fn oauth(error: &str, description: &str) -> Self {
        Self::Oauth { error: error.into(), description: description.into() }
    }

    pub fn aws(status: u16, code: &str, message: &str) -> Self {
        Self::Aws { status, code: code.into(), message: message.into() }
    }

    /// The fault in place of the true answer, or around it.
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
            Self::Status(status) => Reply::new(status, "text/plain", "out of order"),
            Self::Portal => Reply::new(200, "text/html", PORTAL),
            Self::Redirect(to) => Reply::redirect(302, &to),
            Self::Oauth { error, description } => {
                Reply::json(400, &json!({ "error": error, "error_description": description }))
            }
            Self::Aws { status, code, message } => sts::refusal(status, &code, &message),
            Self::Body { status, content_type, body } => Reply::new(status, &content_type, &body),
            Self::Delay(_) | Self::Hold | Self::HangAfter | Self::CloseAfter => {
                unreachable!("handled by around")
            }
        })
    }
}

/// Where requests wait that [`Fault::Hold`] holds.
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

    /// A test that forgets to open it has failed long before this gives up.
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
