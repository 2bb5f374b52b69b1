# Each output is a JSON document, or null where the configuration has no such document.

output "trust_policy" {
  description = "Who may assume the role of persons, and with agent_role the role of coding agents."
  value       = local.trust_policy

  precondition {
    condition     = length(coalesce(local.trust_policy, "-")) <= 2048
    error_message = "The trust policy is longer than the 2,048 characters that IAM accepts. Name fewer subjects or client identifiers."
  }
}

output "permissions_policy" {
  description = "What the role may do. Attach it and set it as the permissions boundary."
  value       = local.permissions_policy

  precondition {
    condition     = length(local.permissions_policy) <= 6144
    error_message = "The policy is longer than the 6,144 characters that IAM accepts. Name fewer models."
  }
}

output "blocked_policy" {
  description = "The first version of the policy that blocks persons. Attach it to each role."
  value       = local.blocked_policy
}

output "model_calls_policy" {
  description = "What the roles of agents and CI may do, within permissions_policy as their boundary."
  value       = local.model_calls_policy
}

output "ci_trust_policy" {
  description = "Which jobs of CI may assume the CI role."
  value       = local.ci_trust_policy

  precondition {
    condition     = length(coalesce(local.ci_trust_policy, "-")) <= 2048
    error_message = "The trust policy is longer than the 2,048 characters that IAM accepts. Name fewer subjects."
  }
}
