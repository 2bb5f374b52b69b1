//! What a worker says to the process that sent it: one JSON object a line over an anonymous pipe.
//!
//! The pipe is between two processes of the same program and user, and is the only way credentials take between them
//! besides the sealed file.

use serde::{Deserialize, Serialize};

use crate::{
    config::RoleArn,
    credentials::Credentials,
    failure::Failure,
    secret::Secret,
    session::{Brought, Ready, Said},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    Said(Said),
    Ready {
        credentials: Credentials,
        session_name: String,
        role: Option<RoleArn>,
        notice: Option<String>,
    },
    Token(Secret),
    Failed(Failure),
    /// Another process holds the lock.
    Busy,
    Log(String),
}

impl From<Said> for Event {
    fn from(said: Said) -> Self {
        Self::Said(said)
    }
}

impl From<Result<Brought, Failure>> for Event {
    fn from(result: Result<Brought, Failure>) -> Self {
        match result {
            Ok(Brought::Credentials(Ready { credentials, session_name, role, notice })) => {
                Self::Ready { credentials, session_name, role, notice }
            }
            Ok(Brought::Token(token)) => Self::Token(token),
            Err(failure) => Self::Failed(failure),
        }
    }
}
