//! The ID token itself, for those who want nothing of AWS: from what is kept, else with the refresh token.
//!
//! A person is never asked for it.

use super::{Ladder, Purpose, Silent};
use crate::{
    cache::{Session, TOKEN_AHEAD, TOKEN_LIFE},
    failure::{Failure, SignInNeeded},
    oidc::VerifiedToken,
    secret::Secret,
    time::Moment,
};

impl Ladder<'_> {
    /// An ID token, from what is kept or from the refresh token. AWS hears nothing of it, and nobody is asked.
    pub async fn token(&self) -> Result<Secret, Failure> {
        let mut session = self.cache.session()?;
        if let Some(token) = token_for(&session, self.purpose, self.now()) {
            return Ok(token);
        }
        match self.token_without_asking(&mut session).await? {
            Some(Silent::Renewed(token)) => {
                self.keep(&session)?;
                Ok(token.raw().clone())
            }
            Some(Silent::Kept(token)) => Ok(token.raw().clone()),
            None if session.id_token.is_some() => Err(SignInNeeded::NoToken.into()),
            None => Err(SignInNeeded::NotAllowed.into()),
        }
    }
}

/// The token that a purpose is served with, without any network.
pub fn token_for(session: &Session, purpose: Purpose, now: Moment) -> Option<Secret> {
    let life = match purpose {
        Purpose::Token { ahead: true } => TOKEN_AHEAD,
        _ => TOKEN_LIFE,
    };
    kept_token(session, now.plus(life)).map(|token| token.raw().clone())
}

/// The kept token, where it is good beyond a moment.
pub(super) fn kept_token(session: &Session, until: Moment) -> Option<VerifiedToken> {
    let raw = session.id_token.clone().filter(|_| !session.id_token_is_spent)?;
    VerifiedToken::recalled_from_our_own_store(raw).filter(|token| token.expires() > until)
}
