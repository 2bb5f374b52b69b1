//! The guides held to their word: what they show passes the program's own check, can be typed and can be found.
//!
//! README.md is `readme`'s to judge; whether a guide is right about a vendor's screens no test can know.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and start a process")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A profile for settings that are shown by themselves.
const PROFILE: [&str; 4] = [
    "issuer = \"https://sso.acme.example\"",
    "client_id = \"bedrock-sso\"",
    "role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"",
    "region = \"us-east-1\"",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guides_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { guides_in(&path) } else { vec![path] }).collect()
}

/// Each guide with its text.
fn guides() -> Vec<(PathBuf, String)> {
    let pages = guides_in(&root().join("docs")).into_iter().filter(|path| path.extension() == Some("md".as_ref()));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap().replace("\r\n", "\n"))).collect()
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let inside = text.split("\n```").skip(1).step_by(2);
    inside.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n')).map(str::to_owned).collect()
}

/// The file that a block is, or that its settings would stand in.
fn whole(block: &str) -> String {
    if block.contains("version") {
        return block.to_owned();
    }
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let shown: Vec<String> = block.lines().map(key).collect();
    let rest: Vec<&str> = PROFILE.into_iter().filter(|line| !shown.contains(&key(line))).collect();
    format!("version = 1\n[profiles.claude]\n{}\n{block}", rest.join("\n"))
}

fn program(arguments: &[&str], configuration: Option<&str>) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedrock-sso"));
    command.args(arguments).env("HOME", home.path());
    if let Some(text) = configuration {
        let file = home.path().join("config.toml");
        fs::write(&file, text).unwrap();
        command.env("BEDROCK_SSO_CONFIG", file);
    }
    command.output().unwrap()
}

/// An administrator's file may say more than a user's.
fn check_of_file(configuration: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, configuration).unwrap();
    program(&["config", "check", file.to_str().unwrap()], None)
}

#[test]
fn each_setting_that_a_guide_shows_passes_the_programs_own_check() {
    let mut seen = 0;
    for (path, text) in guides() {
        for block in blocks(&text, "toml") {
            seen += 1;
            let is_administrators =
                block.lines().any(|line| line.starts_with("enforce") || line.starts_with("aws_profile"));
            let output = match is_administrators {
                true => check_of_file(&whole(&block)),
                false => program(&["config", "check"], Some(&whole(&block))),
            };
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {block}\n{said}", path.display());
            assert!(!said.contains("warning:"), "{}: {block}\n{said}", path.display());
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn each_provider_has_a_guide_whose_configuration_is_for_it() {
    for kind in ["okta", "entra", "auth0", "cognito", "google", "generic"] {
        let text = fs::read_to_string(root().join(format!("docs/providers/{kind}.md"))).unwrap();
        let [configuration] = blocks(&text, "toml").try_into().unwrap();
        let shown = program(&["config", "show", "--json"], Some(&configuration));
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let provider = &shown["keys"]["provider"];
        assert!([&provider["resolved"], &provider["value"]].contains(&&kind.into()), "{kind}: {provider}");
        let issuer = shown["keys"]["issuer"]["value"].as_str().unwrap();
        let name = issuer.strip_prefix("https://").unwrap();
        let client = shown["keys"]["client_id"]["value"].as_str().unwrap();
        let policies = blocks(&text, "json");
        let condition = format!("\"{name}:aud\": \"{client}\"");
        assert!(policies.iter().any(|policy| policy.contains(&condition)), "{kind}: {condition}");
    }
}

#[test]
fn each_json_block_of_a_guide_parses() {
    for (path, text) in guides() {
        for block in blocks(&text, "json") {
            let parsed = serde_json::from_str::<serde_json::Value>(&block);
            assert!(parsed.is_ok(), "{}: {block}\n{parsed:?}", path.display());
        }
    }
}

#[test]
fn each_command_of_a_guide_can_be_typed() {
    for (path, text) in guides() {
        let shown = ["sh", "console"].iter().flat_map(|language| blocks(&text, language)).collect::<Vec<_>>();
        let lines = shown.iter().flat_map(|block| block.lines()).map(|line| line.trim_start_matches("$ "));
        for line in lines.filter(|line| line.starts_with("bedrock-sso ")) {
            let words = line.split(['<', '>', '|', '#']).next().unwrap().split_whitespace().skip(1);
            let arguments: Vec<&str> = words.chain(["--help"]).collect();
            assert!(program(&arguments, None).status.success(), "{}: {line}", path.display());
        }
    }
}

/// The names of all checks, in their order: without a configuration most are skipped, but listed.
fn names_of_checks() -> Vec<String> {
    let report = program(&["doctor", "--json"], None).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let checks = report.get("checks").unwrap().as_array().unwrap().iter();
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_check_of_doctor_has_its_row() {
    let guide = fs::read_to_string(root().join("docs/doctor.md")).unwrap();
    let cells = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = cells.map(|(name, _)| name.to_owned()).collect();
    let checks = names_of_checks();
    assert!(checks.len() > 25, "{checks:?}");
    let documented: Vec<_> = rows.iter().filter(|row| checks.contains(row)).cloned().collect();
    assert_eq!(documented, checks);
}

/// Each file that is made for a fleet stands in its guide, and the guide names no other.
#[test]
fn the_guide_for_fleets_knows_each_file() {
    let text = fs::read_to_string(root().join("docs/fleet.md")).unwrap();
    let list = fs::read_to_string(root().join("tests/setup/fleet/bedrock-sso.sha256")).unwrap();
    let made: Vec<&str> = list.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    let table = text.split("\n### ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let shown: Vec<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let mut expected = [made, vec!["bedrock-sso.sha256"]].concat();
    expected.retain(|name| !shown.contains(name));
    assert_eq!(expected, Vec::<&str>::new(), "not in the table");
    assert_eq!(shown.len(), list.lines().count() + 1, "{shown:?}");
}

#[test]
fn the_guide_for_fleets_names_each_pinned_variable() {
    let text = fs::read_to_string(root().join("docs/fleet.md")).unwrap();
    let (_, section) = text.split_once("\n### What the managed settings pin").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let settings = fs::read_to_string(root().join("tests/setup/fleet/linux/managed-settings.json")).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    let names = settings["env"].as_object().unwrap().keys().map(String::as_str);
    let is_pin = |name: &&str| name.starts_with("BEDROCK_SSO_") || name.starts_with("AWS_") && *name != "AWS_REGION";
    let pins: Vec<_> = names.filter(is_pin).chain(["AWS_PROFILE"]).collect();
    assert_eq!(pins.len(), 12, "{pins:?}");
    for name in pins {
        // The variants of one variable are listed by their endings.
        let ending = name.strip_prefix("AWS_ENDPOINT_URL").filter(|ending| !ending.is_empty());
        assert!(section.contains(&format!("`{}`", ending.unwrap_or(name))), "{name}");
    }
}

#[test]
fn each_link_of_a_guide_leads_to_a_file() {
    for (path, text) in guides() {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://") && !target.starts_with('#')) {
            let target = target.split('#').next().unwrap();
            assert!(path.parent().unwrap().join(target).exists(), "{}: {target}", path.display());
        }
    }
}

#[test]
fn architecture_page_lists_each_module_in_reading_order() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = library.lines().filter_map(|line| Some(line.strip_suffix(';')?.split_once("mod ")?.1));
    let page = fs::read_to_string(root().join("docs/internals/architecture.md")).unwrap().replace("\r\n", "\n");
    let (_, section) = page.split_once("\n## The modules, in reading order").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    assert_eq!(rows.collect::<Vec<_>>(), declared.collect::<Vec<_>>());
}
