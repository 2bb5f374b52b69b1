output "log_group_name" {
  description = "The log group with the records of calls."
  value       = lookup(aws_cloudformation_stack.this.outputs, "LogGroupName", null)
}

output "log_bucket_name" {
  description = "The bucket with the records of calls."
  value       = lookup(aws_cloudformation_stack.this.outputs, "LogBucketName", null)
}

output "trail_bucket_name" {
  description = "The bucket with the trail's files."
  value       = lookup(aws_cloudformation_stack.this.outputs, "TrailBucketName", null)
}

output "telemetry_log_group_name" {
  description = "For telemetry_log_group of ../../federation."
  value       = lookup(aws_cloudformation_stack.this.outputs, "TelemetryLogGroupName", null)
}

output "bedrock_sso_config" {
  description = "What the config.toml of bedrock-sso needs in addition. The outputs of all modules together are the configuration."
  value       = lookup(aws_cloudformation_stack.this.outputs, "BedrockSsoConfig", null)
}

output "guardrail_arn" {
  description = "For guardrail_arns of ../../federation."
  value       = lookup(aws_cloudformation_stack.this.outputs, "GuardrailArn", null)
}

output "budget_policy_arn" {
  description = "The policy that is attached when the budget is spent."
  value       = lookup(aws_cloudformation_stack.this.outputs, "BudgetPolicyArn", null)
}

output "alert_topic_arn" {
  description = "The topic of the alarms. Subscribe to it what else should receive them."
  value       = lookup(aws_cloudformation_stack.this.outputs, "AlertTopicArn", null)
}

output "vpc_endpoint_ids" {
  description = "For vpc_endpoints of ../../federation."
  value       = compact(split(",", lookup(aws_cloudformation_stack.this.outputs, "VpcEndpointIds", "")))
}
