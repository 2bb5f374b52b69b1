//! A healthy laptop, and what is the same on every one.

use std::time::Duration;

use super::*;

/// Each check and what it finds.
const FINDINGS: [(&str, &str); 28] = [
    ("version", "ok"),
    ("configuration", "ok"),
    ("variables", "ok"),
    ("folder", "ok"),
    ("key", "ok"),
    ("lock", "ok"),
    ("session", "ok"),
    ("last-error", "ok"),
    ("clock", "ok"),
    ("proxy", "ok"),
    ("certificates", "ok"),
    ("discovery", "ok"),
    ("algorithms", "ok"),
    ("keys", "ok"),
    ("client", "ok"),
    ("ports", "ok"),
    ("browser", "ok"),
    ("aws", "ok"),
    ("quota", "skipped"),
    ("collector", "skipped"),
    ("aws-profile", "ok"),
    ("fixed-keys", "ok"),
    ("shadows", "ok"),
    ("claude-settings", "ok"),
    ("claude-managed", "skipped"),
    ("claude-hooks", "ok"),
    ("repository", "skipped"),
    ("leftovers", "ok"),
];

#[test]
fn a_healthy_laptop_shows_no_warning() {
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
    assert_eq!(lines.len(), FINDINGS.len() + 2, "an empty line and the counts: {lines:#?}");
    desk.expect_wording("output", "doctor: a healthy laptop", &outcome.stdout.replace(&system, "{system}, "));
}

#[test]
fn scripts_read_the_same() {
    let world = World::new();
    let desk = laptop(&world);
    let text = desk.run(["doctor"]).expect_code(0).stdout;
    let outcome = desk.run(["doctor", "--json"]).expect_code(0);
    let document = outcome.document();
    let text_of = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    for (check, (name, result)) in document["checks"].as_array().unwrap().iter().zip(FINDINGS) {
        assert_eq!((text_of(check, "name"), text_of(check, "result")), (name.to_owned(), result.to_owned()));
        assert_eq!((&check["remedy"], check.as_object().unwrap().len()), (&Value::Null, 4));
        // The end of the session is counted in seconds.
        let message = text_of(check, "message");
        assert!(text.contains(message.split(" (").next().unwrap()), "{message}");
    }
    assert_eq!((&document["version"], document["checks"].as_array().unwrap().len()), (&json!(1), FINDINGS.len()));
    assert_eq!((outcome.stderr.as_str(), outcome.stdout.matches('\n').count()), ("", 1));
}

/// Every file of the home but the log, with its bytes.
fn everything(desk: &Desk<'_>) -> Vec<(PathBuf, Vec<u8>)> {
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
fn nothing_is_changed_and_nobody_asked() {
    let world = World::new();
    let desk = laptop(&world);
    let (before, tabs) = (everything(&desk), desk.tabs());
    desk.run(["doctor"]).expect_code(0);
    assert_eq!((everything(&desk), desk.tabs()), (before, tabs));
    let bare = Desk::new(&world, PROGRAM);
    let before = everything(&bare);
    bare.run(["doctor"]);
    assert_eq!((everything(&bare), bare.tabs()), (before, 0));
}

/// The remedy stands under its check, and the exit code is that of what is bad first.
#[test]
fn a_bad_check_is_told_with_its_remedy_and_gives_its_exit_code() {
    let world = World::new();
    let desk = laptop(&world);
    world.stop_sts();
    desk.write(".aws/credentials", "[claude]\naws_access_key_id = x\n");
    let outcome = desk.run(["doctor"]).expect_code(9);
    let lines: Vec<_> = outcome.stdout.lines().filter(|line| !line.starts_with("ok")).collect();
    let sts = world.sts_endpoint().trim_start_matches("http://").to_owned();
    assert!(lines[0].starts_with("bad      aws  ") && lines[0].contains(&sts), "{lines:#?}");
    assert!(lines[1].starts_with(&format!("{:27}hint: ", "")), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("bad      fixed-keys  ")).count(), 1, "{lines:#?}");
    assert_eq!(*lines.last().unwrap(), "28 checks: 2 bad, 22 ok, 4 skipped");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn where_nothing_is_configured_the_rest_is_passed_over() {
    let world = World::new();
    let desk = Desk::new(&world, PROGRAM);
    fs::remove_file(desk.config_file()).unwrap();
    let outcome = desk.run(["doctor", "--json"]).expect_code(3);
    let found = outcome.document();
    let count =
        |result: &str| found["checks"].as_array().unwrap().iter().filter(|check| check["result"] == result).count();
    assert_eq!([count("bad"), count("warn"), count("skipped")], [1, 0, 24], "{found:#}");
    skips(&desk, "discovery");
}

#[test]
fn a_network_that_is_silent_costs_its_deadline_and_no_more() {
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
    // One after the other, two deadlines would take ten seconds more than answers do.
    assert!(silent < answered + Duration::from_secs(9), "{silent:?}, {answered:?} with a network");
    skips(&desk, "clock");
}
