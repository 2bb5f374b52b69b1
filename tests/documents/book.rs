//! The book: its summary lists each page, and its table of guarantees names tests that exist.

use std::collections::BTreeSet;

use super::{
    assert_none, docs, files_under,
    markdown::{Page, split_row},
    read,
};

#[test]
fn summary_lists_every_page_once() {
    let summary = Page::read("docs/SUMMARY.md".to_owned());
    let listed: Vec<String> = summary
        .targets()
        .into_iter()
        .filter(|target| !target.is_empty())
        .map(|target| format!("docs/{target}"))
        .collect();
    let pages: Vec<String> = docs().into_iter().map(|page| page.path).collect();
    assert_none("a page stands in docs/SUMMARY.md", pages.iter().filter(|page| !listed.contains(page)).cloned());
    assert_none("docs/SUMMARY.md names pages that exist", listed.iter().filter(|page| !pages.contains(page)).cloned());
    assert_eq!(listed.len(), pages.len(), "a page is listed twice");
}

#[test]
fn every_page_opens_with_one_title() {
    let offenders = docs().into_iter().filter(|page| {
        let titles = page.prose.lines().filter(|line| line.starts_with("# ")).count();
        !page.text.starts_with("# ") || titles != 1
    });
    assert_none("the first line is the title, and there is one", offenders.map(|page| page.path));
}

/// The table of promises, a row each: its cells, and the tests that its last cell names.
fn guarantees() -> Vec<(Vec<String>, Vec<String>)> {
    let page = Page::read("docs/guarantees.md".to_owned());
    let rows = page.prose.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter(|line| *line != "| Promise | Shown by |");
    rows.map(|row| {
        let cells: Vec<String> = split_row(row).into_iter().map(str::to_owned).collect();
        let names = cells[cells.len() - 1].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells, names)
    })
    .collect()
}

#[test]
fn guarantees_are_at_most_forty_and_name_tests_that_exist() {
    let rows = guarantees();
    assert!((10..=40).contains(&rows.len()), "{} promises", rows.len());
    let sources: String =
        ["src", "tests"].iter().flat_map(|folder| files_under(folder, &["rs", "py"])).map(read).collect();
    let exists = |name: &String| ["fn ", "def "].iter().any(|keyword| sources.contains(&format!("{keyword}{name}(")));
    let without = rows.iter().filter(|(cells, names)| cells.len() != 2 || names.is_empty());
    assert_none("a promise has a test", without.map(|(cells, _)| cells.join(" | ")));
    let names = rows.iter().flat_map(|(_, names)| names);
    assert_none("a test of docs/guarantees.md exists", names.filter(|name| !exists(name)).cloned());
}

/// A test that `cargo test` does not run says where it runs, and no other does.
#[test]
fn guarantees_mark_tests_that_need_more_than_cargo() {
    let page = read("docs/guarantees.md");
    for (mark, files) in [
        ("keyring", [files_under("tests/keyring", &["rs"]), vec!["tests/memory.rs".to_owned()]].concat()),
        ("root", vec!["tests/setup/machine.rs".to_owned()]),
    ] {
        let sources: String = files.iter().map(read).collect();
        let mark = format!("*({mark})*");
        let ignored: BTreeSet<&str> =
            sources.split("#[ignore").skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split('(').next()).collect();
        let marked: BTreeSet<&str> =
            page.split(&format!("` {mark}")).filter_map(|part| part.rsplit('`').next()).collect();
        let named: BTreeSet<&str> = page.split('`').filter(|name| ignored.contains(name)).collect();
        let marked = marked.into_iter().filter(|name| ignored.contains(name)).collect();
        assert_eq!(named, marked, "{mark} stands behind each test that needs it");
        assert_eq!(page.matches(&format!("` {mark}")).count(), named.len(), "{mark} stands behind no other test");
    }
}

/// README.md is the front door. Everything that is longer belongs into a page of the book.
#[test]
fn readme_has_at_most_250_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 250, "README.md has {lines} lines");
}
