//! Wraps text to the width of a terminal, for `status` and `doctor`.

/// The maximum width, also in a wider terminal, because longer lines are hard to read.
const MAX_WIDTH: usize = 110;
/// The minimum width, also in a narrower terminal. The terminal then wraps the lines itself.
const MIN_WIDTH: usize = 20;

/// The width that a text may have if it starts at column `from`. Without `columns`, in a file or a pipe, it is
/// unlimited.
pub(super) fn compute_width(columns: Option<usize>, from: usize) -> usize {
    columns.map_or(usize::MAX, |columns| columns.min(MAX_WIDTH).saturating_sub(from).max(MIN_WIDTH))
}

/// Breaks the text at spaces. Text without a space that is longer than `width`, such as a path, stays in one piece, so
/// that the user can copy it.
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
    fn wrap_text_does_not_break_a_long_word() {
        let path = "/home/alice/.config/bedrock-sso/config.toml";
        assert_eq!(wrap_text(&format!("in {path} now"), 20), ["in", path, "now"]);
    }
}
