//! `setup` with several roles: one profile for each, shared keys in `[defaults]`, and removal.

use std::fs;

use testworld::{Desk, Endpoint, Outcome, World};

use super::{browser, desk, snapshot};

const DEV: &str = "arn:aws:iam::111111111111:role/Dev";
const OPS: &str = "arn:aws:iam::222222222222:role/team/Ops";
const AUDIT: &str = "arn:aws:iam::333333333333:role/Audit";

/// The values that all roles share.
const SHARED: [&str; 6] = ["--issuer", "https://acme.okta.com", "--client-id", "0oa", "--region", "us-east-1"];

/// A home without a configuration.
fn desk_without_configuration(world: &World) -> Desk<'_> {
    let desk = desk(world);
    fs::remove_file(desk.config_file()).unwrap();
    desk
}

fn set_up(desk: &Desk<'_>, roles: &[&str], more: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(["setup", "--yes"]).args(more).args(roles.iter().flat_map(|role| ["--role-arn", role]));
    desk.start_command(command).finish()
}

fn configuration(desk: &Desk<'_>) -> String {
    fs::read_to_string(desk.config_file()).unwrap()
}

#[test]
fn setup_with_several_roles_shares_one_defaults_table() {
    let world = World::new();
    let desk = desk(&world);
    let browser = format!("browser={}", browser(&desk));
    fs::remove_file(desk.config_file()).unwrap();
    let (issuer, endpoint) = (world.issuer(), format!("sts_endpoint={}", world.sts_endpoint()));
    let second = testworld::ROLE_ARN.replace("123456789012", "222222222222");
    let shared = [
        "--issuer",
        &issuer,
        "--client-id",
        testworld::CLIENT_ID,
        "--region",
        "us-east-1",
        "--set",
        &endpoint,
        "--set",
        &browser,
        "--set",
        "storage=file",
    ];
    let applied = set_up(&desk, &[testworld::ROLE_ARN, &second], &shared).expect_code(0);
    desk.expect_wording("output", "setup: applied for two roles", &applied.stderr);
    let written = configuration(&desk);
    assert!(
        written.starts_with("version = 1\ndefault_profile = \"123456789012-BedrockUser\"\n\n[defaults]\n"),
        "{written}"
    );
    let tables = format!(
        "\n\n[profiles.123456789012-BedrockUser]\nrole_arn = \"{}\"\n\n[profiles.222222222222-BedrockUser]\nrole_arn = \"{second}\"\n",
        testworld::ROLE_ARN
    );
    assert!(written.ends_with(&tables), "{written}");
    desk.run(["config", "check"]).expect_code(0);
    let aws = desk.read(".aws/config");
    for name in ["123456789012-BedrockUser", "222222222222-BedrockUser"] {
        assert!(aws.contains(&format!("[profile {name}]\ncredential_process = ")), "{aws}");
        assert!(aws.contains(&format!(" credentials --profile {name}\n")), "{aws}");
    }
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"123456789012-BedrockUser\""));
    assert!(desk.run(["login"]).expect_code(0).stdout.contains("demo@example.com"));
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(world.ledger().count(Endpoint::Authorize), 1);
}

#[test]
fn setup_rerun_adds_only_the_new_role() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let before = snapshot(&desk);
    set_up(&desk, &[DEV, OPS], &SHARED).expect_code(0);
    let first = configuration(&desk);
    let between = snapshot(&desk);
    set_up(&desk, &[DEV, OPS], &SHARED).prints("setup: nothing to do");
    assert_eq!(snapshot(&desk), between);
    let settings = desk.read(".claude/settings.json");
    let added = set_up(&desk, &[DEV, OPS, AUDIT], &SHARED).expect_code(0);
    let table = format!("[profiles.333333333333-Audit]\nrole_arn = \"{AUDIT}\"\n");
    assert_eq!(configuration(&desk), format!("{first}\n{table}"));
    let shown = added.stdout.split(".aws/config").next().unwrap();
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(lines, table.lines().map(|line| format!("  + {line}")).collect::<Vec<_>>());
    assert_eq!(desk.read(".claude/settings.json"), settings);
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_adds_one_role_with_a_name_template() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    set_up(&desk, &[DEV, OPS], &SHARED).expect_code(0);
    let first = configuration(&desk);
    set_up(&desk, &[AUDIT], &["--profile-name-template", "{role}"]).expect_code(0);
    assert_eq!(configuration(&desk), format!("{first}\n[profiles.Audit]\nrole_arn = \"{AUDIT}\"\n"));
    desk.run(["config", "show", "--profile", "Audit"]).expect_code(0);
}

#[test]
fn setup_removal_preserves_later_edits_of_the_user() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    desk.write(".aws/config", "[default]\nregion = eu-west-1\n");
    set_up(&desk, &[DEV, OPS], &SHARED).expect_code(0);
    set_up(&desk, &[AUDIT], &["--profile-name-template", "{role}"]).expect_code(0);
    let own = "\n[profile mine]\nregion = eu-west-3\n";
    let aws = desk.read(".aws/config") + own;
    desk.write(".aws/config", &aws);
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert_eq!(desk.read(".aws/config"), format!("[default]\nregion = eu-west-1\n{own}"));
}

#[test]
fn setup_profile_flag_selects_the_default_profile() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--profile", "222222222222-Ops"]].concat()).expect_code(0);
    assert!(configuration(&desk).contains("default_profile = \"222222222222-Ops\"\n"));
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"222222222222-Ops\""));
    // A later run without `--profile` does not change the default profile.
    set_up(&desk, &[DEV, OPS, AUDIT], &SHARED).expect_code(0);
    assert!(configuration(&desk).contains("default_profile = \"222222222222-Ops\"\n"));
    // A run with `--profile` changes that line and no other.
    let before = configuration(&desk);
    set_up(&desk, &[DEV, OPS, AUDIT], &[&SHARED[..], &["--profile", "111111111111-Dev"]].concat()).expect_code(0);
    let expected = before.replace("default_profile = \"222222222222-Ops\"", "default_profile = \"111111111111-Dev\"");
    assert_eq!(configuration(&desk), expected);
    let unknown = set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--profile", "nobody"]].concat());
    unknown.fails(2, "setup/default_profile").hint_has(&["111111111111-Dev", "222222222222-Ops"]);
}

/// The existing profile had no `[defaults]`. Its effective values must not change, and it must stay the default.
#[test]
fn setup_roles_leave_an_existing_profile_as_default() {
    let world = World::new();
    let desk = desk(&world);
    let before = configuration(&desk);
    let shown =
        |desk: &Desk<'_>| desk.run(["config", "show", "--json", "--profile", "claude"]).document()["keys"].clone();
    let value = |keys: &serde_json::Value| -> Vec<serde_json::Value> {
        keys.as_object().unwrap().values().map(|key| key["value"].clone()).collect()
    };
    let keys = shown(&desk);
    let more = [&SHARED[..], &["--set", "login_timeout=60s"]].concat();
    let applied = set_up(&desk, &[DEV, OPS], &more).expect_code(0);
    assert!(applied.stderr.contains("default profile is claude."), "{}", applied.stderr);
    assert_eq!(value(&shown(&desk)), value(&keys));
    let after = configuration(&desk);
    let with_default = before.replacen("version = 1\n", "version = 1\ndefault_profile = \"claude\"\n", 1);
    let added = after.strip_prefix(&with_default).unwrap_or_else(|| panic!("{after}"));
    let (defaults, profiles) = added.split_once("\n[profiles.").unwrap();
    assert!(defaults.starts_with("\n[defaults]\nissuer = "), "{added}");
    assert!(!defaults.contains("login_timeout") && profiles.matches("login_timeout = \"60s\"").count() == 2, "{added}");
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"claude\""));
}

#[test]
fn setup_writes_keys_that_differ_from_defaults_per_role() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    set_up(&desk, &[DEV, OPS], &SHARED).expect_code(0);
    let first = configuration(&desk);
    let other = ["--issuer", "https://acme.okta.com", "--client-id", "0oa", "--region", "eu-west-1"];
    let more = [&other[..], &["--profile-name-template", "{role}"]].concat();
    set_up(&desk, &[AUDIT], &more).expect_code(0);
    let table = format!("[profiles.Audit]\nrole_arn = \"{AUDIT}\"\nregion = \"eu-west-1\"\n");
    assert_eq!(configuration(&desk), format!("{first}\n{table}"));
}

#[test]
fn setup_rejects_ambiguous_roles_before_writing() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let before = snapshot(&desk);
    let same = "arn:aws:iam::222222222222:role/Dev";
    let collision = set_up(&desk, &[DEV, same], &[&SHARED[..], &["--profile-name-template", "{role}"]].concat());
    collision.fails(2, "setup/profile_names").message_has(&["'Dev'", DEV, same]).hint_has(&["--profile-name-template"]);
    set_up(&desk, &[DEV, DEV], &SHARED).fails(2, "setup/profile_names");
    let template = set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--profile-name-template", "{name}"]].concat());
    template.fails_without_golden(2, "usage/wrong_value");
    let one = set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--aws-profile", "work"]].concat());
    one.fails(2, "setup/aws_profile_name").hint_has(&["--aws-profile"]);
    set_up(&desk, &[DEV, "no role"], &SHARED).fails(3, "config/illegal").message_has(&["--role-arn", "no role"]);
    let foreign = "arn:aws-cn:iam::333333333333:role/Dev";
    set_up(&desk, &[DEV, foreign], &SHARED).fails(3, "config/partition");
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_does_not_overwrite_a_different_role_profile() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    set_up(&desk, &[DEV, OPS], &SHARED).expect_code(0);
    let before = snapshot(&desk);
    let more = ["--region", "eu-west-1"];
    set_up(&desk, &[DEV, OPS], &more).fails(3, "setup/differs").message_has(&["'111111111111-Dev'"]);
    assert_eq!(snapshot(&desk), before);
}

/// With `--config`, the commands that other programs run name the file, too.
#[test]
fn setup_writes_several_roles_to_a_named_file() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let file = desk.home().join("own.toml");
    let more = [&SHARED[..], &["--config", file.to_str().unwrap()]].concat();
    set_up(&desk, &[DEV, OPS], &more).expect_code(0);
    assert!(fs::read_to_string(&file).unwrap().contains("[profiles.222222222222-Ops]"));
    assert!(!desk.config_file().exists());
    assert!(desk.read(".aws/config").contains(&format!("--profile 222222222222-Ops --config \"{}\"", file.display())));
    // A single role can be added to that file.
    set_up(&desk, &[AUDIT], &[&more[..], &["--profile", "audit"]].concat()).expect_code(0);
    assert!(fs::read_to_string(&file).unwrap().contains("[profiles.audit]"));
}

#[test]
fn setup_from_file_shares_its_defaults_among_roles() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    desk.write(
        "acme.toml",
        "version = 1\n[defaults]\nissuer = \"https://acme.okta.com\"\nclient_id = \"0oa\"\nregion = \"us-west-2\"\n\
         [profiles.acme]\nrole_arn = \"arn:aws:iam::999999999999:role/Old\"\nregion = \"us-east-1\"\n",
    );
    let file = desk.home().join("acme.toml");
    set_up(&desk, &[DEV, OPS], &["--from", file.to_str().unwrap()]).expect_code(0);
    let written = configuration(&desk);
    let defaults = "[defaults]\nclient_id = \"0oa\"\nissuer = \"https://acme.okta.com\"\nregion = \"us-east-1\"\n";
    assert!(written.contains(defaults) && !written.contains("Old"), "{written}");
    // A file that has only `[defaults]` gets its roles from the command line.
    let text = desk.read("acme.toml");
    desk.write("shared.toml", text.split_once("[profiles").unwrap().0);
    fs::remove_file(desk.config_file()).unwrap();
    let shared = desk.home().join("shared.toml");
    set_up(&desk, &[DEV, OPS], &["--from", shared.to_str().unwrap()]).expect_code(0);
    assert!(configuration(&desk).contains("region = \"us-west-2\"\n\n[profiles.111111111111-Dev]\n"));
    // A single role replaces the role of the file, and the profile has the name from the file.
    fs::remove_file(desk.config_file()).unwrap();
    set_up(&desk, &[DEV], &["--from", file.to_str().unwrap()]).expect_code(0);
    let expected = format!(
        "version = 1\n\n[profiles.acme]\nclient_id = \"0oa\"\nissuer = \"https://acme.okta.com\"\nregion = \"us-east-1\"\nrole_arn = \"{DEV}\"\n"
    );
    assert_eq!(configuration(&desk), expected);
}

#[test]
fn fleet_gives_each_role_an_aws_profile() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let folder = desk.home().join("fleet");
    set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--fleet", folder.to_str().unwrap()]].concat()).expect_code(0);
    let file = folder.join("config.toml");
    let written = fs::read_to_string(&file).unwrap();
    for name in ["111111111111-Dev", "222222222222-Ops"] {
        assert!(written.contains(&format!("aws_profile = \"{name}\"\n")), "{written}");
    }
    assert!(written.starts_with("version = 1\ndefault_profile = \"111111111111-Dev\"\n\n[defaults]\n"), "{written}");
    desk.run(["config", "check", file.to_str().unwrap()]).expect_code(0);
    let policy = fs::read_to_string(folder.join("linux/managed-settings.json")).unwrap();
    assert!(policy.contains("login --profile 111111111111-Dev"), "{policy}");
}

#[test]
fn system_setup_writes_several_roles() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let shown = set_up(&desk, &[DEV, OPS], &[&SHARED[..], &["--system", "--dry-run"]].concat()).expect_code(0).stdout;
    for line in ["default_profile = \"111111111111-Dev\"", "[defaults]", "[profiles.222222222222-Ops]"] {
        assert!(shown.contains(&format!("  + {line}\n")), "{shown}");
    }
    assert!(shown.contains("export --profile 111111111111-Dev\"\n") && !shown.contains("[profile "), "{shown}");
}
