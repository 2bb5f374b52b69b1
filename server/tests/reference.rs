//! The reference of the server, compared with the program: help of each command, keys of the configuration, environment
//! variables, and slugs with their exit codes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use bedrock_sso_server::config::Config;
use testworld::expect_part;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso-server");
const PAGE: &str = "docs/reference/server.md";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read_page() -> String {
    fs::read_to_string(repository().join(PAGE)).unwrap()
}

/// The section of the page below this heading, up to the next one of the same level.
fn section(heading: &str) -> String {
    let page = read_page();
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The names in the first column of the tables of a section.
fn first_column(section: &str) -> BTreeSet<String> {
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

// Commands

#[expect(clippy::disallowed_methods, reason = "the program under test")]
fn help(words: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists, in its order.
fn list_commands(words: &[&str]) -> Vec<String> {
    let help = help(words);
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let names = list.split("\n\n").next().unwrap().lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// `UPDATE_EXPECT=1` writes the help of each command into the page.
#[test]
fn page_shows_the_help_of_each_command() {
    let mut commands = Vec::new();
    for command in list_commands(&[]) {
        let below = list_commands(&[&command]);
        match below.is_empty() {
            true => commands.push(command),
            false => commands.extend(below.iter().map(|below| format!("{command} {below}"))),
        }
    }
    assert!(commands.len() > 10, "{commands:?}");
    let headings: Vec<String> =
        section("Commands").lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    assert_eq!(headings, commands);
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let start = format!("\n$ bedrock-sso-server {command} --help\n");
        expect_part(PAGE, &start, "\n```\n", help(&words).trim_end());
    }
}

// Configuration

/// The keys that the program knows at a place. It names them when it meets one that it does not know. `None` if the place
/// is no table.
fn known_keys(before: &str) -> Option<BTreeSet<String>> {
    known_names(before, "field")
}

fn known_names(before: &str, kind: &str) -> Option<BTreeSet<String>> {
    let error = Config::parse(&format!("{before}\nno_such_key = 1\n"), Path::new("")).unwrap_err();
    let (_, known) = error.split_once(&format!("unknown {kind} `no_such_key`, "))?;
    Some(known.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

#[test]
fn page_has_every_key_of_the_configuration() {
    let mut expected = BTreeSet::new();
    for key in known_keys("").unwrap() {
        let tables = [known_keys(&format!("[{key}]")), known_keys(&format!("[[{key}]]"))];
        match tables.into_iter().flatten().next() {
            Some(below) => expected.extend(below.iter().map(|below| format!("{key}.{below}"))),
            None => drop(expected.insert(key)),
        }
    }
    // A table inside of a table, whose keys are the values of an enum.
    assert!(expected.remove("issuer.claims"));
    let claims = known_names("[[issuer]]\n[issuer.claims]", "variant").unwrap();
    expected.extend(claims.iter().map(|claim| format!("issuer.claims.{claim}")));
    assert!(expected.len() > 14, "{expected:?}");
    assert_eq!(first_column(&section("Configuration")), expected);
}

// The source

/// The source without its tests, by path.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "contract.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                sources.insert(path.display().to_string(), code.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    assert!(sources.len() > 30, "{:?}", sources.keys());
    sources
}

/// The texts in quotation marks.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

/// Whether a text has the form of a slug: `room/word`.
fn is_slug(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split_once('/').is_some_and(|(room, word)| is_word(room) && is_word(word)) && text != "application/json"
}

/// The numbers of the client's exit codes, by name.
fn exit_codes() -> BTreeMap<String, u8> {
    let failure = fs::read_to_string(repository().join("src/failure/mod.rs")).unwrap();
    let (_, body) = failure.split_once("pub enum Exit {").unwrap();
    let pair = |line: &str| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        Some((name.to_owned(), number.parse().unwrap()))
    };
    body.split('}').next().unwrap().lines().filter_map(pair).collect()
}

/// The slugs of the source, each with the exit codes that stand before it in a call.
fn slugs_of_source() -> BTreeSet<(String, u8)> {
    let codes = exit_codes();
    let mut slugs = BTreeSet::new();
    for (path, code) in sources() {
        let mut found = BTreeSet::new();
        for call in code.split("Exit::").skip(1) {
            let Some((exit, rest)) = call.split_once(',') else { continue };
            let Some(slug) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            if let Some(number) = codes.get(exit) {
                found.insert(slug.to_owned());
                slugs.insert((slug.to_owned(), *number));
            }
        }
        let all = literals(&code).filter(|text| is_slug(text)).map(str::to_owned);
        let hidden: Vec<String> = all.filter(|slug| !found.contains(slug)).collect();
        assert!(hidden.is_empty(), "{path} has slugs that stand behind no exit code: {hidden:?}");
    }
    slugs
}

#[test]
fn page_has_every_slug_with_its_exit_code() {
    let section = section("Failures");
    let mut on_page = BTreeSet::new();
    for part in section.split("\n### ").skip(1) {
        let (slug, text) = part.split_once('\n').unwrap();
        let codes = text.trim_start().strip_prefix("Exit code ").unwrap_or_else(|| panic!("{slug} begins otherwise"));
        let codes = codes.split('.').next().unwrap().split('`').skip(1).step_by(2);
        on_page.extend(codes.map(|code| (slug.to_owned(), code.parse().unwrap())));
    }
    let expected = slugs_of_source();
    assert!(expected.len() > 9, "{expected:?}");
    assert_eq!(on_page, expected);
}

#[test]
fn page_has_every_variable_that_the_source_names() {
    let is_variable = |text: &&str| {
        ["AWS_", "BEDROCK_SSO_"].iter().any(|start| text.starts_with(start))
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let sources = sources();
    let expected: BTreeSet<String> =
        sources.values().flat_map(|code| literals(code).filter(is_variable)).map(str::to_owned).collect();
    assert!(expected.len() > 8, "{expected:?}");
    let on_page = first_column(&section("Environment variables"));
    let own = on_page.into_iter().filter(|name| is_variable(&name.as_str())).collect::<BTreeSet<_>>();
    assert_eq!(own, expected);
}

/// A reader of the page knows what can become part of a row, and whose word each attribute of a person is.
#[test]
fn page_has_every_attribute_of_telemetry() {
    let page = section("Telemetry");
    let rows = fs::read_to_string(repository().join("server/src/relay/rows.rs")).unwrap();
    let list = rows.split_once("ROW_ATTRIBUTES: ").unwrap().1.split_once("= [").unwrap().1.split_once(']').unwrap().0;
    let (_, on_page) = page.split_once("`attributes` has these attributes").unwrap();
    let on_page = on_page.split("\n\n").next().unwrap();
    let names_on_page: Vec<&str> = on_page.split('`').skip(1).step_by(2).collect();
    assert_eq!(names_on_page, literals(list).collect::<Vec<_>>());

    let table = fs::read_to_string(repository().join("src/telemetry/identity_table.rs")).unwrap();
    let code: Vec<&str> = table.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let described = page.split_once("### Whose telemetry it is").unwrap().1.split("\n### ").next().unwrap().to_owned();
    let missing: Vec<&str> = code
        .iter()
        .flat_map(|line| literals(line))
        .filter(|name| !name.starts_with("x-") && !name.is_empty() && !name.contains('@') && !name.contains('/'))
        .filter(|name| !described.contains(&format!("`{name}`")))
        .collect();
    // The headers' values where a token says nothing, which no relay writes, and a claim that no ID token has.
    let of_headers =
        ["unspecified", "default-team", "general", "remote", "user", "unassigned", "unknown", "userinfo:email"];
    assert!(missing.iter().all(|name| of_headers.contains(name)), "{missing:?}");
}

/// The threat model names the tests that show its claims, by names of four words or more.
#[test]
fn threat_model_names_tests_that_exist() {
    let page = fs::read_to_string(repository().join("docs/security/limits.md")).unwrap();
    let is_test = |span: &&str| {
        span.matches('_').count() >= 3
            && span.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte))
    };
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 20, "{named:?}");
    let (mut code, mut folders) = (String::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                None if path.is_dir() => folders.push(path),
                Some("rs" | "py") => code.push_str(&fs::read_to_string(path).unwrap()),
                None | Some(_) => {}
            }
        }
    }
    // The tests of the stores' contract have arguments, those in Python are methods.
    let is_there = |name: &&str| ["fn", "def"].iter().any(|word| code.contains(&format!("{word} {name}(")));
    let missing: Vec<&&str> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
