//! Rung six: may this person spend? Asked before AWS, and again whenever the last yes has run out.
//!
//! A no costs nobody what they have: credentials and tokens stay, and serve again once the service says yes.

use super::{
    CredentialsPurpose, Error, Ladder, LadderPurpose, LoginCondition, NonInteractiveToken, OpenCredentials, OpenSignIn,
    session_credentials::{MIN_APPROVAL, find_approval_end},
};
use crate::{
    cache::{Freshness, LockedCredentials, assess_expiry},
    config::QuotaErrorPolicy,
    log,
    oidc::VerifiedToken,
    quota::{self, Clearance},
    time::Timestamp,
};

impl Ladder<'_> {
    pub(super) async fn obtain_clearance<'t>(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &'t VerifiedToken,
    ) -> Result<Clearance<'t>, Error> {
        let service = self.profile.quota.as_ref();
        let asked = quota::request_clearance(self.client, service, token, self.now()).await;
        self.record_clearance(stored, asked)
    }

    /// Whether the last yes still holds; where only that has run out, only the service is asked. False when a person
    /// would have to sign in for it.
    pub(super) async fn ensure_cleared(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        stored: &mut OpenCredentials<'_>,
    ) -> Result<bool, Error> {
        let Some(service) = &self.profile.quota else { return Ok(true) };
        let until = find_approval_end(stored, service, self.now());
        let left = until.map(|until| assess_expiry(until, self.now()));
        if left.is_some_and(|left| self.is_fresh_enough(left)) {
            return Ok(true);
        }
        log::info("session", format_args!("only the quota service has to be asked again"));
        let token = match self.cached_token(sign_in) {
            Some(token) => Ok(Some(NonInteractiveToken::Cached(token))),
            None => self.get_token_without_prompt(sign_in).await,
        };
        match token {
            Ok(Some(NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached(token))) => {
                self.obtain_clearance(stored, &token).await?;
            }
            Ok(None) => return Ok(false),
            // The provider cannot be reached, so that there is no token to ask with.
            Err(error) if error.is_network() && service.on_error == QuotaErrorPolicy::Allow => {
                let report = (self.describe)(error);
                log::warn("session", format_args!("the quota service cannot be asked: {}", report.message));
                stored.cleared_until = Some(self.now().saturating_add(service.interval.max(MIN_APPROVAL)));
            }
            Err(error) => return Err(error),
        }
        stored.store()?;
        Ok(true)
    }

    fn record_clearance<'t>(
        &self,
        stored: &mut OpenCredentials<'_>,
        asked: Result<Clearance<'t>, quota::QuotaError>,
    ) -> Result<Clearance<'t>, Error> {
        match asked {
            Ok(clearance) => {
                stored.cleared_until =
                    clearance.until().map(|until| until.max(self.now().saturating_add(MIN_APPROVAL)));
                Ok(clearance)
            }
            Err(error) => {
                stored.cleared_until = None;
                stored.store()?;
                record_usage(stored.lock, error.usage());
                Err(Error::Quota { error, now: self.now() })
            }
        }
    }

    /// A warning for the person, once a day, when the end is in sight; where nobody listens, it is kept for later.
    pub(super) fn take_quota_warning(&self, stored: &OpenCredentials<'_>, clearance: &Clearance<'_>) -> Option<String> {
        let usage = clearance.usage.as_ref()?;
        record_usage(stored.lock, Some(usage));
        let today = count_utc_days(self.now());
        let was_warned = stored.lock.load_credentials_notes().warned_on == Some(today);
        if !usage.is_almost_spent()
            || was_warned
            || self.purpose == LadderPurpose::Credentials(CredentialsPurpose::Renewal)
        {
            return None;
        }
        stored.lock.try_update_notes(|notes| notes.warned_on = Some(today));
        Some(format!("You have used {}.", usage.describe_shares()?))
    }

    /// What is good enough for whom.
    pub(super) fn is_fresh_enough(&self, fresh: Freshness) -> bool {
        match self.purpose {
            LadderPurpose::Credentials(CredentialsPurpose::Login { mode: LoginCondition::Always, .. })
            | LadderPurpose::IdToken(_) => false,
            LadderPurpose::Credentials(CredentialsPurpose::Renewal) => fresh == Freshness::Fresh,
            LadderPurpose::Credentials(
                CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { mode: LoginCondition::IfNeeded, .. },
            ) => {
                matches!(fresh, Freshness::Fresh | Freshness::RenewSoon)
            }
        }
    }
}

/// For `status`, which does not ask the service.
fn record_usage(credentials: &LockedCredentials<'_>, usage: Option<&quota::QuotaUsage>) {
    if credentials.load_credentials_notes().usage.as_ref() != usage {
        credentials.try_update_notes(|notes| notes.usage = usage.cloned());
    }
}

/// Days since 1970, UTC, by which the service counts.
fn count_utc_days(moment: Timestamp) -> i64 {
    moment.unix_seconds().div_euclid(86_400)
}
