"""Deploys the templates into the emulator, with all sets of parameters, and returns what exists then."""

import functools
import io
import json
import subprocess
import sys
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import botocore.config
import botocore.exceptions
import botocore.session
from parameter_sets import all_sets

HERE = Path(__file__).parent
TEMPLATES = HERE.parent.parent / "packaging/aws"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


@dataclass
class Stack:
    """`resources`: {logical id: {"type", "id", "properties"}} with resolved properties. `refusal`: why CloudFormation did not create it."""

    set: object
    resources: dict
    outputs: dict
    refusal: str = ""

    def of_type(self, name):
        return {key: it for key, it in self.resources.items() if it["type"] == name}


class Emulator:
    """The emulator as a context: its endpoint answers until the end."""

    def __enter__(self):
        self.session = botocore.session.Session()
        self.process = subprocess.Popen([sys.executable, HERE / "emulator.py"], stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().split()
        assert first[:1] == ["ready"], "the emulator did not start"
        self.endpoint = first[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def client(self, service, account, region="us-east-1"):
        proxyless = botocore.config.Config(proxies={}, retries={"max_attempts": 0})
        account_keys = {"aws_access_key_id": account, "aws_secret_access_key": "secret"}
        return self.session.create_client(service, region_name=region, endpoint_url=self.endpoint, config=proxyless, **account_keys)

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.endpoint}{path}") as answer:
            return json.load(answer)


@functools.lru_cache(None)
def everything():
    return deploy(all_sets())


def deploy(sets):
    """Deploys each set into its own account, and returns a Stack for each."""
    texts = {name: (TEMPLATES / f"{name}.yaml").read_text() for name in {it.template for it in sets}}
    with Emulator() as emulator:
        refusals = {}
        for it in sets:
            if it.template == "service":
                prepare_service(emulator, it)
            refusals[it.account] = create(emulator.client("cloudformation", it.account, it.region), it, texts[it.template])
        stacks = emulator.get("/_test/stacks")
    found = []
    for it in sets:
        stack = stacks.get(it.account, {}).get(it.region, {}).get(it.stack, {"resources": {}, "outputs": {}})
        found.append(Stack(it, stack["resources"], stack["outputs"], refusals[it.account]))
    return found


def prepare_service(emulator, it):
    """What service.yaml expects to exist: a program, and the log group of the invocation log."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("bootstrap", "#!/bin/sh\n")
    bucket = emulator.client("s3", it.account, it.region)
    place = {"CreateBucketConfiguration": {"LocationConstraint": it.region}} if it.region != "us-east-1" else {}
    bucket.create_bucket(Bucket=it.parameters["CodeBucket"], **place)
    bucket.put_object(Bucket=it.parameters["CodeBucket"], Key=it.parameters["CodeKey"], Body=archive.getvalue())
    emulator.client("logs", it.account, it.region).create_log_group(logGroupName=it.parameters["LogGroupName"])


def create(client, it, text):
    """Creates the stack. Returns "" or the reason why it does not exist."""
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in it.parameters.items()]
    try:
        client.create_stack(StackName=it.stack, TemplateBody=text, Parameters=parameters, Capabilities=CAPABILITIES, OnFailure="DO_NOTHING")
        while (stack := client.describe_stacks(StackName=it.stack)["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
            # CloudFormation reports the end of a stack only to those who ask.
            time.sleep(0.01)
    except botocore.exceptions.ClientError as error:
        return str(error)
    if stack["StackStatus"] == "CREATE_COMPLETE":
        return ""
    events = client.describe_stack_events(StackName=it.stack)["StackEvents"]
    return "; ".join(it["ResourceStatusReason"] for it in events if it["ResourceStatus"].endswith("FAILED")) or stack["StackStatus"]


def documents_in(value):
    """The policy documents in the properties of a resource, also those that are strings."""
    if isinstance(value, str) and value.startswith("{") and '"Statement"' in value:
        value = json.loads(value)
    if isinstance(value, dict) and "Statement" in value:
        yield value
    elif isinstance(value, (dict, list)):
        for it in value.values() if isinstance(value, dict) else value:
            yield from documents_in(it)
