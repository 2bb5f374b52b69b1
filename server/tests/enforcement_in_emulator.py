"""Refusals in an emulated AWS whose IAM decides about each call: a record in a log group ends a live session.

    enforcement_in_emulator.py PROGRAM

PROGRAM is bedrock-sso-server for this machine. server/tests/dynamodb starts this.
"""

import concurrent.futures
import datetime
import json
import os
import subprocess
import sys
import time
import unittest
import urllib.request

import boto3
import botocore.exceptions
from botocore.config import Config
from emulated import pack, start_emulator

ACCOUNT = "123456789012"
REGION = "eu-west-1"
MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
POLICIES = [f"arn:aws:iam::{ACCOUNT}:policy/limits-quota-{number}" for number in (1, 2)]
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:limits"
CONFIGURATION = f"""
version = 1
store = "dynamodb:limits"
[[issuer]]
issuer = "https://acme.okta.com"
audience = ["0oa1"]
[notify]
topic = "{TOPIC}"
[enforce]
policies = {json.dumps(POLICIES)}
function = "enforce"
"""
# The first version of the template's policies.
NOBODY = {"Version": "2012-10-17", "Statement": [{
    "Sid": "Blocked", "Effect": "Deny", "Resource": "*",
    "Action": ["bedrock:*", "bedrock-mantle:*", "cloudwatch:*", "logs:*", "sts:*"],
    "Condition": {"StringLike": {"aws:userid": ["*:(nobody)"]}},
}]}
# What the issue promises, from the record to the refusal.
PROMISED = 5
# How long other changes may take. The emulator reports no event, so the tests ask again until then.
PATIENCE = 30


def record(request, person, tokens):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": now, "accountId": ACCOUNT, "requestId": request,
        "operation": "InvokeModel", "region": REGION, "modelId": MODEL, "input": {"inputTokenCount": tokens},
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/BedrockUser/{person}"}, "output": {"outputTokenCount": 0},
    }


class Refusals(unittest.TestCase):
    program = None

    @classmethod
    def setUpClass(cls):
        cls.endpoint = start_emulator(cls, env={**os.environ, "AUTH": "true"})
        cls.environment = {
            "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_ENDPOINT_URL": cls.endpoint,
            "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION,
        }
        cls.iam = cls.client("iam")
        cls.create_store_and_roles()
        cls.create_functions()
        cls.subscribe_log_and_topic()

    @classmethod
    def client(cls, service, **credentials):
        root = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
        # Without retries of its own, so that a refusal is seen at once.
        config = Config(read_timeout=60, proxies={}, retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=cls.endpoint, region_name=REGION, config=config, **{**root, **credentials})

    @classmethod
    def create_store_and_roles(cls):
        cls.client("dynamodb").create_table(
            TableName="limits", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )

        def create_role(name, trusted, actions, resources):
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]}
            cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            allowed = {"Effect": "Allow", "Action": actions, "Resource": resources}
            document = {"Version": "2012-10-17", "Statement": [allowed]}
            cls.iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(document))

        versions = ["ListPolicyVersions", "GetPolicyVersion", "CreatePolicyVersion", "DeletePolicyVersion"]
        table = ["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"]
        of_server = [f"iam:{it}" for it in versions] + [f"dynamodb:{it}" for it in table] + ["lambda:InvokeFunction", "sns:Publish"]
        own = POLICIES + [TOPIC, f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/limits", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:enforce"]
        create_role("limits", {"Service": "lambda.amazonaws.com"}, of_server, own)
        create_role("BedrockUser", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ["bedrock:*"], "*")
        for arn in POLICIES:
            cls.iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=json.dumps(NOBODY))
            cls.iam.attach_role_policy(RoleName="BedrockUser", PolicyArn=arn)

    @classmethod
    def create_functions(cls):
        package = pack(cls.program)
        for role in ("ingest", "enforce"):
            cls.client("lambda").create_function(
                FunctionName=role, Runtime="provided.al2023", Handler="bootstrap", Timeout=60,
                Role=f"arn:aws:iam::{ACCOUNT}:role/limits", Code={"ZipFile": package},
                Environment={"Variables": {
                    "BEDROCK_SSO_SERVER_ROLE": role, "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION, "AWS_ENDPOINT_URL": cls.endpoint,
                }},
            )

    @classmethod
    def subscribe_log_and_topic(cls):
        cls.logs = cls.client("logs")
        cls.logs.create_log_group(logGroupName="bedrock")
        cls.logs.create_log_stream(logGroupName="bedrock", logStreamName="calls")
        cls.logs.put_subscription_filter(
            logGroupName="bedrock", filterName="limits", filterPattern="",
            destinationArn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ingest",
        )
        sns, cls.sqs = cls.client("sns"), cls.client("sqs")
        sns.create_topic(Name="limits")
        cls.queue = cls.sqs.create_queue(QueueName="notices")["QueueUrl"]
        queue = cls.sqs.get_queue_attributes(QueueUrl=cls.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        cls.sqs.set_queue_attributes(QueueUrl=cls.queue, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})

    def run_program(self, *words):
        subprocess.run([self.program, *words], env=self.environment, check=True, capture_output=True)

    def put(self, *records):
        events = [{"timestamp": int(time.time() * 1000), "message": json.dumps(it)} for it in records]
        self.logs.put_log_events(logGroupName="bedrock", logStreamName="calls", logEvents=events)

    def start_session(self, person):
        """The credentials that a laptop holds. They stay the same until the test ends."""
        role = f"arn:aws:iam::{ACCOUNT}:role/BedrockUser"
        granted = self.client("sts").assume_role(RoleArn=role, RoleSessionName=person)["Credentials"]
        return self.client(
            "bedrock-runtime", aws_access_key_id=granted["AccessKeyId"], aws_secret_access_key=granted["SecretAccessKey"],
            aws_session_token=granted["SessionToken"],
        )

    def may_call(self, session):
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}
        try:
            session.invoke_model(modelId=MODEL, body=json.dumps(body))
            return True
        except botocore.exceptions.ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "AccessDeniedException", error)
            return False

    def wait_until(self, what, condition, seconds=PATIENCE):
        begin = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begin, seconds, what)
            # The emulator reports changes only to those who ask.
            time.sleep(0.05)
        return time.monotonic() - begin

    def versions(self):
        return [len(self.iam.list_policy_versions(PolicyArn=arn)["Versions"]) for arn in POLICIES]

    def receive_notices(self):
        received = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        return [message["Body"] for message in received]

    def test_1_a_record_ends_a_live_session_until_a_grant(self):
        self.run_program("limits", "set", "--default", "--month", "1000")
        alice, bob = self.start_session("alice@example.com"), self.start_session("bob@example.com")
        self.assertTrue(self.may_call(alice) and self.may_call(bob))
        # Both functions have started once, as they have in a company at work.
        self.put(record("warm", "zoe@example.com", 2000))
        zoe = self.start_session("zoe@example.com")
        self.wait_until("zoe is refused", lambda: not self.may_call(zoe))
        self.assertTrue(self.may_call(alice))
        self.put(record("first", "alice@example.com", 2000), record("other", "bob@example.com", 10))
        seconds = self.wait_until("alice is refused", lambda: not self.may_call(alice), PROMISED)
        print(f"from the record to the refusal: {seconds:.2f} s", file=sys.stderr)
        self.assertTrue(self.may_call(bob))
        self.run_program("grant", "--person", "alice@example.com", "--until", "2099-01-01", "--amount", "5k", "--reason", "test")
        self.wait_until("alice may call again", lambda: self.may_call(alice))
        self.assertFalse(self.may_call(zoe))
        # Beyond the grant.
        self.put(record("second", "alice@example.com", 9000))
        self.wait_until("alice is refused again", lambda: not self.may_call(alice))

    def test_2_each_threshold_is_one_notice(self):
        self.run_program("limits", "set", "--default", "--month", "1000")
        received = []

        def has_arrived(person):
            received.extend(self.receive_notices())
            return any(text.startswith(person) for text in received)

        self.put(record("eve-1", "eve@example.com", 2000))
        self.wait_until("a notice arrives", lambda: has_arrived("eve@example.com has used 2,000"))
        # The last one shows that the delivery before it has been read.
        self.put(record("eve-2", "eve@example.com", 3000))
        self.put(record("last", "last@example.com", 2000))
        self.wait_until("the last notice arrives", lambda: has_arrived("last@example.com"))
        self.assertEqual(len([text for text in received if text.startswith("eve@")]), 1, received)

    def test_3_a_block_ends_at_its_time_without_a_write(self):
        carl = self.start_session("carl@example.com")
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=8)
        self.run_program("block", "--person", "carl@example.com", "--until", end.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.wait_until("carl is refused", lambda: not self.may_call(carl))
        before = self.versions()
        self.wait_until("the block ends", lambda: self.may_call(carl))
        self.assertEqual(self.versions(), before)

    def test_4_enforcers_at_the_same_time_write_one_version(self):
        dan = self.start_session("dan@example.com")
        functions = self.client("lambda")
        # The end of the block before is still in a document.
        functions.invoke(FunctionName="enforce", Payload="{}")
        before = self.versions()
        block = {**self.environment, "BEDROCK_SSO_SERVER_CONFIG": CONFIGURATION.replace('function = "enforce"', "")}
        subprocess.run([self.program, "block", "--person", "dan@example.com"], env=block, check=True, capture_output=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda _: functions.invoke(FunctionName="enforce", Payload='{"source":"test"}'), range(4)))
        reports = [json.load(answer["Payload"]) for answer in answers]
        self.assertEqual(sorted(report["written"] for report in reports), [0, 0, 0, 1], reports)
        self.assertFalse(self.may_call(dan))
        self.assertTrue(all(count <= 4 for count in self.versions()), (before, self.versions()))

    def test_5_only_versions_of_policies_are_touched(self):
        requests = json.load(urllib.request.urlopen(f"{self.endpoint}/_test/requests"))
        # Those of the test itself have the account as their key.
        operations = {it["operation"] for it in requests if it["service"] == "iam" and it["account"] != ACCOUNT}
        self.assertLessEqual(operations, {"ListPolicyVersions", "GetPolicyVersion", "CreatePolicyVersion", "DeletePolicyVersion"})
        self.assertIn("CreatePolicyVersion", operations)
        # One place of five stays free for CloudFormation.
        self.assertTrue(all(count <= 4 for count in self.versions()), self.versions())


if __name__ == "__main__":
    Refusals.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
