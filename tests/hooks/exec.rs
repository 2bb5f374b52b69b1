//! `exec`: the command in our place, with its own signals, streams and exit code.

use std::{fs, process::Stdio};

use testworld::{Knob, World};

use super::{SPENT, counts, desk, kept, said, shell, signed_in};

/// The environment of a command that `exec` runs, shadowing variables and a marker beside it.
fn environment(desk: &testworld::Desk<'_>) -> Vec<String> {
    let outcome = desk.run(["exec", "--", "/usr/bin/env"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_command_has_the_credentials_and_nothing_that_would_shadow_them() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = kept(&desk);
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
fn the_commands_words_streams_and_exit_code_are_its_own() {
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
fn the_command_is_the_process_that_the_caller_started() {
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
    assert_eq!(signal, Some(15), "a signal meant for it ends it, and its caller sees that");
}

#[test]
fn the_callers_limit_on_core_files_is_the_commands() {
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
fn sigpipe_and_the_signal_mask_are_as_a_shell_would_leave_them() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = format!("'{}' exec -- yes | head -1; echo ${{PIPESTATUS[0]}}", super::PROGRAM);
    let outcome = desk.start_command(shell(&desk, "bash", &["-c"], &script)).finish();
    said(&outcome, "y\n141\n");
}

#[test]
fn exec_inside_of_exec_is_refused_and_says_which_way_out() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = "\"$0\" exec -- true";
    let failed = desk.run(["exec", "--", "sh", "-c", script, super::PROGRAM]).fails(2, "exec/nested");
    failed.message_has(&["claude"]).hint_has(&["`exit`", "BEDROCK_SSO_EXEC"]);
    let script = "unset BEDROCK_SSO_EXEC; \"$0\" exec -- echo inside";
    said(&desk.run(["exec", "--", "sh", "-c", script, super::PROGRAM]), "inside\n");
}

#[test]
fn inside_of_exec_the_other_commands_go_on_working() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = desk.run(["credentials"]).stdout;
    said(&desk.run(["exec", "--", super::PROGRAM, "credentials"]), &document);
}

#[test]
fn a_command_that_is_not_there_or_no_program_ends_as_in_a_shell() {
    let world = World::new();
    let desk = signed_in(&world);
    let failed = desk.run(["exec", "--", "no-such\u{1b}[2J-command"]).fails(127, "exec/not_found");
    failed.message_has(&["no-such\\u{1b}[2J-command"]);
    fs::write(desk.home().join("notes.txt"), "no program").unwrap();
    let failed = desk.run(["exec", "--", "./notes.txt"]).fails(126, "exec/not_started");
    failed.message_has(&["./notes.txt"]);
}

#[test]
fn without_a_command_nothing_happens() {
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
fn exec_signs_in_when_needed_and_renews_what_is_spent() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    said(&desk.run(["exec", "--", "echo", "one"]), "one\n");
    said(&desk.run(["exec", "--", "echo", "two"]), "two\n");
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2]);
    desk.set_variable("BEDROCK_SSO_LOGIN", "explicit");
    desk.run(["logout"]).expect_code(0);
    desk.run(["exec", "--", "echo", "three"]).fails(4, "sign-in/not_allowed");
}

#[test]
fn credentials_near_their_end_are_renewed_before_a_command_gets_them_for_good() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10 * 60);
    let desk = signed_in(&world);
    let status = desk.run(["status", "--json"]).document();
    let before = status["credentials"]["expires_at"].clone();
    let after = environment(&desk).into_iter().find(|line| line.starts_with("AWS_CREDENTIAL_EXPIRATION="));
    assert!(after.unwrap() > format!("AWS_CREDENTIAL_EXPIRATION={}", before.as_str().unwrap()));
}

#[test]
fn a_renewal_that_fails_costs_a_command_nothing() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10 * 60);
    let desk = signed_in(&world);
    world.stop_provider();
    world.stop_sts();
    said(&desk.run(["exec", "--", "echo", "on"]), "on\n");
}

#[test]
fn the_command_inherits_no_child_of_ours() {
    let world = World::new();
    let desk = desk(&world);
    // The one child is the subshell that looks; the lines are counted after it has ended.
    let script = "children=$(ps -o pid= --ppid $$); echo \"$children\" | wc -l";
    for _ in 0..2 {
        assert_eq!(desk.run(["exec", "--", "bash", "-c", script]).expect_code(0).stdout.trim(), "1");
    }
    assert_eq!(desk.tabs(), 1);
}
