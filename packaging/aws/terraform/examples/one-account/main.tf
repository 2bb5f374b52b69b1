# Okta, one account, one Region: persons sign in and call two models. Invocation logs, a trail and a budget watch them, and
# one team has inference profiles of its own.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

data "aws_caller_identity" "current" {}

module "models" {
  source = "../../models"

  names      = ["sonnet-4-5", "haiku-4-5"]
  geography  = "eu"
  account_id = data.aws_caller_identity.current.account_id
}

module "federation" {
  source = "../../federation"

  identity_provider = "okta"
  issuer_url        = "https://acme.okta.com/oauth2/default"
  client_ids        = ["0oa1b2c3d4"]

  # Okta's custom authorization servers let you put the address into the token as a session tag. Without it, use "subject".
  session_name = "tag"

  inference_profile_arns = module.models.inference_profile_arns
  foundation_model_arns  = module.models.foundation_model_arns
}

module "guardrails" {
  source = "../../stacks/guardrails"

  monthly_budget = 2000
  alert_email    = "ops@acme.com"
}

module "team_models" {
  source = "../../models"

  names      = ["sonnet-4-5", "haiku-4-5"]
  geography  = "eu"
  region     = "eu-central-1"
  account_id = data.aws_caller_identity.current.account_id
}

module "team" {
  source   = "../../stacks/team"
  for_each = { ml = 4711, web = 4712 }

  team             = each.key
  cost_center      = each.value
  medium_model_arn = module.team_models.inference_profile_arns[0]
  small_model_arn  = module.team_models.inference_profile_arns[1]
}

# terraform output -json config >bedrock-sso.json && bedrock-sso setup --from bedrock-sso.json
output "config" {
  value = [module.federation.bedrock_sso_config]
}

# The same for the members of a team, who call its inference profiles.
output "config_of_ml" {
  value = [module.federation.bedrock_sso_config, module.team["ml"].bedrock_sso_config]
}
