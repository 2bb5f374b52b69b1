//! `config show`, `check`, `schema` and `path`. The unit tests of `config` check their contents in detail.

use std::fs;

use serde_json::{Value, json};
use testworld::{CLIENT_ID, World};

use super::{FILE, desk, line_of};

#[test]
fn config_show_prints_each_value_with_its_origin() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("BEDROCK_SSO_REGION", "eu-central-1");
    let outcome = desk.run(["config", "show"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    let lines: Vec<Vec<&str>> = outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["[profiles.claude]"]);
    let client = format!("{FILE}:{}", line_of(&desk, "client_id"));
    let quoted = format!("\"{CLIENT_ID}\"");
    for expected in [
        vec!["client_id", "=", &quoted, "#", &client],
        vec!["region", "=", "\"eu-central-1\"", "#", "BEDROCK_SSO_REGION"],
        vec!["login_timeout", "=", "\"165s\"", "#", "default"],
        vec!["provider", "=", "\"auto\"", "#", "default:", "generic"],
    ] {
        assert!(lines.contains(&expected), "{expected:?} in\n{}", outcome.stdout);
    }
}

#[test]
fn config_show_json_has_a_version_and_the_same_keys() {
    let world = World::new();
    let desk = desk(&world);
    let shown = desk.run(["config", "show"]).expect_code(0).stdout;
    let keys = shown.lines().filter(|line| line.contains(" = ")).count();
    let outcome = desk.run(["config", "show", "--json"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    let document = outcome.document();
    assert_eq!((&document["version"], &document["profile"]), (&json!(1), &json!("claude")));
    assert_eq!(document["files"], json!([desk.config_file()]));
    assert_eq!(document["keys"].as_object().unwrap().len(), keys);
    let expected = json!({"value": CLIENT_ID, "origin": format!("{FILE}:{}", line_of(&desk, "client_id"))});
    assert_eq!(document["keys"]["client_id"], expected);
}

#[test]
fn config_check_confirms_a_valid_file() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["config", "check"]).prints("config check: no problem");
    let other = desk.home().join("other.toml");
    fs::write(&other, world.configuration("")).unwrap();
    let outcome = desk.run(["config", "check", other.to_str().unwrap()]);
    assert!(outcome.stdout.contains("~/other.toml"), "{outcome:?}");
    outcome.prints("config check: no problem");
}

#[test]
fn config_check_lists_every_problem() {
    let world = World::new();
    let desk = desk(&world);
    desk.replace_in_config("region = \"us-east-1\"", "regoin = \"us-east-1\"\nlogin = \"never\"\nlogin_timeout = 5");
    let outcome = desk.run(["config", "check"]).expect_code(3);
    assert_eq!(outcome.stdout, "");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 6, "{}", outcome.stderr);
    let expected = [("regoin", "\"regoin\""), ("login =", "\"login\""), ("login_timeout =", "\"login_timeout\"")];
    let expected = expected.into_iter().chain([("[profiles.claude]", "\"region\"")]);
    for (line, (beginning, key)) in lines.iter().zip(expected) {
        let place = format!("{FILE}:{}: ", line_of(&desk, beginning));
        assert!(line.starts_with(&place) && line.contains(key), "{place} {key}: {line}");
    }
    assert!(lines[4].contains(lines[0]) && lines[4].ends_with("[config/unknown_key]"), "{}", lines[4]);
    desk.expect_wording("output", "config check: four problems", &outcome.stderr);
}

#[test]
fn config_schema_needs_no_configuration() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure("not TOML [");
    let outcome = desk.run(["config", "schema"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    let schema: Value = outcome.document();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(outcome.stdout.contains("\"login_timeout\"") && outcome.stdout.ends_with("}\n"));
}

#[test]
fn config_path_lists_present_and_absent_files() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["config", "path"]).expect_code(0);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!((lines.len(), outcome.stderr.as_str()), (2, ""));
    assert_eq!(lines[1], format!("{}  (present)", desk.config_file().display()));
    let absent = desk.run(["config", "path", "--config", "/no/such/file"]).expect_code(0).stdout;
    assert_eq!(absent.lines().last(), Some("/no/such/file  (absent)"));
}

/// The settings of a repository can set the variable, but must not replace the file of the user.
#[cfg(target_os = "linux")]
#[test]
fn user_file_is_not_hidden_by_xdg_config_home() {
    let world = World::new();
    let desk = desk(&world);
    let elsewhere = desk.home().join("repository");
    fs::create_dir_all(elsewhere.join("bedrock-sso")).unwrap();
    let planted = fs::read_to_string(desk.config_file()).unwrap().replace("demo-client", "planted");
    fs::write(elsewhere.join("bedrock-sso/config.toml"), planted).unwrap();
    desk.set_variable("XDG_CONFIG_HOME", &elsewhere);
    let shown = desk.run(["config", "show", "--json"]).document();
    assert_eq!(shown["keys"]["client_id"]["value"], "demo-client");
    fs::remove_file(desk.config_file()).unwrap();
    let shown = desk.run(["config", "show", "--json"]).document();
    assert_eq!(shown["keys"]["client_id"]["value"], "planted", "without a file in the home, the variable is used");
}
