//! `doctor` on a healthy machine, and the behaviour that all checks share.

use std::time::Duration;

use super::*;

/// Each check, in the order of the output, with its result on a healthy machine.
const FINDINGS: [(&str, &str); 34] = [
    ("version", "ok"),
    ("configuration", "ok"),
    ("variables", "ok"),
    ("folder", "ok"),
    ("key", "ok"),
    ("lock", "ok"),
    ("session", "ok"),
    ("session-name", "ok"),
    ("last-error", "ok"),
    ("clock", "ok"),
    ("proxy", "ok"),
    ("certificates", "ok"),
    ("discovery", "ok"),
    ("algorithms", "ok"),
    ("keys", "ok"),
    ("client", "ok"),
    ("require", "skipped"),
    ("ports", "ok"),
    ("browser", "ok"),
    ("aws", "ok"),
    ("quota", "skipped"),
    ("collector", "skipped"),
    ("relay", "skipped"),
    ("aws-profile", "ok"),
    ("fixed-keys", "ok"),
    ("shadows", "ok"),
    ("gateway", "ok"),
    ("claude-version", "skipped"),
    ("claude-settings", "ok"),
    ("claude-managed", "skipped"),
    ("claude-hooks", "ok"),
    ("repository", "skipped"),
    ("leftovers", "ok"),
    ("sso-tokens", "ok"),
];

#[test]
fn doctor_reports_no_warning_on_a_healthy_machine() {
    let world = World::new();
    let desk = laptop(&world);
    let outcome = desk.run(["doctor"]).expect_code(0);
    let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let system = format!("bedrock-sso {version} for {os} {arch}, ");
    assert_eq!((outcome.stdout.matches(&system).count(), outcome.stderr.as_str()), (1, ""), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    for ((name, result), line) in FINDINGS.iter().zip(&lines) {
        assert!(line.starts_with(&format!("{result:<7}  {name:<16}  ")), "{line}");
    }
    assert_eq!(lines.len(), FINDINGS.len() + 2, "the checks, an empty line and the counts: {lines:#?}");
    desk.expect_wording("output", "doctor: a healthy laptop", &outcome.stdout.replace(&system, "{system}, "));
}

#[test]
fn doctor_json_has_the_same_findings_as_the_text() {
    let world = World::new();
    let desk = laptop(&world);
    let text = desk.run(["doctor"]).expect_code(0).stdout;
    let outcome = desk.run(["doctor", "--json"]).expect_code(0);
    let document = outcome.document();
    let text_of = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    for (check, (name, result)) in document["checks"].as_array().unwrap().iter().zip(FINDINGS) {
        assert_eq!((text_of(check, "name"), text_of(check, "result")), (name.to_owned(), result.to_owned()));
        assert_eq!((&check["remedy"], check.as_object().unwrap().len()), (&Value::Null, 4));
        // The part in parentheses counts seconds.
        let message = text_of(check, "message");
        assert!(text.contains(message.split(" (").next().unwrap()), "{message}");
    }
    assert_eq!((&document["version"], document["checks"].as_array().unwrap().len()), (&json!(1), FINDINGS.len()));
    assert_eq!((outcome.stderr.as_str(), outcome.stdout.matches('\n').count()), ("", 1));
}

/// Every file of the home with its bytes.
fn snapshot(desk: &Desk<'_>) -> Vec<(PathBuf, Vec<u8>)> {
    fn walk(folder: &std::path::Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            }
            found.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
    let mut found = Vec::new();
    walk(&desk.home(), &mut found);
    found.sort();
    found
}

#[test]
fn doctor_changes_no_file_and_never_prompts() {
    let world = World::new();
    let desk = laptop(&world);
    let (before, tabs) = (snapshot(&desk), desk.tabs());
    desk.run(["doctor"]).expect_code(0);
    assert_eq!((snapshot(&desk), desk.tabs()), (before, tabs));
    let bare = Desk::new(&world, PROGRAM);
    let before = snapshot(&bare);
    bare.run(["doctor"]);
    assert_eq!((snapshot(&bare), bare.tabs()), (before, 0));
}

/// The hint follows its check, and the exit code is that of the first failed check.
#[test]
fn doctor_failed_check_shows_a_hint_and_sets_the_exit_code() {
    let world = World::new();
    let desk = laptop(&world);
    world.stop_sts();
    desk.write(".aws/credentials", "[claude]\naws_access_key_id = x\n");
    let outcome = desk.run(["doctor"]).expect_code(9);
    let lines: Vec<_> = outcome.stdout.lines().filter(|line| !line.starts_with("ok")).collect();
    let sts = world.sts_endpoint().trim_start_matches("http://").to_owned();
    let failed = lines.iter().position(|line| line.starts_with("bad      aws  ") && line.contains(&sts)).unwrap();
    assert!(lines[failed + 1].starts_with(&format!("{:27}hint: ", "")), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("bad      fixed-keys  ")).count(), 1, "{lines:#?}");
    assert_eq!(*lines.last().unwrap(), "34 checks: 2 bad, 25 ok, 7 skipped");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn doctor_skips_checks_without_a_configuration() {
    let world = World::new();
    let desk = Desk::new(&world, PROGRAM);
    fs::remove_file(desk.config_file()).unwrap();
    let outcome = desk.run(["doctor", "--json"]).expect_code(3);
    let found = outcome.document();
    let count =
        |result: &str| found["checks"].as_array().unwrap().iter().filter(|check| check["result"] == result).count();
    assert_eq!([count("bad"), count("warn"), count("skipped")], [1, 0, 29], "{found:#}");
    skips(&desk, "discovery");
}

#[test]
fn doctor_network_checks_time_out_in_parallel() {
    use testworld::{Fault, Knob};
    let world = World::new();
    let desk = laptop(&world);
    let answered = desk.run(["doctor", "--json"]).took;
    for knob in [Knob::DiscoveryFault, Knob::KeysFault, Knob::AuthorizeFault, Knob::IdentityFault] {
        world.set(knob, Fault::Hang);
    }
    let outcome = desk.run(["doctor", "--json"]).expect_code(9);
    let silent = outcome.took;
    let found = outcome.document();
    for name in ["discovery", "aws"] {
        let check = found["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
        let message = check["message"].as_str().unwrap();
        assert!(message.contains(" 5 s"), "{message}");
    }
    // In sequence, two deadlines of 5 s would take 10 s longer than two answers.
    assert!(silent < answered + Duration::from_secs(9), "{silent:?}, {answered:?} with a network");
    skips(&desk, "clock");
}
