//! The help as it stands in `tests/help`, word for word.

use std::{fs, path::Path};

use testworld::World;

use super::{desk, said, told};

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
