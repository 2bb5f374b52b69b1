//! `exec`: the command replaces the program, with its own signals, streams and exit code.

use std::{fs, process::Stdio};

use testworld::{Knob, World};

use super::{SPENT, assert_prints, cached_credentials, counts, desk, shell, signed_in};

/// The environment of a command that `exec` runs.
fn environment(desk: &testworld::Desk<'_>) -> Vec<String> {
    let outcome = desk.run(["exec", "--", "/usr/bin/env"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn exec_sets_credentials_and_removes_shadowing_variables() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = cached_credentials(&desk);
    for shadowing in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"] {
        desk.set_variable(shadowing, "claude");
    }
    desk.set_variable("AWS_REGION", "ap-south-1");
    desk.set_variable("ELSEWHERE", "stays");
    let mut found: Vec<_> = environment(&desk);
    found.retain(|line| line.starts_with("AWS_") || line.starts_with("ELSEWHERE") || line.contains("_EXEC="));
    found.sort();
    let value = |name: &str| document[name].as_str().unwrap();
    assert_eq!(
        found,
        [
            format!("AWS_ACCESS_KEY_ID={}", value("AccessKeyId")),
            format!("AWS_CREDENTIAL_EXPIRATION={}", value("Expiration")),
            "AWS_DEFAULT_REGION=us-east-1".into(),
            "AWS_REGION=us-east-1".into(),
            format!("AWS_SECRET_ACCESS_KEY={}", value("SecretAccessKey")),
            format!("AWS_SESSION_TOKEN={}", value("SessionToken")),
            "BEDROCK_SSO_EXEC=claude".into(),
            "ELSEWHERE=stays".into(),
        ]
    );
}

#[test]
fn exec_passes_arguments_streams_and_exit_code_through() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = "printf '%s|' \"$@\"; echo err >&2; exit 42";
    let outcome = desk.run(["exec", "--", "sh", "-c", script, "sh", "a b", "--profile", "", "-v"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(42), "a b|--profile||-v|"));
    assert_eq!(outcome.stderr, "err\n");
    let mut command = desk.command();
    command.args(["exec", "--", "cat"]).stdin(fs::File::open(desk.config_file()).unwrap());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.stdout, fs::read(desk.config_file()).unwrap(), "stdin reaches the command");
}

#[test]
fn exec_replaces_its_own_process() {
    let world = World::new();
    let desk = signed_in(&world);
    let mut command = desk.command();
    command.args(["exec", "--", "sh", "-c", "echo $$; exec sleep 60"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), child.id().to_string());
    testworld::terminate(child.id() as i32);
    let signal = std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap());
    assert_eq!(signal, Some(15), "a signal ends the command, and the caller sees it");
}

#[test]
fn exec_preserves_the_core_file_limit() {
    let world = World::new();
    let desk = signed_in(&world);
    for limits in ["ulimit -Hc unlimited; ulimit -Sc 8", "ulimit -Hc 16; ulimit -Sc 0"] {
        let script = format!(
            "{limits}; ulimit -Sc; ulimit -Hc; exec '{}' exec -- bash -c 'ulimit -Sc; ulimit -Hc'",
            super::PROGRAM
        );
        let outcome = desk.start_command(shell(&desk, "bash", &["-c"], &script)).finish().expect_code(0);
        let lines: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(lines[..2], lines[2..], "{outcome:?}");
    }
}

#[test]
fn exec_restores_sigpipe_for_the_command() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = format!("'{}' exec -- yes | head -1; echo ${{PIPESTATUS[0]}}", super::PROGRAM);
    let outcome = desk.start_command(shell(&desk, "bash", &["-c"], &script)).finish();
    assert_prints(&outcome, "y\n141\n");
}

#[test]
fn nested_exec_is_refused_with_a_hint() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = "\"$0\" exec -- true";
    let failed = desk.run(["exec", "--", "sh", "-c", script, super::PROGRAM]).fails(2, "exec/nested");
    failed.message_has(&["claude"]).hint_has(&["`exit`", "BEDROCK_SSO_EXEC"]);
    let script = "unset BEDROCK_SSO_EXEC; \"$0\" exec -- echo inside";
    assert_prints(&desk.run(["exec", "--", "sh", "-c", script, super::PROGRAM]), "inside\n");
}

#[test]
fn other_commands_work_inside_exec() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = desk.run(["credentials"]).stdout;
    assert_prints(&desk.run(["exec", "--", super::PROGRAM, "credentials"]), &document);
}

#[test]
fn exec_of_a_missing_program_exits_like_a_shell() {
    let world = World::new();
    let desk = signed_in(&world);
    let failed = desk.run(["exec", "--", "no-such\u{1b}[2J-command"]).fails(127, "exec/not_found");
    failed.message_has(&["no-such\\u{1b}[2J-command"]);
    fs::write(desk.home().join("notes.txt"), "no program").unwrap();
    let failed = desk.run(["exec", "--", "./notes.txt"]).fails(126, "exec/not_started");
    failed.message_has(&["./notes.txt"]);
}

#[test]
fn exec_without_a_command_is_a_usage_error() {
    let world = World::new();
    let desk = desk(&world);
    for call in [&["exec"][..], &["exec", "--"], &["exec", "ls"]] {
        let mut command = desk.command();
        command.args(call);
        let outcome = desk.start_command(command).finish().expect_code(2);
        assert!(outcome.stderr.contains(" [usage/"), "{call:?}: {}", outcome.stderr);
    }
    assert_eq!(counts(&world, &desk), [0, 0, 0, 0]);
}

#[test]
fn exec_signs_in_and_refreshes_expired_credentials() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    assert_prints(&desk.run(["exec", "--", "echo", "one"]), "one\n");
    assert_prints(&desk.run(["exec", "--", "echo", "two"]), "two\n");
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2]);
    desk.set_variable("BEDROCK_SSO_LOGIN", "explicit");
    desk.run(["logout"]).expect_code(0);
    desk.run(["exec", "--", "echo", "three"]).fails(4, "sign-in/not_allowed");
}

#[test]
fn exec_refreshes_expiring_credentials_first() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10 * 60);
    let desk = signed_in(&world);
    let status = desk.run(["status", "--json"]).document();
    let before = status["credentials"]["expires_at"].clone();
    let after = environment(&desk).into_iter().find(|line| line.starts_with("AWS_CREDENTIAL_EXPIRATION="));
    assert!(after.unwrap() > format!("AWS_CREDENTIAL_EXPIRATION={}", before.as_str().unwrap()));
}

#[test]
fn exec_runs_the_command_when_the_refresh_fails() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10 * 60);
    let desk = signed_in(&world);
    world.stop_provider();
    world.stop_sts();
    assert_prints(&desk.run(["exec", "--", "echo", "on"]), "on\n");
}

#[test]
fn exec_leaves_no_child_process_to_the_command() {
    let world = World::new();
    let desk = desk(&world);
    // The one child that `ps` lists is its own subshell.
    let script = "children=$(ps -o pid= --ppid $$); echo \"$children\" | wc -l";
    for _ in 0..2 {
        assert_eq!(desk.run(["exec", "--", "bash", "-c", script]).expect_code(0).stdout.trim(), "1");
    }
    assert_eq!(desk.tabs(), 1);
}
