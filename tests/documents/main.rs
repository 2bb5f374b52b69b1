//! README.md, the pages of `docs/` and the other documents, compared with the program that they describe.
//!
//! A document may show only commands that parse, configurations that pass the program's own check, and links that lead
//! to a file or a heading. What a page says about the screens of a provider cannot be tested here.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and start a process"
)]

mod book;
mod commands;
mod failures;
mod guides;
// A shell reads the commands of the hints.
#[cfg(unix)]
mod hints;
mod links;
mod markdown;
mod reference;
mod samples;
mod snippets;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use markdown::Page;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");

/// The documents outside of `docs/`.
const TOP_LEVEL: [&str; 4] = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository, with the line ends of Unix.
fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .replace("\r\n", "\n")
}

/// The files below a folder of the repository that end in one of these ways, as paths from the root with `/`, sorted.
fn files_under(folder: &str, extensions: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if !path.ends_with("node_modules") {
                found.extend(files_under(&path, extensions));
            }
        } else if extensions.iter().any(|extension| path.ends_with(&format!(".{extension}"))) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The pages of `docs/`, without the summary, which holds links alone.
fn docs() -> Vec<Page> {
    let paths = files_under("docs", &["md"]).into_iter().filter(|path| path != "docs/SUMMARY.md");
    paths.map(Page::read).collect()
}

/// README.md, the other documents at the top, and the pages of `docs/`.
fn documents() -> Vec<Page> {
    let top_level = TOP_LEVEL.into_iter().map(|path| Page::read(path.to_owned()));
    top_level.chain(docs()).collect()
}

/// Runs the program in an empty home.
fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    run_in(home.path(), arguments)
}

fn run_in(home: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env("HOME", home).output().unwrap()
}

/// Everything that a call printed.
fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Writes a configuration into a folder and returns its path.
fn write_config(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("config.toml");
    fs::write(&file, text).unwrap();
    file
}

/// Fails with a line for each offender.
#[track_caller]
fn assert_none(rule: &str, offenders: impl IntoIterator<Item = String>) {
    let offenders: Vec<_> = offenders.into_iter().collect();
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}
