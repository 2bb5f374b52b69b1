//! `setup` at a terminal: the wizard checks each answer, and ends with a first sign-in.

use std::{
    fs,
    io::Write as _,
    os::unix::net::UnixListener,
    process::{Command, Stdio},
};

use serde_json::json;
use testworld::{Desk, Fault, Knob, STORAGE_QUESTION, World};

use super::{browser, desk, snapshot};

const ROLE: &str = "arn:aws:iam::123456789012:role/BedrockUser";
const BUNDLE_QUESTION: &str = "Trust these certificates for your sign-in";
pub(crate) const CTRL_D: &str = "\u{4}";

/// Runs the wizard in a terminal, which `script` provides, types these lines and returns everything shown.
fn run_wizard(desk: &Desk<'_>, given: &[(&str, &str)], lines: &[&str]) -> String {
    let (code, shown) = type_lines(desk, given, lines);
    assert_eq!(code, Some(0), "{shown}");
    shown
}

/// Like [`run_wizard`], for a `setup` that can fail: returns its exit code, too.
fn type_lines(desk: &Desk<'_>, given: &[(&str, &str)], lines: &[&str]) -> (Option<i32>, String) {
    let flags = given.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]);
    run_in_terminal(desk, &flags.collect::<Vec<_>>(), lines)
}

/// Runs `setup` with these flags in a terminal and types these lines. Returns its exit code and everything shown.
pub(crate) fn run_in_terminal(desk: &Desk<'_>, flags: &[String], lines: &[&str]) -> (Option<i32>, String) {
    let own = desk.command();
    let given: String = flags.iter().map(|flag| format!(" '{flag}'")).collect();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut terminal = Command::new("script");
    terminal.current_dir(desk.home()).env_clear().envs(variables).args([
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

/// The verdict on each answer, in order. The text between the verdicts depends on the moment at which the terminal
/// echoes the input, so it is left out.
pub(crate) fn verdicts(shown: &str) -> String {
    let verdict = |line: &str| {
        let at = ["  ✗ ", "  ✓ ", "  ! "].iter().find_map(|mark| line.find(mark))?;
        Some(format!("{}\n", &line[at..]))
    };
    shown.lines().filter_map(verdict).collect()
}

/// A home without a configuration.
fn desk_without_configuration(world: &World) -> Desk<'_> {
    desk_for_sign_in(world).0
}

/// A home without a configuration, and the value of `browser` with which the wizard's sign-in succeeds.
fn desk_for_sign_in(world: &World) -> (Desk<'_>, String) {
    let desk = desk(world);
    let browser = browser(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    (desk, browser)
}

#[test]
fn wizard_leads_to_a_first_sign_in() {
    let world = World::new();
    let (desk, browser) = desk_for_sign_in(&world);
    let sts = world.sts_endpoint();
    let given = [("storage", "file"), ("sts_endpoint", &sts), ("browser", &browser)];
    let issuer = world.issuer();
    let answers = ["two words", &issuer, "", testworld::CLIENT_ID, "no role", ROLE, "", "Mars", "", "y", "y"];
    let shown = run_wizard(&desk, &given, &answers);
    let verdicts = verdicts(&shown);
    for fact in [issuer.as_str(), "http://127.0.0.1:8400/callback", "BedrockUser", "123456789012", "demo@example.com"] {
        assert!(verdicts.contains(fact), "{fact}: {shown}");
    }
    assert!(shown.contains("  + [profile claude]\n"), "{shown}");
    desk.expect_wording("output", "setup: the wizard leads to a first sign-in", &verdicts);
    desk.run(["config", "check"]).expect_code(0);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
fn wizard_does_not_claim_unverified_credentials_work() {
    let world = World::new();
    let (desk, browser) = desk_for_sign_in(&world);
    world.set(Knob::IdentityFault, Fault::Status(503));
    let sts = world.sts_endpoint();
    let given = [("storage", "file"), ("sts_endpoint", &sts), ("browser", &browser)];
    let shown = run_wizard(&desk, &given, &[&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "y", "y"]);
    desk.expect_wording("output", "setup: AWS does not check the credentials", &verdicts(&shown));
}

#[test]
fn wizard_reports_an_unknown_client_id_at_once() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let before = snapshot(&desk);
    let answers = [&world.issuer(), "misspelt", "wrong", "", ROLE, "", "", "n"];
    let shown = run_wizard(&desk, &[("storage", "file")], &answers);
    assert!(shown.contains("  + client_id = \"wrong\"\n"), "{shown}");
    desk.expect_wording("output", "setup: a client that the provider does not know", &verdicts(&shown));
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn wizard_checks_a_corrected_client_id_again() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let answers = [&world.issuer(), "misspelt", testworld::CLIENT_ID, ROLE, "", "", "n"];
    let shown = run_wizard(&desk, &[("storage", "file")], &answers);
    assert!(shown.contains("[misspelt]: "), "{shown}");
    assert!(shown.contains(&format!("  + client_id = \"{}\"\n", testworld::CLIENT_ID)), "{shown}");
    desk.expect_wording("output", "setup: a client ID that the user corrects", &verdicts(&shown));
}

#[test]
fn wizard_asks_for_ports_if_the_provider_compares_them() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let uri = |port: u16| format!("http://127.0.0.1:{port}/callback");
    world.set(Knob::RedirectUris, json!([uri(8400), uri(8405)]));
    let answers = [&world.issuer(), testworld::CLIENT_ID, "eighty", "8401", "", "8405, 8400", ROLE, "", "", "y", "n"];
    let shown = run_wizard(&desk, &[("storage", "file")], &answers);
    assert!(shown.contains("letter by letter") && shown.contains(&format!("      {}\n", uri(8400))), "{shown}");
    assert!(shown.contains("Registered redirect ports [8400, 8401]: "), "{shown}");
    desk.expect_wording("output", "setup: registered ports", &verdicts(&shown));
    assert!(fs::read_to_string(desk.config_file()).unwrap().contains("redirect_ports = [8405, 8400]\n"));
    let next = "Sign in now? [Y/n]: ";
    let (before, after) = shown.split_once(next).unwrap();
    assert!(before.contains("Done.\n") && after.contains("Sign in with `bedrock-sso login`"), "{shown}");
}

#[test]
fn wizard_and_doctor_name_the_same_redirect_uri() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let given = [("storage", "file"), ("redirect_host", "localhost"), ("redirect_ports", "[8402]")];
    world.set(Knob::RedirectUris, json!([]));
    let shown = run_wizard(&desk, &given, &[&world.issuer(), testworld::CLIENT_ID, "", ROLE, "", "", "y", "n"]);
    let doctor = desk.run(["doctor", "--json"]).document();
    let check = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "client").unwrap();
    for text in [shown, check.to_string()] {
        assert!(text.contains("the redirect URI http://localhost:8402/callback"), "{text}");
    }
}

#[test]
fn wizard_without_a_keyring_offers_a_key_file() {
    let world = World::new();
    let (desk, browser) = desk_for_sign_in(&world);
    // The message names the kind of session.
    desk.set_variable("container", "docker");
    let sts = world.sts_endpoint();
    let given = [("sts_endpoint", sts.as_str()), ("browser", &browser)];
    let answers = [&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "", "y", "y"];
    let shown = run_wizard(&desk, &given, &answers);
    assert!(shown.contains(STORAGE_QUESTION) && shown.contains("  + storage = \"file\"\n"), "{shown}");
    desk.expect_wording("output", "setup: no keyring", &verdicts(&shown));
    assert!(desk.data().join("key").exists());
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
fn wizard_offers_no_sign_in_after_a_rejected_key_file() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let shown = run_wizard(&desk, &[], &[&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "n", "y"]);
    assert!(shown.contains("Done.") && !shown.contains("Sign in now?"), "{shown}");
    assert!(!fs::read_to_string(desk.config_file()).unwrap().contains("storage"));
}

/// The test of a keyring that never answers ends at its deadline.
#[test]
fn wizard_offers_a_key_file_for_a_silent_keyring() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let path = desk.home().join("bus");
    let _silent_bus = UnixListener::bind(&path).unwrap();
    desk.set_variable("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", path.display()));
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let shown = run_wizard(&desk, &[], &[&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "", "n"]);
    assert!(shown.contains(STORAGE_QUESTION) && shown.contains("  + storage = \"file\"\n"), "{shown}");
    desk.expect_wording("output", "setup: a keyring that does not answer", &verdicts(&shown));
}

#[test]
fn wizard_does_not_test_the_keyring_for_a_given_storage() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    desk.set_variable("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let answers = [&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "n"];
    let shown = run_wizard(&desk, &[("storage", "keyring")], &answers);
    assert!(!shown.contains(STORAGE_QUESTION) && shown.contains("Nothing was changed."), "{shown}");
}

#[test]
fn accepted_ca_bundle_of_the_environment_is_configured() {
    let world = World::over_tls();
    let (desk, browser) = desk_for_sign_in(&world);
    let (bundle, sts) = (world.ca_bundle().unwrap(), world.sts_endpoint());
    desk.set_variable("AWS_CA_BUNDLE", bundle);
    let given = [("storage", "file"), ("sts_endpoint", &sts), ("browser", &browser)];
    let shown = run_wizard(&desk, &given, &["y", &world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "y", "y"]);
    assert!(shown.contains("subject  CN=Demo Test Authority\n"), "{shown}");
    let mut openssl = Command::new("openssl");
    let printed = openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(bundle).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(shown.contains(&format!("SHA-256  {}\n", printed.trim().split('=').nth(1).unwrap())), "{shown}");
    assert!(shown.contains(&format!("  + ca_bundle = \"{}\"\n", bundle.display())), "{shown}");
    assert!(shown.contains("✓ AWS accepts the credentials"), "{shown}");
}

#[test]
fn ca_bundle_of_the_environment_is_refused_by_default() {
    let world = World::over_tls();
    let desk = desk_without_configuration(&world);
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        desk.set_variable(variable, world.ca_bundle().unwrap());
    }
    let (code, shown) = type_lines(&desk, &[("storage", "file")], &["", &world.issuer(), CTRL_D]);
    assert_eq!((code, world.ledger().total()), (Some(130), 0), "{shown}");
    assert_eq!(shown.matches(BUNDLE_QUESTION).count(), 1, "the same file is offered once: {shown}");
    assert!(!shown.contains("✓ found the issuer") && shown.contains("    hint: "), "{shown}");
    assert!(shown.contains("\"Demo Test Authority\"") && shown.contains("set `ca_bundle`"), "{shown}");
}

#[test]
fn unusable_ca_bundle_of_the_environment_is_named() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let place = desk.home().join("ca.pem");
    let certificate = fs::read_to_string(World::over_tls().ca_bundle().unwrap()).unwrap();
    fs::write(&place, certificate.repeat(6)).unwrap();
    desk.set_variable("AWS_CA_BUNDLE", "ca.pem");
    desk.set_variable("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem");
    desk.set_variable("SSL_CERT_FILE", &place);
    desk.set_variable("SSL_CERT_DIR", desk.home());
    let answers = [&world.issuer(), testworld::CLIENT_ID, ROLE, "", "", "n"];
    let shown = run_wizard(&desk, &[("storage", "file")], &answers);
    assert!(!shown.contains(BUNDLE_QUESTION), "{shown}");
    desk.expect_wording("output", "setup: CA bundles that are not offered", &verdicts(&shown));
}

#[test]
fn wizard_reads_roles_until_an_empty_answer() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let role = |account: &str| format!("arn:aws:iam::{account}:role/Dev");
    let [first, second] = ["111111111111", "222222222222"].map(role);
    let answers = [
        &world.issuer(),
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
    let shown = run_wizard(&desk, &[("storage", "file")], &answers);
    desk.expect_wording("output", "setup: two roles at a terminal", &verdicts(&shown));
    let written = fs::read_to_string(desk.config_file()).unwrap();
    assert!(written.starts_with("version = 1\ndefault_profile = \"222222222222-Dev\"\n\n[defaults]\n"), "{written}");
    assert!(written.contains(&format!("[profiles.111111111111-Dev]\nrole_arn = \"{first}\"\n")), "{written}");
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"222222222222-Dev\""));
}

#[test]
fn end_of_input_cancels_setup_and_writes_nothing() {
    let world = World::new();
    let desk = desk_without_configuration(&world);
    let issuer = world.issuer();
    let before = snapshot(&desk);
    for answers in [
        &[CTRL_D][..],
        &[&issuer, testworld::CLIENT_ID, CTRL_D],
        &[&issuer, testworld::CLIENT_ID, ROLE, "", "", CTRL_D],
        &[&issuer, testworld::CLIENT_ID, ROLE, "", "", "y", CTRL_D],
    ] {
        let (code, shown) = type_lines(&desk, &[], answers);
        assert_eq!(code, Some(130), "{shown}");
        let failure = shown.find("bedrock-sso: ").map(|start| &shown[start..]).unwrap_or_default();
        assert!(failure.contains("[interrupted]\n  hint: "), "{shown}");
        desk.expect_wording("failures", "interrupted", failure);
        assert_eq!(snapshot(&desk), before);
    }
}
