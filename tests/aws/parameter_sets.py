"""The sets of parameters with which the templates are tested.

Every combination of provider, federation, session name and partition; each switch alone, and all together; and the contradictions
that the templates must refuse. Each set has an account of its own, so all of them can be deployed side by side.
"""

from dataclasses import dataclass, field

REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1", "aws-eusc": "eusc-de-east-1"}
SUFFIXES = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}
GEOGRAPHIES = {"aws": "us", "aws-us-gov": "us-gov", "aws-cn": "apac", "aws-eusc": "eu"}

SONNET, HAIKU, OPUS = (
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-opus-4-5-20251101-v1:0",
)
MODELS = (SONNET, HAIKU)  # those that the sets allow

CLIENT = "0oa1b2c3d4"
GITHUB, GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"
SOURCE_ACCOUNT = "210987654321"  # the sign-in account of a chain
INSTANCE = "arn:{partition}:sso:::instance/ssoins-1234567890abcdef"
SIGNED = "arn:{partition}:execute-api:us-east-1:{account}:a1b2c3d4e5/*/GET/signed/*"


@dataclass(frozen=True)
class ParameterSet:
    """`refused` is part of the message with which CloudFormation must refuse the set; "" if it must accept it."""

    name: str
    template: str  # federation, guardrails, team, service, telemetry, dashboard or analytics
    parameters: dict
    account: str
    region: str = "us-east-1"
    refused: str = ""
    matrix: dict = field(default_factory=dict)  # provider, federation, session_name of the full combination

    @property
    def partition(self):
        prefixes = {"us-gov-": "aws-us-gov", "cn-": "aws-cn", "eusc-": "aws-eusc"}
        return next((it for prefix, it in prefixes.items() if self.region.startswith(prefix)), "aws")

    @property
    def stack(self):
        return f"sso-{self.template}"


def issuer(provider, partition="aws"):
    region = REGIONS[partition]
    return {
        "okta": "https://acme.okta.com/oauth2/default",
        "entra": "https://login.microsoftonline.com/8f0c1b5e-6a3c-4f0e-9d43-2f1f0f3c9a11/v2.0",
        "auth0": "https://acme.eu.auth0.com/",
        "cognito": f"https://cognito-idp.{region}.{SUFFIXES[partition]}/{region}_AbCd12345",
        "google": "https://accounts.google.com",
        "generic": "https://sso.example.com/realms/acme",
    }[provider]


PROVIDERS = ("okta", "entra", "auth0", "cognito", "google", "generic")
FEDERATIONS = ("oidc", "identity-pool")
SESSION_NAMES = ("subject", "tag", "free")


def models(account, partition="aws", geography=None):
    """The parameters that name the allowed models."""
    geography = geography or GEOGRAPHIES[partition]
    return {
        "InferenceProfileArns": ",".join(f"arn:{partition}:bedrock:*:{account}:inference-profile/{geography}.{it}" for it in MODELS),
        "FoundationModelArns": ",".join(f"arn:{partition}:bedrock:*::foundation-model/{it}" for it in MODELS),
    }


def sign_in(provider, partition="aws", **more):
    chosen = {"Provider": provider, "IssuerUrl": issuer(provider, partition), "ClientIds": CLIENT, "SessionName": "free"}
    return {**chosen, **more}


NOBODY_SIGNS_IN = {"IssuerUrl": "", "ClientIds": "", "SessionName": "free"}
NO_MODELS = {"InferenceProfileArns": "", "FoundationModelArns": ""}


def matrix():
    for partition in REGIONS:
        for provider in PROVIDERS:
            for federation in FEDERATIONS:
                for session_name in SESSION_NAMES:
                    refused = ""
                    if provider == "auth0" and session_name == "subject":
                        refused = "illegal in session names"
                    elif federation == "identity-pool" and session_name != "free":
                        refused = "an identity pool calls every session"
                    chosen = {"provider": provider, "federation": federation, "session_name": session_name}
                    yield (
                        f"{provider} {federation} {session_name} {partition}",
                        lambda account, partition=partition, provider=provider, federation=federation, session_name=session_name: {
                            **sign_in(provider, partition, Federation=federation, SessionName=session_name),
                            **models(account, partition),
                        },
                        {"region": REGIONS[partition], "refused": refused, "matrix": chosen},
                    )


# Each switch of federation.yaml. {account} and {partition} are replaced.
GUARDRAIL = "arn:{partition}:bedrock:us-east-1:{account}:guardrail/gr1a2b3c4d5e"
MANTLE = {"Mantle": "yes", "MantleModels": "anthropic.claude-sonnet-4-5"}
TELEMETRY = {"LaptopTelemetry": "yes", "TelemetryLogGroup": "/bedrock-sso/telemetry"}
GITHUB_CI = {"CiIssuerUrl": GITHUB, "CiSubjects": "repo:acme/app:ref:refs/heads/main,repo:acme/tools:*"}
NARROW = {"Subjects": "00u1alice,00u2*", "AuthenticationMethods": "mfa,hwk"}
FAR_ROLE = "arn:{partition}:iam::{account}:role/far-user"
NEAR_ROLE = f"arn:{{partition}}:iam::{SOURCE_ACCOUNT}:role/near-user"
OKTA = sign_in("okta", SessionName="subject")
CHAINED = {**NOBODY_SIGNS_IN, "Federation": "chained", "SourceRoleArn": NEAR_ROLE}

SWITCHES = {
    "several audiences": {**OKTA, "ClientIds": "0oa1b2c3d4,0oa5e6f7g8,0oa9h0i1j2"},
    "no session tags": {**OKTA, "SessionTags": ""},
    "tag and more tags": {**sign_in("auth0", SessionName="tag"), "SessionTags": "Team,CostCenter", "NameTag": "Person"},
    "tag and no other tags": {**sign_in("auth0", SessionName="tag"), "SessionTags": ""},
    "existing provider": {**OKTA, "ExistingProviderArn": "arn:{partition}:iam::{account}:oidc-provider/acme.okta.com/oauth2/default"},
    "subjects and methods": {**sign_in("entra", SessionName="free"), **NARROW},
    "organization of google": {**sign_in("google", SessionName="subject"), "GoogleOrganization": "123456789012"},
    "short session": {**OKTA, "MaxSessionDuration": "3600"},
    "bearer tokens": {**OKTA, "BearerTokens": "yes"},
    "mantle": {**OKTA, **MANTLE},
    "mantle and bearer tokens": {**OKTA, **MANTLE, "BearerTokens": "yes"},
    "laptop telemetry": {**OKTA, **TELEMETRY},
    "guardrail": {**OKTA, "GuardrailArns": GUARDRAIL},
    "required guardrail": {**OKTA, "GuardrailArns": GUARDRAIL, "RequireGuardrail": "yes"},
    "required guardrails of two Regions": {**OKTA, "AgentRole": "yes", "GuardrailArns": f"{GUARDRAIL},{GUARDRAIL.replace('us-east-1', 'us-west-2')}", "RequireGuardrail": "yes"},
    "limits": {**OKTA, "Limits": "yes"},
    "limits of a far end": {**CHAINED, "SessionName": "subject", "Limits": "yes"},
    "limits of a permission set": {
        **NOBODY_SIGNS_IN,
        "Federation": "identity-center",
        "IdentityCenterInstanceArn": INSTANCE,
        "Limits": "yes",
        "SignedApiArn": SIGNED,
    },
    "vpc endpoints": {**OKTA, **MANTLE, "VpcEndpoints": "vpce-0a1b2c3d4e5f60718,vpce-0f1e2d3c4b5a69788"},
    "agents": {**OKTA, "AgentRole": "yes"},
    "ci of github": {**OKTA, **GITHUB_CI},
    "ci of gitlab": {**OKTA, "CiIssuerUrl": GITLAB, "CiSubjects": "project_path:acme/app:*", "CiAudience": "https://gitlab.com"},
    "existing ci provider": {**OKTA, **GITHUB_CI, "ExistingCiProviderArn": "arn:{partition}:iam::{account}:oidc-provider/token.actions.githubusercontent.com"},
    "near end": {**OKTA, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE},
    "near end with tag": {**sign_in("auth0", SessionName="tag"), **NO_MODELS, "DedicatedRoleArns": f"{FAR_ROLE},{FAR_ROLE}-2"},
    "far end free": {**CHAINED, "SessionName": "free"},
    "far end subject": {**CHAINED, "SessionName": "subject", "ExternalId": "bedrock-sso-acme"},
    "far end tag": {**CHAINED, "SessionName": "tag", "AgentRole": "yes"},
    "far end of a permission set": {**CHAINED, "SourceRoleArn": f"arn:{{partition}}:iam::{SOURCE_ACCOUNT}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_sso_????????????????"},
    "permission set": {**NOBODY_SIGNS_IN, "Federation": "identity-center", "IdentityCenterInstanceArn": INSTANCE},
    "permission set with portal": {
        **NOBODY_SIGNS_IN,
        "Federation": "identity-center",
        "IdentityCenterInstanceArn": INSTANCE,
        "IdentityCenterStartUrl": "https://acme.awsapps.com/start",
    },
    "policies for a permission set": {**NOBODY_SIGNS_IN, "Federation": "identity-center"},
    "identity pool with ci": {**sign_in("generic", Federation="identity-pool"), **GITHUB_CI},
    "everything": {
        **sign_in("okta", SessionName="tag"),
        **NARROW,
        **MANTLE,
        **TELEMETRY,
        **GITHUB_CI,
        "ClientIds": "0oa1b2c3d4,0oa5e6f7g8",
        "SessionTags": "Team,CostCenter",
        "BearerTokens": "yes",
        "GuardrailArns": GUARDRAIL,
        "VpcEndpoints": "vpce-0a1b2c3d4e5f60718",
        "Limits": "yes",
        "AgentRole": "yes",
    },
    # What a large organization may need in a trust policy, which has at most 2,048 characters.
    "a long trust policy": {
        **sign_in("entra", SessionName="tag"),
        "ClientIds": ",".join(f"{number}b1d9c7e-4f0a-4c5b-9c2d-7e8f9a0b1c2d" for number in range(1, 7)),
        "Subjects": ",".join(f"engineering-{number}-*" for number in range(10, 40)),
        "AuthenticationMethods": "mfa,hwk,ngcmfa",
        "SessionTags": "Team,CostCenter,Department,Location,Project",
    },
}

# What the rules of federation.yaml refuse.
CONTRADICTIONS = {
    "an issuer is needed": ({**OKTA, "IssuerUrl": ""}, "need IssuerUrl"),
    "an application is needed": ({**OKTA, "ClientIds": ""}, "need ClientIds"),
    "a source is for chains": ({**OKTA, "SourceRoleArn": NEAR_ROLE}, "SourceRoleArn is for chained only"),
    "a chain needs its source": ({**CHAINED, "SourceRoleArn": ""}, "chained needs SourceRoleArn"),
    "a chain has no issuer": ({**CHAINED, "IssuerUrl": issuer("okta")}, "IssuerUrl must be empty"),
    "a chain sees no claims": ({**CHAINED, "Subjects": "alice"}, "sees no claims"),
    "a name is no team": ({**CHAINED, "NameTag": "Team"}, "another tag than Team"),
    "a pool has no subjects": ({**sign_in("okta", Federation="identity-pool"), "Subjects": "alice"}, "sees no claims of the provider"),
    "a pool has no agents": ({**sign_in("okta", Federation="identity-pool"), "AgentRole": "yes"}, "AgentRole needs oidc or chained"),
    "a pool has no limits": ({**sign_in("okta", Federation="identity-pool"), "Limits": "yes"}, "Limits needs a role chained behind it"),
    "a near end has no limits": ({**OKTA, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE, "Limits": "yes"}, "Limits belongs to the far end"),
    "only permission sets sign": ({**OKTA, "SignedApiArn": SIGNED}, "SignedApiArn is for identity-center only"),
    "a signed api is one": ({**NOBODY_SIGNS_IN, "Federation": "identity-center", "SignedApiArn": SIGNED.replace("/signed", "")}, "SignedApiArn"),
    "a permission set has no issuer": ({**OKTA, "Federation": "identity-center", "SessionName": "free"}, "IssuerUrl and SourceRoleArn must be empty"),
    "a permission set is not pinned": ({**NOBODY_SIGNS_IN, "Federation": "identity-center", "SessionName": "subject"}, "SessionName must be free"),
    "an instance is for permission sets": ({**OKTA, "IdentityCenterInstanceArn": INSTANCE}, "is for identity-center only"),
    "google has one issuer": ({**sign_in("google"), "IssuerUrl": "https://sso.example.com"}, "Google's issuer is"),
    "google needs no provider": ({**sign_in("google"), "ExistingProviderArn": "arn:aws:iam::{account}:oidc-provider/accounts.google.com"}, "AWS knows Google"),
    "an organization is of google": ({**OKTA, "GoogleOrganization": "1"}, "GoogleOrganization is for google only"),
    "a near end calls no model": ({**OKTA, "DedicatedRoleArns": FAR_ROLE}, "the near end of a chain calls no model"),
    "a near end has no keys": ({**OKTA, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE, "BearerTokens": "yes"}, "belong to the far end"),
    "a near end has no agents": ({**OKTA, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE, "AgentRole": "yes"}, "belong to the far end"),
    "models are needed": ({**OKTA, **NO_MODELS}, "name at least one inference profile"),
    "ci needs subjects": ({**OKTA, "CiIssuerUrl": GITHUB}, "CiSubjects must say whose jobs"),
    "ci is no person": ({**OKTA, **GITHUB_CI, "CiIssuerUrl": issuer("okta")}, "CI has an issuer of its own"),
    "any ci job": ({**OKTA, **GITHUB_CI, "CiSubjects": "*"}, "CiSubjects"),
    "any repository": ({**OKTA, **GITHUB_CI, "CiSubjects": "repo:*"}, "CiSubjects"),
    "mantle needs models": ({**OKTA, "Mantle": "yes"}, "MantleModels must name"),
    "telemetry needs a log group": ({**OKTA, "LaptopTelemetry": "yes"}, "LaptopTelemetry needs TelemetryLogGroup"),
    "a required guardrail exists": ({**OKTA, "RequireGuardrail": "yes"}, "RequireGuardrail needs GuardrailArns"),
    "mantle has no guardrail": ({**OKTA, **MANTLE, "GuardrailArns": GUARDRAIL, "RequireGuardrail": "yes"}, "calls of bedrock-mantle have no guardrail"),
    "a source is one role": ({**CHAINED, "SourceRoleArn": f"arn:{{partition}}:iam::{SOURCE_ACCOUNT}:role/*"}, "SourceRoleArn"),
    "a source is one permission set": ({**CHAINED, "SourceRoleArn": f"arn:{{partition}}:iam::{SOURCE_ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_sso_*"}, "SourceRoleArn"),
    "a provider contains no quote": ({**OKTA, "ExistingProviderArn": 'arn:{partition}:iam::{account}:oidc-provider/acme.okta.com"'}, "ExistingProviderArn"),
    "a model is named": ({**OKTA, "InferenceProfileArns": "arn:aws:bedrock:*:{account}:inference-profile/*"}, "InferenceProfileArns"),
    "an issuer is https": ({**OKTA, "IssuerUrl": "http://acme.okta.com"}, "IssuerUrl"),
    "an issuer contains no quote": ({**OKTA, "IssuerUrl": 'https://acme.okta.com"'}, "IssuerUrl"),
    "an audience contains no quote": ({**OKTA, "ClientIds": 'x"]}}}'}, "ClientIds"),
    "an audience contains no wildcard": ({**OKTA, "ClientIds": "*"}, "ClientIds"),
    "a subject contains no quote": ({**OKTA, "Subjects": '"'}, "Subjects"),
    "a tag contains no variable": ({**sign_in("auth0", SessionName="tag"), "NameTag": "${aws:userid}"}, "NameTag"),
}

# Two ends of a chain that know each other, in accounts of their own.
CHAIN_ACCOUNTS = {"subject": (SOURCE_ACCOUNT, "345678901234"), "tag": ("210987654322", "345678901235")}


def chain(session_name):
    """The near and the far end, as (name, account, parameters)."""
    near, far = CHAIN_ACCOUNTS[session_name]
    provider = {"subject": "okta", "tag": "auth0"}[session_name]
    onwards = {"DedicatedRoleArns": f"arn:aws:iam::{far}:role/sso-federation-user"}
    yield f"chain near {session_name}", near, {**sign_in(provider, SessionName=session_name), **NO_MODELS, **onwards}
    source = f"arn:aws:iam::{near}:role/sso-federation-user"
    external = {"ExternalId": "bedrock-sso-acme"} if session_name == "subject" else {}
    far_end = {**NOBODY_SIGNS_IN, "Federation": "chained", "SourceRoleArn": source, "SessionName": session_name, **external}
    yield f"chain far {session_name}", far, {**models(far), **far_end}


GUARDRAILS = {
    "defaults": {},
    "nothing": {"InvocationLogging": "no", "Trail": "no", "Alarms": "no"},
    "logs without a bucket": {"LogBucket": "no", "LogText": "yes", "OverwriteLogging": "yes", "LogRetentionDays": "30"},
    "telemetry": {"LaptopTelemetry": "yes"},
    "guardrail": {"Guardrail": "yes", "GuardrailStrength": "HIGH"},
    "budget": {"MonthlyBudget": "2000", "AlertEmail": "ops@example.com"},
    "budget with action": {"MonthlyBudget": "2000", "AlertEmail": "ops@example.com", "BudgetAction": "yes", "BudgetRoleNames": "a-user,a-agent"},
    "all alarms": {"AlertEmail": "ops@example.com", "QuotaModelId": f"us.{SONNET}", "QuotaTokensPerMinute": "200000", "OutputTokensPerHour": "5000000"},
    "network": {"VpcId": "vpc-0a1b2c3d", "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d", "SecurityGroupIds": "sg-0a1b2c3d", "Mantle": "yes"},
    "budget without an address": ({"MonthlyBudget": "2000"}, "MonthlyBudget needs AlertEmail"),
    "action without a budget": ({"BudgetAction": "yes"}, "BudgetAction needs MonthlyBudget"),
    "quota without a model": ({"QuotaTokensPerMinute": "1"}, "QuotaTokensPerMinute needs QuotaModelId"),
    "network without subnets": ({"VpcId": "vpc-0a1b2c3d"}, "VpcId needs SubnetIds"),
    "text without logs": ({"InvocationLogging": "no", "LogText": "yes"}, "need InvocationLogging"),
}

SOURCE = "arn:{partition}:bedrock:{region}:{account}:inference-profile/{geography}."
TEAMS = {
    "one size": {"Team": "ml", "MediumModelArn": f"{SOURCE}{SONNET}"},
    "everything": {
        "Team": "web-search",
        "CostCenter": "4711",
        "SmallModelArn": f"{SOURCE}{HAIKU}",
        "MediumModelArn": f"{SOURCE}{SONNET}",
        "LargeModelArn": f"arn:{{partition}}:bedrock:{{region}}::foundation-model/{OPUS}",
        "MonthlyBudget": "500",
        "AlertEmail": "ml@example.com",
    },
    "no model": ({"Team": "ml"}, "name the source of at least one profile"),
    "budget without an address": ({"Team": "ml", "SmallModelArn": f"{SOURCE}{HAIKU}", "MonthlyBudget": "1"}, "MonthlyBudget needs AlertEmail"),
    "a wildcard as team": ({"Team": "*", "SmallModelArn": f"{SOURCE}{HAIKU}"}, "Team"),
}


LIMIT_POLICIES = ",".join(
    f"arn:{{partition}}:iam::{{account}}:policy/sso-federation-you-are-blocked-limit-reached-run-bedrock-sso-quota-{number}" for number in range(1, 5)
)
# What has to exist before service.yaml is deployed; deployed.py creates it.
CODE = {"CodeBucket": "code-{account}", "CodeKey": "server.zip"}
SERVICE = {**CODE, "LogGroupName": "/bedrock-sso/records", "LimitPolicyArns": LIMIT_POLICIES}
OKTA_ASKS = {"IssuerUrl": issuer("okta"), "ClientIds": CLIENT, "PersonClaims": "sub"}
SERVICES = {
    "tokens": {**SERVICE, **OKTA_ASKS},
    "signed requests": {**SERVICE, "PermissionSet": "sso"},
    "limits": {
        **SERVICE,
        **OKTA_ASKS,
        "ClientIds": f"{CLIENT},0oa5e6f7g8",
        "PersonClaims": "email,sub",
        "GroupClaims": "groups,https://acme.com/groups",
        "PermissionSet": "sso",
        "RecordBucket": "records-of-others",
        "ReserveConcurrency": "no",
        "TimeZone": "Europe/Berlin",
        "GroupRule": "most-generous",
        "Contact": "#help-claude, or Ada (it's 4711)",
        "AlertEmail": "ops@example.com",
        "DashboardMetrics": "yes",
    },
    "nobody asks": (SERVICE, "name IssuerUrl, or PermissionSet"),
    "no application": ({**SERVICE, "IssuerUrl": issuer("okta")}, "IssuerUrl needs ClientIds"),
    "a contact with a quote": ({**SERVICE, **OKTA_ASKS, "Contact": 'x"\nstore = "file:/tmp/x'}, "Contact"),
    "a contact with an escape": ({**SERVICE, **OKTA_ASKS, "Contact": "x\\"}, "Contact"),
    "a time zone with a quote": ({**SERVICE, **OKTA_ASKS, "TimeZone": 'UTC"'}, "TimeZone"),
    "a claim with a quote": ({**SERVICE, **OKTA_ASKS, "PersonClaims": 'sub"'}, "PersonClaims"),
    "a group with a quote": ({**SERVICE, **OKTA_ASKS, "GroupClaims": 'groups"'}, "GroupClaims"),
    "a department with a quote": ({**SERVICE, **OKTA_ASKS, "DepartmentClaims": 'department"'}, "DepartmentClaims"),
    "an issuer with a quote": ({**SERVICE, **OKTA_ASKS, "IssuerUrl": 'https://acme.okta.com"'}, "IssuerUrl"),
    "an audience with a quote": ({**SERVICE, **OKTA_ASKS, "ClientIds": '0oa1"'}, "ClientIds"),
    "a permission set with a quote": ({**SERVICE, "PermissionSet": 'sso"'}, "PermissionSet"),
    "a policy of somebody else": ({**SERVICE, **OKTA_ASKS, "LimitPolicyArns": "arn:aws:iam::{account}:policy/sso-federation-permissions"}, "LimitPolicyArns"),
    "every policy": ({**SERVICE, **OKTA_ASKS, "LimitPolicyArns": "arn:aws:iam::{account}:policy/*-you-are-blocked-limit-reached-run-bedrock-sso-quota-1"}, "LimitPolicyArns"),
}

TOPIC = "arn:{partition}:sns:{region}:{account}:sso-service-alerts"
DASHBOARDS = {
    "of both": {"LimitsStack": "sso-service", "TelemetryStack": "sso-telemetry", "AlertTopicArn": TOPIC, "MonthlySpend": "5000"},
    "of limits": {"LimitsStack": "sso-service", "ManyRefused": "25"},
    "of the relay": {"TelemetryStack": "sso-telemetry", "FailingPeople": "3"},
    "of laptops": {"LaptopRelays": "yes"},
    "of limits and laptops": {"LimitsStack": "sso-service", "LaptopRelays": "yes"},
    "of nothing": ({}, "or there is nothing to show"),
    "spending without limits": ({"TelemetryStack": "sso-telemetry", "MonthlySpend": "1"}, "MonthlySpend needs LimitsStack"),
    "a stack with a quote": ({"LimitsStack": 'sso"'}, "LimitsStack"),
    "a relay with a quote": ({"TelemetryStack": 'sso"'}, "TelemetryStack"),
}

SENT = {"CodeBucket": "sso-code", "CodeKey": "bedrock-sso-server-1-2.zip", "IssuerUrl": issuer("okta"), "ClientIds": CLIENT}
TELEMETRIES = {
    "metrics and events": SENT,
    "all that is sent on": {
        **SENT,
        "IssuerUrl": issuer("auth0"),
        "ClientIds": "0oa1b2c3d4,0oa5e6f7g8",
        "PersonClaims": "sub",
        "RequestsPerSecond": "2000",
        "DepartmentClaims": "https://acme.com/department,department",
        "TeamClaims": "squad",
        "CostCenterClaims": "custom:cost_center",
        "AlsoDataPoints": "yes",
        "StreamName": "sso-analytics-telemetry",
        "AlertEmail": "ops@example.com",
        "LogRetentionDays": "30",
    },
    "a sender with a quote": ({**SENT, "ClientIds": '0oa1"'}, "ClientIds"),
    "a sender's issuer with a quote": ({**SENT, "IssuerUrl": 'https://acme.okta.com"'}, "IssuerUrl"),
    "telemetry without an issuer": ({**SENT, "IssuerUrl": ""}, "IssuerUrl"),
    "a person's claim with a quote": ({**SENT, "PersonClaims": 'sub"'}, "PersonClaims"),
    "a department's claim with a quote": ({**SENT, "DepartmentClaims": 'a"'}, "DepartmentClaims"),
    "a team with a quote": ({**SENT, "TeamClaims": 'a"'}, "TeamClaims"),
    "a cost center with a quote": ({**SENT, "CostCenterClaims": 'a"'}, "CostCenterClaims"),
    "a stream with a quote": ({**SENT, "StreamName": 'a"'}, "StreamName"),
}

ASKED = {"LogBucket": "invocations-{account}"}
ANALYTICS = {
    "questions": ASKED,
    "all questions": {
        **ASKED,
        "LogAccounts": f"{{account}},{SOURCE_ACCOUNT}",
        "LogRegions": "us-east-1,us-west-2",
        "CurTable": "billing.cur2",
        "TimeZone": "Europe/Berlin",
        "Database": "who_did_what",
        "RetentionDays": "731",
        "ResultRetentionDays": "7",
        "ScanLimitMegabytes": "1000",
        "LogRetentionDays": "30",
        "PseudonymSalt": "0123456789abcdefABCDEF0123456789",
        "Leaderboard": "yes",
    },
    "a short salt": ({**ASKED, "PseudonymSalt": "salt"}, "PseudonymSalt"),
    "a salt with a quote": ({**ASKED, "PseudonymSalt": "0123456789abcdef0123456789abcde'"}, "PseudonymSalt"),
    "a table with a quote": ({**ASKED, "CurTable": "billing.cur'"}, "CurTable"),
    "a time zone with a quote in queries": ({**ASKED, "TimeZone": "UTC'"}, "TimeZone"),
    "a database with capitals": ({**ASKED, "Database": "Bedrock"}, "Database"),
    "an account with four digits": ({**ASKED, "LogAccounts": "1234"}, "LogAccounts"),
    "a Region that does not exist": ({**ASKED, "LogRegions": "everywhere"}, "LogRegions"),
}


def all_sets():
    """Every set, in a fixed order."""
    found = []

    def add(name, template, parameters, region="us-east-1", refused="", matrix=None, account=None):
        account = account or f"{100000000001 + len(found)}"
        values = parameters(account) if callable(parameters) else parameters
        partition = ParameterSet(name, template, {}, account, region).partition
        words = {"account": account, "partition": partition, "region": region, "geography": GEOGRAPHIES[partition]}
        filled = {key: replace(value, words) for key, value in values.items()}
        found.append(ParameterSet(name, template, filled, account, region, refused, matrix or {}))

    for name, parameters, more in matrix():
        add(name, "federation", parameters, **more)
    for name, parameters in SWITCHES.items():
        add(name, "federation", lambda account, chosen=parameters: {**models(account), **chosen})
    add("identity pool in us-gov-east-1", "federation", lambda account: {
        **sign_in("okta", Federation="identity-pool"), **models(account, "aws-us-gov")}, region="us-gov-east-1")
    for session_name in CHAIN_ACCOUNTS:
        for name, account, parameters in chain(session_name):
            add(name, "federation", parameters, account=account)
    for name, (parameters, refused) in CONTRADICTIONS.items():
        add(name, "federation", lambda account, chosen=parameters: {**models(account), **chosen}, refused=refused)
    for template, table in (("guardrails", GUARDRAILS), ("team", TEAMS), ("service", SERVICES), ("telemetry", TELEMETRIES), ("dashboard", DASHBOARDS), ("analytics", ANALYTICS)):
        for name, entry in table.items():
            parameters, refused = entry if isinstance(entry, tuple) else (entry, "")
            # AWS's schema of application inference profiles knows no Region of aws-eusc.
            partitions = ["aws"] if refused else [it for it in REGIONS if (template, it) != ("team", "aws-eusc")]
            for partition in partitions:
                add(f"{name} {partition}", template, parameters, region=REGIONS[partition], refused=refused)
    return found


def replace(text, words):
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text


def named(name):
    return next(it for it in all_sets() if it.name == name)
