//! The commands that `setup` wrote, run as the hosts run them: through a shell, in any folder.

use std::process::Command;

use serde_json::Value;
use testworld::World;

use super::desk;

/// The value of a line `key = value`.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_once(" = ").unwrap().1.to_owned()
}

#[test]
fn aws_config_line_returns_credentials() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["setup", "--yes"]).expect_code(0);
    let line = value(&desk.read(".aws/config"), "credential_process");
    let own = desk.command();
    let mut shell = Command::new("/bin/sh");
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(variables).current_dir("/").args(["-c", &line]);
    let outcome = shell.output().unwrap();
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?}");
    let document: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(document["Version"], 1);
}

#[test]
fn claude_settings_hook_signs_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["setup", "--yes"]).expect_code(0);
    let settings: Value = serde_json::from_str(&desk.read(".claude/settings.json")).unwrap();
    let own = desk.command();
    let mut shell = Command::new("/bin/sh");
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let hook = settings["awsAuthRefresh"].as_str().unwrap();
    let outcome = shell.env_clear().envs(variables).current_dir("/").args(["-c", hook]).output().unwrap();
    let stdout = String::from_utf8(outcome.stdout).unwrap();
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{stdout}");
    assert!(stdout.lines().last().unwrap().starts_with("Signed in as demo@example.com: "), "{stdout}");
}

#[test]
fn host_commands_name_a_custom_configuration_file() {
    let world = World::new();
    let desk = desk(&world);
    std::fs::rename(desk.config_file(), desk.home().join("other.toml")).unwrap();
    let file = desk.home().join("other.toml");
    desk.run(["--config", file.to_str().unwrap(), "setup", "--yes"]).expect_code(0);
    let line = value(&desk.read(".aws/config"), "credential_process");
    assert!(line.ends_with(&format!(" --config \"{}\"", file.display())), "{line}");
}
