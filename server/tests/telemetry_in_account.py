"""The relay as it is deployed: packaging/aws/telemetry.yaml in an emulated account, with the program in the function.

    telemetry_in_account.py PROGRAM

PROGRAM is bedrock-sso-server for this machine. server/tests/dynamodb starts this. CloudWatch's endpoints for OpenTelemetry, which the
emulator lacks, are servers of this test; Firehose is the emulator's. tests/telemetry verifies the signatures of the requests.
"""

import base64
import gzip
import hashlib
import http.server
import json
import os
import secrets
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from emulated import ROOT, pack, start_emulator
sys.path[:0] = [str(ROOT / "tests/aws"), str(ROOT / "tests/real")]

from evaluate import Request, evaluate  # noqa: E402
from iam import moment_of_request  # noqa: E402

ACCOUNT, REGION = "123456789012", "eu-west-1"
STACK, STREAM, CLIENT = "sso-telemetry", "acme-telemetry", "0oa1b2c3d4"
FUNCTION = f"{STACK}-relay"
# What the template believes. The function gets the address of the test's issuer instead, because API Gateway accepts https only.
ISSUER = "https://acme.okta.com"
EVERY_METRIC = (ROOT / "src/telemetry/otlp/every_field/metrics.pb").read_bytes()


class SigningKey:
    """An RSA key, with what RS256 needs (RFC 8017 §8.2)."""

    def __init__(self):
        p, q = self.prime(), self.prime()
        self.modulus, self.exponent = p * q, 65537
        self.secret = pow(self.exponent, -1, (p - 1) * (q - 1))

    @staticmethod
    def prime():
        while True:
            number = secrets.randbits(1024) | (3 << 1022) | 1
            if number % 65537 != 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
                return number

    def sign(self, text):
        digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text).digest()
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        return pow(int.from_bytes(padded, "big"), self.secret, self.modulus).to_bytes(256, "big")


def encode(value):
    value = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class Neighbours(http.server.BaseHTTPRequestHandler):
    """The issuer of tokens, and CloudWatch, which remembers each export."""

    key, seen, refusals = SigningKey(), [], []

    def do_GET(self):
        issuer = f"http://{self.headers['Host']}"
        documents = {
            "/.well-known/openid-configuration": {
                "issuer": issuer, "authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t", "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/keys": {"keys": [{
                "kty": "RSA", "kid": "own", "use": "sig", "alg": "RS256",
                "n": encode(self.key.modulus.to_bytes(256, "big")), "e": "AQAB",
            }]},
        }
        self.answer(200, documents[self.path])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, {key.lower(): it for key, it in self.headers.items()}, json.loads(body)))
        self.answer(self.refusals.pop(0) if self.refusals else 200, {})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Telemetry(unittest.TestCase):
    program = None

    @classmethod
    def setUpClass(cls):
        cls.endpoint = start_emulator(cls)
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbours)
        cls.addClassCleanup(cls.server.shutdown)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.issuer = f"http://127.0.0.1:{cls.server.server_port}"
        cls.create_stream()
        cls.outputs = cls.deploy({
            "CodeBucket": "programs", "CodeKey": "server.zip", "IssuerUrl": ISSUER, "ClientIds": CLIENT, "PersonClaims": "sub",
            "TeamClaims": "squad", "StreamName": STREAM,
        })
        cls.set_addresses()

    @classmethod
    def client(cls, service):
        return boto3.client(
            service, endpoint_url=cls.endpoint, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="any",
            config=Config(read_timeout=60, proxies={}, s3={"addressing_style": "path"}),
        )

    @classmethod
    def create_stream(cls):
        s3 = cls.client("s3")
        for bucket in ("programs", "rows"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="programs", Key="server.zip", Body=pack(cls.program))
        destination = {"BucketARN": "arn:aws:s3:::rows", "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/stream", "Prefix": "telemetry/"}
        cls.client("firehose").create_delivery_stream(DeliveryStreamName=STREAM, DeliveryStreamType="DirectPut", ExtendedS3DestinationConfiguration=destination)

    @classmethod
    def deploy(cls, parameters):
        client = cls.client("cloudformation")
        client.create_stack(
            StackName=STACK, TemplateBody=(ROOT / "packaging/aws/telemetry.yaml").read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        while (found := client.describe_stacks(StackName=STACK)["Stacks"][0])["StackStatus"] == "CREATE_IN_PROGRESS":
            # CloudFormation reports the end of a stack only to those who ask.
            time.sleep(0.05)
        assert found["StackStatus"] == "CREATE_COMPLETE", found
        return {it["OutputKey"]: it["OutputValue"] for it in found["Outputs"]}

    @classmethod
    def set_addresses(cls):
        client = cls.client("lambda")
        variables = client.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
        configuration = variables["BEDROCK_SSO_SERVER_CONFIG"].replace(ISSUER, cls.issuer)
        addresses = {
            "AWS_ENDPOINT_URL_CLOUDWATCH": cls.issuer, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": cls.issuer,
            "AWS_ENDPOINT_URL_FIREHOSE": f"{cls.endpoint}/_as/relay",
        }
        variables = {**variables, **addresses, "BEDROCK_SSO_SERVER_CONFIG": configuration}
        client.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})

    def setUp(self):
        Neighbours.seen.clear()

    def token(self, **claims):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "alice@example.com", "iat": now, "exp": now + 600, **claims}
        text = f"{encode({'alg': 'RS256', 'kid': 'own'})}.{encode(claims)}"
        return f"{text}.{encode(Neighbours.key.sign(text.encode()))}"

    def post(self, path, token, body, **headers):
        """What the function answers to an event of its HTTP API, and its body."""
        headers = {"host": "relay.example.com", "content-type": "application/json", "authorization": f"Bearer {token}", **headers}
        request = {
            "version": "2.0", "routeKey": f"POST {path}", "rawPath": path, "rawQueryString": "",
            "headers": {key.replace("_", "-"): value for key, value in headers.items()},
            "requestContext": {
                "accountId": ACCOUNT, "apiId": "api", "domainName": "relay.example.com", "domainPrefix": "relay", "requestId": "id",
                "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
                "routeKey": f"POST {path}", "stage": "$default", "time": "01/Dec/2026:12:00:00 +0000", "timeEpoch": 1796126400000,
            },
            "body": base64.b64encode(body).decode(), "isBase64Encoded": True,
        }
        answer = json.load(self.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps(request))["Payload"])
        self.assertIn("statusCode", answer)
        body = answer.get("body") or ""
        return answer["statusCode"], base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()

    @staticmethod
    def metrics(nanos):
        forged = [{"key": "user.email", "value": {"stringValue": "mallory@example.com"}}, {"key": "type", "value": {"stringValue": "input"}}]
        point = {"attributes": forged, "timeUnixNano": str(nanos), "asInt": "7"}
        counter = {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [point]}}
        return json.dumps({"resourceMetrics": [{"resource": {"attributes": forged}, "scopeMetrics": [{"metrics": [counter]}]}]}).encode()

    def requests_of_relay(self):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.endpoint}/_test/requests") as answer:
            return [it for it in json.load(answer) if it.get("caller") == "relay"]

    def rows(self):
        records = [it["Data"] for request in self.requests_of_relay() for it in json.loads(request["body"])["Records"]]
        return [json.loads(line) for record in records for line in base64.b64decode(record).decode().splitlines()]

    # Tests

    def test_metrics_arrive_under_the_name_of_the_token(self):
        token = self.token(email="alice@example.com", squad="core")
        self.assertEqual(self.post("/v1/metrics", token, self.metrics(1796126400000000001))[0], 200)
        [(path, headers, export)] = Neighbours.seen
        self.assertEqual(path, "/v1/metrics")
        self.assertRegex(headers["authorization"], f"^AWS4-HMAC-SHA256 .*/{REGION}/monitoring/aws4_request")
        self.assertNotIn("mallory", json.dumps(export))
        attributes = {it["key"]: it["value"]["stringValue"] for it in export["resourceMetrics"][0]["resource"]["attributes"]}
        self.assertEqual({key: attributes.get(key) for key in ("user.email", "team.id")}, {"user.email": "alice@example.com", "team.id": "core"})
        [row] = [it for it in self.rows() if it["time"] == "2026-12-01T12:00:00.000Z"]
        seen = {"person": "alice@example.com", "team": "core", "value": 7, "attributes": {"type": "input"}}
        self.assertEqual({key: row[key] for key in seen}, seen)

    def test_compressed_protobuf_arrives_and_is_answered_as_protobuf(self):
        headers = {"content_type": "application/x-protobuf", "content_encoding": "gzip"}
        self.assertEqual(self.post("/v1/metrics", self.token(), gzip.compress(EVERY_METRIC), **headers), (200, b""))
        self.assertTrue(Neighbours.seen[0][2]["resourceMetrics"])

    def test_events_reach_the_log_group_of_the_stack(self):
        record = {"timeUnixNano": "1", "body": {"stringValue": "hello"}, "attributes": [{"key": "prompt", "value": {"stringValue": "planted"}}]}
        body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
        self.assertEqual(self.post("/v1/logs", self.token(), body)[0], 200)
        [(_, headers, _)] = Neighbours.seen
        self.assertEqual((headers["x-aws-log-group"], headers["x-aws-log-stream"]), (self.outputs["EventLogName"], "relay"))
        self.client("logs").describe_log_streams(logGroupName=self.outputs["EventLogName"], logStreamNamePrefix="relay")["logStreams"][0]
        self.assertNotIn("planted", json.dumps(self.rows()))

    def test_other_tokens_are_refused_and_refusals_are_repeated(self):
        for claims in ({"aud": "other"}, {"exp": int(time.time()) - 600, "iat": int(time.time()) - 1200}, {"iss": ISSUER}):
            self.assertEqual(self.post("/v1/metrics", self.token(**claims), self.metrics(1))[0], 401, claims)
        token = self.token()
        self.assertEqual(self.post("/v1/metrics", token[:-8] + token[-8:][::-1], self.metrics(1))[0], 401)
        self.assertEqual(Neighbours.seen, [])
        Neighbours.refusals.extend([429, 500, 403, 400])
        self.assertEqual([self.post("/v1/metrics", token, self.metrics(2))[0] for _ in range(5)], [429, 503, 503, 400, 200])

    def test_api_admits_nobody_without_a_token(self):
        api = next(it for it in self.client("apigatewayv2").get_apis()["Items"] if it["Name"] == STACK)["ApiId"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for path, method, expected in (("/v1/metrics", "POST", {401}), ("/v1/logs", "POST", {401}), ("/v1/metrics", "GET", {404}), ("/check", "GET", {404})):
            request = urllib.request.Request(f"{self.endpoint}/_aws/execute-api/{api}/$default{path}", method=method, data=b"{}" if method == "POST" else None)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                opener.open(request)
            self.assertIn(refused.exception.code, expected, path)
        self.assertEqual(Neighbours.seen, [])

    def test_when_all_is_done_the_relay_may_do_what_it_did(self):
        """Runs last, by its name."""
        iam, role = self.client("iam"), self.client("lambda").get_function_configuration(FunctionName=FUNCTION)["Role"].rpartition("/")[2]
        policies = {it: iam.get_role_policy(RoleName=role, PolicyName=it)["PolicyDocument"] for it in iam.list_role_policies(RoleName=role)["PolicyNames"]}

        def allows(action, resource, **context):
            return evaluate(Request(action, resource, {**moment_of_request(secure=True), **context}), policies).allowed

        requests = self.requests_of_relay()
        self.assertEqual({(it["service"], it["operation"]) for it in requests}, {("firehose", "PutRecordBatch")})
        stream = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream"
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.outputs['EventLogName']}:log-stream:relay"
        self.assertTrue(allows("firehose:PutRecordBatch", f"{stream}/{STREAM}"))
        self.assertTrue(allows("logs:PutLogEvents", group))
        self.assertTrue(allows("cloudwatch:PutMetricData", "*"))
        # Numbers that alarms watch have a namespace, which those of OpenTelemetry lack.
        self.assertFalse(allows("cloudwatch:PutMetricData", "*", **{"cloudwatch:namespace": STACK}))
        for action, resource in (
            ("firehose:PutRecordBatch", f"{stream}/other"), ("firehose:DeleteDeliveryStream", f"{stream}/{STREAM}"),
            ("logs:PutLogEvents", group.replace(self.outputs["EventLogName"], "other")), ("logs:GetLogEvents", group),
            ("cloudwatch:GetMetricData", "*"), ("dynamodb:Query", "*"), ("bedrock:InvokeModel", "*"),
        ):
            self.assertFalse(allows(action, resource), action)


if __name__ == "__main__":
    Telemetry.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
