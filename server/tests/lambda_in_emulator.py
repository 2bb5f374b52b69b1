"""The program in an emulated AWS: a record that is written to a log group is counted by one function, and another one answers
requests from the same table.

    lambda_in_emulator.py PROGRAM

PROGRAM is bedrock-sso-server for this machine. server/tests/dynamodb starts this.
"""

import json
import os
import subprocess
import sys
import time
import unittest

import boto3
from botocore.config import Config
from emulated import pack, start_emulator

ACCOUNT = "123456789012"
REGION = "eu-west-1"
CONFIGURATION = """
version = 1
store = "dynamodb:limits"
[[issuer]]
issuer = "https://acme.okta.com"
audience = ["0oa1"]
"""
# How long an event may take. The emulator reports only failures, so the test asks again until then.
PATIENCE = 30


def record(request, person, tokens):
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-11-30T12:00:00Z",
        "accountId": ACCOUNT, "requestId": request, "operation": "InvokeModel", "region": REGION,
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/BedrockUser/{person}"},
        "modelId": "eu.anthropic.claude-opus-4-6-v1", "input": {"inputTokenCount": tokens}, "output": {"outputTokenCount": 0},
    }


class FunctionsInEmulator(unittest.TestCase):
    program = None

    @classmethod
    def setUpClass(cls):
        cls.endpoint = start_emulator(cls)
        cls.environment = {
            "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_DYNAMODB": cls.endpoint, "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION,
        }
        cls.client("dynamodb").create_table(
            TableName="limits", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )
        package = pack(cls.program)
        for role in ("check", "ingest"):
            cls.client("lambda").create_function(
                FunctionName=role, Runtime="provided.al2023", Handler="bootstrap", Timeout=20,
                Role=f"arn:aws:iam::{ACCOUNT}:role/limits", Code={"ZipFile": package},
                Environment={"Variables": {
                    "BEDROCK_SSO_SERVER_ROLE": role, "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION,
                    "AWS_ENDPOINT_URL_DYNAMODB": cls.endpoint,
                }},
            )

    @classmethod
    def client(cls, service):
        return boto3.client(
            service, endpoint_url=cls.endpoint, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="any",
            config=Config(read_timeout=60, proxies={}),
        )

    def usage(self):
        command = [self.program, "usage", "--month", "2026-11", "--json"]
        printed = subprocess.run(command, env=self.environment, check=True, capture_output=True).stdout
        return {row["person"]: row["input_tokens"] for row in json.loads(printed)["rows"]}

    def wait_for_usage(self, expected):
        deadline = time.monotonic() + PATIENCE
        while (usage := self.usage()) != expected and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(usage, expected)

    def test_a_record_in_a_log_group_is_counted_once(self):
        logs = self.client("logs")
        logs.create_log_group(logGroupName="bedrock")
        logs.create_log_stream(logGroupName="bedrock", logStreamName="calls")
        function = self.client("lambda").get_function(FunctionName="ingest")["Configuration"]["FunctionArn"]
        logs.put_subscription_filter(
            logGroupName="bedrock", filterName="limits", filterPattern="", destinationArn=function
        )

        def put(*records):
            events = [{"timestamp": int(time.time() * 1000), "message": json.dumps(it)} for it in records]
            logs.put_log_events(logGroupName="bedrock", logStreamName="calls", logEvents=events)

        put(record("1", "alice", 10), record("2", "bob", 20))
        self.wait_for_usage({"alice": 10, "bob": 20})
        # The first record again. The second one shows that the delivery was read.
        put(record("1", "alice", 10), record("3", "bob", 300))
        self.wait_for_usage({"alice": 10, "bob": 320})

    def test_requests_are_answered_from_the_table(self):
        request = {
            "version": "2.0", "routeKey": "$default", "rawPath": "/healthz", "rawQueryString": "", "headers": {"host": "limits"},
            "requestContext": {
                "accountId": ACCOUNT, "apiId": "api", "domainName": "limits", "domainPrefix": "limits", "requestId": "id",
                "http": {"method": "GET", "path": "/healthz", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
                "routeKey": "$default", "stage": "$default", "time": "30/Nov/2026:12:00:00 +0000", "timeEpoch": 1796040000000,
            },
            "isBase64Encoded": False,
        }
        answer = self.client("lambda").invoke(FunctionName="check", Payload=json.dumps(request))
        answer = json.load(answer["Payload"])
        self.assertEqual((answer.get("statusCode"), answer.get("body")), (200, '{"status":"ok"}'), answer)


if __name__ == "__main__":
    FunctionsInEmulator.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
