//! Fills templates such as `{email}+{team}` with the claims of a token.
//!
//! The result can contain any character, so the caller must make it a legal name or tag.

use super::read_claim;
use crate::{
    config::{ClaimTemplate, TemplatePart},
    oidc::VerifiedToken,
};

/// The first claim of a template for which the token has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTemplateClaim {
    pub claim: String,
}

/// Replaces each claim in the template by its text. Text from the token is inserted once and never read as a template
/// again.
pub fn fill_template(template: &ClaimTemplate, token: Option<&VerifiedToken>) -> Result<String, MissingTemplateClaim> {
    let said = |piece: TemplatePart<'_>| match piece {
        TemplatePart::Plain(plain) => Ok(plain.to_owned()),
        TemplatePart::Claim(claim) => {
            let value = token.and_then(|token| read_claim(token, claim));
            value.map(str::to_owned).ok_or_else(|| MissingTemplateClaim { claim: claim.to_owned() })
        }
    };
    template.parts().map(said).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::build_token_with, *};

    fn of(text: &str) -> Result<String, MissingTemplateClaim> {
        let token = build_token_with(&json!({ "email": "jane@example.com", "team": "a{b}", "blank": " " }));
        fill_template(&ClaimTemplate::parse(text).unwrap(), Some(&token))
    }

    #[test]
    fn claims_are_filled_and_other_text_stays() {
        for (text, result) in [
            ("", ""),
            ("plain", "plain"),
            ("{email}", "jane@example.com"),
            ("<{email}+{sub}>", "<jane@example.com+subject>"),
            ("{team}{team}", "a{b}a{b}"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn missing_claim_of_a_template_is_named() {
        for (text, claim) in [("{email}/{none}", "none"), ("{blank}", "blank")] {
            assert_eq!(of(text), Err(MissingTemplateClaim { claim: claim.into() }), "{text}");
        }
    }
}
