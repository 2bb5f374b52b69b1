//! README.md held to its word: what it shows can be typed, parsed and found.
//!
//! The exit codes of its table are `house`'s to compare; what the commands do is tested elsewhere.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and start a process")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap().replace("\r\n", "\n")
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let readme = text_of("README.md");
    let mut parts = readme.split("\n```");
    parts.next();
    // Every other part is the text after a block.
    let blocks = parts.step_by(2).filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    let blocks: Vec<_> = blocks.map(str::to_owned).collect();
    assert!(!blocks.is_empty(), "README.md has no {language} block");
    blocks
}

/// The code spans of some lines, fenced blocks left out.
fn spans(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines.flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn prose() -> impl Iterator<Item = String> {
    let readme = text_of("README.md");
    readme.split("\n```").step_by(2).flat_map(str::lines).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn program<'a>(words: impl IntoIterator<Item = &'a str>) -> Output {
    let home = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_bedrock-sso");
    Command::new(program).args(words).env("HOME", home.path()).output().unwrap()
}

#[test]
fn each_configuration_passes_the_programs_own_check() {
    for block in blocks("toml") {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, &block).unwrap();
        let output = program(["config", "check", file.to_str().unwrap()]);
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn each_json_block_parses_and_names_a_command_that_can_be_typed() {
    for block in blocks("json") {
        let value: serde_json::Value = serde_json::from_str(&block).unwrap();
        for hook in ["awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper"] {
            value.get(hook).into_iter().for_each(|line| assert_can_be_typed(line.as_str().unwrap()));
        }
    }
}

#[test]
fn each_command_can_be_typed() {
    let in_blocks = ["sh", "console"].into_iter().flat_map(blocks).collect::<Vec<_>>().join("\n");
    let typed = in_blocks.lines().map(|line| line.trim_start_matches("demo: ").trim_start_matches("$ "));
    let typed: Vec<_> = typed.map(str::to_owned).chain(spans(prose())).collect();
    let ours: Vec<_> = typed.iter().filter(|line| line.starts_with("bedrock-sso ")).collect();
    assert!(ours.len() > 10, "{ours:?}");
    ours.into_iter().for_each(|line| assert_can_be_typed(line));
}

/// With `--help` at its end a command line is parsed and nothing is done.
fn assert_can_be_typed(line: &str) {
    // What stands behind the two dashes is somebody else's command.
    let ours = line.split('(').next().unwrap().split(" -- ").next().unwrap();
    let words = ours.split_whitespace().skip(1);
    let output = program(words.chain(["--help"]));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Slugs in quotation marks of whatever sort, in order.
fn slugs(text: &str, room: &str) -> BTreeSet<String> {
    let room = format!("{room}/");
    let rest = text.match_indices(&room).filter_map(|(at, _)| text.get(at..));
    let end = |slug: &str| slug.find(|part: char| !part.is_ascii_lowercase() && part != '_' && part != '/');
    rest.filter_map(|rest| Some(rest.get(..end(rest)?)?.to_owned())).filter(|slug| !slug.ends_with('/')).collect()
}

#[test]
fn each_failure_of_the_network_has_its_row() {
    let [failures, page] = ["src/failure/http.rs", "docs/networks.md"].map(text_of);
    for room in ["network", "config"] {
        assert_eq!(slugs(&page, room), slugs(&failures, room));
    }
}

#[test]
fn each_test_of_the_table_exists() {
    let sources: String =
        ["src", "tests"].iter().flat_map(|folder| files_under(folder, &["rs", "py"])).map(text_of).collect();
    let page = text_of("docs/guarantees.md");
    let rows = page.lines().skip_while(|line| *line != "| Promise | Shown by |");
    let last_cells = rows.filter_map(|row| Some(row.strip_suffix(" |")?.rsplit_once(" | ")?.1.to_owned()));
    let names = spans(last_cells);
    assert!(names.len() > 50, "{names:?}");
    let exists = |name: &String| ["fn ", "def "].iter().any(|keyword| sources.contains(&format!("{keyword}{name}(")));
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}

/// A test that `cargo test` passes over says where it is run, and no other does.
#[test]
fn each_test_that_needs_more_than_cargo_is_marked() {
    marked_as("keyring", &[files_under("tests/keyring", &["rs"]), vec!["tests/memory.rs".into()]].concat(), 5);
    marked_as("root", &["tests/setup/machine.rs".into()], 1);
}

fn marked_as(mark: &str, files: &[PathBuf], at_least: usize) {
    let sources: String = files.iter().map(text_of).collect();
    let mark = format!("*({mark})*");
    let ignored: BTreeSet<&str> =
        sources.split("#[ignore").skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split('(').next()).collect();
    let page = text_of("docs/guarantees.md");
    let marked: BTreeSet<&str> = page
        .split(&format!("` {mark}"))
        .filter_map(|part| part.rsplit('`').next())
        .filter(|name| ignored.contains(name))
        .collect();
    let named: BTreeSet<&str> = page.split('`').filter(|name| ignored.contains(name)).collect();
    assert!(named.len() > at_least, "{named:?}");
    assert_eq!(marked, named);
    assert_eq!(page.matches(&mark).count(), marked.len());
}

#[test]
fn each_link_leads_to_a_file_or_a_heading() {
    let readme = text_of("README.md");
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for target in targets.filter(|target| !target.starts_with("https://")) {
        match target.strip_prefix('#') {
            Some(heading) => assert!(headings(&readme).contains(heading), "#{heading}"),
            None => assert!(root().join(target).exists(), "{target}"),
        }
    }
}

#[test]
fn each_guide_can_be_found_from_here() {
    let readme = text_of("README.md");
    let guides = files_under("docs", &["md"]);
    assert!(guides.len() > 6, "{guides:?}");
    let lost: Vec<_> = guides.iter().filter(|guide| !readme.contains(&format!("]({})", guide.display()))).collect();
    assert!(lost.is_empty(), "no link leads there: {lost:?}");
}

fn headings(readme: &str) -> BTreeSet<String> {
    let titles = readme.lines().filter_map(|line| line.strip_prefix('#'));
    let plain = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(|part| part.is_alphanumeric() || " -".contains(*part)).collect::<String>()
    };
    titles.map(|title| plain(title).replace(' ', "-")).collect()
}

fn files_under(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true if path.ends_with("node_modules") => {}
            true => found.extend(files_under(&path, extensions)),
            false if extensions.iter().any(|one| path.ends_with(&format!(".{one}"))) => {
                found.push(path.into());
            }
            false => {}
        }
    }
    found
}
