//! Templates with claims, such as `{email}+{team}`, and the names of claims of UserInfo, such as `userinfo:email`. The
//! configuration checks their syntax; `identity` fills them from a token.

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
            TemplatePart::Claim(claim) => is_claim_name(claim) && !claim.contains('{'),
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

/// The prefix of a claim that the provider's UserInfo contains, and not the ID token.
const USER_INFO_PREFIX: &str = "userinfo:";

/// The name of the claim in UserInfo; `None` if the name stands for a claim of the ID token.
pub fn strip_user_info_prefix(claim: &str) -> Option<&str> {
    claim.strip_prefix(USER_INFO_PREFIX)
}

/// Whether the text names a claim: it is not blank, with or without the prefix.
pub(super) fn is_claim_name(text: &str) -> bool {
    !strip_user_info_prefix(text).unwrap_or(text).trim().is_empty()
}

/// The names of the claims of UserInfo in this item of `session_name`, which is a claim or a template.
pub fn list_user_info_claims(item: &str) -> Vec<&str> {
    let names: Vec<&str> = match item.contains('{') {
        true => item.split('{').skip(1).filter_map(|part| part.split('}').next()).collect(),
        false => vec![item],
    };
    names.into_iter().filter_map(strip_user_info_prefix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_claims_of_an_item_are_listed() {
        for (item, names) in [
            ("email", &[][..]),
            ("userinfo:email", &["email"]),
            ("{sub}+{userinfo:email}/{userinfo:team}", &["email", "team"]),
            ("{sub}userinfo:email", &[]),
        ] {
            assert_eq!(list_user_info_claims(item), names, "{item}");
        }
    }

    #[test]
    fn template_with_unpaired_braces_is_rejected() {
        for text in ["{", "}", "a{b", "a}b", "{}", "{ }", "{a}}", "{{a}", "}a{", "{a{b}}", "{userinfo:}"] {
            assert_eq!(ClaimTemplate::parse(text), None, "{text}");
        }
        for text in ["", "plain", "{a}", "<{a}+{b}>", "{a}{b}"] {
            assert_eq!(ClaimTemplate::parse(text).unwrap().as_str(), text);
        }
    }
}
