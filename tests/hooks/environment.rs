//! `env`: real shells evaluate its output.

use std::path::Path;

use testworld::{Desk, World};

use super::{PROGRAM, assert_prints, cached_credentials, desk, shell, signed_in};

const NAMES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_CREDENTIAL_EXPIRATION",
];

/// The AWS variables in the environment of a shell that has evaluated the output of `env`; `None` if there is no such
/// shell.
fn variables_after(desk: &Desk<'_>, program: &str, arguments: &[&str], read: &str) -> Option<Vec<String>> {
    if !Path::new(program).exists() {
        return None;
    }
    let pattern = "^(AWS_|ELSEWHERE)";
    let script = format!("{read}; /usr/bin/env | /bin/grep -E '{pattern}' | /usr/bin/sort");
    let mut command = shell(desk, program, arguments, &script);
    command.env("AWS_PROFILE", "claude").env("AWS_BEARER_TOKEN_BEDROCK", "x").env("ELSEWHERE", "stays");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn expected(desk: &Desk<'_>) -> Vec<String> {
    let document = cached_credentials(desk);
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
fn posix_shells_read_env_and_unset_shadowing_variables() {
    let world = World::new();
    let desk = signed_in(&world);
    let expected = expected(&desk);
    let mut read = 0;
    for (program, name) in [("/bin/sh", "sh"), ("/bin/bash", "bash"), ("/usr/bin/zsh", "zsh"), ("/bin/dash", "dash")] {
        let script = format!("eval \"$('{PROGRAM}' env --shell {name})\"");
        let found = variables_after(&desk, program, &["-c"], &script);
        read += usize::from(found.is_some());
        assert_eq!(found.unwrap_or_else(|| expected.clone()), expected, "{program}");
    }
    assert!(read >= 2, "at least two of these shells exist on every machine");
}

#[test]
fn fish_reads_env_and_unsets_shadowing_variables() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = format!("'{PROGRAM}' env --shell fish | source");
    let Some(found) = variables_after(&desk, "/usr/bin/fish", &["--no-config", "-c"], &script) else { return };
    assert_eq!(found, expected(&desk));
}

#[test]
fn env_defaults_to_the_shell_of_the_user() {
    let world = World::new();
    let desk = signed_in(&world);
    let first = || desk.run(["env"]).expect_code(0).stdout.lines().next().unwrap().to_owned();
    assert!(first().starts_with("export AWS_ACCESS_KEY_ID='"));
    desk.set_variable("SHELL", "/usr/bin/fish");
    assert!(first().starts_with("set -gx AWS_ACCESS_KEY_ID '"));
}

#[test]
fn env_prints_powershell_and_cmd_syntax() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = cached_credentials(&desk);
    let id = document["AccessKeyId"].as_str().unwrap();
    let outcome = desk.run(["env", "--shell", "powershell"]).expect_code(0);
    assert!(outcome.stdout.starts_with(&format!("$env:AWS_ACCESS_KEY_ID = '{id}'\n")), "{outcome:?}");
    assert!(outcome.stdout.contains("\nRemove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue\n"));
    assert_prints(&desk.run(["env", "--shell", "pwsh"]), &outcome.stdout);
    let outcome = desk.run(["env", "--shell", "cmd"]).expect_code(0);
    assert!(outcome.stdout.starts_with(&format!("set \"AWS_ACCESS_KEY_ID={id}\"\n")), "{outcome:?}");
    assert!(outcome.stdout.contains("\nset \"AWS_PROFILE=\"\n"));
    let capitalised = desk.run(["env", "--shell", "PowerShell"]).expect_code(0);
    assert!(capitalised.stdout.starts_with("$env:AWS_ACCESS_KEY_ID"), "{capitalised:?}");
}

#[test]
fn env_rejects_an_unknown_shell_and_lists_the_known_ones() {
    let world = World::new();
    let desk = desk(&world);
    let failed = desk.run(["env", "--shell", "nu"]).fails(2, "usage/wrong_value");
    failed.message_has(&["'nu'"]).hint_has(&["sh, fish, powershell, cmd"]);
    assert_eq!(desk.tabs(), 0);
}
