//! The relay of telemetry: who may name it, and which keys contradict it.

use super::{GOOD, Home, TRUSTING, assert_has, faults::said_of};
use crate::config::{TelemetryRelay, TelemetrySettings};

fn load(lines: &str) -> TelemetrySettings {
    Home::new().user(format!("{GOOD}{lines}\n")).load().unwrap().telemetry
}

#[test]
fn laptop_relay_has_a_port_and_no_collectors() {
    let TelemetryRelay::Laptop(relay) = load("telemetry.relay = \"laptop\"").relay else { panic!("another relay") };
    assert_eq!(relay.address(), "http://127.0.0.1:48318");
    assert_eq!((relay.log_group, relay.log_stream.as_str()), (None, "laptops"));
    let lines = "telemetry.relay = \"laptop\"\ntelemetry.relay_port = 5000\ntelemetry.log_group = \"/a/b\"\n\
                 telemetry.relay_endpoint = \"https://{service}.vpce.example\"";
    let TelemetryRelay::Laptop(relay) = load(lines).relay else { panic!("another relay") };
    assert_eq!((relay.port, relay.log_group.as_deref()), (5000, Some("/a/b")));
    let endpoints = relay.endpoints.unwrap();
    assert_eq!(endpoints.metrics.authority(), "monitoring.vpce.example");
    assert_eq!(endpoints.logs.authority(), "logs.vpce.example");
}

#[test]
fn remote_relay_gets_the_id_token() {
    let telemetry = load("telemetry.relay = \"https://relay.example/otlp\"");
    assert!(telemetry.send_token);
    assert_eq!(telemetry.collectors.iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["https://relay.example/otlp"]);
    let two = load("telemetry.relay = \"https://relay.example\"\ntelemetry.collectors = [\"https://otel.example\"]");
    assert_eq!(two.collectors.len(), 2);
    assert!(!load("telemetry.relay = \"none\"").send_token);
}

#[test]
fn illegal_relay_settings_are_rejected() {
    for (line, key) in [
        ("telemetry.relay = \"desktop\"", "telemetry.relay"),
        ("telemetry.relay = \"http://relay.example\"", "telemetry.relay"),
        ("telemetry.relay = \"https://me:pw@relay.example\"", "telemetry.relay"),
        ("telemetry.relay_port = 0", "telemetry.relay_port"),
        ("telemetry.relay_port = 65536", "telemetry.relay_port"),
        ("telemetry.relay_port = \"5000\"", "telemetry.relay_port"),
        ("telemetry.log_group = \"a b\"", "telemetry.log_group"),
        ("telemetry.log_stream = \"a:b\"", "telemetry.log_stream"),
        ("telemetry.log_stream = \"\"", "telemetry.log_stream"),
        ("telemetry.relay_endpoint = \"http://{service}.example\"", "telemetry.relay_endpoint"),
    ] {
        assert_has(&said_of(line), &["8:", &format!("\"{key}\"")]);
    }
}

#[test]
fn laptop_relay_excludes_collectors_token_and_no_storage() {
    let with = |line: &str| said_of(&format!("telemetry.relay = \"laptop\"\n{line}"));
    assert_has(&with("telemetry.collectors = [\"https://otel.example\"]"), &["9: \"telemetry.collectors\""]);
    assert_has(&with("telemetry.send_token = true"), &["9: \"telemetry.send_token\""]);
    assert_has(&with("storage = \"none\""), &["8: \"telemetry.relay\"", "storage"]);
}

/// A file that the call names may belong to an untrusted repository, and so may a variable.
#[test]
fn relay_is_named_by_a_file_in_its_default_place_only() {
    for relay in ["laptop", "https://relay.example"] {
        let text = format!("{GOOD}telemetry.relay = \"{relay}\"\n");
        assert!(Home::new().user(&text).load().is_ok() && Home::new().system(&text).load().is_ok());
        let line = Home::new().with("mine.toml", &text).file("mine.toml").line();
        assert_has(&line, &["~/mine.toml:8:", "\"telemetry.relay\""]);
        let home = Home::new().user(TRUSTING).variable("BEDROCK_SSO_TELEMETRY_RELAY", relay);
        assert_has(&home.line(), &["BEDROCK_SSO_TELEMETRY_RELAY:", "\"telemetry.relay\""]);
    }
}

#[test]
fn identity_center_has_the_laptop_relay_only() {
    let center = "version = 1\n[profiles.claude]\nfederation = \"identity-center\"\nregion = \"us-east-1\"\n\
                  identity_center.start_url = \"https://acme.awsapps.com/start\"\n\
                  identity_center.account_id = \"123456789012\"\nidentity_center.permission_set = \"Bedrock\"\n";
    let with = |relay: &str| Home::new().user(format!("{center}telemetry.relay = \"{relay}\"\n"));
    assert!(matches!(with("laptop").load().unwrap().telemetry.relay, TelemetryRelay::Laptop(_)));
    assert_has(&with("https://relay.example").line(), &["\"telemetry.relay\"", "ID token"]);
}
