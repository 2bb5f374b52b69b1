//! Text with claims in it, such as `{email}+{team}`, found good when the configuration is read.
//!
//! What fills the places is for `identity`.

/// A text whose braces pair and name something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// A piece of a text with claims in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    Plain(&'t str),
    /// The name of a claim.
    Claim(&'t str),
}

impl Template {
    /// `None` where a brace stands alone or holds nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let is_good = |piece: Piece<'_>| match piece {
            Piece::Plain(plain) => !plain.contains(['{', '}']),
            Piece::Claim(claim) => !claim.trim().is_empty() && !claim.contains('{'),
        };
        let template = Self(text.to_owned());
        let pairs = text.matches('{').count() == text.matches('}').count();
        (pairs && template.pieces().all(is_good)).then_some(template)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let pieces = self.0.split('{').enumerate().map(|(count, part)| match part.split_once('}') {
            Some((claim, plain)) if count > 0 => [Some(Piece::Claim(claim)), Some(Piece::Plain(plain))],
            _ => [None, Some(Piece::Plain(part))],
        });
        pieces.flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_that_do_not_pair_are_no_template() {
        for text in ["{", "}", "a{b", "a}b", "{}", "{ }", "{a}}", "{{a}", "}a{", "{a{b}}"] {
            assert_eq!(Template::parse(text), None, "{text}");
        }
        for text in ["", "plain", "{a}", "<{a}+{b}>", "{a}{b}"] {
            assert_eq!(Template::parse(text).unwrap().as_str(), text);
        }
    }
}
