//! Makes text from a provider, a server or a file safe to print on a terminal or a page.
//!
//! Without this, text from outside could contain escape sequences that a terminal obeys, or characters that reverse or
//! hide other text. The functions escape these characters and shorten the text.

use std::{fmt::Write as _, path::Path};

use crate::secret::Secret;

/// The maximum length of a line from outside, in characters.
const MAX_LINE_CHARS: usize = 300;

/// Text from outside. It has no `Display`, so the only way to print it is [`UntrustedText::to_safe_line`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedText(String);

impl UntrustedText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as one line for a terminal (see [`sanitize_line`]).
    pub fn to_safe_line(&self) -> String {
        sanitize_line(&self.0)
    }

    /// The text with every occurrence of the secret replaced. Some servers quote the token that they reject.
    #[must_use]
    pub fn redact_secret(&self, secret: &Secret) -> Self {
        match secret.expose() {
            "" => self.clone(),
            secret => Self(self.0.replace(secret, "[secret]")),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// Turns any text into one safe line of at most 300 characters: each run of white space becomes one space, and control
/// characters, invisible characters and characters that change the direction are escaped.
pub fn sanitize_line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(MAX_LINE_CHARS));
    for (count, part) in text.split_whitespace().flat_map(|word| word.chars().chain([' '])).enumerate() {
        if count == MAX_LINE_CHARS {
            safe.push('…');
            break;
        }
        push_escaped(&mut safe, part);
    }
    safe.truncate(safe.trim_end().len());
    safe
}

/// Escapes the same characters as [`sanitize_line`], but preserves white space and does not shorten the text. For text
/// that a user compares or copies.
pub fn escape_controls(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    text.chars().for_each(|part| push_escaped(&mut safe, part));
    safe
}

/// Escapes the same characters in a JSON document with JSON's own escapes, so that its values do not change.
pub fn escape_json(text: String) -> String {
    // In a JSON document a raw line feed occurs only between values, where it must stay. All the other characters occur
    // only inside strings, where JSON allows escapes.
    let must_be_escaped = |part: char| part != '\n' && is_control_or_invisible(part);
    if !text.chars().any(must_be_escaped) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for part in text.chars() {
        match must_be_escaped(part) {
            true => part.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(safe, "\\u{unit:04x}").expect("a String takes any text");
            }),
            false => safe.push(part),
        }
    }
    safe
}

/// A path for messages. The name of a file is text from outside, too.
pub fn display_path(path: &Path) -> String {
    escape_controls(&path.display().to_string())
}

fn push_escaped(safe: &mut String, part: char) {
    if is_control_or_invisible(part) { safe.extend(part.escape_unicode()) } else { safe.push(part) }
}

/// The reason of the operating system, without the suffix "(os error 13)" that Rust adds.
pub fn describe_io_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Texts as a sentence lists them: `a, b and c`.
pub fn join_with_and(texts: &[String]) -> String {
    join_with(texts, "and")
}

/// Joins texts as English does: `a, b or c`.
pub fn join_with_or(texts: &[String]) -> String {
    join_with(texts, "or")
}

fn join_with(texts: &[String], last_separator: &str) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {last_separator} {last}", rest.join(", ")),
    }
}

/// Escapes the five characters that have a meaning in HTML, in text and in attributes.
pub fn escape_html(text: &str) -> String {
    const ESCAPES: [(char, &str); 5] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    ESCAPES.iter().fold(text.to_owned(), |safe, (part, escape)| safe.replace(*part, escape))
}

/// Whether a terminal could obey the character, or the character is invisible, or it reorders or joins visible text.
fn is_control_or_invisible(part: char) -> bool {
    part.is_control()
        || matches!(part,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Bytes as pairs of lower-case hexadecimal digits.
pub fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

/// Formats the first sixteen bytes like a UUID. It does not set the version bits of a UUID.
pub fn format_uuid(bytes: &[u8]) -> String {
    let mut text = encode_hex(bytes.get(..16).unwrap_or(bytes));
    for place in [20, 16, 12, 8] {
        if place < text.len() {
            text.insert(place, '-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequence_is_escaped_in_a_line() {
        assert_eq!(sanitize_line("no\x1b[31mred\x07"), "no\\u{1b}[31mred\\u{7}");
    }

    #[test]
    fn direction_and_invisible_characters_are_escaped() {
        assert_eq!(sanitize_line("a\u{202e}b\u{200b}c\u{9b}d"), "a\\u{202e}b\\u{200b}c\\u{9b}d");
    }

    #[test]
    fn escape_controls_preserves_spaces() {
        assert_eq!(escape_controls("a  b\u{202e}c\u{1b}"), "a  b\\u{202e}c\\u{1b}");
    }

    #[test]
    fn escape_json_preserves_the_values() {
        let value = "a\u{9b}b\u{202e}c\u{7f}d\u{e0001}é\\\u{1b}\n";
        let text = escape_json(serde_json::to_string(value).unwrap());
        assert_eq!(text, r#""a\u009bb\u202ec\u007fd\udb40\udc01é\\\u001b\n""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
    }

    #[test]
    fn several_lines_become_one_line() {
        assert_eq!(sanitize_line(" first\r\n\tsecond "), "first second");
    }

    #[test]
    fn long_text_is_shortened() {
        let cut = sanitize_line(&"x".repeat(5000));
        assert_eq!(cut.chars().count(), MAX_LINE_CHARS + 1);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn bytes_are_encoded_as_hex_and_uuid() {
        assert_eq!(encode_hex(&[0, 10, 255]), "000aff");
        assert_eq!(format_uuid(&[0x1f; 32]), "1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f");
    }

    #[test]
    fn html_special_characters_are_escaped() {
        assert_eq!(escape_html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
