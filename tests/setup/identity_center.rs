//! `setup` for IAM Identity Center: the flags, and the choice of an account and a permission set after a sign-in.

use std::fs;

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, World};

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

/// The flags of a profile whose account and permission set are still open.
fn open_flags(world: &World, keys: &[String]) -> Vec<String> {
    let start = ["--start-url".to_owned(), world.start_url(), "--sso-region".to_owned(), "us-east-1".to_owned()];
    start.into_iter().chain(keys.iter().cloned()).collect()
}

/// How many sign-ins, pages of accounts and role requests the world has seen.
fn counts(world: &World) -> [usize; 3] {
    world.counts([Endpoint::PortalAuthorize, Endpoint::PortalAccounts, Endpoint::RoleCredentials])
}

fn assert_is_set_up(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stderr.lines().last()), (Some(0), Some("Everything is already set up.")));
}

fn assert_no_draft_is_left(desk: &Desk<'_>) {
    let names = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.collect();
    assert!(!names.iter().any(|name| name.contains("draft")), "{names:?}");
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
    let failed = set_up(&desk, &fleet).fails(3, "setup/no_facts");
    failed.message_has(&["needs --permission-set"]).hint_has(&["pass --permission-set"]);
    let without_region = [&["--start-url", START_URL][..], &ASSIGNED].concat();
    set_up(&desk, &without_region).fails(3, "setup/no_facts").message_has(&["needs --region"]);
    set_up(&desk, &["--start-url", START_URL, "--issuer", "https://x"]).fails(2, "usage/wrong_value");
    assert_eq!((snapshot(&desk), world.ledger().total()), (before, 0));
}

#[cfg(target_os = "linux")]
mod terminal {
    use serde_json::Value;
    use testworld::{AtTerminal, Streams, wait_until};

    use super::{
        super::wizard::{CTRL_D, run_in_terminal, verdicts},
        *,
    };

    #[test]
    fn user_chooses_an_assignment_after_one_sign_in() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        let (code, shown) = run_in_terminal(&desk, &open_flags(&world, &keys), &["nowhere", "sandbox", "2", "y"]);
        assert_eq!(code, Some(0), "{shown}");
        desk.expect_wording("output", "setup: an assignment is chosen", &verdicts(&shown));
        assert!(shown.contains("  1  123456789012  Acme Sandbox  aws+sandbox@example.com\n"), "{shown}");
        let written = configuration(&desk);
        assert!(written.ends_with("account_id = \"123456789012\"\npermission_set = \"ReadOnly\"\n"), "{written}");
        assert!(desk.page().unwrap().contains("return to your terminal to continue"));
        assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
        assert_eq!(counts(&world), [1, 1, 1], "one sign-in serves the list and the credentials");
        assert_no_draft_is_left(&desk);
    }

    #[test]
    fn user_chooses_from_several_pages_of_foreign_names() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        let account = |number: usize| {
            let name = format!("\u{1b}]0;evil\u{7}team {number}\nx");
            json!({ "account_id": format!("{number:012}"), "name": name, "email": "a@\u{202e}b", "roles": ["Dev"] })
        };
        world.set(Knob::Assignments, (1..=230).map(account).collect::<Value>());
        let (code, shown) = run_in_terminal(&desk, &open_flags(&world, &keys), &["team 22", "227", "y"]);
        assert_eq!(code, Some(0), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert!(shown.contains("  and 210 more\n") && shown.contains("\n  227  000000000227  "), "{shown}");
        assert!(configuration(&desk).contains("account_id = \"000000000227\"\n"));
        assert_eq!(counts(&world), [1, 3, 1]);
    }

    #[test]
    fn wizard_recognises_a_start_url() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        let copied = format!("{}/#/", world.start_url());
        let answers = [copied.as_str(), "us-east-1", "eu-west-1", "production", "y"];
        let (code, shown) = run_in_terminal(&desk, &keys, &answers);
        assert_eq!(code, Some(0), "{shown}");
        let verdicts = verdicts(&shown).replace(&world.start_url(), "https://acme.awsapps.com/start");
        desk.expect_wording("output", "setup: the wizard for IAM Identity Center", &verdicts);
        let written = configuration(&desk);
        assert!(written.contains("\nregion = \"eu-west-1\"\n"), "{written}");
        assert!(written.contains(&format!("\nstart_url = \"{}\"\nregion = \"us-east-1\"\n", world.start_url())));
        assert!(written.contains("account_id = \"210987654321\"\npermission_set = \"BedrockUser\"\n"), "{written}");
    }

    #[test]
    fn end_of_input_at_the_list_writes_no_configuration() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        for answers in [&[CTRL_D][..], &["1", CTRL_D], &["1", "1", CTRL_D]] {
            let (code, shown) = run_in_terminal(&desk, &open_flags(&world, &keys), answers);
            assert_eq!((code, desk.config_file().exists()), (Some(130), false), "{shown}");
        }
        assert_eq!(world.ledger().count(Endpoint::PortalAuthorize), 1, "the session is stored");
    }

    fn start_in_terminal<'d, 'w>(desk: &'d Desk<'w>, flags: &[String]) -> AtTerminal<'d, 'w> {
        let arguments: Vec<&str> = std::iter::once("setup").chain(flags.iter().map(String::as_str)).collect();
        desk.at_terminal(Streams::Terminal, &arguments)
    }

    #[test]
    fn ctrl_c_at_the_list_ends_setup() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        let terminal = start_in_terminal(&desk, &open_flags(&world, &keys));
        terminal.shows("Number of the account");
        terminal.types("\x03");
        let seen = terminal.finish();
        assert_eq!((seen.code, desk.config_file().exists()), (Some(130), false), "{seen:?}");
        assert_no_draft_is_left(&desk);
    }

    #[test]
    fn ctrl_c_cancels_a_second_sign_in_of_setup() {
        let world = World::new();
        let (desk, keys) = desk_for_world(&world);
        let flags = open_flags(&world, &keys);
        assert_eq!(run_in_terminal(&desk, &flags, &[CTRL_D]).0, Some(130));
        world.end_portal_sessions();
        desk.person("closes-the-tab");
        let terminal = start_in_terminal(&desk, &flags);
        wait_until("the second sign-in", || desk.tabs() == 2);
        terminal.types("\x03");
        let seen = terminal.finish();
        assert_eq!(seen.code, Some(130), "{seen:?}");
        assert!(seen.shown.contains("[interrupted]"), "{seen:?}");
        assert_no_draft_is_left(&desk);
        desk.settle();
    }
}

#[test]
fn all_roles_get_a_profile_each_with_one_sign_in() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    let mut flags = open_flags(&world, &keys);
    flags.push("--all-roles".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let applied = set_up(&desk, &flags).expect_code(0);
    let written = configuration(&desk);
    assert!(written.starts_with("version = 1\ndefault_profile = \"123456789012-BedrockUser\"\n"), "{written}");
    for name in ["123456789012-BedrockUser", "123456789012-ReadOnly", "210987654321-BedrockUser"] {
        assert!(applied.stdout.contains(&format!("  + [profile {name}]\n")), "{}", applied.stdout);
        desk.run(["credentials", "--profile", name]).expect_code(0);
    }
    assert_eq!(counts(&world), [1, 1, 3]);
    assert_is_set_up(&set_up(&desk, &flags));
    assert_eq!(counts(&world), [1, 2, 3], "the stored session serves the second list");
    assert_no_draft_is_left(&desk);
}

#[test]
fn all_roles_can_be_limited_to_one_permission_set() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    let mut flags = open_flags(&world, &keys);
    flags.extend(["--all-roles", "--permission-set", "ReadOnly"].map(str::to_owned));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    set_up(&desk, &flags).expect_code(0);
    let written = configuration(&desk);
    assert!(written.contains("[profiles.123456789012-ReadOnly.identity_center]\n"), "{written}");
    assert_eq!(written.matches("account_id").count(), 1, "{written}");
}

#[test]
fn ended_session_leads_to_a_new_sign_in_before_the_list() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    let mut flags = open_flags(&world, &keys);
    flags.push("--all-roles".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    set_up(&desk, &flags).expect_code(0);
    world.end_portal_sessions();
    assert_is_set_up(&set_up(&desk, &flags));
    assert_eq!(world.ledger().count(Endpoint::PortalAuthorize), 2);
}

#[test]
fn failed_sign_in_of_setup_names_setup_again() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    desk.person("denies");
    let mut flags = open_flags(&world, &keys);
    flags.push("--all-roles".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let failed = set_up(&desk, &flags).expect_code(5).stderr;
    assert!(failed.contains("[sign-in/access_denied]\n") && failed.contains("run `bedrock-sso setup`"), "{failed}");
}

#[test]
fn failing_list_names_no_placeholder() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    let mut flags = open_flags(&world, &keys);
    flags.push("--all-roles".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    for (status, code, slug) in
        [(403, "ForbiddenException", "aws/no_assignment"), (401, "UnauthorizedException", "aws/session_ended")]
    {
        world.set(Knob::PortalFault, json!(Fault::access_portal(status, code, "No access")));
        let failed = set_up(&desk, &flags).expect_code(7).stderr;
        assert!(failed.contains(slug) && !failed.contains("000000000000") && !failed.contains("login"), "{failed}");
    }
    assert!(!desk.config_file().exists());
}

#[test]
fn all_roles_without_an_assignment_fail() {
    let world = World::new();
    let (desk, keys) = desk_for_world(&world);
    world.set(Knob::Assignments, json!([]));
    let mut flags = open_flags(&world, &keys);
    flags.push("--all-roles".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let limited = [&flags[..], &["--account", "999999999999"]].concat();
    for (flags, place) in [(&flags, "any account"), (&limited, "account 999999999999")] {
        let failed = set_up(&desk, flags).expect_code(7).stderr;
        let message = format!("assigns you no permission set in {place} [aws/no_assignment]\n");
        assert!(failed.contains(&message), "{failed}");
    }
    assert!(!desk.config_file().exists());
}
