//! The syntax of names in the configuration, and the search for the most similar name when a user misspells one.

/// The rule of [`is_profile_name`], for messages.
pub(super) const PROFILE_NAME_RULE: &str =
    "the name must be 1 to 64 letters, digits, \"-\", \"_\" or \".\", and begin with a letter or a digit";

/// Whether a profile can have this name. A legal name needs no quotes in a shell, is a legal file name on every
/// system, and cannot be mistaken for a flag.
pub(super) fn is_profile_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len())
        && name.bytes().all(is_part)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Whether the text can be an item of a space-separated list, such as `scope` (RFC 6749 §3.3), or the name of a
/// parameter.
pub(super) fn is_token(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|part| part.is_whitespace() || part.is_control())
}

/// The known name that is most similar to a misspelled one; `None` if no name is similar.
pub(super) fn find_nearest_name<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    const SIMILAR: f64 = 0.82;
    // A longer text is not a typing error, and the comparison takes quadratic time.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    known
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known.to_owned())
}
