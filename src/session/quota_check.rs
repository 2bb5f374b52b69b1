//! Step 6 of the ladder: asks the quota service whether the user may spend, before AWS, and again when an approval
//! ends.
//!
//! A denial removes nothing. Credentials and tokens stay stored, and are served again as soon as the service approves.
//! Until then they are not served, although AWS would accept them.

use super::{
    CredentialsPurpose, Error, Ladder, LadderPurpose, LoginCondition, NonInteractiveToken, OpenCredentials, OpenSignIn,
    ServiceSteps, SignInReason, TokenSearch,
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
    /// The approval for this token's user. Without a quota service in the profile there is nothing to ask, and the
    /// approval has no end. A denial is stored before it is returned.
    pub(super) async fn obtain_clearance<'t>(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &'t VerifiedToken,
    ) -> Result<Clearance<'t>, Error> {
        let service = self.profile.quota.as_ref();
        let asked = quota::request_clearance(self.client, service, token, self.now()).await;
        self.record_clearance(stored, asked)
    }

    /// Makes sure that the stored credentials are approved. If only the approval has ended, it asks the service again
    /// and leaves AWS alone. `false` means that the user would have to sign in to get a token for the question.
    pub(super) async fn ensure_cleared(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        stored: &mut OpenCredentials<'_>,
    ) -> Result<bool, Error> {
        let Some(service) = &self.profile.quota else { return Ok(true) };
        // Only a profile with an OpenID provider can have a quota service.
        let ServiceSteps::Provider(steps) = self.service_steps() else { return Ok(true) };
        let until = find_approval_end(stored, service, self.now());
        let left = until.map(|until| assess_expiry(until, self.now()));
        if left.is_some_and(|left| self.is_fresh_enough(left)) {
            return Ok(true);
        }
        log::info(
            "session",
            format_args!("the stored credentials are valid, but their quota approval ends; asking the service again"),
        );
        let token = match self.cached_token(sign_in) {
            Some(token) => Ok(TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure: None })),
            None if self.purpose.is_forced_login() => Ok(TokenSearch::SignInNeeded(SignInReason::NoUsableToken)),
            None => steps.get_token_without_prompt(sign_in).await,
        };
        match token {
            Ok(TokenSearch::Found(
                NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. },
            )) => {
                self.obtain_clearance(stored, &token).await?;
            }
            Ok(TokenSearch::SignInNeeded(_)) => return Ok(false),
            // Without the provider there is no token to ask with. That counts as a quota service that does not answer.
            Err(error) if error.is_network() && service.on_error == QuotaErrorPolicy::Allow => {
                let report = (self.describe)(error);
                log::warn(
                    "session",
                    format_args!("continuing without a quota approval, as `on_error` allows: {}", report.message),
                );
                stored.cleared_until = Some(self.now().saturating_add(service.interval.max(MIN_APPROVAL)));
            }
            Err(error) => return Err(error),
        }
        stored.store()?;
        Ok(true)
    }

    /// Stores the answer in the credentials record, and the usage in the notes.
    fn record_clearance<'t>(
        &self,
        stored: &mut OpenCredentials<'_>,
        asked: Result<Clearance<'t>, quota::QuotaError>,
    ) -> Result<Clearance<'t>, Error> {
        match asked {
            Ok(clearance) => {
                stored.cleared_until =
                    clearance.until().map(|until| until.max(self.now().saturating_add(MIN_APPROVAL)));
                if let Some(usage) = &clearance.usage {
                    record_usage(stored.lock, Some(usage));
                }
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

    /// A warning for the user, once a day, when the quota is almost used up. A background renewal has no user to warn,
    /// so it leaves the warning to the next caller.
    pub(super) fn take_quota_warning(&self, stored: &OpenCredentials<'_>, clearance: &Clearance<'_>) -> Option<String> {
        let usage = clearance.usage.as_ref()?;
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

    /// Whether credentials, or an approval, of this freshness are enough for the ladder's purpose. A background renewal
    /// accepts only fresh ones: it runs because the stored ones are not.
    pub(super) fn is_fresh_enough(&self, fresh: Freshness) -> bool {
        match self.purpose {
            LadderPurpose::Credentials(CredentialsPurpose::Login { mode: LoginCondition::Always, .. })
            | LadderPurpose::IdToken(_)
            | LadderPurpose::PortalToken(_) => false,
            LadderPurpose::Credentials(CredentialsPurpose::Renewal) => fresh == Freshness::Fresh,
            LadderPurpose::Credentials(
                CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { mode: LoginCondition::IfNeeded, .. },
            ) => {
                matches!(fresh, Freshness::Fresh | Freshness::RenewSoon)
            }
        }
    }
}

/// Stores the usage for `status`, which does not ask the service itself.
fn record_usage(credentials: &LockedCredentials<'_>, usage: Option<&quota::QuotaUsage>) {
    if credentials.load_credentials_notes().usage.as_ref() != usage {
        credentials.try_update_notes(|notes| notes.usage = usage.cloned());
    }
}

/// Days since 1970 in UTC; the quota service counts by the same days.
fn count_utc_days(moment: Timestamp) -> i64 {
    moment.unix_seconds().div_euclid(86_400)
}
