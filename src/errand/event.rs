//! What a worker says to the process that sent it: one JSON object a line over an anonymous pipe.
//!
//! The pipe is between two processes of the same program and user, and is the only way credentials take between them
//! besides the sealed file.

use serde::{Deserialize, Serialize};

use crate::{
    config::RoleArn,
    credentials::AwsCredentials,
    failure::Failure,
    secret::Secret,
    session::{SessionCredentials, SignInEvent, WorkerResult},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkerMessage {
    Said(SignInEvent),
    Ready {
        credentials: AwsCredentials,
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

impl From<SignInEvent> for WorkerMessage {
    fn from(said: SignInEvent) -> Self {
        Self::Said(said)
    }
}

impl From<Result<WorkerResult, Failure>> for WorkerMessage {
    fn from(result: Result<WorkerResult, Failure>) -> Self {
        match result {
            Ok(WorkerResult::Credentials(SessionCredentials { credentials, session_name, role, notice })) => {
                Self::Ready { credentials, session_name, role, notice }
            }
            Ok(WorkerResult::Token(token)) => Self::Token(token),
            Err(failure) => Self::Failed(failure),
        }
    }
}
