//! The way in by a code that is entered elsewhere (RFC 8628): ask for it, show it, and ask how far the person is.
//!
//! The pace and the end of the waiting are kept here; what the provider's words mean is `oidc`'s business.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    cache::{Known, Session},
    failure::{Failure, Interrupted, NoDeviceCodes, SignInNeeded},
    log,
    oidc::{self, Application, DeviceCode, Pending, Polled, Tokens, Unverified},
    race::{First, race},
    session::{Asking, Ladder, Person, Ready, Said, Way},
};

/// What a provider that says `slow_down` wants added to the pause (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// In bad weather the pause doubles up to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Ladder<'_> {
    pub(super) async fn ask_by_code(
        &self,
        session: &mut Session,
        application: &Application<'_>,
        known: &mut Known,
        person: &mut Person<'_>,
    ) -> Result<Ready, Failure> {
        let Some(endpoint) = known.metadata.device_authorization_endpoint.clone() else {
            return Err(NoDeviceCodes { issuer: &self.profile.issuer }.into());
        };
        let code = oidc::ask_device_code(self.client, application, &known.metadata, &endpoint).await?;
        self.show_code(&code)?;
        let outcome = self.code_answered(session, application, known, &code, person).await;
        self.note_outcome(outcome.as_ref().err());
        outcome
    }

    /// Shows the code to the caller of this worker, and to no other process.
    fn show_code(&self, code: &DeviceCode) -> Result<(), Failure> {
        self.note_opening()?;
        let address = code.address.to_string();
        self.announce(None)?;
        log::info(
            "session",
            format_args!(
                "asking for a code to be entered at {address}; it holds for {} s, the provider is asked every {} s",
                code.lifetime.as_secs(),
                code.interval.as_secs()
            ),
        );
        let complete = code.complete.as_ref().map(ToString::to_string);
        let way = Way::Device { code: code.user_code.clone(), complete };
        (self.tell)(Said::Asking(Asking { address, way }));
        Ok(())
    }

    async fn code_answered(
        &self,
        session: &mut Session,
        application: &Application<'_>,
        known: &mut Known,
        code: &DeviceCode,
        person: &mut Person<'_>,
    ) -> Result<Ready, Failure> {
        let limit = self.time_left().min(code.lifetime);
        let polled = self.polled(application, known, code, limit);
        let (id_token, tokens) = match race(polled, person.cancelled.as_mut()).await {
            First::Left(answered) => answered?,
            First::Right(()) => return Err(Interrupted.into()),
        };
        // The standard has no place for a nonce here: the device code ties the answer to this question.
        self.told_who(session, known, id_token, tokens, None).await
    }

    /// Asks again and again, at the provider's pace. Bad weather costs time only: each failure doubles the pause.
    async fn polled(
        &self,
        application: &Application<'_>,
        known: &Known,
        code: &DeviceCode,
        limit: Duration,
    ) -> Result<(Unverified, Tokens), Failure> {
        let deadline = Instant::now() + limit;
        let (mut pace, mut pause, mut trouble) = (code.interval, code.interval, None);
        let unanswered = || SignInNeeded::CodeExpired { after: limit };
        while Instant::now() + pause < deadline {
            sleep(pause).await;
            let asked = oidc::poll_device_code(self.client, application, &known.metadata, code);
            let Ok(polled) = timeout_at(deadline, asked).await else { break };
            match polled {
                Ok(Polled::Granted(token, tokens)) => return Ok((token, tokens)),
                Ok(Polled::Waiting(pending)) => {
                    pace += if pending == Pending::Slower { SLOWER } else { Duration::ZERO };
                    (pause, trouble) = (pace, None);
                    log::debug(
                        "session",
                        format_args!("not entered yet: asking again in {} s", pause.as_secs()),
                    );
                }
                Err(error) if error.is_expired_code() => return Err(unanswered().into()),
                Err(error) if error.may_pass() => {
                    pause = (pause * 2).min(LONGEST_PAUSE).max(pace);
                    log::info(
                        "session",
                        format_args!("the provider was not reached: asking again in {} s", pause.as_secs()),
                    );
                    trouble = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        // What kept the answer from coming is worth more to a person than that it did not come.
        trouble.map_or_else(|| Err(unanswered().into()), |error| Err(error.into()))
    }
}
