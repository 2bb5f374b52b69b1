# The parameters of ../../federation.yaml in snake_case, with the same defaults. ../policies validates them.

variable "name" {
  description = "The prefix of all names, as deploy's --name. The resources are called NAME-federation-…"
  type        = string
  default     = "bedrock-sso"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "The name consists of at most 32 letters, digits and hyphens, and begins with a letter."
  }
}

variable "federation" {
  description = <<-EOT
    How a person gets the role. oidc: AWS STS exchanges the provider's ID token. identity-pool: an Amazon Cognito identity
    pool does. identity-center: a permission set of IAM Identity Center. chained: this is the far end of a chain, which
    trusts the role source_role_arn.
  EOT
  type        = string
  default     = "oidc"
}

variable "identity_provider" {
  description = "The kind of identity provider: okta, entra, auth0, cognito, google or generic. It decides what the module accepts, for example no subject as a session name with auth0."
  type        = string
  default     = "generic"
}

variable "issuer_url" {
  description = "The issuer, exactly as the ID token spells it. Auth0's ends in a slash, Entra ID's in /v2.0. Empty with chained and identity-center."
  type        = string
  default     = ""
}

variable "client_ids" {
  description = "The client identifiers of the applications whose ID tokens are accepted (the audience). Tokens for any other application of the same provider are refused. An identity pool with cognito or google uses the first one only."
  type        = list(string)
  default     = []
}

variable "existing_provider_arn" {
  description = "The ARN of an IAM OIDC provider that exists already for this issuer. IAM holds one for each issuer. Its audiences must include client_ids. Empty creates one, except with google, which AWS knows."
  type        = string
  default     = ""
}

variable "subjects" {
  description = "Only these persons or groups of persons, by the claim sub; * matches any text. Empty accepts all to whom the provider assigned the application."
  type        = list(string)
  default     = []
}

variable "authentication_methods" {
  description = "The claim amr of the ID token must have at least one of these values, for example mfa. Empty demands none."
  type        = list(string)
  default     = []
}

variable "google_organization" {
  description = "Only with google, whose issuer is the same for everybody. The number of your organization at Google Cloud. Tokens of other organizations and of private accounts are refused."
  type        = string
  default     = ""
}

variable "session_name" {
  description = <<-EOT
    What a session must be called. The laptop chooses the name, and logs, bills and blocks go by it. subject: the claim sub.
    tag: the session tag name_tag, which the provider puts into the token. free: the laptop decides, so nothing proves who
    it was. With chained, subject means the name of the session at the near end, and tag its name_tag.
  EOT
  type        = string
}

variable "name_tag" {
  description = "The session tag that holds the name, with session_name tag. Every token must then have it."
  type        = string
  default     = "Email"
}

variable "name_claim" {
  description = "The claim of the ID token from which the provider fills name_tag. It is written into the output bedrock_sso_config as session_name, and an identity pool makes the tag from it."
  type        = string
  default     = "email"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.:/-]{1,128}$", var.name_claim))
    error_message = "A claim consists of at most 128 letters, digits and _ . : / -."
  }
}

variable "session_tags" {
  description = "The session tags that the ID token may set. A token with any other tag is refused. Team decides which application inference profiles a person may use. An identity pool and the far end of a chain accept Team and the tag of the name only."
  type        = list(string)
  default     = ["Team"]
}

variable "team_claim" {
  description = "With identity-pool, the claim of the ID token from which the pool makes the session tag Team."
  type        = string
  default     = "team"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.:/-]{1,128}$", var.team_claim))
    error_message = "A claim consists of at most 128 letters, digits and _ . : / -."
  }
}

variable "max_session_duration" {
  description = "The longest session, in seconds. AWS allows 43200, and 3600 for identity pools, chains, agents and CI."
  type        = number
  default     = 43200

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "A session takes 3600 to 43200 seconds."
  }
}

variable "inference_profile_arns" {
  description = "The inference profiles that may be called, of one geography (us, eu, apac, jp, au, in, us-gov, global). The Region in the ARN may be *."
  type        = list(string)
  default     = []
}

variable "foundation_model_arns" {
  description = "The models behind these profiles. They cannot be called directly."
  type        = list(string)
  default     = []
}

variable "bearer_tokens" {
  description = "Whether a session may use short-term Bedrock API keys, which bedrock-sso bearer makes. Long-term keys stay refused."
  type        = bool
  default     = false
}

variable "mantle" {
  description = "Whether a session may use Bedrock's second endpoint, bedrock-mantle. Invocation logs and limits do not see its use."
  type        = bool
  default     = false
}

variable "mantle_models" {
  description = "With mantle, the models that may be called there, by their ids at that endpoint."
  type        = list(string)
  default     = []
}

variable "laptop_telemetry" {
  description = "Whether a laptop may send its telemetry to CloudWatch's OTLP endpoints with the person's session."
  type        = bool
  default     = false
}

variable "telemetry_log_group" {
  description = "With laptop_telemetry, the log group into which the laptops write, the output telemetry_log_group_name of ../stacks/guardrails."
  type        = string
  default     = ""
}

variable "guardrail_arns" {
  description = "Guardrails that calls may pass through, one for each Region; the output guardrail_arn of ../stacks/guardrails. A guardrail that is enforced for the account needs this as well."
  type        = list(string)
  default     = []
}

variable "require_guardrail" {
  description = "Whether calls that name none of these guardrails are refused. Claude Code names one in two headers. A guardrail that is enforced for the account needs no such refusal."
  type        = bool
  default     = false
}

variable "vpc_endpoints" {
  description = "If it is not empty, Bedrock answers only calls that come through one of these VPC endpoints."
  type        = list(string)
  default     = []
}

variable "limits" {
  description = "Whether there are policies for ../../service.yaml, which refuses persons at a limit. Give it the output limit_policy_arns."
  type        = bool
  default     = false

  validation {
    condition     = !var.limits || (var.federation != "identity-pool" && length(var.dedicated_role_arns) == 0)
    error_message = "All sessions of an identity pool share one name, and the near end of a chain calls no model. Switch the limits on at the far end."
  }
}

variable "signed_api_arn" {
  description = "With identity-center, SignedApiArn of ../../service.yaml, so that a session may ask for its limits."
  type        = string
  default     = ""
}

variable "dedicated_role_arns" {
  description = "This is the near end of a chain. A session may assume these roles, and nothing else. The models then belong to the far end."
  type        = list(string)
  default     = []
}

variable "source_role_arn" {
  description = "With chained, the role of the near end. For a permission set of IAM Identity Center, its role with ? in place of each of the sixteen characters at the end, which change when it is assigned again. The Region before AWSReservedSSO_ may be *."
  type        = string
  default     = ""
}

variable "external_id" {
  description = "With chained, a value that the near end must send. Empty demands none."
  type        = string
  default     = ""
}

variable "agent_role" {
  description = "Whether a second role exists for coding agents. The same persons may assume it, for one hour, and it may call the listed models, with their guardrails, and nothing else."
  type        = bool
  default     = false
}

variable "ci_issuer_url" {
  description = "The issuer of a CI system, for example https://token.actions.githubusercontent.com or https://gitlab.com. Empty creates no role for CI."
  type        = string
  default     = ""
}

variable "ci_subjects" {
  description = "Which jobs may assume the CI role, by the claim sub. These issuers serve everybody, so without it any repository in the world could."
  type        = list(string)
  default     = []
}

variable "ci_audience" {
  description = "The audience that the CI job requests for its token."
  type        = string
  default     = "sts.amazonaws.com"
}

variable "existing_ci_provider_arn" {
  description = "The ARN of an IAM OIDC provider that exists already for ci_issuer_url. Empty creates one."
  type        = string
  default     = ""
}

variable "identity_center_instance_arn" {
  description = <<-EOT
    With identity-center, the instance of IAM Identity Center in which the permission set is created. Empty creates only the
    two policies. Apply it so, under the same name, in every account that the permission set is assigned to, before you
    assign it.
  EOT
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:sso:::instance/(sso)?ins-[A-Za-z0-9.-]{16}$", var.identity_center_instance_arn))
    error_message = "This is not the ARN of an instance of IAM Identity Center."
  }
  validation {
    condition     = var.identity_center_instance_arn == "" || var.federation == "identity-center"
    error_message = "identity_center_instance_arn is for identity-center only."
  }
}

variable "identity_center_start_url" {
  description = "With identity-center, the address of the access portal, for the output bedrock_sso_config."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^https://[A-Za-z0-9./_-]+$", var.identity_center_start_url))
    error_message = "The access portal has an https address."
  }
}
