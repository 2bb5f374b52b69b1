//! `setup` at a terminal: questions whose answers are checked, and a first sign-in.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use testworld::{Desk, World};

use super::{browser, desk, everything};

/// What a terminal shows when these lines are typed; `script` makes the terminal.
fn typed(desk: &Desk<'_>, given: &[(&str, &str)], lines: &[&str]) -> String {
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
    assert!(outcome.status.success(), "{shown}");
    shown
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
        ["two words", &issuer, "eighty", "any", "", testworld::CLIENT_ID, "no role", role, "", "y", "y"];
    let shown = typed(&desk, &given, &answers);
    for said in [
        "  ✗ that is no domain and no address\n",
        &format!("  ✓ {} answers as {issuer}\n", issuer.trim_start_matches("http://")),
        "  ✗ write numbers with commas between them, or \"any\"\n",
        "  ✗ it cannot be empty\n",
        "  ✓ the provider knows this client and http://127.0.0.1/callback\n",
        "  ✗ write it as arn:aws:iam::123456789012:role/NAME\n",
        "  ✓ role BedrockUser in account 123456789012\n",
        "  + [profile claude]\n",
        "  ✓ signed in as demo@example.com\n",
        "  ✓ AWS accepts the credentials\n",
    ] {
        assert!(shown.contains(said), "{said}\nis not in\n{shown}");
    }
    desk.run(["config", "check"]).expect_code(0);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
fn a_client_that_the_provider_does_not_know_is_said_at_once() {
    let world = World::new();
    let desk = bare(&world);
    let role = "arn:aws:iam::123456789012:role/BedrockUser";
    let before = everything(&desk);
    let shown = typed(&desk, &[], &[&world.issuer(), "any", "misspelt", role, "", "n"]);
    assert!(shown.contains("  ! the provider answers this client with an error: "), "{shown}");
    assert!(shown.ends_with("Nothing was changed.\n"), "{shown}");
    assert_eq!(everything(&desk), before);
}
