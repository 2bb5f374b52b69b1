# Persons sign in to one account, and call the models in another one that has nothing but Bedrock. The near end of the
# chain may assume the far end's role and nothing else.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "sign_in_account" {
  type    = string
  default = "111122223333"
}

variable "bedrock_account" {
  type    = string
  default = "444455556666"
}

provider "aws" {
  alias               = "sign_in"
  region              = "eu-central-1"
  allowed_account_ids = [var.sign_in_account]
}

provider "aws" {
  alias               = "bedrock"
  region              = "eu-central-1"
  allowed_account_ids = [var.bedrock_account]

  assume_role {
    role_arn = "arn:aws:iam::${var.bedrock_account}:role/OrganizationAccountAccessRole"
  }
}

# Each end names the other one's role, so the names are written here. They follow from the modules' variable `name`.
locals {
  near_end = "arn:aws:iam::${var.sign_in_account}:role/bedrock-sso-federation-user"
  far_end  = "arn:aws:iam::${var.bedrock_account}:role/bedrock-sso-federation-user"
}

module "near_end" {
  source    = "../../federation"
  providers = { aws = aws.sign_in }

  identity_provider = "entra"
  issuer_url        = "https://login.microsoftonline.com/6c1f2a1e-0000-4000-8000-123456789abc/v2.0"
  client_ids        = ["3f2504e0-4f89-11d3-9a0c-0305e82c3301"]
  session_name      = "subject"

  dedicated_role_arns = [local.far_end]
}

module "models" {
  source = "../../models"

  names      = ["sonnet-4-5", "haiku-4-5"]
  geography  = "eu"
  account_id = var.bedrock_account
}

module "far_end" {
  source    = "../../federation"
  providers = { aws = aws.bedrock }

  federation      = "chained"
  source_role_arn = local.near_end
  session_name    = "subject"

  inference_profile_arns = module.models.inference_profile_arns
  foundation_model_arns  = module.models.foundation_model_arns
}

module "guardrails" {
  source    = "../../stacks/guardrails"
  providers = { aws = aws.bedrock }
}

# terraform output -json config >bedrock-sso.json && bedrock-sso setup --from bedrock-sso.json
output "config" {
  value = [module.near_end.bedrock_sso_config, module.far_end.bedrock_sso_config]
}
