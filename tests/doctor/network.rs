//! Checks of the clock, the proxy, the certificates, AWS, the quota service and the telemetry collector.

use testworld::{Fault, Knob};

use super::*;

fn sts(world: &World) -> String {
    world.sts_endpoint().trim_start_matches("http://").to_owned()
}

#[test]
fn doctor_reports_how_wrong_the_clock_is() {
    let world = World::new();
    let desk = laptop(&world);
    for (clock, result, facts) in [
        (630, "bad", ["10 min behind", "127.0.0.1:"]),
        (-630, "bad", ["10 min ahead", "127.0.0.1:"]),
        (-200, "warn", ["3 min", "127.0.0.1:"]),
        (90, "bad", ["1 min", "127.0.0.1:"]),
    ] {
        world.set(Knob::Clock, clock);
        // The clocks of provider and STS can differ by a second, so either may be named.
        let mut found = checks(&desk);
        found.retain(|check| ["warn", "bad"].contains(&check["result"].as_str().unwrap()));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_complaint(&found[0], "clock", result, &facts);
    }
    world.set(Knob::Clock, 20);
    complains_of_nothing(&desk);
}

#[test]
fn doctor_reports_unreachable_aws_and_captive_portal() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::IdentityFault, Fault::Portal);
    complains(&desk, "aws", "bad", &[&sts(&world), "200", "`sts_endpoint`"]);
    world.stop_sts();
    complains(&desk, "aws", "bad", &[&sts(&world), "HTTPS_PROXY"]);
}

#[test]
fn doctor_reports_the_proxy_and_its_setting() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_variable("HTTPS_PROXY", "ftp://proxy.example");
    let failed = desk.run(["login", "--force"]).fails(3, "config/proxy");
    for name in ["proxy", "discovery", "aws"] {
        assert_complaint(&find_check(&desk, name), name, "bad", &[&failed.message, &failed.hint]);
    }
    desk.set_variable("HTTPS_PROXY", "http://jane:pa55word@proxy.example:3128");
    desk.set_key("sts_endpoint", "\"https://sts.example.com\"");
    let host = world.issuer().trim_start_matches("http://").to_owned();
    let message = says(&desk, "proxy");
    for fact in [host.as_str(), "sts.example.com", "proxy.example:3128"] {
        assert!(message.contains(fact), "{message}");
    }
    assert!(!message.contains("pa55word"), "{message}");
    for (key, proxy) in [("http://own.example:8080", Some("own.example:8080")), ("none", None)] {
        desk.set_key("proxy", &format!("\"{key}\""));
        let message = says(&desk, "proxy");
        assert!(message.contains("sts.example.com"), "{message}");
        assert_eq!(message.contains("own.example"), proxy.is_some(), "{message}");
        assert!(message.contains(proxy.unwrap_or_default()), "{message}");
    }
}

#[test]
fn doctor_names_the_certificate_authorities() {
    let world = World::over_tls();
    let desk = laptop(&world);
    let host = |address: String| address.trim_start_matches("https://").to_owned();
    let message = says(&desk, "certificates");
    for fact in ["Demo Test Authority", &host(world.issuer()), &host(world.sts_endpoint())] {
        assert!(message.contains(fact), "{fact}: {message}");
    }
    let text = desk.read(CONFIG);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("ca_bundle")).collect();
    desk.write(CONFIG, &lines.join("\n"));
    let found = complaints(&desk);
    assert_eq!(found.len(), 2, "{found:#?}");
    for (check, (name, address)) in found.iter().zip([("discovery", world.issuer()), ("aws", world.sts_endpoint())]) {
        assert_complaint(check, name, "bad", &[&host(address), "Demo Test Authority"]);
    }
}

#[test]
fn doctor_rates_a_quota_failure_by_on_error() {
    let world = World::new();
    let quota = |on_error: &str| {
        let endpoint = json!(world.quota_endpoint());
        format!("[profiles.claude.quota]\nendpoint = {endpoint}\non_error = \"{on_error}\"\n")
    };
    let [allow, deny] = ["allow", "deny"].map(|on_error| laptop_with(&world, &quota(on_error)));
    let host = world.quota_endpoint().trim_start_matches("http://").to_owned();
    assert!(says(&deny, "quota").contains(&host));
    world.set(Knob::QuotaFault, Fault::Status(500));
    for (desk, result) in [(&allow, "warn"), (&deny, "bad")] {
        complains(desk, "quota", result, &[&host, "500", "quota.endpoint"]);
    }
    deny.run(["doctor"]).expect_code(8);
    world.stop_quota();
    complains(&deny, "quota", "bad", &[&host, "HTTPS_PROXY"]);
}

#[test]
fn doctor_says_whether_the_user_may_spend() {
    let world = World::new();
    let endpoint = json!(world.quota_endpoint());
    let desk = laptop_with(&world, &format!("[profiles.claude.quota]\nendpoint = {endpoint}\non_error = \"deny\"\n"));
    assert!(says(&desk, "quota").contains("1000 of 100 k tokens"));
    let asked = |usage: Value| json!({ "allowed": true, "usage": usage });
    world.set(Knob::Quota, asked(json!({})));
    assert!(says(&desk, "quota").contains("no limit"));
    world.set(Knob::Quota, asked(json!({ "monthly_percent": 83.4, "daily_percent": 12.0 })));
    complains(&desk, "quota", "warn", &["83 %", "`bedrock-sso quota`"]);
    world.set(Knob::Quota, json!({
        "allowed": false, "reason": "blocked", "message": "Ask it-help@example.com.", "resets_at": "2100-01-01T00:00:00Z",
    }));
    complains(&desk, "quota", "bad", &["blocked", "it-help@example.com", "2100-01-01"]);
    desk.run(["doctor"]).expect_code(8);
    world.clear(Knob::Quota);
    world.set(Knob::QuotaFault, Fault::Status(401));
    complains(&desk, "quota", "bad", &["does not accept your sign-in"]);
    // Without a sign-in, the same answer shows that the service is there.
    desk.run(["logout"]).expect_code(0);
    let quota = find_check(&desk, "quota");
    assert_eq!(quota["result"], "ok", "{quota}");
}

#[test]
fn doctor_names_a_collector_that_gets_no_headers() {
    let world = World::new();
    let desk = with_collector(&world, &world.quota_endpoint());
    desk.set_key("telemetry.collectors", "[\"https://otel.example.com\"]");
    complains(&desk, "collector", "warn", &[&world.quota_endpoint(), "telemetry.collectors"]);
    desk.set_key("telemetry.collectors", &format!("[\"{}/v1\"]", world.quota_endpoint()));
    assert!(says(&desk, "collector").contains("answers"));
}

/// A healthy machine whose profile and Claude Code settings name a collector at this address.
fn with_collector<'w>(world: &'w World, address: &str) -> Desk<'w> {
    let table = format!("{{ OTEL_EXPORTER_OTLP_ENDPOINT = {} }}", json!(address));
    laptop_with(world, &format!("[profiles.claude.claude_code]\nenv = {table}\n"))
}

#[test]
fn doctor_warns_about_unreachable_or_plain_http_collector() {
    let world = World::new();
    let desk = with_collector(&world, &world.quota_endpoint());
    let host = world.quota_endpoint().trim_start_matches("http://").to_owned();
    assert!(says(&desk, "collector").contains(&host));
    assert!(says(&desk, "claude-hooks").contains("awsAuthRefresh, otelHeadersHelper"));
    world.stop_quota();
    complains(&desk, "collector", "warn", &[&host, "HTTPS_PROXY"]);
    let open = with_collector(&world, "http://otel.example.com:4318");
    complains(&open, "collector", "warn", &["http://otel.example.com:4318", "https", "claude_code.env"]);
}
