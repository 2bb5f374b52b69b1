//! Every fault that a file can have, and its message.

use super::{GOOD, Home, assert_has};

/// The problem of the correct file after one replacement, without the prefix `~/user.toml`.
#[track_caller]
fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    line(&GOOD.replace(from, to))
}

/// The problem of the correct profile with this line added as line 8.
#[track_caller]
pub(super) fn said_of(more: &str) -> String {
    line(&format!("{GOOD}{more}\n"))
}

/// The problem of a file with this text, without the prefix `~/user.toml`.
#[track_caller]
pub(super) fn line(text: &str) -> String {
    let line = Home::new().user(text).line();
    line.strip_prefix("~/user.toml:").map(str::to_owned).unwrap_or(line)
}

/// Asserts that each line is a problem whose message names the key and, for text and numbers, the value.
#[track_caller]
pub(super) fn assert_each_is_wrong(lines: &[&str]) {
    for line in lines {
        let key = line.split_once(" = ").expect("a key and a value").0;
        let said = said_of(line);
        assert!(said.starts_with(&format!("8: \"{key}")), "{line}: {said}");
    }
}

#[test]
fn misspelled_key_gets_a_suggestion() {
    assert_has(&said("issuer =", "isuer ="), &["4:", "\"isuer\"", "\"issuer\""]);
    assert_has(&said_of("client-id = \"x\""), &["8:", "\"client-id\"", "\"client_id\""]);
    assert_has(&said_of("zzz = 1"), &["8:", "\"zzz\""]);
    assert_has(&said("version = 1", "version = 1\nprofile = {}"), &["3:", "\"profile\"", "\"profiles\""]);
    assert_has(&said_of("[profiles.claude.quota]\nendpont = \"\""), &["9:", "\"endpont\"", "\"endpoint\""]);
}

#[test]
fn misspelled_model_rank_gets_a_suggestion() {
    assert_has(
        &said_of("[profiles.claude.claude_code]\nmodels = { opus = \"o\", sonet = \"s\" }"),
        &["9:", "\"claude_code.models\"", "\"sonet\"", "\"sonnet\""],
    );
}

#[test]
fn key_in_the_wrong_table_names_the_right_table() {
    assert_has(&said("version = 1", "version = 1\nissuer = \"x\""), &["3:", "\"issuer\""]);
    assert_has(&said_of("default_profile = \"claude\""), &["8:", "\"default_profile\""]);
    assert_has(&said_of("send_token = true"), &["8:", "\"send_token\""]);
    assert_has(&said_of("[profiles.claude.quota]\nstorage = \"file\""), &["9:", "\"storage\""]);
}

#[test]
fn toml_syntax_error_names_the_line() {
    assert_has(&said("\"0oa1b2c3d4\"", "\"0oa1b2c3d4"), &["5:"]);
    assert_has(&said_of("region = \"eu-west-1\""), &["8:"]);
}

#[test]
fn missing_or_newer_version_is_rejected() {
    assert_has(&said("version = 1", ""), &["1:", "\"version = 1\""]);
    assert_has(&said("version = 1", "version = 2\nfuture = true"), &["2:"]);
    assert_has(&said("version = 1", "version = 0"), &["2:", "\"version\""]);
    assert_has(&said("version = 1", "version = \"1\""), &["2:", "\"version\""]);
}

#[test]
fn wrong_type_names_the_expected_type() {
    assert_each_is_wrong(&[
        "redirect_ports = \"8400\"",
        "redirect_ports = [\"8400\"]",
        "browser = \"firefox\"",
        "scopes = [1]",
        "extra_params = []",
        "extra_params = { max_age = 5 }",
        "login_timeout = 165",
        "storage = true",
        "storage = 2026-11-20",
        "quota = 1",
        "telemetry = { send_token = \"yes\" }",
        "telemetry = { headers = { a = 1 } }",
        "claude_code = { env = { A = 1 } }",
    ]);
    assert_has(&line("version = 1\nprofiles = 1\n"), &["2:", "\"profiles\""]);
    assert_has(&line("version = 1\nprofiles.a = 1\n"), &["2:", "\"profiles.a\""]);
    assert_has(&line("version = 1\ndefault_profile = 1\n"), &["2:", "\"default_profile\""]);
}

#[test]
fn illegal_value_names_the_rule() {
    assert_each_is_wrong(&[
        "storage = \"keyrng\"", "login_timeout = \"9s\"", "login_timeout = \"soon\"", "session_duration = \"14m\"",
        "session_duration = \"12h1s\"", "redirect_ports = [0]", "redirect_ports = [65536]", "redirect_ports = [1, 1]",
        "redirect_path = \"callback\"", "redirect_path = \"//evil\"", "redirect_path = \"/a/../b\"",
        "redirect_path = \"/%2E/{b}\"", "redirect_path = \"/a?b\"", "browser = [\"\", \"{url}\"]",
        "browser = [\"firefox\"]",
    ]);
}

#[test]
fn illegal_list_or_address_names_the_rule() {
    assert_each_is_wrong(&[
        "session_name = []",
        "session_name = [\"{email\"]",
        "session_name = [\"\"]",
        "scopes = [\"openid email\"]",
        "extra_params = { state = \"x\" }",
        "sts_endpoint = \"http://sts.example\"",
        "ca_bundle = \"roots.pem\"",
        "role_chain = [\"x\"]",
    ]);
}

#[test]
fn illegal_required_value_is_rejected() {
    for (from, to, place) in [
        ("https://acme", "http://acme", "4: \"issuer\""),
        ("https://acme.okta.com", "acme.okta.com", "4: \"issuer\""),
        ("okta.com", "okta.com?x", "4: \"issuer\""),
        ("0oa1b2c3d4", " ", "5: \"client_id\""),
        ("0oa1b2c3d4", "a\\nb", "5: \"client_id\""),
        ("123456789012", "12", "6: \"role_arn\""),
        ("us-east-1", "us-east", "7: \"region\""),
        ("us-east-1", "US-EAST-1", "7: \"region\""),
    ] {
        assert!(said(from, to).starts_with(place), "{to}");
    }
}

#[test]
fn password_in_an_address_is_not_printed() {
    assert_has(&said("https://acme", "https://me:hunter2@acme"), &["4:", "\"issuer\""]);
}

#[test]
fn extra_params_cannot_override_protocol_parameters() {
    for name in [
        "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge",
        "code_challenge_method",
    ] {
        let said = said_of(&format!("extra_params = {{ prompt = \"login\", {name} = \"x\" }}"));
        assert_has(&said, &["8: \"extra_params\"", name]);
    }
}

#[test]
fn missing_key_names_its_profile() {
    assert_has(&said("client_id = \"0oa1b2c3d4\"", ""), &["3:", "\"client_id\""]);
}

#[test]
fn role_of_another_partition_is_rejected() {
    for (region, partition) in [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-isob-east-1", "aws-iso-b"),
    ] {
        assert_has(
            &said("us-east-1", region),
            &["7:", region, partition, "arn:aws:iam::123456789012:role/BedrockUser"],
        );
    }
    let govern = GOOD.replace("arn:aws:", "arn:aws-us-gov:").replace("us-east-1", "us-gov-west-1");
    assert_eq!(Home::new().user(govern).load().unwrap().final_role().unwrap().partition(), "aws-us-gov");
}

#[test]
fn illegal_profile_name_is_rejected() {
    for bad in ["-x", ".x", "a b", "a/b", "", "é"] {
        let said = said("[profiles.claude]", &format!("[profiles.\"{bad}\"]"));
        assert_has(&said, &["3: \"profiles\"", &format!("\"{bad}\"")]);
    }
}

#[test]
fn enforce_rejects_unknown_keys() {
    let system = |enforce: &str| {
        Home::new().system(GOOD.replace("version = 1", &format!("version = 1\nenforce = {enforce}"))).line()
    };
    assert_has(&system("[\"isuer\"]"), &["~/system.toml:3:", "\"enforce\"", "\"isuer\"", "\"issuer\""]);
    assert_has(&system("[\"\"]"), &["~/system.toml:3:", "\"enforce\""]);
    assert_has(&system("\"issuer\""), &["~/system.toml:3:", "\"enforce\""]);
    assert_has(&system("[1]"), &["~/system.toml:3:", "\"enforce\""]);
}

#[test]
fn problems_are_reported_in_the_order_of_the_files() {
    let home = Home::new()
        .system("version = 1\nx = 1\n")
        .user(GOOD.replace("issuer", "isuer").replace("us-east-1", "there") + "[profiles.other]\nlogin = \"no\"\n");
    let lines = home.lines();
    let expected = [
        ["~/system.toml:2:", "\"x\""],
        ["~/user.toml:4:", "\"isuer\""],
        ["~/user.toml:7:", "\"region\""],
        ["~/user.toml:9:", "\"login\""],
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    lines.iter().zip(expected).for_each(|(line, facts)| assert_has(line, &facts));
    let whole = home.load().unwrap_err().to_string().replace("~\\", "~/");
    assert!(whole.starts_with(&lines[0]) && whole.contains('3'), "{whole}");
}

#[test]
fn control_characters_in_a_message_are_escaped() {
    assert_has(&said_of("\"a\\u001b[31m\" = 1"), &["8:", "\"a\\u{1b}[31m\""]);
}

#[test]
fn value_in_a_message_is_escaped_and_shortened() {
    assert_has(&said_of("storage = \"\u{202e}elif\""), &["8:", "\"storage\"", "\"\\u{202e}elif\""]);
    let said = said_of(&format!("storage = \"{}\"", "x".repeat(5000)));
    assert!(said.contains(&"x".repeat(100)) && said.len() < 500, "{said}");
}

#[test]
fn arbitrary_text_causes_no_panic() {
    let mut seed: u64 = 20_261_120;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let example = include_str!("../../../config.example.toml").replace("\n#", "\n");
    for round in 0..500 {
        let mut text: Vec<u8> = if round % 2 == 0 { GOOD.into() } else { example.clone().into() };
        for _ in 0..=random(6) {
            let at = random(text.len());
            match random(4) {
                0 => text[at] = b"\0\"'[]{}=.#\n\r\\-1\xff"[random(16)],
                1 => drop(text.drain(at..(at + random(40)).min(text.len()))),
                2 => text.insert(at, b"\"[{.=\n"[random(6)]),
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                text.push(b'x');
            }
        }
        let home = Home::new().system(&text).user(&text);
        let errors = home.load().err().into_iter().chain(home.ask(crate::config::check_all_files).err());
        assert!(errors.map(|error| error.problem_lines()).all(|lines| !lines.is_empty()));
    }
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(Home::new().user(deep).load().is_err());
}
