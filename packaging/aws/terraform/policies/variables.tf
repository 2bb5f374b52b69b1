# The parameters of ../../federation.yaml in snake_case, with the same defaults and limits. Lists replace texts with commas,
# and true and false replace yes and no.

variable "partition" {
  description = "AWS's partition: aws, aws-us-gov, aws-cn or aws-eusc."
  type        = string
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-us-gov", "aws-cn", "aws-eusc"], var.partition)
    error_message = "The partition is aws, aws-us-gov, aws-cn or aws-eusc."
  }
}

variable "region" {
  description = "The Region of the identity pool, with identity-pool."
  type        = string
  default     = ""
}

variable "account_id" {
  description = "The account in which the role exists."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "identity_pool_id" {
  description = "With identity-pool, the id of the Amazon Cognito identity pool, which the trust policy names."
  type        = string
  default     = ""

  validation {
    condition     = (var.federation == "identity-pool") == (var.identity_pool_id != "")
    error_message = "identity-pool needs identity_pool_id, and nothing else does."
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

  validation {
    condition     = contains(["oidc", "identity-pool", "identity-center", "chained"], var.federation)
    error_message = "federation is oidc, identity-pool, identity-center or chained."
  }
}

variable "identity_provider" {
  description = "The kind of identity provider: okta, entra, auth0, cognito, google or generic. It decides what the module accepts, for example no subject as a session name with auth0."
  type        = string
  default     = "generic"

  validation {
    condition     = contains(["okta", "entra", "auth0", "cognito", "google", "generic"], var.identity_provider)
    error_message = "identity_provider is okta, entra, auth0, cognito, google or generic."
  }
}

variable "issuer_url" {
  description = "The issuer, exactly as the ID token spells it. Auth0's ends in a slash, Entra ID's in /v2.0. Empty with chained and identity-center."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", var.issuer_url))
    error_message = "The issuer is an https address without query, exactly as in the ID token."
  }
  validation {
    condition     = contains(["oidc", "identity-pool"], var.federation) == (var.issuer_url != "")
    error_message = "oidc and identity-pool need issuer_url. With chained and identity-center it must be empty."
  }
  validation {
    condition     = var.identity_provider != "google" || contains(["", "https://accounts.google.com"], var.issuer_url)
    error_message = "Google's issuer is https://accounts.google.com."
  }
}

variable "client_ids" {
  description = "The client identifiers of the applications whose ID tokens are accepted (the audience). Tokens for any other application of the same provider are refused. An identity pool with cognito or google uses the first one only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.client_ids : can(regex("^[A-Za-z0-9._:/-]{1,255}$", id))])
    error_message = "A client identifier consists of at most 255 letters, digits and . _ : / -."
  }
  validation {
    condition     = !contains(["oidc", "identity-pool"], var.federation) || length(var.client_ids) > 0
    error_message = "oidc and identity-pool need client_ids, or every application of the provider would be trusted."
  }
}

variable "existing_provider_arn" {
  description = "The ARN of the IAM OIDC provider of this issuer. ../federation creates one if it is empty. Empty with google, which AWS knows."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", var.existing_provider_arn))
    error_message = "This is not the ARN of an IAM OIDC provider."
  }
  validation {
    condition     = var.identity_provider != "google" || var.existing_provider_arn == ""
    error_message = "AWS knows Google without an IAM OIDC provider."
  }
  validation {
    condition     = var.federation != "oidc" || var.identity_provider == "google" || var.existing_provider_arn != ""
    error_message = "The trust policy names the IAM OIDC provider, so existing_provider_arn is needed. ../federation creates it."
  }
}

variable "subjects" {
  description = "Only these persons or groups of persons, by the claim sub; * matches any text. Empty accepts all to whom the provider assigned the application."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subject in var.subjects : can(regex("^[A-Za-z0-9._:/|@+=*-]+$", subject))])
    error_message = "A subject consists of letters, digits and . _ : / | @ + = * -."
  }
  validation {
    condition     = !contains(["identity-pool", "chained"], var.federation) || length(var.subjects) == 0
    error_message = "The role of an identity pool or of a chain's far end sees no claims of the provider, so subjects needs oidc."
  }
}

variable "authentication_methods" {
  description = "The claim amr of the ID token must have at least one of these values, for example mfa. Empty demands none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for method in var.authentication_methods : can(regex("^[A-Za-z0-9._:-]+$", method))])
    error_message = "An authentication method consists of letters, digits and . _ : -."
  }
  validation {
    condition     = !contains(["identity-pool", "chained"], var.federation) || length(var.authentication_methods) == 0
    error_message = "The role of an identity pool or of a chain's far end sees no claims of the provider, so authentication_methods needs oidc."
  }
}

variable "google_organization" {
  description = "Only with google, whose issuer is the same for everybody. The number of your organization at Google Cloud. Tokens of other organizations and of private accounts are refused."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[0-9]*$", var.google_organization))
    error_message = "An organization has a number."
  }
  validation {
    condition     = var.google_organization == "" || (var.identity_provider == "google" && var.federation != "identity-pool")
    error_message = "google_organization is for google only, and the role of an identity pool does not see it."
  }
}

variable "session_name" {
  description = <<-EOT
    What a session must be called. The laptop chooses the name, and logs, bills and blocks go by it. subject: the claim sub.
    tag: the session tag name_tag, which the provider puts into the token. free: the laptop decides, so nothing proves who
    it was. With chained, subject means the name of the session at the near end, and tag its name_tag.
  EOT
  type        = string

  validation {
    condition     = contains(["subject", "tag", "free"], var.session_name)
    error_message = "session_name is subject, tag or free."
  }
  validation {
    condition     = var.identity_provider != "auth0" || var.session_name != "subject"
    error_message = "Auth0's subjects contain \"|\", which is illegal in session names. Use tag."
  }
  validation {
    condition     = !contains(["identity-pool", "identity-center"], var.federation) || var.session_name == "free"
    error_message = "Identity pools and IAM Identity Center name the sessions, so session_name must be free."
  }
}

variable "name_tag" {
  description = "The session tag that holds the name, with session_name tag. Every token must then have it."
  type        = string
  default     = "Email"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.:=+@-]{1,128}$", var.name_tag))
    error_message = "A tag's key consists of at most 128 letters, digits and _ . : = + @ -."
  }
  validation {
    condition     = var.federation != "chained" || var.name_tag != "Team"
    error_message = "name_tag must be another tag than Team."
  }
  validation {
    condition     = var.federation != "identity-pool" || var.name_tag == "Email"
    error_message = "An identity pool puts the name into the tag Email, so name_tag must be Email."
  }
}

variable "session_tags" {
  description = "The session tags that the ID token may set. A token with any other tag is refused. Team decides which application inference profiles a person may use. An identity pool and the far end of a chain accept Team and the tag of the name only."
  type        = list(string)
  default     = ["Team"]

  validation {
    condition     = alltrue([for key in var.session_tags : can(regex("^[A-Za-z0-9_.:=+@/-]{1,128}$", key))])
    error_message = "A tag's key consists of at most 128 letters, digits and _ . : = + @ / -."
  }
}

variable "inference_profile_arns" {
  description = "The inference profiles that may be called, of one geography (us, eu, apac, jp, au, in, us-gov, global). The Region in the ARN may be *."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.inference_profile_arns : can(regex("^arn:aws[a-z-]*:bedrock:(\\*|[a-z0-9-]+):[0-9]{12}:inference-profile/[a-z-]+\\.[A-Za-z0-9.:-]+$", arn))])
    error_message = "These are ARNs of system-defined inference profiles, without a wildcard in the name."
  }
  validation {
    condition     = (length(var.inference_profile_arns) > 0) == (length(var.dedicated_role_arns) == 0)
    error_message = "Name at least one inference profile, or dedicated_role_arns. The near end of a chain calls no model; give models to the far end."
  }
}

variable "foundation_model_arns" {
  description = "The models behind these profiles. They cannot be called directly."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.foundation_model_arns : can(regex("^arn:aws[a-z-]*:bedrock:(\\*|[a-z0-9-]*)::foundation-model/[a-z0-9-]+\\.[A-Za-z0-9.:-]+$", arn))])
    error_message = "These are ARNs of foundation models, without a wildcard in the name."
  }
  validation {
    condition     = (length(var.foundation_model_arns) > 0) == (length(var.dedicated_role_arns) == 0)
    error_message = "Name the models behind the inference profiles, or dedicated_role_arns. The near end of a chain calls no model; give models to the far end."
  }
}

variable "bearer_tokens" {
  description = "Whether a session may use short-term Bedrock API keys, which bedrock-sso bearer makes. Long-term keys stay refused."
  type        = bool
  default     = false

  validation {
    condition     = !var.bearer_tokens || length(var.dedicated_role_arns) == 0
    error_message = "bearer_tokens belongs to the far end of a chain."
  }
}

variable "mantle" {
  description = "Whether a session may use Bedrock's second endpoint, bedrock-mantle. Invocation logs and limits do not see its use."
  type        = bool
  default     = false

  validation {
    condition     = !var.mantle || length(var.dedicated_role_arns) == 0
    error_message = "mantle belongs to the far end of a chain."
  }
}

variable "mantle_models" {
  description = "With mantle, the models that may be called there, by their ids at that endpoint."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for model in var.mantle_models : can(regex("^[a-z0-9-]+\\.[A-Za-z0-9.:-]+$", model))])
    error_message = "These are ids of models, as in anthropic.claude-haiku-4-5."
  }
  validation {
    condition     = !var.mantle || length(var.mantle_models) > 0
    error_message = "With mantle, mantle_models must name the models."
  }
}

variable "laptop_telemetry" {
  description = "Whether a laptop may send its telemetry to CloudWatch's OTLP endpoints with the person's session."
  type        = bool
  default     = false

  validation {
    condition     = !var.laptop_telemetry || length(var.dedicated_role_arns) == 0
    error_message = "laptop_telemetry belongs to the far end of a chain."
  }
}

variable "telemetry_log_group" {
  description = "With laptop_telemetry, the log group into which the laptops write, the output telemetry_log_group_name of ../stacks/guardrails."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_./#-]{0,512}$", var.telemetry_log_group))
    error_message = "The name of a log group consists of at most 512 letters, digits and _ . / # -."
  }
  validation {
    condition     = !var.laptop_telemetry || var.telemetry_log_group != ""
    error_message = "laptop_telemetry needs telemetry_log_group."
  }
}

variable "guardrail_arns" {
  description = "Guardrails that calls may pass through, one for each Region; the output guardrail_arn of ../stacks/guardrails. A guardrail that is enforced for the account needs this as well."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.guardrail_arns : can(regex("^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+$", arn))])
    error_message = "These are ARNs of guardrails."
  }
  validation {
    condition     = length(var.guardrail_arns) == 0 || length(var.dedicated_role_arns) == 0
    error_message = "The near end of a chain calls no model; give the guardrails to the far end."
  }
}

variable "require_guardrail" {
  description = "Whether calls that name none of these guardrails are refused. Claude Code names one in two headers. A guardrail that is enforced for the account needs no such refusal."
  type        = bool
  default     = false

  validation {
    condition     = !var.require_guardrail || length(var.guardrail_arns) > 0
    error_message = "require_guardrail needs guardrail_arns."
  }
  validation {
    condition     = !var.require_guardrail || !var.mantle
    error_message = "Calls of bedrock-mantle have no guardrail, so require_guardrail and mantle exclude each other."
  }
}

variable "vpc_endpoints" {
  description = "If it is not empty, Bedrock answers only calls that come through one of these VPC endpoints."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for endpoint in var.vpc_endpoints : can(regex("^vpce-[0-9a-f]+$", endpoint))])
    error_message = "These are ids of VPC endpoints, vpce- and hexadecimal digits."
  }
}

variable "signed_api_arn" {
  description = "With identity-center, SignedApiArn of ../../service.yaml, so that a session may ask for its limits."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]{12}:[a-z0-9]+/\\*/GET/signed/\\*$", var.signed_api_arn))
    error_message = "This is not the ARN of the signed routes of service.yaml."
  }
  validation {
    condition     = var.signed_api_arn == "" || var.federation == "identity-center"
    error_message = "signed_api_arn is for identity-center only; others show their ID token."
  }
}

variable "dedicated_role_arns" {
  description = "This is the near end of a chain. A session may assume these roles, and nothing else. The models then belong to the far end."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.dedicated_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", arn))])
    error_message = "These are ARNs of roles."
  }
}

variable "source_role_arn" {
  description = "With chained, the role of the near end. For a permission set of IAM Identity Center, its role with ? in place of each of the sixteen characters at the end, which change when it is assigned again. The Region before AWSReservedSSO_ may be *."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/([A-Za-z0-9_+=,.@/-]+|aws-reserved/sso\\.amazonaws\\.com/(\\*|[a-z0-9-]+/)?AWSReservedSSO_[A-Za-z0-9_+=,.@-]+_\\?{16})$", var.source_role_arn))
    error_message = "This is neither the ARN of one role, nor that of a permission set's role with ? in place of each of the sixteen characters at its end."
  }
  validation {
    condition     = (var.federation == "chained") == (var.source_role_arn != "")
    error_message = "chained needs source_role_arn, the role of the near end, and nothing else does."
  }
}

variable "external_id" {
  description = "With chained, a value that the near end must send. Empty demands none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && length(var.external_id) <= 1224
    error_message = "An external id has 2 to 1224 letters, digits and _ + = , . @ : / -."
  }
}

variable "agent_role" {
  description = "Whether a second role exists for coding agents. The same persons may assume it, for one hour, and it may call the listed models, with their guardrails, and nothing else."
  type        = bool
  default     = false

  validation {
    condition     = !var.agent_role || (contains(["oidc", "chained"], var.federation) && length(var.dedicated_role_arns) == 0)
    error_message = "agent_role needs oidc or chained, and belongs to the far end of a chain."
  }
}

variable "ci_issuer_url" {
  description = "The issuer of a CI system, for example https://token.actions.githubusercontent.com or https://gitlab.com. Empty creates no role for CI."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", var.ci_issuer_url))
    error_message = "The issuer is an https address without query, exactly as in the ID token."
  }
  validation {
    condition     = var.ci_issuer_url == "" || length(var.dedicated_role_arns) == 0
    error_message = "The role of CI belongs to the far end of a chain."
  }
  validation {
    condition     = var.ci_issuer_url == "" || var.ci_issuer_url != var.issuer_url
    error_message = "CI has an issuer of its own; one IAM OIDC provider cannot be created twice."
  }
}

variable "ci_subjects" {
  description = "Which jobs may assume the CI role, by the claim sub. These issuers serve everybody, so without it any repository in the world could."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subject in var.ci_subjects : can(regex("^[a-z_]+:[A-Za-z0-9@_.-]+[/:][A-Za-z0-9@_./:*=-]+$", subject))])
    error_message = "At least the organization must be named, as in repo:acme/app:ref:refs/heads/main or project_path:acme/app:*."
  }
  validation {
    condition     = var.ci_issuer_url == "" || length(var.ci_subjects) > 0
    error_message = "With ci_issuer_url, ci_subjects must say whose jobs are trusted."
  }
}

variable "ci_audience" {
  description = "The audience that the CI job requests for its token."
  type        = string
  default     = "sts.amazonaws.com"

  validation {
    condition     = can(regex("^[A-Za-z0-9._:/-]{1,255}$", var.ci_audience))
    error_message = "An audience consists of at most 255 letters, digits and . _ : / -."
  }
}

variable "existing_ci_provider_arn" {
  description = "The ARN of the IAM OIDC provider of ci_issuer_url. ../federation creates one if it is empty."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$", var.existing_ci_provider_arn))
    error_message = "This is not the ARN of an IAM OIDC provider."
  }
  validation {
    condition     = var.ci_issuer_url == "" || var.existing_ci_provider_arn != ""
    error_message = "The trust policy names the IAM OIDC provider, so existing_ci_provider_arn is needed. ../federation creates it."
  }
}
