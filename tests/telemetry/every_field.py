"""Writes an export of each signal that sets every field of OTLP, once as protobuf and once as OTLP's JSON.

The official package encodes the protobuf, and its descriptors say which fields there are. The relay's own table of
fields is tested with these files (src/telemetry/otlp/tests.rs). With --check, nothing is written, and the files must be
as they would be written.
"""

import base64
import json
import sys
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

FOLDER = Path(__file__).resolve().parents[2] / "src/telemetry/otlp/every_field"

# Fields in development, which concern profiles and entities. The relay drops them.
LEFT_OUT = {"entity_refs", "string_value_strindex", "key_strindex"}
HEXADECIMAL = {"trace_id", "span_id"}
WIDE = {
    FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64,
}
MAX_NESTING = 2


class Numbers:
    """Distinct numbers, so that no two fields can be confused."""

    def __init__(self):
        self.last = 100

    def next(self):
        self.last += 1
        return self.last


def scalar(field, numbers):
    """A value for the field, and the same in OTLP's JSON."""
    number = numbers.next()
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return f"text {number} ü", f"text {number} ü"
    if kind == FieldDescriptor.TYPE_BYTES:
        value = bytes([255, 0, number % 256])
        return value, value.hex() if field.name in HEXADECIMAL else base64.b64encode(value).decode()
    if kind == FieldDescriptor.TYPE_BOOL:
        return True, True
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return number + 0.25, number + 0.25
    if kind == FieldDescriptor.TYPE_ENUM:
        return 2, 2
    if kind in (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SFIXED64):
        value = -(2**62) - number
    elif kind in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64):
        value = 2**63 + number
    elif kind in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32):
        value = -(2**30) - number
    else:
        value = 2**31 + number
    return value, str(value) if kind in WIDE else value


def choices(descriptor):
    """The fields to set in one message, once for each member of a group of which only one can be set."""
    plain = [field for field in descriptor.fields if field.name not in LEFT_OUT]
    groups = [
        [field for field in group.fields if field.name not in LEFT_OUT]
        for group in descriptor.oneofs if not group.name.startswith("_")
    ]
    exclusive = {field.name for group in groups for field in group}
    shared = [field for field in plain if field.name not in exclusive]
    if not groups:
        return [shared]
    return [shared + [member] for group in groups for member in group]


def messages(make, descriptor, numbers, nesting):
    """All messages that are needed to set every field, each with its form in OTLP's JSON."""
    depth = nesting.get(descriptor.full_name, 0)
    if depth >= MAX_NESTING:
        return [(make(), {})]
    nesting = {**nesting, descriptor.full_name: depth + 1}
    made = []
    for fields in choices(descriptor):
        message, tree = make(), {}
        for field in fields:
            name = field.json_name
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                target = getattr(message, field.name)
                inner = type(target.add()) if field.is_repeated else type(target)
                if field.is_repeated:
                    del target[:]
                values = messages(inner, field.message_type, numbers, nesting)
                if field.is_repeated:
                    target.extend(value for value, _ in values)
                    tree[name] = [value for _, value in values]
                else:
                    made.extend(fill_alternatives(make, field, values[1:]))
                    target.CopyFrom(values[0][0])
                    target.SetInParent()
                    tree[name] = values[0][1]
            elif field.is_repeated:
                values = [scalar(field, numbers) for _ in range(3)]
                getattr(message, field.name).extend(value for value, _ in values)
                tree[name] = [value for _, value in values]
            else:
                value, tree[name] = scalar(field, numbers)
                setattr(message, field.name, value)
        made.append((message, tree))
    return made


def fill_alternatives(make, field, values):
    """One message for each further value of a field."""
    made = []
    for value, tree in values:
        message = make()
        getattr(message, field.name).CopyFrom(value)
        getattr(message, field.name).SetInParent()
        made.append((message, {field.json_name: tree}))
    return made


def main():
    wrong = []
    for name, request in [("metrics", ExportMetricsServiceRequest), ("logs", ExportLogsServiceRequest)]:
        [(message, tree)] = messages(request, request.DESCRIPTOR, Numbers(), {})
        files = {
            f"{name}.pb": message.SerializeToString(deterministic=True),
            f"{name}.json": (json.dumps(tree, ensure_ascii=False) + "\n").encode(),
        }
        for file, content in files.items():
            path = FOLDER / file
            if "--check" in sys.argv[1:]:
                if not path.exists() or path.read_bytes() != content:
                    wrong.append(str(path))
            else:
                FOLDER.mkdir(exist_ok=True)
                path.write_bytes(content)
                print(path, len(content))
    if wrong:
        sys.exit("these files are not as the official package writes them: " + ", ".join(wrong))


main()
