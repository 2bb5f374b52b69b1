//! Divides a large export into small ones, stamps each, and joins the results.
//!
//! The tree of an export takes some twenty times the memory of its text, so the relay never has that of a large one. It
//! divides the lists of metrics or of log records, and repeats the resource and the scope before each part. The result is
//! one export again, which CloudWatch takes whole or not at all.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::telemetry::otlp::OtlpSignal;

/// About how many bytes of metrics or log records one part has.
const PART_BYTES: usize = 32 * 1024;
/// An export up to this size is not divided.
pub(super) const WHOLE_BYTES: usize = 48 * 1024;
/// The most resources, and the most scopes of all resources. The stamp is added for each, so this bounds what an export
/// grows to.
const MAX_OWNERS: usize = 64;

/// Why an export cannot be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DivisionFault {
    /// It is not JSON, or does not have the lists of OTLP.
    Shape,
    TooManyOwners,
}

/// The export, as far as it has to be understood to divide it. Fields of other names are dropped, as `otlp` does.
#[derive(Deserialize)]
struct WholeExport<'a> {
    #[serde(borrow, default, rename = "resourceMetrics", alias = "resourceLogs")]
    resources: Vec<ResourceEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceEntry<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "scopeMetrics", alias = "scopeLogs")]
    scopes: Vec<ScopeEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeEntry<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "metrics", alias = "logRecords")]
    items: Vec<&'a RawValue>,
}

/// Calls `take` with the text of each part, which is a whole export. An export without items has no part.
pub(super) fn for_each_part<E: From<DivisionFault>>(
    signal: OtlpSignal,
    body: &[u8],
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    // serde would also accept a list for an object, element by element.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let whole = serde_json::from_slice::<WholeExport<'_>>(body).ok().filter(|_| is_object);
    let whole = whole.ok_or(DivisionFault::Shape)?;
    let scopes: usize = whole.resources.iter().map(|resource| resource.scopes.len()).sum();
    if whole.resources.len() > MAX_OWNERS || scopes > MAX_OWNERS {
        return Err(DivisionFault::TooManyOwners.into());
    }
    for resource in &whole.resources {
        for scope in &resource.scopes {
            let mut rest = scope.items.as_slice();
            while !rest.is_empty() {
                let (items, after) = rest.split_at(count_items(rest));
                take(&render_part(signal, resource, scope, items))?;
                rest = after;
            }
        }
    }
    Ok(())
}

/// How many items belong to the next part: at least one.
fn count_items(items: &[&RawValue]) -> usize {
    let mut bytes = 0;
    let fits = |item: &&&RawValue| {
        let is_first = bytes == 0;
        bytes += item.get().len();
        is_first || bytes <= PART_BYTES
    };
    items.iter().take_while(fits).count()
}

fn render_part(
    signal: OtlpSignal,
    resource: &ResourceEntry<'_>,
    scope: &ScopeEntry<'_>,
    items: &[&RawValue],
) -> String {
    let [resources_key, scopes_key, items_key] = list_keys(signal);
    let field = |name: &str, value: Option<&RawValue>| value.map(|value| format!("\"{name}\":{},", value.get()));
    let owner = |name: &str, own: Option<&RawValue>, schema: Option<&RawValue>| {
        field(name, own).unwrap_or_default() + &field("schemaUrl", schema).unwrap_or_default()
    };
    let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
    format!(
        "{{\"{resources_key}\":[{{{}\"{scopes_key}\":[{{{}\"{items_key}\":[{}]}}]}}]}}",
        owner("resource", resource.resource, resource.schema_url),
        owner("scope", scope.scope, scope.schema_url),
        items.join(",")
    )
}

/// The names of the lists of resources, scopes and items.
fn list_keys(signal: OtlpSignal) -> [&'static str; 3] {
    match signal {
        OtlpSignal::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
        OtlpSignal::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
    }
}

/// The export that the stamped parts make together.
pub(super) struct JoinedExport(Vec<u8>);

impl JoinedExport {
    /// `expected` is the size of the sender's text.
    pub(super) fn new(signal: OtlpSignal, expected: usize) -> Self {
        let [resources_key, ..] = list_keys(signal);
        let mut text = Vec::with_capacity(expected + expected / 8);
        text.extend_from_slice(format!("{{\"{resources_key}\":[").as_bytes());
        Self(text)
    }

    /// Adds the entries of one part's list of resources.
    pub(super) fn append(&mut self, resources: &[Value]) {
        for resource in resources {
            if self.0.last() != Some(&b'[') {
                self.0.push(b',');
            }
            serde_json::to_writer(&mut self.0, resource).expect("a tree of JSON can be written to memory");
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"]}");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn divide(signal: OtlpSignal, body: &Value) -> Result<Vec<Value>, DivisionFault> {
        let mut parts = Vec::new();
        for_each_part(signal, body.to_string().as_bytes(), |part| {
            assert!(part.len() < 2 * PART_BYTES, "{}", part.len());
            parts.push(serde_json::from_str(part).expect("a part is JSON"));
            Ok(())
        })?;
        Ok(parts)
    }

    /// Log records of this size, in one scope.
    fn logs(count: usize, bytes: usize) -> Value {
        let record = |number: usize| json!({ "body": { "stringValue": format!("{number}-{}", "x".repeat(bytes)) } });
        let records: Vec<Value> = (0..count).map(record).collect();
        json!({ "resourceLogs": [{
            "resource": { "attributes": [] },
            "schemaUrl": "https://r.example",
            "scopeLogs": [{ "scope": { "name": "s" }, "logRecords": records }],
        }] })
    }

    #[test]
    fn parts_repeat_resource_and_scope_and_lose_no_item() {
        let body = logs(300, 1000);
        let parts = divide(OtlpSignal::Logs, &body).unwrap();
        assert!(parts.len() >= 9, "{}", parts.len());
        let mut joined = JoinedExport::new(OtlpSignal::Logs, 10);
        let mut records = Vec::new();
        for part in &parts {
            let [resource] = part["resourceLogs"].as_array().unwrap().as_slice() else { panic!("{part}") };
            assert_eq!(
                (&resource["resource"], &resource["schemaUrl"]),
                (&json!({ "attributes": [] }), &json!("https://r.example"))
            );
            assert_eq!(resource["scopeLogs"][0]["scope"], json!({ "name": "s" }));
            records.extend(resource["scopeLogs"][0]["logRecords"].as_array().unwrap().clone());
            joined.append(part["resourceLogs"].as_array().unwrap());
        }
        assert_eq!(&records, body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap());
        let joined: Value = serde_json::from_slice(&joined.finish()).unwrap();
        assert_eq!(joined["resourceLogs"].as_array().unwrap().len(), parts.len());
        assert_eq!(JoinedExport::new(OtlpSignal::Metrics, 0).finish(), br#"{"resourceMetrics":[]}"#);
    }

    #[test]
    fn item_above_the_size_of_a_part_is_a_part() {
        let body = logs(3, PART_BYTES - 100);
        assert_eq!(divide(OtlpSignal::Logs, &body).unwrap().len(), 3);
        assert_eq!(divide(OtlpSignal::Logs, &logs(0, 1)), Ok(Vec::new()));
    }

    #[test]
    fn other_shapes_and_many_owners_are_refused() {
        for body in [json!([]), json!({ "resourceLogs": 7 }), json!({ "resourceLogs": [{ "scopeLogs": {} }] })] {
            assert_eq!(divide(OtlpSignal::Logs, &body), Err(DivisionFault::Shape), "{body}");
        }
        let resources = vec![json!({ "scopeLogs": [] }); MAX_OWNERS + 1];
        assert_eq!(divide(OtlpSignal::Logs, &json!({ "resourceLogs": resources })), Err(DivisionFault::TooManyOwners));
        let scopes = vec![json!({ "logRecords": [] }); MAX_OWNERS + 1];
        let body = json!({ "resourceLogs": [{ "scopeLogs": scopes }] });
        assert_eq!(divide(OtlpSignal::Logs, &body), Err(DivisionFault::TooManyOwners));
    }
}
