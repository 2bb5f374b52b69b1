//! Commands in hints: they lead to the profile and the configuration file of the call that shows them.

use std::{fs, path::PathBuf};

use serde_json::json;
use testworld::{Desk, Knob, World, wait_until};

use super::desk;

/// A home with the profiles `claude` and `second`, so that every call has to name one.
fn desk_with_two_profiles(world: &World) -> Desk<'_> {
    let desk = desk(world);
    add_second_profile(&desk);
    desk
}

fn add_second_profile(desk: &Desk<'_>) {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let second = text.replace("version = 1", "").replace("[profiles.claude", "[profiles.second");
    desk.configure(&format!("{text}{second}"));
}

/// Moves the configuration to `my own.toml` in the home, where only `--config` finds it.
fn move_configuration(desk: &Desk<'_>) -> PathBuf {
    let elsewhere = desk.home().join("my own.toml");
    fs::rename(desk.config_file(), &elsewhere).unwrap();
    elsewhere
}

/// The commands of this program that a text names in backticks.
fn commands_in(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|command| command.starts_with("bedrock-sso ")).map(str::to_owned).collect()
}

#[test]
fn hint_names_profile_and_file_of_the_call() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let hinted_commands = |words: &[&str]| {
        let mut command = desk.command();
        command.args(words);
        commands_in(&desk.start_command(command).finish().fails_without_golden(4, "sign-in/not_allowed").hint)
    };
    let credentials = ["--profile", "second", "credentials", "--no-login"];
    assert_eq!(hinted_commands(&credentials), ["bedrock-sso login --profile second"]);
    let status = desk.run(["status", "--profile", "second"]).expect_code(0).stdout;
    assert_eq!(commands_in(&status), ["bedrock-sso login --profile second"; 2], "{status}");
    let doctor = desk.run(["doctor", "--json", "--profile", "second"]).document();
    let session = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "session").unwrap();
    assert_eq!(commands_in(session["remedy"].as_str().unwrap()), ["bedrock-sso login --profile second"]);
    let both = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&both.replace("version = 1", "version = 1\ndefault_profile = \"second\""));
    assert_eq!(hinted_commands(&credentials), ["bedrock-sso login"], "the default profile is not named");
    move_configuration(&desk);
    let elsewhere = ["--config", "my own.toml", "--profile", "claude", "export"];
    assert_eq!(hinted_commands(&elsewhere), ["bedrock-sso login --profile claude --config 'my own.toml'"]);
}

#[test]
fn client_secret_hint_names_the_file_of_the_call() {
    let world = World::new();
    let desk = Desk::with(&world, super::PROGRAM, "client_auth = \"secret\"");
    move_configuration(&desk);
    let outcome = desk.run(["login", "--no-browser", "--config", "my own.toml"]);
    let hint = outcome.fails_without_golden(3, "config/no_client_secret").hint;
    assert_eq!(commands_in(&hint), ["bedrock-sso login --client-secret-stdin --config 'my own.toml'"]);
}

#[test]
fn config_check_hint_names_the_file_of_the_call() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("region = \"us-east-1\"", "region = \"nowhere\""));
    move_configuration(&desk);
    let hint = desk
        .run(["status", "--config", "my own.toml", "--profile", "second"])
        .fails_without_golden(3, "config/illegal")
        .hint;
    assert_eq!(commands_in(&hint), ["bedrock-sso config check --config 'my own.toml'"]);
}

#[test]
fn changed_destination_hint_names_the_profile() {
    let (world, other) = (World::new(), World::new());
    let desk = desk(&world);
    desk.set_key("quota.endpoint", &json!(world.quota_endpoint()).to_string());
    add_second_profile(&desk);
    desk.run(["credentials", "--profile", "second"]).expect_code(0);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace(&world.quota_endpoint(), &other.quota_endpoint()));
    let outcome = desk.run(["credentials", "--profile", "second"]);
    let hint = outcome.fails_without_golden(4, "sign-in/destination_changed").hint;
    assert_eq!(commands_in(&hint), ["bedrock-sso login --profile second", "bedrock-sso logout --profile second"]);
}

#[test]
fn browser_page_hint_names_the_profile() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let refusal = json!({ "error": "access_denied", "description": "User is not assigned" });
    world.set(Knob::AuthorizeError, refusal);
    let hint = desk.run(["credentials", "--profile", "second"]).fails_without_golden(5, "sign-in/access_denied").hint;
    assert_eq!(commands_in(&hint), ["bedrock-sso login --profile second"]);
    wait_until("the final page", || desk.page().is_some_and(|page| page.contains("</html>")));
    let page = desk.page().unwrap();
    assert!(page.contains("<code>bedrock-sso login --profile second</code>"), "{page}");
    // `status` and `doctor` complete the stored failure in the same way.
    let status = desk.run(["status", "--json", "--profile", "second"]).expect_code(0).document();
    assert_eq!(status["last_error"]["hint"], hint);
    let doctor = desk.run(["doctor", "--profile", "second", "--bundle", "bundle.txt"]);
    assert!(doctor.stdout.contains(&hint), "{doctor:?}");
    let bundle = fs::read_to_string(desk.home().join("bundle.txt")).unwrap();
    assert!(bundle.contains(&format!("\nhint = {hint}\n")), "{bundle}");
}

#[test]
fn logout_problem_hint_names_the_file_of_the_call() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("region = \"us-east-1\"", "region = \"nowhere\""));
    move_configuration(&desk);
    // `logout` cannot delete a folder as a file. This problem is more severe, so it is reported last.
    fs::create_dir_all(desk.data().join("given-aws-profiles/x")).unwrap();
    let outcome = desk.run(["logout", "--all", "--config", "my own.toml"]).expect_code(10);
    assert_eq!(commands_in(&outcome.stderr), ["bedrock-sso config check --config 'my own.toml'"], "{outcome:?}");
}
