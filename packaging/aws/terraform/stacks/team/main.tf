# One team's inference profiles and budget: the stack of ../../../team.yaml.
resource "aws_cloudformation_stack" "this" {
  # Names of stacks have no underscores.
  name          = "${var.name}-team-${replace(var.team, "_", "-")}"
  template_body = file("${path.module}/../../../team.yaml")

  parameters = {
    Team           = var.team
    CostCenter     = var.cost_center
    SmallModelArn  = var.small_model_arn
    MediumModelArn = var.medium_model_arn
    LargeModelArn  = var.large_model_arn
    MonthlyBudget  = var.monthly_budget
    AlertEmail     = var.alert_email
  }
}
