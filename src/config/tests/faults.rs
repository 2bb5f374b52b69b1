//! Each thing that can be wrong in a file, and what is said about it.

use super::{GOOD, Home};

/// What is said of the good file with one line changed. `~/user.toml` goes without saying.
fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    line(&GOOD.replace(from, to))
}

/// What is said of the good profile with a line more, its eighth.
pub(super) fn said_of(more: &str) -> String {
    line(&format!("{GOOD}{more}\n"))
}

pub(super) fn line(text: &str) -> String {
    let line = Home::new().user(text).line();
    line.strip_prefix("~/user.toml:").map(str::to_owned).unwrap_or(line)
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest() {
    assert_eq!(
        said("issuer =", "isuer ="),
        "4: unknown key \"isuer\" in [profiles.claude]; did you mean \"issuer\"?"
    );
    assert_eq!(
        said_of("client-id = \"x\""),
        "8: unknown key \"client-id\" in [profiles.claude]; did you mean \"client_id\"?"
    );
    assert_eq!(said_of("zzz = 1"), "8: unknown key \"zzz\" in [profiles.claude]");
    assert_eq!(
        said("version = 1", "version = 1\nprofile = {}"),
        "3: unknown key \"profile\"; did you mean \"profiles\"?"
    );
    assert_eq!(
        said_of("[profiles.claude.quota]\nendpont = \"\""),
        "9: unknown key \"endpont\" in [profiles.claude.quota]; did you mean \"endpoint\"?"
    );
}

#[test]
fn a_misspelt_rank_of_a_model_is_answered_with_the_nearest() {
    assert_eq!(
        said_of("[profiles.claude.claude_code]\nmodels = { opus = \"o\", sonet = \"s\" }"),
        "9: \"claude_code.models\" holds \"sonet\": must be one of default, opus, sonnet, haiku; did you mean \"sonnet\"?"
    );
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    assert_eq!(
        said("version = 1", "version = 1\nissuer = \"x\""),
        "3: \"issuer\" does not belong at the top, but in [profiles.NAME]"
    );
    assert_eq!(
        said_of("default_profile = \"claude\""),
        "8: \"default_profile\" does not belong in [profiles.claude], but in the top of the file, before the first table"
    );
    assert_eq!(
        said_of("send_token = true"),
        "8: \"send_token\" does not belong in [profiles.claude], but in [profiles.claude.telemetry]"
    );
    assert_eq!(
        said_of("[profiles.claude.quota]\nstorage = \"file\""),
        "9: \"storage\" does not belong in [profiles.claude.quota], but in [profiles.claude]"
    );
}

#[test]
fn broken_toml_is_told_by_line() {
    assert_eq!(said("\"0oa1b2c3d4\"", "\"0oa1b2c3d4"), "5: not TOML: invalid basic string, expected `\"`");
    assert_eq!(said_of("region = \"eu-west-1\""), "8: not TOML: duplicate key region");
}

#[test]
fn the_version_is_required_and_a_later_one_refused() {
    assert_eq!(said("version = 1", ""), "1: lacks \"version = 1\"");
    assert_eq!(
        said("version = 1", "version = 2\nfuture = true"),
        "2: version 2 is newer than this program, which reads version 1"
    );
    assert_eq!(said("version = 1", "version = 0"), "2: \"version\" holds 0: must be 1");
    assert_eq!(said("version = 1", "version = \"1\""), "2: \"version\" must be a number, not a string");
}

#[test]
fn a_value_of_the_wrong_type_is_told_what_is_expected() {
    for (line, message) in [
        ("redirect_ports = \"8400\"", "\"redirect_ports\" must be a list of port numbers, not a string"),
        ("redirect_ports = [\"8400\"]", "\"redirect_ports\" must be a list of port numbers, not a string"),
        ("browser = \"firefox\"", "\"browser\" must be a list of strings, not a string"),
        ("scopes = [1]", "\"scopes\" must be a list of strings, not a number"),
        ("extra_params = []", "\"extra_params\" must be a table of strings, not a list"),
        ("extra_params = { max_age = 5 }", "\"extra_params\" must be a table of strings, not a number"),
        ("login_timeout = 165", "\"login_timeout\" must be a string, not a number"),
        ("storage = true", "\"storage\" must be a string, not true or false"),
        ("storage = 2026-11-20", "\"storage\" must be a string, not a date"),
        ("quota = 1", "\"quota\" must be a table, not a number"),
        (
            "telemetry = { send_token = \"yes\" }",
            "\"telemetry.send_token\" must be true or false, not a string",
        ),
        (
            "telemetry = { headers = { a = 1 } }",
            "\"telemetry.headers\" must be a table of claim names or lists of them, not a number",
        ),
        ("claude_code = { env = { A = 1 } }", "\"claude_code.env\" must be a table of strings, not a number"),
    ] {
        assert_eq!(said_of(line), format!("8: {message}"));
    }
    assert_eq!(
        line("version = 1\nprofiles = 1\n"),
        "2: \"profiles\" must be a table of profiles, not a number"
    );
    assert_eq!(line("version = 1\nprofiles.a = 1\n"), "2: \"profiles.a\" must be a table, not a number");
    assert_eq!(
        line("version = 1\ndefault_profile = 1\n"),
        "2: \"default_profile\" must be a string, not a number"
    );
}

#[test]
fn an_illegal_value_is_told_the_rule() {
    for (line, message) in [
        (
            "storage = \"keyrng\"",
            "\"storage\" holds \"keyrng\": must be one of keyring, file, none; did you mean \"keyring\"?",
        ),
        ("login_timeout = \"9s\"", "\"login_timeout\" holds \"9s\": must be from 10s to 10m"),
        (
            "login_timeout = \"soon\"",
            "\"login_timeout\" holds \"soon\": not a duration, such as 90s, 15m, 12h or 1h30m",
        ),
        ("session_duration = \"14m\"", "\"session_duration\" holds \"14m\": must be from 15m to 12h"),
        ("session_duration = \"12h1s\"", "\"session_duration\" holds \"12h1s\": must be from 15m to 12h"),
        ("redirect_ports = [0]", "\"redirect_ports\" holds 0: not a port from 1 to 65535"),
        ("redirect_ports = [65536]", "\"redirect_ports\" holds 65536: not a port from 1 to 65535"),
        ("redirect_ports = [1, 1]", "\"redirect_ports\" holds 1: a port that is listed twice"),
        ("redirect_path = \"callback\"", "\"redirect_path\" holds \"callback\": must begin with one slash"),
        ("redirect_path = \"//evil\"", "\"redirect_path\" holds \"//evil\": must begin with one slash"),
        (
            "redirect_path = \"/a/../b\"",
            "\"redirect_path\" holds \"/a/../b\": must be written as a browser sends it: \"/b\"",
        ),
        (
            "redirect_path = \"/%2E/{b}\"",
            "\"redirect_path\" holds \"/%2E/{b}\": must be written as a browser sends it: \"/%7Bb%7D\"",
        ),
        (
            "redirect_path = \"/a?b\"",
            "\"redirect_path\" holds \"/a?b\": must be a plain path without query, fragment or spaces",
        ),
        ("browser = [\"\", \"{url}\"]", "\"browser\" holds [\"\", \"{url}\"]: must begin with a program"),
        (
            "browser = [\"firefox\"]",
            "\"browser\" holds [\"firefox\"]: must have \"{url}\" among its arguments, where the address goes",
        ),
    ] {
        assert_eq!(said_of(line), format!("8: {message}"));
    }
}

#[test]
fn an_illegal_list_or_address_is_told_the_rule() {
    for (line, message) in [
        (
            "session_name = []",
            "\"session_name\" holds []: must name at least one claim, and none that is empty",
        ),
        (
            "session_name = [\"{email\"]",
            "\"session_name\" holds [\"{email\"]: a brace must hold the name of a claim, such as {email}",
        ),
        (
            "session_name = [\"\"]",
            "\"session_name\" holds [\"\"]: must name at least one claim, and none that is empty",
        ),
        ("scopes = [\"openid email\"]", "\"scopes\" holds [\"openid email\"]: must be words without spaces"),
        (
            "extra_params = { state = \"x\" }",
            "\"extra_params\" holds \"state\": a parameter that the sign-in sets itself, or a secret",
        ),
        (
            "sts_endpoint = \"http://sts.example\"",
            "\"sts_endpoint\" holds \"http://sts.example\": not https; plain http is accepted for this machine only",
        ),
        (
            "ca_bundle = \"roots.pem\"",
            "\"ca_bundle\" holds \"roots.pem\": must be an absolute path or begin with ~/",
        ),
        (
            "role_chain = [\"x\"]",
            "\"role_chain.role_arn\" holds \"x\": not the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser",
        ),
    ] {
        assert_eq!(said_of(line), format!("8: {message}"));
    }
}

#[test]
fn the_four_required_values_are_judged_too() {
    for (from, to, message) in [
        (
            "https://acme",
            "http://acme",
            "4: \"issuer\" holds \"http://acme.okta.com\": not https; plain http is accepted for this machine only",
        ),
        (
            "https://acme.okta.com",
            "acme.okta.com",
            "4: \"issuer\" holds \"acme.okta.com\": not an absolute address such as https://login.example.com",
        ),
        (
            "okta.com",
            "okta.com?x",
            "4: \"issuer\" holds \"https://acme.okta.com?x\": an issuer has no query and no fragment",
        ),
        ("0oa1b2c3d4", " ", "5: \"client_id\" holds \" \": must not be empty"),
        (
            "0oa1b2c3d4",
            "a\\nb",
            "5: \"client_id\" holds \"a\\nb\": must be one line without control characters",
        ),
        (
            "123456789012",
            "12",
            "6: \"role_arn\" holds \"arn:aws:iam::12:role/BedrockUser\": not the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser",
        ),
        ("us-east-1", "us-east", "7: \"region\" holds \"us-east\": not an AWS region, such as us-east-1"),
        ("us-east-1", "US-EAST-1", "7: \"region\" holds \"US-EAST-1\": not an AWS region, such as us-east-1"),
    ] {
        assert_eq!(said(from, to), message);
    }
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    assert_eq!(
        said("https://acme", "https://me:hunter2@acme"),
        "4: \"issuer\": an address may not carry a user name or password"
    );
}

#[test]
fn protocol_parameters_cannot_be_overridden() {
    for name in [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    ] {
        let said = said_of(&format!("extra_params = {{ prompt = \"login\", {name} = \"x\" }}"));
        assert!(said.contains("a parameter that the sign-in sets itself"), "{said}");
    }
}

#[test]
fn what_is_missing_is_told_with_the_profile_that_lacks_it() {
    assert_eq!(said("client_id = \"0oa1b2c3d4\"", ""), "3: [profiles.claude] lacks \"client_id\"");
}

#[test]
fn a_role_of_another_partition_than_the_region_is_refused() {
    let region = |region| said("us-east-1", region);
    let said = |region: &str, of: &str| {
        format!(
            "7: region \"{region}\" is of partition {of}, and the role arn:aws:iam::123456789012:role/BedrockUser of aws"
        )
    };
    assert_eq!(region("cn-north-1"), said("cn-north-1", "aws-cn"));
    assert_eq!(region("us-gov-west-1"), said("us-gov-west-1", "aws-us-gov"));
    assert_eq!(region("eusc-de-east-1"), said("eusc-de-east-1", "aws-eusc"));
    assert_eq!(region("us-isob-east-1"), said("us-isob-east-1", "aws-iso-b"));
    let govern = GOOD.replace("arn:aws:", "arn:aws-us-gov:").replace("us-east-1", "us-gov-west-1");
    assert_eq!(Home::new().user(govern).load().unwrap().final_role().unwrap().partition(), "aws-us-gov");
}

#[test]
fn a_profiles_name_is_fit_for_a_command_line() {
    let rule = "a profile's name is made of up to 64 letters, digits, \"-\", \"_\" and \".\", beginning with a letter or a digit";
    for bad in ["-x", ".x", "a b", "a/b", "", "é"] {
        assert_eq!(
            said("[profiles.claude]", &format!("[profiles.\"{bad}\"]")),
            format!("3: \"profiles\" holds \"{bad}\": {rule}")
        );
    }
}

#[test]
fn enforce_names_known_keys_only() {
    let system = |enforce: &str| {
        Home::new().system(GOOD.replace("version = 1", &format!("version = 1\nenforce = {enforce}"))).line()
    };
    assert_eq!(
        system("[\"isuer\"]"),
        "~/system.toml:3: \"enforce\" holds \"isuer\": not a key of a profile; did you mean \"issuer\"?"
    );
    assert_eq!(system("[\"\"]"), "~/system.toml:3: \"enforce\" holds \"\": not a key of a profile");
    assert_eq!(system("\"issuer\""), "~/system.toml:3: \"enforce\" must be a list of keys, not a string");
    assert_eq!(system("[1]"), "~/system.toml:3: \"enforce\" must be a list of keys, not a number");
}

#[test]
fn all_problems_of_all_files_are_told_in_their_order() {
    let home = Home::new().system("version = 1\nx = 1\n").user(
        GOOD.replace("issuer", "isuer").replace("us-east-1", "there") + "[profiles.other]\nlogin = \"no\"\n",
    );
    assert_eq!(
        home.lines(),
        [
            "~/system.toml:2: unknown key \"x\"",
            "~/user.toml:4: unknown key \"isuer\" in [profiles.claude]; did you mean \"issuer\"?",
            "~/user.toml:7: \"region\" holds \"there\": not an AWS region, such as us-east-1",
            "~/user.toml:9: \"login\" holds \"no\": must be one of auto, explicit",
        ]
    );
    let whole = home.load().unwrap_err().to_string().replace("~\\", "~/");
    assert_eq!(whole, "~/system.toml:2: unknown key \"x\" (and 3 more problems)");
}

#[test]
fn control_characters_do_not_reach_the_message() {
    assert_eq!(said_of("\"a\\u001b[31m\" = 1"), "8: unknown key \"a\\u{1b}[31m\" in [profiles.claude]");
}

#[test]
fn a_value_is_shown_without_tricks_and_cut() {
    assert_eq!(
        said_of("storage = \"\u{202e}elif\""),
        "8: \"storage\" holds \"\\u{202e}elif\": must be one of keyring, file, none"
    );
    let said = said_of(&format!("storage = \"{}\"", "x".repeat(5000)));
    assert_eq!(said.len(), "8: \"storage\" holds …: must be one of keyring, file, none".len() + 300);
}

#[test]
fn no_text_makes_it_panic() {
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
