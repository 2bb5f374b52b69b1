"""The roles of AWS accounts as they are deployed, and what their policies allow.

IAM and Bedrock of the emulator (`tests/aws/emulator.py`) return the documents, and our evaluator (`tests/aws/evaluate.py`) decides.
Each request reads them again, so that a changed policy takes effect on sessions that exist.
"""

import datetime
import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from signatures import UTC, Refusal

sys.path.append(str(Path(__file__).parent.parent / "aws"))

from evaluate import Request, assume_role, evaluate, refusal_text  # noqa: E402


@dataclass(frozen=True)
class Role:
    arn: str
    id: str
    trust: dict
    max_duration: int
    tags: dict = field(default_factory=dict)
    policies: dict = field(default_factory=dict)  # {ARN or name: document}
    boundary: dict | None = None


class Iam:
    def __init__(self, endpoint):
        self.endpoint = endpoint

    @functools.cache
    def client(self, service, account, region="us-east-1"):
        """The emulator takes the access key for the number of the account."""
        session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="any", region_name=region)
        return session.client(service, endpoint_url=self.endpoint)

    def providers(self, account):
        """The client IDs that the account's IAM OIDC providers accept, by issuer."""
        iam = self.client("iam", account)
        arns = [it["Arn"] for it in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        return {
            arn.partition(":oidc-provider/")[2]: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]
            for arn in arns
        }

    def role(self, arn):
        """None if there is no such role."""
        iam, name = self.client("iam", account_of(arn)), arn.rpartition("/")[2]
        try:
            found = iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return None
        if found["Arn"] != arn:
            return None
        attached = [it["PolicyArn"] for it in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        policies = {it: self.managed_policy(it) for it in attached}
        policies |= {it: iam.get_role_policy(RoleName=name, PolicyName=it)["PolicyDocument"] for it in inline}
        boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return Role(
            arn,
            found["RoleId"],
            found["AssumeRolePolicyDocument"],
            found["MaxSessionDuration"],
            {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=name)["Tags"]},
            policies,
            {boundary: self.managed_policy(boundary)} if boundary else None,
        )

    def managed_policy(self, arn):
        iam = self.client("iam", account_of(arn))
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def application_profile(self, arn):
        """The tags of an application inference profile, and the ARN of what it was made from. None if there is no such profile."""
        bedrock = self.client("bedrock", account_of(arn), arn.split(":")[3])
        try:
            [model] = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)["models"]
        except ClientError:
            return None
        tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
        return {tag["key"]: tag["value"] for tag in tags}, model["modelArn"]

    # Decisions

    def check_web_identity(self, role, issuer, claims, name, tags):
        """Raises AWS's refusal unless the role's trust policy accepts this ID token, session name and session tags."""
        host = issuer.removeprefix("https://")
        context = {f"{host}:{key}": claims[key] for key in ("aud", "sub", "amr") if key in claims}
        context |= {"sts:RoleSessionName": name, **moment_of_request(secure=True)}
        provider = f"arn:aws:iam::{account_of(role.arn)}:oidc-provider/{host}"
        request = Request("sts:AssumeRoleWithWebIdentity", role.arn, context, ("Federated", provider))
        decision = assume_role(role.trust, request, tags)
        if not decision.allowed:
            raise Refusal(403, "AccessDenied", refusal_text(request, decision, None))

    def check_chain(self, session, role, name, tags, external_id):
        """Raises AWS's refusal unless the session's policies and the role's trust policy both allow the session to assume the role."""
        context = {"sts:RoleSessionName": name}
        if external_id:
            context["sts:ExternalId"] = external_id
        tagging = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        if tags:
            tagging["aws:TagKeys"] = list(tags)
        for action in ["sts:AssumeRole"] + ["sts:TagSession"] * bool(tags):
            self.check_call(session, action, [(role.arn, context | tagging)], secure=True, code="AccessDenied")
        context |= caller_context(session, self.role(session["RoleArn"])) | moment_of_request(secure=True)
        decision = assume_role(role.trust, Request("sts:AssumeRole", role.arn, context, ("AWS", session["RoleArn"])), tags)
        if not decision.allowed:
            # AWS gives no reason to somebody of another account.
            message = f"User: {session['Arn']} is not authorized to perform: {decision.action} on resource: {role.arn}"
            raise Refusal(403, "AccessDenied", message)

    def check_call(self, session, action, resources, secure, code="AccessDeniedException"):
        """Raises AWS's refusal unless the policies of the session's role allow the action on each resource, with its condition keys.
        `secure`: the request came over TLS."""
        role = self.role(session["RoleArn"])
        for resource, context in resources:
            request = Request(action, resource, {**caller_context(session, role), **moment_of_request(secure), **context})
            decision = evaluate(request, role.policies, role.boundary)
            if not decision.allowed:
                raise Refusal(403, code, refusal_text(request, decision, session["Arn"]))


def caller_context(session, role):
    return {
        "aws:PrincipalArn": role.arn,
        "aws:PrincipalAccount": account_of(role.arn),
        "aws:PrincipalType": "AssumedRole",
        "aws:userid": session["UserId"],
        # A session tag outranks the role's tag with the same key.
        **{f"aws:PrincipalTag/{key}": value for key, value in {**role.tags, **session["Tags"]}.items()},
    }


def moment_of_request(secure):
    now = datetime.datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"aws:CurrentTime": now, "aws:SecureTransport": str(secure).lower(), "aws:SourceIp": "127.0.0.1"}


def account_of(arn):
    return arn.split(":")[4]
