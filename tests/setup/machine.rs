//! The administrator's file on a machine with several users, in an `/etc` that only the program sees.
//!
//! Only root can provide that `/etc`, so `cargo test` ignores these tests. `.ci/run administrator` runs them.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::PathBuf,
    process::Command,
};

use serde_json::json;
use testworld::{Desk, Endpoint, Knob, Outcome, STORAGE_QUESTION, World};

use super::{desk, snapshot};

/// A home whose configuration has become the administrator's file.
struct Machine<'d> {
    desk: &'d Desk<'d>,
    etc: tempfile::TempDir,
}

impl<'d> Machine<'d> {
    /// Moves the configuration of the home to the administrator's file, and adds these lines to the profile.
    fn of(desk: &'d Desk<'d>, more: &str) -> Self {
        let etc = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg("/etc/.").arg(etc.path()).status().unwrap();
        assert!(copied.success());
        let machine = Self { desk, etc };
        fs::create_dir_all(machine.file().parent().unwrap()).unwrap();
        fs::copy(desk.config_file(), machine.file()).unwrap();
        fs::remove_file(desk.config_file()).unwrap();
        let text = fs::read_to_string(machine.file()).unwrap();
        fs::write(machine.file(), text.replacen("issuer", &format!("{more}\nissuer"), 1)).unwrap();
        fs::set_permissions(machine.file(), fs::Permissions::from_mode(0o644)).unwrap();
        machine
    }

    fn file(&self) -> PathBuf {
        self.etc.path().join("bedrock-sso/config.toml")
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.run_by("exec", words)
    }

    /// Runs the program; `starts` is the shell command that starts it.
    fn run_by(&self, starts: &str, words: &[&str]) -> Outcome {
        let inside = &format!("mount --bind \"$0\" /etc && {starts} \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", inside]).arg(self.etc.path());
        let program = self.desk.command();
        command.arg(program.get_program()).args(words).env_clear().current_dir(self.desk.home());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env_remove("BEDROCK_SSO_CONFIG");
        self.desk.start_command(command).finish()
    }
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn login_adds_the_aws_profile_once_per_user() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\"");
    desk.write(".aws/config", "# mine\r\n[default]\r\nregion = eu-west-1");
    let before = desk.read(".aws/config");
    machine.run(&["credentials"]).expect_code(0);
    assert_eq!(desk.read(".aws/config"), before, "`credentials` edits no file");

    let file = desk.home().join(".aws/config");
    let first = machine.run(&["login"]).expect_code(0);
    let added = first.stdout.lines().last().unwrap();
    assert!(added.contains("'work'") && added.contains(&file.display().to_string()), "{}", first.stdout);
    assert_eq!(first.stderr, "");
    let program = desk.program().display();
    assert_eq!(
        desk.read(".aws/config"),
        format!(
            "{before}\r\n\r\n[profile work]\r\ncredential_process = \"{program}\" credentials --profile claude\r\nregion = us-east-1\r\n"
        )
    );
    assert_eq!(machine.run(&["login"]).expect_code(0).stdout.lines().count(), 1);

    let removed = machine.run(&["setup", "--remove", "--yes"]).expect_code(0);
    assert_eq!((removed.stderr.lines().count(), desk.read(".aws/config")), (1, before.clone()));
    assert_eq!(machine.run(&["login"]).expect_code(0).stdout.lines().count(), 1);
    assert_eq!(desk.read(".aws/config"), before, "a removed AWS profile is not added again");
    machine.run(&["logout", "--all"]).expect_code(0);
    let is_left = |path: &PathBuf| path.display().to_string().contains("given-aws-profiles");
    let left: Vec<_> = snapshot(&desk).into_iter().filter(|(path, _)| is_left(path)).collect();
    assert_eq!(left, []);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn aws_profile_is_added_by_one_login_at_a_time() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\"");
    let lock = fs::File::create(desk.write(".local/share/bedrock-sso/given-aws-profiles.lock", "")).unwrap();
    fs::set_permissions(desk.data(), fs::Permissions::from_mode(0o700)).unwrap();
    lock.lock().unwrap();
    let login = machine.run(&["login"]).expect_code(0);
    assert!(login.stderr.contains("'work'") && login.stderr.lines().count() == 1, "{login:?}");
    assert!(!desk.home().join(".aws/config").exists());

    // The record that another sign-in wrote while it held the lock is preserved.
    desk.write(".local/share/bedrock-sso/given-aws-profiles", "other\n");
    lock.unlock().unwrap();
    machine.run(&["login"]).expect_code(0);
    assert!(desk.read(".aws/config").contains("[profile work]"));
    assert_eq!(desk.read(".local/share/bedrock-sso/given-aws-profiles"), "other\nwork\n");
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn added_aws_profile_is_reported_even_if_unrecorded() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\"");
    machine.run(&["credentials"]).expect_code(0);
    // A folder blocks the temporary file of the record.
    fs::create_dir_all(desk.data().join("given-aws-profiles.new/x")).unwrap();
    let login = machine.run(&["login"]).expect_code(0);
    let added = login.stdout.lines().last().unwrap();
    assert!(added.contains("'work'") && added.contains(".aws/config"), "{login:?}");
    assert!(desk.read(".aws/config").contains("[profile work]"));
    assert!(login.stderr.starts_with("warning: ") && login.stderr.contains("was added"), "{login:?}");
    assert_eq!(login.stderr.lines().count(), 1, "{login:?}");
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn login_leaves_existing_or_unreadable_aws_config_unchanged() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\"");
    desk.write(".aws/config", "[profile work]\nsso_session = corp\n");
    let login = machine.run(&["login"]).expect_code(0);
    let last = login.stdout.lines().last().unwrap();
    assert!(last.contains("demo@example.com") && login.stderr.is_empty(), "nothing was added: {login:?}");
    assert_eq!(desk.read(".aws/config"), "[profile work]\nsso_session = corp\n");

    let file = desk.home().join(".aws/config");
    fs::write(&file, b"[profile \xff]\n").unwrap();
    let login = machine.run(&["login"]).expect_code(0);
    let line = login.stderr;
    assert!(line.contains("'work'") && line.contains(&file.display().to_string()), "{line}");
    assert_eq!((line.lines().count(), fs::read(&file).unwrap()), (1, b"[profile \xff]\n".to_vec()));
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn unreadable_administrator_folder_is_a_storage_failure() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    // A file blocks the administrator's folder.
    let folder = machine.etc.path().join("bedrock-sso");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    let failed = machine.run(&["setup", "--system", "--remove", "--yes"]).fails_without_golden(10, "storage/files");
    failed.message_has(&["/etc/bedrock-sso/config.toml"]);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn administrator_file_writable_by_others_is_refused() {
    const SOMEBODY: u32 = 1000;
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let file = machine.file();
    let with = |owner, group, mode| {
        chown(&file, Some(owner), Some(group)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        machine.run(&["credentials"])
    };
    let place = "/etc/bedrock-sso/config.toml";
    for (owner, group, mode, who) in
        [(SOMEBODY, 0, 0o644, "user 1000"), (0, 0, 0o646, "every user"), (0, SOMEBODY, 0o664, "group 1000")]
    {
        let failed = with(owner, group, mode).fails_without_golden(3, "config/untrusted");
        failed.message_has(&[place, who]);
        failed.hint_has(&[&format!("`chown root {place}`"), &format!("`chmod go-w {place}`")]);
    }
    for words in [["login"].as_slice(), &["config", "check"], &["setup", "--system", "--remove", "--yes"]] {
        machine.run(words).fails_without_golden(3, "config/untrusted");
    }
    with(0, 0, 0o664).expect_code(0);
    with(0, SOMEBODY, 0o640).expect_code(0);
}

/// In a rootless container every user of the host has the same number, so root of the host cannot be recognised.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn rootless_container_explains_a_file_owned_outside() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    // The user who starts the container is root in it, and no other user exists.
    let in_container = || machine.run_by("exec unshare --user --map-root-user", &["credentials"]);
    in_container().expect_code(0);
    for outsider in [1, 1000, 65534] {
        chown(machine.file(), Some(outsider), Some(0)).unwrap();
        let failed = in_container().fails_without_golden(3, "config/untrusted");
        failed.message_has(&["/etc/bedrock-sso/config.toml", "container"]);
        failed.hint_has(&["/etc/bedrock-sso/config.toml"]);
    }
    // Outside a container this number belongs to an ordinary user.
    machine.run(&["credentials"]).fails_without_golden(3, "config/untrusted").message_has(&["user 65534"]);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn flags_cannot_override_enforced_keys() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "flow = \"browser\"");
    let text = fs::read_to_string(machine.file()).unwrap();
    fs::write(machine.file(), format!("enforce = [\"flow\"]\n{text}")).unwrap();
    let failed = machine.run(&["login", "--device"]).fails_without_golden(3, "config/enforced");
    failed.message_has(&["--device", "\"flow\"", "\"browser\"", "/etc/bedrock-sso/config.toml:"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
    machine.run(&["login"]).expect_code(0);
}

/// Otherwise root would overwrite any file to which the user makes a link.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn setup_writes_no_policy_into_a_folder_of_another_user() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let (folder, victim) = (machine.etc.path().join("claude-code"), desk.home().join("victim"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&victim, "{}").unwrap();
    std::os::unix::fs::symlink(&victim, folder.join("managed-settings.json")).unwrap();
    chown(&folder, Some(1000), None).unwrap();
    let failed = machine.run(&["setup", "--system", "--yes"]).fails_without_golden(3, "config/untrusted");
    failed.message_has(&["/etc/claude-code"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "{}");
}

/// Otherwise a user who plants a record could make root write any file.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn setup_record_owned_by_another_user_is_refused() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let (record, victim) = (machine.file().with_file_name("setup.json"), desk.home().join("victim"));
    fs::write(&victim, "mine").unwrap();
    let planted = serde_json::json!({ "version": 1, "folders": [], "files": [{
        "path": victim, "kind": "configuration", "before": "theirs", "wrote": "mine", "folders": [],
    }] });
    fs::write(&record, planted.to_string()).unwrap();
    chown(&record, Some(1000), Some(1000)).unwrap();
    let failed = machine.run(&["setup", "--system", "--remove", "--yes"]).fails_without_golden(3, "config/untrusted");
    failed.message_has(&["/etc/bedrock-sso/setup.json", "user 1000"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
}

/// Managed settings make Claude Code of every user sign in to a gateway.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn doctor_reports_a_gateway_in_managed_settings() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let folder = machine.etc.path().join("claude-code");
    fs::create_dir_all(&folder).unwrap();
    let check = |settings: serde_json::Value| {
        fs::write(folder.join("managed-settings.json"), settings.to_string()).unwrap();
        let checks = machine.run(&["doctor", "--json"]).document()["checks"].clone();
        checks.as_array().unwrap().iter().find(|check| check["name"] == "gateway").unwrap().clone()
    };
    for (key, value) in [("forceLoginMethod", "gateway"), ("forceLoginGatewayUrl", "https://gateway.example")] {
        let found = check(json!({ key: value }));
        let message = found["message"].as_str().unwrap();
        assert_eq!(found["result"], "bad", "{found}");
        assert!(message.contains(key) && message.contains("/etc/claude-code/managed-settings.json"), "{found}");
    }
    assert_eq!(check(json!({ "forceLoginMethod": "claudeai" }))["result"], "ok");
}

/// Neither the keyring of root nor a sign-in of root is of use to the users.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn system_wizard_offers_root_no_sign_in_and_no_key_file() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    fs::remove_dir_all(machine.file().parent().unwrap()).unwrap();
    let answers = [&world.issuer(), testworld::CLIENT_ID, testworld::ROLE_ARN, "", "", "y", "y"];
    desk.set_variable("ANSWERS", answers.join("\n"));
    let terminal = r#"printf '%s\n' "$ANSWERS" | script -qec "'$1' setup --system" /dev/null; :"#;
    let shown = machine.run_by(terminal, &[]).stdout;
    assert!(shown.contains("Done.") && machine.file().exists(), "{shown}");
    assert!(!shown.contains("Sign in now?") && !shown.contains(STORAGE_QUESTION), "{shown}");
    assert!(shown.contains("Done. Each user signs in with `bedrock-sso login`"), "{shown}");
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn system_setup_copies_a_complete_file_unchanged() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\" # for everybody");
    let text = format!("# ours\r\nenforce = [\"issuer\", \"quota\"]\n{}", fs::read_to_string(machine.file()).unwrap());
    fs::remove_dir_all(machine.file().parent().unwrap()).unwrap();
    desk.set_variable("BEDROCK_SSO_REGION", "eu-north-1");
    for (flag, name) in [("--from", "complete.toml"), ("--config", "complete")] {
        desk.write(name, &text);
        let words = ["setup", "--system", "--yes", flag, name];
        let said = machine.run(&words).expect_code(0);
        assert!(said.stdout.starts_with("/etc/bedrock-sso/config.toml (new)\n  + # ours\n  + enforce = "), "{said:?}");
        assert_eq!(fs::read_to_string(machine.file()).unwrap(), text);
        let mode = fs::metadata(machine.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "every user reads it");
        let policy = fs::read_to_string(machine.etc.path().join("claude-code/managed-settings.json")).unwrap();
        assert!(policy.contains("us-east-1") && !policy.contains("eu-north-1"), "{policy}");
        assert_eq!(machine.run(&words).expect_code(0).stdout, "", "the second run changes nothing");

        desk.write(name, &text.replace("us-east-1", "us-west-2"));
        let failed = machine.run(&words).fails_without_golden(3, "config/enforce");
        failed.message_has(&[":2: ", "\"enforce\""]);
        assert_eq!(fs::read_to_string(machine.file()).unwrap(), text, "the existing file is not overwritten");

        machine.run(&["setup", "--system", "--remove", "--yes"]).expect_code(0);
        assert!(!machine.file().exists() && !machine.etc.path().join("claude-code").exists());
    }
    desk.unset_variable("BEDROCK_SSO_REGION");
}

/// The file of one user is not a layer of the configuration for all users.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn system_setup_adds_a_profile_from_a_named_file() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let before = fs::read_to_string(machine.file()).unwrap();
    let other = before.replace("[profiles.claude]", "[profiles.second]").replace("us-east-1", "us-west-2");
    desk.write("other.toml", &other.replace("issuer", "aws_profile = \"second\"\nissuer"));
    machine.run(&["setup", "--system", "--yes", "--config", "other.toml"]).expect_code(0);
    let after = fs::read_to_string(machine.file()).unwrap();
    let added = after.strip_prefix(&before).expect("the existing text is preserved");
    assert!(added.contains("[profiles.second]\naws_profile = \"second\"\n"), "{added}");
    let missing = machine.run(&["setup", "--system", "--yes", "--config", "absent.toml"]);
    missing.fails_without_golden(3, "setup/source").message_has(&["absent.toml"]);
}

/// On macOS `sudo` does not change `HOME`, so the program could find the administrator's own configuration.
#[test]
#[ignore = "needs root: .ci/run administrator"]
fn system_policy_ignores_the_administrators_own_settings() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    desk.configure("version = 1\n[profiles.claude.claude_code]\nmodels = { opus = \"the-administrators-own\" }\n");
    desk.set_variable("BEDROCK_SSO_REGION", "eu-north-1");
    machine.run(&["setup", "--system", "--yes"]).expect_code(0);
    let policy = fs::read_to_string(machine.etc.path().join("claude-code/managed-settings.json")).unwrap();
    assert!(policy.contains("us-east-1") && !policy.contains("eu-north-1"), "{policy}");
    assert!(!policy.contains("the-administrators-own"), "{policy}");
    machine.run(&["setup", "--system", "--remove", "--yes"]).expect_code(0);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn system_setup_removal_restores_managed_settings() {
    let world = World::new();
    let desk = desk(&world);
    let machine = Machine::of(&desk, "aws_profile = \"work\"");
    let managed = machine.etc.path().join("claude-code/managed-settings.json");
    fs::create_dir_all(managed.parent().unwrap()).unwrap();
    let before =
        "{\n  // ours\n  \"env\": {\"AWS_CONFIG_FILE\": \"/srv/aws\", \"EDITOR\": \"vi\"},\n  \"model\": \"x\"\n}\n";
    fs::write(&managed, before).unwrap();
    let said = machine.run(&["setup", "--system", "--yes"]).expect_code(0).stdout;
    assert!(said.contains("  - env.AWS_CONFIG_FILE = \"/srv/aws\"\n"), "{said}");
    let pinned = fs::read_to_string(&managed).unwrap();
    for pin in ["\"AWS_CONFIG_FILE\": \"~/.aws/config\"", "\"AWS_PROFILE\": \"work\"", "\"BEDROCK_SSO_CONFIG\": \"\""] {
        assert!(pinned.contains(pin), "{pin}: {pinned}");
    }
    assert_eq!(
        machine.run(&["setup", "--system", "--yes"]).expect_code(0).stdout,
        "",
        "the second run changes nothing"
    );
    machine.run(&["setup", "--system", "--remove", "--yes"]).expect_code(0);
    assert_eq!(fs::read_to_string(&managed).unwrap(), before);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn administrator_can_move_the_quota_endpoint_without_consent() {
    let (world, moved) = (World::new(), World::new());
    let desk = desk(&world);
    let machine = Machine::of(&desk, &format!("quota.endpoint = {}", json!(world.quota_endpoint())));
    machine.run(&["credentials"]).expect_code(0);
    let text = fs::read_to_string(machine.file()).unwrap();
    fs::write(machine.file(), text.replace(&world.quota_endpoint(), &moved.quota_endpoint())).unwrap();
    // The approval of the former service expires with the credentials.
    world.set(Knob::CredentialLifetime, 60);
    machine.run(&["login", "--force"]).expect_code(0);
    machine.run(&["credentials"]).expect_code(0);
    assert!(moved.count(Endpoint::Quota) > 0);
}

#[test]
#[ignore = "needs root: .ci/run administrator"]
fn enforced_keys_apply_to_every_profile() {
    let (world, stranger) = (World::new(), World::new());
    let desk = desk(&world);
    let machine = Machine::of(&desk, "");
    let text = fs::read_to_string(machine.file()).unwrap();
    let keys = r#"["issuer", "client_id", "role_arn", "region", "sts_endpoint", "quota", "telemetry", "storage", "ca_bundle"]"#;
    fs::write(machine.file(), text.replacen("version = 1", &format!("version = 1\nenforce = {keys}"), 1)).unwrap();
    machine.run(&["credentials"]).expect_code(0);
    let planted = text.replace("[profiles.claude]", "[profiles.other]");
    let planted = planted.replace(&world.sts_endpoint(), &stranger.sts_endpoint());
    let planted = planted.replacen("version = 1", "version = 1\ntrust_environment = true", 1);
    fs::write(desk.config_file(), planted).unwrap();
    for words in [&["credentials", "--profile", "other"][..], &["login", "--profile", "other"]] {
        let refused = machine.run(words);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(3), ""), "{refused:?}");
        assert!(refused.stderr.contains("[config/enforced]"), "{refused:?}");
    }
    for (variable, value) in [
        ("BEDROCK_SSO_STS_ENDPOINT", stranger.sts_endpoint()),
        ("BEDROCK_SSO_QUOTA_ENDPOINT", stranger.quota_endpoint()),
        ("BEDROCK_SSO_ISSUER", stranger.issuer()),
        ("AWS_ENDPOINT_URL", stranger.sts_endpoint()),
    ] {
        desk.set_variable(variable, &value);
        for words in [&["credentials"][..], &["login"], &["export"], &["login", "--force"]] {
            machine.run(words);
        }
        desk.unset_variable(variable);
    }
    assert_eq!(stranger.ledger().total(), 0);
}
