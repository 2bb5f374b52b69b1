//! The ID token of a stored session: only here does a stored text become a verified token again.
//!
//! Verifying a new token is for `oidc`.

use super::Session;
use crate::{
    oidc::{RecallProof, VerifiedToken},
    store::UnsealedRecord,
    time::Timestamp,
};

/// Where the text of a session's token comes from. A session that was not read from a sealed record, and was given no
/// verified token, has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenOrigin(Option<RecallProof>);

impl From<&UnsealedRecord> for TokenOrigin {
    fn from(record: &UnsealedRecord) -> Self {
        Self(Some(record.into()))
    }
}

/// Sessions with the same content are equal, wherever they come from.
impl PartialEq for TokenOrigin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Session {
    /// The token, even if it has expired or is not accepted any more: it says who signed in.
    pub fn recall_token(&self) -> Option<VerifiedToken> {
        VerifiedToken::from_sealed_store(self.id_token.clone()?, self.token_origin.0?)
    }

    /// The token, if it is valid after `until` and nobody has refused it.
    pub fn find_valid_token(&self, until: Timestamp) -> Option<VerifiedToken> {
        self.recall_token().filter(|token| !self.id_token_is_spent && token.expires_at() > until)
    }

    pub fn has_token(&self) -> bool {
        self.id_token.is_some()
    }

    pub fn set_token(&mut self, token: &VerifiedToken) {
        self.id_token = Some(token.raw().clone());
        self.id_token_is_spent = false;
        self.token_origin = TokenOrigin(Some(token.recall_proof()));
        self.subject = Some(token.subject().to_owned());
    }

    /// The provider or AWS does not accept the token any more.
    pub fn mark_token_spent(&mut self) {
        self.id_token_is_spent = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::testing::build_token_with, secret::Secret};

    const NEVER: Timestamp = Timestamp::from_unix(0);

    #[test]
    fn a_token_is_recalled_only_if_it_was_verified_or_sealed() {
        let token = build_token_with(&serde_json::json!({}));
        let mut session = Session::default();
        session.set_token(&token);
        assert_eq!(session.recall_token().unwrap().raw().expose(), token.raw().expose());
        // Text from anywhere else, such as a pipe.
        let text = serde_json::to_string(&session).unwrap();
        let forged: Session = serde_json::from_str(&text).unwrap();
        assert!(forged.has_token() && forged.recall_token().is_none());
        let planted = Session { id_token: Some(Secret::new(token.raw().expose())), ..Session::default() };
        assert!(planted.recall_token().is_none());
    }

    #[test]
    fn a_spent_token_still_says_who_signed_in() {
        let mut session = Session::default();
        session.set_token(&build_token_with(&serde_json::json!({})));
        assert!(session.find_valid_token(NEVER).is_some());
        session.mark_token_spent();
        assert!(session.find_valid_token(NEVER).is_none());
        assert_eq!(session.recall_token().unwrap().subject(), "subject");
    }
}
