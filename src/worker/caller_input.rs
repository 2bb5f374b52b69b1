//! The worker's stdin: what the user does at the caller's terminal (Ctrl-C, pasted lines).
//!
//! The end of the input is not a cancellation. It means that the caller is gone, and the sign-in goes on without it.

use std::{
    future::pending,
    io::{self, BufRead, BufReader, Read as _},
    thread,
};

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::protocol::CallerMessage;
use crate::session::UserInput;

/// Longer than any address that a browser shows at the end of a sign-in.
const MAX_LINE_BYTES: u64 = 128 * 1024;

/// How many pasted lines wait to be checked.
const MAX_PENDING_PASTES: usize = 4;

/// Reads the caller's messages on a separate thread, because reading stdin blocks.
pub(super) fn listen_to_caller<'a>() -> UserInput<'a> {
    let (cancel, cancelled) = oneshot::channel();
    let (paste, pasted_lines) = mpsc::channel(MAX_PENDING_PASTES);
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        while let Some(message) = read_message(&mut input) {
            match message {
                CallerMessage::Cancel => {
                    // The receiver is gone if the ladder has just ended.
                    let _ = cancel.send(());
                    return;
                }
                // The line is dropped if the queue is full: this thread must not block and miss a later `Cancel`.
                CallerMessage::Paste(line) => drop(paste.try_send(line)),
            }
        }
    });
    let cancel_signal = Box::pin(async {
        if cancelled.await.is_err() {
            pending::<()>().await;
        }
    });
    UserInput { cancel_signal, pasted_lines }
}

/// The next message; `None` at the end of the input. Lines that are too long or not a message are skipped.
fn read_message(input: &mut impl BufRead) -> Option<CallerMessage> {
    let mut is_rest_of_long_line = false;
    loop {
        let mut line = Zeroizing::new(Vec::new());
        let read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if read.is_err() || line.is_empty() {
            return None;
        }
        let is_complete = line.ends_with(b"\n");
        let message = serde_json::from_slice(&line).ok().filter(|_| is_complete && !is_rest_of_long_line);
        if message.is_some() {
            return message;
        }
        is_rest_of_long_line = !is_complete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{secret::Secret, worker::protocol::encode_line};

    fn read_all(mut input: &[u8]) -> Vec<CallerMessage> {
        std::iter::from_fn(|| read_message(&mut input)).collect()
    }

    #[test]
    fn caller_messages_survive_the_pipe() {
        let paste = || CallerMessage::Paste(Secret::new("https://127.0.0.1/callback?code=\"x\"&state=\u{e4}"));
        let lines = [encode_line(&paste()), encode_line(&CallerMessage::Cancel)].map(|line| line.to_vec()).concat();
        assert_eq!(read_all(&lines), [paste(), CallerMessage::Cancel]);
    }

    #[test]
    fn an_incomplete_or_unknown_line_is_skipped() {
        assert_eq!(read_all(b"\"dance\"\n\n\"cancel\"\n\"cancel\""), [CallerMessage::Cancel]);
    }

    #[test]
    fn the_rest_of_a_long_line_is_not_a_message() {
        let mut input = vec![b' '; usize::try_from(MAX_LINE_BYTES).unwrap()];
        input.extend_from_slice(b"\"cancel\"\n");
        assert_eq!(read_all(&input), []);
        input.extend_from_slice(b"\"cancel\"\n");
        assert_eq!(read_all(&input), [CallerMessage::Cancel]);
    }
}
