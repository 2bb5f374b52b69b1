//! Templates with claims, such as `{email}+{team}`. The configuration checks their syntax; `identity` fills them from a
//! token.

/// A template with correct syntax: every brace has its counterpart, and every pair of braces contains a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTemplate(String);

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart<'t> {
    /// Text that stays as it is.
    Plain(&'t str),
    /// The name of a claim, to be replaced by its value.
    Claim(&'t str),
}

impl ClaimTemplate {
    /// Parses a template; `None` if a brace has no counterpart or a pair of braces is empty. There is no way to escape
    /// a brace.
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

    /// The parts of the template in their order. Joined together they make the result.
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
    fn template_with_unpaired_braces_is_rejected() {
        for text in ["{", "}", "a{b", "a}b", "{}", "{ }", "{a}}", "{{a}", "}a{", "{a{b}}"] {
            assert_eq!(ClaimTemplate::parse(text), None, "{text}");
        }
        for text in ["", "plain", "{a}", "<{a}+{b}>", "{a}{b}"] {
            assert_eq!(ClaimTemplate::parse(text).unwrap().as_str(), text);
        }
    }
}
