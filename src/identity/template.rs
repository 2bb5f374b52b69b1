//! Text with claims in it: `{email}+{team}` becomes what the token says.
//!
//! It fills places; whether the result is a legal name or tag is for whoever uses it.

use super::said;
use crate::{
    config::{Piece, Template},
    oidc::VerifiedToken,
};

/// A claim that a text needs, and of which the token says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfilled {
    pub claim: String,
}

pub fn filled(template: &Template, token: &VerifiedToken) -> Result<String, Unfilled> {
    let said = |piece: Piece<'_>| match piece {
        Piece::Plain(plain) => Ok(plain.to_owned()),
        Piece::Claim(claim) => {
            said(token, claim).map(str::to_owned).ok_or_else(|| Unfilled { claim: claim.to_owned() })
        }
    };
    template.pieces().map(said).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::token_with, *};

    fn of(text: &str) -> Result<String, Unfilled> {
        let token = token_with(&json!({ "email": "jane@example.com", "team": "a{b}", "blank": " " }));
        filled(&Template::parse(text).unwrap(), &token)
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
            assert_eq!(of(text), Err(Unfilled { claim: claim.into() }), "{text}");
        }
    }
}
