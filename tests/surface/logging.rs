//! The log: each line has a time, a process, a level, a module and a decision, never a secret, and never goes to
//! stdout.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _};

use testworld::{Desk, Knob, World};

use super::{desk, signed_in_with_expired_credentials};

/// The first line of a log file. It begins a here-document, so a shell that reads the file runs nothing of it.
const FIRST_LINE: &str = ": <<'a log of bedrock-sso'";

/// The parts of a line of the log.
#[derive(Debug)]
struct Line<'a> {
    pid: u32,
    level: &'a str,
    module: &'a str,
}

/// Parses every line, and fails the test if one is malformed.
#[track_caller]
fn parse_log(log: &str) -> Vec<Line<'_>> {
    let line = |text| parse_line(text).unwrap_or_else(|| panic!("malformed line: {text:?}"));
    log.lines().filter(|line| *line != FIRST_LINE).map(line).collect()
}

/// `2026-11-20T11:45:00Z 4711 info session: what was decided`
fn parse_line(text: &str) -> Option<Line<'_>> {
    let mut words = text.splitn(4, ' ');
    let (time, pid, level, rest) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (module, decision) = rest.split_once(": ")?;
    let is_time = time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok();
    let is_room = module.chars().all(|letter| letter.is_ascii_lowercase());
    (is_time && is_room && !decision.is_empty()).then_some(Line { pid: pid.parse().ok()?, level, module })
}

fn distinct<'a, T: Ord>(lines: &'a [Line<'a>], of: fn(&Line<'a>) -> T) -> BTreeSet<T> {
    lines.iter().map(of).collect()
}

/// A home in which no variable sets a log level or a log file.
fn desk_without_log_variables(world: &World) -> Desk<'_> {
    let desk = desk(world);
    desk.unset_variable("BEDROCK_SSO_LOG");
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    desk
}

#[test]
fn log_is_off_by_default() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
    for filter in ["off", "", "nonsense"] {
        desk.set_variable("BEDROCK_SSO_LOG", filter);
        let outcome = desk.run(["login", "--force"]).expect_code(0);
        assert_eq!(outcome.stderr, "", "{filter}");
    }
}

#[test]
fn debug_log_has_both_processes_and_leaves_stdout_alone() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!(outcome.document()["Version"], 1);
    assert!(outcome.stdout.trim_end().lines().count() == 1);
    let log = parse_log(&outcome.stderr);
    assert!(distinct(&log, |line| line.pid).len() == 2, "{}", outcome.stderr);
    assert!(distinct(&log, |line| line.module).is_superset(&["worker", "session", "callback"].into()), "{log:?}");
    assert!(distinct(&log, |line| line.level).is_superset(&["debug", "info"].into()), "{log:?}");
}

#[test]
fn log_file_is_private_and_has_lines_of_both_processes() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    let file = desk.home().join("a log.txt");
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    desk.set_variable("BEDROCK_SSO_LOG_FILE", &file);
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    desk.settle();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(distinct(&parse_log(&text), |line| line.pid).len(), 2, "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    desk.run(["login", "--force"]).expect_code(0);
    desk.settle();
    let longer = fs::read_to_string(&file).unwrap();
    assert!(longer.len() > text.len() && longer.starts_with(&text), "later calls append to the log");
}

#[test]
fn verbose_flag_once_logs_info_and_twice_logs_debug() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    for (word, expected) in [("-v", vec!["info"]), ("-vv", vec!["debug", "info"]), ("--verbose", vec!["info"])] {
        let outcome = desk.run(["login", "--force", word]).expect_code(0);
        assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
        let log = parse_log(&outcome.stderr);
        assert_eq!(distinct(&log, |line| line.level), expected.into_iter().collect(), "{word}: {log:?}");
        assert!(log.iter().any(|line| line.module == "session"), "{word}: the worker logs, too");
    }
}

#[test]
fn verbose_flag_logs_the_use_of_cached_credentials() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.run(["credentials"]).expect_code(0);
    let outcome = desk.run(["credentials", "-v"]).expect_code(0);
    assert_eq!(parse_log(&outcome.stderr).len(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(" info worker: cached credentials until "), "{}", outcome.stderr);
}

#[test]
fn log_filter_can_select_one_module() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "callback=debug");
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!(distinct(&parse_log(&outcome.stderr), |line| line.module), ["callback"].into());
}

#[test]
fn failure_is_printed_after_the_log() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    world.stop_provider();
    let outcome = desk.run(["credentials", "-vv"]).expect_code(9);
    let (log, failure) = outcome.stderr.split_at(outcome.stderr.find("bedrock-sso: ").unwrap());
    parse_log(log);
    assert!(failure.contains(" [network/connect]\n  hint: ") && failure.lines().count() == 2, "{failure}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn foreign_text_in_the_log_is_escaped() {
    let world = World::new();
    world.set(Knob::Claims, serde_json::json!({"email": "a\n2026-11-20T11:45:00Z 1 info session: \u{1b}[2J"}));
    let desk = desk_without_log_variables(&world);
    let outcome = desk.run(["credentials", "-vv"]).expect_code(0);
    parse_log(&outcome.stderr);
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains(" 1 info "), "{}", outcome.stderr);
}

#[test]
fn logs_contain_no_secret_at_any_level() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    desk.run(["credentials"]).expect_code(0);
    desk.run(["login", "--force", "-vv"]).expect_code(0);
    world.revoke_grants();
    world.revoke_credentials();
    desk.run(["login"]).expect_code(0);
    assert!(world.ledger().secrets().len() > 10);
    assert_eq!(desk.leaks().len(), 0, "{:?}", desk.leaks());
}

#[test]
fn unwritable_log_is_reported_only_at_a_terminal() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "info");
    desk.set_variable("BEDROCK_SSO_LOG_FILE", "/no/such/folder/log.txt");
    for verb in ["credentials", "login", "status"] {
        assert_eq!(desk.run([verb]).expect_code(0).stderr, "", "{verb}");
    }
    if cfg!(target_os = "macos") {
        // `script` has other flags on macOS.
        return;
    }
    let call = desk.command();
    let mut terminal = std::process::Command::new("script");
    let variables = call.get_envs().filter_map(|(name, value)| Some((name, value?)));
    terminal.env_clear().envs(variables).current_dir(desk.home()).env("PROGRAM", call.get_program());
    terminal.args(["--quiet", "--return", "--command", "\"$PROGRAM\" status", "/dev/null"]);
    let shown = desk.start_command(terminal).finish().expect_code(0).stdout;
    let line = shown.lines().next().unwrap();
    assert!(line.starts_with("bedrock-sso: ") && line.contains(" /no/such/folder/log.txt: "), "{shown}");
    assert!(shown.contains("claude"), "{shown}");
}

/// A place that is refused gets no line, and the command succeeds without a log.
#[test]
fn log_is_written_only_to_new_files_or_earlier_logs() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    let place = |name: &str| desk.home().join(name);
    fs::write(place(".bashrc"), "# mine\n").unwrap();
    std::os::unix::fs::symlink(place("target.txt"), place("link.txt")).unwrap();
    testworld::make_fifo(&place("pipe"));
    for refused in [".bashrc", "link.txt", "pipe"] {
        desk.set_variable("BEDROCK_SSO_LOG_FILE", place(refused));
        assert_eq!(desk.run(["status"]).expect_code(0).stderr, "", "{refused}");
    }
    desk.set_variable("BEDROCK_SSO_LOG_FILE", "relative.txt");
    desk.run(["status"]).expect_code(0);
    assert_eq!(fs::read_to_string(place(".bashrc")).unwrap(), "# mine\n");
    assert!(!place("target.txt").exists() && !place("relative.txt").exists());

    desk.set_variable("BEDROCK_SSO_LOG_FILE", place("log.txt"));
    for _ in 0..2 {
        desk.run(["token"]).expect_code(4);
    }
    desk.settle();
    let log = fs::read_to_string(place("log.txt")).unwrap();
    assert_eq!(log.matches(FIRST_LINE).count(), 1, "{log}");
    let pids = distinct(&parse_log(&log), |line| line.pid).len();
    assert!(log.starts_with(FIRST_LINE) && pids >= 2, "{log}");
}

/// The settings of a repository can make a start file of a shell the log file, and can get text into the log.
#[test]
fn first_line_of_a_log_stops_shells_from_running_it() {
    let world = World::new();
    let desk = desk_without_log_variables(&world);
    desk.set_variable("BEDROCK_SSO_LOG", "debug");
    let profile = desk.home().join(".bash_profile");
    desk.set_variable("BEDROCK_SSO_LOG_FILE", &profile);
    desk.run(["token"]).expect_code(4);
    desk.settle();
    assert_eq!(fs::read_to_string(&profile).unwrap().lines().next(), Some(FIRST_LINE));
    let runs = |first_line: &str| {
        fs::write(&profile, format!("{first_line}\n2026-11-28T10:00:00Z $(touch planted)\n")).unwrap();
        let planted = |shell| {
            let mut command = std::process::Command::new(shell);
            command.arg(&profile).current_dir(desk.home());
            drop(desk.start_command(command).finish());
            fs::remove_file(desk.home().join("planted")).is_ok()
        };
        ["sh", "bash"].map(planted)
    };
    assert_eq!((runs(FIRST_LINE), runs("")), ([false; 2], [true; 2]));
}
