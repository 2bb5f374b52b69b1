//! A hint names commands that lead to the profile and to the configuration file of the call that shows it.

use std::{fs, path::PathBuf};

use serde_json::json;
use testworld::{Desk, Knob, World, wait_until};

use super::desk;

/// A desk whose configuration has the profile `second` beside `claude`, so that one has to be chosen.
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

/// Moves the configuration to a file that only `--config` leads to; relative, as the tests' commands run in the home.
fn move_configuration(desk: &Desk<'_>) -> PathBuf {
    let elsewhere = desk.home().join("my own.toml");
    fs::rename(desk.config_file(), &elsewhere).unwrap();
    elsewhere
}

#[test]
fn a_hint_leads_to_the_profile_and_the_file_of_the_command_that_gave_it() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let hint = |words: &[&str]| {
        let mut command = desk.command();
        command.args(words);
        desk.start_command(command).finish().fails_without_golden(4, "sign-in/not_allowed").hint
    };
    let credentials = ["--profile", "second", "credentials", "--no-login"];
    assert_eq!(hint(&credentials), "run `bedrock-sso login --profile second`");
    let status = desk.run(["status", "--profile", "second"]).expect_code(0).stdout;
    assert_eq!(status.matches("run `bedrock-sso login --profile second`\n").count(), 2, "{status}");
    let doctor = desk.run(["doctor", "--json", "--profile", "second"]).document();
    let session = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "session").unwrap();
    assert_eq!(session["remedy"], "run `bedrock-sso login --profile second`");
    let both = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&both.replace("version = 1", "version = 1\ndefault_profile = \"second\""));
    assert_eq!(hint(&credentials), "run `bedrock-sso login`", "which it would choose by itself");
    move_configuration(&desk);
    let elsewhere = ["--config", "my own.toml", "--profile", "claude", "export"];
    assert_eq!(hint(&elsewhere), "run `bedrock-sso login --profile claude --config 'my own.toml'`");
}

#[test]
fn a_missing_client_secret_is_stored_for_the_file_of_the_call() {
    let world = World::new();
    let desk = Desk::with(&world, super::PROGRAM, "client_auth = \"secret\"");
    move_configuration(&desk);
    let outcome = desk.run(["login", "--no-browser", "--config", "my own.toml"]);
    let hint = outcome.fails_without_golden(3, "config/no_client_secret").hint;
    let command = "bedrock-sso login --client-secret-stdin --config 'my own.toml'";
    assert_eq!(hint, format!("run `{command}` and enter the application's client secret"));
}

#[test]
fn commands_that_do_not_sign_in_are_completed_too() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("region = \"us-east-1\"", "region = \"nowhere\""));
    move_configuration(&desk);
    let hint = desk
        .run(["status", "--config", "my own.toml", "--profile", "second"])
        .fails_without_golden(3, "config/illegal")
        .hint;
    assert_eq!(hint, "correct it, then run `bedrock-sso config check --config 'my own.toml'` to check the whole file");
}

#[test]
fn a_changed_destination_names_the_profile_for_logout_too() {
    let (world, other) = (World::new(), World::new());
    let desk = desk(&world);
    desk.set_key("quota.endpoint", &json!(world.quota_endpoint()).to_string());
    add_second_profile(&desk);
    desk.run(["credentials", "--profile", "second"]).expect_code(0);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace(&world.quota_endpoint(), &other.quota_endpoint()));
    let outcome = desk.run(["credentials", "--profile", "second"]);
    let hint = outcome.fails_without_golden(4, "sign-in/destination_changed").hint;
    assert_eq!(
        hint,
        "run `bedrock-sso login --profile second` in a terminal to review the change, or \
         `bedrock-sso logout --profile second` to start over"
    );
}

#[test]
fn the_browser_page_names_the_profile_of_the_sign_in() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let refusal = json!({ "error": "access_denied", "description": "User is not assigned" });
    world.set(Knob::AuthorizeError, refusal);
    let hint = desk.run(["credentials", "--profile", "second"]).fails_without_golden(5, "sign-in/access_denied").hint;
    assert!(hint.ends_with("then run `bedrock-sso login --profile second`"), "{hint}");
    wait_until("the final page", || desk.page().is_some_and(|page| page.contains("</html>")));
    let page = desk.page().unwrap();
    assert!(page.contains("then run <code>bedrock-sso login --profile second</code>"), "{page}");
    // The stored failure is completed for whoever shows it.
    let status = desk.run(["status", "--json", "--profile", "second"]).expect_code(0).document();
    assert_eq!(status["last_error"]["hint"], hint);
    let doctor = desk.run(["doctor", "--profile", "second", "--bundle", "bundle.txt"]);
    assert!(doctor.stdout.contains(&hint), "{doctor:?}");
    let bundle = fs::read_to_string(desk.home().join("bundle.txt")).unwrap();
    assert!(bundle.contains(&format!("\nhint = {hint}\n")), "{bundle}");
}

#[test]
fn further_problems_of_logout_name_the_file_too() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("region = \"us-east-1\"", "region = \"nowhere\""));
    move_configuration(&desk);
    // A folder where a file is to be removed: a worse problem, so it is reported last.
    fs::create_dir_all(desk.data().join("given-aws-profiles/x")).unwrap();
    let outcome = desk.run(["logout", "--all", "--config", "my own.toml"]).expect_code(10);
    let further = "hint: correct it, then run `bedrock-sso config check --config 'my own.toml'` to check the whole file\n\
                   Could not delete the list of AWS profiles that sign-ins have added:\n";
    assert!(outcome.stderr.contains(further), "{outcome:?}");
}
