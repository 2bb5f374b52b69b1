//! Text broken into lines that a terminal has room for.
//!
//! Where the lines stand is for who lays them out.

/// No line is longer, however wide the terminal: what is longer is not read.
const MAX_WIDTH: usize = 110;
/// And none is shorter, however narrow.
const MIN_WIDTH: usize = 20;

/// How long a line may be that begins at a column; as long as it is where nobody knows the width, in a file or a pipe.
pub(super) fn compute_width(columns: Option<usize>, from: usize) -> usize {
    columns.map_or(usize::MAX, |columns| columns.min(MAX_WIDTH).saturating_sub(from).max(MIN_WIDTH))
}

/// Broken between words; a longer word, such as the name of a file, stays whole so that it can be copied.
pub(super) fn wrap_text(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        let path = "/home/alice/.config/bedrock-sso/config.toml";
        assert_eq!(wrap_text(&format!("in {path} now"), 20), ["in", path, "now"]);
    }
}
