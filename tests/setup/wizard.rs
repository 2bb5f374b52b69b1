//! `setup` at a terminal: questions whose answers are checked, and a first sign-in.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use testworld::{Desk, Fault, Knob, World};

use super::{browser, desk, everything};

/// What a terminal shows when these lines are typed; `script` makes the terminal.
fn typed(desk: &Desk<'_>, given: &[(&str, &str)], lines: &[&str]) -> String {
    let (code, shown) = type_lines(desk, given, lines);
    assert_eq!(code, Some(0), "{shown}");
    shown
}

/// As [`typed`], also for a `setup` that fails: its exit code, and what the terminal shows.
fn type_lines(desk: &Desk<'_>, given: &[(&str, &str)], lines: &[&str]) -> (Option<i32>, String) {
    let own = desk.command();
    let given: String = given.iter().map(|(key, value)| format!(" --set '{key}={value}'")).collect();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut terminal = Command::new("script");
    terminal.env_clear().envs(variables).args([
        "-qec",
        &format!("'{}' setup{}", desk.program().display(), given),
        "/dev/null",
    ]);
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let outcome = child.wait_with_output().unwrap();
    let shown = String::from_utf8(outcome.stdout).unwrap().replace('\r', "");
    (outcome.status.code(), shown)
}

/// The verdict on each answer, in the order in which they were given. What a terminal shows between them depends on when it
/// echoes what was typed.
fn verdicts(shown: &str) -> String {
    let verdict = |line: &str| {
        let at = ["  ✗ ", "  ✓ ", "  ! "].iter().find_map(|mark| line.find(mark))?;
        Some(format!("{}\n", &line[at..]))
    };
    shown.lines().filter_map(verdict).collect()
}

/// A desk on which nothing is configured.
fn bare(world: &World) -> Desk<'_> {
    let desk = desk(world);
    fs::remove_file(desk.config_file()).unwrap();
    desk
}

#[test]
fn a_person_is_led_from_nothing_to_a_first_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    let browser = browser(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    let sts = world.sts_endpoint();
    let given = [("storage", "file"), ("sts_endpoint", &sts), ("browser", &browser)];
    let issuer = world.issuer();
    let role = "arn:aws:iam::123456789012:role/BedrockUser";
    let answers =
        ["two words", &issuer, "eighty", "any", "", testworld::CLIENT_ID, "no role", role, "", "Mars", "", "y", "y"];
    let shown = typed(&desk, &given, &answers);
    let verdicts = verdicts(&shown);
    for fact in [issuer.as_str(), "http://127.0.0.1/callback", "BedrockUser", "123456789012", "demo@example.com"] {
        assert!(verdicts.contains(fact), "{fact}: {shown}");
    }
    assert!(shown.contains("  + [profile claude]\n"), "{shown}");
    desk.expect_wording("output", "setup: a person is led to a first sign-in", &verdicts);
    desk.run(["config", "check"]).expect_code(0);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
fn credentials_that_aws_does_not_judge_are_not_called_accepted() {
    let world = World::new();
    let desk = desk(&world);
    let browser = browser(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    world.set(Knob::IdentityFault, Fault::Status(503));
    let sts = world.sts_endpoint();
    let given = [("storage", "file"), ("sts_endpoint", &sts), ("browser", &browser)];
    let role = "arn:aws:iam::123456789012:role/BedrockUser";
    let shown = typed(&desk, &given, &[&world.issuer(), "any", testworld::CLIENT_ID, role, "", "", "y", "y"]);
    desk.expect_wording("output", "setup: AWS does not judge the credentials", &verdicts(&shown));
}

#[test]
fn a_client_that_the_provider_does_not_know_is_said_at_once() {
    let world = World::new();
    let desk = bare(&world);
    let role = "arn:aws:iam::123456789012:role/BedrockUser";
    let before = everything(&desk);
    let shown = typed(&desk, &[], &[&world.issuer(), "any", "misspelt", role, "", "", "n"]);
    desk.expect_wording("output", "setup: a client that the provider does not know", &verdicts(&shown));
    assert_eq!(everything(&desk), before);
}

#[test]
fn roles_are_asked_for_until_an_empty_answer_and_one_is_the_default() {
    let world = World::new();
    let desk = bare(&world);
    let role = |account: &str| format!("arn:aws:iam::{account}:role/Dev");
    let [first, second] = ["111111111111", "222222222222"].map(role);
    let answers = [
        &world.issuer(),
        "any",
        testworld::CLIENT_ID,
        &first,
        "no role",
        &first,
        &second,
        "",
        "",
        "nobody",
        "222222222222-Dev",
        "y",
        "n",
    ];
    let shown = typed(&desk, &[("storage", "file")], &answers);
    desk.expect_wording("output", "setup: two roles at a terminal", &verdicts(&shown));
    let written = fs::read_to_string(desk.config_file()).unwrap();
    assert!(written.starts_with("version = 1\ndefault_profile = \"222222222222-Dev\"\n\n[defaults]\n"), "{written}");
    assert!(written.contains(&format!("[profiles.111111111111-Dev]\nrole_arn = \"{first}\"\n")), "{written}");
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"222222222222-Dev\""));
}

#[test]
fn end_of_input_cancels_setup_and_writes_nothing() {
    const CTRL_D: &str = "\u{4}";
    let world = World::new();
    let desk = bare(&world);
    let (issuer, role) = (world.issuer(), "arn:aws:iam::123456789012:role/BedrockUser");
    let before = everything(&desk);
    for answers in [
        &[CTRL_D][..],
        &[&issuer, "any", testworld::CLIENT_ID, CTRL_D],
        &[&issuer, "any", testworld::CLIENT_ID, role, "", "", CTRL_D],
    ] {
        let (code, shown) = type_lines(&desk, &[], answers);
        assert_eq!(code, Some(130), "{shown}");
        let failure = shown.find("bedrock-sso: ").map(|start| &shown[start..]).unwrap_or_default();
        assert!(failure.contains("[interrupted]\n  hint: "), "{shown}");
        desk.expect_wording("failures", "interrupted", failure);
        assert_eq!(everything(&desk), before);
    }
}
