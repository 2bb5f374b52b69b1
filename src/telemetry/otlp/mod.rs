//! An export of OpenTelemetry (OTLP 1.x), as a relay passes it on: protobuf or JSON in, JSON out.
//!
//! A relay adds who has sent the export, and removes what the sender says about that. Two relays use this module: the
//! one of the organisation's server, and the one on a laptop.

mod json;
mod protobuf;
mod schema;
mod claimed_identity;
mod helper_state;

use std::fmt;

use serde_json::{Map, Value, json};

use super::IdentityAttributes;
use claimed_identity::ClaimedIdentity;
pub use helper_state::{FAILURE_HEADER, HelperState, VERSION_HEADER};
use schema::ObjectBudget;
pub use schema::OtlpFault;

/// The most resources of an export. A relay adds the attributes to each, so the limit bounds what an export grows to.
/// Claude Code sends one.
const MAX_RESOURCES: usize = 64;

/// The most data points or log records of an export. OpenTelemetry's exporters send at most 512 log records.
const MAX_ITEMS: usize = 4096;

/// The most objects of an export. A log record of Claude Code has about fifty, an attribute two.
const MAX_OBJECTS: usize = 100_000;

/// What an export contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpSignal {
    Metrics,
    Logs,
}

impl OtlpSignal {
    /// The path of the request, as OTLP names it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// An answer to the sender as protobuf. `answer` is the same in JSON; what is not an answer of OTLP becomes an empty
    /// message, which says that all was accepted.
    pub fn encode_answer(self, answer: &[u8]) -> Vec<u8> {
        let message = schema::answer_message(self);
        let tree = json::read_message(message, answer, ObjectBudget::new(MAX_OBJECTS)).unwrap_or_default();
        protobuf::write_message(message, &tree)
    }

    fn resources_key(self) -> &'static str {
        match self {
            Self::Metrics => "resourceMetrics",
            Self::Logs => "resourceLogs",
        }
    }

    fn scopes_key(self) -> &'static str {
        match self {
            Self::Metrics => "scopeMetrics",
            Self::Logs => "scopeLogs",
        }
    }
}

/// The body of an answer that is an error, as protobuf.
pub fn encode_error(message: &str) -> Vec<u8> {
    let tree = Map::from_iter([("message".to_owned(), Value::from(message))]);
    protobuf::write_message(&schema::ERROR_ANSWER, &tree)
}

/// The two formats of OTLP over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpFormat {
    Json,
    Protobuf,
}

/// Whether the identity also stands on each data point. Dashboards that were built for AWS's guidance sample group by
/// attributes of the data points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampPlace {
    Resource,
    ResourceAndDataPoints,
}

/// An export with the known fields of OTLP only, each of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpExport {
    signal: OtlpSignal,
    tree: Map<String, Value>,
}

/// Why an export is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtlpError {
    /// The text is not JSON, or a field occurs twice.
    NotJson,
    /// The bytes are not protobuf, or a field has another type than in OTLP.
    NotProtobuf,
    /// A field has another type than in OTLP.
    Fault(OtlpFault),
    TooManyResources,
    TooManyItems,
}

impl OtlpExport {
    /// Parses the body of a request. The caller bounds its size.
    pub fn parse(signal: OtlpSignal, format: OtlpFormat, body: &[u8]) -> Result<Self, OtlpError> {
        let (message, budget) = (schema::export_message(signal), ObjectBudget::new(MAX_OBJECTS));
        let tree = match format {
            OtlpFormat::Json => json::read_message(message, body, budget)?,
            OtlpFormat::Protobuf => protobuf::read_message(message, body, budget)?,
        };
        let export = Self { signal, tree };
        if export.resources().len() > MAX_RESOURCES {
            return Err(OtlpError::TooManyResources);
        }
        if export.count_items() > MAX_ITEMS {
            return Err(OtlpError::TooManyItems);
        }
        Ok(export)
    }

    pub fn signal(&self) -> OtlpSignal {
        self.signal
    }

    /// The entries of `resourceMetrics` or `resourceLogs`.
    pub fn resources(&self) -> &[Value] {
        list(self.tree.get(self.signal.resources_key()))
    }

    /// Data points or log records.
    pub fn count_items(&self) -> usize {
        let scopes = self.resources().iter().flat_map(|resource| list(resource.get(self.signal.scopes_key())));
        match self.signal {
            OtlpSignal::Logs => scopes.map(|scope| list(scope.get("logRecords")).len()).sum(),
            OtlpSignal::Metrics => scopes
                .flat_map(|scope| list(scope.get("metrics")))
                .filter_map(Value::as_object)
                .flat_map(|metric| schema::METRIC_KINDS.iter().filter_map(|kind| metric.get(*kind)))
                .map(|data| list(data.get("dataPoints")).len())
                .sum(),
        }
    }

    /// Removes all that the sender says about identity.
    pub fn remove_claimed_identity(&mut self, identity: &IdentityAttributes) {
        ClaimedIdentity::new(identity.decided_names()).remove_from(self.signal, &mut self.tree);
    }

    /// Writes the verified identity on each resource, in place of what the sender says about identity.
    pub fn stamp(&mut self, identity: &IdentityAttributes, place: StampPlace) {
        self.remove_claimed_identity(identity);
        let stamped = to_key_values(identity);
        for resource in list_mut(self.tree.get_mut(self.signal.resources_key())).iter_mut().filter_map(as_object_mut) {
            let described = resource.entry("resource").or_insert_with(|| json!({}));
            append_attributes(described, &stamped);
            if place == StampPlace::ResourceAndDataPoints {
                stamp_data_points(resource, &stamped);
            }
        }
    }

    /// Adds the state of the sender's helper to an export of metrics, as the gauge `bedrock_sso.helper`. To be called
    /// after [`stamp`](Self::stamp), which removes a gauge of this name.
    pub fn add_helper_state(&mut self, state: &HelperState, identity: &IdentityAttributes, unix_nanos: u64) {
        if self.signal != OtlpSignal::Metrics {
            return;
        }
        let entry = state.to_resource_metrics(to_key_values(identity), unix_nanos);
        let resources = self.tree.entry(self.signal.resources_key()).or_insert_with(|| json!([]));
        if let Value::Array(resources) = resources {
            resources.push(entry);
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.tree).expect("a tree of JSON can be written")
    }
}

fn to_key_values(identity: &IdentityAttributes) -> Vec<Value> {
    identity.iter().map(|(name, value)| json!({ "key": name, "value": { "stringValue": value } })).collect()
}

fn stamp_data_points(resource: &mut Map<String, Value>, stamped: &[Value]) {
    let metrics = list_mut(resource.get_mut("scopeMetrics"))
        .iter_mut()
        .flat_map(|scope| list_mut(scope.get_mut("metrics")))
        .filter_map(as_object_mut);
    for metric in metrics {
        for kind in schema::METRIC_KINDS {
            let points = metric.get_mut(kind).and_then(|data| data.get_mut("dataPoints"));
            list_mut(points).iter_mut().for_each(|point| append_attributes(point, stamped));
        }
    }
}

fn append_attributes(owner: &mut Value, stamped: &[Value]) {
    if let Some(owner) = owner.as_object_mut()
        && let Value::Array(attributes) = owner.entry("attributes").or_insert_with(|| json!([]))
    {
        attributes.extend(stamped.iter().cloned());
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn list_mut(value: Option<&mut Value>) -> &mut [Value] {
    value.and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

fn as_object_mut(value: &mut Value) -> Option<&mut Map<String, Value>> {
    value.as_object_mut()
}

impl fmt::Display for OtlpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the body is not JSON"),
            Self::NotProtobuf => f.write_str("the body is not OTLP in protobuf"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::TooManyResources => write!(f, "the export has more than {MAX_RESOURCES} resources"),
            Self::TooManyItems => {
                write!(f, "the export has more than {MAX_ITEMS} data points or log records, or {MAX_OBJECTS} objects")
            }
        }
    }
}

impl std::error::Error for OtlpError {}

#[cfg(test)]
mod tests;
