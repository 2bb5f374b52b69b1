//! `doctor --bundle`: a file for the help desk, complete, private to the user and without secrets.

use super::*;

fn bundle(desk: &Desk<'_>) -> String {
    desk.run(["doctor", "--bundle", "bundle.txt"]);
    desk.read("bundle.txt")
}

#[test]
fn doctor_bundle_is_private_and_complete() {
    let world = World::new();
    let desk = laptop_with(&world, "extra_params = { login_hint = \"s3cret-hint\" }");
    desk.set_variable("AWS_PROFILE", "claude");
    desk.set_variable("ANTHROPIC_API_KEY", "sk-ant-s3cret");
    desk.set_variable("HTTPS_PROXY", "http://jane:s3cret@proxy.example:3128");
    desk.set_variable("UNRELATED", "s3cret");
    let outcome = desk.run(["doctor", "--bundle", "bundle.txt"]).expect_code(0);
    let end = outcome.stdout.lines().last().unwrap();
    assert!(end.starts_with("bundle.txt ") && outcome.stderr.is_empty(), "{outcome:?}");
    desk.expect_wording("output", "doctor --bundle: the last line", end);
    let path = desk.home().join("bundle.txt");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = desk.read("bundle.txt");
    let program = desk.program().display().to_string();
    for part in [
        "# bedrock-sso: a bundle for your help desk\n",
        &format!("version = {}\n", env!("CARGO_PKG_VERSION")),
        "ok       ports    ",
        &format!("issuer = \"{}\"  # ~/{CONFIG}:4\n", world.issuer()),
        "extra_params = { login_hint = … }  # ",
        "AWS_PROFILE = claude\n",
        "ANTHROPIC_API_KEY is set\n",
        "HTTPS_PROXY is set\n",
        &format!("~/.aws/config: [profile claude] credential_process = \"{program}\" credentials --profile claude\n"),
        &format!("~/.claude/settings.json: awsAuthRefresh = \"{program}\" login --profile claude\n"),
        "## Last failure\n\nnothing\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("s3cret") && !text.contains("UNRELATED"), "{text}");
}

/// When the desk is dropped, it also searches every file of the home for every secret of the world.
#[test]
fn doctor_bundle_has_the_last_failure_and_no_secret() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(testworld::Knob::AuthorizeError, json!({ "error": "access_denied", "description": "not assigned" }));
    assert_eq!(desk.run(["login", "--force"]).code, Some(5));
    let text = bundle(&desk);
    assert!(text.contains("\ncode = 5\nwhat = ") && text.contains("access_denied (not assigned)"), "{text}");
    assert_eq!(desk.leaks().iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn doctor_bundle_overwrites_only_an_earlier_bundle() {
    let world = World::new();
    let desk = laptop(&world);
    bundle(&desk);
    desk.run(["doctor", "--json", "--bundle", "bundle.txt"]).expect_code(0);
    desk.write("precious.txt", "mine");
    let failed = desk.run(["doctor", "--bundle", "precious.txt"]).fails(2, "usage/bundle");
    failed.message_has(&["precious.txt"]);
    assert_eq!(desk.read("precious.txt"), "mine");
    desk.run(["doctor", "--bundle", "no/such/folder/x.txt"]).fails(10, "storage/files");
}

#[test]
fn doctor_bundle_is_written_without_a_configuration() {
    let world = World::new();
    let desk = Desk::new(&world, PROGRAM);
    fs::remove_file(desk.config_file()).unwrap();
    let text = bundle(&desk);
    assert!(text.contains("\nbad      configuration  "), "{text}");
}
