//! The help as it stands in `tests/help`, word for word.

use std::{fs, path::Path};

use testworld::World;

use super::{PROGRAM, desk, said, told};

/// The help of a command line as it is written down.
fn written(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help").join(name);
    fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

#[test]
fn help_in_short_and_in_full() {
    let world = World::new();
    let desk = desk(&world);
    said(&desk.run(["--help"]), &written("full.txt"));
    said(&desk.run(["help"]), &written("full.txt"));
    said(&desk.run(["-h"]), &written("short.txt"));
}

#[test]
fn every_verb_has_its_help() {
    let world = World::new();
    let desk = desk(&world);
    for verb in [
        "credentials",
        "login",
        "status",
        "logout",
        "exec",
        "env",
        "export",
        "otel-headers",
        "token",
        "bearer",
        "setup",
        "doctor",
        "config",
    ] {
        let text = written(&format!("{verb}.txt"));
        for call in [[verb, "--help"], [verb, "-h"], ["help", verb]] {
            said(&desk.run(call), &text);
        }
    }
    for verb in ["show", "check", "schema", "path"] {
        said(&desk.run(["config", verb, "--help"]), &written(&format!("config-{verb}.txt")));
    }
}

#[test]
fn completions_name_every_verb_in_every_shell() {
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
    desk.run(["completions", "tcsh"]).refused(2, "usage/wrong_value");
}

/// The shell itself reads what it is given: `bash` takes the script, and completes from it.
#[test]
fn bash_completes_from_what_it_is_given() {
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
fn the_manual_has_every_command_and_every_flag() {
    let world = World::new();
    let page = desk(&world).run(["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH bedrock-sso 1"), "{page}");
    for part in [
        "BEDROCK-SSO LOGIN",
        "BEDROCK-SSO CONFIG CHECK",
        "BEDROCK-SSO SETUP",
        "\\-\\-dry\\-run",
        "\\-\\-no\\-browser",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("ERRAND"), "what the program says to itself is not told");
}

#[test]
fn half_a_command_gets_its_help_on_stderr() {
    let world = World::new();
    let desk = desk(&world);
    told(&desk.run([]), 2, &written("short.txt"));
    told(&desk.run(["config"]), 2, &written("config.txt"));
}

#[test]
fn the_version_is_one_line() {
    let world = World::new();
    let desk = desk(&world);
    for word in ["--version", "-V"] {
        said(&desk.run([word]), concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn what_the_program_says_to_itself_is_not_offered() {
    for name in ["full.txt", "short.txt"] {
        assert!(!written(name).contains("errand"), "{name}");
    }
}

#[test]
fn help_needs_no_configuration() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure("not TOML [");
    said(&desk.run(["login", "--help"]), &written("login.txt"));
}
