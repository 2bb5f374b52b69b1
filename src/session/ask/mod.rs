//! Rung four: asking the person, in a browser here or by a code entered elsewhere, and telling them the truth at the end.
//!
//! It decides whether a person may be asked, and keeps what they gave before AWS hears of it.

mod device;

use std::time::Duration;

use tokio::time::timeout;

use super::{Asking, Cancelled, Ladder, Purpose, Ready, Way, Wish};
use crate::{
    cache::{Known, Notes, Session},
    config::{Flow, Login},
    failure::{Failure, Interrupted, SignInNeeded},
    host::{Browser, Opened},
    lock::Holder,
    log,
    oidc::{
        self, Application, Expected, Request, Tokens, Unverified,
        callback::{Answered, Awaited, Ending, Listener},
    },
    race::{First, race},
    secret::Secret,
};

/// What a person has at least, however long the provider took before they were asked.
const SHORTEST: Duration = Duration::from_secs(10);

impl Ladder<'_> {
    pub(super) async fn ask(
        &self,
        session: &mut Session,
        cancelled: Cancelled<'_>,
    ) -> Result<Ready, Failure> {
        self.may_ask()?;
        let application = self.application()?;
        let mut known = self.known().await?;
        match (self.wish(), self.profile.flow) {
            (Wish::Device, _) | (Wish::Any, Flow::Device) => {
                self.ask_by_code(session, &application, &mut known, cancelled).await
            }
            _ => self.ask_in_browser(session, &application, &mut known, cancelled).await,
        }
    }

    async fn ask_in_browser(
        &self,
        session: &mut Session,
        application: &Application<'_>,
        known: &mut Known,
        cancelled: Cancelled<'_>,
    ) -> Result<Ready, Failure> {
        // It stands before the browser opens: a provider with a warm session comes back within milliseconds.
        let listener = Listener::bind(&self.profile.redirect).await?;
        let listener = listener.reporting(|event| log::debug("callback", format_args!("{event}")));
        let request =
            oidc::request(self.profile, &known.metadata, &listener.redirect_uri(), &self.host.random);
        let listener = match self.show(&listener.start_address())? {
            Way::Browser => listener.for_own_user(),
            // Whoever goes there by hand may be another user: `sudo -u service bedrock-sso login`.
            _ => listener,
        };
        let awaited = awaited(known, &request);
        let outcome = match self.answer(listener, awaited, cancelled).await {
            Ok(Answered { outcome, page }) => {
                let ended = match outcome {
                    Ok(code) => self.signed_in(session, application, known, &request, &code).await,
                    Err(refusal) => Err(refusal.into()),
                };
                page.finish(&self.ending(&ended)).await;
                ended
            }
            Err(failure) => Err(failure),
        };
        self.note_outcome(outcome.as_ref().err());
        outcome
    }

    /// Whether a person may be asked by this command, now.
    fn may_ask(&self) -> Result<(), Failure> {
        match (self.purpose, self.profile.login) {
            (Purpose::Login { .. }, _) => Ok(()),
            (Purpose::Credentials { may_ask: true }, Login::Auto) => {
                let (door, now) = (self.cache.notes().door, self.now());
                let Some(until) = door.closed_until(now) else { return Ok(()) };
                Err(SignInNeeded::DoorClosed { until, now, why: door.why().map(str::to_owned) }.into())
            }
            _ => Err(SignInNeeded::NotAllowed.into()),
        }
    }

    /// Opens the browser, after writing down that a tab was opened: a process killed from here on still counts.
    fn show(&self, address: &str) -> Result<Way, Failure> {
        let before = self.note_opening()?;
        let address_of_ours = Some(address.to_owned());
        let holder =
            Holder { pid: std::process::id(), since: self.now(), address: address_of_ours, code: None };
        self.held.announce(&holder)?;
        let browser = match self.wish() {
            Wish::NoBrowser => Browser::Nobody,
            _ => Browser::choose(&self.profile.browser, &self.host.environment),
        };
        let opened = browser.open(address);
        log::info("session", format_args!("asking at {address}: {opened:?}"));
        match (opened, self.purpose) {
            // Nobody reads the address that an automatic caller's helper would print. No tab was opened after all.
            (Opened::Failed(why), Purpose::Credentials { .. }) => {
                self.cache.keep_notes(self.held, &before)?;
                Err(SignInNeeded::NoBrowser { why }.into())
            }
            (opened, _) => {
                let way = if opened == Opened::Asked { Way::Browser } else { Way::ByHand };
                (self.tell)(Asking { address: address.to_owned(), way: way.clone() });
                Ok(way)
            }
        }
    }

    async fn answer(
        &self,
        listener: Listener,
        awaited: Awaited,
        cancelled: Cancelled<'_>,
    ) -> Result<Answered, Failure> {
        let limit = self.profile.login_timeout;
        match race(timeout(self.time_left(), listener.answer(awaited)), cancelled).await {
            First::Left(Ok(answered)) => Ok(answered),
            First::Left(Err(_)) => Err(SignInNeeded::Unanswered { after: limit }.into()),
            First::Right(()) => Err(Interrupted.into()),
        }
    }

    /// Code to tokens, and on with them.
    async fn signed_in(
        &self,
        session: &mut Session,
        application: &Application<'_>,
        known: &mut Known,
        request: &Request,
        code: &Secret,
    ) -> Result<Ready, Failure> {
        let (id_token, tokens) =
            oidc::exchange_code(self.client, application, &known.metadata, request, code).await?;
        self.told_who(session, known, id_token, tokens, Some(&request.nonce)).await
    }

    /// The answer's tokens verified and kept, then AWS.
    async fn told_who(
        &self,
        session: &mut Session,
        known: &mut Known,
        id_token: Unverified,
        tokens: Tokens,
        nonce: Option<&Secret>,
    ) -> Result<Ready, Failure> {
        let token = self
            .verified(
                known,
                id_token,
                &Expected {
                    issuer: self.profile.issuer.as_str(),
                    client_id: &self.profile.client_id,
                    organization: oidc::organization(self.profile),
                    nonce,
                    access_token: tokens.access_token.as_ref(),
                    previous_subject: None,
                    now: self.now(),
                    server_date: tokens.server_date,
                },
            )
            .await?;
        // Another person may sign in than before: nothing of the earlier one stays.
        let is_the_same = session.subject.as_deref() == Some(token.subject());
        *session = Session {
            longest: session.longest,
            identity: session.identity.take().filter(|_| is_the_same),
            refresh_token: tokens.refresh_token,
            ..Session::default()
        };
        self.keep_token(session, &token)?;
        self.exchanged(session, &token).await
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
            Err(Failure { exit: _, slug, what, hint }) => {
                Ending::Failed { what: what.clone(), hint: hint.clone(), slug: slug.clone() }
            }
        }
    }

    /// What the command line says of the way in.
    fn wish(&self) -> Wish {
        match self.purpose {
            Purpose::Login { wish, .. } => wish,
            _ => Wish::Any,
        }
    }

    /// What is left of the person's time.
    fn time_left(&self) -> Duration {
        self.profile.login_timeout.saturating_sub(self.began.elapsed()).max(SHORTEST)
    }

    /// Writes down that a person is being asked, and returns the notes from before.
    fn note_opening(&self) -> Result<Notes, Failure> {
        let before = self.cache.notes();
        let mut notes = before.clone();
        notes.door.opening(self.now());
        self.cache.keep_notes(self.held, &notes)?;
        Ok(before)
    }

    /// A note that cannot be kept must not cost anybody the credentials they signed in for.
    fn note_outcome(&self, failure: Option<&Failure>) {
        let mut notes = self.cache.notes();
        match failure {
            None => notes.door.answered(),
            Some(failure) => notes.door.fruitless(self.now(), failure.what.clone()),
        }
        if let Err(error) = self.cache.keep_notes(self.held, &notes) {
            log::warn("session", format_args!("{error}"));
        }
    }
}

fn awaited(known: &Known, request: &Request) -> Awaited {
    Awaited {
        authorize_url: request.url.to_string(),
        state: request.state.clone(),
        issuer: known.metadata.issuer.clone(),
        iss_required: known.metadata.iss_parameter,
    }
}
