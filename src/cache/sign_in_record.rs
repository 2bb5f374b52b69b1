//! The sealed record of a sign-in: its tokens, the user, and the hosts that may receive the tokens. All profiles with
//! the same application or Identity Center share it.
//!
//! The text of an ID token becomes a [`VerifiedToken`] again only if the record came out of a sealed file, or the token
//! was verified in this process. A record that was parsed from anything else holds text that proves nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cache, CachedProvider, Destinations, PROVIDER, PROVIDER_LIFETIME, PortalSession, parse_record};
use crate::{
    oidc::{RecallProof, SignInProof, VerifiedToken},
    secret::Secret,
    store::{self, UnsealedRecord},
    time::Timestamp,
};

/// The content of a sign-in record. The field names are part of the stored format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInRecord {
    /// The refresh token that the provider issued last. Providers that rotate refresh tokens accept no earlier one.
    pub refresh_token: Option<Secret>,
    /// Private, so that its text cannot be read without [`Self::recall_token`].
    id_token: Option<Secret>,
    /// The provider has ended the session of the ID token, or AWS has refused the token. It still names the user, but
    /// must not be presented any more.
    id_token_is_spent: bool,
    #[serde(skip)]
    token_origin: TokenOrigin,
    /// The session at an Identity Center. A record has this or an ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal: Option<PortalSession>,
    /// The user, as the ID token's `sub` names them.
    pub subject: Option<String>,
    /// What the user's last sign-in proved. Empty in records of earlier versions, which counts as nothing.
    pub proof: SignInProof,
    /// How many ID tokens have been stored in this record. A credentials record stores the number of its own token, so
    /// a role recognises a token that it has not used yet.
    pub token_count: u64,
    pub token_stored_at: Option<Timestamp>,
    /// What the last refresh showed. `Usual` in records of earlier versions.
    pub refresh_history: RefreshHistory,
    /// The hosts that may receive the tokens. Empty in records of earlier versions.
    pub destinations: Destinations,
    /// Claims of the provider's UserInfo about `subject`, fetched at the sign-in. A refresh does not fetch them again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_info: BTreeMap<String, String>,
}

/// What the last refresh of a sign-in showed about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshHistory {
    /// The provider refused to refresh the session, so the user has to sign in.
    Refused,
    /// The provider returns no ID token to a refresh. It is a setting of the provider, so it outlasts a new sign-in.
    WithoutIdToken,
    /// A refresh returned an ID token, or no refresh has ended yet.
    #[default]
    #[serde(other)]
    Usual,
}

/// When the user has to sign in next, as far as the stored record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalOutlook {
    /// When the provider no longer accepts the refresh token. Only the provider knows when that is.
    Automatic,
    /// When the stored ID token expires, or the sign-in becomes older than `max_age`.
    Until(Timestamp, RefreshObstacle),
    /// Now.
    SignInNeeded(RefreshObstacle),
}

/// What ends a session, so that a refresh does not replace the stored ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshObstacle {
    NoRefreshToken,
    /// The provider's answer to a refresh has no ID token.
    NoIdToken,
    /// The provider refused the last refresh.
    Refused,
    /// The sign-in becomes older than the profile allows.
    MaxAge,
    /// The sign-in does not meet a requirement of the profile.
    RequirementUnmet,
}

/// The proof that the text of the ID token is a verified one. Absent in a record that neither came out of a sealed file
/// nor was given a verified token.
#[derive(Clone, Copy, Debug, Default)]
struct TokenOrigin(Option<RecallProof>);

/// Records with the same content are equal, with or without the proof.
impl PartialEq for TokenOrigin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

pub(super) const SIGN_IN: &str = "sign-in";

impl SignInRecord {
    /// Adds the proof that the record came out of this sealed file.
    pub(super) fn with_origin(mut self, sealed: &UnsealedRecord) -> Self {
        self.token_origin = TokenOrigin(Some(sealed.into()));
        self
    }

    /// The stored token, even if it has expired or was refused: it names the user, and must not be presented.
    pub fn recall_token(&self) -> Option<VerifiedToken> {
        let token = VerifiedToken::from_sealed_store(self.id_token.clone()?, self.token_origin.0?)?;
        Some(token.with_user_info(self.user_info.clone()))
    }

    /// The stored token, if it expires after `until` and neither the provider nor AWS has refused it.
    pub fn find_valid_token(&self, until: Timestamp) -> Option<VerifiedToken> {
        self.recall_token().filter(|token| !self.id_token_is_spent && token.expires_at() > until)
    }

    /// Predicts when the user has to sign in next, without the requirements of a profile.
    pub fn predict_renewal(&self, now: Timestamp) -> RenewalOutlook {
        let obstacle = match (&self.refresh_token, self.refresh_history) {
            (Some(_), RefreshHistory::Usual) => return RenewalOutlook::Automatic,
            // The ladder asks the provider first, so the ID token is not used although it may be valid.
            (Some(_), RefreshHistory::Refused) => return RenewalOutlook::SignInNeeded(RefreshObstacle::Refused),
            (Some(_), RefreshHistory::WithoutIdToken) => RefreshObstacle::NoIdToken,
            (None, _) => RefreshObstacle::NoRefreshToken,
        };
        let portal_end = self.find_valid_portal(now).map(|portal| portal.expires_at);
        match self.find_valid_token(now).map(|token| token.expires_at()).or(portal_end) {
            Some(end) => RenewalOutlook::Until(end, obstacle),
            None => RenewalOutlook::SignInNeeded(obstacle),
        }
    }

    pub fn has_token(&self) -> bool {
        self.id_token.is_some()
    }

    /// Whether somebody has signed in, even if the session has ended.
    pub fn has_session(&self) -> bool {
        self.has_token() || self.portal.is_some()
    }

    /// The session at the Identity Center, if its token can be presented and is valid beyond `until`.
    pub fn find_valid_portal(&self, until: Timestamp) -> Option<&PortalSession> {
        self.portal.as_ref().filter(|portal| portal.is_valid(until))
    }

    /// Stores the tokens of the Identity Center.
    pub fn set_portal(&mut self, portal: PortalSession, now: Timestamp) {
        self.portal = Some(portal);
        self.token_count = self.token_count.saturating_add(1);
        self.token_stored_at = Some(now);
    }

    /// Marks the portal's token as refused only if it is this one: another process may have stored a newer one.
    pub fn mark_portal_spent_if_current(&mut self, refused: &PortalSession) {
        if let Some(stored) = self.portal.as_mut().filter(|stored| stored.access_token == refused.access_token) {
            stored.is_spent = true;
        }
    }

    pub fn set_token(&mut self, token: &VerifiedToken, now: Timestamp) {
        self.id_token = Some(token.raw().clone());
        self.id_token_is_spent = false;
        self.token_count = self.token_count.saturating_add(1);
        self.token_stored_at = Some(now);
        self.token_origin = TokenOrigin(Some(token.recall_proof()));
        self.subject = Some(token.subject().to_owned());
    }

    /// Marks the token as refused, so that it is not presented again.
    pub fn mark_token_spent(&mut self) {
        self.id_token_is_spent = true;
    }

    /// Marks the stored token as refused only if it is this one: another process may have stored a newer one meanwhile.
    pub fn mark_spent_if_current(&mut self, refused: &VerifiedToken) {
        if self.id_token.as_ref().is_some_and(|stored| stored == refused.raw()) {
            self.mark_token_spent();
        }
    }
}

impl Cache {
    /// The sign-in record; the one of version 0.1 if this version has stored none. Needs no lock.
    pub fn load_sign_in(&self) -> Result<SignInRecord, store::Error> {
        match self.folder.store.read_record(&self.sign_in_name(SIGN_IN))? {
            Some(sealed) => Ok(parse_record::<SignInRecord>(&sealed).unwrap_or_default().with_origin(&sealed)),
            None => Ok(self.load_former_session()?.sign_in),
        }
    }

    /// The provider's metadata and keys, if they were fetched within the last day. Needs no lock.
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
        // Text from another source, such as a pipe.
        let text = serde_json::to_string(&sign_in).unwrap();
        let forged: SignInRecord = serde_json::from_str(&text).unwrap();
        assert!(forged.has_token() && forged.recall_token().is_none());
        let planted = SignInRecord { id_token: Some(Secret::new(token.raw().expose())), ..SignInRecord::default() };
        assert!(planted.recall_token().is_none());
    }

    #[test]
    fn the_outlook_depends_on_what_the_last_refresh_showed() {
        let token = build_token_with(&serde_json::json!({}));
        let end = token.expires_at();
        let mut sign_in = SignInRecord::default();
        let mut outlooks = |refresh_token: Option<&str>, now| {
            sign_in.refresh_token = refresh_token.map(Secret::new);
            sign_in.set_token(&token, NEVER);
            [RefreshHistory::Usual, RefreshHistory::WithoutIdToken, RefreshHistory::Refused].map(|history| {
                sign_in.refresh_history = history;
                sign_in.predict_renewal(now)
            })
        };
        let needed = RenewalOutlook::SignInNeeded;
        let [usual, refused] = [RenewalOutlook::Automatic, needed(RefreshObstacle::Refused)];
        let until = RenewalOutlook::Until(end, RefreshObstacle::NoIdToken);
        assert_eq!(outlooks(Some("rt"), NEVER), [usual, until, refused]);
        assert_eq!(outlooks(Some("rt"), end), [usual, needed(RefreshObstacle::NoIdToken), refused]);
        assert_eq!(outlooks(None, NEVER), [RenewalOutlook::Until(end, RefreshObstacle::NoRefreshToken); 3]);
        assert_eq!(outlooks(None, end), [needed(RefreshObstacle::NoRefreshToken); 3]);
    }

    #[test]
    fn records_of_other_versions_have_the_usual_history() {
        for text in [r#"{"refresh_token":"rt"}"#, r#"{"refresh_token":"rt","refresh_history":"of_the_future"}"#] {
            let sign_in: SignInRecord = serde_json::from_str(text).unwrap();
            assert_eq!(sign_in.predict_renewal(NEVER), RenewalOutlook::Automatic, "{text}");
        }
        let sign_in = SignInRecord { refresh_history: RefreshHistory::WithoutIdToken, ..SignInRecord::default() };
        let stored = serde_json::to_string(&sign_in).unwrap();
        assert_eq!(serde_json::from_str::<SignInRecord>(&stored).unwrap(), sign_in);
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
