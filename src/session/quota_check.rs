//! Step 6 of the ladder: asks the quota service whether the user may spend, before AWS, and again when an approval
//! ends.
//!
//! A denial removes nothing. Credentials and tokens stay stored, and are served again as soon as the service approves.
//! Until then they are not served, although AWS would accept them.

use super::{
    CredentialsPurpose, Error, Ladder, LadderPurpose, LoginCondition, NonInteractiveToken, OpenCredentials, OpenSignIn,
    ServiceSteps, SignInReason, TokenSearch,
    portal_steps::PortalSteps,
    provider_steps::ProviderSteps,
    session_credentials::{MIN_APPROVAL, find_approval_end},
};
use crate::{
    aws::AssignedSession,
    cache::{Freshness, LockedCredentials, assess_expiry},
    config::QuotaErrorPolicy,
    log,
    oidc::VerifiedToken,
    quota::{self, Clearance, CredentialsClearance, TokenClearance, UnclearedCredentials},
    time::Timestamp,
};

/// The result of the attempt to have stored credentials approved again.
enum Reclearance {
    Approved,
    /// There is nothing to ask with: the user, or at least the credentials, must be renewed first.
    RenewalNeeded,
}

impl Ladder<'_> {
    /// The approval for this token's user. Without a quota service in the profile there is nothing to ask, and the
    /// approval has no end. A denial is stored before it is returned.
    pub(super) async fn obtain_clearance<'t>(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &'t VerifiedToken,
    ) -> Result<TokenClearance<'t>, Error> {
        let service = self.profile.quota.as_ref();
        let asked = quota::request_clearance(self.client, service, token, self.now()).await;
        self.record_clearance(stored, asked)
    }

    /// The same for the credentials of an assignment. A denial drops these credentials, and leaves those that are stored
    /// as they are.
    pub(super) async fn clear_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        credentials: UnclearedCredentials,
    ) -> Result<CredentialsClearance, Error> {
        let asked = self.ask_with_credentials(credentials).await;
        self.record_clearance(stored, asked)
    }

    async fn ask_with_credentials(
        &self,
        credentials: UnclearedCredentials,
    ) -> Result<CredentialsClearance, quota::QuotaError> {
        let (service, region) = (self.profile.quota.as_ref(), &self.profile.region);
        quota::clear_credentials(self.client, service, credentials, region, self.now()).await
    }

    /// Makes sure that the stored credentials are approved. If only the approval has ended, it asks the service again
    /// and leaves AWS alone. `false` means that there is nothing to ask with: the user would have to sign in, or new
    /// credentials are needed.
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
        log::info(
            "session",
            format_args!("the stored credentials are valid, but their quota approval ends; asking the service again"),
        );
        let asked = match self.service_steps() {
            ServiceSteps::Provider(steps) => steps.clear_again(sign_in, stored).await,
            ServiceSteps::Portal(steps) => steps.clear_again(sign_in, stored).await,
        };
        match asked {
            Ok(Reclearance::Approved) => {}
            Ok(Reclearance::RenewalNeeded) => return Ok(false),
            // Without the provider there is nothing to ask with. That counts as a quota service that does not answer.
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
    fn record_clearance<S>(
        &self,
        stored: &mut OpenCredentials<'_>,
        asked: Result<Clearance<S>, quota::QuotaError>,
    ) -> Result<Clearance<S>, Error> {
        match asked {
            Ok(clearance) => {
                stored.cleared_until =
                    clearance.until().map(|until| until.max(self.now().saturating_add(MIN_APPROVAL)));
                record_answer(stored.lock, clearance.usage.as_ref(), None);
                Ok(clearance)
            }
            Err(error) => {
                match &error {
                    quota::QuotaError::Denied(denied) => {
                        stored.cleared_until = None;
                        stored.store()?;
                        let denial = quota::StoredDenial::new(denied, self.now());
                        record_answer(stored.lock, denied.usage.as_ref(), Some(denial));
                    }
                    // An earlier approval lasts until its own end. Otherwise an outage of a second would stop everybody
                    // whose renewal fell into it.
                    quota::QuotaError::NoAnswer(_) => {}
                }
                Err(Error::Quota { error, now: self.now() })
            }
        }
    }

    /// A warning for the user, once a day, when the quota is almost used up. A background renewal has no user to warn,
    /// so it leaves the warning to the next caller.
    pub(super) fn take_quota_warning(
        &self,
        stored: &OpenCredentials<'_>,
        usage: Option<&quota::QuotaUsage>,
    ) -> Option<String> {
        let usage = usage?;
        let today = count_utc_days(self.now());
        let was_warned = stored.lock.load_credentials_notes().warned_on == Some(today);
        if !usage.is_almost_spent()
            || was_warned
            || self.purpose == LadderPurpose::Credentials(CredentialsPurpose::Renewal)
        {
            return None;
        }
        stored.lock.try_update_notes(|notes| notes.warned_on = Some(today));
        Some(format!("You have used {}.", usage.describe_almost_spent()?))
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

impl ProviderSteps<'_, '_> {
    /// Asks with the stored ID token, or with a refreshed one.
    async fn clear_again(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        stored: &mut OpenCredentials<'_>,
    ) -> Result<Reclearance, Error> {
        let token = match self.cached_token(sign_in) {
            Some(token) => TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure: None }),
            None if self.purpose.is_forced_login() => TokenSearch::SignInNeeded(SignInReason::NoUsableToken),
            None => self.get_token_without_prompt(sign_in).await?,
        };
        match token {
            TokenSearch::Found(NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. }) => {
                self.obtain_clearance(stored, &token).await?;
                Ok(Reclearance::Approved)
            }
            TokenSearch::SignInNeeded(_) => Ok(Reclearance::RenewalNeeded),
        }
    }
}

impl PortalSteps<'_, '_> {
    /// Asks with the stored credentials if they are those of the assignment. With a chain of roles they are those of its
    /// last role, whose session can have any name; then the portal issues credentials of the assignment once more.
    async fn clear_again(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        stored: &mut OpenCredentials<'_>,
    ) -> Result<Reclearance, Error> {
        let own = stored.credentials.clone().filter(|_| self.profile.role_chain.is_empty());
        let asked = match own {
            Some(own) => self.ask_with_credentials(UnclearedCredentials::new(own)).await,
            None => {
                let token = match self.get_token_without_prompt(sign_in).await? {
                    TokenSearch::Found(
                        NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. },
                    ) => token,
                    TokenSearch::SignInNeeded(_) => return Ok(Reclearance::RenewalNeeded),
                };
                match self.aws.request_assigned_session(&token.access_token).await {
                    Ok(AssignedSession { credentials, holder: _ }) => self.ask_with_credentials(credentials).await,
                    // The next steps of the ladder handle a refused access token.
                    Err(error) if error.is_token_refused() => return Ok(Reclearance::RenewalNeeded),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        match asked {
            // AWS may have revoked the session. New credentials show whether the service refuses the user.
            Err(error) if error.is_unauthorized() => Ok(Reclearance::RenewalNeeded),
            asked => self.record_clearance(stored, asked).map(|_| Reclearance::Approved),
        }
    }
}

/// Stores the answer for `status`, which does not ask the service itself. An approval without usage leaves the earlier
/// usage, because `on_error` may have given it.
fn record_answer(
    credentials: &LockedCredentials<'_>,
    usage: Option<&quota::QuotaUsage>,
    denial: Option<quota::StoredDenial>,
) {
    let notes = credentials.load_credentials_notes();
    let usage = if denial.is_none() { usage.or(notes.usage.as_ref()) } else { usage }.cloned();
    if (&notes.usage, &notes.denial) != (&usage, &denial) {
        credentials.try_update_notes(|notes| (notes.usage, notes.denial) = (usage, denial));
    }
}

/// Days since 1970 in UTC. The warning is once a day, whatever zone the quota service counts in.
fn count_utc_days(moment: Timestamp) -> i64 {
    moment.unix_seconds().div_euclid(86_400)
}
