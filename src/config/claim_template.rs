//! Text with claims in it, such as `{email}+{team}`, found good when the configuration is read.
//!
//! What fills the places is for `identity`.

/// A text whose braces pair and name something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTemplate(String);

/// A piece of a text with claims in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart<'t> {
    Plain(&'t str),
    /// The name of a claim.
    Claim(&'t str),
}

impl ClaimTemplate {
    /// `None` where a brace stands alone or holds nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let is_good = |piece: TemplatePart<'_>| match piece {
            TemplatePart::Plain(plain) => !plain.contains(['{', '}']),
            TemplatePart::Claim(claim) => !claim.trim().is_empty() && !claim.contains('{'),
        };
        let template = Self(text.to_owned());
        let pairs = text.matches('{').count() == text.matches('}').count();
        (pairs && template.parts().all(is_good)).then_some(template)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn parts(&self) -> impl Iterator<Item = TemplatePart<'_>> {
        let pieces = self.0.split('{').enumerate().map(|(count, part)| match part.split_once('}') {
            Some((claim, plain)) if count > 0 => [Some(TemplatePart::Claim(claim)), Some(TemplatePart::Plain(plain))],
            _ => [None, Some(TemplatePart::Plain(part))],
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
            assert_eq!(ClaimTemplate::parse(text), None, "{text}");
        }
        for text in ["", "plain", "{a}", "<{a}+{b}>", "{a}{b}"] {
            assert_eq!(ClaimTemplate::parse(text).unwrap().as_str(), text);
        }
    }
}
