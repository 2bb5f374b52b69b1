//! Storing a client secret: how the user enters it, which profiles share it, and when it is deleted.

use std::fs;

use testworld::Desk;

use super::{PROGRAM, application_files, counts, desk, login, signed_in, world};

#[test]
fn client_secret_is_stored_encrypted_in_a_separate_file() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    let names = application_files(&desk);
    assert_eq!(names.len(), 1, "{names:?}");
    let bytes = fs::read(desk.data().join(&names[0])).unwrap();
    assert!(world.ledger().leaks("the file", &bytes).is_empty());
}

#[test]
fn client_secret_survives_logout_but_not_logout_all() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    desk.run(["logout"]).prints("logout: a secret of the application");
    assert_eq!(application_files(&desk).len(), 1);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 1], 2));
    desk.run(["logout", "--all"]).prints("logout --all: a secret of the application");
    assert_eq!(application_files(&desk), Vec::<String>::new());
    desk.run(["credentials"]).fails(3, "config/no_client_secret");
}

#[test]
fn client_secret_is_shared_by_all_profiles_of_the_client() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (head, profile) = text.split_once("[profiles.claude]").unwrap();
    desk.configure(&format!("{head}[profiles.claude]{profile}\nscopes = [\"openid\"]\n[profiles.other]{profile}"));
    for name in ["claude", "other"] {
        desk.run(["credentials", "--profile", name]).expect_code(0);
    }
    assert_eq!(application_files(&desk).len(), 1);
}

#[test]
fn malformed_client_secret_is_rejected_and_not_stored() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    for input in ["", "\n", "  \r\n", "one\ntwo\n", "a\u{1b}[31m\n", &"x".repeat(5000)] {
        desk.run_with(["login", "--client-secret-stdin"], input).fails(2, "usage/secret");
    }
    assert_eq!((application_files(&desk), desk.tabs()), (vec![], 0));
}

#[test]
fn client_secret_is_rejected_for_a_public_client() {
    let world = world("none");
    let desk = Desk::new(&world, PROGRAM);
    let failed = login(&desk, "superfluous").fails(3, "config/secret_not_used");
    failed.message_has(&["claude", "client_auth = \"none\""]);
    assert_eq!(application_files(&desk), Vec::<String>::new());
}

#[test]
fn storage_none_cannot_have_a_client_secret() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"none\""));
    let failed = desk.run(["credentials"]).fails(3, "config/contradiction");
    failed.message_has(&["client_auth = \"secret\"", "storage = \"none\""]);
}

/// `script` from util-linux provides the terminal.
#[cfg(target_os = "linux")]
#[test]
fn client_secret_prompt_does_not_echo_input() {
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
fn ctrl_c_at_the_secret_prompt_stores_nothing() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let outcome = at_a_terminal(&desk, "half\u{3}").expect_code(130);
    assert!(outcome.stdout.contains("[interrupted]"), "{}", outcome.stdout);
    assert_eq!((application_files(&desk), desk.tabs()), (vec![], 0));
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
