"""The sets of parameters that the Terraform modules need beside those of the templates' own tests."""

import parameter_sets
from parameter_sets import (
    CHAINED,
    FAR_ROLE,
    GITHUB_CI,
    GUARDRAIL,
    INSTANCE,
    MANTLE,
    NO_MODELS,
    NOBODY_SIGNS_IN,
    OKTA,
    SIGNED,
    SONNET,
    ParameterSet,
    sign_in,
)

POOL = sign_in("okta", Federation="identity-pool")
NEAR = {**OKTA, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE}
CENTER = {**NOBODY_SIGNS_IN, "Federation": "identity-center"}
TEAM = {"Team": "ml", "SmallModelArn": "arn:aws:bedrock:us-east-1:{account}:inference-profile/us." + SONNET}
BUDGET = {"MonthlyBudget": "2000", "AlertEmail": "ops@example.com"}
NETWORK = {"VpcId": "vpc-0a1b", "SubnetIds": "subnet-0a,subnet-0b", "SecurityGroupIds": "sg-0a"}

ACCEPTED = {
    "federation": {
        "claims of a pool": {**POOL, "TeamClaim": "department", "NameClaim": "upn"},
        "claim of a name": {**OKTA, "SessionName": "tag", "NameClaim": "upn"},
        "pool with existing provider": {
            **POOL,
            "ExistingProviderArn": "arn:aws:iam::{account}:oidc-provider/acme.okta.com",
        },
        "pool at a near end": {**POOL, **NO_MODELS, "DedicatedRoleArns": FAR_ROLE},
        "permission set at a near end": {
            **CENTER,
            **NO_MODELS,
            "IdentityCenterInstanceArn": INSTANCE,
            "DedicatedRoleArns": FAR_ROLE,
        },
        "permission set with limits": {**CENTER, "IdentityCenterInstanceArn": INSTANCE, "Limits": "yes", "SignedApiArn": SIGNED},
        "agents with guardrails": {**OKTA, "AgentRole": "yes", "GuardrailArns": f"{GUARDRAIL},{GUARDRAIL}0"},
    },
    "guardrails": {},
    "team": {"a name with an underscore": {**TEAM, "Team": "data_science"}},
}

# The variable whose validation must refuse the set, and the set.
REFUSED = {
    "federation": [
        ("federation", {**OKTA, "Federation": "saml"}),
        ("identity_provider", {**OKTA, "Provider": "ping"}),
        ("session_name", {**OKTA, "SessionName": "email"}),
        ("issuer_url", {**OKTA, "IssuerUrl": "https://acme.okta.com?x=1"}),
        ("client_ids", {**OKTA, "ClientIds": "a,,b*"}),
        ("existing_provider_arn", {**OKTA, "ExistingProviderArn": "arn:aws:iam::111122223333:role/x"}),
        ("authentication_methods", {**OKTA, "AuthenticationMethods": "mfa*"}),
        ("authentication_methods", {**CHAINED, "AuthenticationMethods": "mfa"}),
        ("authentication_methods", {**POOL, "AuthenticationMethods": "mfa"}),
        ("google_organization", {**sign_in("google"), "GoogleOrganization": "*"}),
        ("google_organization", {**sign_in("google"), "Federation": "identity-pool", "GoogleOrganization": "1"}),
        ("name_tag", {**OKTA, "NameTag": "a/b"}),
        ("name_tag", {**POOL, "NameTag": "Person"}),
        ("session_tags", {**OKTA, "SessionTags": "Team,*"}),
        ("session_name", {**CENTER, "SessionName": "tag"}),
        ("agent_role", {**CENTER, "AgentRole": "yes"}),
        ("source_role_arn", {**CENTER, "SourceRoleArn": "arn:aws:iam::111122223333:role/x"}),
        (
            "inference_profile_arns",
            {**OKTA, "InferenceProfileArns": f"arn:aws:bedrock:*:*:inference-profile/us.{SONNET}"},
        ),
        ("foundation_model_arns", {**OKTA, "FoundationModelArns": "arn:aws:bedrock:*::foundation-model/anthropic.*"}),
        ("foundation_model_arns", {**NEAR, "FoundationModelArns": f"arn:aws:bedrock:*::foundation-model/{SONNET}"}),
        ("guardrail_arns", {**NEAR, "GuardrailArns": GUARDRAIL}),
        ("mantle", {**NEAR, "Mantle": "yes", "MantleModels": "anthropic.x"}),
        ("laptop_telemetry", {**NEAR, "LaptopTelemetry": "yes", "TelemetryLogGroup": "x"}),
        ("ci_issuer_url", {**NEAR, **GITHUB_CI}),
        ("mantle_models", {**OKTA, "Mantle": "yes", "MantleModels": "anthropic.*"}),
        ("telemetry_log_group", {**OKTA, "TelemetryLogGroup": "*"}),
        ("guardrail_arns", {**OKTA, "GuardrailArns": "arn:aws:bedrock:*:111122223333:guardrail/*"}),
        ("vpc_endpoints", {**OKTA, "VpcEndpoints": "vpc-1"}),
        ("limits", {**POOL, "Limits": "yes"}),
        ("limits", {**NEAR, "Limits": "yes"}),
        ("signed_api_arn", {**CENTER, "SignedApiArn": "*"}),
        ("signed_api_arn", {**OKTA, "SignedApiArn": SIGNED}),
        ("dedicated_role_arns", {**NEAR, "DedicatedRoleArns": "arn:aws:iam::777788889999:role/*"}),
        ("source_role_arn", {**CHAINED, "SourceRoleArn": "*"}),
        ("source_role_arn", {**CHAINED, "SourceRoleArn": "arn:aws:iam::777788889999:role/*"}),
        ("require_guardrail", {**OKTA, **MANTLE, "GuardrailArns": GUARDRAIL, "RequireGuardrail": "yes"}),
        ("external_id", {**CHAINED, "ExternalId": "x"}),
        ("external_id", {**CHAINED, "ExternalId": 'xy"'}),
        ("external_id", {**CHAINED, "ExternalId": "x" * 1225}),
        ("ci_issuer_url", {**OKTA, **GITHUB_CI, "CiIssuerUrl": "gitlab.com"}),
        ("ci_audience", {**OKTA, **GITHUB_CI, "CiAudience": "*"}),
        ("existing_ci_provider_arn", {**OKTA, **GITHUB_CI, "ExistingCiProviderArn": "*"}),
        ("identity_center_instance_arn", {**CENTER, "IdentityCenterInstanceArn": "ssoins-1"}),
        ("identity_center_start_url", {**CENTER, "IdentityCenterStartUrl": "http://acme.awsapps.com/start"}),
        ("max_session_duration", {**OKTA, "MaxSessionDuration": "900"}),
        ("max_session_duration", {**OKTA, "MaxSessionDuration": "43201"}),
        ("name_claim", {**OKTA, "NameClaim": 'a"'}),
        ("team_claim", {**OKTA, "TeamClaim": 'a"'}),
    ],
    "guardrails": [
        ("budget_action", {**BUDGET, "BudgetAction": "yes", "BudgetRoleNames": ""}),
        ("vpc_id", {**NETWORK, "SecurityGroupIds": ""}),
        ("overwrite_logging", {"InvocationLogging": "no", "OverwriteLogging": "yes"}),
        ("log_retention_days", {"LogRetentionDays": "91"}),
        ("trail_retention_days", {"TrailRetentionDays": "0"}),
        ("guardrail_strength", {"GuardrailStrength": "NONE"}),
        ("monthly_budget", {**BUDGET, "MonthlyBudget": "-1"}),
        ("alert_email", {**BUDGET, "AlertEmail": "ops"}),
        ("budget_role_names", {**BUDGET, "BudgetAction": "yes", "BudgetRoleNames": "*"}),
        ("latency_alarm_milliseconds", {"LatencyAlarmMilliseconds": "0"}),
        ("quota_model_id", {"QuotaModelId": "*"}),
        ("quota_tokens_per_minute", {"QuotaTokensPerMinute": "-1"}),
        ("output_tokens_per_hour", {"OutputTokensPerHour": "-1"}),
        ("vpc_id", {**NETWORK, "VpcId": "x"}),
        ("subnet_ids", {**NETWORK, "SubnetIds": "x"}),
        ("security_group_ids", {**NETWORK, "SecurityGroupIds": "x"}),
    ],
    "team": [
        ("team", {**TEAM, "Team": "a b"}),
        ("team", {**TEAM, "Team": "x" * 33}),
        ("cost_center", {**TEAM, "CostCenter": "*"}),
        ("small_model_arn", {**TEAM, "SmallModelArn": "*"}),
        ("medium_model_arn", {**TEAM, "MediumModelArn": "*"}),
        ("large_model_arn", {**TEAM, "LargeModelArn": "*"}),
        ("monthly_budget", {**TEAM, **BUDGET, "MonthlyBudget": "-1"}),
        ("alert_email", {**TEAM, **BUDGET, "AlertEmail": "ops"}),
    ],
}

# The same for variables that no template has, by module.
REFUSED_VARIABLES = {
    "policies": [
        ("partition", {"partition": "aws-moon"}),
        ("account_id", {"account_id": "*"}),
        ("identity_pool_id", {"identity_pool_id": "us-east-1:00000000-1111-2222-3333-444444444444"}),
        ("existing_provider_arn", {"existing_provider_arn": ""}),
        (
            "existing_ci_provider_arn",
            {"ci_issuer_url": "https://gitlab.com", "ci_subjects": ["project_path:acme/app:*"]},
        ),
    ],
    "federation": [("name", {"name": "x" * 33})],
    "stacks/guardrails": [("name", {"name": "1"})],
    "stacks/team": [("name", {"name": ""})],
}


def own_sets():
    """As parameter_sets.all_sets(). `refused` is the variable whose validation must refuse the set."""
    named = [
        (template, name, parameters, "") for template, table in ACCEPTED.items() for name, parameters in table.items()
    ]
    for template, table in REFUSED.items():
        named += [
            (template, f"{variable} {number}", parameters, variable)
            for number, (variable, parameters) in enumerate(table)
        ]
    found = []
    for number, (template, name, parameters, variable) in enumerate(named):
        account = f"{200000000001 + number}"
        words = {"account": account, "partition": "aws", "region": "us-east-1", "geography": "us"}
        models = parameter_sets.models(account) if template == "federation" else {}
        filled = {key: parameter_sets.replace(value, words) for key, value in {**models, **parameters}.items()}
        found.append(ParameterSet(name, template, filled, account, refused=variable))
    return found
