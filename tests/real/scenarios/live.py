"""`doctor --live` at moto's STS, and at a Bedrock that checks requests with botocore; boto3 makes the same calls."""

import json

from bench import HERE
from judge import OWN_PROFILE, PROFILE
from scenarios.world import document, expect, scenario

ROWS = ["exchange", "identity", "bedrock-models", "bedrock-profiles", "converse", "streaming", "converse-opus", "streaming-opus"]


def at_moto(world, name):
    moto = world.moto
    made = world.bench.home(name, world.bench.quick_provider, sts_endpoint=moto.address, bedrock_endpoint=moto.bedrock)
    made.bedrock = {"AWS_ENDPOINT_URL_BEDROCK": moto.bedrock, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": moto.bedrock}
    expect(made.credentials().code == 0, "the sign-in failed")
    return made


@scenario
def botocore_accepts_the_requests_of_doctor_live(world):
    made = at_moto(world, "live")
    models = {"ANTHROPIC_MODEL": OWN_PROFILE, "ANTHROPIC_DEFAULT_OPUS_MODEL": PROFILE}
    outcome = made.ours("doctor", "--live", "--json", **made.bedrock, **models)
    rows = {check["name"]: check for check in json.loads(outcome.stdout)["checks"]}
    # moto takes a request without a signature for one of S3. In this it differs from AWS, and doctor reports it.
    expect(outcome.code == 9 and [name for name, row in rows.items() if row["result"] == "bad"] == ["aws"], outcome)
    for name in ROWS:
        expect(rows.get(name, {}).get("result") == "ok", f"{name}: {rows.get(name)}")
    identity = rows["identity"]["message"]
    expect("arn:aws:sts::123456789012:assumed-role/BedrockUser/alice@example.com" in identity, identity)
    expect("(tokens: 11 in, 1 out)" in rows["streaming"]["message"], rows["streaming"])


@scenario
def boto3_gets_the_same_answers_from_bedrock(world):
    made = at_moto(world, "live-witness")
    command = [made.bench.cache / "python/bin/python", HERE / "callers/bedrock_with_boto3.py", OWN_PROFILE]
    answers = document(made.start(command, AWS_PROFILE="real", **made.bedrock).outcome())
    expect(answers["profiles"] == [PROFILE] and answers["word"] == "ok", answers)
    expect(answers["events"][-1] == "metadata", answers)
