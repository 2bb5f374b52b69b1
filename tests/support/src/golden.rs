//! Golden files: expected text in files of this repository, which `UPDATE_EXPECT=1 cargo test` rewrites.
//!
//! Read `git diff` before you commit what it rewrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::placeholders::{Placeholders, replace_variable_parts};

/// If this variable is 1, golden files are rewritten instead of compared.
const UPDATE: &str = "UPDATE_EXPECT";

/// Begins the line of a heading in a golden list.
const HEADING: &str = "\n## ";
/// Separates the texts below a heading.
const SEPARATOR: &str = "\n---\n";

/// The texts that this process has seen, by golden list and heading. The lock also guards the files.
static SEEN: Mutex<BTreeMap<PathBuf, TextsByHeading>> = Mutex::new(BTreeMap::new());

type TextsByHeading = BTreeMap<String, BTreeSet<String>>;

/// Compares `actual` with a golden file, or writes it there if `UPDATE_EXPECT` is 1.
///
/// `path` is relative to the root of the repository.
///
/// # Panics
/// If they differ. The message shows the differing lines and the command that rewrites the file.
#[track_caller]
pub fn expect_file(path: &str, actual: &str) {
    let file = repository().join(path);
    if is_updating() {
        return write_if_changed(&file, actual);
    }
    let expected = read(&file);
    assert!(expected == actual, "{path} differs:\n{}{}", diff(&expected, actual), advice());
}

/// As [`expect_file`], for a part of a document: the text between the first `start` and the next `end`.
///
/// # Panics
/// If the parts differ, and if the document has no such part.
#[track_caller]
pub fn expect_part(path: &str, start: &str, end: &str, actual: &str) {
    let document = read(&repository().join(path));
    let (before, rest) = document.split_once(start).unwrap_or_else(|| panic!("{path} has no {start:?}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{path} has no {end:?} after {start:?}"));
    expect_file(path, &format!("{before}{start}{actual}{end}{after}"));
}

/// As [`expect_file`], for files that are not text.
///
/// # Panics
/// If they differ. The message shows both as text.
#[track_caller]
pub fn expect_bytes(path: &str, actual: &[u8]) {
    let file = repository().join(path);
    if is_updating() {
        fs::write(&file, actual).expect("the repository can be written");
    }
    let expected = fs::read(&file).unwrap_or_default();
    let text = String::from_utf8_lossy;
    assert!(expected == actual, "{path} differs:\n{}{}", diff(&text(&expected), &text(actual)), advice());
}

/// Compares `actual` with the texts that a golden list holds under `heading`, or adds it there if `UPDATE_EXPECT` is 1.
///
/// A golden list collects every text that the tests of one binary see, such as the wording of each failure by its slug.
/// An update replaces the texts below a heading by those that this process has seen, so run the whole binary to update:
/// a partial run drops the texts that it does not see. To remove headings that are no longer used, delete the file
/// first.
///
/// # Panics
/// If the list does not have the text. The message shows the differing lines and the command that rewrites the list.
#[track_caller]
pub fn expect_listed(path: &str, heading: &str, actual: &str) {
    let file = repository().join(path);
    let actual = actual.trim_end_matches('\n');
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut listed = parse_list(&read(&file));
    if is_updating() {
        let of_file = seen.entry(file.clone()).or_default();
        of_file.entry(heading.to_owned()).or_default().insert(actual.to_owned());
        listed.extend(of_file.clone());
        return write_if_changed(&file, &render_list(&listed));
    }
    drop(seen);
    let texts = listed.remove(heading).unwrap_or_default();
    if texts.contains(actual) {
        return;
    }
    let closest = texts.iter().max_by_key(|text| count_common_words(text, actual)).map_or("", String::as_str);
    panic!("{path} does not list this under \"{heading}\":\n{}{}", diff(closest, actual), advice());
}

/// Compares the wording of what this test binary sees with its golden list of a topic, as [`expect_listed`] does. Ports,
/// temporary folders, times and the like are replaced by names.
///
/// The list of the binary `program` and the topic `failures` is `tests/expected/program/failures.txt`. The comparison
/// runs on Linux only, because messages name paths and causes as each system does.
#[track_caller]
pub fn expect_wording(topic: &str, heading: &str, text: &str) {
    if cfg!(target_os = "linux") {
        let binary = std::env::current_exe().expect("Linux knows it");
        let name = binary.file_stem().expect("a program has a name").to_string_lossy().into_owned();
        let name = name.split('-').next().unwrap_or_default();
        let text = replace_variable_parts(text, &Placeholders::new());
        expect_listed(&format!("tests/expected/{name}/{topic}.txt"), heading, &text);
    }
}

/// Compares the two lines of a failure with the golden list `failures` of this test binary, under its slug.
#[track_caller]
pub fn expect_failure(lines: &str) {
    let message = lines.lines().next().unwrap_or_default();
    let slug = message.rsplit_once(" [").and_then(|(_, rest)| rest.strip_suffix(']'));
    expect_wording("failures", slug.unwrap_or_else(|| panic!("no failure: {lines}")), lines);
}

fn is_updating() -> bool {
    std::env::var(UPDATE).is_ok_and(|value| value == "1")
}

fn advice() -> String {
    format!("\n`{UPDATE}=1 cargo test` rewrites the golden files. Read `git diff` before you commit.")
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("it lies in the repository").to_owned()
}

/// The text of a golden file; empty if it does not exist.
fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default().replace("\r\n", "\n")
}

fn write_if_changed(file: &Path, text: &str) {
    if read(file) != text {
        fs::create_dir_all(file.parent().expect("a golden file has a folder")).expect("it can be created");
        fs::write(file, text).expect("the repository can be written");
    }
}

/// Reads what [`render_list`] wrote.
fn parse_list(text: &str) -> TextsByHeading {
    let sections = text.split(HEADING).skip(1).filter_map(|section| section.split_once("\n\n"));
    sections
        .map(|(heading, texts)| {
            let texts = texts.trim_end_matches('\n').split(SEPARATOR).map(str::to_owned);
            (heading.to_owned(), texts.collect())
        })
        .collect()
}

fn render_list(listed: &TextsByHeading) -> String {
    let intro = format!("# Written by the tests. Do not edit: `{UPDATE}=1 cargo test` rewrites it.\n");
    let sections = listed.iter().map(|(heading, texts)| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        format!("{HEADING}{heading}\n\n{}\n", texts.join(SEPARATOR))
    });
    intro + &sections.collect::<String>()
}

fn count_common_words(one: &str, other: &str) -> usize {
    let words: BTreeSet<&str> = one.split_whitespace().collect();
    other.split_whitespace().filter(|word| words.contains(word)).count()
}

/// Lines of `expected` that are missing with `-`, additional lines of `actual` with `+`, and a few lines around them.
fn diff(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    // `common[i][j]` is the length of the longest common subsequence of `old[i..]` and `new[j..]`.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (i, old_line) in old.iter().enumerate().rev() {
        for (j, new_line) in new.iter().enumerate().rev() {
            common[i][j] = match old_line == new_line {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', new[j - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        lines.push((mark, line));
    }
    with_context(&lines)
}

/// The marked lines, each with up to three unmarked lines before and after it.
fn with_context(lines: &[(char, &str)]) -> String {
    const CONTEXT: usize = 3;
    let is_near = |at: &usize| {
        let near = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len());
        lines[near].iter().any(|(mark, _)| *mark != ' ')
    };
    let shown = (0..lines.len()).filter(is_near);
    shown.map(|at| format!("{} {}\n", lines[at].0, lines[at].1)).collect()
}
