//! Text with claims in it: `{email}+{team}` becomes what the token says.
//!
//! It fills places; whether the result is a legal name or tag is for whoever uses it.

use super::read_claim;
use crate::{
    config::{ClaimTemplate, TemplatePart},
    oidc::VerifiedToken,
};

/// A claim that a text needs, and of which the token says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTemplateClaim {
    pub claim: String,
}

pub fn fill_template(template: &ClaimTemplate, token: &VerifiedToken) -> Result<String, MissingTemplateClaim> {
    let said = |piece: TemplatePart<'_>| match piece {
        TemplatePart::Plain(plain) => Ok(plain.to_owned()),
        TemplatePart::Claim(claim) => {
            read_claim(token, claim).map(str::to_owned).ok_or_else(|| MissingTemplateClaim { claim: claim.to_owned() })
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
        fill_template(&ClaimTemplate::parse(text).unwrap(), &token)
    }

    #[test]
    fn places_are_filled_and_the_rest_stays() {
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
    fn a_place_that_nothing_fills_is_named() {
        for (text, claim) in [("{email}/{none}", "none"), ("{blank}", "blank")] {
            assert_eq!(of(text), Err(MissingTemplateClaim { claim: claim.into() }), "{text}");
        }
    }
}
