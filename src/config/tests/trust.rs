//! What only some files are believed in: collectors of tokens, the version that is wanted; and the proxy.

use super::{GOOD, Home, TRUSTING, faults::said_of};

#[test]
fn token_goes_along_only_to_configured_collectors() {
    let nowhere = "8: \"telemetry.send_token\" holds true: nothing says to which collectors";
    assert_eq!(said_of("telemetry.send_token = true"), nowhere);
    // Where Claude Code sends its telemetry makes no collector.
    let env = "claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://a.example\" }";
    assert_eq!(said_of(&format!("telemetry.send_token = true\n{env}")), nowhere);
    assert_eq!(
        said_of("telemetry.collectors = [\"http://b.example\"]"),
        "8: \"telemetry.collectors\" holds \"http://b.example\": not https; plain http is accepted for this machine only"
    );
    let variable = Home::new()
        .user(format!("{TRUSTING}telemetry.send_token = true\n"))
        .variable("BEDROCK_SSO_TELEMETRY_COLLECTORS", "[\"https://x.example\"]");
    assert_eq!(
        variable.line(),
        "BEDROCK_SSO_TELEMETRY_COLLECTORS: only a file can set \"telemetry.collectors\""
    );
}

/// A file that the call names may be a repository's.
#[test]
fn collectors_of_a_named_file_get_no_token() {
    let collectors = "telemetry.collectors = [\"https://otel.example\"]\n";
    let with_token = format!("{GOOD}telemetry.send_token = true\n{collectors}");
    let telemetry = Home::new().user(&with_token).load().unwrap().telemetry;
    assert!(telemetry.send_token && telemetry.collectors.len() == 1);
    assert!(Home::new().system(&with_token).load().is_ok());
    let line = Home::new().with("mine.toml", &with_token).file("mine.toml").line();
    assert_eq!(
        line,
        "~/mine.toml:8: \"telemetry.send_token\" holds true: its collectors are believed only from a file in its default place"
    );
    let narrowed =
        Home::new().with("mine.toml", format!("{GOOD}{collectors}")).file("mine.toml").load().unwrap();
    assert_eq!(narrowed.telemetry.collectors.len(), 1, "fewer are told, and nobody gets a token");
}

#[test]
fn newer_program_that_the_administrator_wants_is_named_before_unknown_keys() {
    let too_old = |version: &str| {
        format!("this is version {}, and version {version} or later is required", env!("CARGO_PKG_VERSION"))
    };
    let at_top = format!("min_version = \"999.1\"\nnew_key = 1{GOOD}another_new_key = 1\n");
    assert_eq!(Home::new().system(&at_top).line(), format!("~/system.toml:1: {}", too_old("999.1")));
    let inside = format!("{GOOD}min_version = \"999\"\nanother_new_key = 1\n");
    assert_eq!(Home::new().system(&inside).line(), format!("~/system.toml:8: {}", too_old("999")));
    let checked = Home::new().system(&at_top).ask(crate::config::check_all_files).unwrap_err();
    assert_eq!(checked.problem_lines().len(), 1, "{checked}");
    let failure = crate::failure::Failure::from(checked);
    assert_eq!(
        (failure.slug.as_str(), failure.exit),
        ("config/too_old", crate::failure::Exit::Configuration)
    );

    for fine in ["0.0.1", "0", ""] {
        assert!(Home::new().system(format!("min_version = \"{fine}\"{GOOD}")).load().is_ok(), "{fine}");
    }
    let illegal = Home::new().system(format!("min_version = \"latest\"{GOOD}")).line();
    assert_eq!(illegal, "~/system.toml:1: \"min_version\" holds \"latest\": not a version, such as 1.4.0");
    let user = "\"min_version\" works in the administrator's file only";
    assert_eq!(
        Home::new().user(format!("min_version = \"999\"{GOOD}")).line(),
        format!("~/user.toml:1: {user}")
    );
    assert_eq!(said_of("min_version = \"999\""), format!("8: {user}"));
}

#[test]
fn proxy_is_an_address_without_a_password() {
    let rule = "not the address of a proxy, such as http://proxy.acme.example:3128";
    assert_eq!(said_of("proxy = \"ftp://p\""), format!("8: \"proxy\" holds \"ftp://p\": {rule}"));
    let said = said_of("proxy = \"http://jane:pa55word@p:3128\"");
    assert_eq!(said, "8: \"proxy\": must not hold a user name or password: give them in HTTPS_PROXY");
    use crate::http::ProxyChoice;
    let proxy = |text: &str| Home::new().user(format!("{GOOD}proxy = \"{text}\"\n")).load().unwrap().proxy;
    assert_eq!(
        [proxy(""), proxy("none"), proxy("http://p:1")],
        [ProxyChoice::Variables, ProxyChoice::Direct, ProxyChoice::At("http://p:1".to_owned())]
    );
    let enforced = GOOD.replace("version = 1", "version = 1\nenforce = [\"proxy\"]");
    assert_eq!(Home::new().system(enforced).load().unwrap().proxy, ProxyChoice::System);
}
