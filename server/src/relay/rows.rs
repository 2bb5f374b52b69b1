//! Rows for analytics: one JSON object for each data point and each event, in the columns of the Glue table `telemetry`.
//!
//! Rows have no text that a person has typed and no content of a file: of the sender's attributes, only those in a list
//! become part of a row.

use bedrock_sso::telemetry::otlp::OtlpSignal;
use bedrock_sso::{telemetry::IdentityAttributes, telemetry::otlp::OtlpExport, text::sanitize_line, time::Timestamp};
use ring::digest;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::person::Person;

/// The attributes of Claude Code that become part of rows: names, numbers and outcomes.
const ROW_ATTRIBUTES: [&str; 36] = [
    "active", "agent.name", "attempt", "cache_creation_tokens", "cache_read_tokens", "code_block_count", "cost_usd",
    "decision", "decision_source", "decision_type", "duration_ms", "effort", "error_type", "input_tokens", "language",
    "mcp_server.name", "model", "num_tool_calls", "output_tokens", "plugin.name", "prompt_length", "query_source",
    "request_id", "retry_count", "skill.name", "source", "speed", "start_type", "status_code", "success",
    "terminal.type", "tool", "tool_name", "tool_result_size_bytes", "total_duration_ms", "type",
];

/// The value of `aggregationTemporality` for counts since the last export. Sums that only grow would count twice.
const DELTA: u64 = 1;

/// A row, with the names of its columns.
#[derive(Serialize)]
struct TelemetryRow<'r> {
    id: String,
    signal: &'static str,
    name: &'r str,
    time: String,
    value: Option<f64>,
    person: &'r str,
    email: Option<&'r str>,
    user_id: Option<&'r str>,
    user_name: Option<&'r str>,
    department: Option<&'r str>,
    team: Option<&'r str>,
    cost_center: Option<&'r str>,
    organization: Option<&'r str>,
    location: Option<&'r str>,
    role: Option<&'r str>,
    manager: Option<&'r str>,
    project: Option<&'r str>,
    session_id: Option<String>,
    version: Option<String>,
    attributes: Map<String, Value>,
}

/// One data point or event of an export, with what stands around it.
struct RowSource<'e> {
    signal: &'static str,
    name: String,
    resource: Option<&'e Value>,
    scope: Option<&'e Value>,
    item: &'e Value,
    value: Option<f64>,
}

/// The rows of an export without a claimed identity. `now` is the time of an event that has none.
pub(super) fn write_rows(
    export: &OtlpExport,
    person: &Person,
    identity: &IdentityAttributes,
    now: Timestamp,
) -> Vec<String> {
    let mut rows = Vec::new();
    for resource in export.resources() {
        let described = resource.get("resource");
        let scopes = match export.signal() {
            OtlpSignal::Metrics => "scopeMetrics",
            OtlpSignal::Logs => "scopeLogs",
        };
        for scope in items(resource.get(scopes)) {
            let sources: Vec<RowSource<'_>> = match export.signal() {
                OtlpSignal::Metrics => list_points(described, scope),
                OtlpSignal::Logs => list_events(described, scope),
            };
            let write = |source: RowSource<'_>| write_row(&source, person, identity, now);
            rows.extend(sources.into_iter().map(write));
        }
    }
    rows
}

/// The data points of gauges, and of sums of what has happened since the last export.
fn list_points<'e>(resource: Option<&'e Value>, scope: &'e Value) -> Vec<RowSource<'e>> {
    let mut points = Vec::new();
    for metric in items(scope.get("metrics")) {
        let sum = metric.get("sum").filter(|sum| sum["aggregationTemporality"].as_u64() == Some(DELTA));
        let Some(data) = sum.or_else(|| metric.get("gauge")) else { continue };
        for point in items(data.get("dataPoints")) {
            let Some(value) = read_number(&point["asDouble"]).or_else(|| read_number(&point["asInt"])) else {
                continue;
            };
            points.push(RowSource {
                signal: "metric",
                name: shorten(text(metric.get("name")).unwrap_or_default()),
                resource,
                scope: scope.get("scope"),
                item: point,
                value: Some(value),
            });
        }
    }
    points
}

fn list_events<'e>(resource: Option<&'e Value>, scope: &'e Value) -> Vec<RowSource<'e>> {
    let to_event = |record: &'e Value| RowSource {
        signal: "event",
        name: name_event(scope.get("scope"), record),
        resource,
        scope: scope.get("scope"),
        item: record,
        value: None,
    };
    items(scope.get("logRecords")).iter().map(to_event).collect()
}

/// The name of an event. Claude Code writes `api_request` for the event that its documents call
/// `claude_code.api_request`.
fn name_event(scope: Option<&Value>, record: &Value) -> String {
    let named = text(record.get("eventName")).filter(|name| !name.is_empty()).map(str::to_owned);
    let named = named.or_else(|| find_attribute(Some(record), "event.name")).unwrap_or_default();
    let scope = scope.and_then(|scope| text(scope.get("name"))).unwrap_or_default();
    match scope.contains("claude_code") && !named.is_empty() && !named.starts_with("claude_code.") {
        true => shorten(&format!("claude_code.{named}")),
        false => shorten(&named),
    }
}

fn write_row(source: &RowSource<'_>, person: &Person, identity: &IdentityAttributes, now: Timestamp) -> String {
    let RowSource { signal, name, resource, scope, item, value } = source;
    let scope_version = || scope.and_then(|scope| text(scope.get("version"))).map(shorten);
    let attributes = ROW_ATTRIBUTES.iter().filter_map(|name| {
        let value = find_attribute(Some(item), name)?;
        Some(((*name).to_owned(), Value::from(value)))
    });
    let row = TelemetryRow {
        id: digest_item(source, person),
        signal,
        name,
        time: format_time(item, now),
        value: *value,
        person: person.as_str(),
        email: identity.get("user.email"),
        user_id: identity.get("user.id"),
        user_name: identity.get("user.name"),
        department: identity.get("department"),
        team: identity.get("team.id"),
        cost_center: identity.get("cost_center"),
        organization: identity.get("organization"),
        location: identity.get("location"),
        role: identity.get("role"),
        manager: identity.get("manager"),
        project: identity.get("project"),
        session_id: find_attribute(Some(item), "session.id").or_else(|| find_attribute(*resource, "session.id")),
        version: find_attribute(Some(item), "app.version")
            .or_else(|| find_attribute(*resource, "service.version"))
            .or_else(scope_version),
        attributes: attributes.collect(),
    };
    serde_json::to_string(&row).unwrap_or_default()
}

/// A digest over all that the sender says about the item, and over the person: an export that is repeated has the same
/// ones, also after the person has moved to another department.
fn digest_item(source: &RowSource<'_>, person: &Person) -> String {
    let RowSource { signal, name, resource, scope, item, value: _ } = source;
    let all = serde_json::json!([signal, name, resource, scope, item, person]).to_string();
    digest::digest(&digest::SHA256, all.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The time of the item in UTC, to the millisecond.
fn format_time(item: &Value, now: Timestamp) -> String {
    let nanos = ["timeUnixNano", "observedTimeUnixNano"].into_iter().find_map(|name| {
        let said = item.get(name)?;
        let nanos = said.as_u64().or_else(|| said.as_str()?.parse().ok())?;
        (nanos > 0).then_some(nanos)
    });
    let since_1970 = now.duration_since(Timestamp::from_unix(0)).as_nanos();
    let nanos = nanos.map_or_else(|| i128::try_from(since_1970).unwrap_or_default(), i128::from);
    let time = jiff::Timestamp::from_nanosecond(nanos).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn shorten(text: &str) -> String {
    sanitize_line(text)
}

/// A number that JSON has too. 64-bit integers are texts in OTLP.
fn read_number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    number.is_finite().then_some(number)
}

/// The text of an attribute: a text, a number, or true or false.
fn find_attribute(owner: Option<&Value>, name: &str) -> Option<String> {
    let attributes = items(owner?.get("attributes"));
    let value = attributes.iter().find(|attribute| attribute["key"] == name)?.get("value")?;
    let text = match value.as_object()?.iter().next()? {
        (kind, Value::String(text)) if kind == "stringValue" || kind == "intValue" => text.clone(),
        (kind, Value::Number(number)) if kind == "intValue" || kind == "doubleValue" => number.to_string(),
        (kind, Value::Bool(yes)) if kind == "boolValue" => yes.to_string(),
        _ => return None,
    };
    Some(shorten(&text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MORNING: Timestamp = Timestamp::from_unix(1_796_115_600);

    fn rows(signal: OtlpSignal, export: &Value) -> Vec<Value> {
        let body = export.to_string();
        let export = super::super::parse_body(signal, bedrock_sso::telemetry::otlp::OtlpFormat::Json, body.as_bytes());
        let person = Person::parse("alice@example.com").unwrap();
        let rows = write_rows(&export.unwrap(), &person, &IdentityAttributes::default(), MORNING);
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    fn attribute(name: &str, value: &Value) -> Value {
        json!({ "key": name, "value": value })
    }

    fn metrics(kind: &str, data: &Value) -> Value {
        json!({ "resourceMetrics": [{
            "resource": { "attributes": [attribute("service.version", &json!({ "stringValue": "2.1.328" }))] },
            "scopeMetrics": [{
                "scope": { "name": "com.anthropic.claude_code" },
                "metrics": [{ "name": "claude_code.token.usage", kind: data }],
            }],
        }] })
    }

    #[test]
    fn a_data_point_becomes_a_row() {
        let point = json!({
            "attributes": [
                attribute("type", &json!({ "stringValue": "input" })),
                attribute("session.id", &json!({ "stringValue": "s-1" })),
                attribute("secret", &json!({ "stringValue": "hidden" })),
            ],
            "timeUnixNano": "1796115661042999999", "asInt": "42",
        });
        let data = json!({ "aggregationTemporality": 1, "dataPoints": [point] });
        let [row] = rows(OtlpSignal::Metrics, &metrics("sum", &data)).try_into().unwrap();
        let expected = json!({
            "id": row["id"], "signal": "metric", "name": "claude_code.token.usage",
            "time": "2026-12-01T09:01:01.042Z", "value": 42.0, "person": "alice@example.com", "email": null,
            "user_id": null, "user_name": null, "department": null, "team": null, "cost_center": null,
            "organization": null, "location": null, "role": null, "manager": null, "project": null,
            "session_id": "s-1", "version": "2.1.328", "attributes": { "type": "input" },
        });
        assert_eq!(row, expected);
        assert_eq!(row["id"].as_str().unwrap().len(), 64);
        // A repetition has the same digest, and another time another one.
        assert_eq!(rows(OtlpSignal::Metrics, &metrics("sum", &data))[0]["id"], row["id"]);
        let mut later = data.clone();
        later["dataPoints"][0]["timeUnixNano"] = json!("1796115661043000000");
        assert_ne!(rows(OtlpSignal::Metrics, &metrics("sum", &later))[0]["id"], row["id"]);
        // Gauges are values of their time. Sums since the start would count twice, and histograms have no one value.
        assert_eq!(rows(OtlpSignal::Metrics, &metrics("gauge", &data)).len(), 1);
        let grown = json!({ "aggregationTemporality": 2, "dataPoints": data["dataPoints"] });
        assert!(rows(OtlpSignal::Metrics, &metrics("sum", &grown)).is_empty());
        assert!(rows(OtlpSignal::Metrics, &metrics("histogram", &json!({ "dataPoints": [{}] }))).is_empty());
        for (field, value, expected) in
            [("asDouble", json!(0.25), Some(0.25)), ("asDouble", json!("NaN"), None), ("flags", json!(1), None)]
        {
            let data = json!({ "aggregationTemporality": 1, "dataPoints": [{ field: value }] });
            let values: Vec<_> = rows(OtlpSignal::Metrics, &metrics("sum", &data));
            assert_eq!(values.first().and_then(|row| row["value"].as_f64()), expected);
        }
    }

    #[test]
    fn an_event_becomes_a_row_without_its_content() {
        let planted = [
            "prompt", "tool_input", "tool_output", "tool_parameters", "error", "body", "response", "file_path",
            "full_command", "bash_command", "description", "user.email",
        ];
        let mut attributes: Vec<Value> =
            planted.iter().map(|name| attribute(name, &json!({ "stringValue": "planted text" }))).collect();
        attributes.extend([
            attribute("event.name", &json!({ "stringValue": "tool_result" })),
            attribute("tool_name", &json!({ "stringValue": "Edit" })),
            attribute("success", &json!({ "boolValue": true })),
            attribute("duration_ms", &json!({ "intValue": "1200" })),
            attribute("cost_usd", &json!({ "doubleValue": 0.5 })),
            attribute("model", &json!({ "kvlistValue": { "values": [] } })),
            attribute("language", &json!({ "stringValue": "Rust\u{1b}[2J" })),
        ]);
        let export = json!({ "resourceLogs": [{ "scopeLogs": [{
            "scope": { "name": "com.anthropic.claude_code.events", "version": "2.1.328" },
            "logRecords": [
                { "body": { "stringValue": "planted text" }, "attributes": attributes, "observedTimeUnixNano": 1_796_115_600_001_000_000_u64 },
                { "body": { "stringValue": "planted text" } },
            ],
        }] }] });
        let rows = rows(OtlpSignal::Logs, &export);
        assert!(!json!(rows).to_string().contains("planted"), "{rows:?}");
        let [full, empty] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((&full["signal"], &full["name"]), (&json!("event"), &json!("claude_code.tool_result")));
        assert_eq!((&full["time"], &full["value"]), (&json!("2026-12-01T09:00:00.001Z"), &Value::Null));
        let expected = json!({
            "tool_name": "Edit", "success": "true", "duration_ms": "1200", "cost_usd": "0.5",
            "language": "Rust\\u{1b}[2J",
        });
        assert_eq!((&full["attributes"], &full["version"]), (&expected, &json!("2.1.328")));
        assert_eq!((&empty["name"], &empty["time"]), (&json!(""), &json!("2026-12-01T09:00:00.000Z")));
    }
}
