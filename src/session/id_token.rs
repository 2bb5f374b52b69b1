//! The ID token itself, for callers that do not need AWS: `token`, `bearer` and telemetry.
//!
//! It comes from the stored sign-in, or from the provider with the refresh token. It never prompts the user, and it
//! needs only the sign-in's lock.

use super::{
    Error, Ladder, NonInteractiveToken, OpenSignIn, ServiceSteps, SignInNeeded, SignInReason, TokenSearch, TokenUse,
};
use crate::{
    cache::{LockedSignIn, MIN_TOKEN_LIFE, SignInRecord, TOKEN_RENEW_AHEAD},
    oidc::VerifiedToken,
    secret::Secret,
    time::Timestamp,
};

impl Ladder<'_> {
    /// An ID token that is valid for long enough for its use. It fails if the user would have to sign in for it.
    pub async fn get_id_token(&self, sign_in: &LockedSignIn<'_>, token_use: TokenUse) -> Result<Secret, Error> {
        let ServiceSteps::Provider(steps) = self.service_steps() else { return Err(Error::NoIdToken) };
        let mut sign_in = OpenSignIn::load(sign_in)?;
        self.accept_or_reject_hosts(&mut sign_in)?;
        if let Some(token) = find_token_for(&sign_in, token_use, self.now()) {
            return Ok(token);
        }
        match steps.get_token_without_prompt(&mut sign_in).await? {
            TokenSearch::Found(NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. }) => {
                Ok(token.raw().clone())
            }
            TokenSearch::SignInNeeded(SignInReason::RefreshRefused(refusal)) => {
                Err(SignInNeeded::RefreshRefused(refusal).into())
            }
            TokenSearch::SignInNeeded(SignInReason::RequirementUnmet(unmet)) => {
                Err(SignInNeeded::RequirementUnmet(unmet).into())
            }
            TokenSearch::SignInNeeded(SignInReason::NoUsableToken | SignInReason::ProviderAnswered) => {
                let is_expired = sign_in.has_token();
                Err(if is_expired { SignInNeeded::IdTokenExpired } else { SignInNeeded::PromptNotAllowed }.into())
            }
        }
    }
}

/// The stored token, if it is valid for long enough for its use. A token for the next call must also not be due for a
/// refresh, or the worker would return without having refreshed it.
pub fn find_token_for(sign_in: &SignInRecord, token_use: TokenUse, now: Timestamp) -> Option<Secret> {
    let token = match token_use {
        TokenUse::NextCall => sign_in.find_valid_token(now).filter(|token| !is_due_for_refresh(token, now)),
        TokenUse::Now => sign_in.find_valid_token(now.saturating_add(MIN_TOKEN_LIFE)),
    };
    token.map(|token| token.raw().clone())
}

/// Whether telemetry's token should be refreshed for the next call, while this call still uses it: it expires within
/// `TOKEN_RENEW_AHEAD`, and a quarter of its lifetime has passed.
///
/// The caller that starts a worker and the worker itself both decide by this function. Without the second condition a
/// token with a lifetime of an hour or less would be due as soon as it was issued: each call would start another
/// refresh, and so would each worker that started before the first one had finished.
pub fn is_due_for_refresh(token: &VerifiedToken, now: Timestamp) -> bool {
    let life = token.expires_at().duration_since(token.issued_at());
    token.expires_at() <= now.saturating_add(TOKEN_RENEW_AHEAD) && now.duration_since(token.issued_at()) >= life / 4
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::testing::build_token_with;

    const MINUTE: i64 = 60;

    fn token(issued: i64, life: i64) -> VerifiedToken {
        build_token_with(&json!({ "iat": issued, "exp": issued + life }))
    }

    /// The age in seconds at which a token with this lifetime becomes due.
    fn due_at(life: i64) -> i64 {
        let token = token(0, life);
        (0..=life).find(|age| is_due_for_refresh(&token, Timestamp::from_unix(*age))).unwrap()
    }

    #[test]
    fn a_short_token_is_due_after_a_quarter_of_its_life() {
        assert_eq!(due_at(60 * MINUTE), 15 * MINUTE);
        assert_eq!(due_at(5 * MINUTE), 75);
    }

    #[test]
    fn a_long_token_is_due_an_hour_before_it_expires() {
        assert_eq!(due_at(80 * MINUTE), 20 * MINUTE);
        assert_eq!(due_at(24 * 60 * MINUTE), 23 * 60 * MINUTE);
    }

    #[test]
    fn an_expired_token_or_one_without_iat_is_due() {
        assert!(is_due_for_refresh(&token(0, MINUTE), Timestamp::from_unix(MINUTE)));
        let token = build_token_with(&json!({ "exp": 60 * MINUTE }));
        assert!(is_due_for_refresh(&token, Timestamp::from_unix(0)));
    }

    /// The host gets the stored token, uses it for half an hour, and then gets the refreshed one.
    #[test]
    fn half_hourly_token_requests_return_valid_tokens() {
        let (pause, life) = (30 * MINUTE, 60 * MINUTE);
        let mut stored = token(0, life);
        for now in (0..24 * 60 * MINUTE).step_by(1800) {
            assert!(stored.expires_at() >= Timestamp::from_unix(now + pause), "at {now}: {stored:?}");
            if is_due_for_refresh(&stored, Timestamp::from_unix(now)) {
                stored = token(now, life);
            }
        }
        assert!(stored.issued_at() > Timestamp::from_unix(22 * 60 * MINUTE));
    }

    #[test]
    fn a_token_not_due_for_refresh_serves_the_next_call() {
        let mut sign_in = SignInRecord::default();
        sign_in.set_token(&token(0, 60 * MINUTE), Timestamp::from_unix(0));
        let served = |age| find_token_for(&sign_in, TokenUse::NextCall, Timestamp::from_unix(age)).is_some();
        assert!(served(14 * MINUTE));
        assert!(!served(15 * MINUTE) && !served(60 * MINUTE));
    }
}
