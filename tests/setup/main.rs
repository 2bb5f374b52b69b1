//! `setup`: the changes that it shows and writes, the commands that hosts then run, and `setup --remove`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, write files and start children")]

mod facts;
#[cfg(target_os = "linux")]
mod first_hour;
mod fleet;
mod hosts;
mod identity_center;
#[cfg(target_os = "linux")]
mod machine;
mod roles;
mod sso_profiles;
#[cfg(target_os = "linux")]
mod wizard;

use std::{
    fs,
    path::{Path, PathBuf},
};

use testworld::{Desk, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");
fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, PROGRAM)
}

/// The value of `browser` in the configuration: the simulated user, as JSON.
fn browser(desk: &Desk<'_>) -> String {
    let shown = desk.run(["config", "show", "--json"]).document();
    shown.pointer("/keys/browser/value").unwrap().to_string()
}

/// Every file of the home with its bytes, and every folder.
fn snapshot(desk: &Desk<'_>) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let bytes = (!path.is_dir()).then(|| fs::read(&path).unwrap());
            if bytes.is_none() {
                walk(&path, found);
            }
            found.push((path, bytes));
        }
    }
    let mut found = Vec::new();
    walk(&desk.home(), &mut found);
    found.sort();
    found
}

#[test]
fn setup_shows_changes_and_writes_only_after_confirmation() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".aws/config", "[default]\nregion = eu-west-1");
    let before = snapshot(&desk);
    let (home, program) = (desk.home(), desk.program().display());
    let home = home.display();
    let shown = format!(
        "{home}/.aws/config\n  + [profile claude]\n  + credential_process = \"{program}\" credentials --profile claude\n  \
         + region = us-east-1\n{home}/.claude/settings.json (new)\n  \
         + awsAuthRefresh = \"\\\"{program}\\\" login --profile claude\"\n  + env.CLAUDE_CODE_USE_BEDROCK = \"1\"\n  \
         + env.AWS_REGION = \"us-east-1\"\n  + env.AWS_PROFILE = \"claude\"\n"
    );
    let asked = desk.run(["setup"]);
    assert_eq!(asked.stdout, shown);
    let failed = asked.ends_with_failure(2, "setup/not_confirmed");
    failed.hint_has(&["--yes", "--dry-run"]);
    let looked = desk.run(["setup", "--dry-run"]).expect_code(0);
    assert_eq!((looked.stdout, looked.stderr), (shown.clone(), String::new()));
    assert_eq!(snapshot(&desk), before);
    let applied = desk.run(["setup", "--yes"]).expect_code(0);
    assert_eq!(applied.stdout, shown);
    desk.expect_wording("output", "setup: applied", &applied.stderr);
}

#[test]
fn setup_is_idempotent_and_removal_restores_every_file() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".aws/config", "# mine\r\n[default]\r\nregion = eu-west-1");
    desk.write(".claude/settings.json", "{\n  // mine\n  \"awsAuthRefresh\": \"aws sso login\"\n}");
    let before = snapshot(&desk);
    desk.run(["setup", "--yes"]).expect_code(0);
    let between = snapshot(&desk);
    let again = desk.run(["setup", "--yes"]).expect_code(0);
    again.prints("setup: nothing to do");
    assert_eq!(snapshot(&desk), between);
    let removed = desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    desk.expect_wording("output", "setup: removed", &removed.stderr);
    assert!(removed.stdout.contains("  + awsAuthRefresh = \"aws sso login\"\n"), "{}", removed.stdout);
    assert_eq!(snapshot(&desk), before);
    desk.run(["setup", "--remove", "--yes"]).prints("setup: nothing to remove");
}

#[test]
fn setup_removal_after_a_manual_restore_deletes_the_record() {
    let world = World::new();
    let desk = desk(&world);
    let before = snapshot(&desk);
    desk.run(["setup", "--yes"]).expect_code(0);
    for folder in [".aws", ".claude"] {
        fs::remove_dir_all(desk.home().join(folder)).unwrap();
    }
    desk.run(["setup", "--remove", "--yes"]).prints("setup: nothing to remove");
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_removal_offers_sign_out_only_when_signed_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.credentials();
    let removed = desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    desk.expect_wording("output", "setup: removed while signed in", &removed.stderr);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.run(["logout", "--all"]).expect_code(0);
    let removed = desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    desk.expect_wording("output", "setup: removed", &removed.stderr);
}

/// `--config` may be relative, and the user may remove from another folder.
#[test]
fn setup_removal_names_the_full_path_of_an_edited_file() {
    let world = World::new();
    let desk = desk(&world);
    let facts = [
        "setup",
        "--yes",
        "--config",
        "mine.toml",
        "--issuer",
        "https://acme.okta.com",
        "--client-id",
        "x",
        "--role-arn",
        testworld::ROLE_ARN,
        "--region",
        "eu-west-1",
    ];
    desk.run(facts).expect_code(0);
    let edited = desk.read("mine.toml") + "# mine\n";
    desk.write("mine.toml", &edited);
    let remove = || {
        let mut command = desk.command();
        command.current_dir("/").args(["setup", "--remove", "--yes"]);
        desk.start_command(command).finish().expect_code(0)
    };
    let removed = remove();
    desk.expect_wording("output", "setup: removed, but not an edited configuration", &removed.stderr);
    assert_eq!(desk.read("mine.toml"), edited);
    remove().prints("setup: nothing to remove");
}

#[test]
fn setup_refuses_an_aws_profile_with_another_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".aws/config", "[profile claude]\nsso_session = corp\n");
    let before = snapshot(&desk);
    let failed = desk.run(["setup", "--yes"]).fails(3, "setup/aws_profile_taken");
    let file = desk.home().join(".aws/config");
    failed.message_has(&[&file.display().to_string(), "'claude'", "sso_session (line 2)"]);
    failed.hint_has(&["--aws-profile"]);
    assert_eq!(snapshot(&desk), before);
    desk.run(["setup", "--yes", "--aws-profile", "claude-sso"]).expect_code(0);
    assert!(desk.read(".aws/config").contains("\n[profile claude-sso]\ncredential_process = \""));
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"claude-sso\""));
}

#[test]
fn setup_leaves_invalid_claude_settings_unchanged() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".claude/settings.json", "{\n  \"model\": \n");
    let before = snapshot(&desk);
    // The JSON parser words the rest of the message.
    let failed = desk.run(["setup", "--yes"]).fails_without_golden(3, "setup/claude_settings");
    failed.message_has(&[".claude/settings.json", "(line 3: "]).hint_has(&["`bedrock-sso setup`"]);
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_warns_about_settings_that_override_the_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".aws/credentials", "[claude]\naws_access_key_id = AKIAXXXX\naws_secret_access_key = x\n");
    desk.write(".claude/settings.json", "{\"env\": {\"AWS_BEARER_TOKEN_BEDROCK\": \"x\"}}");
    desk.set_variable("AWS_ACCESS_KEY_ID", "AKIAXXXX");
    let warnings = desk.run(["setup", "--yes"]).expect_code(0).stderr;
    let facts = ["[claude]", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID"];
    for (line, fact) in warnings.lines().zip(facts) {
        assert!(line.starts_with("warning: ") && line.contains(fact), "{line}");
    }
    desk.expect_wording("output", "setup: three warnings", &warnings);
}

#[test]
fn setup_shows_no_secrets_of_other_programs() {
    let world = World::new();
    let desk = desk(&world);
    desk.write(".claude/settings.json", "{\"env\": {\"ANTHROPIC_API_KEY\": \"sk-ant-hidden\"}}");
    desk.write(".aws/config", "[profile x]\naws_secret_access_key = hidden-too");
    let shown = desk.run(["setup", "--yes"]).expect_code(0);
    let removed = desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    for text in [shown.stdout, shown.stderr, removed.stdout, removed.stderr] {
        assert!(!text.contains("hidden"), "{text}");
    }
}

/// A policy for all users must not contain paths or values of one user.
#[test]
fn system_policy_exports_credentials_without_user_paths() {
    let world = World::new();
    let desk = desk(&world);
    let program = desk.program().display();
    let file = desk.config_file().display().to_string();
    let shown = desk.run(["setup", "--system", "--dry-run", "--config", &file]).expect_code(0);
    assert!(shown.stdout.contains("managed-settings.json (new)\n"), "{}", shown.stdout);
    assert!(
        shown.stdout.contains(&format!("  + awsCredentialExport = \"\\\"{program}\\\" export --profile claude\"\n"))
    );
    assert!(!shown.stdout.contains("AWS_PROFILE") && !shown.stdout.contains(&*desk.home().to_string_lossy()));
    for pin in ["AWS_CONFIG_FILE = \"~/.aws/config\"", "AWS_ENDPOINT_URL_STS = \"\"", "BEDROCK_SSO_CONFIG = \"\""] {
        assert!(shown.stdout.contains(&format!("  + env.{pin}\n")), "{pin}: {}", shown.stdout);
    }
}
