//! The messages of OTLP 1.x: the names, numbers and types of their fields. One table serves both of its formats.
//!
//! Numbers and types are those of `opentelemetry/proto`. OTLP's JSON has the names in lower camel case. Fields that are
//! left out here are in development, and concern profiles and entities.

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

/// The type of a field, with its form in protobuf where JSON has one form for several.
#[derive(Clone, Copy)]
pub(super) enum FieldType {
    Text,
    Boolean,
    /// Bytes that are hexadecimal in JSON: identifiers of traces and spans.
    HexBytes,
    /// Bytes that are base64 in JSON.
    Base64Bytes,
    /// `int32` and enumerations.
    Int32,
    UInt32,
    /// `sint32`, in which small negative numbers are short.
    ZigZag32,
    Fixed32,
    Int64,
    UInt64,
    Fixed64,
    SignedFixed64,
    Double,
    Message(&'static Message),
    List(&'static FieldType),
}

/// A field of a message.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) field_type: FieldType,
}

/// A message by its fields.
pub(super) struct Message(&'static [Field]);

impl Message {
    pub(super) fn fields(&self) -> &'static [Field] {
        self.0
    }

    pub(super) fn find_by_name(&self, name: &str) -> Option<&'static Field> {
        self.0.iter().find(|field| field.name == name)
    }

    pub(super) fn find_by_number(&self, number: u32) -> Option<&'static Field> {
        self.0.iter().find(|field| field.number == number)
    }
}

/// The body of a request.
pub(super) fn export_message(signal: OtlpSignal) -> &'static Message {
    match signal {
        OtlpSignal::Metrics => &METRICS,
        OtlpSignal::Logs => &LOGS,
    }
}

/// The body of the answer to a request.
pub(super) fn answer_message(signal: OtlpSignal) -> &'static Message {
    match signal {
        OtlpSignal::Metrics => &METRICS_ANSWER,
        OtlpSignal::Logs => &LOGS_ANSWER,
    }
}

const fn field(number: u32, name: &'static str, field_type: FieldType) -> Field {
    Field { name, number, field_type }
}

use FieldType::{
    Base64Bytes, Boolean, Double, Fixed32, Fixed64, HexBytes, Int32, Int64, List, Message as Object, SignedFixed64,
    Text, UInt32, UInt64, ZigZag32,
};

static METRICS: Message = Message(&[field(1, "resourceMetrics", List(&Object(&RESOURCE_METRICS)))]);
static RESOURCE_METRICS: Message = Message(&[
    field(1, "resource", Object(&RESOURCE)),
    field(2, "scopeMetrics", List(&Object(&SCOPE_METRICS))),
    field(3, "schemaUrl", Text),
]);
static SCOPE_METRICS: Message = Message(&[
    field(1, "scope", Object(&SCOPE)),
    field(2, "metrics", List(&Object(&METRIC))),
    field(3, "schemaUrl", Text),
]);

/// The fields of a metric of which exactly one has its data points.
pub(super) const METRIC_KINDS: [&str; 5] = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];

static METRIC: Message = Message(&[
    field(1, "name", Text),
    field(2, "description", Text),
    field(3, "unit", Text),
    field(5, "gauge", Object(&GAUGE)),
    field(7, "sum", Object(&SUM)),
    field(9, "histogram", Object(&HISTOGRAM)),
    field(10, "exponentialHistogram", Object(&EXPONENTIAL_HISTOGRAM)),
    field(11, "summary", Object(&SUMMARY)),
    field(12, "metadata", List(&ATTRIBUTE)),
]);
static GAUGE: Message = Message(&[field(1, "dataPoints", List(&Object(&NUMBER_POINT)))]);
static SUM: Message = Message(&[
    field(1, "dataPoints", List(&Object(&NUMBER_POINT))),
    field(2, "aggregationTemporality", Int32),
    field(3, "isMonotonic", Boolean),
]);
static HISTOGRAM: Message =
    Message(&[field(1, "dataPoints", List(&Object(&HISTOGRAM_POINT))), field(2, "aggregationTemporality", Int32)]);
static EXPONENTIAL_HISTOGRAM: Message =
    Message(&[field(1, "dataPoints", List(&Object(&EXPONENTIAL_POINT))), field(2, "aggregationTemporality", Int32)]);
static SUMMARY: Message = Message(&[field(1, "dataPoints", List(&Object(&SUMMARY_POINT)))]);

static NUMBER_POINT: Message = Message(&[
    field(2, "startTimeUnixNano", Fixed64),
    field(3, "timeUnixNano", Fixed64),
    field(4, "asDouble", Double),
    field(5, "exemplars", List(&Object(&EXEMPLAR))),
    field(6, "asInt", SignedFixed64),
    field(7, "attributes", List(&ATTRIBUTE)),
    field(8, "flags", UInt32),
]);
static HISTOGRAM_POINT: Message = Message(&[
    field(2, "startTimeUnixNano", Fixed64),
    field(3, "timeUnixNano", Fixed64),
    field(4, "count", Fixed64),
    field(5, "sum", Double),
    field(6, "bucketCounts", List(&Fixed64)),
    field(7, "explicitBounds", List(&Double)),
    field(8, "exemplars", List(&Object(&EXEMPLAR))),
    field(9, "attributes", List(&ATTRIBUTE)),
    field(10, "flags", UInt32),
    field(11, "min", Double),
    field(12, "max", Double),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    field(1, "attributes", List(&ATTRIBUTE)),
    field(2, "startTimeUnixNano", Fixed64),
    field(3, "timeUnixNano", Fixed64),
    field(4, "count", Fixed64),
    field(5, "sum", Double),
    field(6, "scale", ZigZag32),
    field(7, "zeroCount", Fixed64),
    field(8, "positive", Object(&BUCKETS)),
    field(9, "negative", Object(&BUCKETS)),
    field(10, "flags", UInt32),
    field(11, "exemplars", List(&Object(&EXEMPLAR))),
    field(12, "min", Double),
    field(13, "max", Double),
    field(14, "zeroThreshold", Double),
]);
static BUCKETS: Message = Message(&[field(1, "offset", ZigZag32), field(2, "bucketCounts", List(&UInt64))]);
static SUMMARY_POINT: Message = Message(&[
    field(2, "startTimeUnixNano", Fixed64),
    field(3, "timeUnixNano", Fixed64),
    field(4, "count", Fixed64),
    field(5, "sum", Double),
    field(6, "quantileValues", List(&Object(&QUANTILE))),
    field(7, "attributes", List(&ATTRIBUTE)),
    field(8, "flags", UInt32),
]);
static QUANTILE: Message = Message(&[field(1, "quantile", Double), field(2, "value", Double)]);
static EXEMPLAR: Message = Message(&[
    field(2, "timeUnixNano", Fixed64),
    field(3, "asDouble", Double),
    field(4, "spanId", HexBytes),
    field(5, "traceId", HexBytes),
    field(6, "asInt", SignedFixed64),
    field(7, "filteredAttributes", List(&ATTRIBUTE)),
]);

static LOGS: Message = Message(&[field(1, "resourceLogs", List(&Object(&RESOURCE_LOGS)))]);
static RESOURCE_LOGS: Message = Message(&[
    field(1, "resource", Object(&RESOURCE)),
    field(2, "scopeLogs", List(&Object(&SCOPE_LOGS))),
    field(3, "schemaUrl", Text),
]);
static SCOPE_LOGS: Message = Message(&[
    field(1, "scope", Object(&SCOPE)),
    field(2, "logRecords", List(&Object(&LOG_RECORD))),
    field(3, "schemaUrl", Text),
]);
static LOG_RECORD: Message = Message(&[
    field(1, "timeUnixNano", Fixed64),
    field(2, "severityNumber", Int32),
    field(3, "severityText", Text),
    field(5, "body", Object(&ANY_VALUE)),
    field(6, "attributes", List(&ATTRIBUTE)),
    field(7, "droppedAttributesCount", UInt32),
    field(8, "flags", Fixed32),
    field(9, "traceId", HexBytes),
    field(10, "spanId", HexBytes),
    field(11, "observedTimeUnixNano", Fixed64),
    field(12, "eventName", Text),
]);

static RESOURCE: Message =
    Message(&[field(1, "attributes", List(&ATTRIBUTE)), field(2, "droppedAttributesCount", UInt32)]);
static SCOPE: Message = Message(&[
    field(1, "name", Text),
    field(2, "version", Text),
    field(3, "attributes", List(&ATTRIBUTE)),
    field(4, "droppedAttributesCount", UInt32),
]);

static ATTRIBUTE: FieldType = Object(&KEY_VALUE);
static KEY_VALUE: Message = Message(&[field(1, "key", Text), field(2, "value", Object(&ANY_VALUE))]);
static ANY_VALUE: Message = Message(&[
    field(1, "stringValue", Text),
    field(2, "boolValue", Boolean),
    field(3, "intValue", Int64),
    field(4, "doubleValue", Double),
    field(5, "arrayValue", Object(&ARRAY)),
    field(6, "kvlistValue", Object(&KEY_VALUES)),
    field(7, "bytesValue", Base64Bytes),
]);
static ARRAY: Message = Message(&[field(1, "values", List(&Object(&ANY_VALUE)))]);
static KEY_VALUES: Message = Message(&[field(1, "values", List(&ATTRIBUTE))]);

static METRICS_ANSWER: Message = Message(&[field(1, "partialSuccess", Object(&REJECTED_DATA_POINTS))]);
static REJECTED_DATA_POINTS: Message =
    Message(&[field(1, "rejectedDataPoints", Int64), field(2, "errorMessage", Text)]);
static LOGS_ANSWER: Message = Message(&[field(1, "partialSuccess", Object(&REJECTED_LOG_RECORDS))]);
static REJECTED_LOG_RECORDS: Message =
    Message(&[field(1, "rejectedLogRecords", Int64), field(2, "errorMessage", Text)]);

/// `google.rpc.Status`, the body of an answer that is an error.
pub(super) static ERROR_ANSWER: Message = Message(&[field(1, "code", Int32), field(2, "message", Text)]);

/// How many objects may still be created. A tree needs hundreds of bytes for a small object, so a body of a few megabytes
/// could fill the memory.
#[derive(Debug)]
pub(super) struct ObjectBudget(usize);

impl ObjectBudget {
    pub(super) fn new(objects: usize) -> Self {
        Self(objects)
    }

    /// Takes one object; `None` after the last one.
    pub(super) fn take(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }
}

/// A message as a tree of JSON.
pub(super) type MessageTree = Map<String, Value>;
