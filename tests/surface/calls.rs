//! How callers select a profile and a file, and calls with closed streams, missing folders or arguments that are not
//! text.

use std::{
    fs,
    io::pipe,
    process::{Output, Stdio},
};

use testworld::{Desk, World};

use super::{FILE, assert_prints, desk, shell, signed_in};

/// A configuration in which these profiles have the same values.
fn configuration_with(world: &World, head: &str, names: &[&str]) -> String {
    let whole = world.configuration("");
    let (_, body) = whole.split_once("[profiles.claude]\n").unwrap();
    let tables: String = names.iter().map(|name| format!("[profiles.{name}]\n{body}\n")).collect();
    format!("version = 1\n{head}\n{tables}")
}

/// The profile that `status` shows for these arguments.
#[track_caller]
fn selected_profile<const N: usize>(desk: &Desk<'_>, arguments: [&str; N]) -> String {
    let outcome = desk.run(arguments).expect_code(0);
    let first = outcome.stdout.lines().next().unwrap();
    first.strip_prefix("Profile     ").unwrap().to_owned()
}

#[test]
fn profile_flag_outranks_variable_and_default() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&configuration_with(&world, "default_profile = \"two\"", &["one", "two", "three"]));
    assert_eq!(selected_profile(&desk, ["status"]), "two");
    desk.set_variable("BEDROCK_SSO_PROFILE", "one");
    assert_eq!(selected_profile(&desk, ["status"]), "one");
    assert_eq!(selected_profile(&desk, ["status", "--profile", "three"]), "three");
    assert_eq!(selected_profile(&desk, ["--profile=three", "status"]), "three");
    desk.set_variable("BEDROCK_SSO_PROFILE", "");
    assert_eq!(selected_profile(&desk, ["status"]), "two", "an empty variable counts as unset");
}

#[test]
fn several_profiles_without_a_choice_are_ambiguous() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&configuration_with(&world, "", &["one", "three"]));
    let failed = desk.run(["credentials"]).fails(3, "config/ambiguous");
    failed.message_has(&["one, three"]).hint_has(&["--profile", "default_profile"]);
    let failed = desk.run(["credentials", "--profile", "thre"]).fails(3, "config/no_such_profile");
    failed.message_has(&["--profile", "\"thre\"", "one, three", "did you mean \"three\""]);
}

#[test]
fn plain_profile_names_are_accepted() {
    let world = World::new();
    let desk = desk(&world);
    for name in ["x.session", "2nd_team-A", "key", &"x".repeat(64)] {
        desk.configure(&configuration_with(&world, "", &[&format!("\"{name}\"")]));
        desk.set_variable("BEDROCK_SSO_PROFILE", name);
        assert_eq!(desk.run(["status", "--json"]).expect_code(0).document()["profile"], name);
    }
}

#[test]
fn unsafe_profile_names_are_rejected() {
    let world = World::new();
    let desk = desk(&world);
    for (name, shown) in
        [("a b", "a b"), ("Zoë", "Zoë"), ("../key", "../key"), ("-v", "-v"), ("a\\u001b[2J", "a\\u001B[2J")]
    {
        desk.configure(&configuration_with(&world, "", &[&format!("\"{name}\"")]));
        let failed = desk.run(["credentials"]).fails(3, "config/illegal");
        failed.message_has(&[&format!("{FILE}:3:"), "\"profiles\"", &format!("\"{shown}\"")]);
    }
    desk.configure(&world.configuration(""));
    let outcome = desk.run(["credentials", "--profile", "\u{1b}[2J"]).expect_code(3);
    assert!(!outcome.stderr.contains('\u{1b}'), "{:?}", outcome.stderr);
}

#[test]
fn config_flag_or_variable_replaces_the_user_file() {
    let world = World::new();
    let desk = desk(&world);
    for (place, name) in [("by variable.toml", "variable"), ("by flag.toml", "flag")] {
        fs::write(desk.home().join(place), configuration_with(&world, "", &[name])).unwrap();
    }
    desk.set_variable("BEDROCK_SSO_CONFIG", "~/by variable.toml");
    let failed = desk.run(["status"]).fails(3, "config/variable_refused");
    failed.message_has(&["BEDROCK_SSO_CONFIG"]);
    assert!(!failed.message.contains("by variable") && !failed.hint.contains("by variable"), "{failed:?}");
    fs::remove_file(desk.config_file()).unwrap();
    assert_eq!(selected_profile(&desk, ["status"]), "variable");
    assert_eq!(selected_profile(&desk, ["status", "--config", "by flag.toml"]), "flag");
    // The shell expands a tilde. A quoted tilde is the name of a folder.
    let failed = desk.run(["status", "--config", "~/by flag.toml"]).fails(3, "config/unreadable");
    failed.message_has(&["~/by flag.toml"]).hint_has(&["--config"]);
}

#[test]
fn worker_reads_the_same_file_and_profile_as_its_caller() {
    let world = World::new();
    let desk = desk(&world);
    let whole = fs::read_to_string(desk.config_file()).unwrap();
    fs::write(desk.home().join("elsewhere.toml"), whole.replace("profiles.claude", "profiles.other")).unwrap();
    desk.configure("not TOML [");
    let call = ["credentials", "--config", "elsewhere.toml", "--profile", "other"];
    let document = desk.run(call).expect_code(0).document();
    assert_eq!(desk.run(call).expect_code(0).document(), document);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn fast_and_parsed_credentials_calls_print_the_same() {
    let world = World::new();
    let desk = signed_in(&world);
    let common = desk.run(["credentials"]);
    for call in [["credentials", "--no-login"], ["--profile=claude", "credentials"]] {
        assert_prints(&desk.run(call), &common.stdout);
    }
}

/// Runs the program with a stdout whose reader has closed the pipe.
fn run_without_reader(desk: &Desk<'_>, arguments: &[&str]) -> Output {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = desk.command();
    command.args(arguments).stdin(Stdio::null()).stdout(writer).output().unwrap()
}

#[test]
fn closed_stdout_reader_is_not_a_failure() {
    let world = World::new();
    let desk = signed_in(&world);
    for arguments in [
        &["credentials"][..],
        &["login"],
        &["status"],
        &["status", "--json"],
        &["config", "schema"],
        &["config", "show"],
        &["--help"],
        &["--version"],
    ] {
        let output = run_without_reader(&desk, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn sign_in_continues_with_a_closed_stdout_reader() {
    let world = World::new();
    let desk = desk(&world);
    let output = run_without_reader(&desk, &["login"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    desk.run(["credentials", "--no-login"]).expect_code(0);
}

#[test]
fn closed_streams_cause_no_panic() {
    let world = World::new();
    let desk = signed_in(&world);
    let ended = |script: &str| desk.start_command(shell(&desk, script)).finish();
    assert_prints(&ended("\"$0\" credentials >&-"), "");
    assert_prints(&ended("\"$0\" status <&- 2>&- >/dev/null"), "");
    assert_prints(&ended("\"$0\" no-such-word 2>&- || test $? = 2"), "");
    assert_prints(&ended("\"$0\" credentials --profile none 2>&- || test $? = 3"), "");
}

#[test]
fn open_stdin_does_not_block_commands() {
    let world = World::new();
    let desk = desk(&world);
    let (reader, writer) = pipe().unwrap();
    for verb in ["credentials", "login", "status"] {
        let mut command = desk.command();
        let output = command.arg(verb).stdin(reader.try_clone().unwrap()).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{verb}: {output:?}");
    }
    drop(writer);
}

#[cfg(not(target_os = "macos"))]
#[test]
fn missing_home_variable_uses_xdg_folders() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = desk.run(["credentials"]).document();
    desk.unset_variable("HOME");
    assert_eq!(desk.run(["credentials"]).expect_code(0).document(), document);
    desk.run(["status"]).expect_code(0);
    desk.unset_variable("XDG_CONFIG_HOME");
    let file = desk.config_file();
    let call = ["status", "--config", file.to_str().unwrap()];
    assert_eq!(desk.run(call).expect_code(0).stderr, "", "the call needs no HOME");
}

#[test]
fn deleted_working_folder_does_not_matter() {
    let world = World::new();
    let desk = signed_in(&world);
    let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" \"$1\"";
    let mut command = shell(&desk, script);
    command.arg("credentials");
    desk.start_command(command).finish().expect_code(0).document();
}

#[test]
fn closed_stderr_reader_changes_no_exit_code() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    for (arguments, code) in [
        (&["credentials", "-vv"][..], 0),
        (&["login", "--force", "-vv"], 0),
        (&["credentials", "--profile", "none"], 3),
        (&["no-such-word"], 2),
        (&[], 2),
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = desk.command().args(arguments).stdin(Stdio::null()).stderr(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(output.stdout.is_empty(), code != 0, "{arguments:?}");
    }
}

#[cfg(not(target_os = "macos"))]
#[test]
fn non_utf8_arguments_cause_no_panic() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let world = World::new();
    let desk = desk(&world);
    let odd = OsStr::from_bytes(b"\xff.toml");
    let run = |arguments: &[&OsStr]| {
        let mut command = desk.command();
        command.args(arguments);
        desk.start_command(command).finish()
    };
    let call = ["credentials", "--profile"].map(OsStr::new);
    run(&[call[0], call[1], odd]).fails(2, "usage/wrong_value");
    fs::write(desk.home().join(odd), fs::read(desk.config_file()).unwrap()).unwrap();
    desk.configure("not TOML [");
    let call = ["credentials", "--config"].map(OsStr::new);
    run(&[call[0], call[1], odd]).expect_code(0).document();
    desk.set_variable("BEDROCK_SSO_PROFILE", odd);
    run(&[call[0], call[1], odd]).fails(3, "config/no_such_profile");
}
