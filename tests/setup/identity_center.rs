//! `setup` for IAM Identity Center: the flags, and what they lack without a terminal.

use std::fs;

use testworld::{Desk, Endpoint, Outcome, World};

use super::{PROGRAM, browser, snapshot};

const START_URL: &str = "https://acme.awsapps.com/start";
const ASSIGNED: [&str; 4] = ["--account", "123456789012", "--permission-set", "BedrockUser"];

/// A home without a configuration, and the flags with which a profile reaches the world.
fn desk_for_world(world: &World) -> (Desk<'_>, Vec<String>) {
    let desk = Desk::with_identity_center(world, PROGRAM, "");
    let keys = [
        format!("browser={}", browser(&desk)),
        format!("sts_endpoint={}", world.sts_endpoint()),
        format!("identity_center_endpoint={}", world.identity_center_endpoint()),
        "storage=file".to_owned(),
    ];
    fs::remove_file(desk.config_file()).unwrap();
    let flags = keys.into_iter().flat_map(|key| ["--set".to_owned(), key]);
    (desk, flags.collect())
}

fn set_up(desk: &Desk<'_>, flags: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(["setup", "--yes"]).args(flags);
    desk.start_command(command).finish()
}

fn configuration(desk: &Desk<'_>) -> String {
    fs::read_to_string(desk.config_file()).unwrap()
}

#[test]
fn start_url_flags_create_a_working_configuration() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    let copied = format!("{}/#/", world.start_url());
    let mut flags = vec!["--start-url", &copied, "--sso-region", "us-east-1"];
    flags.extend(ASSIGNED);
    flags.extend(keys.iter().map(String::as_str));
    let applied = set_up(&desk, &flags).expect_code(0);
    desk.expect_wording("output", "setup: applied", &applied.stderr);
    let written = configuration(&desk);
    assert!(written.starts_with("version = 1\n\n[profiles.claude]\nfederation = \"identity-center\"\n"), "{written}");
    let table = format!(
        "\n[profiles.claude.identity_center]\nstart_url = \"{}\"\nregion = \"us-east-1\"\n\
         account_id = \"123456789012\"\npermission_set = \"BedrockUser\"\n",
        world.start_url()
    );
    assert!(written.contains("\nregion = \"us-east-1\"\n") && written.ends_with(&table), "{written}");
    assert!(desk.read(".aws/config").contains("[profile claude]\ncredential_process = "));
    desk.run(["login"]).expect_code(0);
    set_up(&desk, &flags).prints("setup: nothing to do");
    assert_eq!(world.ledger().count(Endpoint::PortalAuthorize), 1);
}

#[test]
fn name_template_is_filled_with_account_and_permission_set() {
    let world = World::new();
    let (desk, _) = desk_for_world(&world);
    let start = ["--start-url", START_URL, "--region", "eu-west-1", "--profile-name-template", "{role}.{account}"];
    set_up(&desk, &[&start[..], &ASSIGNED].concat()).expect_code(0);
    let written = configuration(&desk);
    assert!(written.contains("\n[defaults.identity_center]\nstart_url = "), "{written}");
    let table = "[profiles.\"BedrockUser.123456789012\".identity_center]\naccount_id = \"123456789012\"\n";
    assert!(written.contains(table), "{written}");
    // Another assignment of the same Identity Center needs only its own two flags.
    let other = ["--account", "210987654321", "--permission-set", "Ops", "--profile-name-template", "{role}"];
    set_up(&desk, &other).expect_code(0);
    let added = configuration(&desk);
    let own = "[profiles.Ops.identity_center]\naccount_id = \"210987654321\"\npermission_set = \"Ops\"\n";
    let with_default = written.replacen('\n', "\ndefault_profile = \"BedrockUser.123456789012\"\n", 1);
    assert_eq!(added, format!("{with_default}\n{own}"));
    desk.run(["config", "check"]).expect_code(0);
}

#[test]
fn portal_address_names_the_region() {
    let world = World::new();
    let (desk, _) = desk_for_world(&world);
    let start = ["--start-url", "https://ssoins-1.portal.eu-central-1.app.aws/#"];
    set_up(&desk, &[&start[..], &ASSIGNED].concat()).expect_code(0);
    assert_eq!(configuration(&desk).matches("region = \"eu-central-1\"\n").count(), 2, "{}", configuration(&desk));
}

#[test]
fn start_url_without_a_terminal_lists_the_missing_flags() {
    let world = World::new();
    let (desk, _) = desk_for_world(&world);
    let before = snapshot(&desk);
    let failed = set_up(&desk, &["--start-url", START_URL]).fails(3, "setup/no_facts");
    failed.message_has(&["--account", "--permission-set", "--region"]).hint_has(&["terminal"]);
    let flags = ["--start-url", START_URL, "--sso-region", "us-east-1", "--account", "123456789012"];
    set_up(&desk, &flags).fails(3, "setup/no_facts").message_has(&["needs --permission-set"]);
    let folder = desk.home().join("fleet").display().to_string();
    let fleet = [&flags[..], &["--fleet", &folder]].concat();
    set_up(&desk, &fleet).fails(3, "setup/no_facts").message_has(&["needs --permission-set"]);
    set_up(&desk, &["--start-url", START_URL, "--issuer", "https://x"]).fails(2, "usage/wrong_value");
    assert_eq!((snapshot(&desk), world.ledger().total()), (before, 0));
}
