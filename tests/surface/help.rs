//! `--help`, `--version`, `completions` and `man`. The files in `tests/help` hold the expected help.

use std::fs;

use testworld::{Desk, World, expect_file};

use super::{PROGRAM, assert_prints, desk};

/// Compares what a call prints on stdout with a file in `tests/help`, and returns it.
#[track_caller]
fn expect_help<const N: usize>(desk: &Desk<'_>, call: [&str; N], name: &str) -> String {
    let outcome = desk.run(call).expect_code(0);
    assert_eq!(outcome.stderr, "", "{call:?}");
    expect_file(&format!("tests/help/{name}"), &outcome.stdout);
    outcome.stdout
}

#[test]
fn help_prints_short_and_full_text() {
    let world = World::new();
    let desk = desk(&world);
    let full = expect_help(&desk, ["--help"], "full.txt");
    assert_prints(&desk.run(["help"]), &full);
    let short = expect_help(&desk, ["-h"], "short.txt");
    assert!(!full.contains("  worker") && !short.contains("  worker"), "the worker's own command is hidden");
}

#[test]
fn every_command_has_help() {
    let world = World::new();
    let desk = desk(&world);
    for verb in [
        "credentials", "login", "status", "logout", "exec", "env", "console", "export", "otel-headers", "token",
        "bearer", "setup", "doctor", "config", "completions", "man",
    ] {
        let text = expect_help(&desk, [verb, "--help"], &format!("{verb}.txt"));
        for call in [[verb, "-h"], ["help", verb]] {
            assert_prints(&desk.run(call), &text);
        }
    }
    for verb in ["show", "check", "schema", "path"] {
        expect_help(&desk, ["config", verb, "--help"], &format!("config-{verb}.txt"));
    }
}

#[test]
fn completions_list_commands_in_every_shell() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = desk.run(["completions", shell]).expect_code(0);
        assert_eq!(outcome.stderr, "");
        for word in ["credentials", "otel-headers", "setup", "--no-browser"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(outcome.stdout.contains(word), "{shell}: {word}");
        }
    }
    desk.run(["completions", "tcsh"]).fails(2, "usage/wrong_value");
}

/// A real `bash` evaluates the script and completes with it.
#[test]
fn bash_completes_with_the_generated_script() {
    let world = World::new();
    let desk = desk(&world);
    let script = "eval \"$(\"$0\" completions bash)\"; COMP_WORDS=(bedrock-sso log); COMP_CWORD=1; \
                  _bedrock__sso bedrock-sso log bedrock-sso; echo ${COMPREPLY[*]}";
    let mut bash = std::process::Command::new("bash");
    let own = desk.command();
    bash.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let outcome = bash.args(["-c", script, PROGRAM]).output().unwrap();
    let said = String::from_utf8(outcome.stdout).unwrap();
    assert_eq!((said.as_str(), outcome.stderr.as_slice()), ("login logout\n", b"".as_slice()));
}

#[test]
fn man_page_has_commands_and_flags() {
    let world = World::new();
    let page = desk(&world).run(["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH bedrock-sso 1"), "{page}");
    for part in
        ["BEDROCK-SSO LOGIN", "BEDROCK-SSO CONFIG CHECK", "BEDROCK-SSO SETUP", "\\-\\-dry\\-run", "\\-\\-no\\-browser"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("BEDROCK-SSO WORKER"), "the worker's own command is hidden");
}

#[test]
fn incomplete_command_prints_help_on_stderr() {
    let world = World::new();
    let desk = desk(&world);
    for (outcome, name) in [(desk.run([]), "short.txt"), (desk.run(["config"]), "config.txt")] {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        expect_file(&format!("tests/help/{name}"), &outcome.stderr);
    }
}

#[test]
fn version_is_printed_on_one_line() {
    let world = World::new();
    let desk = desk(&world);
    for word in ["--version", "-V"] {
        assert_prints(&desk.run([word]), concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn help_needs_no_configuration() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure("not TOML [");
    expect_help(&desk, ["login", "--help"], "login.txt");
}
