//! Sign-in with a device code (RFC 8628): request a code, show it to the user, and poll until the user has entered it.
//!
//! This module decides how often to poll and when to stop. `oidc` sends the requests and interprets the answers. Only
//! the caller of this worker sees the code: other processes must not, see `cache::prompt_address`.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    cache::{CachedProvider, LockedSignIn},
    log,
    oidc::{Application, DeviceCode, DevicePollOutcome, PollPace, TokenGrant, TokenResponse, UnverifiedToken},
    race::{RaceWinner, race_futures},
    session::{
        Error, Ladder, OpenRecords, PromptMethod, SessionCredentials, SignInEvent, SignInNeeded, SignInPrompt,
        UserInput,
    },
};

/// By how much each `slow_down` answer lengthens the interval (RFC 8628 §3.5).
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// The longest pause after network failures.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(30);

impl Ladder<'_> {
    /// Runs a sign-in by device code to its end, and records the result for the backoff.
    pub(super) async fn sign_in_by_device_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        application: &Application<'_>,
        known: &mut CachedProvider,
        user: &mut UserInput<'_>,
    ) -> Result<SessionCredentials, Error> {
        let Some(endpoint) = known.metadata.device_authorization_endpoint.clone() else {
            return Err(Error::NoDeviceCodes);
        };
        let provider = self.provider_session(application, known);
        let code = provider.request_device_code(&endpoint, &self.host.fill_random).await?;
        self.show_code(records.sign_in.lock, &code)?;
        let outcome = self.await_device_code(records, application, known, &code, user).await;
        let outcome = outcome.map_err(self.describe);
        self.record_outcome(records.sign_in.lock, outcome.as_ref().err());
        outcome.map_err(Error::Reported)
    }

    /// Shows the code to the caller of this worker, and to no other process.
    fn show_code(&self, sign_in: &LockedSignIn<'_>, code: &DeviceCode) -> Result<(), Error> {
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

    /// Waits until the user has entered the code, cancels, or the code or the user's time expires.
    async fn await_device_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        application: &Application<'_>,
        known: &mut CachedProvider,
        code: &DeviceCode,
        user: &mut UserInput<'_>,
    ) -> Result<SessionCredentials, Error> {
        let limit = self.time_left().min(code.lifetime);
        let polled = self.poll_for_tokens(application, known, code, limit);
        let (id_token, tokens) = match race_futures(polled, user.cancel_signal.as_mut()).await {
            RaceWinner::Left(answered) => answered?,
            RaceWinner::Right(()) => return Err(Error::Interrupted),
        };
        self.finish_sign_in(records, known, id_token, tokens, TokenGrant::DeviceCode).await
    }

    /// Polls the token endpoint at the interval that the provider demands. A network failure does not end the sign-in:
    /// it doubles the pause (RFC 8628 §3.5 asks for such a backoff), and the next answer resets it.
    async fn poll_for_tokens(
        &self,
        application: &Application<'_>,
        known: &CachedProvider,
        code: &DeviceCode,
        limit: Duration,
    ) -> Result<(UnverifiedToken, TokenResponse), Error> {
        let provider = self.provider_session(application, known);
        let deadline = Instant::now() + limit;
        let (mut pace, mut pause, mut trouble) = (code.interval, code.interval, None);
        let unanswered = || SignInNeeded::CodeExpired { after: limit };
        while Instant::now() + pause < deadline {
            sleep(pause).await;
            let Ok(polled) = timeout_at(deadline, provider.poll_device_code(code)).await else { break };
            match polled {
                Ok(DevicePollOutcome::Granted(token, tokens)) => return Ok((token, tokens)),
                Ok(DevicePollOutcome::Waiting(pending)) => {
                    pace += if pending == PollPace::SlowDown { SLOW_DOWN_STEP } else { Duration::ZERO };
                    (pause, trouble) = (pace, None);
                    log::debug(
                        "session",
                        format_args!("the user has not entered the code yet; polling again in {} s", pause.as_secs()),
                    );
                }
                Err(error) if error.is_expired_device_code() => return Err(unanswered().into()),
                Err(error) if error.lacks_provider_answer() => {
                    pause = (pause * 2).min(MAX_POLL_INTERVAL).max(pace);
                    log::info(
                        "session",
                        format_args!("the provider was not reached; polling again in {} s", pause.as_secs()),
                    );
                    trouble = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        // A network failure explains more to the user than the timeout that it caused.
        trouble.map_or_else(|| Err(unanswered().into()), |error| Err(error.into()))
    }
}
