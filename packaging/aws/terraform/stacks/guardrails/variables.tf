# The parameters of ../../../guardrails.yaml in snake_case, with the same defaults and limits.

variable "name" {
  description = "The prefix of all names, as deploy's --name. The stack is called NAME-guardrails."
  type        = string
  default     = "bedrock-sso"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "The name consists of at most 32 letters, digits and hyphens, and begins with a letter."
  }
}

variable "invocation_logging" {
  description = "Whether Bedrock writes a record of each call to CloudWatch Logs, with the session's name, the model and the numbers of tokens."
  type        = bool
  default     = true
}

variable "log_text" {
  description = "Whether the records contain prompts and answers as text. They then contain source code, and whatever else people paste. Images, video, audio and embeddings are never recorded."
  type        = bool
  default     = false

  validation {
    condition     = !var.log_text || var.invocation_logging
    error_message = "log_text needs invocation_logging."
  }
}

variable "log_retention_days" {
  description = "After how many days the records are deleted, in CloudWatch Logs and in the bucket."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_bucket" {
  description = "Whether the records go to an S3 bucket as well, for queries over months."
  type        = bool
  default     = true
}

variable "overwrite_logging" {
  description = "Whether an invocation logging setting that exists already in this Region may be replaced. It is stored in the resource InvocationSetting and restored when the stack is deleted. Leave it on true until then, because restoring needs the right as well."
  type        = bool
  default     = false

  validation {
    condition     = !var.overwrite_logging || var.invocation_logging
    error_message = "overwrite_logging needs invocation_logging."
  }
}

variable "trail" {
  description = "Whether a CloudTrail trail records all API calls of the account, in all Regions. One is enough; AWS charges for the second trail of an account."
  type        = bool
  default     = true
}

variable "trail_retention_days" {
  description = "After how many days the trail's files are deleted."
  type        = number
  default     = 365

  validation {
    condition     = var.trail_retention_days >= 1
    error_message = "trail_retention_days is at least 1."
  }
}

variable "laptop_telemetry" {
  description = "Whether to create a log group for the telemetry that laptops send. Give its name to ../../federation as telemetry_log_group."
  type        = bool
  default     = false
}

variable "guardrail" {
  description = "Whether Bedrock checks every call in this account and Region for hate, insults, sexual content, violence and misconduct, and refuses what it finds. Calls fail until ../../federation has the output guardrail_arn in guardrail_arns."
  type        = bool
  default     = false
}

variable "guardrail_strength" {
  description = "How readily the guardrail refuses. HIGH refuses more harmless texts than LOW."
  type        = string
  default     = "LOW"

  validation {
    condition     = contains(["LOW", "MEDIUM", "HIGH"], var.guardrail_strength)
    error_message = "guardrail_strength is LOW, MEDIUM or HIGH."
  }
}

variable "monthly_budget" {
  description = "What the whole account may spend in a month, in USD, before alert_email gets messages, at 80 and 100 percent and by forecast. 0 creates no budget. AWS Budgets does not exist in GovCloud (US)."
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
  description = "Who gets the messages of budget and alarms. AWS first sends an e-mail in which the subscription to the alarms must be confirmed."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[^@\\s]+@[^@\\s]+$", var.alert_email))
    error_message = "This is not an e-mail address."
  }
}

variable "budget_action" {
  description = "Whether AWS refuses Bedrock to the roles budget_role_names when the budget is spent. Bills lag by hours, so this is the last resort. To end it, undo the action in the console, under Billing > Budgets."
  type        = bool
  default     = false

  validation {
    condition     = !var.budget_action || (var.monthly_budget > 0 && length(var.budget_role_names) > 0)
    error_message = "budget_action needs monthly_budget and budget_role_names."
  }
}

variable "budget_role_names" {
  description = "With budget_action, the names of the roles, as ../../federation creates them. Roles of IAM Identity Center cannot be changed and do not work here."
  type        = list(string)
  default     = ["bedrock-sso-federation-user"]

  validation {
    condition     = alltrue([for each in var.budget_role_names : can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", each))])
    error_message = "These are names of roles, without a path."
  }
}

variable "alarms" {
  description = "Whether alarms watch throttled calls, slow answers, and what the following parameters set."
  type        = bool
  default     = true
}

variable "latency_alarm_milliseconds" {
  description = "The alarm for slow answers goes off if a call takes longer than this on average, for a quarter of an hour. A long answer takes a minute."
  type        = number
  default     = 60000

  validation {
    condition     = var.latency_alarm_milliseconds >= 1
    error_message = "latency_alarm_milliseconds is at least 1."
  }
}

variable "quota_model_id" {
  description = "The model or inference profile whose tokens per minute are compared with the account's quota, as CloudWatch names it, for example eu.anthropic.claude-sonnet-4-5-20250929-v1:0."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[A-Za-z0-9.:/-]+$", var.quota_model_id))
    error_message = "This is not the id of a model or inference profile."
  }
}

variable "quota_tokens_per_minute" {
  description = "That quota, from Service Quotas. The alarm goes off at 80 percent. 0 creates no such alarm."
  type        = number
  default     = 0

  validation {
    condition     = var.quota_tokens_per_minute >= 0
    error_message = "quota_tokens_per_minute is at least 0."
  }
  validation {
    condition     = var.quota_tokens_per_minute == 0 || var.quota_model_id != ""
    error_message = "quota_tokens_per_minute needs quota_model_id."
  }
}

variable "output_tokens_per_hour" {
  description = "The alarm for spending goes off if all models together write more tokens than this in an hour. It is faster than the budget, which lags by hours. 0 creates no such alarm."
  type        = number
  default     = 0

  validation {
    condition     = var.output_tokens_per_hour >= 0
    error_message = "output_tokens_per_hour is at least 0."
  }
}

variable "vpc_id" {
  description = "The VPC that gets endpoints for Bedrock, so that calls need no internet. Empty creates none. Give the output vpc_endpoint_ids to ../../federation to refuse all other ways."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "This is not the id of a VPC."
  }
  validation {
    condition     = var.vpc_id == "" || (length(var.subnet_ids) > 0 && length(var.security_group_ids) > 0)
    error_message = "vpc_id needs subnet_ids and security_group_ids."
  }
}

variable "subnet_ids" {
  description = "With vpc_id, the subnets of the endpoints, one for each availability zone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", each))])
    error_message = "These are ids of subnets."
  }
}

variable "security_group_ids" {
  description = "With vpc_id, the security groups of the endpoints, which must admit TCP port 443 from the laptops' network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.security_group_ids : can(regex("^sg-[0-9a-f]+$", each))])
    error_message = "These are ids of security groups."
  }
}

variable "mantle" {
  description = "With vpc_id, whether Bedrock's second endpoint, bedrock-mantle, gets one too. It needs mantle in ../../federation."
  type        = bool
  default     = false
}
