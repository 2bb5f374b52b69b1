//! The ways in that end at this machine's listener: in a browser here, or by the address on which one elsewhere ended.
//!
//! The listener stands before anybody is shown an address, and closes when the truth has been told.

use std::{future::pending, pin::pin, time::Duration};

use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::sleep,
};

use super::choice::WayIn;
use crate::{
    cache::{Known, Session},
    failure::{Failure, Interrupted, NotTheAnswer, SignInNeeded},
    host::{Browser, Opened},
    log,
    oidc::{
        self, Application, Request,
        callback::{AnswerError, Awaited, Ending, Listener, Open},
    },
    race::{First, race},
    secret::Secret,
    session::{Asking, Ladder, Person, Purpose, Ready, Said, Way},
    text::line,
};

/// How long after the failure of a browser somebody may still come to the address.
const GRACE: Duration = Duration::from_secs(3);

/// A person who waits for `login` is shown the address by then, however long the provider takes to describe itself.
const EARLY: Duration = Duration::from_millis(400);

impl Ladder<'_> {
    pub(super) async fn ask_in_browser(
        &self,
        session: &mut Session,
        application: &Application<'_>,
        way: WayIn,
        browser: &Browser,
        known: Option<Known>,
        person: &mut Person<'_>,
    ) -> Result<Ready, Failure> {
        // It stands before the browser opens: a provider with a warm session comes back within milliseconds.
        let listener = Listener::bind(&self.profile.redirect).await?;
        let listener = listener.reporting(|event| log::debug("callback", format_args!("{event}")));
        let redirect_uri = listener.redirect_uri();
        let mut open = listener.open();
        let known = match known {
            Some(known) => Ok(known),
            None => self.known_meanwhile(&open, way, person).await,
        };
        let mut known = match known {
            Ok(known) => known,
            Err(failure) => {
                open.fail(&failed(&failure)).await;
                return Err(failure);
            }
        };
        let request = oidc::request(self.profile, &known.metadata, &redirect_uri, &self.host.random);
        open.expect(awaited(&known, &request));
        let (failures, mut failure) = mpsc::channel(1);
        self.show(&open, way, browser, failures, &request)?;
        let outcome = match self.answered(&mut open, &redirect_uri, &mut failure, person).await {
            Ok((answer, by_browser)) => {
                let page = open.page(by_browser);
                let ended = match answer {
                    Ok(code) => self.signed_in(session, application, &mut known, &request, &code).await,
                    Err(error) => Err(error.into()),
                };
                page.finish(&self.ending(&ended)).await;
                ended
            }
            Err(failure) => Err(failure),
        };
        self.note_outcome(outcome.as_ref().err());
        outcome
    }

    /// Asks the provider to describe itself. A person at `login` is shown the address meanwhile: who goes there is sent on
    /// as soon as that is done. No browser is opened before, for a provider that cannot be reached is no reason to; and who
    /// is to paste is sent to the provider's address, which is not known yet.
    async fn known_meanwhile(
        &self,
        open: &Open,
        way: WayIn,
        person: &mut Person<'_>,
    ) -> Result<Known, Failure> {
        let mut known = pin!(self.known_unless(person));
        if matches!(self.purpose, Purpose::Login { .. }) && way != WayIn::Paste {
            if let First::Left(known) = race(known.as_mut(), sleep(EARLY)).await {
                return known;
            }
            let address = open.start_address();
            self.announce(Some(address))?;
            let way = if way == WayIn::Browser { Way::Browser } else { Way::ByHand };
            (self.tell)(Said::Asking(Asking { address: address.to_owned(), way }));
        }
        known.await
    }

    /// Opens the browser, after writing down that a tab was opened: a process killed from here on still counts.
    /// `failures` hears of a browser that fails later.
    fn show(
        &self,
        open: &Open,
        way: WayIn,
        browser: &Browser,
        failures: Sender<String>,
        request: &Request,
    ) -> Result<(), Failure> {
        let before = self.note_opening()?;
        let address = open.start_address();
        self.announce(Some(address))?;
        let opened = if way == WayIn::Browser {
            // Nobody listens any more once the sign-in has ended.
            browser.open(address, move |why| drop(failures.try_send(why)))
        } else {
            Opened::ByHand
        };
        log::info("session", format_args!("asking at {address}: {opened:?}"));
        let way = match (opened, way) {
            // Nobody reads the address that an automatic caller's helper would print. No tab was opened after all.
            (Opened::Failed(why), _) if !self.is_seen() => {
                self.cache.keep_notes(self.held, &before)?;
                return Err(SignInNeeded::NoBrowser { why }.into());
            }
            (Opened::Asked, _) => {
                open.for_own_user();
                Way::Browser
            }
            (_, WayIn::Paste) => Way::Paste { to: Secret::new(request.url.as_str()) },
            // Whoever goes there by hand may be another user: `sudo -u service bedrock-sso login`.
            _ => Way::ByHand,
        };
        (self.tell)(Said::Asking(Asking { address: address.to_owned(), way }));
        Ok(())
    }

    /// Whether the user sees an address that is printed.
    fn is_seen(&self) -> bool {
        self.around.terminal || matches!(self.purpose, Purpose::Login { .. })
    }

    /// The answer, and whether a browser brought it. A pasted text that is none is said to be so, and waited on; so is a
    /// browser that failed, where the user sees the address and can open it by hand.
    async fn answered(
        &self,
        open: &mut Open,
        redirect_uri: &str,
        failure: &mut Receiver<String>,
        Person { cancelled, pasted }: &mut Person<'_>,
    ) -> Result<(Result<Secret, AnswerError>, bool), Failure> {
        let mut time_is_up = pin!(sleep(self.time_left()));
        let mut failing = pin!(browser_failure(failure));
        let mut failed = None;
        let mut by_browser = true;
        loop {
            let is_running = failed.is_none();
            let browser = async { if is_running { failing.as_mut().await } else { pending().await } };
            let ended = race(race(cancelled.as_mut(), time_is_up.as_mut()), browser);
            let first = race(race(open.answer(), next(pasted)), ended).await;
            match first {
                First::Left(First::Left(answer)) => return Ok((answer, by_browser)),
                First::Left(First::Right(text)) => match open.pasted(text.expose()) {
                    Ok(()) => by_browser = false,
                    Err(why) => {
                        log::info("session", format_args!("what was pasted is not the answer: {why:?}"));
                        let why = NotTheAnswer { why, redirect_uri };
                        (self.tell)(Said::NotThat(why.to_string()));
                    }
                },
                First::Right(First::Left(First::Left(()))) => return Err(Interrupted.into()),
                First::Right(First::Left(First::Right(()))) => {
                    let unanswered = SignInNeeded::Unanswered { after: self.profile.login_timeout };
                    let failed = failed.filter(|_| !open.has_begun());
                    return Err(failed.map_or(unanswered, |why| SignInNeeded::BrowserFailed { why }).into());
                }
                First::Right(First::Right(why)) => {
                    if !open.has_begun() {
                        self.report_browser_failure(open.start_address(), &why)?;
                    }
                    failed = Some(why);
                }
            }
        }
    }

    fn report_browser_failure(&self, address: &str, why: &str) -> Result<(), Failure> {
        log::warn("session", format_args!("the browser failed, and nobody came to the address: {why}"));
        if !self.is_seen() {
            return Err(SignInNeeded::BrowserFailed { why: why.to_owned() }.into());
        }
        (self.tell)(Said::BrowserFailed { why: line(why), address: address.to_owned() });
        Ok(())
    }

    fn ending(&self, ended: &Result<Ready, Failure>) -> Ending {
        match ended {
            Ok(ready) => Ending::SignedIn {
                role: ready
                    .role(self.profile)
                    .map(|role| (role.name().to_owned(), role.account().to_owned())),
                name: ready.session_name.clone(),
                until: ready.credentials.expiration,
                now: self.now(),
            },
            Err(failure) => failed(failure),
        }
    }
}

/// Resolves with the reason a moment after the browser has failed. Some programs report a failure although they have shown
/// the address, and then somebody comes to it by then.
async fn browser_failure(failure: &mut Receiver<String>) -> String {
    match failure.recv().await {
        Some(why) => {
            sleep(GRACE).await;
            why
        }
        // The program is gone, and was content.
        None => pending().await,
    }
}

/// What is pasted next. Once whoever could paste is gone, nothing is: a browser may still come.
async fn next(pasted: &mut Receiver<Secret>) -> Secret {
    match pasted.recv().await {
        Some(text) => text,
        None => pending().await,
    }
}

fn failed(Failure { exit: _, slug, what, hint }: &Failure) -> Ending {
    Ending::Failed { what: what.clone(), hint: hint.clone(), slug: slug.clone() }
}

fn awaited(known: &Known, request: &Request) -> Awaited {
    Awaited {
        authorize_url: request.url.to_string(),
        state: request.state.clone(),
        issuer: known.metadata.issuer.clone(),
        iss_required: known.metadata.iss_parameter,
    }
}
