//! Rung six: may this person spend? Asked before AWS, and again whenever the last yes has run out.
//!
//! A no costs nobody what they have: credentials and tokens stay, and serve again once the service says yes.

use super::{
    Ladder, Purpose, Silent,
    ready::{LEAST_APPROVAL, cleared_until},
};
use crate::{
    cache::{Freshness, Session, freshness_at},
    config::OnError,
    failure::{Exit, Failure, NotCleared},
    log,
    oidc::VerifiedToken,
    quota::{self, Clearance},
    time::Moment,
};

impl Ladder<'_> {
    pub(super) async fn cleared(
        &self,
        session: &mut Session,
        token: &VerifiedToken,
    ) -> Result<Clearance, Failure> {
        let service = self.profile.quota.as_ref();
        let asked = quota::clear(self.client, service, token, self.now()).await;
        self.told_by_service(session, asked)
    }

    /// Whether the last yes still holds; where only that has run out, only the service is asked. False when a person
    /// would have to sign in for it.
    pub(super) async fn still_cleared(&self, session: &mut Session) -> Result<bool, Failure> {
        let Some(service) = &self.profile.quota else { return Ok(true) };
        let until = cleared_until(session, service, self.now());
        let left = until.map(|until| freshness_at(until, self.now()));
        if left.is_some_and(|left| self.is_good(left)) {
            return Ok(true);
        }
        log::info("session", format_args!("only the quota service has to be asked again"));
        let token = match self.kept_token(session) {
            Some(token) => Ok(Some(Silent::Kept(token))),
            None => self.token_without_asking(session).await,
        };
        match token {
            Ok(Some(Silent::Renewed(token) | Silent::Kept(token))) => {
                self.cleared(session, &token).await?;
            }
            Ok(None) => return Ok(false),
            // The provider cannot be reached, so that there is no token to ask with.
            Err(failure) if failure.exit == Exit::Network && service.on_error == OnError::Allow => {
                log::warn("session", format_args!("nobody can be asked: {}", failure.what));
                session.cleared_until = Some(self.now().plus(service.interval.max(LEAST_APPROVAL)));
            }
            Err(failure) => return Err(failure),
        }
        self.keep(session)?;
        Ok(true)
    }

    fn told_by_service(
        &self,
        session: &mut Session,
        asked: Result<Clearance, quota::Denied>,
    ) -> Result<Clearance, Failure> {
        match asked {
            Ok(clearance) => {
                session.cleared_until =
                    clearance.until().map(|until| until.max(self.now().plus(LEAST_APPROVAL)));
                Ok(clearance)
            }
            Err(denied) => {
                session.cleared_until = None;
                self.keep(session)?;
                self.note_usage(denied.usage());
                Err(NotCleared { denied, now: self.now() }.into())
            }
        }
    }

    /// A warning for the person, once a day, when the end is in sight; where nobody listens, it is kept for later.
    pub(super) fn warning(&self, clearance: &Clearance) -> Option<String> {
        let usage = clearance.usage.as_ref()?;
        self.note_usage(Some(usage));
        let today = day(self.now());
        let mut notes = self.cache.notes();
        if !usage.is_almost_spent() || notes.warned_on == Some(today) || self.purpose == Purpose::Renewal {
            return None;
        }
        notes.warned_on = Some(today);
        self.keep_notes(&notes);
        Some(format!("You have used {}.", usage.spoken()?))
    }

    /// For `status`, which asks nobody.
    fn note_usage(&self, usage: Option<&quota::Usage>) {
        let mut notes = self.cache.notes();
        if notes.usage.as_ref() != usage {
            notes.usage = usage.cloned();
            self.keep_notes(&notes);
        }
    }

    fn keep_notes(&self, notes: &crate::cache::Notes) {
        if let Err(error) = self.cache.keep_notes(self.held, notes) {
            log::warn("session", format_args!("{error}"));
        }
    }

    /// What is good enough for whom.
    pub(super) fn is_good(&self, fresh: Freshness) -> bool {
        match self.purpose {
            Purpose::Login { force: true, .. } | Purpose::Token { .. } => false,
            Purpose::Renewal => fresh == Freshness::Fresh,
            Purpose::Credentials { .. } | Purpose::Login { force: false, .. } => {
                matches!(fresh, Freshness::Fresh | Freshness::RenewSoon)
            }
        }
    }
}

/// Days since 1970, UTC, by which the service counts.
fn day(moment: Moment) -> i64 {
    moment.unix().div_euclid(86_400)
}
