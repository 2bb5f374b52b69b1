# The parameters of ../../../team.yaml in snake_case, with the same defaults and limits.

variable "name" {
  description = "The prefix of all names, as deploy's --name. The stack is called NAME-team-TEAM."
  type        = string
  default     = "bedrock-sso"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "The name consists of at most 32 letters, digits and hyphens, and begins with a letter."
  }
}

variable "team" {
  description = "The team's name, exactly as the session tag Team of its members has it, capital letters included."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$", var.team)) && length(var.team) <= 32
    error_message = "A team has at most 32 letters and digits, with single - or _ in between."
  }
}

variable "cost_center" {
  description = "The cost center that pays, for the tag CostCenter. Empty sets no such tag."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9 ._:/=+@-]{0,256}$", var.cost_center))
    error_message = "A cost center has at most 256 letters, digits, spaces and . _ : / = + @ -."
  }
}

variable "small_model_arn" {
  description = "The source of the profile for small models (Haiku), the ARN of a system-defined inference profile or of a foundation model in this Region. ../../federation must list the models behind it. Empty creates no profile."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:([0-9]{12}:inference-profile/[a-z-]+\\.|:foundation-model/)[a-z0-9-]+\\.[A-Za-z0-9.:-]+$", var.small_model_arn))
    error_message = "This is not the ARN of a system-defined inference profile or of a foundation model."
  }
}

variable "medium_model_arn" {
  description = "The source of the profile for medium models (Sonnet), the ARN of a system-defined inference profile or of a foundation model in this Region. ../../federation must list the models behind it. Empty creates no profile."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:([0-9]{12}:inference-profile/[a-z-]+\\.|:foundation-model/)[a-z0-9-]+\\.[A-Za-z0-9.:-]+$", var.medium_model_arn))
    error_message = "This is not the ARN of a system-defined inference profile or of a foundation model."
  }
}

variable "large_model_arn" {
  description = "The source of the profile for large models (Opus), the ARN of a system-defined inference profile or of a foundation model in this Region. ../../federation must list the models behind it. Empty creates no profile."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:([0-9]{12}:inference-profile/[a-z-]+\\.|:foundation-model/)[a-z0-9-]+\\.[A-Za-z0-9.:-]+$", var.large_model_arn))
    error_message = "This is not the ARN of a system-defined inference profile or of a foundation model."
  }
  validation {
    condition     = !(var.small_model_arn == "" && var.medium_model_arn == "" && var.large_model_arn == "")
    error_message = "Name the source of at least one profile."
  }
}

variable "monthly_budget" {
  description = "What the team may spend in a month, in USD, before alert_email gets a message. It warns and stops nothing. 0 creates no budget. AWS Budgets does not exist in GovCloud (US)."
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget >= 0
    error_message = "monthly_budget is at least 0."
  }
  validation {
    condition     = var.monthly_budget == 0 || var.alert_email != ""
    error_message = "monthly_budget needs alert_email."
  }
}

variable "alert_email" {
  description = "Who gets the messages of the budget."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[^@\\s]+@[^@\\s]+$", var.alert_email))
    error_message = "This is not an e-mail address."
  }
}
