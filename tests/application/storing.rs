//! Where the proof is kept: how it comes in, who else is served by it, and when it is forgotten.

use std::fs;

use testworld::Desk;

use super::{PROGRAM, counts, desk, kept, login, signed_in, world};

#[test]
fn it_is_sealed_in_a_file_of_its_own() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    let names = kept(&desk);
    assert_eq!(names.len(), 1, "{names:?}");
    let bytes = fs::read(desk.data().join(&names[0])).unwrap();
    assert!(world.ledger().leaks("the file", &bytes).is_empty());
}

#[test]
fn signing_out_leaves_it_for_the_next_sign_in_and_signing_out_of_everything_does_not() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    desk.run(["logout"]).prints("logout: a secret of the application");
    assert_eq!(kept(&desk).len(), 1);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 1], 2));
    desk.run(["logout", "--all"]).prints("logout --all: a secret of the application");
    assert_eq!(kept(&desk), Vec::<String>::new());
    desk.run(["credentials"]).fails(3, "config/no_client_secret");
}

#[test]
fn one_secret_serves_every_profile_of_the_application_and_outlives_their_changes() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (head, profile) = text.split_once("[profiles.claude]").unwrap();
    desk.configure(&format!("{head}[profiles.claude]{profile}\nscopes = [\"openid\"]\n[profiles.other]{profile}"));
    for name in ["claude", "other"] {
        desk.run(["credentials", "--profile", name]).expect_code(0);
    }
    assert_eq!(kept(&desk).len(), 1);
}

#[test]
fn what_could_not_be_a_secret_is_refused_before_anything_is_kept() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    for input in ["", "\n", "  \r\n", "one\ntwo\n", "a\u{1b}[31m\n", &"x".repeat(5000)] {
        desk.run_with(["login", "--client-secret-stdin"], input).fails(2, "usage/secret");
    }
    assert_eq!((kept(&desk), desk.tabs()), (vec![], 0));
}

#[test]
fn a_profile_that_needs_no_secret_takes_none() {
    let world = world("none");
    let desk = Desk::new(&world, PROGRAM);
    let failed = login(&desk, "superfluous").fails(3, "config/secret_not_used");
    failed.message_has(&["claude", "client_auth = \"none\""]);
    assert_eq!(kept(&desk), Vec::<String>::new());
}

#[test]
fn a_profile_that_stores_nothing_cannot_have_a_secret() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"none\""));
    let failed = desk.run(["credentials"]).fails(3, "config/contradiction");
    failed.message_has(&["client_auth = \"secret\"", "storage = \"none\""]);
}

/// At a terminal, which is what `script` from util-linux makes.
#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_for_it_and_nothing_is_shown_as_they_type() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let secret = world.client_secret();
    let (first, rest) = secret.split_at(4);
    let typed = format!("wrong\u{15}{first}x\u{7f}{rest}\r");
    let outcome = at_a_terminal(&desk, &typed).expect_code(0);
    let seen = outcome.stdout.replace("\r\n", "\n");
    assert!(seen.contains("claude") && seen.contains("demo@example.com"), "{seen}");
    assert!(!seen.contains("wrong") && !seen.contains(first) && !seen.contains(rest), "{seen}");
    desk.credentials();
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_at_the_question_ends_it_and_keeps_nothing() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let outcome = at_a_terminal(&desk, "half\u{3}").expect_code(130);
    assert!(outcome.stdout.contains("[interrupted]"), "{}", outcome.stdout);
    assert_eq!((kept(&desk), desk.tabs()), (vec![], 0));
}

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "a test may start a terminal")]
fn at_a_terminal(desk: &Desk<'_>, keys: &str) -> testworld::Outcome {
    let mut terminal = std::process::Command::new("/usr/bin/script");
    let own = desk.command();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    terminal.env_clear().envs(variables).current_dir(desk.home()).env("SHELL", "/bin/sh");
    terminal.args(["--quiet", "--flush", "--return", "--echo=always", "--command"]);
    terminal.arg(format!("{PROGRAM} login --client-secret-stdin")).arg("/dev/null").stdin(std::process::Stdio::piped());
    desk.run_command_with(terminal, "claude", keys)
}
