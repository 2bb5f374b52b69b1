"""The function in guardrails.yaml that sets the invocation logging of Amazon Bedrock, against a Bedrock and a
CloudFormation on loopback.

It runs as it stands in the template. The API is AWS's PutModelInvocationLoggingConfiguration and its siblings:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_PutModelInvocationLoggingConfiguration.html
"""

import http.server
import json
import os
import pathlib
import textwrap
import threading
import types
import unittest
from unittest import mock

TEMPLATE = pathlib.Path(__file__).parents[2] / "packaging/aws/guardrails.yaml"

FLAGS = [kind + "DataDeliveryEnabled" for kind in ("text", "image", "embedding", "video", "audio")]

FOREIGN = {
    "cloudWatchConfig": {"logGroupName": "theirs", "roleArn": "arn:aws:iam::111122223333:role/theirs"},
    "s3Config": {"bucketName": "theirs", "keyPrefix": "a/b"},
    **{flag: True for flag in FLAGS},
}


def function_source():
    """The text of `ZipFile`. Parsing YAML with CloudFormation's tags needs more than Python has."""
    after = TEMPLATE.read_text().split("        ZipFile: |\n")[1]
    lines = []
    for line in after.splitlines():
        if line.strip() and not line.startswith(" " * 10):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)) + "\n"


class Services(http.server.BaseHTTPRequestHandler):
    """Bedrock's setting, and CloudFormation's address for answers. `state` holds what both know."""

    state = None

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def setting(self):
        state = self.state
        state.requests.append((self.command, self.headers.get("Authorization", "")))
        if state.down:
            return self.answer(500, {"message": "Bedrock is down"})
        if self.command == "PUT":
            setting = json.loads(self.body())["loggingConfig"]
            if state.refusals:
                state.refusals -= 1
                return self.answer(400, {"message": "Failed to validate permissions for log group"})
            state.setting = {**state.added_by_aws, **setting}
            return self.answer(200, {})
        if self.command == "DELETE":
            state.setting = None
            return self.answer(200, {})
        return self.answer(200, {"loggingConfig": state.setting} if state.setting else {})

    def do_PUT(self):
        if self.path != "/answer":
            return self.setting()
        answer = json.loads(self.body())
        self.state.content_types.append(self.headers.get("Content-Type"))
        if self.state.lost_answers:
            self.state.lost_answers -= 1
            return self.answer(503, {})
        self.state.answers.append(answer)
        return self.answer(200, {})

    do_GET = do_DELETE = setting


class LoggingSetting(unittest.TestCase):
    def setUp(self):
        self.state = types.SimpleNamespace(
            setting=None, refusals=0, down=False, added_by_aws={}, requests=[], answers=[], content_types=[],
            lost_answers=0)
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (Services,), {"state": self.state}))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.address = f"http://127.0.0.1:{server.server_port}"
        environment = {
            "BEDROCK": self.address, "AWS_REGION": "eu-central-1", "PATIENCE": "0.4",
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "NO_PROXY": "127.0.0.1",
        }
        self.enterContext(mock.patch.dict(os.environ, environment))
        os.environ.pop("AWS_ENDPOINT_URL", None)
        self.enterContext(mock.patch("builtins.print"))
        self.function = {}
        exec(compile(function_source(), str(TEMPLATE), "exec"), self.function)

    def send(self, kind, physical=None, group="ours", text="no", overwrite="no", old_group=None):
        """One event of CloudFormation, and the answer to it."""
        def setting(name):
            return {
                "cloudWatchConfig": {"logGroupName": name, "roleArn": "arn:aws:iam::111122223333:role/ours"},
                **{flag: "no" for flag in FLAGS}, "textDataDeliveryEnabled": text}
        event = {
            "RequestType": kind, "ResponseURL": self.address + "/answer", "StackId": "stack", "RequestId": "request",
            "LogicalResourceId": "InvocationSetting",
            "ResourceProperties": {"Overwrite": overwrite, "Setting": setting(group)}}
        if physical:
            event["PhysicalResourceId"] = physical
        if old_group:
            event["OldResourceProperties"] = {"Overwrite": overwrite, "Setting": setting(old_group)}
        before = len(self.state.answers)
        self.function["handler"](event, None)
        self.assertEqual(len(self.state.answers), before + 1, "CloudFormation gets one answer")
        return self.state.answers[-1]

    def group(self):
        return (self.state.setting or {}).get("cloudWatchConfig", {}).get("logGroupName")

    def test_the_text_of_the_function_fits_into_a_template(self):
        self.assertLess(len(function_source()), 4096)

    def test_create_records_numbers_and_no_bodies(self):
        answer = self.send("Create")
        self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("SUCCESS", "former-setting:{}"))
        self.assertEqual({self.state.setting[flag] for flag in FLAGS}, {False})
        self.assertEqual(self.group(), "ours")

    def test_text_is_recorded_when_asked_for(self):
        self.send("Create", text="yes")
        self.assertEqual([flag for flag in FLAGS if self.state.setting[flag]], ["textDataDeliveryEnabled"])

    def test_a_kind_of_body_that_aws_added_is_switched_off(self):
        self.state.added_by_aws = {"smellDataDeliveryEnabled": True}
        self.send("Create")
        self.assertIs(self.state.setting["smellDataDeliveryEnabled"], False)

    def test_requests_are_signed_for_bedrock(self):
        self.send("Create")
        for _, authorization in self.state.requests:
            self.assertRegex(authorization, "^AWS4-HMAC-SHA256 .*/eu-central-1/bedrock/aws4_request")

    def test_delete_leaves_no_setting_where_none_was(self):
        self.send("Delete", self.send("Create")["PhysicalResourceId"])
        self.assertIsNone(self.state.setting)

    def test_a_foreign_setting_is_not_overwritten(self):
        self.state.setting = dict(FOREIGN)
        answer = self.send("Create")
        self.assertEqual(answer["Status"], "FAILED")
        self.assertIn("OverwriteLogging", answer["Reason"])
        self.assertEqual(self.state.setting, FOREIGN)
        self.assertEqual({method for method, _ in self.state.requests}, {"GET"})

    def test_a_foreign_setting_with_a_bucket_only_is_not_overwritten(self):
        self.state.setting = bucket_only = {"s3Config": FOREIGN["s3Config"], "textDataDeliveryEnabled": True}
        self.assertEqual(self.send("Create")["Status"], "FAILED")
        self.assertEqual(self.state.setting, bucket_only)

    def test_a_repeated_create_does_not_store_its_own_setting(self):
        self.send("Create")
        self.send("Delete", self.send("Create")["PhysicalResourceId"])
        self.assertIsNone(self.state.setting)

    def test_delete_under_a_name_of_cloudformation_removes_the_setting(self):
        # CloudFormation makes up the name where the answer to Create was lost.
        self.send("Create")
        self.assertEqual(self.send("Delete", "stack-InvocationSetting-1A2B")["Status"], "SUCCESS")
        self.assertIsNone(self.state.setting)

    def test_the_rollback_of_a_refused_create_changes_nothing(self):
        self.state.setting = dict(FOREIGN)
        physical = self.send("Create")["PhysicalResourceId"]
        self.assertEqual(self.send("Delete", physical)["Status"], "SUCCESS")
        self.assertEqual(self.state.setting, FOREIGN)

    def test_a_foreign_setting_is_overwritten_and_restored(self):
        self.state.setting = dict(FOREIGN)
        physical = self.send("Create", overwrite="yes")["PhysicalResourceId"]
        self.assertEqual(self.group(), "ours")
        self.assertEqual(self.send("Update", physical, text="yes", overwrite="yes")["PhysicalResourceId"], physical)
        self.send("Delete", physical, overwrite="yes")
        self.assertEqual(self.state.setting, FOREIGN)

    def test_a_setting_changed_by_others_survives_delete(self):
        physical = self.send("Create")["PhysicalResourceId"]
        self.state.setting = dict(FOREIGN)
        self.assertEqual(self.send("Delete", physical)["Status"], "SUCCESS")
        self.assertEqual(self.state.setting, FOREIGN)

    def test_a_setting_changed_by_others_survives_update(self):
        physical = self.send("Create")["PhysicalResourceId"]
        self.state.setting = dict(FOREIGN)
        answer = self.send("Update", physical, text="yes")
        self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("FAILED", physical))
        self.assertEqual(self.state.setting, FOREIGN)

    def test_update_moves_to_a_new_log_group(self):
        physical = self.send("Create")["PhysicalResourceId"]
        answer = self.send("Update", physical, group="new", old_group="ours")
        self.assertEqual((answer["Status"], self.group()), ("SUCCESS", "new"))

    def test_create_waits_until_the_role_exists_everywhere(self):
        self.state.refusals = 3
        self.assertEqual(self.send("Create")["Status"], "SUCCESS")
        self.assertEqual(self.group(), "ours")

    def test_a_setting_that_bedrock_refuses_is_an_error(self):
        self.state.refusals = 10**6
        answer = self.send("Create")
        self.assertEqual(answer["Status"], "FAILED")
        self.assertIn("Failed to validate permissions", answer["Reason"])

    def test_a_former_setting_that_bedrock_refuses_fails_delete(self):
        self.state.setting = dict(FOREIGN)
        physical = self.send("Create", overwrite="yes")["PhysicalResourceId"]
        self.state.refusals = 10**6
        self.assertEqual(self.send("Delete", physical, overwrite="yes")["Status"], "FAILED")
        self.assertEqual(self.group(), "ours")

    def test_a_former_setting_too_long_to_store_is_not_replaced(self):
        long = {**FOREIGN, "s3Config": {"bucketName": "theirs", "keyPrefix": "x" * 1000}}
        self.state.setting = dict(long)
        answer = self.send("Create", overwrite="yes")
        self.assertEqual(answer["Status"], "FAILED")
        self.assertLessEqual(len(answer["PhysicalResourceId"]), 1024)
        self.assertEqual(self.state.setting, long)

    def test_cloudformation_gets_an_answer_when_bedrock_is_down(self):
        self.state.down = True
        answer = self.send("Create")
        self.assertEqual((answer["Status"], answer["RequestId"]), ("FAILED", "request"))
        self.assertIn("Bedrock is down", answer["Reason"])

    def test_an_answer_that_is_lost_is_sent_again(self):
        self.state.lost_answers = 2
        self.assertEqual(self.send("Create")["Status"], "SUCCESS")

    def test_the_answer_has_the_content_type_that_its_address_is_signed_for(self):
        self.send("Create")
        self.assertEqual(self.state.content_types, [""])


if __name__ == "__main__":
    unittest.main()
