//! Tests of what a relay removes from an export, and of what it adds.

use std::collections::BTreeMap;

use super::*;
use crate::{config::Provider, identity::testing::build_token_with};

fn alice() -> IdentityAttributes {
    let token = build_token_with(&json!({ "email": "alice@example.com", "team": "core" }));
    IdentityAttributes::from_claims(&token, Provider::Okta, &BTreeMap::new())
}

fn read(signal: OtlpSignal, value: &Value) -> Result<OtlpExport, OtlpError> {
    OtlpExport::parse(signal, OtlpFormat::Json, value.to_string().as_bytes())
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// One counter with one data point, whose attributes are these, on a resource with these.
fn metrics(resource: &[Value], point: &[Value]) -> Value {
    json!({ "resourceMetrics": [{
        "resource": { "attributes": resource },
        "scopeMetrics": [{
            "scope": { "name": "com.anthropic.claude_code", "version": "2.1.328", "attributes": point },
            "metrics": [{
                "name": "claude_code.token.usage", "unit": "tokens", "metadata": point,
                "sum": {
                    "aggregationTemporality": 1, "isMonotonic": true,
                    "dataPoints": [{
                        "attributes": point, "startTimeUnixNano": "1", "timeUnixNano": 1_764_579_600_000_000_000_u64,
                        "asDouble": 12, "exemplars": [{ "filteredAttributes": point, "asInt": "3" }],
                    }],
                },
            }],
        }],
    }] })
}

fn stamp(signal: OtlpSignal, value: &Value, place: StampPlace) -> Value {
    let mut export = read(signal, value).unwrap();
    export.stamp(&alice(), place);
    serde_json::from_slice(&export.to_json()).unwrap()
}

fn stamped_attributes() -> Vec<Value> {
    [
        ("organization", "okta"),
        ("team.id", "core"),
        ("user.email", "alice@example.com"),
        ("user.id", "a9491f4c-1bf7-b0cf-fbad-cba2db8f028e"),
        ("user.name", "alice"),
    ]
    .map(|(key, value)| text(key, value))
    .into()
}

#[test]
fn claimed_identity_is_removed_everywhere_and_the_rest_stays() {
    let forged = [
        "user.email", "User.Email", "user_email", "user-email", "user.id", "user.name", "department", "DEPARTMENT",
        "team.id", "team_id", "cost_center", "cost.center", "organization", "location", "role", "manager", "project",
        "user.account_uuid", "user.account_id", "user.full_name", "organization.id", "enduser.id", "enduser",
        "aws.log.group.names", "aws_account", "bedrock_sso.version", "bedrock.sso.x",
    ];
    let own = [text("session.id", "s-1"), text("type", "input"), text("user_prompt_length", "3")];
    let mut said: Vec<Value> = forged.iter().map(|name| text(name, "mallory")).collect();
    said.extend(own.clone());
    said.push(json!({ "key": "user", "value": { "kvlistValue": { "values": [
        text("email", "mallory"), { "key": "deep", "value": { "kvlistValue": { "values": [text("x", "stays")] } } },
    ] } } }));
    said.push(json!({ "key": "enduser", "value": { "kvlistValue": { "values": [text("id", "mallory")] } } }));

    let stamped = stamp(OtlpSignal::Metrics, &metrics(&said, &said), StampPlace::Resource);
    assert!(!stamped.to_string().contains("mallory"), "{stamped}");
    assert_eq!(stamped.to_string().matches("stays").count(), 5);
    let resource = &stamped["resourceMetrics"][0];
    let attributes = resource["resource"]["attributes"].as_array().unwrap();
    assert_eq!(attributes[..3], own);
    assert_eq!(attributes[4..], stamped_attributes());
    let metric = &resource["scopeMetrics"][0]["metrics"][0];
    let point = &metric["sum"]["dataPoints"][0];
    for attributes in [
        &resource["scopeMetrics"][0]["scope"]["attributes"],
        &metric["metadata"],
        &point["attributes"],
        &point["exemplars"][0]["filteredAttributes"],
    ] {
        assert_eq!(attributes.as_array().unwrap()[..3], own);
        assert_eq!(attributes.as_array().unwrap().len(), 4);
    }
    assert_eq!((&point["asDouble"], &point["timeUnixNano"]), (&json!(12), &json!(1_764_579_600_000_000_000_u64)));

    let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "scope": { "attributes": said }, "logRecords": [
        { "timeUnixNano": "1", "body": { "stringValue": "claude_code.api_request" }, "attributes": said },
    ] }] }] });
    let stamped = stamp(OtlpSignal::Logs, &logs, StampPlace::ResourceAndDataPoints);
    assert!(!stamped.to_string().contains("mallory"), "{stamped}");
    // Also a resource that the sender has left out gets the identity, and a log record none.
    assert_eq!(stamped["resourceLogs"][0]["resource"]["attributes"], json!(stamped_attributes()));
    assert_eq!(stamped["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"].as_array().unwrap().len(), 4);
}

#[test]
fn fields_that_otlp_does_not_have_are_dropped() {
    let forged = json!([text("user.email", "mallory")]);
    let value = json!({
        "resource_metrics": [{ "resource": { "attributes": forged } }],
        "resourceLogs": [{ "resource": { "attributes": forged } }],
        "resourceMetrics": [{
            "instrumentation_library_metrics": [forged],
            "resource": { "attributes": [], "entityRefs": forged, "Attributes": forged },
            "scopeMetrics": [{ "metrics": [{ "name": "a", "gauge": { "data_points": forged } }], "deprecated": forged }],
            "schemaUrl": null,
        }],
    });
    let stamped = stamp(OtlpSignal::Metrics, &value, StampPlace::Resource);
    let expected = json!({ "resourceMetrics": [{
        "resource": { "attributes": stamped_attributes() },
        "scopeMetrics": [{ "metrics": [{ "name": "a", "gauge": {} }] }],
    }] });
    assert_eq!(stamped, expected);
}

#[test]
fn identity_also_stands_on_data_points_if_wanted() {
    let stamped = stamp(OtlpSignal::Metrics, &metrics(&[], &[]), StampPlace::ResourceAndDataPoints);
    let resource = &stamped["resourceMetrics"][0];
    assert_eq!(resource["resource"]["attributes"], json!(stamped_attributes()));
    let point = &resource["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"][0];
    assert_eq!(point["attributes"], json!(stamped_attributes()));
    for kind in schema::METRIC_KINDS {
        let value = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
            { "name": "a", kind: { "dataPoints": [{ "timeUnixNano": "1" }] } },
        ] }] }] });
        let stamped = stamp(OtlpSignal::Metrics, &value, StampPlace::ResourceAndDataPoints);
        let points = &stamped["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0][kind]["dataPoints"];
        assert_eq!(points[0]["attributes"], json!(stamped_attributes()), "{kind}");
    }
}

#[test]
fn wrong_types_are_refused_by_the_name_of_the_field() {
    let point = |field: &str, value: Value| {
        json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
            { "gauge": { "dataPoints": [{ field: value }] } },
        ] }] }] })
    };
    for (value, field, expected) in [
        (json!([]), "the body", "an object"),
        (json!({ "resourceMetrics": {} }), "resourceMetrics", "a list"),
        (json!({ "resourceMetrics": [7] }), "resourceMetrics", "an object"),
        (json!({ "resourceMetrics": [null] }), "resourceMetrics", "an object"),
        (point("timeUnixNano", json!("1.5")), "timeUnixNano", "an integer of 64 bits"),
        (point("timeUnixNano", json!(1.5)), "timeUnixNano", "an integer of 64 bits"),
        (point("timeUnixNano", json!("18446744073709551616")), "timeUnixNano", "an integer of 64 bits"),
        (point("asDouble", json!("much")), "asDouble", "a number"),
        (point("asDouble", json!("inf")), "asDouble", "a number"),
        (point("flags", json!(4_294_967_296_u64)), "flags", "an integer of 32 bits"),
        (point("attributes", json!([{ "key": 1 }])), "key", "a text"),
        (point("attributes", json!([{ "value": { "boolValue": 1 } }])), "boolValue", "true or false"),
    ] {
        let error = read(OtlpSignal::Metrics, &value).unwrap_err();
        assert_eq!(error, OtlpError::Fault(OtlpFault { field, expected }));
    }
    assert_eq!(OtlpExport::parse(OtlpSignal::Logs, OtlpFormat::Json, b"{"), Err(OtlpError::NotJson));
    for (field, value) in [
        ("timeUnixNano", json!("18446744073709551615")),
        ("asInt", json!("-9223372036854775808")),
        ("asDouble", json!("NaN")),
        ("asDouble", json!("-Infinity")),
    ] {
        let value = point(field, value);
        let export = read(OtlpSignal::Metrics, &value).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&export.to_json()).unwrap(), value);
    }
}

#[test]
fn numbers_of_resources_and_items_are_limited() {
    let resources = |count: usize| json!({ "resourceLogs": vec![json!({}); count] });
    assert!(read(OtlpSignal::Logs, &resources(MAX_RESOURCES)).is_ok());
    let refused = read(OtlpSignal::Logs, &resources(MAX_RESOURCES + 1));
    assert_eq!(refused, Err(OtlpError::TooManyResources));
    let records =
        |count: usize| json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": vec![json!({}); count] }] }] });
    assert!(read(OtlpSignal::Logs, &records(MAX_ITEMS)).is_ok());
    assert_eq!(read(OtlpSignal::Logs, &records(MAX_ITEMS + 1)), Err(OtlpError::TooManyItems));
    let points = |count: usize| {
        let data = json!({ "dataPoints": vec![json!({}); count] });
        json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{ "sum": data, "gauge": data }] }] }] })
    };
    assert!(read(OtlpSignal::Metrics, &points(MAX_ITEMS / 2)).is_ok());
    let refused = read(OtlpSignal::Metrics, &points(MAX_ITEMS / 2 + 1));
    assert_eq!(refused, Err(OtlpError::TooManyItems));
}

#[test]
fn helper_state_is_one_gauge_that_no_sender_can_write() {
    let mut value = metrics(&[], &[]);
    for name in ["bedrock_sso.helper", "bedrock.sso.helper", "Bedrock_SSO"] {
        let forged = json!({ "name": name, "gauge": { "dataPoints": [{ "asInt": "666" }] } });
        value["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array_mut().unwrap().push(forged);
    }
    let mut export = read(OtlpSignal::Metrics, &value).unwrap();
    export.stamp(&alice(), StampPlace::Resource);
    let state = HelperState::from_headers(Some("0.1.0"), Some("sign-in/access_denied")).unwrap();
    export.add_helper_state(&state, &alice(), 5);
    let [claude, helper] = export.resources() else { panic!("{export:?}") };
    assert_eq!(claude["scopeMetrics"][0]["metrics"].as_array().unwrap().len(), 1);
    assert_eq!(helper["resource"]["attributes"].as_array().unwrap()[1..], stamped_attributes());
    let metric = &helper["scopeMetrics"][0]["metrics"][0];
    assert_eq!(metric["name"], "bedrock_sso.helper");
    let expected = json!([{
        "attributes": [text("version", "0.1.0"), text("failure", "sign-in/access_denied")],
        "timeUnixNano": "5", "asInt": "1",
    }]);
    assert_eq!(metric["gauge"]["dataPoints"], expected);
    // What was added has the shape that is required of a sender.
    assert_eq!(OtlpExport::parse(OtlpSignal::Metrics, OtlpFormat::Json, &export.to_json()).as_ref(), Ok(&export));

    let mut logs = read(OtlpSignal::Logs, &json!({})).unwrap();
    logs.add_helper_state(&state, &alice(), 5);
    assert_eq!(logs.to_json(), b"{}");
}

#[test]
fn only_versions_and_slugs_are_passed_on() {
    let to_gauge = |version: &str, failure: Option<&str>| {
        HelperState::from_headers(Some(version), failure).map(|state| state.to_resource_metrics(Vec::new(), 0))
    };
    let failure_of = |failure| {
        let gauge = to_gauge("1.22.333-rc.1", failure).unwrap();
        let point = &gauge["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0];
        point["attributes"][1]["value"]["stringValue"].as_str().unwrap().to_owned()
    };
    assert_eq!(HelperState::from_headers(None, Some("aws/denied")), None);
    for version in ["", "1", "1.2", "1.2.3.4", "a.b.c", "1.2.", "1.2.3-", "1.2.3-ü", "1.2.3 x", &"1.2.3".repeat(9)] {
        assert_eq!(to_gauge(version, None), None, "{version}");
    }
    assert_eq!(failure_of(None), "none");
    assert_eq!(failure_of(Some("network/tls-x_1")), "network/tls-x_1");
    let long = format!("a/{}", "b".repeat(64));
    for failure in ["", "network", "a/b/c", "/a", "a/", "A/b", "a/b c", "a/ü", &long] {
        assert_eq!(failure_of(Some(failure)), "other", "{failure}");
    }
}

/// The files set every field of OTLP. The official package has written them (`tests/telemetry/every_field.py`).
#[test]
fn every_field_is_read_from_protobuf_and_from_json() {
    for (signal, protobuf, json) in [
        (
            OtlpSignal::Metrics,
            &include_bytes!("every_field/metrics.pb")[..],
            &include_bytes!("every_field/metrics.json")[..],
        ),
        (OtlpSignal::Logs, include_bytes!("every_field/logs.pb"), include_bytes!("every_field/logs.json")),
    ] {
        let expected: Value = serde_json::from_slice(json).unwrap();
        for (format, body) in [(OtlpFormat::Protobuf, protobuf), (OtlpFormat::Json, json)] {
            let read = OtlpExport::parse(signal, format, body).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&read.to_json()).unwrap(), expected, "{format:?}");
        }
        // Wherever the bytes end, something is missing, or fewer things are there.
        for length in 0..protobuf.len() {
            if let Ok(read) = OtlpExport::parse(signal, OtlpFormat::Protobuf, &protobuf[..length]) {
                assert_eq!((length, read.resources().len()), (0, 0));
            }
        }
    }
}

#[test]
fn malformed_protobuf_is_refused() {
    let read = |bytes: &[u8]| OtlpExport::parse(OtlpSignal::Logs, OtlpFormat::Protobuf, bytes);
    let long = [[0xff; 10].as_slice(), &[0x01]].concat();
    for bytes in [
        // A number that is cut, one of eleven bytes, one of more than 64 bits, and the field number 0.
        &[0x80][..],
        &long,
        &[0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        &[0x02, 0x00],
        // A length beyond the end, also one that no machine can add, groups, and an unknown form.
        &[0x0a, 0x01],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x0b, 0x0c],
        &[0x0e],
        // A number where a message should be, and text that is not UTF-8.
        &[0x08, 0x01],
        &[0x0a, 0x03, 0x1a, 0x01, 0xff],
    ] {
        assert_eq!(read(bytes), Err(OtlpError::NotProtobuf), "{bytes:x?}");
    }
    // Fields that OTLP does not have are skipped, of whatever form.
    let unknown = [0x78, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 0x02, 1, 2, 0x7d, 1, 2, 3, 4];
    assert_eq!(read(&unknown).unwrap().to_json(), b"{}");
}

/// A message that contains itself, this many times.
fn nest(depth: usize) -> Vec<u8> {
    // In an attribute of the resource of the first entry: an array with one value, which is an array.
    let mut bytes = Vec::new();
    for field in std::iter::repeat_n([0x0a, 0x2a], depth).flatten().chain([0x12, 0x0a, 0x0a, 0x0a]) {
        let mut outer = vec![field];
        let mut length = bytes.len();
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        outer.append(&mut bytes);
        bytes = outer;
    }
    bytes
}

#[test]
fn nested_and_numerous_objects_are_limited() {
    let read = |bytes: &[u8]| OtlpExport::parse(OtlpSignal::Logs, OtlpFormat::Protobuf, bytes);
    let nested = String::from_utf8(read(&nest(20)).unwrap().to_json()).unwrap();
    assert_eq!(nested.matches("arrayValue").count(), 20);
    assert_eq!(read(&nest(1000)), Err(OtlpError::NotProtobuf));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = |text: &str| OtlpExport::parse(OtlpSignal::Logs, OtlpFormat::Json, text.as_bytes());
    assert!(json(&deep).is_err());
    // What is skipped needs no memory.
    assert_eq!(json(&format!("{{\"unknown\":{deep}}}")).unwrap().to_json(), b"{}");
    // Two bytes for each object.
    assert_eq!(read(&[0x0a, 0x00].repeat(MAX_OBJECTS + 1)), Err(OtlpError::TooManyItems));
    let objects = vec![json!({ "key": "" }); MAX_OBJECTS];
    let attributes = json!({ "resourceLogs": [{ "resource": { "attributes": objects } }] });
    assert_eq!(json(&attributes.to_string()), Err(OtlpError::TooManyItems));
}

#[test]
fn answers_are_written_as_protobuf() {
    let answer = |text: &str| OtlpSignal::Metrics.encode_answer(text.as_bytes());
    let partial = r#"{"partialSuccess":{"rejectedDataPoints":"300","errorMessage":"too old"},"other":1}"#;
    assert_eq!(answer(partial), b"\x0a\x0c\x08\xac\x02\x12\x07too old");
    assert_eq!(answer(r#"{"partialSuccess":{"rejectedDataPoints":-1}}"#).len(), 13);
    let logs = OtlpSignal::Logs.encode_answer(br#"{"partialSuccess":{"rejectedLogRecords":3}}"#);
    assert_eq!(logs, b"\x0a\x02\x08\x03");
    for nothing in ["", "{}", "[]", "<html>", r#"{"partialSuccess":null}"#] {
        assert!(answer(nothing).is_empty(), "{nothing}");
    }
    assert_eq!(encode_error("no"), b"\x12\x02no");
}
