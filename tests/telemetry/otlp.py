"""OTLP with OpenTelemetry's official protobufs: from JSON or binary to messages, and from messages to plain records."""

import base64
import json
from dataclasses import dataclass

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

# OTLP's JSON has these fields in hexadecimal, unlike the JSON of protobuf, which has bytes in base64.
HEXADECIMAL = {"traceId", "spanId", "parentSpanId"}


@dataclass(frozen=True)
class Signal:
    name: str
    request: type
    answer: type
    partial: str

    def response(self, rejected):
        message = self.answer()
        if rejected:
            setattr(message.partial_success, self.partial, rejected)
            message.partial_success.error_message = "as scripted"
        return message


METRICS = Signal(
    "metrics",
    metrics_service_pb2.ExportMetricsServiceRequest,
    metrics_service_pb2.ExportMetricsServiceResponse,
    "rejected_data_points",
)
LOGS = Signal("logs", logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records")


def decode(signal, kind, body):
    """A request. An unknown field is an error, which finds misspelled ones."""
    message = signal.request()
    if kind == "application/json":
        return json_format.ParseDict(with_base64(json.loads(body)), message)
    message.ParseFromString(body)
    return message


def encode(message, kind):
    if kind != "application/json":
        return message.SerializeToString()
    return json.dumps(with_hexadecimal(json_format.MessageToDict(message, use_integers_for_enums=True))).encode()


def with_base64(value):
    return converted(value, lambda text: base64.b64encode(bytes.fromhex(text)).decode())


def with_hexadecimal(value):
    return converted(value, lambda text: base64.b64decode(text).hex())


def converted(value, convert):
    if isinstance(value, dict):
        return {
            key: convert(inner) if key in HEXADECIMAL and isinstance(inner, str) else converted(inner, convert)
            for key, inner in value.items()
        }
    return [converted(inner, convert) for inner in value] if isinstance(value, list) else value


def points_of(request):
    """Each data point of a request for metrics as a record."""
    return [
        {
            "resource": attributes_of(group.resource.attributes),
            "scope": {"name": scope.scope.name, "attributes": attributes_of(scope.scope.attributes)},
            "name": metric.name,
            "kind": metric.WhichOneof("data"),
            "temporality": getattr(getattr(metric, metric.WhichOneof("data")), "aggregation_temporality", 0),
            "attributes": attributes_of(point.attributes),
            "value": number_of(point),
            "time": point.time_unix_nano,
        }
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    ]


def events_of(request):
    """Each log record of a request as a record."""
    return [
        {
            "resource": attributes_of(group.resource.attributes),
            "scope": {"name": scope.scope.name, "attributes": attributes_of(scope.scope.attributes)},
            "name": record.event_name,
            "body": value_of(record.body),
            "attributes": attributes_of(record.attributes),
            "time": record.time_unix_nano,
        }
        for group in request.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    ]


def number_of(point):
    kind = point.WhichOneof("value") if "value" in point.DESCRIPTOR.oneofs_by_name else None
    return getattr(point, kind) if kind else None


def attributes_of(pairs):
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return base64.b64encode(value.bytes_value).decode() if kind == "bytes_value" else getattr(value, kind) if kind else None
