//! `setup --fleet`: the files for a fleet, the equality of all policy formats, and which existing files it replaces.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use testworld::{Desk, Outcome, World, expect_bytes};

use super::{desk, snapshot};

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

/// The golden folder. All of its files are made from its `config.toml`.
fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup/fleet")
}

/// The same for a profile with an Identity Center.
fn portal_folder() -> PathBuf {
    golden_folder().with_file_name("fleet_identity_center")
}

/// The names of all files below a folder, with their bytes.
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

fn set_up_fleet(desk: &Desk<'_>, folder: &Path, more: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(["setup", "--fleet"]).arg(folder).args(more);
    desk.start_command(command).finish()
}

/// Runs `setup --fleet` with the golden configuration; returns the folder.
fn write_golden_fleet(desk: &Desk<'_>) -> PathBuf {
    let (folder, source) = (desk.home().join("fleet"), golden_folder().join("config.toml"));
    set_up_fleet(desk, &folder, &["--config", source.to_str().unwrap()]).expect_code(0);
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The text between two other texts.
fn between<'t>(text: &'t str, first: &str, second: &str) -> &'t str {
    text.split_once(first).unwrap().1.split_once(second).unwrap().0
}

/// The text that this XML stands for.
fn unescape_xml(xml: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(xml.to_owned(), |text, (escape, meant)| text.replace(escape, meant))
}

/// Parses a `<dict>` of a property list, from its first key to its end.
fn parse_dict(lines: &mut dyn Iterator<Item = &str>) -> Value {
    let mut found = json!({});
    while let Some(line) = lines.next().map(str::trim) {
        if line == "</dict>" {
            break;
        }
        let key = unescape_xml(between(line, "<key>", "</key>"));
        let value = match lines.next().unwrap().trim() {
            "<dict>" => parse_dict(lines),
            value => unescape_xml(between(value, "<string>", "</string>")).into(),
        };
        found.as_object_mut().unwrap().insert(key, value);
    }
    found
}

#[test]
fn fleet_folder_matches_the_golden_files() {
    let world = World::new();
    let desk = desk(&world);
    let (made, folder) = (write_golden_fleet(&desk), golden_folder());
    let (names, expected) = (files(&made), files(&folder));
    assert_eq!(names.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in names {
        expect_bytes(&format!("tests/setup/fleet/{name}"), &bytes);
    }
}

/// Claude Desktop's keys are those that Anthropic documents, and each value is a text.
#[test]
fn fleet_of_identity_center_configures_claude_desktop_too() {
    let world = World::new();
    let desk = desk(&world);
    let (made, source) = (desk.home().join("fleet"), portal_folder().join("config.toml"));
    let outcome = set_up_fleet(&desk, &made, &["--config", source.to_str().unwrap()]).expect_code(0);
    desk.expect_wording("output", "setup --fleet: Identity Center", &outcome.stderr);
    let (names, expected) = (files(&made), files(&portal_folder()));
    assert_eq!(names.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &names {
        expect_bytes(&format!("tests/setup/fleet_identity_center/{name}"), bytes);
    }

    let profile = text(&names["macos/claude-desktop.mobileconfig"]);
    let (before, preferences) = profile.split_once("<key>mcx_preference_settings</key>\n").unwrap();
    assert!(before.contains("<key>com.anthropic.claudefordesktop</key>"), "{before}");
    let macos = parse_dict(&mut preferences.lines().skip(1));
    let expected = json!({
        "inferenceProvider": "bedrock",
        "inferenceCredentialKind": "interactive",
        "inferenceBedrockRegion": "us-east-1",
        "inferenceBedrockSsoStartUrl": "https://acme.awsapps.com/start",
        "inferenceBedrockSsoRegion": "eu-west-1",
        "inferenceBedrockSsoAccountId": "123456789012",
        "inferenceBedrockSsoRoleName": "BedrockUser",
        "inferenceModels": r#"["us.anthropic.claude-sonnet-4-5","us.anthropic.claude-haiku-4-5"]"#,
    });
    assert_eq!(macos, expected);

    let registry = decode_registry(&names["windows/claude-desktop.reg"]);
    let (key, values) = registry.split_once("]\r\n").unwrap();
    assert!(key.ends_with("[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Claude"), "{key}");
    let values = values.trim().split("\r\n").map(|line| line.split_once('=').unwrap());
    let value = |text: &str| serde_json::from_str::<String>(text).unwrap();
    let windows: BTreeMap<String, String> = values.map(|(name, text)| (value(name), value(text))).collect();
    assert_eq!(json!(windows), expected);
}

/// Claude Desktop has no keys for a chain or for private endpoints, so it must not sign in to something else instead.
#[test]
fn fleet_omits_claude_desktop_where_it_cannot_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    let usual = fs::read_to_string(portal_folder().join("config.toml")).unwrap();
    for (count, more) in [
        "role_chain = [\"arn:aws:iam::210987654321:role/Workload\"]",
        "identity_center_endpoint = \"https://{service}.identity-gateway.acme.example\"",
    ]
    .iter()
    .enumerate()
    {
        let source = desk.home().join("config-of-the-fleet.toml");
        fs::write(&source, usual.replace("region = \"us-east-1\"\n", &format!("region = \"us-east-1\"\n{more}\n")))
            .unwrap();
        let folder = desk.home().join(format!("fleet-{count}"));
        set_up_fleet(&desk, &folder, &["--config", source.to_str().unwrap()]).expect_code(0);
        let names = files(&folder);
        assert!(names.keys().all(|name| !name.contains("desktop")), "{:?}", names.keys());
    }
}

/// The text of a registry file.
fn decode_registry(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes(pair.try_into().unwrap())).collect();
    String::from_utf16(&units).unwrap()
}

#[test]
fn fleet_policy_is_equal_in_every_format() {
    let world = World::new();
    let files = files(&write_golden_fleet(&desk(&world)));
    let parsed = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
    let linux = parsed("linux/managed-settings.json");
    let settings_for = |program: &str| {
        let text = linux.to_string().replace("/usr/bin/bedrock-sso", &program.replace('\\', r"\\"));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let (macos, windows) =
        (settings_for("/usr/local/bin/bedrock-sso"), settings_for(r"C:\Program Files\bedrock-sso\bedrock-sso.exe"));
    assert_eq!(linux["env"]["ACME_TEAM"], "R&D <\"Zürich\">");
    assert_eq!(parsed("macos/managed-settings.json"), macos);
    assert_eq!(parsed("windows/managed-settings.json"), windows);

    let profile = text(&files["macos/claude-code.mobileconfig"]);
    let (_, preferences) = profile.split_once("<key>mcx_preference_settings</key>\n").unwrap();
    assert_eq!(parse_dict(&mut preferences.lines().skip(1)), macos);

    let registry = decode_registry(&files["windows/claude-code.reg"]);
    assert!(registry.starts_with(
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\ClaudeCode]\r\n\"Settings\"="
    ));
    // Strings in `.reg` files have the same escapes as JSON strings.
    let settings: String = serde_json::from_str(registry.split_once("\"Settings\"=").unwrap().1.trim()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), windows);

    let words = text(&files["windows/en-US/bedrock-sso.adml"]);
    let settings = unescape_xml(between(&words, "<defaultValue>", "</defaultValue>"));
    assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), windows);
}

#[test]
fn fleet_admx_template_has_all_of_its_strings() {
    let world = World::new();
    let files = files(&write_golden_fleet(&desk(&world)));
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
fn fleet_files_contain_no_user_paths() {
    let world = World::new();
    let desk = desk(&world);
    let before = snapshot(&desk);
    let folder = write_golden_fleet(&desk);
    let home = desk.home().to_str().unwrap().to_owned();
    for (name, bytes) in files(&folder) {
        let narrow: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
        // The AWS SDKs expand this name to the home of each user.
        let said = String::from_utf8_lossy(&narrow).replace("~/.aws/", "");
        for place in [home.as_str(), "/home/", "/Users/", r"\Users\", "~", "%USERPROFILE%", "%APPDATA%"] {
            assert!(!said.contains(place), "{name} names {place}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn fleet_flags_create_the_administrator_file() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join("fleet");
    let looked = set_up_fleet(&desk, &folder, &[FACTS.as_slice(), &["--dry-run"]].concat()).expect_code(0);
    assert!(!folder.exists());
    let made = set_up_fleet(&desk, &folder, &FACTS).expect_code(0);
    assert_eq!(made.stdout, looked.stdout);
    desk.expect_wording("output", "setup --fleet: written", &made.stderr);
    assert!(
        made.stdout.contains("/config.toml (new)\n  + version = 1\n  +\n  + [profiles.claude]\n"),
        "{}",
        made.stdout
    );
    // `setup` does not run on these machines, so the sign-in must add the AWS profile.
    assert!(made.stdout.contains("  + aws_profile = \"claude\"\n"), "{}", made.stdout);
    let configuration = folder.join("config.toml");
    desk.run(["config", "check", configuration.to_str().unwrap()]).expect_code(0);
    let managed = text(&files(&folder)["linux/managed-settings.json"]);
    assert!(managed.contains("\"\\\"/usr/bin/bedrock-sso\\\" login --profile claude\""), "{managed}");
    assert!(managed.contains("\"AWS_PROFILE\": \"claude\""), "{managed}");
}

#[test]
fn fleet_rerun_replaces_only_its_own_files() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join("fleet");
    set_up_fleet(&desk, &folder, &FACTS).expect_code(0);
    let again = set_up_fleet(&desk, &folder, &FACTS).expect_code(0);
    again.prints("setup --fleet: nothing to do");
    let changed =
        set_up_fleet(&desk, &folder, &[FACTS.as_slice(), &["--set", "login=explicit"]].concat()).expect_code(0);
    assert!(changed.stdout.starts_with(&format!("{}/config.toml (changed)\n", folder.display())), "{}", changed.stdout);
    assert!(!changed.stdout.contains("managed-settings.json"), "{}", changed.stdout);

    fs::write(folder.join("macos/managed-settings.json"), "{}").unwrap();
    let refused = set_up_fleet(&desk, &folder, &FACTS);
    let file = format!("{}/macos/managed-settings.json", folder.display());
    refused.fails(3, "setup/strange").message_has(&[&file]);
    assert_eq!(fs::read_to_string(folder.join("macos/managed-settings.json")).unwrap(), "{}");
    let other = desk.home().join("other");
    fs::create_dir_all(other.join("deep")).unwrap();
    fs::write(other.join("deep/notes"), "mine").unwrap();
    set_up_fleet(&desk, &other, &FACTS).fails(3, "setup/strange");
    assert_eq!(files(&other).len(), 1);
    let list = desk.home().join("list");
    fs::create_dir_all(&list).unwrap();
    fs::write(list.join("bedrock-sso.sha256"), format!("{}  notes\n", "0".repeat(64))).unwrap();
    set_up_fleet(&desk, &list, &FACTS).fails(3, "setup/strange");
    assert_eq!(files(&list).len(), 1);
}

#[test]
fn fleet_rejects_a_configuration_combined_with_flags() {
    let world = World::new();
    let desk = desk(&world);
    let (folder, source) = (desk.home().join("fleet"), golden_folder().join("config.toml"));
    let source = source.to_str().unwrap();
    for whole in ["--config", "--from"] {
        let refused = set_up_fleet(&desk, &folder, &[whole, source, "--region", "eu-west-1"]);
        refused.fails(3, "setup/whole").message_has(&[source]);
    }
    set_up_fleet(&desk, &folder, &["--config", source, "--profile", "trail"]).fails(3, "config/no_such_profile");
    set_up_fleet(&desk, &folder, &["--from", "/no/such.toml"]).fails(3, "setup/no_facts");
    assert!(!folder.exists());
    set_up_fleet(&desk, &folder, &["--from", source]).expect_code(0);
    assert_eq!(files(&folder), files(&golden_folder()));
}
