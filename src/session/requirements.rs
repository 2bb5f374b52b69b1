//! Whether the stored sign-in still meets the profile's `require`, and how long it will.
//!
//! A refresh authenticates nobody, so the claims that the sign-in proved count, and not those of a refreshed token. AWS
//! credentials that were issued before stay in use until they expire, because AWS does not take them back.

use super::{OpenSignIn, SignInNeeded, provider_steps::ProviderSteps};
use crate::{
    cache::{RefreshObstacle, RenewalOutlook, SignInRecord},
    config::Profile,
    log,
    oidc::{self, UnmetRequirement, VerifiedToken},
    store,
    time::Timestamp,
};

/// The first requirement of the profile that the stored sign-in does not meet; `None` if it meets all, and before the
/// first sign-in. While one is not met, the user must sign in before the program gets new credentials.
pub fn find_unmet_requirement(sign_in: &SignInRecord, profile: &Profile, now: Timestamp) -> Option<UnmetRequirement> {
    let rules = oidc::find_proof_rules(profile.oidc()?).filter(|_| sign_in.has_token())?;
    sign_in.proof.find_unmet(&rules, now)
}

/// Predicts when the user has to sign in next: when the stored record says so, or earlier by the requirements.
pub fn predict_renewal(sign_in: &SignInRecord, profile: &Profile, now: Timestamp) -> RenewalOutlook {
    if find_unmet_requirement(sign_in, profile, now).is_some() {
        return RenewalOutlook::SignInNeeded(RefreshObstacle::RequirementUnmet);
    }
    let outlook = sign_in.predict_renewal(now);
    let rules = profile.oidc().and_then(oidc::find_proof_rules);
    let end = rules.and_then(|rules| sign_in.proof.find_end(&rules));
    match (outlook, end) {
        (RenewalOutlook::Automatic, Some(end)) => RenewalOutlook::Until(end, RefreshObstacle::MaxAge),
        (RenewalOutlook::Until(until, _), Some(end)) if end < until => {
            RenewalOutlook::Until(end, RefreshObstacle::MaxAge)
        }
        (RenewalOutlook::Automatic | RenewalOutlook::Until(..) | RenewalOutlook::SignInNeeded(_), _) => outlook,
    }
}

impl ProviderSteps<'_, '_> {
    /// The requirement because of which the stored sign-in cannot be used, and logs it: the line explains the prompt.
    pub(super) fn check_requirements(&self, sign_in: &SignInRecord) -> Option<UnmetRequirement> {
        let unmet = find_unmet_requirement(sign_in, self.profile, self.now())?;
        let report = (self.describe)(SignInNeeded::RequirementUnmet(unmet.clone()).into());
        log::info("session", format_args!("the stored sign-in is not used: {}", report.message));
        Some(unmet)
    }

    /// Takes over what a refreshed token states, and returns the requirement that is not met any more. The record is
    /// stored then, so that the next call prompts the user without another refresh.
    pub(super) fn check_refreshed_token(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        token: &VerifiedToken,
    ) -> Result<Option<UnmetRequirement>, store::Error> {
        sign_in.proof.update_after_refresh(token.claims());
        let unmet = self.check_requirements(sign_in);
        if unmet.is_some() {
            sign_in.store()?;
        }
        Ok(unmet)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        config::{SignInRequirements, testing},
        identity::testing::build_token_with,
        oidc::SignInProof,
        secret::Secret,
    };

    const SIGNED_IN: Timestamp = Timestamp::from_unix(1_000_000);

    fn profile() -> Profile {
        let max_age = Some(Duration::from_secs(3600));
        testing::profile_with(|oidc| oidc.require = SignInRequirements { max_age, ..SignInRequirements::default() })
    }

    /// A sign-in whose ID token expires this many seconds after the authentication.
    fn sign_in(life: i64, refresh_token: bool) -> SignInRecord {
        let token = build_token_with(&json!({ "auth_time": 1_000_000, "exp": 1_000_000 + life }));
        let mut sign_in = SignInRecord::default();
        sign_in.set_token(&token, SIGNED_IN);
        sign_in.refresh_token = refresh_token.then(|| Secret::new("r"));
        sign_in.proof = SignInProof::from_claims(token.claims());
        sign_in
    }

    #[test]
    fn max_age_ends_a_session_that_could_be_refreshed() {
        let end = SIGNED_IN.saturating_add(Duration::from_secs(3600));
        let by_age = RenewalOutlook::Until(end, RefreshObstacle::MaxAge);
        assert_eq!(predict_renewal(&sign_in(60, true), &profile(), SIGNED_IN), by_age);
        assert_eq!(predict_renewal(&sign_in(7200, false), &profile(), SIGNED_IN), by_age);
        let by_token = predict_renewal(&sign_in(60, false), &profile(), SIGNED_IN);
        let token_end = SIGNED_IN.saturating_add(Duration::from_secs(60));
        assert_eq!(by_token, RenewalOutlook::Until(token_end, RefreshObstacle::NoRefreshToken));
        assert_eq!(predict_renewal(&sign_in(60, true), &testing::profile(), SIGNED_IN), RenewalOutlook::Automatic);
    }

    #[test]
    fn a_sign_in_that_is_too_old_or_proved_nothing_is_not_used() {
        let later = SIGNED_IN.saturating_add(Duration::from_secs(3661));
        let needed = RenewalOutlook::SignInNeeded(RefreshObstacle::RequirementUnmet);
        assert_eq!(predict_renewal(&sign_in(7200, true), &profile(), later), needed);
        assert!(find_unmet_requirement(&sign_in(7200, true), &profile(), SIGNED_IN).is_none());
        // The record of an earlier version.
        let mut old = sign_in(7200, true);
        old.proof = SignInProof::default();
        assert!(find_unmet_requirement(&old, &profile(), SIGNED_IN).is_some());
        assert!(find_unmet_requirement(&SignInRecord::default(), &profile(), SIGNED_IN).is_none(), "no sign-in");
    }
}
