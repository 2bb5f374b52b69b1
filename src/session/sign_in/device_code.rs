//! Sign-in with a device code (RFC 8628): request a code, show it to the user, and poll until the user has entered it.
//!
//! This module decides how often to poll and when to stop. `oidc` sends the requests and interprets the answers. Only
//! the caller of this worker sees the code: other processes must not, see `cache::prompt_address`.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::service::{DevicePoll, SignInResult, SignInService};
use crate::{
    cache::LockedSignIn,
    log,
    oidc::{PollPace, ShownCode},
    race::{RaceWinner, race_futures},
    session::{Error, Ladder, OpenRecords, PromptMethod, SignInEvent, SignInNeeded, SignInPrompt, UserInput},
};

/// By how much each `slow_down` answer lengthens the interval (RFC 8628 §3.5).
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// The longest pause after network failures.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(30);

impl Ladder<'_> {
    /// Runs a sign-in by device code to its end, and records the result for the backoff.
    pub(super) async fn sign_in_by_device_code<S: SignInService>(
        &self,
        service: &S,
        records: &mut OpenRecords<'_, '_>,
        known: &mut S::Known,
        user: &mut UserInput<'_>,
    ) -> Result<SignInResult, Error> {
        let (shown, code) = service.request_device_code(records.sign_in.lock, known).await?;
        self.show_code(records.sign_in.lock, &shown)?;
        let limit = self.time_left().min(shown.lifetime);
        let polled = self.poll_for_tokens(service, known, (&code, shown.interval), limit);
        let answered = match race_futures(polled, user.cancel_signal.as_mut()).await {
            RaceWinner::Left(answered) => answered,
            RaceWinner::Right(()) => Err(Error::Interrupted),
        };
        let outcome = match answered {
            Ok(tokens) => service.finish_with_tokens(records, known, tokens).await,
            Err(error) => Err(error),
        };
        let outcome = outcome.map_err(self.describe);
        self.record_outcome(records.sign_in.lock, outcome.as_ref().err());
        outcome.map_err(Error::Reported)
    }

    /// Shows the code to the caller of this worker, and to no other process.
    fn show_code(&self, sign_in: &LockedSignIn<'_>, code: &ShownCode) -> Result<(), Error> {
        self.record_prompt(sign_in)?;
        let address = code.verification_uri.to_string();
        sign_in.announce_prompt(self.now(), None)?;
        log::info(
            "session",
            format_args!(
                "the user has to enter a code at {address} within {} s; polling the provider every {} s",
                code.lifetime.as_secs(),
                code.interval.as_secs()
            ),
        );
        let complete = code.verification_uri_complete.as_ref().map(ToString::to_string);
        let way = PromptMethod::Device { code: code.user_code.clone(), complete };
        (self.report)(SignInEvent::Prompt(SignInPrompt { address, way }));
        Ok(())
    }

    /// Polls the token endpoint at the interval that the provider demands. A network failure does not end the sign-in:
    /// it doubles the pause (RFC 8628 §3.5 asks for such a backoff), and the next answer resets it.
    async fn poll_for_tokens<S: SignInService>(
        &self,
        service: &S,
        known: &S::Known,
        (code, interval): (&S::DeviceCode, Duration),
        limit: Duration,
    ) -> Result<S::Tokens, Error> {
        let deadline = Instant::now() + limit;
        let (mut pace, mut pause, mut trouble) = (interval, interval, None);
        let unanswered = || SignInNeeded::CodeExpired { after: limit };
        while Instant::now() + pause < deadline {
            sleep(pause).await;
            let Ok(polled) = timeout_at(deadline, service.poll_device_code(known, code)).await else { break };
            match polled {
                DevicePoll::Granted(tokens) => return Ok(tokens),
                DevicePoll::Waiting(pending) => {
                    pace += if pending == PollPace::SlowDown { SLOW_DOWN_STEP } else { Duration::ZERO };
                    (pause, trouble) = (pace, None);
                    log::debug(
                        "session",
                        format_args!("the user has not entered the code yet; polling again in {} s", pause.as_secs()),
                    );
                }
                DevicePoll::Expired => return Err(unanswered().into()),
                DevicePoll::NoAnswer(error) => {
                    pause = (pause * 2).min(MAX_POLL_INTERVAL).max(pace);
                    log::info(
                        "session",
                        format_args!("the provider was not reached; polling again in {} s", pause.as_secs()),
                    );
                    trouble = Some(error);
                }
                DevicePoll::Failed(error) => return Err(error),
            }
        }
        // A network failure explains more to the user than the timeout that it caused.
        Err(trouble.unwrap_or_else(|| unanswered().into()))
    }
}
