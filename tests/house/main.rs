//! Checks of the architecture: what each module may use, and which module may do what.
//!
//! They parse or search the sources. Rules that the compiler or a lint can check are not here.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod imports;
mod names;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, Meta};

/// The maximum number of lines of a source file.
const LINES: usize = 500;

/// Files outside the four modules for systems that may also distinguish operating systems, each with the reason.
const SYSTEMS_ELSEWHERE: [(&str, &str); 1] =
    [("src/http/trust.rs", "whether the system's roots are a file that SSL_CERT_FILE replaces")];

/// A source file: its path from the package's root, its text, that text without tests, and without comments too.
struct Source {
    path: String,
    text: String,
    code_with_comments: String,
    code: String,
}

impl Source {
    fn of(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let code_with_comments = if is_test(path) { String::new() } else { without_tests(&text) };
        let code = without_comments(&code_with_comments);
        Self { path: path.to_str().unwrap().replace('\\', "/"), text, code_with_comments, code }
    }

    /// The module of `lib.rs` that this file belongs to.
    fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split(['/', '.']).next()
    }

    fn is_in(&self, modules: &[&str]) -> bool {
        self.module().is_some_and(|module| modules.contains(&module))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files_under(&path)),
            false if path.ends_with(".rs") => found.push(path.into()),
            false => {}
        }
    }
    found.sort();
    found
}

fn sources_under(folder: &str) -> Vec<Source> {
    files_under(folder).iter().map(|path| Source::of(path)).collect()
}

/// Whether a file is compiled for tests only, which the parent module declares.
fn is_test(path: &Path) -> bool {
    let Some(parent) = path.parent().filter(|_| path != Path::new("src/lib.rs")) else { return false };
    let name = path.file_stem().unwrap().to_str().unwrap();
    if name == "mod" {
        return is_test(&parent.with_extension("rs"));
    }
    let declared = |file: &Path| {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(&format!("mod {name};")))
    };
    let beside = parent.with_extension("rs");
    [parent.join("mod.rs"), beside.clone(), parent.join("lib.rs")].iter().any(|file| declared(file))
        || (parent != Path::new("src") && is_test(&beside))
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// Without the items that follow `#[cfg(test)]`. An item ends at the first line of its own depth that closes it, as rustfmt writes it.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            let depth = line.len() - line.trim_start().len();
            let is_last = |line: &str| {
                let is_at_depth = line.len() - line.trim_start().len() == depth;
                is_at_depth && (line.ends_with(';') || line.trim() == "}")
            };
            lines.by_ref().find(|line| is_last(line));
        } else {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Whether an item is compiled for tests only, by `#[cfg(test)]` or by a `cfg` with `test` among its conditions.
fn is_test_only(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            !condition.starts_with("not") && condition.split([' ', '(', ')', ',']).any(|word| word == "test")
        }
        _ => false,
    };
    attributes.iter().any(is_test)
}

/// The attributes of an item in a file or function.
fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[track_caller]
fn nobody(rule: &str, offenders: impl IntoIterator<Item = String>) {
    let offenders: Vec<_> = offenders.into_iter().collect();
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

/// Lines of code with any of these words, as `file: line`.
fn with_words<'a>(source: &'a Source, words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    let lines = source.code.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(|line| format!("{}: {}", source.path, line.trim()))
}

#[test]
fn only_provider_specs_name_providers() {
    let variants: Vec<_> = ["Okta", "Entra", "Auth0", "Cognito", "Google", "Generic"]
        .iter()
        .map(|name| format!("Provider::{name}"))
        .collect();
    let words: Vec<_> = variants.iter().map(String::as_str).collect();
    let others = sources_under("src").into_iter().filter(|source| !source.path.starts_with("src/config/provider/"));
    let offenders = others.flat_map(|source| with_words(&source, &words).collect::<Vec<_>>());
    nobody("only a provider's spec may depend on the provider", offenders);
}

#[test]
fn operating_system_checks_stay_in_four_modules() {
    let is_about_systems = |line: &&str| {
        let line = line.replace(' ', "");
        line.contains("cfg") && ["windows", "unix", "target_os"].iter().any(|word| line.contains(word))
    };
    let mut offenders = Vec::new();
    for source in sources_under("src").iter().filter(|one| !one.is_in(&["host", "files", "lock", "store"])) {
        let found: Vec<_> = source.code.lines().filter(is_about_systems).collect();
        let is_known = SYSTEMS_ELSEWHERE.iter().any(|(path, _)| *path == source.path);
        match (found.first(), is_known) {
            (Some(line), false) => offenders.push(format!("{}: {}", source.path, line.trim())),
            (None, true) => offenders.push(format!("{}: does not need its exception", source.path)),
            _ => {}
        }
    }
    nobody("cfg(windows), cfg(unix) and cfg(target_os) live in host, files, lock, store", offenders);
}

#[test]
fn unsafe_code_stays_in_two_files() {
    let its = ["src/host/process.rs", "src/host/windows.rs"];
    let others = sources_under("src").into_iter().filter(|source| !its.contains(&source.path.as_str()));
    let words = ["unsafe ", "unsafe{", "unsafe_code"];
    nobody(
        "only host/process.rs and host/windows.rs may have unsafe code",
        others.flat_map(|one| with_words(&one, &words).collect::<Vec<_>>()),
    );
}

#[test]
fn each_file_opens_with_a_summary_and_stays_small() {
    let mut offenders = Vec::new();
    for source in ["src", "tests"].iter().flat_map(|folder| sources_under(folder)) {
        let lines = source.text.lines().count();
        if lines > LINES && source.path.starts_with("src/") {
            offenders.push(format!("{}: {lines} lines", source.path));
        }
        if !source.text.starts_with("//! ") {
            offenders.push(format!("{}: does not begin with `//!`", source.path));
        }
    }
    nobody("a file begins with `//!` and has at most 500 lines", offenders);
}

#[test]
fn sources_have_no_allow_todo_or_dbg() {
    let words = ["#[allow", "#![allow", "todo!(", "unimplemented!(", "dbg!("];
    let offender = |source: Source| {
        let found = words.iter().find(|word| source.text.contains(**word))?;
        (source.path != "tests/house/main.rs").then(|| format!("{}: {found}", source.path))
    };
    let all = ["src", "tests"].iter().flat_map(|folder| sources_under(folder));
    nobody("write `expect` with a reason, and finish what you began", all.filter_map(offender));
}

#[test]
fn only_the_hint_module_spells_commands() {
    // A command in a text cannot be completed with the profile and the file of the call.
    let offenders = sources_under("src").into_iter().filter(|source| source.path != "src/hint.rs");
    let offenders = offenders.flat_map(|source| with_words(&source, &["`bedrock-sso "]).collect::<Vec<_>>());
    nobody("only hint.rs may have a command of this program in a text", offenders);
}

#[test]
fn every_test_file_belongs_to_a_test_binary() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let program = fs::read_to_string(root().join("tests/program.rs")).unwrap();
    let is_one = |path: &str| {
        let below = path.strip_prefix("tests/").unwrap();
        below.split_once('/').is_none_or(|(folder, name)| name == "main.rs" && folder != "support")
    };
    let belongs = |path: &str| {
        let below = path.strip_prefix("tests/").unwrap();
        let name = below.trim_end_matches(".rs");
        manifest.contains(&format!("path = \"{path}\""))
            || program.contains(&format!("#[path = \"{below}\"]"))
            || program.contains(&format!("\nmod {name};"))
    };
    let paths = files_under("tests").into_iter().map(|path| path.to_str().unwrap().replace('\\', "/"));
    let lost = paths.filter(|path| is_one(path) && !belongs(path));
    nobody("Cargo.toml or tests/program.rs must name each test file, or cargo never runs it", lost);
}
