//! `setup --fleet`: the folder whole, the same policy in every form, and what may lie in its place.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use testworld::{Desk, Outcome, World, expect_bytes};

use super::{desk, everything};

const FACTS: [&str; 8] = [
    "--issuer",
    "https://acme.okta.com",
    "--client-id",
    "0oa1b2c3d4",
    "--role-arn",
    "arn:aws:iam::123456789012:role/BedrockUser",
    "--region",
    "us-east-1",
];

/// The folder as it is written down; `config.toml` in it is what all the rest is made of.
fn written_down() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup/fleet")
}

/// The names of the files of a folder, with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, within: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{within}{}", entry.file_name().to_str().unwrap());
            match entry.path().is_dir() {
                true => walk(&entry.path(), &(name + "/"), found),
                false => drop(found.insert(name, fs::read(entry.path()).unwrap())),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

fn fleet(desk: &Desk<'_>, folder: &Path, more: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(["setup", "--fleet"]).arg(folder).args(more);
    desk.start_command(command).finish()
}

/// The folder made of the configuration that is written down.
fn made(desk: &Desk<'_>) -> PathBuf {
    let (folder, source) = (desk.home().join("fleet"), written_down().join("config.toml"));
    fleet(desk, &folder, &["--config", source.to_str().unwrap()]).expect_code(0);
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What stands between two texts.
fn between<'t>(text: &'t str, first: &str, second: &str) -> &'t str {
    text.split_once(first).unwrap().1.split_once(second).unwrap().0
}

/// XML's escapes undone.
fn plain(xml: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(xml.to_owned(), |text, (escape, meant)| text.replace(escape, meant))
}

/// The strings and tables of a property list from some place on.
fn table(lines: &mut dyn Iterator<Item = &str>) -> Value {
    let mut found = json!({});
    while let Some(line) = lines.next().map(str::trim) {
        if line == "</dict>" {
            break;
        }
        let key = plain(between(line, "<key>", "</key>"));
        let value = match lines.next().unwrap().trim() {
            "<dict>" => table(lines),
            value => plain(between(value, "<string>", "</string>")).into(),
        };
        found.as_object_mut().unwrap().insert(key, value);
    }
    found
}

#[test]
fn the_folder_for_a_fleet_is_what_is_written_down() {
    let world = World::new();
    let desk = desk(&world);
    let (made, folder) = (made(&desk), written_down());
    let (names, expected) = (files(&made), files(&folder));
    assert_eq!(names.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in names {
        expect_bytes(&format!("tests/setup/fleet/{name}"), &bytes);
    }
}

#[test]
fn a_policy_says_the_same_in_every_form() {
    let world = World::new();
    let files = files(&made(&desk(&world)));
    let parsed = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
    let linux = parsed("linux/managed-settings.json");
    let said_for = |program: &str| {
        let text = linux.to_string().replace("/usr/bin/bedrock-sso", &program.replace('\\', r"\\"));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let (macos, windows) =
        (said_for("/usr/local/bin/bedrock-sso"), said_for(r"C:\Program Files\bedrock-sso\bedrock-sso.exe"));
    assert_eq!(linux["env"]["ACME_TEAM"], "R&D <\"Zürich\">");
    assert_eq!(parsed("macos/managed-settings.json"), macos);
    assert_eq!(parsed("windows/managed-settings.json"), windows);

    let profile = text(&files["macos/claude-code.mobileconfig"]);
    let (_, preferences) = profile.split_once("<key>mcx_preference_settings</key>\n").unwrap();
    assert_eq!(table(&mut preferences.lines().skip(1)), macos);

    let registry = &files["windows/claude-code.reg"];
    let units: Vec<u16> = registry.chunks(2).map(|pair| u16::from_le_bytes(pair.try_into().unwrap())).collect();
    let registry = String::from_utf16(&units).unwrap();
    assert!(registry.starts_with(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\ClaudeCode]\r\n\"Settings\"="
    ));
    // A text of regedit's has the same escapes as one of JSON's.
    let settings: String = serde_json::from_str(registry.split_once("\"Settings\"=").unwrap().1.trim()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), windows);

    let words = text(&files["windows/en-US/bedrock-sso.adml"]);
    let settings = plain(between(&words, "<defaultValue>", "</defaultValue>"));
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), windows);
}

#[test]
fn each_word_that_the_policy_template_asks_for_is_there() {
    let world = World::new();
    let files = files(&made(&desk(&world)));
    let policy = text(&files["windows/bedrock-sso.admx"]);
    let words = text(&files["windows/en-US/bedrock-sso.adml"]);
    let asked = |kind: &str| {
        let begin = format!("$({kind}.");
        let parts = policy.split(&begin).skip(1);
        parts.map(|part| part.split(')').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (kind, name) in asked("string")
        .into_iter()
        .map(|it| ("string", it))
        .chain(asked("presentation").into_iter().map(|it| ("presentation", it)))
    {
        assert!(words.contains(&format!("<{kind} id=\"{name}\">")), "{kind} {name}");
    }
    let element = between(&policy, "<text id=\"", "\"");
    assert!(words.contains(&format!("<textBox refId=\"{element}\">")), "{element}");
}

#[test]
fn nothing_for_a_fleet_names_a_home_and_no_other_file_is_touched() {
    let world = World::new();
    let desk = desk(&world);
    let before = everything(&desk);
    let folder = made(&desk);
    let home = desk.home().to_str().unwrap().to_owned();
    for (name, bytes) in files(&folder) {
        let narrow: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
        // The pinned AWS files are each user's own, by the name that the AWS SDKs expand.
        let said = String::from_utf8_lossy(&narrow).replace("~/.aws/", "");
        for place in [home.as_str(), "/home/", "/Users/", r"\Users\", "~", "%USERPROFILE%", "%APPDATA%"] {
            assert!(!said.contains(place), "{name} names {place}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(everything(&desk), before);
}

#[test]
fn facts_on_the_command_line_make_the_administrators_file_too() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join("fleet");
    let looked = fleet(&desk, &folder, &[FACTS.as_slice(), &["--dry-run"]].concat()).expect_code(0);
    assert!(!folder.exists());
    let made = fleet(&desk, &folder, &FACTS).expect_code(0);
    assert_eq!(made.stdout, looked.stdout);
    desk.expect_wording("output", "setup --fleet: written", &made.stderr);
    assert!(
        made.stdout.contains("/config.toml (new)\n  + version = 1\n  +\n  + [profiles.claude]\n"),
        "{}",
        made.stdout
    );
    // Nobody runs `setup` on these laptops, so the sign-in shall bring the AWS profile.
    assert!(made.stdout.contains("  + aws_profile = \"claude\"\n"), "{}", made.stdout);
    let configuration = folder.join("config.toml");
    desk.run(["config", "check", configuration.to_str().unwrap()]).expect_code(0);
    let managed = text(&files(&folder)["linux/managed-settings.json"]);
    assert!(managed.contains("\"\\\"/usr/bin/bedrock-sso\\\" login --profile claude\""), "{managed}");
    assert!(managed.contains("\"AWS_PROFILE\": \"claude\""), "{managed}");
}

#[test]
fn a_later_run_replaces_what_an_earlier_one_wrote_and_nothing_else() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join("fleet");
    fleet(&desk, &folder, &FACTS).expect_code(0);
    let again = fleet(&desk, &folder, &FACTS).expect_code(0);
    again.prints("setup --fleet: nothing to do");
    let changed = fleet(&desk, &folder, &[FACTS.as_slice(), &["--set", "login=explicit"]].concat()).expect_code(0);
    assert!(changed.stdout.starts_with(&format!("{}/config.toml (changed)\n", folder.display())), "{}", changed.stdout);
    assert!(!changed.stdout.contains("managed-settings.json"), "{}", changed.stdout);

    fs::write(folder.join("macos/managed-settings.json"), "{}").unwrap();
    let refused = fleet(&desk, &folder, &FACTS);
    let file = format!("{}/macos/managed-settings.json", folder.display());
    refused.fails(3, "setup/strange").message_has(&[&file]);
    assert_eq!(fs::read_to_string(folder.join("macos/managed-settings.json")).unwrap(), "{}");
    let other = desk.home().join("other");
    fs::create_dir_all(other.join("deep")).unwrap();
    fs::write(other.join("deep/notes"), "mine").unwrap();
    fleet(&desk, &other, &FACTS).fails(3, "setup/strange");
    assert_eq!(files(&other).len(), 1);
    let list = desk.home().join("list");
    fs::create_dir_all(&list).unwrap();
    fs::write(list.join("bedrock-sso.sha256"), format!("{}  notes\n", "0".repeat(64))).unwrap();
    fleet(&desk, &list, &FACTS).fails(3, "setup/strange");
    assert_eq!(files(&list).len(), 1);
}

#[test]
fn a_whole_configuration_and_facts_beside_it_are_not_mixed() {
    let world = World::new();
    let desk = desk(&world);
    let (folder, source) = (desk.home().join("fleet"), written_down().join("config.toml"));
    let source = source.to_str().unwrap();
    for whole in ["--config", "--from"] {
        let refused = fleet(&desk, &folder, &[whole, source, "--region", "eu-west-1"]);
        refused.fails(3, "setup/whole").message_has(&[source]);
    }
    fleet(&desk, &folder, &["--config", source, "--profile", "trail"]).fails(3, "config/no_such_profile");
    fleet(&desk, &folder, &["--from", "/no/such.toml"]).fails(3, "setup/no_facts");
    assert!(!folder.exists());
    fleet(&desk, &folder, &["--from", source]).expect_code(0);
    assert_eq!(files(&folder), files(&written_down()));
}
