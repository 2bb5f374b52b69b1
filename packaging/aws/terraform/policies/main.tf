# The policies of ../../federation.yaml as JSON. No provider is needed: this module only renders text. The template explains
# in its comments which threat each statement meets; this module follows it statement by statement, and a test compares
# the two.

locals {
  google       = var.identity_provider == "google"
  has_ci       = var.ci_issuer_url != ""
  near_end     = length(var.dedicated_role_arns) > 0
  calls_models = !local.near_end

  # AWS calls a provider, in its ARN and in condition keys, by what stands behind "https://".
  host    = trimprefix(var.issuer_url, "https://")
  ci_host = trimprefix(var.ci_issuer_url, "https://")

  # Cognito's identity pools have one name in each of AWS's partitions, and one Region has its own.
  identity_pools = var.region == "us-gov-east-1" ? "cognito-identity.us-gov-east-1.amazonaws.com" : {
    aws        = "cognito-identity.amazonaws.com"
    aws-us-gov = "cognito-identity-us-gov.amazonaws.com"
    aws-cn     = "cognito-identity.cn-north-1.amazonaws.com.cn"
    aws-eusc   = "cognito-identity.amazonaws.com"
  }[var.partition]

  application_profiles = "arn:${var.partition}:bedrock:*:${var.account_id}:application-inference-profile/*"

  invocations = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
}

# What a session may do. Each statement stands beside the switch that adds it.
locals {
  permissions = [
    {
      when = local.calls_models
      then = {
        Sid      = "ListedProfiles"
        Effect   = "Allow"
        Action   = concat(local.invocations, ["bedrock:GetInferenceProfile"])
        Resource = var.inference_profile_arns
      }
    },
    {
      when = local.calls_models
      then = {
        Sid       = "OwnTeamProfiles"
        Effect    = "Allow"
        Action    = concat(local.invocations, ["bedrock:GetInferenceProfile"])
        Resource  = local.application_profiles
        Condition = { StringEquals = { "aws:ResourceTag/Team" = "$${aws:PrincipalTag/Team}" } }
      }
    },
    {
      when = local.calls_models
      then = {
        Sid      = "ModelsThroughProfiles"
        Effect   = "Allow"
        Action   = local.invocations
        Resource = var.foundation_model_arns
        Condition = {
          ArnLike = { "bedrock:InferenceProfileArn" = concat(var.inference_profile_arns, [local.application_profiles]) }
        }
      }
    },
    {
      when = local.calls_models
      then = {
        Sid      = "CountTokens"
        Effect   = "Allow"
        Action   = "bedrock:CountTokens"
        Resource = var.foundation_model_arns
      }
    },
    {
      when = local.calls_models
      then = {
        Sid      = "Lists"
        Effect   = "Allow"
        Action   = ["bedrock:ListInferenceProfiles", "bedrock:ListFoundationModels"]
        Resource = "*"
      }
    },
    {
      when = var.bearer_tokens
      then = {
        Sid       = "ShortTermKeys"
        Effect    = "Allow"
        Action    = "bedrock:CallWithBearerToken"
        Resource  = "*"
        Condition = { StringEquals = { "bedrock:BearerTokenType" = "SHORT_TERM" } }
      }
    },
    {
      when = var.mantle
      then = {
        Sid       = "MantleModels"
        Effect    = "Allow"
        Action    = "bedrock-mantle:CreateInference"
        Resource  = "arn:${var.partition}:bedrock-mantle:*:${var.account_id}:project/*"
        Condition = { StringEquals = { "bedrock-mantle:Model" = var.mantle_models } }
      }
    },
    {
      when = var.bearer_tokens && var.mantle
      then = {
        Sid       = "MantleShortTermKeys"
        Effect    = "Allow"
        Action    = "bedrock-mantle:CallWithBearerToken"
        Resource  = "*"
        Condition = { StringEquals = { "bedrock-mantle:BearerTokenType" = "SHORT_TERM" } }
      }
    },
    {
      when = var.laptop_telemetry
      then = {
        Sid       = "TelemetryMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { Null = { "cloudwatch:namespace" = "true" } }
      }
    },
    {
      when = var.laptop_telemetry
      then = {
        Sid      = "TelemetryLogs"
        Effect   = "Allow"
        Action   = "logs:PutLogEvents"
        Resource = "arn:${var.partition}:logs:*:${var.account_id}:log-group:${var.telemetry_log_group}:log-stream:*"
      }
    },
    {
      when = length(var.guardrail_arns) > 0
      then = {
        Sid      = "ApplyGuardrails"
        Effect   = "Allow"
        Action   = "bedrock:ApplyGuardrail"
        Resource = var.guardrail_arns
      }
    },
    {
      when = var.require_guardrail
      then = {
        Sid      = "NoCallWithoutGuardrail"
        Effect   = "Deny"
        Action   = local.invocations
        Resource = "*"
        Condition = {
          ArnNotLike = { "bedrock:GuardrailIdentifier" = concat(var.guardrail_arns, [for arn in var.guardrail_arns : "${arn}:*"]) }
        }
      }
    },
    {
      when = var.signed_api_arn != ""
      then = {
        Sid      = "OwnLimits"
        Effect   = "Allow"
        Action   = "execute-api:Invoke"
        Resource = var.signed_api_arn
      }
    },
    {
      when = local.near_end
      then = {
        Sid      = "ChainOnwards"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = var.dedicated_role_arns
      }
    },
    {
      when = length(var.vpc_endpoints) > 0
      then = {
        Sid       = "NoCallFromElsewhere"
        Effect    = "Deny"
        Action    = ["bedrock:*", "bedrock-mantle:*"]
        Resource  = "*"
        Condition = { StringNotEquals = { "aws:SourceVpce" = var.vpc_endpoints } }
      }
    },
    {
      when = true
      then = {
        Sid       = "NoCallWithoutTls"
        Effect    = "Deny"
        Action    = "*"
        Resource  = "*"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }
    },
  ]

  # What programs may do. The policy above is their permissions boundary and adds its conditions and refusals.
  model_calls = [
    {
      when = true
      then = {
        Sid      = "ListedProfiles"
        Effect   = "Allow"
        Action   = local.invocations
        Resource = var.inference_profile_arns
      }
    },
    {
      when = true
      then = {
        Sid      = "ListedModels"
        Effect   = "Allow"
        Action   = local.invocations
        Resource = var.foundation_model_arns
      }
    },
    {
      when = length(var.guardrail_arns) > 0
      then = {
        Sid      = "ApplyGuardrails"
        Effect   = "Allow"
        Action   = "bedrock:ApplyGuardrail"
        Resource = var.guardrail_arns
      }
    },
  ]

  # Matches nobody, because parentheses are illegal in session names. It depends on no variable, so no later change of
  # the configuration replaces a version in which somebody is blocked.
  blocked = [
    {
      Sid       = "Blocked"
      Effect    = "Deny"
      Action    = ["bedrock:*", "bedrock-mantle:*", "cloudwatch:*", "logs:*", "sts:*"]
      Resource  = "*"
      Condition = { StringLike = { "aws:userid" = ["*:(nobody)"] } }
    },
  ]
}

# Who may assume the roles.
locals {
  federated = { Federated = local.google ? "accounts.google.com" : var.existing_provider_arn }
  tag_keys  = concat(var.session_name == "tag" ? [var.name_tag] : [], var.session_tags)

  oidc_conditions = {
    StringEquals = merge(
      { "${local.host}:aud" = var.client_ids },
      {
        subject = { "sts:RoleSessionName" = "$${${local.host}:sub}" }
        tag     = { "sts:RoleSessionName" = "$${aws:RequestTag/${var.name_tag}}" }
        free    = {}
      }[var.session_name],
    )
    NumericEquals              = var.google_organization == "" ? {} : { "accounts.google.com:google/organization_number" = var.google_organization }
    StringLike                 = { for key in ["${local.host}:sub"] : key => var.subjects if length(var.subjects) > 0 }
    "ForAnyValue:StringEquals" = { for key in ["${local.host}:amr"] : key => var.authentication_methods if length(var.authentication_methods) > 0 }
  }

  oidc_trust = [
    {
      when = true
      then = {
        Sid       = "SignIn"
        Effect    = "Allow"
        Principal = local.federated
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = { for operator, keys in local.oidc_conditions : operator => keys if length(keys) > 0 }
      }
    },
    {
      when = length(local.tag_keys) > 0
      then = {
        Sid       = "Tags"
        Effect    = "Allow"
        Principal = local.federated
        Action    = "sts:TagSession"
        Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = local.tag_keys } }
      }
    },
  ]

  pool_trust = [
    {
      Sid       = "SignIn"
      Effect    = "Allow"
      Principal = { Federated = local.identity_pools }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.identity_pools}:aud" = var.identity_pool_id
          "aws:RequestTag/Audience"     = var.client_ids
        }
        "ForAnyValue:StringEquals" = { "${local.identity_pools}:amr" = "authenticated" }
      }
    },
    {
      Sid       = "Tags"
      Effect    = "Allow"
      Principal = { Federated = local.identity_pools }
      Action    = "sts:TagSession"
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = ["Team", "Email", "Audience"] } }
    },
  ]

  # The account is the principal and a condition names the role. So the role of a permission set, whose name IAM Identity
  # Center chooses, works as well, and a role that was created again.
  source_account = { AWS = "arn:${var.partition}:iam::${split(":", "${var.source_role_arn}::::")[4]}:root" }

  chained_trust = [
    {
      Sid       = "SignIn"
      Effect    = "Allow"
      Principal = local.source_account
      Action    = "sts:AssumeRole"
      Condition = merge(
        { ArnLike = { "aws:PrincipalArn" = var.source_role_arn } },
        var.external_id == "" ? {} : { StringEquals = { "sts:ExternalId" = var.external_id } },
        {
          subject = { StringLike = { "aws:userid" = "*:$${sts:RoleSessionName}" } }
          tag     = { StringLike = { "sts:RoleSessionName" = "$${aws:PrincipalTag/${var.name_tag}}" } }
          free    = {}
        }[var.session_name],
      )
    },
    {
      Sid       = "Tags"
      Effect    = "Allow"
      Principal = local.source_account
      Action    = "sts:TagSession"
      Condition = {
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["Team", var.name_tag] }
        StringEqualsIfExists = {
          "aws:RequestTag/Team"            = "$${aws:PrincipalTag/Team}"
          "aws:RequestTag/${var.name_tag}" = "$${aws:PrincipalTag/${var.name_tag}}"
        }
      }
    },
  ]

  ci_trust = [
    {
      Sid       = "SignIn"
      Effect    = "Allow"
      Principal = { Federated = var.existing_ci_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "${local.ci_host}:aud" = var.ci_audience }
        StringLike   = { "${local.ci_host}:sub" = var.ci_subjects }
      }
    },
  ]
}

locals {
  trust_policies = {
    oidc            = jsonencode({ Version = "2012-10-17", Statement = [for each in local.oidc_trust : each.then if each.when] })
    identity-pool   = jsonencode({ Version = "2012-10-17", Statement = local.pool_trust })
    chained         = jsonencode({ Version = "2012-10-17", Statement = local.chained_trust })
    identity-center = null
  }
  trust_policy       = local.trust_policies[var.federation]
  ci_trust_policy    = local.has_ci ? jsonencode({ Version = "2012-10-17", Statement = local.ci_trust }) : null
  permissions_policy = jsonencode({ Version = "2012-10-17", Statement = [for each in local.permissions : each.then if each.when] })
  model_calls_policy = (
    var.agent_role || local.has_ci ? jsonencode({ Version = "2012-10-17", Statement = [for each in local.model_calls : each.then if each.when] }) : null
  )
  blocked_policy = jsonencode({ Version = "2012-10-17", Statement = local.blocked })
}
