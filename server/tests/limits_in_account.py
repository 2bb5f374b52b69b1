"""The limits as they are deployed: packaging/aws in an emulated account, with the program in the functions.

    limits_in_account.py PROGRAM

PROGRAM is bedrock-sso-server for this machine. server/tests/dynamodb starts this. Bedrock is not called: whether a call would be
allowed is decided by the evaluator of tests/aws on the policies that IAM has at that moment, as tests/real does.
"""

import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zoneinfo
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from emulated import ROOT, pack, start_emulator
sys.path[:0] = [str(ROOT / "tests/aws"), str(ROOT / "tests/real")]

from evaluate import Request, evaluate  # noqa: E402
from iam import Iam, caller_context, moment_of_request  # noqa: E402

ACCOUNT, REGION = "123456789012", "eu-west-1"
LOG_GROUP = "/acme/bedrock"
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.{MODEL}"
FEDERATION, SERVICE = "sso-federation", "sso-service"
# From the record in the log to the refusal of the next call.
DEADLINE = 5
# How long something else may take before the test gives up.
PATIENCE = 60
ZONE, DAY = zoneinfo.ZoneInfo("Europe/Berlin"), datetime.timedelta(days=1)
# Services that the program calls. In AWS it knows their addresses.
CALLED = ("DYNAMODB", "IAM", "LAMBDA", "SNS", "S3")


READS = {f"dynamodb:{it}" for it in ("GetItem", "BatchGetItem", "Query")}
WRITES = {f"dynamodb:{it}" for it in ("PutItem", "UpdateItem")}
POLICIES = {f"iam:{it}" for it in ("ListPolicyVersions", "GetPolicyVersion", "CreatePolicyVersion", "DeletePolicyVersion")}
# What the functions may do, and what these tests make each of them do.
ALLOWED = {
    "check": READS | WRITES,
    "ingest": READS | WRITES | {"lambda:InvokeFunction", "sns:Publish", "s3:GetObject"},
    "enforce": READS | WRITES | {"dynamodb:DeleteItem"} | POLICIES,
}
NEEDED = {
    "check": {"dynamodb:Query"},
    "ingest": {"dynamodb:PutItem", "dynamodb:UpdateItem", "lambda:InvokeFunction", "sns:Publish", "s3:GetObject"},
    "enforce": {"dynamodb:Query", "dynamodb:DeleteItem"} | POLICIES,
}


class Limits(unittest.TestCase):
    program = None

    @classmethod
    def setUpClass(cls):
        cls.endpoint = start_emulator(cls)
        cls.iam = Iam(cls.endpoint)
        cls.addresses = {f"AWS_ENDPOINT_URL_{name}": cls.endpoint for name in CALLED}
        cls.upload()
        logs = cls.client("logs")
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="calls")
        models = {"InferenceProfileArns": PROFILE, "FoundationModelArns": f"arn:aws:bedrock:*::foundation-model/{MODEL}"}
        sign_in = {"IssuerUrl": "https://acme.okta.com", "ClientIds": "0oa1b2c3d4"}
        federation = cls.deploy(FEDERATION, "federation", {**sign_in, **models, "SessionName": "subject", "Limits": "yes"})
        program = {"CodeBucket": "programs", "CodeKey": "server.zip", "LogGroupName": LOG_GROUP, "RecordBucket": "records"}
        limits = {"LimitPolicyArns": federation["LimitPolicyArns"], "PersonClaims": "sub", "TimeZone": "Europe/Berlin", "DashboardMetrics": "yes"}
        cls.service = cls.deploy(SERVICE, "service", {**program, **sign_in, **limits, "PermissionSet": "sso"})
        cls.policies, cls.role = federation["LimitPolicyArns"].split(","), federation["RoleArn"]
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        configuration = cls.client("ssm").get_parameter(Name=cls.service["ConfigurationName"])["Parameter"]["Value"]
        Path(cls.folder.name, "server.toml").write_text(configuration)
        cls.set_addresses()

    @classmethod
    def client(cls, service):
        return boto3.client(
            service, endpoint_url=cls.endpoint, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="any",
            config=Config(read_timeout=60, proxies={}, s3={"addressing_style": "path"}),
        )

    @classmethod
    def upload(cls):
        package = pack(cls.program)
        s3 = cls.client("s3")
        for bucket in ("programs", "records"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_notification_configuration(Bucket="records", NotificationConfiguration={"EventBridgeConfiguration": {}})
        s3.put_object(Bucket="programs", Key="server.zip", Body=package)

    @classmethod
    def deploy(cls, stack, template, parameters):
        """The outputs of the stack."""
        client = cls.client("cloudformation")
        client.create_stack(
            StackName=stack, TemplateBody=(ROOT / f"packaging/aws/{template}.yaml").read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        while (found := client.describe_stacks(StackName=stack)["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
            # CloudFormation reports the end of a stack only to those who ask.
            time.sleep(0.05)
        assert found["StackStatus"] == "CREATE_COMPLETE", found
        return {it["OutputKey"]: it["OutputValue"] for it in found["Outputs"]}

    @classmethod
    def set_addresses(cls):
        """The functions get the addresses of the emulated services, which are not those of AWS."""
        client = cls.client("lambda")
        for role in ("check", "ingest", "enforce"):
            name = f"{SERVICE}-{role}"
            variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            # Under addresses that say to the emulator which function calls.
            addresses = {key: f"{value}/_as/{role}" for key, value in cls.addresses.items()}
            client.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, **addresses}})

    def administer(self, *arguments):
        """A command in an administrator's terminal, with the configuration that the stack has stored."""
        environment = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": REGION, **self.addresses}
        command = [self.program, *arguments, "--config", f"{self.folder.name}/server.toml"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    # People

    def decide(self, person, at=None):
        """Whether AWS would allow the next call of this person's session, which exists already; or which policy refuses it."""
        role = self.iam.role(self.role)
        session = {"UserId": f"{role.id}:{person}", "Tags": {}}
        context = {**caller_context(session, role), **moment_of_request(secure=True)}
        if at:
            context["aws:CurrentTime"] = at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        decision = evaluate(Request("bedrock:InvokeModel", PROFILE, context), role.policies, role.boundary)
        return "allowed" if decision.allowed else decision.policy

    def wait_until(self, person, allowed, seconds=PATIENCE):
        """Returns after how many seconds AWS decided so."""
        began = time.monotonic()
        while (self.decide(person) == "allowed") != allowed:
            self.assertLess(time.monotonic() - began, seconds, f"{person} is {self.decide(person)}")
            # IAM reports no change of a policy.
            time.sleep(0.05)
        return time.monotonic() - began

    @staticmethod
    def record(person, tokens):
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": now, "accountId": ACCOUNT, "requestId": str(uuid.uuid4()),
            "operation": "InvokeModelWithResponseStream", "region": REGION, "modelId": PROFILE,
            "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{FEDERATION}-user/{person}"},
            "input": {"inputTokenCount": tokens}, "output": {"outputTokenCount": 0},
        }

    def call(self, *calls):
        """What Bedrock writes into the log after these calls of (person, tokens)."""
        self.write(*(self.record(*it) for it in calls))

    def write(self, *records):
        events = [{"timestamp": int(time.time() * 1000), "message": json.dumps(it)} for it in records]
        self.client("logs").put_log_events(logGroupName=LOG_GROUP, logStreamName="calls", logEvents=events)

    def wait_for_usage(self, person, tokens):
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = json.loads(self.administer("usage", "--json"))["rows"]
            used = sum(row["input_tokens"] for row in rows if row["person"] == person)
            if used == tokens:
                return
            self.assertLess(time.monotonic(), deadline, f"{person} has used {used}")

    # Tests

    def test_limit_ends_a_live_session_and_a_grant_allows_it_again(self):
        self.administer("limits", "set", "--person", "alice", "--month", "1k")
        self.call(("alice", 400), ("bob", 400))
        self.wait_for_usage("alice", 400)
        self.assertEqual((self.decide("alice"), self.decide("bob")), ("allowed", "allowed"))
        self.call(("alice", 600), ("bob", 600))
        took = self.wait_until("alice", allowed=False)
        print(f"from the record to the refusal: {took:.2f} s")
        self.assertLess(took, DEADLINE)
        self.assertIn(self.decide("alice"), self.policies)
        self.assertIn("you-are-blocked-limit-reached-run-bedrock-sso-quota", self.decide("alice"))
        self.assertEqual(self.decide("bob"), "allowed")
        # The month of the organization ends, and with it the refusal, also if no function runs then.
        now = datetime.datetime.now(ZONE)
        reset = datetime.datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=ZONE)
        second = datetime.timedelta(seconds=1)
        self.assertNotEqual(self.decide("alice", reset - second), "allowed")
        self.assertEqual(self.decide("alice", reset + second), "allowed")
        self.administer("grant", "--person", "alice", "--until", (reset + 40 * DAY).strftime("%Y-%m-%d"), "--reason", "release")
        print(f"from the grant to the next call: {self.wait_until('alice', allowed=True):.2f} s")

    def test_block_of_an_administrator_ends_a_live_session(self):
        self.assertEqual(self.decide("carol"), "allowed")
        self.administer("block", "--person", "carol", "--reason", "left")
        self.wait_until("carol", allowed=False)
        self.assertEqual(self.decide("dave"), "allowed")
        self.administer("unblock", "--person", "carol")
        self.wait_until("carol", allowed=True)

    def test_alarms_find_what_the_function_writes(self):
        logs, group = self.client("logs"), next(it for it in self.service["LogGroupNames"].split(",") if "Ingest" in it)
        filters = [it["filterPattern"].strip('"') for it in logs.describe_metric_filters(logGroupName=group)["metricFilters"]]
        self.assertEqual(len(filters), 3)
        pooled = self.record("CognitoIdentityCredentials", 1)
        self.write({**self.record("grace", 1), "modelId": "acme.unknown-v1:0"}, pooled)
        deadline = time.monotonic() + PATIENCE
        while missing := [it for it in filters if it not in self.lines_of(group)]:
            self.assertLess(time.monotonic(), deadline, f"{missing} not in {self.lines_of(group)}")
            # A log reports new lines only to those who ask.
            time.sleep(0.2)

    def test_dashboard_gets_the_numbers_of_a_run(self):
        self.administer("block", "--person", "heidi@example.com", "--reason", "left")
        group = next(it for it in self.service["LogGroupNames"].split(",") if "Enforce" in it)
        deadline = time.monotonic() + PATIENCE
        while not (blocking := [it for it in self.numbers_of(group) if it["BlockedPeople"]]):
            self.assertLess(time.monotonic(), deadline, self.lines_of(group))
            # A log reports new lines only to those who ask.
            time.sleep(0.2)
        self.administer("unblock", "--person", "heidi@example.com")
        [declared] = blocking[0]["_aws"]["CloudWatchMetrics"]
        self.assertEqual((declared["Namespace"], declared["Dimensions"]), (SERVICE, [[]]))
        # CloudWatch makes metrics of what a line declares and has.
        self.assertLessEqual({it["Name"] for it in declared["Metrics"]}, set(blocking[0]))
        self.assertNotIn("heidi", json.dumps(blocking))
        # The first run of the function has summed the spending too.
        self.assertTrue(any("SpendThisMonth" in it for it in self.numbers_of(group)), self.lines_of(group))

    def numbers_of(self, group):
        """The lines in the embedded metric format, which CloudWatch finds by their form."""
        return [json.loads(line) for line in self.lines_of(group).splitlines() if line.startswith('{"') and '"_aws"' in line]

    def lines_of(self, group):
        return "\n".join(it["message"] for it in self.client("logs").filter_log_events(logGroupName=group)["events"])

    def test_api_admits_signed_sessions_of_the_permission_set_and_nobody_else(self):
        self.assertEqual([self.ask(path)[0] for path in ("/check", "/me", "/signed/check", "/signed/me")], [401, 401, 403, 403])
        self.administer("limits", "set", "--person", "frank@example.com", "--month", "500USD")
        status, answer = self.ask("/signed/me", self.session("AWSReservedSSO_sso_0123456789abcdef", "frank@example.com"))
        self.assertEqual((status, answer.get("person"), answer.get("limits", [{}])[0].get("limit")), (200, "frank@example.com", 500), answer)
        status, answer = self.ask("/signed/check", self.session("AWSReservedSSO_sso_0123456789abcdef", "frank@example.com"))
        self.assertEqual((status, answer.get("allowed")), (200, True), answer)
        # A role that somebody created with a similar name, and another permission set.
        for role in ("AWSReservedSSO_sso_0123456789abcde", "AWSReservedSSO_other_0123456789abcdef", f"{FEDERATION}-user"):
            status, answer = self.ask("/signed/check", self.session(role, "frank@example.com"))
            self.assertNotEqual((status, answer.get("allowed")), (200, True), role)

    def session(self, role, name):
        """The credentials of a session, as a laptop has them."""
        iam = self.client("iam")
        try:
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        except iam.exceptions.EntityAlreadyExistsException:
            pass
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        found = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def ask(self, path, credentials=None):
        """The status and the body of an answer of the API, signed or not."""
        # By its path: the emulator's name of the API ends in a number, which no address of AWS does.
        api = self.service["SignedApiArn"].rpartition(":")[2].partition("/")[0]
        request = AWSRequest("GET", f"{self.endpoint}/_aws/execute-api/{api}/$default{path}")
        if credentials:
            SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(request.url, headers=dict(request.headers))) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def test_when_all_is_done_each_function_may_do_what_it_did(self):
        """Runs last, by its name: judges all calls of the functions by the policies of their roles."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.endpoint}/_test/requests") as answer:
            requests = [it for it in json.load(answer) if "caller" in it]
        asked = sorted({(it["caller"], *question) for it in requests for question in self.questions(it)})
        iam = self.client("iam")
        for caller, action, resource in asked:
            role = self.client("lambda").get_function_configuration(FunctionName=f"{SERVICE}-{caller}")["Role"]
            name = role.rpartition("/")[2]
            policies = {it: iam.get_role_policy(RoleName=name, PolicyName=it)["PolicyDocument"] for it in iam.list_role_policies(RoleName=name)["PolicyNames"]}
            with self.subTest(caller=caller, action=action, resource=resource):
                self.assertTrue(evaluate(Request(action, resource, moment_of_request(secure=True)), policies).allowed)
        # All that each role allows, except for its log, which AWS Lambda writes.
        for caller, expected in ALLOWED.items():
            seen = {action for name, action, _ in asked if name == caller}
            self.assertLessEqual(seen, expected)
            self.assertGreaterEqual(seen, NEEDED[caller], f"{caller} was never seen to do some of it")

    def questions(self, request):
        """What IAM asks for a request: (action, resource)."""
        service, operation, body = request["service"], request["operation"], request["body"]
        if service == "dynamodb":
            table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.service['TableName']}"
            content = json.loads(body)
            if operation == "TransactWriteItems":
                kinds = {kind for item in content["TransactItems"] for kind in item}
                return [(f"dynamodb:{kind}Item", table) for kind in kinds]
            self.assertIn(self.service["TableName"], body)
            return [(f"dynamodb:{operation}", table)]
        if service in ("iam", "sns"):
            parameters = dict(urllib.parse.parse_qsl(body))
            return [(f"{service}:{operation}", parameters.get("PolicyArn") or parameters["TopicArn"])]
        if service == "lambda":
            function = re.fullmatch(r"POST /2015-03-31/functions/([^/]+)/invocations", operation)
            return [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function[1]}")]
        self.assertEqual((service, operation[:4]), ("s3", "GET "))
        return [("s3:GetObject", f"arn:aws:s3:::{operation[5:]}")]

    def test_files_of_other_accounts_count(self):
        self.client("s3").put_object(Bucket="records", Key="AWSLogs/record.json", Body=json.dumps(self.record("erin", 70)).encode())
        self.wait_for_usage("erin", 70)


if __name__ == "__main__":
    Limits.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
