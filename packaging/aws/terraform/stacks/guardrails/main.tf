# What watches and limits the use of Amazon Bedrock in one account and Region: the stack of ../../../guardrails.yaml.
resource "aws_cloudformation_stack" "this" {
  name          = "${var.name}-guardrails"
  template_body = file("${path.module}/../../../guardrails.yaml")
  capabilities  = ["CAPABILITY_NAMED_IAM"]

  parameters = {
    InvocationLogging        = var.invocation_logging ? "yes" : "no"
    LogText                  = var.log_text ? "yes" : "no"
    LogRetentionDays         = var.log_retention_days
    LogBucket                = var.log_bucket ? "yes" : "no"
    OverwriteLogging         = var.overwrite_logging ? "yes" : "no"
    Trail                    = var.trail ? "yes" : "no"
    TrailRetentionDays       = var.trail_retention_days
    LaptopTelemetry          = var.laptop_telemetry ? "yes" : "no"
    Guardrail                = var.guardrail ? "yes" : "no"
    GuardrailStrength        = var.guardrail_strength
    MonthlyBudget            = var.monthly_budget
    AlertEmail               = var.alert_email
    BudgetAction             = var.budget_action ? "yes" : "no"
    BudgetRoleNames          = join(",", var.budget_role_names)
    Alarms                   = var.alarms ? "yes" : "no"
    LatencyAlarmMilliseconds = var.latency_alarm_milliseconds
    QuotaModelId             = var.quota_model_id
    QuotaTokensPerMinute     = var.quota_tokens_per_minute
    OutputTokensPerHour      = var.output_tokens_per_hour
    VpcId                    = var.vpc_id
    SubnetIds                = join(",", var.subnet_ids)
    SecurityGroupIds         = join(",", var.security_group_ids)
    Mantle                   = var.mantle ? "yes" : "no"
  }
}
