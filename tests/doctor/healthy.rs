//! A healthy laptop, and what is the same on every one.

use std::time::Duration;

use super::*;

/// The whole of it, but for what differs from run to run.
fn expected(desk: &Desk<'_>, world: &World) -> Vec<(&'static str, &'static str, String)> {
    let host = |address: String| address.trim_start_matches("http://").to_owned();
    let (provider, sts) = (host(world.issuer()), host(world.sts_endpoint()));
    let program = desk.program().canonicalize().unwrap().display().to_string();
    let person = desk.run(["config", "show", "--json"]).document();
    let person = person.pointer("/keys/browser/value/0").unwrap().as_str().unwrap().to_owned();
    let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let ok = |name, message: String| (name, "ok", message);
    let skipped = |name, message: &str| (name, "skipped", message.to_owned());
    vec![
        ok("version", format!("bedrock-sso {version} for {os} {arch}, {program}")),
        ok("configuration", format!("~/{CONFIG}: 1 profile")),
        ok("variables", "these have an effect: BEDROCK_SSO_LOG, BEDROCK_SSO_LOG_FILE".into()),
        ok("folder", format!("~/{DATA} can be written")),
        ok("key", "the key lies in a private file, as the profile wants it".into()),
        ok("lock", "nobody is signing in at this moment".into()),
        ok("session", "signed in as demo@example.com until … (… left), renewed silently".into()),
        ok("last-error", "none since the last success".into()),
        ok("clock", format!("agrees with {provider} and {sts}")),
        ok("proxy", format!("{provider}, {sts} directly")),
        ok("certificates", format!("{provider} is this machine; {sts} is this machine")),
        ok("discovery", format!("http://{provider} describes itself")),
        ok("algorithms", "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA".into()),
        ok("keys", format!("{provider} publishes 4")),
        ok("client", "the provider takes the client and where it is sent back to, as far as it tells".into()),
        ok("ports", "any free port will do".into()),
        ok("browser", format!("{person} is opened: the profile names a browser")),
        ok("aws", format!("{sts} answers for us-east-1")),
        skipped("quota", "none is configured"),
        skipped("collector", "none is configured"),
        ok("aws-profile", "[profile claude] in ~/.aws/config leads here".into()),
        ok("fixed-keys", "~/.aws/credentials holds none for [claude]".into()),
        ok("shadows", "nothing stands before your sign-in".into()),
        ok("claude-settings", "~/.claude/settings.json agrees with the profile".into()),
        skipped("claude-managed", "there are none on this machine"),
        ok("claude-hooks", "lead here: awsAuthRefresh".into()),
        skipped("repository", "no repository's settings apply in this directory"),
        ok("leftovers", "nothing of AWS's guidance sample is left".into()),
    ]
}

/// Without the end of the session, which differs.
fn without_end(message: &str) -> String {
    let Some((before, rest)) = message.split_once(" until ") else { return message.to_owned() };
    let (_, after) = rest.split_once(" left)").unwrap();
    format!("{before} until … (… left){after}")
}

#[test]
fn a_healthy_laptop_shows_no_warning() {
    let world = World::new();
    let desk = laptop(&world);
    let lines = expected(&desk, &world).into_iter();
    let lines = lines.map(|(name, result, message)| format!("{result:<7}  {name:<16}  {message}\n"));
    let text = lines.collect::<String>() + "\n28 checks: 24 ok, 4 skipped\n";
    let outcome = desk.run(["doctor"]).expect_code(0);
    let said: String = outcome.stdout.split_inclusive('\n').map(without_end).collect();
    assert_eq!((said.as_str(), outcome.stderr.as_str()), (text.as_str(), ""));
}

#[test]
fn scripts_read_the_same() {
    let world = World::new();
    let desk = laptop(&world);
    let outcome = desk.run(["doctor", "--json"]).expect_code(0);
    let mut document = outcome.document();
    for check in document["checks"].as_array_mut().unwrap() {
        check["message"] = json!(without_end(check["message"].as_str().unwrap()));
    }
    let checks = expected(&desk, &world).into_iter().map(|(name, result, message)| {
        json!({ "name": name, "result": result, "message": message, "remedy": null })
    });
    assert_eq!(document, json!({ "version": 1, "checks": checks.collect::<Vec<_>>() }));
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
    write(&desk, ".aws/credentials", "[claude]\naws_access_key_id = x\n");
    let outcome = desk.run(["doctor"]).expect_code(9);
    let lines: Vec<_> = outcome.stdout.lines().filter(|line| !line.starts_with("ok")).collect();
    let sts = world.sts_endpoint().trim_start_matches("http://").to_owned();
    assert_eq!(lines[0], format!("bad      aws               {sts} could not be reached"));
    assert!(lines[1].starts_with(&format!("{:27}hint: ", "")), "{lines:#?}");
    assert!(lines.contains(
        &"bad      fixed-keys        ~/.aws/credentials holds fixed keys for [claude], and every AWS tool takes them first"
    ));
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
    let count = |result: &str| {
        found["checks"].as_array().unwrap().iter().filter(|check| check["result"] == result).count()
    };
    assert_eq!([count("bad"), count("warn"), count("skipped")], [1, 0, 24], "{found:#}");
    skips(&desk, "discovery", "there is no profile to go by, see `configuration`");
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
        assert!(message.ends_with("did not answer within 5 s"), "{message}");
    }
    // One after the other, two deadlines would take ten seconds more than answers do.
    assert!(silent < answered + Duration::from_secs(9), "{silent:?}, {answered:?} with a network");
    skips(&desk, "clock", "nobody answered with whom it could be compared");
}
