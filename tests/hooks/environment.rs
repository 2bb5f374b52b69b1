//! `env`, read by the shells it is meant for.

use std::path::Path;

use testworld::{Desk, World};

use super::{PROGRAM, desk, kept, said, shell, signed_in};

const NAMES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_CREDENTIAL_EXPIRATION",
];

/// What a command of the shell's own finds in its environment after it has read ours.
fn read_by(desk: &Desk<'_>, program: &str, arguments: &[&str], read: &str) -> Option<Vec<String>> {
    if !Path::new(program).exists() {
        return None;
    }
    let ours = "^(AWS_|ELSEWHERE)";
    let script = format!("{read}; /usr/bin/env | /bin/grep -E '{ours}' | /usr/bin/sort");
    let mut command = shell(desk, program, arguments, &script);
    command.env("AWS_PROFILE", "claude").env("AWS_BEARER_TOKEN_BEDROCK", "x").env("ELSEWHERE", "stays");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn expected(desk: &Desk<'_>) -> Vec<String> {
    let document = kept(desk);
    let value = |name: &str| document[name].as_str().unwrap();
    let values = [
        value("AccessKeyId"),
        value("SecretAccessKey"),
        value("SessionToken"),
        "us-east-1",
        "us-east-1",
        value("Expiration"),
    ];
    let mut lines: Vec<_> = NAMES.iter().zip(values).map(|(name, value)| format!("{name}={value}")).collect();
    lines.push("ELSEWHERE=stays".into());
    lines.sort();
    lines
}

#[test]
fn the_shells_of_posix_read_the_assignments_and_forget_what_would_shadow_them() {
    let world = World::new();
    let desk = signed_in(&world);
    let expected = expected(&desk);
    let mut read = 0;
    for (program, name) in [("/bin/sh", "sh"), ("/bin/bash", "bash"), ("/usr/bin/zsh", "zsh"), ("/bin/dash", "dash")] {
        let script = format!("eval \"$('{PROGRAM}' env --shell {name})\"");
        let found = read_by(&desk, program, &["-c"], &script);
        read += usize::from(found.is_some());
        assert_eq!(found.unwrap_or_else(|| expected.clone()), expected, "{program}");
    }
    assert!(read >= 2, "two at least are on every machine");
}

#[test]
fn fish_reads_the_assignments_and_forgets_what_would_shadow_them() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = format!("'{PROGRAM}' env --shell fish | source");
    let Some(found) = read_by(&desk, "/usr/bin/fish", &["--no-config", "-c"], &script) else { return };
    assert_eq!(found, expected(&desk));
}

#[test]
fn the_persons_own_shell_is_the_default() {
    let world = World::new();
    let desk = signed_in(&world);
    let first = || desk.run(["env"]).expect_code(0).stdout.lines().next().unwrap().to_owned();
    assert!(first().starts_with("export AWS_ACCESS_KEY_ID='"));
    desk.set_variable("SHELL", "/usr/bin/fish");
    assert!(first().starts_with("set -gx AWS_ACCESS_KEY_ID '"));
}

#[test]
fn powershell_and_cmd_are_told_in_their_own_words() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = kept(&desk);
    let id = document["AccessKeyId"].as_str().unwrap();
    let outcome = desk.run(["env", "--shell", "powershell"]).expect_code(0);
    assert!(outcome.stdout.starts_with(&format!("$env:AWS_ACCESS_KEY_ID = '{id}'\n")), "{outcome:?}");
    assert!(outcome.stdout.contains("\nRemove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue\n"));
    said(&desk.run(["env", "--shell", "pwsh"]), &outcome.stdout);
    let outcome = desk.run(["env", "--shell", "cmd"]).expect_code(0);
    assert!(outcome.stdout.starts_with(&format!("set \"AWS_ACCESS_KEY_ID={id}\"\n")), "{outcome:?}");
    assert!(outcome.stdout.contains("\nset \"AWS_PROFILE=\"\n"));
    let by_its_own_name = desk.run(["env", "--shell", "PowerShell"]).expect_code(0);
    assert!(by_its_own_name.stdout.starts_with("$env:AWS_ACCESS_KEY_ID"), "{by_its_own_name:?}");
}

#[test]
fn a_shell_that_is_not_known_is_named_with_those_that_are() {
    let world = World::new();
    let desk = desk(&world);
    let failed = desk.run(["env", "--shell", "nu"]).fails(2, "usage/wrong_value");
    failed.message_has(&["'nu'"]).hint_has(&["sh, fish, powershell, cmd"]);
    assert_eq!(desk.tabs(), 0);
}
