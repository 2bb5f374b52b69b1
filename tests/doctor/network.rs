//! Faults on the way: the clock, proxies, certificates, AWS, and the services of the organisation.

use testworld::{Fault, Knob};

use super::*;

fn sts(world: &World) -> String {
    world.sts_endpoint().trim_start_matches("http://").to_owned()
}

#[test]
fn a_wrong_clock_is_told_by_how_much() {
    let world = World::new();
    let desk = laptop(&world);
    let remedy = "set this computer's clock; better, let it follow network time";
    for (clock, result, message) in [
        (630, "bad", "this computer's clock is 10 min behind that of 127.0.0.1:…"),
        (-630, "bad", "this computer's clock is 10 min ahead of that of 127.0.0.1:…"),
        (-200, "warn", "this computer's clock is 3 min…"),
        (90, "bad", "this computer's clock is 1 min…"),
    ] {
        world.set(Knob::Clock, clock);
        complains(&desk, &[("clock", result, message, remedy)]);
    }
    world.set(Knob::Clock, 20);
    complains(&desk, &[]);
}

#[test]
fn aws_that_is_gone_or_another_in_its_place_is_named() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::IdentityFault, Fault::Portal);
    complains(
        &desk,
        &[(
            "aws",
            "bad",
            &format!("{} answered 200, and not as AWS does", sts(&world)),
            "sign in to this network if it wants that, or check the proxy and `sts_endpoint`",
        )],
    );
    world.stop_sts();
    let message = format!("{} could not be reached", sts(&world));
    complains(&desk, &[("aws", "bad", &message, NETWORK)]);
}

#[test]
fn a_proxy_that_is_no_address_is_named_by_its_variable() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_variable("HTTPS_PROXY", "ftp://proxy.example");
    let (what, hint) = desk.run(["login", "--force"]).refused(3, "config/proxy");
    for name in ["proxy", "discovery", "aws"] {
        let found = checks(&desk);
        let check = found.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!((&check["message"], &check["remedy"]), (&json!(what), &json!(hint)), "{name}");
    }
    desk.set_variable("HTTPS_PROXY", "http://jane:pa55word@proxy.example:3128");
    desk.set_key("sts_endpoint", "\"https://sts.example.com\"");
    let found = checks(&desk);
    let check = found.iter().find(|check| check["name"] == "proxy").unwrap();
    let host = world.issuer().trim_start_matches("http://").to_owned();
    assert_eq!(check["message"], format!("{host} directly; sts.example.com through proxy.example:3128"));
    for (key, way) in [("http://own.example:8080", "through own.example:8080"), ("none", "directly")] {
        desk.set_key("proxy", &format!("\"{key}\""));
        let found = checks(&desk);
        let check = found.iter().find(|check| check["name"] == "proxy").unwrap();
        let message = check["message"].as_str().unwrap();
        assert!(message.contains("sts.example.com") && message.ends_with(way), "{message}");
    }
}

#[test]
fn who_vouches_for_provider_and_aws_is_told() {
    let world = World::over_tls();
    let desk = laptop(&world);
    let host = |address: String| address.trim_start_matches("https://").to_owned();
    assert_eq!(
        says(&desk, "certificates"),
        format!(
            "Demo Test Authority vouches for both {} and {}: a proxy that reads along, or an authority of your own",
            host(world.issuer()),
            host(world.sts_endpoint())
        )
    );
    let text = read(&desk, CONFIG);
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with("ca_bundle")).collect();
    write(&desk, CONFIG, &kept.join("\n"));
    let message = |address: String| {
        format!(
            "the certificate of {}, issued by \"Demo Test Authority\", is not trusted on this machine",
            host(address)
        )
    };
    let remedy = "if that is your company's proxy, add its certificate authority to this system's…";
    complains(
        &desk,
        &[
            ("discovery", "bad", &message(world.issuer()), remedy),
            ("aws", "bad", &message(world.sts_endpoint()), remedy),
        ],
    );
}

#[test]
fn a_quota_service_is_judged_as_the_profile_wants_it() {
    let world = World::new();
    let quota = |on_error: &str| {
        let endpoint = json!(world.quota_endpoint());
        format!("[profiles.claude.quota]\nendpoint = {endpoint}\non_error = \"{on_error}\"\n")
    };
    let [allow, deny] = ["allow", "deny"].map(|on_error| laptop_with(&world, &quota(on_error)));
    let host = world.quota_endpoint().trim_start_matches("http://").to_owned();
    assert_eq!(says(&deny, "quota"), format!("{host} answers"));
    world.set(Knob::QuotaFault, Fault::Status(500));
    let message = format!("the quota service at {host} answered 500");
    let remedy = "check quota.endpoint, or tell your administrator";
    complains(&allow, &[("quota", "warn", &message, remedy)]);
    complains(&deny, &[("quota", "bad", &message, remedy)]);
    deny.run(["doctor"]).expect_code(8);
    world.stop_quota();
    let message = format!("{host} could not be reached");
    complains(&deny, &[("quota", "bad", &message, NETWORK)]);
}

/// A collector at this address, in the profile and in Claude Code's settings.
fn with_collector<'w>(world: &'w World, address: &str) -> Desk<'w> {
    let table = format!("{{ OTEL_EXPORTER_OTLP_ENDPOINT = {} }}", json!(address));
    laptop_with(world, &format!("[profiles.claude.claude_code]\nenv = {table}\n"))
}

#[test]
fn a_collector_must_be_reached_and_telemetry_not_lie_open() {
    let world = World::new();
    let desk = with_collector(&world, &world.quota_endpoint());
    let host = world.quota_endpoint().trim_start_matches("http://").to_owned();
    assert_eq!(says(&desk, "collector"), format!("{host} answers"));
    assert_eq!(says(&desk, "claude-hooks"), "lead here: awsAuthRefresh, otelHeadersHelper");
    world.stop_quota();
    let message = format!("{host} could not be reached");
    complains(&desk, &[("collector", "warn", &message, NETWORK)]);
    let open = with_collector(&world, "http://otel.example.com:4318");
    complains(
        &open,
        &[(
            "collector",
            "warn",
            "telemetry goes unencrypted to http://otel.example.com:4318",
            "name the collector with https in claude_code.env",
        )],
    );
}
