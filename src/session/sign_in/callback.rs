//! The ways in that end at this machine's listener: in a browser here, or by the address on which one elsewhere ended.
//!
//! The listener stands before anybody is shown an address, and closes when the truth has been told.

use std::{future::pending, pin::pin, time::Duration};

use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::sleep,
};

use super::method_choice::SignInMethod;
use crate::{
    cache::{CachedProvider, FailureReport, LockedSignIn},
    hint::Invocation,
    host::{Browser, BrowserLaunch},
    log,
    oidc::{
        self, Application, AuthorizationRequest,
        callback::{AwaitedCallback, CallbackError, CallbackListener, OpenListener, SignInEnding},
    },
    race::{RaceWinner, race_futures},
    secret::Secret,
    session::{
        Error, Ladder, OpenRecords, PastedTextError, PromptMethod, SessionCredentials, SignInEvent, SignInNeeded,
        SignInPrompt, UserInput,
    },
    text::sanitize_line,
};

/// How long after the failure of a browser somebody may still come to the address.
const BROWSER_FAILURE_GRACE: Duration = Duration::from_secs(3);

/// A person who waits for `login` is shown the address by then, however long the provider takes to describe itself.
const EARLY: Duration = Duration::from_millis(400);

impl Ladder<'_> {
    pub(super) async fn sign_in_by_callback(
        &self,
        records: &mut OpenRecords<'_, '_>,
        application: &Application<'_>,
        way: SignInMethod,
        browser: &Browser,
        known: Option<CachedProvider>,
        person: &mut UserInput<'_>,
    ) -> Result<SessionCredentials, Error> {
        // It stands before the browser opens: a provider with a warm session comes back within milliseconds.
        let listener = CallbackListener::bind(&self.profile.redirect_uri).await?;
        let listener = listener.with_reporter(|event| log::debug("callback", format_args!("{event}")));
        let redirect_uri = listener.redirect_uri();
        let mut open = listener.start_serving();
        let known = match known {
            Some(known) => Ok(known),
            None => self.get_provider_with_prompt(records.sign_in.lock, &open, way, person).await,
        };
        let mut known = match known {
            Ok(known) => known,
            Err(error) => {
                let report = (self.describe)(error);
                open.finish_with_failure(&ending_from_failure(&report, self.invocation)).await;
                return Err(Error::Reported(report));
            }
        };
        let request =
            oidc::build_authorization_request(self.profile, &known.metadata, &redirect_uri, &self.host.fill_random);
        open.set_awaited_callback(build_awaited_callback(&known, &request));
        let (failures, mut failure) = mpsc::channel(1);
        self.show_prompt(records.sign_in.lock, &open, way, browser, failures, &request)?;
        let outcome = match self.await_callback(&mut open, &redirect_uri, &mut failure, person).await {
            Ok(answer) => {
                let ended = match answer {
                    Ok(code) => self.finish_with_code(records, application, &mut known, &request, &code).await,
                    Err(error) => Err(error.into()),
                };
                let ended = ended.map_err(self.describe);
                open.show_ending(&self.build_ending(&ended)).await;
                ended
            }
            Err(error) => Err((self.describe)(error)),
        };
        self.record_outcome(records.sign_in.lock, outcome.as_ref().err());
        outcome.map_err(Error::Reported)
    }

    /// Asks the provider to describe itself. A person at `login` is shown the address meanwhile: who goes there is sent on
    /// as soon as that is done. No browser is opened before, for a provider that cannot be reached is no reason to; and who
    /// is to paste is sent to the provider's address, which is not known yet.
    async fn get_provider_with_prompt(
        &self,
        sign_in: &LockedSignIn<'_>,
        open: &OpenListener,
        way: SignInMethod,
        person: &mut UserInput<'_>,
    ) -> Result<CachedProvider, Error> {
        let mut known = pin!(self.get_provider_or_cancel(sign_in, person));
        if self.purpose.is_login() && way != SignInMethod::Paste {
            if let RaceWinner::Left(known) = race_futures(known.as_mut(), sleep(EARLY)).await {
                return known;
            }
            let address = open.start_address();
            sign_in.announce_prompt(self.now(), Some(address))?;
            let way = if way == SignInMethod::Browser { PromptMethod::Browser } else { PromptMethod::ByHand };
            (self.report)(SignInEvent::Prompt(SignInPrompt { address: address.to_owned(), way }));
        }
        known.await
    }

    /// Opens the browser, after writing down that a tab was opened: a process killed from here on still counts.
    /// `failures` hears of a browser that fails later.
    fn show_prompt(
        &self,
        sign_in: &LockedSignIn<'_>,
        open: &OpenListener,
        way: SignInMethod,
        browser: &Browser,
        failures: Sender<String>,
        request: &AuthorizationRequest,
    ) -> Result<(), Error> {
        let before = self.record_prompt(sign_in)?;
        let address = open.start_address();
        sign_in.announce_prompt(self.now(), Some(address))?;
        let opened = if way == SignInMethod::Browser {
            // Nobody listens any more once the sign-in has ended.
            browser.open_url(address, move |why| drop(failures.try_send(why)))
        } else {
            BrowserLaunch::Manual
        };
        log::info("session", format_args!("asking at {address}: {opened:?}"));
        let way = match (opened, way) {
            // Nobody reads the address that an automatic caller's helper would print. No tab was opened after all.
            (BrowserLaunch::Failed(why), _) if !self.is_prompt_visible() => {
                sign_in.update_notes(|notes| notes.door = before)?;
                return Err(SignInNeeded::NoBrowser { why }.into());
            }
            (BrowserLaunch::Started, _) => {
                open.restrict_to_own_user();
                PromptMethod::Browser
            }
            (_, SignInMethod::Paste) => PromptMethod::Paste { to: Secret::new(request.url.as_str()) },
            // Whoever goes there by hand may be another user: `sudo -u service bedrock-sso login`.
            _ => PromptMethod::ByHand,
        };
        (self.report)(SignInEvent::Prompt(SignInPrompt { address: address.to_owned(), way }));
        Ok(())
    }

    /// Whether the user sees an address that is printed.
    fn is_prompt_visible(&self) -> bool {
        self.context.terminal || self.purpose.is_login()
    }

    /// The answer that a browser brings or the user pastes. A pasted text that is none is said to be so, and waited on; so is a
    /// browser that failed, where the user sees the address and can open it by hand.
    async fn await_callback(
        &self,
        open: &mut OpenListener,
        redirect_uri: &str,
        failure: &mut Receiver<String>,
        UserInput { cancel_signal: cancelled, pasted_lines: pasted }: &mut UserInput<'_>,
    ) -> Result<Result<Secret, CallbackError>, Error> {
        let mut time_is_up = pin!(sleep(self.time_left()));
        let mut failing = pin!(await_browser_failure(failure));
        let mut failed = None;
        loop {
            let is_running = failed.is_none();
            let browser = async { if is_running { failing.as_mut().await } else { pending().await } };
            let ended = race_futures(race_futures(cancelled.as_mut(), time_is_up.as_mut()), browser);
            let first = race_futures(race_futures(open.wait_for_answer(), next_pasted_line(pasted)), ended).await;
            match first {
                RaceWinner::Left(RaceWinner::Left(answer)) => return Ok(answer),
                RaceWinner::Left(RaceWinner::Right(text)) => match open.submit_pasted_address(text.expose()) {
                    Ok(()) => {}
                    Err(why) => {
                        log::info("session", format_args!("what was pasted is not the answer: {why:?}"));
                        let redirect_uri = redirect_uri.to_owned();
                        (self.report)(SignInEvent::PasteRejected(PastedTextError { why, redirect_uri }));
                    }
                },
                RaceWinner::Right(RaceWinner::Left(RaceWinner::Left(()))) => {
                    return Err(Error::Interrupted);
                }
                RaceWinner::Right(RaceWinner::Left(RaceWinner::Right(()))) => {
                    let unanswered = SignInNeeded::SignInTimedOut { after: self.profile.login_timeout };
                    let failed = failed.filter(|_| !open.was_start_opened());
                    return Err(failed.map_or(unanswered, |why| SignInNeeded::BrowserFailed { why }).into());
                }
                RaceWinner::Right(RaceWinner::Right(why)) => {
                    if !open.was_start_opened() {
                        self.report_browser_failure(open.start_address(), &why)?;
                    }
                    failed = Some(why);
                }
            }
        }
    }

    fn report_browser_failure(&self, address: &str, why: &str) -> Result<(), Error> {
        log::warn("session", format_args!("the browser failed, and nobody came to the address: {why}"));
        if !self.is_prompt_visible() {
            return Err(SignInNeeded::BrowserFailed { why: why.to_owned() }.into());
        }
        (self.report)(SignInEvent::BrowserFailed { why: sanitize_line(why), address: address.to_owned() });
        Ok(())
    }

    fn build_ending(&self, ended: &Result<SessionCredentials, FailureReport>) -> SignInEnding {
        match ended {
            Ok(ready) => SignInEnding::SignedIn {
                role: ready.role(self.profile).map(|role| (role.name().to_owned(), role.account().to_owned())),
                name: ready.session_name.clone(),
                until: ready.credentials.expiration,
                now: self.now(),
            },
            Err(failure) => ending_from_failure(failure, self.invocation),
        }
    }
}

/// Resolves with the reason a moment after the browser has failed. Some programs report a failure although they have shown
/// the address, and then somebody comes to it by then.
pub async fn await_browser_failure(failure: &mut Receiver<String>) -> String {
    match failure.recv().await {
        Some(why) => {
            sleep(BROWSER_FAILURE_GRACE).await;
            why
        }
        // The program is gone, and was content.
        None => pending().await,
    }
}

/// What is pasted next. Once whoever could paste is gone, nothing is: a browser may still come.
async fn next_pasted_line(pasted: &mut Receiver<Secret>) -> Secret {
    match pasted.recv().await {
        Some(text) => text,
        None => pending().await,
    }
}

fn ending_from_failure(report: &FailureReport, invocation: &Invocation) -> SignInEnding {
    let FailureReport { kind: _, code: _, slug, message, hint } = report;
    SignInEnding::Failed { what: message.clone(), hint: hint.render(invocation), slug: slug.clone() }
}

fn build_awaited_callback(known: &CachedProvider, request: &AuthorizationRequest) -> AwaitedCallback {
    AwaitedCallback {
        authorize_url: Secret::new(request.url.as_str()),
        state: request.state.clone(),
        issuer: known.metadata.issuer.clone(),
        iss_required: known.metadata.iss_parameter,
    }
}
