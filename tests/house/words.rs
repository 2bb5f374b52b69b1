//! The language as tests: words that readers have to decode, the length of a test's name, and how much the comments explain.
//!
//! They hold for messages, names, comments and documents. CONTRIBUTING.md explains them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{nobody, root, sources_under, without_comments};

/// Words and phrases that say too little or that a reader has to decode, with what to write instead.
const BANNED: [(&str, &str); 38] = [
    ("anew", "again"),
    ("are none", "are not"),
    ("ask the person", "prompt"),
    ("ask a person", "prompt"),
    ("asked the person", "prompted"),
    ("asks a person", "prompts"),
    ("bring", "fetch, return, add"),
    ("bringing", "fetching, returning, adding"),
    ("brings", "fetches, returns, adds"),
    ("brought", "fetched, returned, added"),
    ("by itself", "automatically"),
    ("by themselves", "automatically"),
    ("is none", "is not"),
    ("keep", "store, cache, leave"),
    ("keeping", "storing, caching, leaving"),
    ("keeps", "stores, caches, leaves"),
    ("kept", "stored, cached, left"),
    ("lead nowhere", "fail"),
    ("leads nowhere", "fails"),
    ("led nowhere", "failed"),
    ("look at", "check, read"),
    ("looked at", "checked, read"),
    ("looking at", "checking, reading"),
    ("looks at", "checks, reads"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("mends", "fixes"),
    ("shall", "should, must, will"),
    ("tell", "report, say, show"),
    ("telling", "reporting, saying, showing"),
    ("tells", "reports, says, shows"),
    ("told", "reported, said, shown"),
    ("a word", "a message"),
    ("was none", "was not"),
    ("were none", "were not"),
    ("who ever", "the one who"),
    ("whoever", "the one who"),
];

/// Names that do not change: of languages, of other projects, and of our own options, on which users rely.
const FIXED_NAMES: [&str; 7] =
    ["is_none", "is None", "keep-alive", "keep_alive", "keep_host_header", "Keep a Changelog", "--keep"];

/// What people read: folders with all their files, and files.
const READ_BY_PEOPLE: [&str; 15] = [
    "src", "server", "tests", "docs", "packaging", "benches", "examples", "fuzz/fuzz_targets", ".ci", "build.rs",
    "Cargo.toml", "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md",
];

/// The files that list the words, to forbid them, and texts of others.
const EXEMPT: [&str; 3] = ["packaging/licenses/", "tests/house/names.rs", "tests/house/words.rs"];

/// A test's name is not longer, so that it is read at one glance in a list of failures.
const TEST_NAME: usize = 60;

/// Of the lines of code and comments in `src`, so many percent are comments. Fewer leave a reader guessing at reasons; more repeat
/// the code.
const COMMENTS: std::ops::RangeInclusive<usize> = 15..=20;

/// The text files below a folder, or the file. A link leads to what the tests have installed, so it is not followed.
fn texts_under(path: &Path) -> Vec<(PathBuf, String)> {
    let whole = root().join(path);
    if whole.is_symlink() {
        return Vec::new();
    }
    if whole.is_dir() {
        let entries = fs::read_dir(whole).unwrap().map(|entry| path.join(entry.unwrap().file_name()));
        return entries.flat_map(|entry| texts_under(&entry)).collect();
    }
    // What is not text is a picture, or a key.
    fs::read_to_string(whole).map(|text| (path.to_owned(), text)).into_iter().collect()
}

/// The words of a text in small letters, each with the number of its line and whether it directly follows the word before:
/// only spaces, a line break, the mark of a comment or an underscore stand between them.
fn words_of(text: &str) -> Vec<(usize, String, bool)> {
    let mut words: Vec<(usize, String, bool)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut rest = text.trim_start().trim_start_matches(['/', '!', '#', '*', '>']);
        let mut follows = true;
        while let Some(start) = rest.find(char::is_alphabetic) {
            follows &= rest[..start].chars().all(|letter| letter == ' ' || letter == '_');
            let word = &rest[start..];
            let end = word.find(|letter: char| !letter.is_alphabetic()).unwrap_or(word.len());
            words.push((line + 1, word[..end].to_lowercase(), follows));
            (rest, follows) = (&word[end..], true);
        }
        if !rest.trim().is_empty() {
            // A full stop at the end of a line ends a phrase as well: the next word follows an empty one.
            words.push((line + 1, String::new(), false));
        }
    }
    words
}

/// Each banned word or phrase of a text: its line, the phrase, and what to write instead.
fn banned_in(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let text = FIXED_NAMES.iter().fold(text.to_owned(), |text, name| text.replace(name, ""));
    let words = words_of(&text);
    let is_at = |at: usize, phrase: &str| {
        phrase.split(' ').enumerate().all(|(index, part)| {
            words.get(at + index).is_some_and(|(_, word, follows)| word == part && (index == 0 || *follows))
        })
    };
    let mut found = Vec::new();
    for (at, (line, word, _)) in words.iter().enumerate() {
        // Most words begin no phrase. Without this comparison the test takes several times as long.
        let phrases = BANNED.iter().filter(|(phrase, _)| !word.is_empty() && phrase.starts_with(word.as_str()));
        found.extend(
            phrases.filter(|(phrase, _)| is_at(at, phrase)).map(|(phrase, instead)| (*line, *phrase, *instead)),
        );
    }
    found
}

#[test]
fn no_text_has_a_banned_word() {
    let texts = READ_BY_PEOPLE.iter().flat_map(|path| texts_under(Path::new(path)));
    let offenders = texts.flat_map(|(path, text)| {
        let path = path.to_str().unwrap().replace('\\', "/");
        let is_exempt = EXEMPT.iter().any(|start| path.starts_with(start));
        let found = if is_exempt { Vec::new() } else { banned_in(&text) };
        found.into_iter().map(move |(line, phrase, instead)| format!("{path}:{line}: \"{phrase}\"; write: {instead}"))
    });
    nobody("every sentence is in plain words", offenders);
}

#[test]
fn banned_words_are_found_in_names_and_across_lines() {
    let found = |text: &str| banned_in(text).into_iter().map(|(line, phrase, _)| (line, phrase)).collect::<Vec<_>>();
    assert_eq!(found("fn what_is_kept() {}\n// Then look\n    // at it."), [(1, "kept"), (2, "look at")]);
    assert_eq!(found("A look. At once: keep-alive, keeper, bookkeeping."), []);
    assert_eq!(found("Look.\nAt once."), []);
}

#[test]
fn test_names_are_short() {
    let sources = ["src", "tests"].iter().flat_map(|folder| sources_under(folder));
    let offenders = sources.flat_map(|source| {
        let tests =
            source.text.split("#[test]\n").skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split('(').next());
        let long = tests.filter(|name| name.len() > TEST_NAME);
        long.map(|name| format!("{}: {name} ({})", source.path, name.len())).collect::<Vec<_>>()
    });
    nobody(&format!("a test's name has at most {TEST_NAME} letters"), offenders);
}

#[test]
fn comments_are_a_sixth_of_the_source() {
    let sources = sources_under("src");
    let count = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    let all: usize = sources.iter().map(|source| count(&source.code_with_comments)).sum();
    let code: usize = sources.iter().map(|source| count(&without_comments(&source.code_with_comments))).sum();
    let percent = (all - code) * 100 / all;
    assert!(COMMENTS.contains(&percent), "{percent} % of the lines are comments, {COMMENTS:?} should be");
}
