//! The sign-in of an application: its tokens, who signed in, and where these may be sent. Profiles share it.

use serde::{Deserialize, Serialize};

use super::{Cache, CachedProvider, Destinations, PROVIDER, PROVIDER_LIFETIME, parse_record};
use crate::{
    oidc::{RecallProof, VerifiedToken},
    secret::Secret,
    store::{self, UnsealedRecord},
    time::Timestamp,
};

/// What is sealed for one sign-in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInRecord {
    pub refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    /// The provider has ended the session that the ID token came from, or AWS did not accept it: it still says who the
    /// user was, and proves nothing any more.
    id_token_is_spent: bool,
    #[serde(skip)]
    token_origin: TokenOrigin,
    pub subject: Option<String>,
    /// How many ID tokens have been stored here, one after the other.
    pub token_count: u64,
    /// When the last of them was.
    pub token_stored_at: Option<Timestamp>,
    /// Where the tokens may be sent. Empty in records of earlier versions.
    pub destinations: Destinations,
}

/// Where the text of the ID token comes from. A record that was not read from a sealed file, and was given no verified
/// token, has none.
#[derive(Clone, Copy, Debug, Default)]
struct TokenOrigin(Option<RecallProof>);

/// Records with the same content are equal, wherever they come from.
impl PartialEq for TokenOrigin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What the name of the record ends with.
pub(super) const SIGN_IN: &str = "sign-in";

impl SignInRecord {
    /// The record, read from this sealed file. Only so can its text be recalled as a verified token.
    pub(super) fn with_origin(mut self, sealed: &UnsealedRecord) -> Self {
        self.token_origin = TokenOrigin(Some(sealed.into()));
        self
    }

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

    pub fn set_token(&mut self, token: &VerifiedToken, now: Timestamp) {
        self.id_token = Some(token.raw().clone());
        self.id_token_is_spent = false;
        self.token_count = self.token_count.saturating_add(1);
        self.token_stored_at = Some(now);
        self.token_origin = TokenOrigin(Some(token.recall_proof()));
        self.subject = Some(token.subject().to_owned());
    }

    /// The provider or AWS does not accept the token any more.
    pub fn mark_token_spent(&mut self) {
        self.id_token_is_spent = true;
    }

    /// The same for this token alone: another process may have stored a newer one meanwhile.
    pub fn mark_spent_if_current(&mut self, refused: &VerifiedToken) {
        if self.id_token.as_ref().is_some_and(|stored| stored == refused.raw()) {
            self.mark_token_spent();
        }
    }
}

impl Cache {
    /// The sign-in; that of version 0.1 if this version has stored no record.
    pub fn load_sign_in(&self) -> Result<SignInRecord, store::Error> {
        match self.folder.store.read_record(&self.sign_in_name(SIGN_IN))? {
            Some(sealed) => Ok(parse_record::<SignInRecord>(&sealed).unwrap_or_default().with_origin(&sealed)),
            None => Ok(self.load_former_session()?.sign_in),
        }
    }

    /// The provider as it described itself within the last day.
    pub fn load_provider(&self, now: Timestamp) -> Result<Option<CachedProvider>, store::Error> {
        let plain = self.folder.store.read_record(&self.sign_in_name(PROVIDER))?;
        let known: Option<CachedProvider> = plain.and_then(|plain| parse_record(&plain));
        Ok(known.filter(|known| known.at <= now && now.duration_since(known.at) < PROVIDER_LIFETIME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::testing::build_token_with;

    const NEVER: Timestamp = Timestamp::from_unix(0);

    #[test]
    fn only_a_verified_or_sealed_token_is_recalled() {
        let token = build_token_with(&serde_json::json!({}));
        let mut sign_in = SignInRecord::default();
        sign_in.set_token(&token, NEVER);
        assert_eq!(sign_in.recall_token().unwrap().raw().expose(), token.raw().expose());
        // Text from anywhere else, such as a pipe.
        let text = serde_json::to_string(&sign_in).unwrap();
        let forged: SignInRecord = serde_json::from_str(&text).unwrap();
        assert!(forged.has_token() && forged.recall_token().is_none());
        let planted = SignInRecord { id_token: Some(Secret::new(token.raw().expose())), ..SignInRecord::default() };
        assert!(planted.recall_token().is_none());
    }

    #[test]
    fn a_spent_token_still_names_its_user() {
        let mut sign_in = SignInRecord::default();
        sign_in.set_token(&build_token_with(&serde_json::json!({})), NEVER);
        assert!(sign_in.find_valid_token(NEVER).is_some());
        sign_in.mark_token_spent();
        assert!(sign_in.find_valid_token(NEVER).is_none());
        assert_eq!(sign_in.recall_token().unwrap().subject(), "subject");
    }

    #[test]
    fn a_refused_token_is_spent_unless_another_one_was_stored() {
        let refused = build_token_with(&serde_json::json!({ "jti": "1" }));
        let mut sign_in = SignInRecord::default();
        sign_in.set_token(&build_token_with(&serde_json::json!({ "jti": "2" })), NEVER);
        sign_in.mark_spent_if_current(&refused);
        assert!(sign_in.find_valid_token(NEVER).is_some());
        sign_in.set_token(&refused, NEVER);
        sign_in.mark_spent_if_current(&refused);
        assert!(sign_in.find_valid_token(NEVER).is_none());
    }
}
