locals {
  session_name_key = { subject = "sub", tag = var.name_claim, free = null }[var.session_name]

  far_end_config = <<-EOT
    version = 1

    [profiles.claude]
    role_chain = [{ role_arn = "${local.role_arn}"${var.external_id == "" ? "" : ", external_id = \"${var.external_id}\""} }]
  EOT

  permission_set_config = <<-EOT
    version = 1

    [profiles.claude]
    federation = "identity-center"
    region = "${data.aws_region.current.region}"

    [profiles.claude.identity_center]
    start_url = "${var.identity_center_start_url}"
    account_id = "${data.aws_caller_identity.current.account_id}"
    permission_set = "${var.name}"
  EOT

  sign_in_lines = [
    "version = 1",
    "",
    "[profiles.claude]",
    "provider = \"${var.identity_provider}\"",
    "issuer = \"${var.issuer_url}\"",
    "client_id = \"${try(var.client_ids[0], "")}\"",
    "region = \"${data.aws_region.current.region}\"",
    local.pool ? "federation = \"identity-pool\"" : null,
    local.pool ? "identity_pool_id = \"${local.identity_pool_id}\"" : "role_arn = \"${local.role_arn}\"",
    local.session_name_key == null ? null : "session_name = [\"${local.session_name_key}\"]",
    length(var.dedicated_role_arns) == 0 ? null : "role_chain = [\"${var.dedicated_role_arns[0]}\"]",
  ]
  sign_in_config = join("", [for line in local.sign_in_lines : "${line}\n" if line != null])
}

output "bedrock_sso_config" {
  description = "The config.toml of bedrock-sso for this role. At the far end of a chain, what the near end's lacks. `bedrock-sso setup --from` reads it."
  value = (
    var.federation == "chained" ? local.far_end_config :
    local.has_role ? local.sign_in_config :
    local.has_permission_set && var.identity_center_start_url != "" ? local.permission_set_config : null
  )
}

output "role_arn" {
  description = "The role of persons."
  value       = local.has_role ? local.role_arn : null
}

output "agent_role_arn" {
  description = "The role of coding agents."
  value       = one(aws_iam_role.agent[*].arn)
}

output "ci_role_arn" {
  description = "The role of CI jobs."
  value       = one(aws_iam_role.ci[*].arn)
}

output "permissions_policy_arn" {
  description = "What all roles of this module are limited to."
  value       = aws_iam_policy.permissions.arn
}

output "blocked_policy_arn" {
  description = "The policy in which blocked persons are named."
  value       = aws_iam_policy.blocked.arn
}

output "limit_policy_arns" {
  description = "For LimitPolicyArns of ../../service.yaml."
  value       = var.limits ? join(",", [for policy in aws_iam_policy.limit : policy.arn]) : null
}

output "provider_arn" {
  description = "The IAM OIDC provider that this module created."
  value       = one(aws_iam_openid_connect_provider.sign_in[*].arn)
}

output "identity_pool_id" {
  description = "The identity pool."
  value       = local.pool ? local.identity_pool_id : null
}

output "permission_set_arn" {
  description = "The permission set. Assign it to groups in IAM Identity Center."
  value       = one(aws_ssoadmin_permission_set.this[*].arn)
}

output "session_name_keys" {
  description = "The claim that names each session, as session_name of the profile must have it."
  value       = local.session_name_key
}
