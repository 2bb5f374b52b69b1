//! The identity of the user, taken from the claims of a verified ID token.
//!
//! The names of AWS sessions, `status`, telemetry and reports of usage all use these functions, so that the same user
//! has the same name everywhere. A [`VerifiedToken`] has passed all checks of `oidc`, so nothing is verified here.

mod session_name;
mod session_tags;
mod claim_template;
#[cfg(test)]
pub(crate) mod testing;

pub use self::{
    claim_template::{MissingTemplateClaim, fill_template},
    session_name::{derive_session_name, make_legal_name},
    session_tags::{read_session_tags, read_source_identity},
};
use crate::oidc::VerifiedToken;

/// The text of a claim; `None` if the claim is missing, is blank, or is not text.
pub fn read_claim<'t>(token: &'t VerifiedToken, claim: &str) -> Option<&'t str> {
    token.claim(claim)?.as_str().filter(|text| !text.trim().is_empty())
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
}
