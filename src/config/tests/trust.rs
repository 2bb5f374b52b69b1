//! Keys that only some files may set: collectors of ID tokens and `min_version`. Also the proxy.

use super::{GOOD, Home, TRUSTING, assert_has, faults::said_of};

#[test]
fn id_token_is_sent_to_configured_collectors_only() {
    let without_collectors = said_of("telemetry.send_token = true");
    assert_has(&without_collectors, &["8: \"telemetry.send_token\""]);
    // The endpoint in Claude Code's environment does not count as a collector.
    let env = "claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://a.example\" }";
    assert_eq!(said_of(&format!("telemetry.send_token = true\n{env}")), without_collectors);
    assert_has(
        &said_of("telemetry.collectors = [\"http://b.example\"]"),
        &["8:", "\"telemetry.collectors\"", "\"http://b.example\""],
    );
    let variable = Home::new()
        .user(format!("{TRUSTING}telemetry.send_token = true\n"))
        .variable("BEDROCK_SSO_TELEMETRY_COLLECTORS", "[\"https://x.example\"]");
    assert_has(&variable.line(), &["BEDROCK_SSO_TELEMETRY_COLLECTORS:", "\"telemetry.collectors\""]);
}

/// A file that the call names may belong to an untrusted repository.
#[test]
fn collectors_of_a_named_file_get_no_id_token() {
    let collectors = "telemetry.collectors = [\"https://otel.example\"]\n";
    let with_token = format!("{GOOD}telemetry.send_token = true\n{collectors}");
    let telemetry = Home::new().user(&with_token).load().unwrap().telemetry;
    assert!(telemetry.send_token && telemetry.collectors.len() == 1);
    assert!(Home::new().system(&with_token).load().is_ok());
    let line = Home::new().with("mine.toml", &with_token).file("mine.toml").line();
    assert_has(&line, &["~/mine.toml:8:", "\"telemetry.send_token\""]);
    let narrowed = Home::new().with("mine.toml", format!("{GOOD}{collectors}")).file("mine.toml").load().unwrap();
    assert_eq!(narrowed.telemetry.collectors.len(), 1, "fewer collectors receive headers, and none receives the token");
}

#[test]
fn min_version_is_reported_before_unknown_keys() {
    let assert_too_old = |line: String, place: &str, version: &str| {
        assert_has(&line.replace(env!("CARGO_PKG_VERSION"), "{version}"), &[place, "{version}", version]);
    };
    let at_top = format!("min_version = \"999.1\"\nnew_key = 1{GOOD}another_new_key = 1\n");
    assert_too_old(Home::new().system(&at_top).line(), "~/system.toml:1: ", "999.1");
    let inside = format!("{GOOD}min_version = \"999\"\nanother_new_key = 1\n");
    assert_too_old(Home::new().system(&inside).line(), "~/system.toml:8: ", "999");
    let checked = Home::new().system(&at_top).ask(crate::config::check_all_files).unwrap_err();
    assert_eq!(checked.problem_lines().len(), 1, "{checked}");
    let failure = crate::failure::Failure::from(checked);
    assert_eq!((failure.slug(), failure.exit()), ("config/too_old", crate::failure::Exit::Configuration));

    for fine in ["0.0.1", "0", ""] {
        assert!(Home::new().system(format!("min_version = \"{fine}\"{GOOD}")).load().is_ok(), "{fine}");
    }
    let illegal = Home::new().system(format!("min_version = \"latest\"{GOOD}")).line();
    assert_has(&illegal, &["~/system.toml:1: ", "\"min_version\"", "\"latest\""]);
    let line = Home::new().user(format!("min_version = \"999\"{GOOD}")).line();
    assert_has(&line, &["~/user.toml:1: \"min_version\""]);
    assert_has(&said_of("min_version = \"999\""), &["8: \"min_version\""]);
}

#[test]
fn proxy_address_must_not_contain_a_password() {
    assert_has(&said_of("proxy = \"ftp://p\""), &["8: \"proxy\"", "\"ftp://p\""]);
    let said = said_of("proxy = \"http://jane:pa55word@p:3128\"");
    assert!(said.starts_with("8: \"proxy\"") && !said.contains("pa55word"), "{said}");
    use crate::http::ProxyChoice;
    let proxy = |text: &str| Home::new().user(format!("{GOOD}proxy = \"{text}\"\n")).load().unwrap().proxy;
    assert_eq!(
        [proxy(""), proxy("none"), proxy("http://p:1")],
        [ProxyChoice::Variables, ProxyChoice::Direct, ProxyChoice::At("http://p:1".to_owned())]
    );
    let enforced = GOOD.replace("version = 1", "version = 1\nenforce = [\"proxy\"]");
    assert_eq!(Home::new().system(enforced).load().unwrap().proxy, ProxyChoice::System);
}
