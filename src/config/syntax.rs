//! The syntax of names in the configuration, and the search for a name that was misspelt.
//!
//! Text only: it knows neither keys nor files.

/// Whether a profile can have this name: it fits a command line, the name of a file and a TOML key that people type.
pub(super) fn is_profile_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len())
        && name.bytes().all(is_part)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Whether the word can stand in a list divided by spaces (RFC 6749 §3.3) or as a name.
pub(super) fn is_token(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|part| part.is_whitespace() || part.is_control())
}

/// The name most like a misspelt one; `None` if none is similar.
pub(super) fn find_nearest_name<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    const SIMILAR: f64 = 0.82;
    // Longer text from outside is not a slip of the finger, and comparing it costs its length squared.
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
