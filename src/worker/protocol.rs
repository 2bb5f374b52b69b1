//! The messages between a worker and its caller: one JSON value per line, over the worker's stdin and stdout.
//!
//! Both processes are the same version of the program and run as the same user, so the format may change between
//! versions. Credentials travel between processes only through these pipes and the sealed records.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{cache::FailureReport, secret::Secret, session::SignInEvent};

/// A message from the worker. `A` is the type of the requested answer; an answer of another type does not parse.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkerMessage<A> {
    /// Progress of a sign-in, to show to the user.
    SignIn(SignInEvent),
    /// The answer. It is stored already.
    Done(A),
    Failed(FailureReport),
    /// Another process holds a lock that the request needs. The caller waits for that process instead.
    Busy,
    /// A log line, for the caller's stderr.
    Log(String),
}

/// A message from the caller: what the user does at its terminal. A closed pipe is not a message: it means that the
/// caller is gone, not that the user has cancelled.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallerMessage {
    Cancel,
    Paste(Secret),
}

/// One line of the protocol, with its line feed. It is wiped on drop, because it can contain credentials.
pub(super) fn encode_line(message: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut line = serde_json::to_vec(message).expect("messages hold texts and numbers, which always serialise");
    line.push(b'\n');
    Zeroizing::new(line)
}

/// Sends a message to the caller. If the caller is gone, the message is dropped without an error.
pub(super) fn send_message<A: Serialize>(message: &WorkerMessage<A>) {
    let line = encode_line(message);
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
}

/// A log writer that sends each line to the caller, which writes it to its own stderr.
#[derive(Debug)]
pub struct CallerLog;

impl Write for CallerLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send_message::<()>(&WorkerMessage::Log(String::from_utf8_lossy(bytes).trim_end().to_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::FailureKind,
        credentials::AwsCredentials,
        session::{PromptMethod, SessionCredentials, SignInPrompt},
        time::Timestamp,
    };

    fn credentials() -> SessionCredentials {
        SessionCredentials {
            credentials: AwsCredentials {
                access_key_id: "ASIA".to_owned(),
                secret_access_key: Secret::new("s"),
                session_token: Secret::new("t"),
                expiration: Timestamp::from_unix(1_800_000_000),
            },
            session_name: "jane".to_owned(),
            is_named_by_subject: false,
            role: None,
            notice: None,
        }
    }

    #[test]
    fn each_worker_message_survives_the_pipe() {
        let report = FailureReport {
            kind: FailureKind::Quota,
            code: 8,
            slug: "quota/refused".to_owned(),
            message: "no".to_owned(),
            hint: "ask".into(),
        };
        let prompt = SignInPrompt { address: "http://127.0.0.1:1/a".to_owned(), way: PromptMethod::Browser };
        let messages = [
            WorkerMessage::<Secret>::SignIn(SignInEvent::Prompt(prompt)),
            WorkerMessage::Failed(report),
            WorkerMessage::Busy,
            WorkerMessage::Log("a line".to_owned()),
        ];
        for message in messages {
            let line = encode_line(&message);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(serde_json::from_slice::<WorkerMessage<Secret>>(&line).unwrap(), message);
        }
    }

    #[test]
    fn an_answer_to_another_request_is_not_decoded() {
        let (credentials, token) =
            (encode_line(&WorkerMessage::Done(credentials())), encode_line(&WorkerMessage::Done(Secret::new("t"))));
        assert!(serde_json::from_slice::<WorkerMessage<SessionCredentials>>(&credentials).is_ok());
        assert!(serde_json::from_slice::<WorkerMessage<Secret>>(&token).is_ok());
        assert!(serde_json::from_slice::<WorkerMessage<Secret>>(&credentials).is_err());
        assert!(serde_json::from_slice::<WorkerMessage<SessionCredentials>>(&token).is_err());
    }
}
