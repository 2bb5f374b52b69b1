//! How the lines of a text end.
//!
//! A file of another program keeps its own endings.

/// The ending that a text uses first; a line feed when it has a single line.
pub(super) fn detect_text_ending(text: &str) -> &'static str {
    text.split_inclusive('\n').next().map_or("\n", |line| match detect_line_ending(line) {
        "\r\n" => "\r\n",
        _ => "\n",
    })
}

/// How this line ends; not at all when it is the last and unfinished.
pub(super) fn detect_line_ending(line: &str) -> &str {
    match line.strip_suffix('\n') {
        None => "",
        Some(rest) if rest.ends_with('\r') => "\r\n",
        Some(_) => "\n",
    }
}
