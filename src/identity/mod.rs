//! Who a verified token speaks of: one answer for role sessions, `status`, telemetry and whoever counts spending.
//!
//! It reads claims that others have verified, and asks nobody.

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

/// A claim's text, where it says anything. Claims that hold something else than text say nothing.
pub fn read_claim<'t>(token: &'t VerifiedToken, claim: &str) -> Option<&'t str> {
    token.claim(claim)?.as_str().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{testing::build_token_with, *};

    #[test]
    fn a_claim_that_is_blank_or_no_text_says_nothing() {
        let token = build_token_with(&json!({ "a": "", "b": " \t", "c": 7, "d": ["x"], "e": null, "f": "word" }));
        for claim in ["a", "b", "c", "d", "e", "none"] {
            assert_eq!(read_claim(&token, claim), None, "{claim}");
        }
        assert_eq!(read_claim(&token, "f"), Some("word"));
    }
}
