//! The identity of the user, taken from the claims of a verified ID token.
//!
//! The names of AWS sessions, `status`, telemetry and reports of usage all use these functions, so that the same user
//! has the same name everywhere. A [`VerifiedToken`] has passed all checks of `oidc`, so nothing is verified here.

mod session_name;
mod session_tags;
mod claim_template;

use serde_json::Value;

#[cfg(test)]
pub(crate) mod testing;

pub use self::{
    claim_template::{MissingTemplateClaim, fill_template},
    session_name::{SessionName, derive_session_name, make_legal_name, needs_user_info},
    session_tags::{read_session_tags, read_source_identity},
};
use crate::{config::strip_user_info_prefix, oidc::VerifiedToken};

/// The text of a claim, or of a claim of UserInfo such as `userinfo:email`. `None` if the claim is missing, is blank, or
/// is not text.
pub fn read_claim<'t>(token: &'t VerifiedToken, claim: &str) -> Option<&'t str> {
    let text = match strip_user_info_prefix(claim) {
        Some(name) => token.user_info(name),
        None => token.claim(claim).and_then(Value::as_str),
    };
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{testing::build_token_with, *};

    #[test]
    fn blank_or_non_text_claim_counts_as_missing() {
        let token = build_token_with(&json!({ "a": "", "b": " \t", "c": 7, "d": ["x"], "e": null, "f": "word" }));
        for claim in ["a", "b", "c", "d", "e", "none"] {
            assert_eq!(read_claim(&token, claim), None, "{claim}");
        }
        assert_eq!(read_claim(&token, "f"), Some("word"));
    }

    #[test]
    fn user_info_and_token_claims_are_never_confused() {
        let token = build_token_with(&json!({ "a": "signed", "userinfo:b": "signed" }));
        let token = token.with_user_info([("a".to_owned(), "unsigned".to_owned())].into());
        assert_eq!(read_claim(&token, "a"), Some("signed"));
        assert_eq!(read_claim(&token, "userinfo:a"), Some("unsigned"));
        assert_eq!(read_claim(&token, "userinfo:b"), None);
    }
}
