#!/usr/bin/env python3
"""Tests packaging/aws/deploy with the real AWS CLI against an emulated AWS.

    PYTHON tests/aws/test_deploy.py [NAME-PART …]

PYTHON is `$(.ci/tools aws-python)/bin/python`. The tests need dash and busybox. They end with `N passed, N failed`.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

from deploy_world import ANSWERS, DEPLOY, MODELS, PROBE, REGION, SHELLS
from deploy_world import DeployTest, Terminal, answer, availability, compare_with_golden, run_all, usual_answers

FEDERATION = "bedrock-sso-federation"
GUARD_RAILS = "bedrock-sso-guardrails"
SERVICE = "bedrock-sso-service"
ANALYTICS = "bedrock-sso-analytics"
TELEMETRY = "bedrock-sso-telemetry"
DASHBOARD = "bedrock-sso-dashboard"


class Arguments(DeployTest):
    """What is refused before AWS is called: there is no endpoint."""

    def environment(self, **changes):
        return super().environment(**{"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **changes})

    def test_missing_answers_are_all_named(self):
        result = self.refuses(2, "missing")
        for key in ("region", "models", "issuer", "client_id"):
            self.assertIn(key, result.err.splitlines()[0])
            self.assertIn("--" + key.replace("_", "-"), result.err.splitlines()[1])

    def test_unknown_flag_names_the_nearest(self):
        self.assertIn("--models", self.refuses(2, "flag", "--modles", "sonnet-4-5").err)

    def test_unknown_key_names_file_line_and_nearest(self):
        self.write_answers(isuer="https://acme.okta.com")
        result = self.refuses(3, "unknown_key")
        self.assertIn("bedrock-sso.deploy.toml:5", result.err)
        self.assertIn("issuer", result.err)

    def test_file_with_another_syntax_is_refused(self):
        for line in ('issuer = "https://a\\u0062"', "issuer = https://acme.okta.com", "[table]", 'models = ["a" "b"]', 'models = [\n"a"]', 'name = "a" b'):
            (self.folder / "bedrock-sso.deploy.toml").write_text(line + "\n")
            with self.subTest(line):
                self.assertIn("deploy.toml:1", self.refuses(3, "syntax").err)

    def test_key_that_stands_twice_is_refused(self):
        (self.folder / "bedrock-sso.deploy.toml").write_text('name = "a"\nname = "b"\n')
        self.refuses(3, "twice")

    def test_flag_that_stands_twice_is_refused(self):
        self.refuses(2, "twice", "--name", "a", "--name", "b")

    def test_named_file_that_is_missing_is_refused(self):
        self.refuses(3, "no_file", "--config", "other.toml")

    def test_illegal_values_reach_no_template(self):
        rows = [
            ("issuer", 'https://acme.okta.com","x":"'),
            ("issuer", "http://acme.okta.com"),
            ("issuer", "https://acme.okta.com/$(id)"),
            ("issuer", "https://acme.okta.com\nx"),
            ("client-id", "0oa1,"),
            ("client-id", "0oa 1"),
            ("client-id", '0oa"1'),
            ("region", "eu-central-1; id"),
            ("region", "eu"),
            ("name", "a" * 33),
            ("name", "1a"),
            ("name", "a_b"),
            ("models", "sonnet 4"),
            ("models", "anthropic.*"),
            ("models", "sonnet-4-5,,haiku-4-5"),
            ("account", "12345678901"),
            ("account-role", "a b"),
            ("session-tags", "${aws:userid}"),
            ("subjects", "${x}"),
            ("ci-subjects", "*"),
            ("alert", "nobody"),
            ("monthly-budget", "-1"),
            ("log-retention-days", "91"),
            ("vpc-id", "vpc-x"),
            ("geography", "mars"),
            ("mantle", "maybe"),
            ("limit", "much"),
            ("limit-contact", 'it"'),
            ("limit-contact", "it\\"),
            ("limit-time-zone", 'UTC"'),
            ("limit-groups", "loosest"),
            ("limit-group-claims", 'groups"'),
            ("person", "${sub}"),
            ("limit-log-group", "a b"),
            ("limit-bucket", "Capital"),
            ("server-zip", "a$(id).zip"),
            ("analytics-bucket", "Capital"),
            ("analytics-accounts", "123456789012,1"),
            ("analytics-regions", "everywhere"),
            ("analytics-retention-days", "3654"),
            ("cur-table", "billing.cur'"),
        ]
        for flag, value in rows:
            with self.subTest(flag=flag, value=value):
                if flag == "mantle":
                    self.write_answers(mantle=value)
                    self.refuses(3, "value")
                    os.remove(self.folder / "bedrock-sso.deploy.toml")
                else:
                    self.refuses(2, "value", f"--{flag}", value)

    def test_contradictions_are_refused(self):
        rows = [
            ("issuer", {"provider": "auth0", "issuer": "https://acme.eu.auth0.com"}),
            ("issuer", {"provider": "entra", "issuer": "https://login.microsoftonline.com/x"}),
            ("issuer", {"provider": "google"}),
            ("session_name", {"issuer": "https://acme.eu.auth0.com/", "session_name": "subject"}),
            ("session_name", {"federation": "identity-pool", "session_name": "subject"}),
            ("issuer", {"federation": "identity-center"}),
            ("claims", {"federation": "identity-pool", "amr": ["mfa"]}),
            ("failover", {"federation": "identity-pool", "failover_region": "eu-west-1"}),
            ("failover", {"failover_region": "us-east-1"}),
            ("failover", {"failover_region": REGION}),
            ("google_organization", {"google_organization": "123"}),
            ("unmetered", {"mantle": True, "limit": "200USD/month"}),
            ("unmetered", {"mantle": True, "limits": True}),
            ("unmetered", {"failover_region": "eu-west-1", "limits": True}),
            ("limits", {"federation": "identity-pool", "limits": True}),
            ("limit_log_group", {"logging": False, "limits": True}),
            ("ci_subjects", {"ci_issuer": "https://gitlab.com"}),
            ("ci_issuer", {"ci_subjects": ["project_path:acme/app:*"]}),
            ("ci_issuer", {"ci_subjects": ["project_path:acme/app:*"], "ci_issuer": ANSWERS["issuer"]}),
            ("alert", {"monthly_budget": "100"}),
            ("budget", {"budget_action": True}),
            ("vpc_id", {"vpc_id": "vpc-0a1b2c3d"}),
            ("vpc_id", {"subnets": ["subnet-0a1b2c3d"]}),
            ("geography", {"region": "sa-east-1"}),
            ("agent_role", {"federation": "identity-pool", "agent_role": True}),
        ]
        for slug, changes in rows:
            with self.subTest(changes):
                self.write_answers(**changes)
                self.refuses(2, slug)

    def test_unknown_model_names_the_nearest(self):
        self.write_answers(models=["sonnet-4-5", "sonet-4-6"])
        self.assertIn("sonnet-4-6", self.refuses(3, "unknown_model").err)

    def test_model_of_another_geography_is_refused(self):
        self.write_answers(models=["us.anthropic.claude-sonnet-4-5-20250929-v1:0"])
        self.refuses(3, "geography")

    def test_names_that_are_no_session_names_are_refused(self):
        for name in ("", "a", "a*", "a b", "a:b", "a/b", "(nobody)", 'a"b', "ä", "a$b", "x" * 65, "a\nb"):
            for command in ("block", "unblock"):
                with self.subTest(name=name, command=command):
                    self.refuses(2, "person", command, name, "--region", REGION)

    def test_times_that_are_past_or_no_times_are_refused(self):
        for until in ("2020-01-01", "soon", "2h30", "2027-02-29", "2099-13-01", "0h", "-1h", "2099-01-01T25:00Z"):
            with self.subTest(until):
                self.refuses(2, "until", "block", "alice", "--region", REGION, f"--until={until}")

    def test_unreachable_aws_is_a_network_failure(self):
        self.write_answers()
        self.refuses(9, "network")

    def test_missing_credentials_are_named(self):
        self.write_answers()
        self.refuses(4, "no_credentials", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    def test_missing_aws_cli_is_named(self):
        self.write_answers()
        # The system's programs may contain the AWS CLI.
        tools = self.folder / "tools"
        tools.mkdir()
        for program in pathlib.Path("/usr/bin").iterdir():
            if program.name != "aws":
                (tools / program.name).symlink_to(program)
        self.refuses(3, "no_aws_cli", PATH=str(tools))

    def test_help_lists_every_answer(self):
        text = self.deploys("--help").out
        for key in ANSWERS:
            self.assertIn("--" + key.replace("_", "-"), text)


class Deployment(DeployTest):
    def test_empty_account_gets_the_stacks_and_a_second_run_nothing(self):
        self.write_answers(models=["sonnet-4-5", "haiku-4-5"])
        result = self.deploys()
        stacks = self.stacks()
        self.assertEqual({name: it["status"] for name, it in stacks.items()}, {FEDERATION: "CREATE_COMPLETE", GUARD_RAILS: "CREATE_COMPLETE"})
        parameters = stacks[FEDERATION]["parameters"]
        names = ("sonnet-4-5", "haiku-4-5")
        profiles = [f"arn:aws:bedrock:{REGION}:{self.account}:inference-profile/eu.{MODELS[name]}" for name in names]
        self.assertEqual(parameters["InferenceProfileArns"].split(","), profiles)
        self.assertEqual(parameters["FoundationModelArns"].split(","), [f"arn:aws:bedrock:*::foundation-model/{MODELS[name]}" for name in names])
        self.assertEqual([parameters[it] for it in ("Provider", "SessionName", "ClientIds", "ExistingProviderArn")], ["okta", "subject", "0oa1b2c3d4", ""])
        quota = stacks[GUARD_RAILS]["parameters"]
        self.assertEqual([quota["QuotaModelId"], quota["QuotaTokensPerMinute"]], [f"eu.{MODELS['sonnet-4-5']}", "200000"])
        config = (self.folder / "bedrock-sso.config.toml").read_text()
        self.assertEqual(config[:11], "version = 1")
        for line in (f'role_arn = "arn:aws:iam::{self.account}:role/{FEDERATION}-user"', 'session_name = ["sub"]', f'sonnet = "eu.{MODELS["sonnet-4-5"]}"'):
            self.assertIn(line, config)
            self.assertIn(line, result.out)
        self.assertEqual(self.profile_of_outputs(), tomllib.loads(config)["profiles"]["claude"])
        for arguments, seen in (([], "nothing to change"), (["--dry-run", "--models", "haiku-4-5", "--only", "federation"], "Permissions")):
            before = self.requests()
            self.assertIn(seen, self.deploys(*arguments).out)
            # Only change sets show whether there is something to change. They disappear.
            self.assertEqual(set(self.requests()[len(before) :]), {"CreateChangeSet", "DeleteChangeSet"})
            self.assertEqual(self.stacks(), stacks)

    def test_dry_run_changes_nothing(self):
        subnets = ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]
        self.write_answers(vpc_id="vpc-0a1b2c3d", subnets=subnets, security_groups=["sg-0a1b2c3d"])
        result = self.deploys("--dry-run")
        self.assertIn("AWS::IAM::Role", result.out)
        # Two alarms on one model, and one on the quota.
        self.assertRegex(result.out, r"alarms: metrics +3 +0\.10 +0\.30")
        # Two endpoints in two subnets for 730 hours at a cent.
        self.assertRegex(result.out, r"VPC endpoints.* 2920 +0\.01 +29\.20")
        self.assertRegex(result.out, r"all +29\.50")
        self.assertEqual(self.stacks(), {})
        self.assertEqual(set(self.requests()), {"CreateChangeSet", "DeleteChangeSet", "DeleteStack"})
        self.assertEqual([it.name for it in self.folder.iterdir() if it.name[0] != "."], ["bedrock-sso.deploy.toml"])

    def test_each_shell_reads_the_same_answers(self):
        for shell in SHELLS:
            self.write_answers(name=f"from-{shell}", session_tags=["Team", "Project"], models=["claude-sonnet-4-5", f"eu.{MODELS['haiku-4-5']}"])
            self.deploys("--only", "federation", "--name", f"in-{shell}", shell=shell)
            self.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=f"arn:aws:iam::{self.account}:oidc-provider/acme.okta.com")
        # The flag outranks the file.
        parameters = {name: stack["parameters"] for name, stack in self.stacks().items()}
        self.assertEqual(set(parameters), {f"in-{shell}-federation" for shell in SHELLS})
        self.assertEqual(parameters["in-dash-federation"]["SessionTags"], "Team,Project")
        for shell in SHELLS:
            self.assertEqual(parameters[f"in-{shell}-federation"], parameters["in-dash-federation"])

    def test_unknown_id_is_refused_before_anything_is_created(self):
        self.write_answers(models=["sonnet-4-5", "eu.anthropic.claude-nothing-1"])
        self.refuses(3, "unknown_model")
        self.assertEqual(self.requests(), [])

    def test_id_that_only_the_account_offers_is_used(self):
        # The table does not have this older model; the emulator's account has.
        self.write_answers(region="us-east-1", models=["us.anthropic.claude-opus-4-1-20250805-v1:0", "fable-5"])
        self.emulator.prepare(usual_answers() + [availability("anthropic.claude-opus-4-1-20250805-v1:0")])
        self.assertIn("for fable-5, AWS's model card demands the data retention mode aws_review", self.deploys("--only", "federation").out)
        stack = self.stacks(region="us-east-1")[FEDERATION]
        self.assertIn("us.anthropic.claude-opus-4-1-20250805-v1:0", stack["parameters"]["InferenceProfileArns"])

    def test_existing_provider_is_used_and_stays(self):
        provider = f"arn:aws:iam::{self.account}:oidc-provider/acme.okta.com"
        self.iam("CreateOpenIDConnectProvider", Url="https://acme.okta.com", **{"ClientIDList.member.1": "theirs"})
        self.write_answers()
        dry = self.deploys("--only", "federation", "--dry-run")
        self.assertIn(f"The client ID 0oa1b2c3d4 will be added to {provider}", dry.out)
        self.assertNotIn("0oa1b2c3d4", self.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=provider))
        self.deploys("--only", "federation")
        self.assertEqual(self.stacks()[FEDERATION]["parameters"]["ExistingProviderArn"], provider)
        clients = self.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=provider)
        self.assertIn("theirs", clients)
        self.assertIn("0oa1b2c3d4", clients)
        self.assertIn(provider, self.deploys("--remove", "--yes").out)
        self.assertIn("theirs", self.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=provider))

    def test_provider_of_the_own_stack_is_no_existing_one(self):
        self.write_answers(issuer="https://acme.eu.auth0.com/")
        self.deploys("--only", "federation")
        self.assertIn("nothing to change", self.deploys("--only", "federation").out)
        self.assertEqual(self.stacks()[FEDERATION]["parameters"]["ExistingProviderArn"], "")

    def test_failed_stack_shows_the_first_reason_and_what_to_do(self):
        # The provider appears between the list and the deployment.
        self.iam("CreateOpenIDConnectProvider", Url="https://acme.okta.com")
        nothing = "<ListOpenIDConnectProvidersResponse><ListOpenIDConnectProvidersResult/></ListOpenIDConnectProvidersResponse>"
        self.emulator.prepare(usual_answers() + [answer("iam", "ListOpenIDConnectProviders", nothing)])
        self.write_answers()
        result = self.refuses(7, "stack_failed", "--only", "federation")
        self.assertRegex(result.err, r"IdentityProvider \(AWS::IAM::OIDCProvider\): .*already exists")
        self.assertIn("delete-stack", self.refuses(7, "stack_failed", "--only", "federation").err)

    def test_removal_deletes_the_stacks_and_leaves_what_it_said(self):
        self.write_answers()
        self.deploys()
        log_group = self.stacks()[GUARD_RAILS]["outputs"]["LogGroupName"]
        bucket = self.stacks()[GUARD_RAILS]["outputs"]["LogBucketName"]
        self.deploys("block", "alice")
        self.refuses(2, "yes", "--remove")
        dry = self.deploys("--remove", "--dry-run")
        self.assertEqual(len(self.stacks()), 2)
        result = self.deploys("--remove", "--yes")
        for text in (dry.out, result.out):
            self.assertIn(log_group, text)
            self.assertIn(bucket, text)
        self.assertEqual(self.stacks(), {})
        self.assertIn("nothing to remove", self.deploys("--remove", "--yes").out)

    def test_team_gets_its_profiles_and_its_config(self):
        self.write_answers(models=["sonnet-4-5", "haiku-4-5"])
        self.deploys("--team", "ml", "--cost-center", "4711", "--no-logging", "--no-alarms", "--no-trail")
        stack = self.stacks()["bedrock-sso-team-ml"]
        self.assertEqual([stack["parameters"][it] for it in ("Team", "CostCenter", "LargeModelArn")], ["ml", "4711", ""])
        self.assertIn(f"inference-profile/eu.{MODELS['haiku-4-5']}", stack["parameters"]["SmallModelArn"])
        config = (self.folder / "bedrock-sso.config.toml").read_text()
        self.assertIn(f'haiku = "{stack["outputs"]["SmallProfileArn"]}"', config)
        self.assertEqual(self.profile_of_outputs(), tomllib.loads(config)["profiles"]["claude"])
        self.deploys("--remove", "--team", "ml", "--yes")
        self.assertEqual(list(self.stacks()), [FEDERATION])

    def test_second_region_gets_what_differs(self):
        self.write_answers(failover_region="eu-west-1", monthly_budget="100", alert="ops@acme.com")
        self.deploys()
        first, second = self.stacks(), self.stacks(region="eu-west-1")
        self.assertEqual(list(second), [GUARD_RAILS])
        chosen = ("MonthlyBudget", "Trail")
        self.assertEqual([first[GUARD_RAILS]["parameters"][it] for it in chosen], ["100", "yes"])
        self.assertEqual([second[GUARD_RAILS]["parameters"][it] for it in chosen], ["0", "no"])
        self.assertIn(f"arn:aws:bedrock:eu-west-1:{self.account}:", first[FEDERATION]["parameters"]["InferenceProfileArns"])
        config = (self.folder / "bedrock-sso.config.toml").read_text()
        self.assertIn('default_profile = "claude"', config)
        profile = config.partition("[profiles.claude-failover]")[2]
        self.assertIn('region = "eu-west-1"', profile)
        self.assertIn("[profiles.claude-failover.claude_code]", profile)
        self.assertNotIn(f'region = "{REGION}"', profile)
        self.deploys("--remove", "--yes")
        self.assertEqual(self.stacks(region="eu-west-1"), {})

    def test_identity_center_gets_a_permission_set(self):
        instance = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
        instances = {"Instances": [{"InstanceArn": instance, "IdentityStoreId": "d-9967012345"}]}
        self.emulator.prepare(usual_answers() + [answer("sso", "ListInstances", instances)])
        self.write_answers(federation="identity-center", issuer=None, client_id=None)
        self.deploys("--only", "federation")
        stack = self.stacks()[FEDERATION]
        self.assertEqual(stack["parameters"]["IdentityCenterInstanceArn"], instance)
        self.assertIn("AWS::SSO::PermissionSet", {it["type"] for it in stack["resources"].values()})
        profile = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        place = {"start_url": "https://d-9967012345.awsapps.com/start", "account_id": self.account, "permission_set": "bedrock-sso"}
        self.assertEqual(profile["identity_center"], place)
        self.assertEqual(self.profile_of_outputs(), profile)

    def test_guardrail_reaches_the_federation_in_one_run(self):
        self.write_answers(guardrail=True)
        self.assertIn("one more update", self.deploys().out)
        guardrail = self.stacks()[GUARD_RAILS]["outputs"]["GuardrailArn"]
        self.assertEqual(self.stacks()[FEDERATION]["parameters"]["GuardrailArns"], guardrail)

    def test_laptops_that_send_telemetry_get_its_log_group(self):
        self.write_answers(laptop_telemetry=True)
        self.deploys()
        group = self.stacks()[GUARD_RAILS]["outputs"]["TelemetryLogGroupName"]
        config = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertEqual(config["telemetry"], {"relay": "laptop", "log_group": group, "log_stream": "laptops"})
        self.assertEqual(self.profile_of_outputs(), config)
        self.write_answers()
        self.deploys()
        self.assertNotIn("telemetry", self.profile_of_outputs())

    def test_dedicated_account_gets_the_far_end(self):
        dedicated = str(int(self.account) + 100000000000)
        self.write_answers(account=dedicated)
        self.deploys()
        near, far = self.stacks(), self.stacks(account=dedicated)
        self.assertEqual((list(near), sorted(far)), ([FEDERATION], [FEDERATION, GUARD_RAILS]))
        self.assertEqual(near[FEDERATION]["parameters"]["DedicatedRoleArns"], f"arn:aws:iam::{dedicated}:role/{FEDERATION}-user")
        self.assertEqual(near[FEDERATION]["parameters"]["InferenceProfileArns"], "")
        self.assertEqual(far[FEDERATION]["parameters"]["SourceRoleArn"], f"arn:aws:iam::{self.account}:role/{FEDERATION}-user")
        self.assertIn(f":{dedicated}:inference-profile/", far[FEDERATION]["parameters"]["InferenceProfileArns"])
        profile = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertEqual(profile["role_chain"], [f"arn:aws:iam::{dedicated}:role/{FEDERATION}-user"])
        # The stacks of both accounts.
        self.assertEqual(self.profile_of_outputs(), {**profile, "role_chain": [{"role_arn": profile["role_chain"][0]}]})
        self.deploys("block", "alice")
        self.assertEqual((self.blocked(), self.blocked(dedicated)), ({"alice": None}, {"alice": None}))
        self.assertEqual(self.deploys("who").out.count("alice"), 2)
        self.deploys("unblock", "alice")
        self.assertEqual((self.blocked(), self.blocked(dedicated)), ({}, {}))
        self.deploys("--remove", "--yes")
        self.assertEqual(self.stacks(account=dedicated), {})


class Limits(DeployTest):
    def setUp(self):
        super().setUp()
        self.server_zip()
        self.bucket = f"bedrock-sso-code-{self.account}-{REGION}"

    def write_answers(self, **changes):
        super().write_answers(**{"limits": True, "server_zip": "server.zip", **changes})

    def test_empty_account_gets_the_service_and_a_second_run_nothing(self):
        self.write_answers(limit="200USD/month", limit_contact="it-help@acme.com", limit_time_zone="Europe/Berlin", alert="ops@acme.com")
        dry = self.deploys("--dry-run")
        self.assertIn("server.zip (0.0 MB) will be uploaded to " + self.bucket, dry.out)
        self.assertRegex(dry.out, "Add +AWS::Lambda::Function +EnforceFunction")
        self.assertRegex(dry.out, r"limits: alarms: metrics +12 +0\.10 +1\.20")
        self.assertEqual(self.stacks(), {})
        self.assertEqual(set(self.requests()), {"CreateChangeSet", "DeleteChangeSet", "DeleteStack"})
        result = self.deploys()
        self.assertEqual(result.out.count(f"{SERVICE} in {REGION}: a new stack"), 1)
        stacks = self.stacks()
        self.assertEqual({name: it["status"] for name, it in stacks.items()}, dict.fromkeys([FEDERATION, GUARD_RAILS, SERVICE], "CREATE_COMPLETE"))
        chosen = stacks[SERVICE]["parameters"]
        self.assertEqual(chosen["LogGroupName"], stacks[GUARD_RAILS]["outputs"]["LogGroupName"])
        self.assertEqual(chosen["LimitPolicyArns"], stacks[FEDERATION]["outputs"]["LimitPolicyArns"])
        expected = {"IssuerUrl": ANSWERS["issuer"], "ClientIds": "0oa1b2c3d4", "PersonClaims": "sub", "Contact": "it-help@acme.com"}
        expected |= {"TimeZone": "Europe/Berlin", "AlertEmail": "ops@acme.com", "CodeBucket": self.bucket, "ReserveConcurrency": "yes"}
        self.assertEqual({key: chosen.get(key) for key in expected}, expected)
        config = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        endpoint = tomllib.loads(stacks[SERVICE]["outputs"]["BedrockSsoConfig"])["profiles"]["claude"]["quota"]
        self.assertEqual(config["quota"], endpoint)
        self.assertRegex(endpoint["endpoint"], "^https?://[a-z0-9]+\\.execute-api\\.[^/]+$")
        self.assertEqual(self.profile_of_outputs(), config)
        self.assertIn("limits set --config server.toml --default --month 200USD", result.out)
        self.assertIn(f"--name {stacks[SERVICE]['outputs']['ConfigurationName']}", result.out)
        before = self.requests()
        self.assertIn("nothing to change", self.deploys("--bundle", "out").out)
        self.assertEqual(set(self.requests()[len(before) :]), {"CreateChangeSet", "DeleteChangeSet"})
        self.assertEqual(self.stacks(), stacks)
        # Nobody in a fleet may leave the question out.
        fleet = tomllib.loads((self.folder / "out/config.toml").read_text())
        self.assertEqual((fleet["enforce"], fleet["profiles"]["claude"]["quota"]), (["quota"], endpoint))
        self.assertNotIn("enforce", (self.folder / "bedrock-sso.config.toml").read_text())
        # Without the file, the functions stay with their program.
        (self.folder / "server.zip").unlink()
        self.write_answers(server_zip=None, limit_contact="it-help@acme.com", limit_time_zone="Europe/Berlin", alert="ops@acme.com")
        self.assertIn("nothing to change", self.deploys("--only", "service").out)
        # Another program is a change.
        self.server_zip("other program")
        self.deploys("--only", "service", "--server-zip", "server.zip")
        key = self.stacks()[SERVICE]["parameters"]["CodeKey"]
        self.assertNotEqual(key, chosen["CodeKey"])
        self.assertEqual(len([it for it in self.requests() if it.startswith(f"PUT /{self.bucket}/bedrock-sso-server-")]), 2)

    def test_dashboard_shows_what_is_deployed(self):
        self.write_answers(dashboard=True, laptop_telemetry=True, alert="ops@acme.com", trail=False, alarms=False)
        dry = self.deploys("--dry-run").out
        for row in (r"dashboard +1 +3\.00 +3\.00", r"dashboard: metrics of the limits +7 +0\.30 +2\.10", r"dashboard: alarms: metrics +2 +0\.10 +0\.20"):
            self.assertRegex(dry, row)
        # The topic has a name only when its stack exists.
        self.assertIn("The dashboard gets one more update", self.deploys().out)
        stacks = self.stacks()
        shown = {"LimitsStack": SERVICE, "LaptopRelays": "yes", "AlertTopicArn": stacks[SERVICE]["outputs"]["AlertTopicArn"]}
        self.assertEqual(stacks[DASHBOARD]["parameters"] | shown, stacks[DASHBOARD]["parameters"])
        self.assertEqual(stacks[SERVICE]["parameters"]["DashboardMetrics"], "yes")
        self.assertIn("nothing to change", self.deploys().out)
        # The relay in AWS is shown once it exists.
        self.write_answers(dashboard=True, laptop_telemetry=True, telemetry=True, alert="ops@acme.com", trail=False, alarms=False)
        self.deploys()
        self.assertEqual(self.stacks()[DASHBOARD]["parameters"]["TelemetryStack"], "bedrock-sso-telemetry")
        self.deploys("--remove", "--only", "dashboard", "--yes")
        self.assertNotIn(DASHBOARD, self.stacks())
        # Without numbers it would be empty.
        self.refuses(2, "dashboard", "--no-limits", "--no-laptop-telemetry", "--no-telemetry")

    def test_service_is_removed_before_the_stacks_that_it_needs(self):
        self.write_answers(limit_log_group="/acme/bedrock", logging=False, trail=False, alarms=False)
        self.create_log_group("/acme/bedrock")
        self.deploys()
        outputs = self.stacks()[SERVICE]["outputs"]
        self.assertEqual(list(self.stacks()), [FEDERATION, SERVICE])
        self.refuses(3, "limits_service", "--remove", "--only", "federation", "--yes")
        self.refuses(3, "limits_service", "--no-limits", "--only", "federation")
        # The server has refused somebody.
        self.write_limited(2, ["alice"], "2099-12-24T00:00:00Z")
        result = self.deploys("--remove", "--only", "service", "--yes")
        for left in (outputs["TableName"], *outputs["LogGroupNames"].split(","), outputs["FailedEventsUrl"], "its refusals"):
            self.assertIn(left, result.out)
        self.assertEqual(list(self.stacks()), [FEDERATION])
        self.assertIn(f"DELETE /{self.bucket}", self.requests())
        self.assertRegex(self.deploys("who").out, r"alice +2099-12-24T00:00:00Z")
        # IAM deletes no policy with further versions, and deploy sees to that.
        self.deploys("--no-limits", "--only", "federation")
        self.assertNotIn("LimitPolicyArns", self.stacks()[FEDERATION]["outputs"])
        self.assertNotIn("limit-reached", self.iam("ListPolicies"))

    def test_permission_set_may_sign_its_question(self):
        instances = {"Instances": [{"InstanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef", "IdentityStoreId": "d-9967012345"}]}
        self.emulator.prepare(usual_answers() + [answer("sso", "ListInstances", instances)])
        self.write_answers(federation="identity-center", issuer=None, client_id=None, trail=False, alarms=False)
        self.assertIn("one more update", self.deploys().out)
        stacks = self.stacks()
        self.assertEqual(stacks[SERVICE]["parameters"]["PermissionSet"], "bedrock-sso")
        self.assertEqual(stacks[FEDERATION]["parameters"]["SignedApiArn"], stacks[SERVICE]["outputs"]["SignedApiArn"])
        profile = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertTrue(profile["quota"]["endpoint"].endswith("/signed"), profile)
        self.assertIn("nothing to change", self.deploys().out)

    def test_dedicated_account_gets_the_service(self):
        dedicated = str(int(self.account) + 100000000000)
        self.write_answers(account=dedicated, trail=False, alarms=False)
        self.deploys()
        near, far = self.stacks(), self.stacks(account=dedicated)
        self.assertEqual((list(near), sorted(far)), ([FEDERATION], [FEDERATION, GUARD_RAILS, SERVICE]))
        self.assertEqual(near[FEDERATION]["parameters"].get("Limits", "no"), "no")
        self.assertIn(f":{dedicated}:policy/", far[SERVICE]["parameters"]["LimitPolicyArns"])
        profile = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertEqual(self.profile_of_outputs()["quota"], profile["quota"])
        # What writes the policies is gone before they are.
        self.write_limited(1, ["alice"], None, dedicated)
        result = self.deploys("--remove", "--yes")
        self.assertEqual(self.stacks(account=dedicated), {})
        order = [result.out.index(it) for it in (f"{SERVICE} in {REGION}: deleted", f"bedrock-sso-code-{dedicated}-{REGION}: deleted", f"{FEDERATION} in {REGION}: deleting")]
        self.assertEqual(order, sorted(order))

    def test_new_account_reserves_no_concurrency(self):
        limits = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
        self.emulator.prepare(usual_answers() + [answer("lambda", "GET /2016-08-19/account-settings", limits)])
        self.write_answers(limit_log_group="/acme/bedrock")
        self.create_log_group("/acme/bedrock")
        self.deploys("--only", "federation")
        self.deploys("--only", "service")
        self.assertEqual(self.stacks()[SERVICE]["parameters"]["ReserveConcurrency"], "no")
        # A larger limit later changes nothing without a command.
        self.emulator.prepare(usual_answers())
        self.assertIn("nothing to change", self.deploys("--only", "service").out)

    def test_missing_and_wrong_programs_are_named(self):
        self.write_answers(server_zip=None)
        self.assertIn("linux-aarch64.zip", self.refuses(3, "server_zip").err)
        self.write_answers(server_zip="none.zip")
        self.assertIn("there is no file none.zip", self.refuses(3, "server_zip").err)
        (self.folder / "server.zip").write_text("<html>not found</html>")
        self.write_answers()
        self.refuses(3, "server_zip")
        self.assertEqual(self.requests(), [])

    def test_bucket_of_somebody_else_is_not_used(self):
        self.emulator.prepare(usual_answers() + [answer("s3", f"HEAD /{self.bucket}", "", 403)])
        self.write_answers()
        self.refuses(3, "code_bucket")
        self.assertEqual(self.requests(), [])

    def test_service_without_a_log_names_what_is_missing(self):
        self.write_answers()
        self.refuses(3, "no_log", "--only", "service")
        # Before anything is shown and asked.
        self.assertEqual((self.stacks(), self.requests()), ({}, []))

    def test_program_of_the_release_is_found_beside(self):
        release = self.folder / "release"
        shutil.copytree(DEPLOY.parent, release, ignore=shutil.ignore_patterns("terraform"))
        self.write_answers(server_zip=None, limit_log_group="/acme/bedrock")
        self.server_zip("program", "release/bedrock-sso-server-9.9.9-linux-aarch64.zip")
        only = ("--only", "service", "--dry-run")
        self.assertIn("bedrock-sso-server-9.9.9-linux-aarch64.zip", self.deploys(*only, program=release / "deploy").out)
        (release / "VERSION").write_text("1.0.0\n")
        self.assertIn("bedrock-sso-server-1.0.0-linux-aarch64.zip", self.refuses(3, "server_zip", *only, program=release / "deploy").err)

    def write_limited(self, number, names, until, account=None):
        statement = Blocks.statement(names, until, "Blocked")
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam("CreatePolicyVersion", account, PolicyArn=self.limit_policy(number, account), PolicyDocument=document, SetAsDefault="true")

    def create_log_group(self, name):
        done = subprocess.run(
            [self.aws_cli, "logs", "create-log-group", "--log-group-name", name, "--region", REGION], env=self.environment(), capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)


class Telemetry(DeployTest):
    def setUp(self):
        super().setUp()
        self.server_zip()
        self.bucket = f"bedrock-sso-code-{self.account}-{REGION}"

    def write_answers(self, **changes):
        quiet = {"logging": False, "trail": False, "alarms": False}
        super().write_answers(**{"telemetry": True, "server_zip": "server.zip", "session_name": "free", **quiet, **changes})

    def test_empty_account_gets_the_relay_and_a_second_run_nothing(self):
        self.write_answers(alert="ops@acme.com", person="email")
        dry = self.deploys("--dry-run")
        self.assertIn("server.zip (0.0 MB) will be uploaded to " + self.bucket, dry.out)
        self.assertRegex(dry.out, "Add +AWS::Lambda::Function +RelayFunction")
        self.assertRegex(dry.out, r"telemetry: alarms: metrics +4 +0\.10 +0\.40")
        self.assertEqual(self.stacks(), {})
        self.deploys()
        stacks = self.stacks()
        self.assertEqual({name: it["status"] for name, it in stacks.items()}, dict.fromkeys([FEDERATION, TELEMETRY], "CREATE_COMPLETE"))
        expected = {"IssuerUrl": ANSWERS["issuer"], "ClientIds": "0oa1b2c3d4", "PersonClaims": "email", "StreamName": ""}
        expected |= {"AlertEmail": "ops@acme.com", "CodeBucket": self.bucket}
        chosen = stacks[TELEMETRY]["parameters"]
        self.assertEqual({key: chosen.get(key) for key in expected}, expected)
        config = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertEqual(set(config["telemetry"]), {"relay"})
        self.assertRegex(config["telemetry"]["relay"], "^https?://[a-z0-9]+\\.execute-api\\.[^/]+$")
        self.assertEqual(self.profile_of_outputs(), config)
        # The program stays when nobody names its file again.
        self.write_answers(alert="ops@acme.com", person="email", server_zip=None)
        self.assertIn("nothing to change", self.deploys().out)

    def test_relay_uses_what_the_other_stacks_have(self):
        self.write_answers(analytics=True, analytics_bucket="acme-bedrock-log", laptop_telemetry=True, dashboard=True)
        self.deploys()
        stacks = self.stacks()
        self.assertEqual(stacks[TELEMETRY]["parameters"]["StreamName"], stacks[ANALYTICS]["outputs"]["StreamName"])
        shown = {"TelemetryStack": TELEMETRY, "AlertTopicArn": stacks[TELEMETRY]["outputs"]["AlertTopicArn"]}
        self.assertEqual(stacks[DASHBOARD]["parameters"] | shown, stacks[DASHBOARD]["parameters"])
        # The relay in AWS verifies who sends, so laptops prefer it.
        config = tomllib.loads((self.folder / "bedrock-sso.config.toml").read_text())["profiles"]["claude"]
        self.assertEqual(set(config["telemetry"]), {"relay"})
        self.assertTrue(config["telemetry"]["relay"].startswith("http"))

    def test_program_goes_with_the_last_stack_that_runs_it(self):
        self.write_answers(limits=True, session_name="subject", limit_log_group="/acme/bedrock")
        self.create_log_group("/acme/bedrock")
        self.deploys()
        self.deploys("--remove", "--only", "service", "--yes")
        self.assertNotIn(f"DELETE /{self.bucket}", self.requests())
        outputs = self.stacks()[TELEMETRY]["outputs"]
        result = self.deploys("--remove", "--only", "telemetry", "--yes")
        for left in outputs["LogGroupNames"].split(","):
            self.assertIn(left, result.out)
        self.assertNotIn(TELEMETRY, self.stacks())
        self.assertIn(f"DELETE /{self.bucket}", self.requests())

    def test_relay_that_could_believe_nobody_is_refused(self):
        self.write_answers(federation="identity-center", issuer=None, client_id=None, session_name=None)
        self.refuses(2, "telemetry")

    def create_log_group(self, name):
        done = subprocess.run(
            [self.aws_cli, "logs", "create-log-group", "--log-group-name", name, "--region", REGION], env=self.environment(), capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)


class Analytics(DeployTest):
    def setUp(self):
        super().setUp()
        self.write_answers()

    def write_answers(self, **changes):
        super().write_answers(**{"analytics": True, **changes})

    def test_empty_account_gets_the_tables_and_a_second_run_nothing(self):
        self.write_answers(limit_time_zone="Europe/Berlin")
        dry = self.deploys("--dry-run")
        self.assertRegex(dry.out, "Add +AWS::Glue::Table +Telemetry")
        self.assertRegex(dry.out, r"analytics: by the GB stored and read +1 +0\.00 +0\.00")
        self.assertEqual(self.stacks(), {})
        result = self.deploys()
        self.assertEqual(result.out.count(f"{ANALYTICS} in {REGION}: a new stack"), 1)
        stacks = self.stacks()
        self.assertEqual({name: it["status"] for name, it in stacks.items()}, dict.fromkeys([FEDERATION, GUARD_RAILS, ANALYTICS], "CREATE_COMPLETE"))
        chosen = stacks[ANALYTICS]["parameters"]
        expected = {"LogBucket": stacks[GUARD_RAILS]["outputs"]["LogBucketName"], "Database": "bedrock_sso", "TimeZone": "Europe/Berlin"}
        self.assertEqual({key: chosen[key] for key in expected}, expected)
        self.assertEqual(stacks[ANALYTICS]["outputs"]["Pseudonyms"], "no")
        bucket = stacks[ANALYTICS]["outputs"]["DataBucketName"]
        self.assertIn(f"export people --config server.toml | aws s3 cp - s3://{bucket}/people/people.json", result.out)
        before = self.requests()
        self.assertIn("nothing to change", self.deploys().out)
        self.assertEqual(set(self.requests()[len(before) :]), {"CreateChangeSet", "DeleteChangeSet"})
        self.assertEqual(self.stacks(), stacks)

    def test_salt_is_made_once_and_shown_to_nobody(self):
        self.write_answers(pseudonyms=True, leaderboard=True)
        shown = self.deploys().out
        salt = self.stacks()[ANALYTICS]["parameters"]["PseudonymSalt"]
        self.assertEqual(self.stacks()[ANALYTICS]["outputs"]["Pseudonyms"], "yes")
        self.assertIn("LeaderboardQuery", self.stacks()[ANALYTICS]["resources"])
        self.write_answers(pseudonyms=True, leaderboard=False)
        shown += self.deploys().out
        after = self.stacks()[ANALYTICS]
        self.assertNotIn("LeaderboardQuery", after["resources"])
        self.assertEqual(after["parameters"]["PseudonymSalt"], salt)
        self.assertNotIn("****", after["resources"]["CallRecordsView"]["properties"]["TableInput"]["ViewOriginalText"])
        self.assertNotRegex(shown, "[0-9a-f]{32}")
        self.write_answers(pseudonyms=False)
        self.deploys()
        self.assertEqual(self.stacks()[ANALYTICS]["outputs"]["Pseudonyms"], "no")

    def test_bucket_that_is_switched_off_or_missing_is_named(self):
        self.refuses(2, "analytics", "--no-log-bucket")
        self.refuses(2, "analytics", "--no-logging")
        self.refuses(3, "no_log_bucket", "--only", "analytics")
        self.deploys("--only", "analytics", "--analytics-bucket", "acme-bedrock-log", "--analytics-accounts", "123456789012,210987654321")
        chosen = self.stacks()[ANALYTICS]["parameters"]
        self.assertEqual((chosen["LogBucket"], chosen["LogAccounts"]), ("acme-bedrock-log", "123456789012,210987654321"))

    def test_removal_leaves_the_buckets_and_says_so(self):
        self.deploys()
        outputs = self.stacks()[ANALYTICS]["outputs"]
        result = self.deploys("--remove", "--only", "analytics", "--yes")
        for left in (outputs["DataBucketName"], outputs["ResultBucketName"], outputs["LogGroupNames"]):
            self.assertIn(left, result.out)
        self.assertEqual(set(self.stacks()), {FEDERATION, GUARD_RAILS})

    def test_query_prints_the_answer_as_csv(self):
        self.refuses(3, "no_analytics", "query", "spend_by_team")
        self.deploys("--only", "analytics", "--analytics-bucket", "acme-bedrock-log")
        listed = self.deploys("query").out
        self.assertRegex(listed, "spend_by_team +Tokens and money by team and month")
        self.assertNotIn("leaderboard", listed)
        # The emulator runs no SQL of Athena. What it stores as the answer is what must come out, to the byte.
        outputs = self.stacks()[ANALYTICS]["outputs"]
        text = b'"month","team","usd"\n"2026-11","s\xc3\xa9arch","1.250000"\n'
        self.put_object(outputs["ResultBucketName"], "answer.csv", text)
        status = lambda state, **more: {"QueryExecution": {"Status": {"State": state, **more}, "ResultConfiguration": {"OutputLocation": f"s3://{outputs['ResultBucketName']}/answer.csv"}}}  # noqa: E731
        running = {**answer("athena", "GetQueryExecution", status("RUNNING")), "times": 1}
        self.emulator.prepare(usual_answers() + [running, answer("athena", "GetQueryExecution", status("SUCCEEDED"))])
        before = len(self.requests())
        result = self.deploys("query", "spend_by_team")
        self.assertEqual(result.out.encode(), text)
        self.assertEqual(self.requests()[before:].count("StartQueryExecution"), 1)
        self.refuses(2, "query", "query", "spend_by_tem")
        self.emulator.prepare(usual_answers() + [answer("athena", "GetQueryExecution", status("FAILED", StateChangeReason="Bytes scanned limit was exceeded"))])
        self.refuses(7, "query", "query", "spend_by_team")


class Access(DeployTest):
    def test_missing_access_is_named_with_the_page(self):
        lacking = [answer("bedrock", "GET /use-case-for-model-access", {"__type": "ResourceNotFoundException", "message": "no form"}, 404)]
        lacking += [availability(MODELS["sonnet-4-5"], agreementAvailability={"status": "NOT_AVAILABLE"})]
        self.emulator.prepare(lacking + usual_answers() + [availability("anthropic.claude-opus-4-8")])
        # The emulator's account has no profile of the third one.
        self.write_answers(models=["sonnet-4-5", "haiku-4-5", "opus-4-8"])
        result = self.deploys("--only", "team", "--team", "ml", "--dry-run")
        page = r"\n.*https://eu-central-1\.console\.aws\.amazon\.com/bedrock"
        self.assertRegex(result.out, "Missing: Anthropic's form" + ".*" + page)
        self.assertRegex(result.out, "Missing: the agreement .*sonnet-4-5" + page)
        self.assertIn("eu.anthropic.claude-opus-4-8 is not offered in eu-central-1", result.out)
        self.assertEqual(result.out.count("Missing: "), 3)
        self.assertIn("All else can be deployed without that", result.out)

    def test_request_access_accepts_offers_and_sends_the_form(self):
        lacking = [answer("bedrock", "GET /use-case-for-model-access", {"__type": "ResourceNotFoundException", "message": "no form"}, 404)]
        lacking += [availability(MODELS["sonnet-4-5"], agreementAvailability={"status": "NOT_AVAILABLE"})]
        terms = {"legalTerm": {"url": "https://terms.example/1"}, "supportTerm": {}, "usageBasedPricingTerm": {"rateCard": []}}
        offers = {"modelId": MODELS["sonnet-4-5"], "offers": [{"offerToken": "token-1", "termDetails": terms}]}
        lacking += [answer("bedrock", f"GET /list-foundation-model-agreement-offers/{MODELS['sonnet-4-5']}", offers)]
        lacking += [answer("bedrock", "POST /create-foundation-model-agreement", {"modelId": MODELS["sonnet-4-5"]}, 202)]
        lacking += [answer("bedrock", "POST /use-case-for-model-access", {}, 201)]
        self.use_deployed_account()
        self.emulator.prepare(lacking + usual_answers())
        self.write_answers()
        (self.folder / "form.json").write_text('{"companyName": "Acme"}')
        sent = {"POST /create-foundation-model-agreement", "POST /use-case-for-model-access"}
        arguments = ("--only", "federation", "--request-access", "--use-case", "form.json")
        before = self.requests()
        self.assertIn("https://terms.example/1", self.deploys(*arguments, "--dry-run").out)
        self.assertEqual(set(self.requests()[len(before) :]) & sent, set())
        self.deploys(*arguments)
        self.assertEqual(set(self.requests()[len(before) :]) & sent, sent)

    def test_foreign_text_cannot_control_the_terminal(self):
        error = {"__type": "AccessDeniedException", "message": "\x1b]0;title\x07\x1b[31mred\u202e"}
        self.emulator.prepare([answer("servicequotas", "ListServiceQuotas", error, 400)])
        self.write_answers()
        result = self.refuses(7, "denied", "quotas", "--people", "10")
        self.assertRegex(result.err, r"\A[\n -~]*\Z")
        self.assertIn("red", result.err)


class Quotas(DeployTest):
    def setUp(self):
        super().setUp()
        self.write_answers(models=["sonnet-4-5", "haiku-4-5"])

    def test_quotas_are_compared_with_what_people_need(self):
        result = self.deploys("quotas", "--people", "200")
        rows = [line.split() for line in result.out.splitlines()]
        self.assertIn(["sonnet-4-5", "tokens", "200000", "4000000", "no"], rows)
        self.assertIn(["sonnet-4-5", "requests", "10000", "94", "yes"], rows)
        self.assertIn(["haiku-4-5", "tokens", "90000000", "4000000", "yes"], rows)
        self.assertIn(["haiku-4-5", "requests", "10", "94", "no"], rows)
        self.assertEqual(self.requests(), [])

    def test_missing_quota_is_unknown(self):
        self.write_answers(models=["sonnet-4-6"])
        self.assertRegex(self.deploys("quotas", "--people", "200").out, r"sonnet-4-6 +tokens +- +4000000 +unknown")

    def test_request_asks_for_what_is_missing_and_adjustable(self):
        pending = answer("servicequotas", "ListRequestedServiceQuotaChangeHistoryByQuota", {"RequestedQuotas": []})
        accepted = answer("servicequotas", "RequestServiceQuotaIncrease", {"RequestedQuota": {"Status": "PENDING"}})
        self.emulator.prepare(usual_answers() + [pending, accepted])
        result = self.deploys("quotas", "--people", "200", "--request")
        self.assertEqual(self.requests(), ["RequestServiceQuotaIncrease"])
        self.assertIn("sonnet-4-5: 4000000 tokens a minute requested (L-00000001, PENDING)", result.out)
        self.assertRegex(result.out, r"haiku-4-5: .*AWS Support")
        pending["body"] = {"RequestedQuotas": [{"Status": "PENDING", "DesiredValue": 4000000.0}]}
        self.emulator.prepare(usual_answers() + [pending, accepted])
        self.deploys("quotas", "--people", "200", "--request")
        self.assertEqual(self.requests(), ["RequestServiceQuotaIncrease"])


class Blocks(DeployTest):
    def setUp(self):
        super().setUp()
        self.use_deployed_account()
        self.write_answers()
        self.template_document = self.policy_document()

    def test_last_unblock_restores_the_document_to_the_byte(self):
        self.deploys("block", "alice@acme.com")
        self.assertEqual(self.blocked(), {"alice@acme.com": None})
        self.deploys("block", "Bob_=,.+-")
        self.assertEqual(self.blocked(), {"alice@acme.com": None, "Bob_=,.+-": None})
        denied, template = (json.loads(it)["Statement"][0] for it in (self.policy_document(), self.template_document))
        for key in ("Effect", "Action", "Resource"):
            self.assertEqual(denied[key], template[key])
        self.deploys("unblock", "alice@acme.com")
        self.assertEqual(self.blocked(), {"Bob_=,.+-": None})
        self.assertIn("was not blocked", self.deploys("unblock", "alice@acme.com").out)
        self.deploys("unblock", "Bob_=,.+-")
        self.assertEqual(self.policy_document(), self.template_document)
        self.assertEqual(list(self.policy_versions()), ["v1"])
        self.assertIn("Nobody is blocked", self.deploys("who").out)

    def test_each_shell_blocks_and_unblocks(self):
        for shell in SHELLS:
            self.deploys("block", "alice", "--until", "2099-12-24", shell=shell)
            self.assertEqual(self.blocked(), {"alice": "2099-12-24T00:00:00Z"})
            self.deploys("unblock", "alice", shell=shell)
            self.assertEqual(self.policy_document(), self.template_document)

    def test_never_more_than_five_versions(self):
        for number in range(4):
            self.write_policy(self.statement([f"person{number}"]))
        self.assertEqual(len(self.policy_versions()), 5)
        for name in ("alice", "bob"):
            self.deploys("block", name)
            # One place stays free for an update by CloudFormation.
            self.assertEqual(len(self.policy_versions()), 4)
        self.assertEqual(self.blocked(), {"person3": None, "alice": None, "bob": None})
        self.assertEqual(self.policy_document(version="v1"), self.template_document)

    def test_block_with_an_end_has_a_statement_of_its_own(self):
        self.deploys("block", "carol")
        self.deploys("block", "alice", "--until", "2099-12-24")
        self.deploys("block", "bob", "--until", "2h")
        blocked = self.blocked()
        self.assertEqual((blocked["carol"], blocked["alice"]), (None, "2099-12-24T00:00:00Z"))
        end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 7200))
        self.assertIn(blocked["bob"][:16], (end, time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 7140))))
        statements = json.loads(self.policy_document())["Statement"]
        self.assertEqual(len({it["Sid"] for it in statements}), 3)
        out = self.deploys("who").out
        self.assertRegex(out, r"alice +2099-12-24T00:00:00Z")
        self.assertRegex(out, r"carol +no end")
        self.deploys("block", "alice")
        self.assertEqual(self.blocked()["alice"], None)

    def write_policy(self, *statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam("CreatePolicyVersion", PolicyArn=self.blocked_policy(), PolicyDocument=document, SetAsDefault="true")

    @staticmethod
    def statement(names, until=None, sid="DeployBlocks"):
        condition = {"StringLike": {"aws:userid": [f"*:{name}" for name in names]}}
        if until:
            condition["DateLessThan"] = {"aws:CurrentTime": until}
        return {"Sid": sid, "Effect": "Deny", "Action": ["bedrock:*"], "Resource": "*", "Condition": condition}

    def test_expired_blocks_disappear_at_the_next_write(self):
        self.write_policy(self.statement(["old"], "2020-01-01T00:00:00Z", "DeployBlocksUntil1"), self.statement(["alice"]))
        self.assertNotIn("old", self.deploys("who").out)
        self.deploys("block", "bob")
        self.assertEqual(self.blocked(), {"alice": None, "bob": None})

    def test_document_that_grows_too_long_is_refused(self):
        people = [f"somebody{number:03}@acme.example" for number in range(220)]
        self.write_policy(self.statement(people))
        result = self.refuses(3, "too_many_blocks", "block", "one.more@acme.example")
        self.assertIn("6144", result.err)
        self.assertEqual(len(self.blocked()), 220)

    def test_block_survives_an_update_that_replaces_the_policy(self):
        # The first version does not survive this, so the next test needs another account.
        self.emulator.deployed_account = None
        self.deploys("block", "alice")
        # An update of the stack that changes no policy leaves the block.
        tags = str(time.time_ns())
        self.deploys("--only", "federation", "--session-tags", tags)
        self.assertEqual(self.blocked(), {"alice": None})
        # CloudFormation writes a new version when the template's document changes.
        self.iam("CreatePolicyVersion", PolicyArn=self.blocked_policy(), PolicyDocument=self.template_document + "\n", SetAsDefault="true")
        self.assertEqual(self.blocked(), {})
        self.assertIn("written again", self.deploys("--only", "federation", "--session-tags", tags).out)
        self.assertEqual(self.blocked(), {"alice": None})
        self.deploys("unblock", "alice")
        self.assertEqual(self.policy_document(), self.template_document + "\n")

    def test_policy_of_the_terraform_module_needs_no_stack(self):
        self.iam("CreatePolicy", PolicyName="other-federation-you-are-blocked-ask-your-administrator", PolicyDocument=self.template_document)
        self.deploys("block", "alice", "--name", "other")
        self.assertEqual(self.blocked(), {})
        policy = f"arn:aws:iam::{self.account}:policy/other-federation-you-are-blocked-ask-your-administrator"
        self.assertIn("alice", self.iam("GetPolicyVersion", PolicyArn=policy, VersionId="v2"))

    def test_block_without_a_stack_names_what_is_missing(self):
        self.refuses(3, "no_stack", "block", "alice", "--name", "another")


class IdentityPool(DeployTest):
    def test_people_cannot_be_blocked_by_name(self):
        self.write_answers(federation="identity-pool")
        self.deploys("--only", "federation")
        result = self.refuses(3, "identity_pool", "block", "alice")
        self.assertIn("CognitoIdentityCredentials", result.err)


class AtATerminal(DeployTest):
    def test_wizard_asks_once_and_stores_the_answers(self):
        # The AWS CLI itself, started for each call.
        self.quick_aws_cli = self.aws_cli
        terminal = Terminal(self, "--only", "federation", AWS_REGION=REGION)
        terminal.answer("Region of the stacks", "")
        terminal.answer("Identity provider", "oktaa")
        terminal.expect("Please give one of")
        terminal.answer("Identity provider", "okta")
        terminal.answer("issuer", "")
        terminal.expect("needed")
        terminal.answer("issuer", "acme.okta.com")
        terminal.expect("Please give an https address")
        terminal.answer("issuer", "https://acme.okta.com")
        terminal.answer("Client ID", "0oa1b2c3d4")
        terminal.answer("Where models run", "")
        # What contradicts earlier answers is not stored.
        terminal.answer("Models", "sonet-4-5")
        terminal.expect("sonnet-4-5")
        terminal.answer("Models", "sonnet-4-5, haiku-4-5")
        terminal.answer("Dedicated account", self.account)
        terminal.expect("cannot be the dedicated account too")
        terminal.answer("Dedicated account", "none")
        terminal.answer("Budget", "100")
        terminal.answer("Address for alarms", "ops@acme.com")
        terminal.answer("Refuse persons at a limit?", "")
        terminal.answer("Second Region", "us-east-1")
        terminal.expect("does not offer")
        terminal.answer("Second Region", "")
        terminal.answer("Make these changes? [y/N]", "y")
        code, text = terminal.end()
        self.assertEqual(code, 0, text)
        recording = self.generalize(terminal.whole)
        self.assertEqual(compare_with_golden("wizard.txt", recording), "")
        stored = (self.folder / "bedrock-sso.deploy.toml").read_text()
        for line in ('issuer = "https://acme.okta.com"', 'models = ["sonnet-4-5", "haiku-4-5"]', 'monthly_budget = "100"', f'region = "{REGION}"', 'geography = "eu"'):
            self.assertIn(line, stored.splitlines())
        self.assertEqual(self.stacks()[FEDERATION]["status"], "CREATE_COMPLETE")
        code, text = Terminal(self, "--only", "federation").end()
        self.assertIn("nothing to change", text)
        self.assertEqual((self.folder / "bedrock-sso.deploy.toml").read_text(), stored)

    def test_ctrl_c_in_the_wizard_leaves_nothing(self):
        terminal = Terminal(self, AWS_REGION=REGION)
        terminal.answer("Region of the stacks", "")
        terminal.answer("Identity provider", "okta")
        terminal.expect("issuer")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end()[0], 130)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_wizard_finds_an_issuer_that_does_not_fit_the_provider(self):
        terminal = Terminal(self, AWS_REGION=REGION)
        terminal.answer("Region of the stacks", "")
        terminal.answer("Identity provider", "auth0")
        terminal.answer("issuer", "https://acme.eu.auth0.com")
        terminal.expect("give https://acme.eu.auth0.com/")
        terminal.answer("issuer", "https://acme.eu.auth0.com/")
        terminal.expect("Client ID")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end()[0], 130)

    def test_wizard_without_credentials_asks_no_more_questions(self):
        terminal = Terminal(self, AWS_REGION=REGION, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        terminal.answer("Region of the stacks", "")
        code, text = terminal.end()
        self.assertEqual(code, 4)
        self.assertIn("[deploy/no_credentials]", text)
        self.assertNotIn("Identity provider", text)

    def test_no_leaves_no_change_set(self):
        self.write_answers()
        terminal = Terminal(self, "--only", "team", "--team", "ml")
        terminal.answer("Make these changes? [y/N]", "n")
        self.assertEqual(terminal.end()[0], 0)
        self.assertEqual(self.stacks(), {})

    def test_ctrl_c_at_the_question_leaves_no_change_set(self):
        self.write_answers()
        terminal = Terminal(self, "--only", "team", "--team", "ml")
        terminal.expect("Make these changes? [y/N]")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end()[0], 130)
        self.assertEqual(self.stacks(), {})

    def test_wizard_asks_about_limits_only_if_they_are_wanted(self):
        terminal = Terminal(self, "--only", "team", "--team", "ml", "--dry-run", "--federation", "identity-pool", "--session-name", "free")
        for question, given in (("Region of the stacks", REGION), ("issuer", ANSWERS["issuer"]), ("Client ID", "0oa1"), ("Where models run", ""), ("Models", "sonnet-4-5")):
            terminal.answer(question, given)
        for question in ("Dedicated account", "Budget"):
            terminal.answer(question, "")
        terminal.answer("Refuse persons at a limit?", "yes")
        terminal.expect("people have one count")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end()[0], 130)
        self.write_answers(geography="eu", monthly_budget="0", client_id=None)
        terminal = Terminal(self, "--only", "team", "--team", "ml", "--dry-run")
        for question, given in (
            ("Client ID", "0oa1b2c3d4"),
            ("Dedicated account", ""),
            ("Refuse persons at a limit?", "yes"),
            ("Limit for each person", "200USD/month"),
            ("Whom can a person", "#it-help"),
            ("Time zone", "Europe/Berlin"),
            ("Second Region", "eu-west-1"),
        ):
            terminal.answer(question, given)
        terminal.expect("limits would not hold there")
        terminal.answer("Second Region", "")
        code, text = terminal.end()
        self.assertEqual(code, 0, text)
        stored = tomllib.loads((self.folder / "bedrock-sso.deploy.toml").read_text())
        chosen = ("limits", "limit", "limit_contact", "limit_time_zone")
        self.assertEqual([stored[it] for it in chosen], [True, "200USD/month", "#it-help", "Europe/Berlin"])

    def test_new_answers_leave_the_rest_of_the_file(self):
        (self.folder / "bedrock-sso.deploy.toml").write_text('# ours\nissuer = "https://acme.okta.com" # Okta\nregion = "eu-central-1"\nmodels = ["sonnet-4-5"]\n')
        terminal = Terminal(self, "--only", "team", "--team", "ml", "--dry-run")
        terminal.answer("Client ID", "0oa1b2c3d4")
        for question in ("Where models run", "Dedicated account", "Budget", "Refuse persons at a limit?", "Second Region"):
            terminal.answer(question, "")
        self.assertEqual(terminal.end()[0], 0)
        stored = (self.folder / "bedrock-sso.deploy.toml").read_text()
        self.assertTrue(stored.startswith('# ours\nissuer = "https://acme.okta.com" # Okta\n'))
        self.assertIn('client_id = ["0oa1b2c3d4"]\n', stored)


class Laptop(DeployTest):
    def setUp(self):
        super().setUp()
        self.use_deployed_account()
        self.write_answers(failover_region="eu-west-1")

    def test_failover_test_blocks_the_first_region(self):
        self.program("bedrock-sso", 'printf "%s\\n" "$*" "$HTTPS_PROXY" "$NO_PROXY" >"$HOME/call"; cat "$4" >"$HOME/config"; echo "ok  converse  eu.model answers"')
        result = self.deploys("failover-test")
        arguments, proxy, direct = (self.folder / "call").read_text().splitlines()
        self.assertTrue(arguments.startswith("doctor --live --config "))
        self.assertEqual(proxy, "http://127.0.0.1:9")
        self.assertIn("acme.okta.com", direct.split(","))
        self.assertIn(".eu-west-1.amazonaws.com", direct.split(","))
        self.assertNotIn(REGION, direct)
        config = (self.folder / "config").read_text()
        self.assertIn('region = "eu-west-1"', config)
        self.assertNotIn(f'region = "{REGION}"', config)
        self.assertRegex(result.out, r"Proved: .*eu-central-1")
        self.assertIn("Not proved", result.out)

    def test_failover_test_needs_no_aws_on_a_pilots_laptop(self):
        claude = 'provider = "okta"\nregion = "{}"\n\n[profiles.{}.claude_code]\nmodels = {{ default = "eu.model" }}\n'
        profiles = [f"[profiles.{name}]\n{claude.format(region, name)}" for name, region in (("claude", REGION), ("claude-failover", "eu-west-1"))]
        text = 'version = 1\ndefault_profile = "claude"\n\n' + "\n# The second Region\n".join(profiles)
        (self.folder / "bedrock-sso.config.toml").write_text(text)
        self.program("bedrock-sso", 'cat "$4" >"$HOME/config"; echo "ok  converse  eu.model answers"')
        self.program("aws", "exit 1")
        self.deploys("failover-test")
        self.assertEqual(tomllib.loads((self.folder / "config").read_text()), {"version": 1, "profiles": {"claude": tomllib.loads(text)["profiles"]["claude-failover"]}})

    def test_failover_test_that_fails_proves_nothing(self):
        self.program("bedrock-sso", "echo 'bad  discovery'; exit 9")
        self.refuses(9, "failover", "failover-test")
        self.program("bedrock-sso", "echo 'skipped  exchange  not signed in'")
        self.refuses(4, "failover", "failover-test")

    def test_failover_test_needs_the_program(self):
        self.refuses(3, "no_program", "failover-test")

    def test_bundle_has_configuration_and_packages(self):
        packages = self.folder / "packages"
        packages.mkdir()
        for name in ("bedrock-sso_1.0_amd64.deb", "bedrock-sso-1.0.pkg", "bedrock-sso-1.0.msi", "other.deb"):
            (packages / name).write_text(name)
        self.program("bedrock-sso", 'mkdir -p "$3" && cp "$5" "$3/config.toml" && echo "where to" >&2')
        result = self.deploys("--only", "federation", "--bundle", "out", "--packages", "packages")
        self.assertIn("where to", result.out)
        found = sorted(str(it.relative_to(self.folder / "out")) for it in (self.folder / "out").rglob("*") if it.is_file())
        self.assertEqual(
            found,
            ["config.toml", "configuration/config.toml", "packages/linux/bedrock-sso_1.0_amd64.deb", "packages/macos/bedrock-sso-1.0.pkg", "packages/windows/bedrock-sso-1.0.msi"],
        )
        pilot, fleet = (tomllib.loads((self.folder / it).read_text()) for it in ("bedrock-sso.config.toml", "out/configuration/config.toml"))
        self.assertEqual(list(fleet["profiles"]), ["claude", "claude-failover"])
        for name, profile in fleet["profiles"].items():
            # Nobody in a fleet runs `setup`, so the first sign-in must add the AWS profile.
            self.assertEqual(profile.pop("aws_profile"), name)
        self.assertEqual(fleet, pilot)

    def test_bundle_without_the_program_says_what_to_run(self):
        # Everything is as it should be, so nothing is asked and nothing changes.
        self.write_answers()
        result = self.deploys("--only", "federation", "--bundle", "out")
        self.assertIn("setup --fleet configuration --config config.toml", result.out)
        self.assertIn('aws_profile = "claude"\n', (self.folder / "out/config.toml").read_text())


class Probe(DeployTest):
    def test_probe_only_reads_unless_writing_is_said(self):
        result = self.deploys("--region", REGION, program=PROBE)
        self.assertEqual(self.requests(), [])
        self.assertGreaterEqual(result.out.count("\n?"), 6)

    def test_probe_measures_when_a_call_is_counted(self):
        # What an account answers in which the service runs. The emulator logs no calls.
        stack = "<DescribeStacksResponse xmlns='http://cloudformation.amazonaws.com/doc/2010-05-15/'><DescribeStacksResult><Stacks><member>"
        stack += "<StackName>x</StackName><Outputs><member><OutputKey>TableName</OutputKey><OutputValue>limits</OutputValue></member></Outputs>"
        stack += "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        setting = {"loggingConfig": {"cloudWatchConfig": {"logGroupName": "calls"}, "textDataDeliveryEnabled": False}}
        usage = {"output": {"message": {"role": "assistant", "content": [{"text": "."}]}}, "stopReason": "max_tokens", "usage": {"inputTokens": 8, "outputTokens": 1, "totalTokens": 9}, "metrics": {"latencyMs": 1}}
        caller = f"arn:aws:iam::{self.account}:root"
        record = {"schemaType": "ModelInvocationLog", "identity": {"arn": caller}, "requestId": "b1-2", "input": {"inputTokenCount": 8}, "output": {"outputTokenCount": 1}}
        other = {**record, "identity": {"arn": f"{caller}-other"}, "requestId": "a0"}
        now = int(time.time() * 1000) + 120_000
        events = {"events": [{"timestamp": now, "ingestionTime": now, "message": json.dumps(it)} for it in (other, record)]}
        answers = [
            answer("cloudformation", "DescribeStacks", stack),
            answer("bedrock", "GET /logging/modelinvocations", setting),
            answer("bedrock", "POST /model/eu.model/converse", usage),
            answer("logs", "FilterLogEvents", events),
            # The first question is too early.
            {**answer("dynamodb", "GetItem", {}), "times": 1},
            answer("dynamodb", "GetItem", {"Item": {"PK": {"S": "REQUEST#b1-2"}}}),
            # The rest of the probe is not of interest here.
            answer("iam", "CreatePolicy", "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>", 403),
            answer("cloudformation", "CreateStack", "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>", 403),
        ]
        self.emulator.prepare(answers)
        result = self.deploy("--region", REGION, "--write", "--model", "eu.model", program=PROBE)
        self.assertRegex(result.out, r"yes  a call reaches the counter within seconds: in the log \d+ s after the call, and counted \d+ s after it")
        # Without the service there is nothing to measure, and the model is not called.
        self.emulator.prepare(answers[1:])
        result = self.deploy("--region", REGION, "--write", "--model", "eu.model", program=PROBE)
        self.assertIn("?    a call reaches the counter within seconds: there is no stack bedrock-sso-service here", result.out)
        self.assertEqual(self.requests().count("POST /model/eu.model/converse"), 1)

    def test_probe_deletes_what_it_created(self):
        # The session's call is refused, so the probe does not wait for blocks.
        refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        self.emulator.prepare([answer("iam", "ListAccountAliases", refusal, 403)])
        result = self.deploys("--region", REGION, "--write", program=PROBE)
        self.assertIn("yes  values of Sub are not substituted again: the output is <${AWS::Region}>", result.out)
        self.assertIn("CreateRole", self.requests())
        self.assertEqual(self.stacks(), {})
        for list_of, name in (("ListRoles", "RoleName"), ("ListPolicies", "PolicyName")):
            self.assertNotIn(f"<{name}>bedrock-sso-probe-", self.iam(list_of))
        self.assertNotIn("not deleted", result.out)


if __name__ == "__main__":
    sys.exit(run_all(sys.modules[__name__], sys.argv[1:]))
