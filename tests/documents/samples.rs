//! Sample output in README.md and in the pages for a first sign-in: the program prints these lines.
//!
//! A line is accepted if a golden list of the other tests has it, or if its label stands in the source. So a new wording
//! of a message fails this test until the samples show it too.

use super::{assert_none, files_under, markdown::Page, read};

const PAGES: [&str; 3] = ["README.md", "docs/start/developer.md", "docs/start/administrator.md"];

/// The user of the tests, who has another name in the samples.
const USER: &str = "demo@example.com";

/// The lines of all golden lists. `{NAME}` stands for what differs from run to run.
fn golden_lines() -> Vec<String> {
    let lists = files_under("tests/expected", &["txt"]);
    lists
        .iter()
        .flat_map(|path| read(path).lines().map(|line| line.replace(USER, "{user}")).collect::<Vec<_>>())
        .collect()
}

/// Whether a line is what a pattern stands for: its fixed parts, in order.
fn is_instance(line: &str, pattern: &str) -> bool {
    let mut fixed = pattern.split('{').map(|part| part.split_once('}').map_or(part, |(_, fixed)| fixed));
    let first = fixed.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut last = first;
    for part in fixed {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    // A pattern that ends in a placeholder takes the rest of the line.
    rest.is_empty() || (last.is_empty() && pattern.contains('{'))
}

/// The part of a line before its values: the label of a row, or the text of a prompt.
fn label(line: &str) -> &str {
    [": ", " [", "  "]
        .iter()
        .filter_map(|end| line.get(..line.find(end)?))
        .min_by_key(|label| label.len())
        .unwrap_or(line)
}

/// Not a command, nor a line of a file that `setup` shows or a document on stdout.
fn is_message(line: &str) -> bool {
    !line.is_empty() && !["$ ", "  +", "/home/", "demo: ", "{"].iter().any(|start| line.starts_with(start))
}

#[test]
fn samples_show_lines_that_the_program_prints() {
    let golden = golden_lines();
    let sources: String = files_under("src", &["rs"]).iter().map(read).collect();
    let sources = sources.replace("\\\"", "\"");
    let is_printed = |line: &str| {
        let label = label(line).trim_end_matches(':');
        golden.iter().any(|pattern| is_instance(line, pattern))
            || label.len() < line.len()
                && (golden.iter().any(|line| line.starts_with(label)) || sources.contains(label))
    };
    let mut seen = 0;
    let mut offenders = Vec::new();
    for page in PAGES.map(|path| Page::read(path.to_owned())) {
        for line in page.blocks(&["console", "text"]).flat_map(str::lines).filter(|line| is_message(line)) {
            seen += 1;
            if !is_printed(line.trim_end()) {
                offenders.push(format!("{}: {line}", page.path));
            }
        }
    }
    assert!(seen > 15, "{seen}");
    assert_none("a sample shows what the program prints", offenders);
}

#[test]
fn placeholder_stands_for_any_text_between_fixed_parts() {
    assert!(is_instance("until 2026 (12 h left)", "until {time} ({duration} left)"));
    assert!(!is_instance("until 2026 (12 h left) and on", "until {time} ({duration} left)"));
    assert!(is_instance("go to http://127.0.0.1:8400/x", "go to http://127.0.0.1:{port}/{start}"));
    assert!(!is_instance("done", "Done."));
}
