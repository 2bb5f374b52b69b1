//! Rung four: asking the person, in a browser here or by a code entered elsewhere, and telling them the truth at the end.
//!
//! It decides whether a person may be asked, and keeps what they gave before AWS hears of it.

mod choice;
mod device;
mod listener;

use std::time::Duration;

pub use self::choice::WayIn;
use self::choice::{Asked, Choice, Plan, choose};
use super::{Ladder, Person, Purpose, Ready, Said, Wish};
use crate::{
    cache::{Known, Notes, Session},
    config::{Caller, Profile},
    failure::{Failure, Interrupted, NoWay, SignInNeeded},
    host::{Browser, Surroundings},
    log,
    oidc::{self, Application, Expected, Request, Tokens, Unverified},
    race::{First, race},
    secret::Secret,
};

/// What a person has at least, however long the provider took before they were asked.
const SHORTEST: Duration = Duration::from_secs(10);

/// How `login` would ask a person here, and why so, given whether the provider gives codes.
pub fn foreseen(
    profile: &Profile,
    browser: &Browser,
    around: &Surroundings,
    gives_codes: bool,
) -> (Result<WayIn, NoWay>, &'static str) {
    let Choice { plan, because } = choice(profile, browser, false, Wish::Any, around);
    (plan.settled(gives_codes), because)
}

fn choice(
    profile: &Profile,
    browser: &Browser,
    automatically: bool,
    wish: Wish,
    around: &Surroundings,
) -> Choice {
    let named = !profile.browser.is_empty() && *browser != Browser::Nobody;
    choose(&Asked { automatically, wish, flow: profile.flow, named, browser }, around)
}

impl Ladder<'_> {
    pub(super) async fn ask(&self, session: &mut Session, person: &mut Person<'_>) -> Result<Ready, Failure> {
        self.may_ask()?;
        let application = self.application()?;
        let browser = self.profile.chosen_browser(&self.host.environment);
        let Choice { plan, because } = self.choice(&browser);
        log::info("session", format_args!("the way in is {plan:?}: {because}"));
        let known = match plan {
            Plan::CodeOr(_) | Plan::Go(WayIn::Code) => Some(self.known_unless(person).await?),
            _ => None,
        };
        let gives_codes =
            known.as_ref().is_some_and(|known| known.metadata.device_authorization_endpoint.is_some());
        match (plan.settled(gives_codes).map_err(SignInNeeded::NoWay)?, known) {
            (WayIn::Code, Some(mut known)) => {
                self.ask_by_code(session, &application, &mut known, person).await
            }
            (way, known) => self.ask_in_browser(session, &application, way, &browser, known, person).await,
        }
    }

    fn choice(&self, browser: &Browser) -> Choice {
        let automatically = !matches!(self.purpose, Purpose::Login { .. });
        choice(self.profile, browser, automatically, self.wish(), self.around)
    }

    /// What the provider says of itself, unless the person gives up first.
    async fn known_unless(&self, person: &mut Person<'_>) -> Result<Known, Failure> {
        match race(self.known(), person.cancelled.as_mut()).await {
            First::Left(known) => known,
            First::Right(()) => Err(Interrupted.into()),
        }
    }

    /// Whether a person may be asked by this command, now.
    fn may_ask(&self) -> Result<(), Failure> {
        match self.purpose.caller() {
            Caller::SignIn => Ok(()),
            caller if !self.profile.login.lets_ask(caller) => Err(SignInNeeded::NotAllowed.into()),
            _ => {
                let (door, now) = (self.cache.notes().door, self.now());
                let Some(until) = door.closed_until(now) else { return Ok(()) };
                Err(SignInNeeded::DoorClosed { until, now, why: door.why().map(str::to_owned) }.into())
            }
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
        (self.tell)(Said::Answered);
        let token = self.verified(known, id_token, &Expected { nonce, ..self.expected(&tokens) }).await?;
        // Another person may sign in than before: nothing of the earlier one stays.
        let is_the_same = session.subject.as_deref() == Some(token.subject());
        *session = Session {
            longest: session.longest,
            identity: session.identity.take().filter(|_| is_the_same),
            refresh_token: tokens.refresh_token,
            destinations: self.destinations(known),
            ..Session::default()
        };
        self.keep_token(session, &token)?;
        self.exchanged(session, &token).await
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

    /// Lets other processes know that this one waits for the user, and at which local address, if there is one.
    fn announce(&self, address: Option<&str>) -> Result<(), Failure> {
        Ok(self.cache.announce_prompt(self.held, self.now(), address)?)
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
