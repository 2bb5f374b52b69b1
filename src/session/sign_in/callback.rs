//! Sign-in with an authorization code: a browser on this machine calls back to a local listener, or the user pastes the
//! address at which a browser elsewhere has ended.
//!
//! The listener accepts connections before any address is shown. It closes after the browser's page has shown whether
//! the user has credentials now, so the page never reports a success that did not happen.

use std::{
    future::{Future, pending},
    pin::pin,
    time::Duration,
};

use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::sleep,
};

use super::{
    method_choice::SignInMethod,
    service::{SignInResult, SignInService},
};
use crate::{
    cache::{FailureReport, LockedSignIn},
    hint::Invocation,
    host::{Browser, BrowserLaunch, format_local_time},
    log,
    oidc::{
        RequestRefusal,
        callback::{AwaitedCallback, CallbackError, CallbackListener, OpenListener, SignInEnding},
    },
    race::{RaceWinner, race_futures},
    secret::Secret,
    session::{
        Error, Ladder, OpenRecords, PastedTextError, PromptMethod, SignInEvent, SignInNeeded, SignInPrompt, UserInput,
        prompt::PromptFlow,
    },
    text::sanitize_line,
};

/// How long to wait for the page to be opened after the browser has reported a failure.
const BROWSER_FAILURE_GRACE: Duration = Duration::from_secs(3);

/// After this time `login` shows the address even if the service has not answered yet. Hosts show the output of
/// `login` as it arrives, and the first line should appear within a second.
const EARLY: Duration = Duration::from_millis(400);

impl Ladder<'_> {
    /// Runs a sign-in by callback to its end, and records the result for the backoff. Errors after the prompt come back
    /// as [`Error::Reported`], because the page has shown their text.
    pub(super) async fn sign_in_by_callback<S: SignInService>(
        &self,
        service: &S,
        records: &mut OpenRecords<'_, '_>,
        (way, browser): (SignInMethod, &Browser),
        known: Option<S::Known>,
        user: &mut UserInput<'_>,
    ) -> Result<SignInResult, Error> {
        // The listener comes first: a provider that knows the user already redirects back within milliseconds.
        let listener = CallbackListener::bind(&self.profile.redirect_uri).await?;
        let listener = listener.with_reporter(|event| log::debug("callback", format_args!("{event}")));
        let redirect_uri = listener.redirect_uri();
        let mut open = listener.start_serving();
        let known = match known {
            Some(known) => Ok(known),
            None => self.prepare_with_prompt(service, records.sign_in.lock, &open, way, user).await,
        };
        let mut known = match known {
            Ok(known) => known,
            Err(error) => {
                let report = (self.describe)(error);
                open.finish_with_failure(&ending_from_failure(&report, self.invocation)).await;
                return Err(Error::Reported(report));
            }
        };
        let request = service.build_request(&known, &redirect_uri);
        let awaited = service.describe_callback(&known, &request);
        open.set_awaited_callback(awaited.clone());
        let (failures, mut failure) = mpsc::channel(1);
        self.show_prompt(records.sign_in.lock, &open, (way, browser), failures, &awaited)?;
        let refusal = service.find_request_refusal(&known, &redirect_uri);
        let outcome = match self.await_callback(&mut open, &redirect_uri, &mut failure, refusal, user).await {
            Ok(answer) => {
                let ended = match answer {
                    Ok(code) => service.finish_with_code(records, &mut known, &request, &code).await,
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

    /// Asks the service for what it reports before a prompt. If that is slow, `login` shows the local address
    /// meanwhile, and the listener redirects the user as soon as the answer has arrived.
    ///
    /// The browser is not opened yet, because the service may be unreachable. A user who pastes needs the service's own
    /// address, which depends on the answer, so nothing can be shown before.
    async fn prepare_with_prompt<S: SignInService>(
        &self,
        service: &S,
        sign_in: &LockedSignIn<'_>,
        open: &OpenListener,
        way: SignInMethod,
        user: &mut UserInput<'_>,
    ) -> Result<S::Known, Error> {
        let mut known = pin!(service.prepare_or_cancel(sign_in, PromptFlow::Callback, user));
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

    /// Shows the user where to sign in, and opens the browser. The prompt is stored first, so that it counts for the
    /// backoff even if the process is killed from here on. `failures` receives the reason if the browser fails later.
    fn show_prompt(
        &self,
        sign_in: &LockedSignIn<'_>,
        open: &OpenListener,
        (way, browser): (SignInMethod, &Browser),
        failures: Sender<String>,
        awaited: &AwaitedCallback,
    ) -> Result<(), Error> {
        let before = self.record_prompt(sign_in)?;
        let address = open.start_address();
        sign_in.announce_prompt(self.now(), Some(address))?;
        let opened = if way == SignInMethod::Browser {
            // The receiver is gone once the sign-in has ended.
            browser.open_url(address, move |why| drop(failures.try_send(why)))
        } else {
            BrowserLaunch::Manual
        };
        log::info("session", format_args!("prompting the user at {address}; browser: {opened:?}"));
        let way = match (opened, way) {
            // The user would not see a printed address. No tab was opened, so the prompt does not count.
            (BrowserLaunch::Failed(why), _) if !self.is_prompt_visible() => {
                sign_in.update_notes(|notes| notes.prompt_backoff = before)?;
                return Err(SignInNeeded::NoBrowser { why }.into());
            }
            (BrowserLaunch::Started, _) => {
                open.restrict_to_own_user();
                PromptMethod::Browser
            }
            (_, SignInMethod::Paste) => PromptMethod::Paste { to: awaited.authorize_url.clone() },
            // The browser may run as another system user, for example with `sudo -u service bedrock-sso login`, so the
            // listener is not restricted to the user of this process.
            _ => PromptMethod::ByHand,
        };
        (self.report)(SignInEvent::Prompt(SignInPrompt { address: address.to_owned(), way }));
        Ok(())
    }

    /// Whether the user sees a printed address.
    fn is_prompt_visible(&self) -> bool {
        self.context.terminal || self.purpose.is_login()
    }

    /// Waits for the provider's answer: a callback from the browser, or an address that the user pastes.
    ///
    /// A wrong paste is reported, and the wait continues. It also continues after the browser has failed, if the user
    /// sees the address and can open it by hand, and after the provider has refused the request in `refusal`, because the
    /// browser's cookies may lead elsewhere. It ends with an error when the user cancels or the time is up.
    async fn await_callback(
        &self,
        open: &mut OpenListener,
        redirect_uri: &str,
        failure: &mut Receiver<String>,
        refusal: impl Future<Output = RequestRefusal>,
        UserInput { cancel_signal: cancelled, pasted_lines: pasted }: &mut UserInput<'_>,
    ) -> Result<Result<Secret, CallbackError>, Error> {
        let mut time_is_up = pin!(sleep(self.time_left()));
        let mut failing = pin!(await_browser_failure(failure));
        let mut refusing = pin!(refusal);
        let (mut failed, mut refused) = (None, None);
        loop {
            let is_running = failed.is_none();
            let browser = async { if is_running { failing.as_mut().await } else { pending().await } };
            let is_asking = refused.is_none();
            let refusal = async { if is_asking { refusing.as_mut().await } else { pending().await } };
            let trouble = race_futures(browser, refusal);
            let ended = race_futures(race_futures(cancelled.as_mut(), time_is_up.as_mut()), trouble);
            let first = race_futures(race_futures(open.wait_for_answer(), receive_or_wait(pasted)), ended).await;
            match first {
                RaceWinner::Left(RaceWinner::Left(answer)) => return Ok(answer),
                RaceWinner::Left(RaceWinner::Right(text)) => match open.submit_pasted_address(text.expose()) {
                    Ok(()) => {}
                    Err(why) => {
                        log::info("session", format_args!("rejected a pasted address: {why:?}"));
                        let redirect_uri = redirect_uri.to_owned();
                        (self.report)(SignInEvent::PasteRejected(PastedTextError { why, redirect_uri }));
                    }
                },
                RaceWinner::Right(RaceWinner::Left(RaceWinner::Left(()))) => {
                    return Err(Error::Interrupted);
                }
                RaceWinner::Right(RaceWinner::Left(RaceWinner::Right(()))) => {
                    let redirect_uri = redirect_uri.to_owned();
                    let failed = failed.filter(|_| !open.was_start_opened());
                    return Err(match (failed, refused) {
                        (Some(why), _) => SignInNeeded::BrowserFailed { why },
                        (None, Some(refusal)) => SignInNeeded::RequestRefused { refusal, redirect_uri },
                        (None, None) => {
                            SignInNeeded::SignInTimedOut { after: self.profile.login_timeout, redirect_uri }
                        }
                    }
                    .into());
                }
                RaceWinner::Right(RaceWinner::Right(RaceWinner::Right(refusal))) => {
                    self.report_refusal(&refusal, redirect_uri);
                    refused = Some(refusal);
                }
                RaceWinner::Right(RaceWinner::Right(RaceWinner::Left(why))) => {
                    if !open.was_start_opened() {
                        self.report_browser_failure(open.start_address(), &why)?;
                    }
                    failed = Some(why);
                }
            }
        }
    }

    /// Reports that the browser probably shows an error page.
    fn report_refusal(&self, refusal: &RequestRefusal, redirect_uri: &str) {
        let (refusal, redirect_uri) = (refusal.clone(), redirect_uri.to_owned());
        let report = (self.describe)(SignInNeeded::RequestRefused { refusal, redirect_uri }.into());
        log::warn("session", format_args!("{}", report.message));
        let hint = report.hint.render(self.invocation);
        (self.report)(SignInEvent::RequestRefused { message: report.message, hint });
    }

    /// Reports the failure so that the user opens the address by hand; fails if the user would not see the report.
    fn report_browser_failure(&self, address: &str, why: &str) -> Result<(), Error> {
        log::warn("session", format_args!("the browser failed and did not open the address: {why}"));
        if !self.is_prompt_visible() {
            return Err(SignInNeeded::BrowserFailed { why: why.to_owned() }.into());
        }
        (self.report)(SignInEvent::BrowserFailed { why: sanitize_line(why), address: address.to_owned() });
        Ok(())
    }

    /// The page that the browser shows at the end.
    fn build_ending(&self, ended: &Result<SignInResult, FailureReport>) -> SignInEnding {
        match ended {
            Ok(SignInResult::PortalToken(_)) => SignInEnding::SignedInForSetup,
            Ok(SignInResult::Credentials(ready)) => SignInEnding::SignedIn {
                role: ready.role(self.profile).map(|role| (role.name().to_owned(), role.account().to_owned())),
                name: ready.session_name.clone(),
                until: ready.credentials.expiration,
                local_until: format_local_time(ready.credentials.expiration, &self.host.environment),
                now: self.now(),
            },
            Err(failure) => ending_from_failure(failure, self.invocation),
        }
    }
}

/// Resolves with the reason a moment after the browser has failed. The delay is for programs that report a failure
/// although they have opened the page.
pub async fn await_browser_failure(failure: &mut Receiver<String>) -> String {
    let why = receive_or_wait(failure).await;
    sleep(BROWSER_FAILURE_GRACE).await;
    why
}

/// Receives the next value. Waits for ever once no sender is left: a browser program that ends without a failure, or a
/// terminal that is closed, must not end the sign-in, because a browser may still open the address.
async fn receive_or_wait<T>(receiver: &mut Receiver<T>) -> T {
    match receiver.recv().await {
        Some(value) => value,
        None => pending().await,
    }
}

fn ending_from_failure(report: &FailureReport, invocation: &Invocation) -> SignInEnding {
    let FailureReport { kind: _, code: _, slug, message, hint } = report;
    SignInEnding::Failed { what: message.clone(), hint: hint.render(invocation), slug: slug.clone() }
}
