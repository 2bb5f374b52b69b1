//! The messages of OTLP 1.x in JSON: which fields they have, and of which type.
//!
//! OTLP's JSON has the names of its protobuf messages in lower camel case, 64-bit integers as numbers or decimal texts,
//! and enumerations as numbers. Bytes stay as they are: identifiers are hexadecimal, other bytes base64.

use std::fmt;

use serde_json::{Map, Value};

use super::OtlpSignal;

/// A field that has another type than in OTLP. The names are those of OTLP, never the sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpFault {
    pub field: &'static str,
    pub expected: &'static str,
}

impl fmt::Display for OtlpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not {}", self.field, self.expected)
    }
}

/// The type of a field.
#[derive(Clone, Copy)]
enum FieldType {
    Text,
    Boolean,
    /// An integer of 32 bits, or an enumeration.
    Number32,
    /// An integer of 64 bits, also as a decimal text.
    Number64,
    /// A number, or `NaN`, `Infinity`, `-Infinity`.
    Double,
    Message(&'static Message),
    List(&'static FieldType),
}

/// A message by its fields.
struct Message(&'static [(&'static str, FieldType)]);

use FieldType::{Boolean, Double, List, Message as Object, Number32, Number64, Text};

static METRICS: Message = Message(&[("resourceMetrics", List(&Object(&RESOURCE_METRICS)))]);
static RESOURCE_METRICS: Message =
    Message(&[("resource", Object(&RESOURCE)), ("scopeMetrics", List(&Object(&SCOPE_METRICS))), ("schemaUrl", Text)]);
static SCOPE_METRICS: Message =
    Message(&[("scope", Object(&SCOPE)), ("metrics", List(&Object(&METRIC))), ("schemaUrl", Text)]);

/// The fields of a metric of which exactly one has its data points.
pub(super) const METRIC_KINDS: [&str; 5] = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];

static METRIC: Message = Message(&[
    ("name", Text),
    ("description", Text),
    ("unit", Text),
    ("gauge", Object(&GAUGE)),
    ("sum", Object(&SUM)),
    ("histogram", Object(&HISTOGRAM)),
    ("exponentialHistogram", Object(&EXPONENTIAL_HISTOGRAM)),
    ("summary", Object(&SUMMARY)),
    ("metadata", List(&ATTRIBUTE)),
]);
static GAUGE: Message = Message(&[("dataPoints", List(&Object(&NUMBER_POINT)))]);
static SUM: Message = Message(&[
    ("dataPoints", List(&Object(&NUMBER_POINT))),
    ("aggregationTemporality", Number32),
    ("isMonotonic", Boolean),
]);
static HISTOGRAM: Message =
    Message(&[("dataPoints", List(&Object(&HISTOGRAM_POINT))), ("aggregationTemporality", Number32)]);
static EXPONENTIAL_HISTOGRAM: Message =
    Message(&[("dataPoints", List(&Object(&EXPONENTIAL_POINT))), ("aggregationTemporality", Number32)]);
static SUMMARY: Message = Message(&[("dataPoints", List(&Object(&SUMMARY_POINT)))]);

static NUMBER_POINT: Message = Message(&[
    ("attributes", List(&ATTRIBUTE)),
    ("startTimeUnixNano", Number64),
    ("timeUnixNano", Number64),
    ("asDouble", Double),
    ("asInt", Number64),
    ("exemplars", List(&Object(&EXEMPLAR))),
    ("flags", Number32),
]);
static HISTOGRAM_POINT: Message = Message(&[
    ("attributes", List(&ATTRIBUTE)),
    ("startTimeUnixNano", Number64),
    ("timeUnixNano", Number64),
    ("count", Number64),
    ("sum", Double),
    ("bucketCounts", List(&Number64)),
    ("explicitBounds", List(&Double)),
    ("exemplars", List(&Object(&EXEMPLAR))),
    ("flags", Number32),
    ("min", Double),
    ("max", Double),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    ("attributes", List(&ATTRIBUTE)),
    ("startTimeUnixNano", Number64),
    ("timeUnixNano", Number64),
    ("count", Number64),
    ("sum", Double),
    ("scale", Number32),
    ("zeroCount", Number64),
    ("positive", Object(&BUCKETS)),
    ("negative", Object(&BUCKETS)),
    ("flags", Number32),
    ("exemplars", List(&Object(&EXEMPLAR))),
    ("min", Double),
    ("max", Double),
    ("zeroThreshold", Double),
]);
static BUCKETS: Message = Message(&[("offset", Number32), ("bucketCounts", List(&Number64))]);
static SUMMARY_POINT: Message = Message(&[
    ("attributes", List(&ATTRIBUTE)),
    ("startTimeUnixNano", Number64),
    ("timeUnixNano", Number64),
    ("count", Number64),
    ("sum", Double),
    ("quantileValues", List(&Object(&QUANTILE))),
    ("flags", Number32),
]);
static QUANTILE: Message = Message(&[("quantile", Double), ("value", Double)]);
static EXEMPLAR: Message = Message(&[
    ("filteredAttributes", List(&ATTRIBUTE)),
    ("timeUnixNano", Number64),
    ("asDouble", Double),
    ("asInt", Number64),
    ("spanId", Text),
    ("traceId", Text),
]);

static LOGS: Message = Message(&[("resourceLogs", List(&Object(&RESOURCE_LOGS)))]);
static RESOURCE_LOGS: Message =
    Message(&[("resource", Object(&RESOURCE)), ("scopeLogs", List(&Object(&SCOPE_LOGS))), ("schemaUrl", Text)]);
static SCOPE_LOGS: Message =
    Message(&[("scope", Object(&SCOPE)), ("logRecords", List(&Object(&LOG_RECORD))), ("schemaUrl", Text)]);
static LOG_RECORD: Message = Message(&[
    ("timeUnixNano", Number64),
    ("observedTimeUnixNano", Number64),
    ("severityNumber", Number32),
    ("severityText", Text),
    ("body", Object(&ANY_VALUE)),
    ("attributes", List(&ATTRIBUTE)),
    ("droppedAttributesCount", Number32),
    ("flags", Number32),
    ("traceId", Text),
    ("spanId", Text),
    ("eventName", Text),
]);

static RESOURCE: Message = Message(&[("attributes", List(&ATTRIBUTE)), ("droppedAttributesCount", Number32)]);
static SCOPE: Message = Message(&[
    ("name", Text),
    ("version", Text),
    ("attributes", List(&ATTRIBUTE)),
    ("droppedAttributesCount", Number32),
]);

static ATTRIBUTE: FieldType = Object(&KEY_VALUE);
static KEY_VALUE: Message = Message(&[("key", Text), ("value", Object(&ANY_VALUE))]);
static ANY_VALUE: Message = Message(&[
    ("stringValue", Text),
    ("boolValue", Boolean),
    ("intValue", Number64),
    ("doubleValue", Double),
    ("arrayValue", Object(&ARRAY)),
    ("kvlistValue", Object(&KEY_VALUES)),
    ("bytesValue", Text),
]);
static ARRAY: Message = Message(&[("values", List(&Object(&ANY_VALUE)))]);
static KEY_VALUES: Message = Message(&[("values", List(&ATTRIBUTE))]);

/// Checks the body of a request, and returns it without fields that OTLP does not have.
pub(super) fn check_export(signal: OtlpSignal, value: Value) -> Result<Map<String, Value>, OtlpFault> {
    let message = match signal {
        OtlpSignal::Metrics => &METRICS,
        OtlpSignal::Logs => &LOGS,
    };
    match value {
        Value::Object(fields) => message.check(fields),
        _ => Err(OtlpFault { field: "the body", expected: "an object" }),
    }
}

impl Message {
    /// Takes the known fields out of the object. `null` is an absent field, as in protobuf's JSON.
    fn check(&self, mut fields: Map<String, Value>) -> Result<Map<String, Value>, OtlpFault> {
        let mut checked = Map::new();
        for (name, field_type) in self.0 {
            match fields.remove(*name) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    checked.insert((*name).to_owned(), field_type.check(name, value)?);
                }
            }
        }
        Ok(checked)
    }
}

impl FieldType {
    fn check(&self, field: &'static str, value: Value) -> Result<Value, OtlpFault> {
        let fault = |expected| OtlpFault { field, expected };
        match (self, value) {
            (Object(message), Value::Object(fields)) => message.check(fields).map(Value::Object),
            (Object(_), _) => Err(fault("an object")),
            (List(element), Value::Array(items)) => {
                items.into_iter().map(|item| element.check(field, item)).collect::<Result<_, _>>().map(Value::Array)
            }
            (List(_), _) => Err(fault("a list")),
            (Text, value @ Value::String(_)) => Ok(value),
            (Text, _) => Err(fault("a text")),
            (Boolean, value @ Value::Bool(_)) => Ok(value),
            (Boolean, _) => Err(fault("true or false")),
            (Number32, value) => match value.as_i64() {
                Some(number) if i32::try_from(number).is_ok() || u32::try_from(number).is_ok() => Ok(value),
                _ => Err(fault("an integer of 32 bits")),
            },
            (Number64, value) => match is_number64(&value) {
                true => Ok(value),
                false => Err(fault("an integer of 64 bits")),
            },
            (Double, value) => match is_double(&value) {
                true => Ok(value),
                false => Err(fault("a number")),
            },
        }
    }
}

fn is_number64(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_double(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") || (text.parse::<f64>().is_ok_and(f64::is_finite))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}
