# The resources of ../../federation.yaml, with the same names and the same policies. The template explains why each exists.

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_default_tags" "current" {}

locals {
  stack_name = "${var.name}-federation"

  has_role = var.federation != "identity-center"
  pool     = var.federation == "identity-pool"
  google   = var.identity_provider == "google"

  # AWS knows Google, and an identity pool knows Cognito's user pools. Everything else needs an IAM OIDC provider.
  pool_knows_provider = local.google || var.identity_provider == "cognito"
  creates_provider = (
    (var.federation == "oidc" && !local.google || local.pool && !local.pool_knows_provider) && var.existing_provider_arn == ""
  )
  has_ci              = var.ci_issuer_url != ""
  creates_ci_provider = local.has_ci && var.existing_ci_provider_arn == ""
  has_programs        = local.has_ci || var.agent_role
  has_permission_set  = var.identity_center_instance_arn != ""

  host = trimprefix(var.issuer_url, "https://")

  # What exists under one condition only is empty otherwise.
  provider_arn     = local.creates_provider ? one(aws_iam_openid_connect_provider.sign_in[*].arn) : var.existing_provider_arn
  ci_provider_arn  = local.creates_ci_provider ? one(aws_iam_openid_connect_provider.ci[*].arn) : var.existing_ci_provider_arn
  identity_pool_id = local.pool ? one(aws_cognito_identity_pool.this[*].id) : ""
  role_arn         = local.has_role ? one(aws_iam_role.user[*].arn) : ""

  # The policies that refuse persons, which each role has.
  blocking_arns = merge(
    { blocked = aws_iam_policy.blocked.arn },
    { for number, policy in aws_iam_policy.limit : "limit_${number}" => policy.arn },
  )
}

module "policies" {
  source = "../policies"

  partition        = data.aws_partition.current.partition
  region           = data.aws_region.current.region
  account_id       = data.aws_caller_identity.current.account_id
  identity_pool_id = local.identity_pool_id

  federation               = var.federation
  identity_provider        = var.identity_provider
  issuer_url               = var.issuer_url
  client_ids               = var.client_ids
  existing_provider_arn    = local.provider_arn
  subjects                 = var.subjects
  authentication_methods   = var.authentication_methods
  google_organization      = var.google_organization
  session_name             = var.session_name
  name_tag                 = var.name_tag
  session_tags             = var.session_tags
  inference_profile_arns   = var.inference_profile_arns
  foundation_model_arns    = var.foundation_model_arns
  bearer_tokens            = var.bearer_tokens
  mantle                   = var.mantle
  mantle_models            = var.mantle_models
  laptop_telemetry         = var.laptop_telemetry
  telemetry_log_group      = var.telemetry_log_group
  guardrail_arns           = var.guardrail_arns
  require_guardrail        = var.require_guardrail
  vpc_endpoints            = var.vpc_endpoints
  signed_api_arn           = var.signed_api_arn
  dedicated_role_arns      = var.dedicated_role_arns
  source_role_arn          = var.source_role_arn
  external_id              = var.external_id
  agent_role               = var.agent_role
  ci_issuer_url            = var.ci_issuer_url
  ci_subjects              = var.ci_subjects
  ci_audience              = var.ci_audience
  existing_ci_provider_arn = local.ci_provider_arn
}

# No thumbprint: AWS then checks the issuer's certificate against public authorities, and a renewed certificate breaks
# nothing.
resource "aws_iam_openid_connect_provider" "sign_in" {
  count = local.creates_provider ? 1 : 0

  url            = var.issuer_url
  client_id_list = var.client_ids
}

resource "aws_iam_openid_connect_provider" "ci" {
  count = local.creates_ci_provider ? 1 : 0

  url            = var.ci_issuer_url
  client_id_list = [var.ci_audience]
}

resource "aws_iam_policy" "permissions" {
  name   = "${local.stack_name}-permissions"
  policy = module.policies.permissions_policy
}

# Blocks persons, sessions that exist included, within seconds. AWS names the policy when it refuses a call, so its name is
# the message to the person.
resource "aws_iam_policy" "blocked" {
  name   = "${local.stack_name}-you-are-blocked-ask-your-administrator"
  policy = module.policies.blocked_policy

  # `deploy block` writes further versions with the names of blocked persons. No apply may restore the first version, which
  # blocks nobody.
  lifecycle {
    ignore_changes = [policy]
  }
}

# Refuses persons at a limit: service.yaml writes further versions of these policies, and `deploy block` none.
resource "aws_iam_policy" "limit" {
  for_each = toset(var.limits ? ["1", "2", "3", "4"] : [])

  name   = "${local.stack_name}-you-are-blocked-limit-reached-run-bedrock-sso-quota-${each.key}"
  policy = module.policies.blocked_policy

  # As with `blocked`, no apply may restore the first version.
  lifecycle {
    ignore_changes = [policy]
  }
}

# The role of persons.
resource "aws_iam_role" "user" {
  count = local.has_role ? 1 : 0

  name                 = "${local.stack_name}-user"
  assume_role_policy   = module.policies.trust_policy
  max_session_duration = var.max_session_duration
  permissions_boundary = aws_iam_policy.permissions.arn

  # A session without a tag of its own has those of its role. So a role with the tag Team would be of that team for
  # everybody whose token has none.
  lifecycle {
    precondition {
      condition     = alltrue([for key in ["Team", var.name_tag] : !contains([for tag in keys(data.aws_default_tags.current.tags) : lower(tag)], lower(key))])
      error_message = "The provider's default_tags contain Team or ${var.name_tag}. Sessions would inherit it from the role, so give this module a provider without it."
    }
  }
}

resource "aws_iam_role_policy_attachment" "user" {
  for_each = local.has_role ? merge({ permissions = aws_iam_policy.permissions.arn }, local.blocking_arns) : {}

  role       = aws_iam_role.user[0].name
  policy_arn = each.value
}

# What programs may do: call the listed models. Their permissions boundary adds the conditions and refusals of
# aws_iam_policy.permissions.
resource "aws_iam_policy" "model_calls" {
  count = local.has_programs ? 1 : 0

  name   = "${local.stack_name}-model-calls"
  policy = module.policies.model_calls_policy
}

# The role of coding agents: the same persons, the same trust policy, and one hour.
resource "aws_iam_role" "agent" {
  count = var.agent_role ? 1 : 0

  name                 = "${local.stack_name}-agent"
  assume_role_policy   = module.policies.trust_policy
  permissions_boundary = aws_iam_policy.permissions.arn
}

resource "aws_iam_role_policy_attachment" "agent" {
  for_each = var.agent_role ? merge({ model_calls = aws_iam_policy.model_calls[0].arn }, local.blocking_arns) : {}

  role       = aws_iam_role.agent[0].name
  policy_arn = each.value
}

resource "aws_iam_role" "ci" {
  count = local.has_ci ? 1 : 0

  name                 = "${local.stack_name}-ci"
  assume_role_policy   = module.policies.ci_trust_policy
  permissions_boundary = aws_iam_policy.permissions.arn
}

resource "aws_iam_role_policy_attachment" "ci" {
  for_each = local.has_ci ? merge({ model_calls = aws_iam_policy.model_calls[0].arn }, local.blocking_arns) : {}

  role       = aws_iam_role.ci[0].name
  policy_arn = each.value
}

resource "aws_cognito_identity_pool" "this" {
  count = local.pool ? 1 : 0

  identity_pool_name               = local.stack_name
  allow_unauthenticated_identities = false
  # The classic flow would let a laptop call AWS STS, with a session name of its choice.
  allow_classic_flow           = false
  openid_connect_provider_arns = local.pool_knows_provider ? [] : [local.provider_arn]
  supported_login_providers    = local.google ? { "accounts.google.com" = var.client_ids[0] } : {}

  dynamic "cognito_identity_providers" {
    for_each = var.identity_provider == "cognito" ? [local.host] : []

    content {
      client_id               = var.client_ids[0]
      provider_name           = cognito_identity_providers.value
      server_side_token_check = true
    }
  }
}

# Every session of a pool has the same name, so only these tags say who it is, of which team, and by which application.
resource "aws_cognito_identity_pool_provider_principal_tag" "this" {
  count = local.pool ? 1 : 0

  identity_pool_id       = aws_cognito_identity_pool.this[0].id
  identity_provider_name = local.pool_knows_provider ? local.host : local.provider_arn
  use_defaults           = false
  principal_tags         = { Team = var.team_claim, Email = var.name_claim, Audience = "aud" }
}

resource "aws_cognito_identity_pool_roles_attachment" "this" {
  count = local.pool ? 1 : 0

  identity_pool_id = aws_cognito_identity_pool.this[0].id
  roles            = { authenticated = aws_iam_role.user[0].arn }
}

resource "aws_ssoadmin_permission_set" "this" {
  count = local.has_permission_set ? 1 : 0

  instance_arn     = var.identity_center_instance_arn
  name             = var.name
  description      = "Amazon Bedrock with least privilege, for bedrock-sso"
  session_duration = "PT${var.max_session_duration}S"
}

# IAM Identity Center finds the policies by name in each account that the permission set is assigned to.
resource "aws_ssoadmin_customer_managed_policy_attachment" "this" {
  for_each = local.has_permission_set ? merge(
    { permissions = aws_iam_policy.permissions.name, blocked = aws_iam_policy.blocked.name },
    { for number, policy in aws_iam_policy.limit : "limit_${number}" => policy.name },
  ) : {}

  instance_arn       = var.identity_center_instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.this[0].arn

  customer_managed_policy_reference {
    name = each.value
  }
}

resource "aws_ssoadmin_permissions_boundary_attachment" "this" {
  count = local.has_permission_set ? 1 : 0

  instance_arn       = var.identity_center_instance_arn
  permission_set_arn = aws_ssoadmin_permission_set.this[0].arn

  permissions_boundary {
    customer_managed_policy_reference {
      name = aws_iam_policy.permissions.name
    }
  }
}
