output "bedrock_sso_config" {
  description = "What a member of the team adds to the config.toml of ../../federation. `bedrock-sso setup --from` merges them."
  value       = lookup(aws_cloudformation_stack.this.outputs, "BedrockSsoConfig", null)
}

output "small_profile_arn" {
  description = "The profile for small models."
  value       = lookup(aws_cloudformation_stack.this.outputs, "SmallProfileArn", null)
}

output "medium_profile_arn" {
  description = "The profile for medium models."
  value       = lookup(aws_cloudformation_stack.this.outputs, "MediumProfileArn", null)
}

output "large_profile_arn" {
  description = "The profile for large models."
  value       = lookup(aws_cloudformation_stack.this.outputs, "LargeProfileArn", null)
}
