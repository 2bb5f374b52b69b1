//! The relay of telemetry over real HTTP: an exporter in front of it, and the next places behind it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod upstream;

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use testworld::{Knob, World};

use self::{
    program::{PLANTED, RelayProgram},
    upstream::{NextAnswer, StandInUpstream},
};

const CLOUDWATCH: &str = "region = \"eu-west-1\"\nlog_group = \"/claude/code\"\nlog_stream = \"relay\"\n";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

/// An export of every field, which the official package has written (`tests/telemetry/every_field.py`).
const EVERY_METRIC: &[u8] = include_bytes!("../../../src/telemetry/otlp/every_field/metrics.pb");
const EVERY_LOG: &[u8] = include_bytes!("../../../src/telemetry/otlp/every_field/logs.pb");

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// One data point, with these attributes on the resource and on the point.
fn metrics(attributes: &[Value], nanos: u64) -> Value {
    json!({ "resourceMetrics": [{
        "resource": { "attributes": attributes },
        "scopeMetrics": [{
            "scope": { "name": "com.anthropic.claude_code" },
            "metrics": [{ "name": "claude_code.token.usage", "sum": {
                "aggregationTemporality": 1, "isMonotonic": true,
                "dataPoints": [{ "attributes": attributes, "timeUnixNano": nanos.to_string(), "asInt": "7" }],
            } }],
        }],
    }] })
}

fn logs(body: &str) -> Value {
    json!({ "resourceLogs": [{ "scopeLogs": [{
        "scope": { "name": "com.anthropic.claude_code.events" },
        "logRecords": [{
            "timeUnixNano": "1796115600000000000", "body": { "stringValue": body },
            "attributes": [attribute("event.name", "user_prompt"), attribute("prompt", body)],
        }],
    }] }] })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The attributes with a text, by name.
fn find(attributes: &Value, name: &str) -> Vec<String> {
    let named = attributes.as_array().unwrap().iter().filter(|attribute| attribute["key"] == name);
    named.map(|attribute| attribute["value"]["stringValue"].as_str().unwrap().to_owned()).collect()
}

fn answer(status: u16) -> NextAnswer {
    NextAnswer::Full(status, "", "{}".to_owned())
}

#[test]
fn cloudwatch_gets_the_identity_of_the_token_alone() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    world.set(Knob::Claims, json!({ "department": "Research", "team": "core", "cost_center": "4711" }));
    let relay = RelayProgram::start(&world, &upstream, CLOUDWATCH);
    let token = world.issue_id_token();
    let forged: Vec<Value> = ["user.email", "user_email", "department", "manager", "organization.id", "aws.account"]
        .iter()
        .map(|name| attribute(name, "mallory"))
        .chain([attribute("session.id", "s-1")])
        .collect();
    let state = [
        JSON,
        ("x-bedrock-sso-version", "0.1.0"),
        ("x-bedrock-sso-failure", "aws/denied"),
        ("x-user-email", "mallory@example.com"),
        ("x-aws-log-group", "/mallory"),
    ];
    let got = relay.post("/v1/metrics", Some(&token), &state, metrics(&forged, 1).to_string().as_bytes());
    assert_eq!((got.status, got.text().as_str()), (200, "{}"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let [sent] = upstream.take_seen().try_into().unwrap();
    assert_eq!((sent.path.as_str(), sent.header("content-type")), ("/v1/metrics", Some("application/json")));
    let authorization = sent.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/monitoring/aws4_request"), "{authorization}");
    let text = String::from_utf8(sent.body.clone()).unwrap();
    assert!(!text.contains("mallory") && !format!("{:?}", sent.headers).contains("mallory"), "{sent:?}");
    let export = sent.json();
    let [claude, helper] = export["resourceMetrics"].as_array().unwrap().as_slice() else { panic!("{export}") };
    for (name, value) in [
        ("user.email", "demo@example.com"),
        ("user.name", "demo"),
        ("department", "Research"),
        ("team.id", "core"),
        ("cost_center", "4711"),
        ("organization", "amazon-internal"),
        ("session.id", "s-1"),
    ] {
        assert_eq!(find(&claude["resource"]["attributes"], name), [value], "{name}");
    }
    assert_eq!(find(&claude["resource"]["attributes"], "manager"), [""; 0]);
    let point = &claude["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"][0];
    assert_eq!(point["attributes"], json!([attribute("session.id", "s-1")]));
    let gauge = &helper["scopeMetrics"][0]["metrics"][0];
    assert_eq!(gauge["name"], "bedrock_sso.helper");
    let state = &gauge["gauge"]["dataPoints"][0]["attributes"];
    assert_eq!((find(state, "version"), find(state, "failure")), (vec!["0.1.0".into()], vec!["aws/denied".into()]));

    let got = relay.post_json("/v1/logs", &token, &logs("hello"));
    assert_eq!(got.status, 200);
    let [sent] = upstream.take_seen().try_into().unwrap();
    assert_eq!(sent.path, "/v1/logs");
    assert_eq!(
        (sent.header("x-aws-log-group"), sent.header("x-aws-log-stream")),
        (Some("/claude/code"), Some("relay"))
    );
    assert!(sent.header("authorization").unwrap().contains("/eu-west-1/logs/aws4_request"));
    assert_eq!(find(&sent.json()["resourceLogs"][0]["resource"]["attributes"], "user.email"), ["demo@example.com"]);
}

#[test]
fn protobuf_is_passed_on_as_json_and_answered_as_protobuf() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, &format!("{CLOUDWATCH}also_datapoints = true\n"));
    let token = world.issue_id_token();
    let partial = r#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"old"}}"#;
    upstream.next_exports([NextAnswer::Full(200, "", partial.to_owned())]);
    let headers = [PROTOBUF, ("Content-Encoding", "gzip")];
    let got = relay.post("/v1/metrics", Some(&token), &headers, &gzip(EVERY_METRIC));
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/x-protobuf")));
    assert_eq!(got.body, b"\x0a\x07\x08\x02\x12\x03old");
    let got = relay.post("/v1/logs", Some(&token), &[PROTOBUF], EVERY_LOG);
    assert_eq!((got.status, got.body.as_slice()), (200, &b""[..]));
    let [metrics, logs] = upstream.take_seen().try_into().unwrap();
    assert_eq!(metrics.header("content-encoding"), None);
    let metrics = metrics.json();
    for resource in metrics["resourceMetrics"].as_array().unwrap() {
        assert_eq!(find_texts(&resource["resource"]["attributes"], "user.email"), ["demo@example.com"]);
    }
    let points = metrics.to_string().matches("\"dataPoints\":[{").count();
    assert!(points >= 5, "{points}");
    assert_eq!(find_texts(&logs.json()["resourceLogs"][0]["resource"]["attributes"], "user.id").len(), 1);
    // Errors have the format of the export, too.
    let got = relay.post("/v1/logs", None, &[PROTOBUF], EVERY_LOG);
    assert_eq!((got.status, got.body.as_slice()), (401, &b"\x12\x0cUnauthorized"[..]));
}

/// As `find`, among attributes of all types.
fn find_texts(attributes: &Value, name: &str) -> Vec<String> {
    let named = attributes.as_array().unwrap().iter().filter(|attribute| attribute["key"] == name);
    named.filter_map(|attribute| attribute["value"]["stringValue"].as_str().map(str::to_owned)).collect()
}

#[test]
fn only_tokens_of_the_issuer_are_believed() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, CLOUDWATCH);
    let foreign = World::new().issue_id_token();
    world.next(1, Knob::IdTokenTimes, json!({ "iat": -7200, "exp": -3600 }));
    let expired = world.issue_id_token();
    world.next(1, Knob::Claims, json!({ "email": null }));
    let nameless = world.issue_id_token();
    let token = world.issue_id_token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let tampered = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let body = metrics(&[], 1);
    for bad in [&foreign, &expired, &nameless, &tampered, "nonsense", "a.b.c"] {
        for path in ["/v1/metrics", "/v1/logs"] {
            let got = relay.post_json(path, bad, &body);
            assert_eq!((got.status, got.header("www-authenticate")), (401, Some("Bearer")), "{bad}");
            assert_eq!(got.text(), "{\"message\":\"Unauthorized\"}");
        }
    }
    assert_eq!(relay.post("/v1/metrics", None, &[JSON], body.to_string().as_bytes()).status, 401);
    // A header of the client's choice is no proof.
    let named = [JSON, ("x-user-email", "demo@example.com"), ("Authorization", "Basic ZGVtbzpkZW1v")];
    assert_eq!(relay.post("/v1/metrics", None, &named, body.to_string().as_bytes()).status, 401);
    assert!(upstream.take_seen().is_empty());
    world.stop_provider();
    assert_eq!(relay.post_json("/v1/metrics", &token, &body).status, 200, "the keys are cached");
}

#[test]
fn exporters_repeat_what_the_relay_could_not_pass_on() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, CLOUDWATCH);
    let token = world.issue_id_token();
    let full = |status, headers, body: &str| NextAnswer::Full(status, headers, body.to_owned());
    let code = "x-amzn-errortype: ThrottlingException:http://internal.amazon.com/\r\n";
    for (from, to, wait) in [
        (full(429, "Retry-After: 17\r\n", "{}"), 429, Some("17")),
        (answer(502), 502, None),
        (full(503, "Retry-After: 3\r\n", ""), 503, Some("3")),
        (answer(504), 504, None),
        (answer(500), 503, None),
        (answer(403), 503, None),
        (answer(401), 503, None),
        (answer(404), 503, None),
        (full(307, "Location: http://127.0.0.1:9/\r\n", ""), 503, None),
        (NextAnswer::Close, 503, None),
        (full(400, code, "{}"), 429, None),
        (full(400, "", r#"{"__type":"com.amazon.coral#ExpiredTokenException","message":"x"}"#), 503, None),
        (full(400, "", r#"{"__type":"InvalidParameterException","message":"planted-body"}"#), 400, None),
        (answer(413), 413, None),
        (answer(200), 200, None),
    ] {
        upstream.next_exports([from.clone()]);
        let got = relay.post_json("/v1/metrics", &token, &metrics(&[], 1));
        assert_eq!((got.status, got.header("retry-after")), (to, wait), "{from:?}");
        assert!(!got.text().contains("planted"), "{}", got.text());
        assert_eq!(upstream.take_seen().len(), 1, "{from:?}");
    }
}

#[test]
fn what_is_no_export_is_refused() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, "region = \"eu-west-1\"");
    let token = world.issue_id_token();
    let post = |headers: &[(&str, &str)], body: &[u8]| relay.post("/v1/metrics", Some(&token), headers, body);
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    for (headers, body, status, message) in [
        (&[][..], &b"{}"[..], 415, "send application/json"),
        (&[("Content-Type", "text/plain")], b"{}", 415, "send application/json"),
        (&[JSON, ("Content-Encoding", "deflate")], b"{}", 415, "send application/json"),
        (&[JSON], b"{", 400, "the body is not JSON"),
        (&[JSON], b"{\"resourceMetrics\":7}", 400, "resourceMetrics is not a list"),
        (&[JSON, ("Content-Encoding", "gzip")], b"{}", 400, "the body is not gzip"),
        (&[JSON], large.as_bytes(), 413, "larger than 4 MiB"),
        (&[JSON, ("Content-Encoding", "gzip")], &gzip(large.as_bytes()), 413, "larger than 4 MiB"),
        (&[JSON], &format!("{{\"resourceMetrics\":[{}{{}}]}}", "{},".repeat(64)).into_bytes(), 400, "64 resources"),
    ] {
        let got = post(headers, body);
        assert!(got.status == status && got.text().contains(message), "{message}: {}: {}", got.status, got.text());
    }
    let got = post(&[PROTOBUF], &[0xff; 100]);
    assert_eq!((got.status, got.body.ends_with(b"the body is not OTLP in protobuf")), (400, true));
    assert_eq!(relay.get("/v1/metrics").status, 405);
    assert_eq!(relay.post_json("/v1/traces", &token, &json!({})).status, 404);
    // The configuration names no log group.
    assert_eq!(relay.post_json("/v1/logs", &token, &json!({})).status, 404);
    assert!(upstream.take_seen().is_empty());
}

#[test]
fn one_person_cannot_send_without_limit() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, CLOUDWATCH);
    let token = world.issue_id_token();
    let mut accepted = 0;
    let refused = loop {
        // Not an export, so that the next place is not asked.
        let got = relay.post_json("/v1/metrics", &token, &json!([]));
        if got.status != 400 {
            break got;
        }
        accepted += 1;
    };
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert!(accepted >= 300, "{accepted}");
    world.next(1, Knob::Claims, json!({ "email": "other@example.com" }));
    let other = world.issue_id_token();
    assert_eq!(relay.post_json("/v1/metrics", &other, &metrics(&[], 1)).status, 200);
}

#[test]
fn rows_are_stored_before_the_export_is_passed_on() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    world.set(Knob::Claims, json!({ "department": "Research", "title": "Engineer" }));
    let relay = RelayProgram::start(&world, &upstream, &format!("{CLOUDWATCH}stream = \"acme-telemetry\"\n"));
    let token = world.issue_id_token();
    let attributes = [attribute("type", "input"), attribute("user.email", "mallory"), attribute("secret", "mallory")];
    let export = metrics(&attributes, 1_796_115_600_123_000_000);
    let post = || relay.post_json("/v1/metrics", &token, &export).status;
    assert_eq!(post(), 200);
    let [stored, passed] = upstream.take_seen().try_into().unwrap();
    assert_eq!((stored.path.as_str(), passed.path.as_str()), ("/", "/v1/metrics"));
    assert!(stored.header("authorization").unwrap().contains("/eu-west-1/firehose/aws4_request"));
    assert_eq!(stored.json()["DeliveryStreamName"], "acme-telemetry");
    let [row] = stored.rows().try_into().unwrap();
    for (column, value) in [
        ("signal", json!("metric")),
        ("name", json!("claude_code.token.usage")),
        ("time", json!("2026-12-01T09:00:00.123Z")),
        ("value", json!(7.0)),
        ("person", json!("demo@example.com")),
        ("email", json!("demo@example.com")),
        ("department", json!("Research")),
        ("role", json!("Engineer")),
        ("team", Value::Null),
        ("attributes", json!({ "type": "input" })),
    ] {
        assert_eq!(row[column], value, "{column}");
    }

    // A refusal of either is repeated by the sender. The rows of a repetition have the same digests.
    upstream.next_rows([NextAnswer::Full(400, "x-amzn-errortype: ResourceNotFoundException\r\n", "{}".to_owned())]);
    assert_eq!(post(), 503);
    let seen = upstream.take_seen();
    assert_eq!(seen.iter().filter(|request| request.path == "/v1/metrics").count(), 0);
    upstream.next_exports([answer(503)]);
    assert_eq!((post(), post()), (503, 200));
    let seen = upstream.take_seen();
    let ids: BTreeSet<String> = seen
        .iter()
        .filter(|request| request.path == "/")
        .flat_map(|request| request.rows())
        .map(|row| row["id"].to_string())
        .collect();
    assert_eq!((seen.len(), ids), (4, BTreeSet::from([row["id"].to_string()])));

    // Firehose accepts some records of a call only, when it throttles.
    let some = json!({ "FailedPutCount": 1, "RequestResponses": [{ "ErrorCode": "ServiceUnavailableException" }] });
    upstream.next_rows([NextAnswer::Full(200, "", some.to_string()), answer(500)]);
    assert_eq!(post(), 200);
    let calls: Vec<_> = upstream.take_seen().iter().map(|request| request.path.clone()).collect();
    assert_eq!(calls, ["/", "/", "/", "/v1/metrics"]);
}

/// An exporter that repeats what it was asked to repeat, and a next place that refuses most exports.
#[test]
fn nothing_that_was_sent_is_lost() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, CLOUDWATCH);
    let token = world.issue_id_token();
    let refusals = [429, 500, 502, 503, 504, 403].map(answer);
    let mut accepted = Vec::new();
    for number in 1..=40_u64 {
        let refusals = refusals.iter().cycle().skip(usize::try_from(number).unwrap()).take(3).cloned();
        upstream.next_exports(refusals.chain([NextAnswer::Close, answer(200)]));
        let export = metrics(&[], number);
        let status = loop {
            match relay.post_json("/v1/metrics", &token, &export).status {
                429 | 502 | 503 | 504 => {}
                other => break other,
            }
        };
        assert_eq!(status, 200);
        // The last request is the one that the next place has accepted.
        let seen = upstream.take_seen();
        assert_eq!(seen.len(), 5);
        let point = &seen[4].json()["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"][0];
        accepted.push(point["timeUnixNano"].as_str().unwrap().parse::<u64>().unwrap());
    }
    assert_eq!(accepted, (1..=40).collect::<Vec<_>>());
}

#[test]
fn another_endpoint_gets_no_signature_and_no_token() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let endpoint = format!("metrics = \"{}/api/v1/otlp/v1/metrics\"\n", upstream.url);
    let attributes = "attributes = { \"user.id\" = [\"sub\"], business_unit = [\"unit\"] }";
    let relay = RelayProgram::start(&world, &upstream, &format!("{endpoint}{attributes}"));
    world.set(Knob::Claims, json!({ "unit": "x" }));
    let token = world.issue_id_token();
    let forged = [attribute("business_unit", "mallory"), attribute("business.unit", "mallory")];
    assert_eq!(relay.post_json("/v1/metrics", &token, &metrics(&forged, 1)).status, 200);
    let [sent] = upstream.take_seen().try_into().unwrap();
    assert_eq!(sent.path, "/api/v1/otlp/v1/metrics");
    assert_eq!((sent.header("authorization"), sent.header("x-amz-date")), (None, None));
    let attributes = &sent.json()["resourceMetrics"][0]["resource"]["attributes"];
    assert_eq!(find(attributes, "business_unit"), ["x"]);
    assert_eq!(find(attributes, "user.id").len(), 1);
    assert!(!sent.json().to_string().contains("mallory"));
    assert_eq!(relay.post_json("/v1/logs", &token, &json!({})).status, 404);
}

#[test]
fn no_log_has_a_token_or_a_body() {
    let (world, upstream) = (World::new(), StandInUpstream::start());
    let relay = RelayProgram::start(&world, &upstream, &format!("{CLOUDWATCH}stream = \"acme-telemetry\"\n"));
    let token = world.issue_id_token();
    let said = r#"{"__type":"InvalidParameterException","message":"planted-body"}"#;
    upstream.next_exports([answer(200), NextAnswer::Full(400, "", said.to_owned()), answer(403)]);
    assert_eq!(relay.post_json("/v1/logs", &token, &logs("planted-body")).status, 200);
    let [stored, _] = upstream.take_seen().try_into().unwrap();
    assert!(!json!(stored.rows()).to_string().contains("planted"), "{:?}", stored.rows());
    assert_eq!(relay.post_json("/v1/logs", &token, &logs("planted-body")).status, 400);
    assert_eq!(relay.post_json("/v1/logs", &token, &logs("planted-body")).status, 503);
    assert_eq!(relay.post_json("/v1/logs", &token, &json!({ "resourceLogs": "planted-body" })).status, 400);
    assert_eq!(relay.post_json("/v1/logs", &format!("{token}x"), &logs("planted-body")).status, 401);
    let log = relay.end();
    for words in ["telemetry not forwarded: ", "telemetry refused: resourceLogs is not a list"] {
        assert!(log.contains(words), "{log}");
    }
    for part in token.split('.').chain(PLANTED) {
        assert!(!log.contains(part), "{part}: {log}");
    }
}
