"""Records of the invocation log and rows of the relay: three months of an organization, with everything that a log can contain."""

import gzip
import hashlib
import itertools
import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
REGION = "eu-central-1"

# Person: department, team. The last two have never asked, so no token has named them.
PEOPLE = {
    "ada@example.com": ("Engineering", "search"),
    "Grace.Hopper_1+x=y,z": ("Engineering", "search"),
    "bo": ("Engineering", "platform"),
    "chidi@example.com": ("Research", "ml"),
    "00u1dana": ("Research", None),
    "eve@example.com": (None, None),
}
STRANGERS = ["frank@example.com", "AWSCLI-Session"]

PROFILE = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile"
MODELS = [
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",  # another price for long prompts
    "global.anthropic.claude-opus-5-5",
    f"{PROFILE}/eu.anthropic.claude-opus-4-6-v1",
    "us-gov.anthropic.claude-haiku-5-5",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6",  # without a price
    "acme.model_100%-v1",  # likewise, with what LIKE takes for a pattern
    "us.amazon.nova-pro-v1:0",
]

# Rows in front of the list that ships: a price that falls on one day, one that rises on another, and one of a model that
# is unknown before. An underscore and a percent sign are themselves, `?` is any character.
DATED_PRICES = """
[[price]]
model = "*claude-opus-4-6*"
from = "2026-10-25"
input = 1.000001
output = "7.5"
cache_read = 0.05
cache_write = 1.25

[[price]]
model = "*claude-haiku-4-?-*"
from = "2026-11-01"
input = 9
output = 45
cache_read = 0.9
cache_write = 11.25

[[price]]
model = "acme.model_100%*"
from = "2026-11-15"
input = 0.000001
output = 0.000003
cache_read = 0
cache_write = 0.5
"""

# Around the edges of months, of days and of the clocks' change in Europe/Berlin, in UTC.
EDGES = ["2026-09-30T21:59:59Z", "2026-09-30T22:00:00Z", "2026-10-24T23:59:59Z", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z",
         "2026-10-25T01:30:00Z", "2026-10-31T22:59:59.999Z", "2026-10-31T23:00:00Z", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z",
         "2026-11-14T23:59:59Z", "2026-11-15T00:00:00Z", "2026-11-26T23:00:00Z", "2026-11-27T08:00:00Z"]  # fmt: skip


def record(request, person, model, time, counts=(1, 1, 0, 0), account=ACCOUNT, **more):
    """A record with these tokens: input, output, read from the cache, written to it. Bedrock leaves out counts that are zero."""
    tokens = {"inputTokenCount": counts[0], "cacheReadInputTokenCount": counts[2], "cacheWriteInputTokenCount": counts[3]}
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": time, "accountId": account, "region": REGION,
        "requestId": request, "operation": "InvokeModelWithResponseStream", "modelId": model, "inferenceRegion": "eu-west-1",
        "identity": {"arn": f"arn:aws:sts::{account}:assumed-role/BedrockUser/{person}"},
        "input": {"inputContentType": "application/json", **{key: it for key, it in tokens.items() if it}},
        "output": {"outputContentType": "application/json", "outputTokenCount": counts[1]},
        **more,
    }  # fmt: skip


def good_records(chance, number):
    start = datetime(2026, 8, 31, tzinfo=timezone.utc)
    times = EDGES + [(start + timedelta(seconds=chance.randrange(88 * 86_400))).strftime("%Y-%m-%dT%H:%M:%SZ") for _ in range(number)]
    for index, time in enumerate(times):
        counts = [chance.choice([0, 1, 3, 7, 999, 1234, 31_814, 180_000]) for _ in range(4)]
        if chance.random() < 0.02:
            counts[chance.randrange(4)] = 1_000_000_000
        more = {}
        if chance.random() < 0.05:
            more = chance.choice([{"errorCode": "ThrottlingException"}, {"status": 429}, {"status": "500"}])
        elif chance.random() < 0.1:
            more = chance.choice([{"status": 200}, {"status": "200"}, {"status": "Success"}])
        if chance.random() < 0.02:
            time = datetime.fromisoformat(time).astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(timespec="seconds")
        account = OTHER_ACCOUNT if chance.random() < 0.1 else ACCOUNT
        person = chance.choice([*PEOPLE, *PEOPLE, *STRANGERS])
        yield record(f"request-{index:05}", person, chance.choice(MODELS), time, counts, account, **more)


NUMBERS = itertools.count()


def changed(**values):
    whole = record(f"poisoned-{next(NUMBERS)}", "ada@example.com", MODELS[0], "2026-11-02T10:00:00Z", (1_000, 1_000, 0, 0))
    for path, value in values.items():
        place = whole
        *parents, last = path.split("__")
        for name in parents:
            place = place[name]
        place[last] = value
    return whole


def poisoned_lines():
    """What no sum may contain."""
    records = [
        changed(input__inputTokenCount=1_000_000_001), changed(input__inputTokenCount=-1), changed(output__outputTokenCount=1.5),
        changed(input__inputTokenCount=1e300), changed(schemaType="AgentLog"), changed(schemaVersion="2.0"), changed(timestamp="yesterday"),
        changed(timestamp="2026-13-41T10:00:00Z"), changed(identity__arn=f"arn:aws:iam::{ACCOUNT}:user/bob"),
        changed(identity__arn=f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/BedrockUser/ada@example.com"),
        changed(identity__arn=f"arn:evil:sts::{ACCOUNT}:assumed-role/BedrockUser/ada@example.com"),
        changed(identity__arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/BedrockUser/a b"),
        changed(identity__arn=f"arn:aws:sts::{ACCOUNT}:assumed-role//ada@example.com"),
        changed(identity__arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Pool/CognitoIdentityCredentials"),
        changed(requestId=""), changed(requestId="a b"), changed(modelId="x" * 513), [], "text",
    ]  # fmt: skip
    return [json.dumps(it) for it in records] + ["{\"schemaType\":", "not json"]


def write_log(bucket, lines_by_hour):
    """Writes the files of the bucket as Bedrock does, and returns their paths."""
    paths = []
    for (account, hour), lines in sorted(lines_by_hour.items()):
        folder = Path(bucket, "AWSLogs", account, "BedrockModelInvocationLogs", REGION, hour)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{it}\n" for it in lines).encode()
        path = folder / f"{hour.replace('/', '')}_{hashlib.sha256(text).hexdigest()[:16]}.json.gz"
        path.write_bytes(gzip.compress(text))
        paths.append(path)
    return paths


def write_invocations(bucket, number=3_000, seed=1):
    """The log of three months. Returns the paths in the order in which they arrive."""
    chance = random.Random(seed)
    hours = {}

    def add(line, time, account=ACCOUNT, late=0):
        hour = (datetime.fromisoformat(time).astimezone(timezone.utc) + timedelta(hours=late)).strftime("%Y/%m/%d/%H")
        hours.setdefault((account, hour), []).append(line)

    good = list(good_records(chance, number))
    for it in good:
        add(json.dumps(it), it["timestamp"], it["accountId"])
        # Delivered twice: in the same file, or in that of another day.
        for late in [0] * (chance.random() < 0.05) + [24] * (chance.random() < 0.03):
            add(json.dumps(it), it["timestamp"], it["accountId"], late)
    for line in poisoned_lines():
        add(line, "2026-11-02T10:00:00Z")
    paths = write_log(bucket, hours)
    # A body that was too large for its record. The person who writes a prompt decides what is in it.
    forged = record("forged-body", "ada@example.com", MODELS[1], "2026-11-02T10:00:00Z", (1_000_000, 1_000_000, 0, 0))
    data = Path(bucket, "AWSLogs", ACCOUNT, "BedrockModelInvocationLogs", REGION, "2026/11/02/10/data")
    data.mkdir()
    (data / "forged-body_input.json.gz").write_bytes(gzip.compress(json.dumps(forged).encode() + b"\n"))
    return paths


# What Claude Code reports, by session: person, day, language and decisions, lines, commits, pull requests, money and tokens.
SESSIONS = [
    ("s-1", "ada@example.com", "2026-11-02T09:00:00.000Z", "Rust", (7, 2), (120, 30), 3, 1, {"opus": 2.5, "haiku": 0.25}, 90_000),
    ("s-2", "ada@example.com", "2026-11-03T09:00:00.000Z", "Rust", (1, 1), (10, 0), 0, 0, {"opus": 0.125}, 4_000),
    ("s-3", "bo", "2026-11-03T23:30:00.000Z", "Python", (4, 0), (55, 5), 1, 0, {"haiku": 0.5}, 12_000),
    # In Berlin both are on one day, and in UTC on two.
    ("s-6", "bo", "2026-11-04T10:00:00.000Z", "Python", (0, 0), (0, 0), 0, 0, {"haiku": 0.0625}, 100),
    ("s-4", "chidi@example.com", "2026-11-04T12:00:00.000Z", "Python", (0, 3), (0, 0), 0, 0, {"opus": 40.0}, 1_000_000),
    ("s-5", "chidi@example.com", "2026-10-31T23:30:00.000Z", "TypeScript", (5, 5), (9, 9), 2, 2, {"opus": 1.0}, 5_000),
]


def exports():
    """What Claude Code sends to the relay, as (person, path, body): metrics of each session, and an event."""
    points = {}

    def add(session, person, time, name, value, **attributes):
        number = {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
        named = {key.rstrip("_"): it for key, it in attributes.items()} | {"session.id": session, "user.email": "forged@example.com"}
        points.setdefault((session, person), []).append((f"claude_code.{name}", {
            "timeUnixNano": str(round(datetime.fromisoformat(time).timestamp() * 1000) * 1_000_000), "attributes": described(named), **number,
        }))  # fmt: skip

    for session, person, time, language, (accepted, rejected), (added, removed), commits, requests, money, tokens in SESSIONS:
        add(session, person, time, "session.count", 1)
        for decision, number in (("accept", accepted), ("reject", rejected)):
            if number:
                add(session, person, time, "code_edit_tool.decision", number, decision=decision, language=language, tool_name="Edit")
        for kind, number in (("added", added), ("removed", removed)):
            if number:
                add(session, person, time, "lines_of_code.count", number, type_=kind)
        if commits:
            add(session, person, time, "commit.count", commits)
        if requests:
            add(session, person, time, "pull_request.count", requests)
        for model, usd in money.items():
            add(session, person, time, "cost.usage", usd, model=model)
        add(session, person, time, "token.usage", tokens, type_="input", model="opus")
    found = []
    for (_, person), measured in points.items():
        metrics = [{"name": name, "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [point]}} for name, point in measured]
        # A sum that only grows contains what an earlier export has said.
        metrics.append({"name": "claude_code.commit.count", "sum": {"aggregationTemporality": 2, "dataPoints": [measured[0][1]]}})
        scope = {"name": "com.anthropic.claude_code", "version": "2.1.328"}
        body = {"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"scope": scope, "metrics": metrics}]}]}
        found.append((person, "/v1/metrics", body))
    # Another program's number on a day without any work with Claude Code.
    point = {"timeUnixNano": "1795168800000000000", "asInt": "1", "attributes": described({"session.id": "other"})}
    gauge = {"name": "other.program", "gauge": {"dataPoints": [point]}}
    found.append(("bo", "/v1/metrics", {"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"scope": {}, "metrics": [gauge]}]}]}))
    event = {"timeUnixNano": "1793610000000000000", "body": {"stringValue": "planted"}, "attributes": described({"event.name": "tool_decision", "decision": "accept"})}
    scope = {"name": "com.anthropic.claude_code.events", "version": "2.1.328"}
    found.append(("bo", "/v1/logs", {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"scope": scope, "logRecords": [event]}]}]}))
    # An exporter that got no answer sends the same again.
    return found + found[::2]


def described(attributes):
    return [{"key": key, "value": {"stringValue": it}} for key, it in attributes.items()]
