# From short names of models to the ARNs that ../federation takes, by the table that `deploy` uses. No provider is needed.

locals {
  rows  = [for line in split("\n", file("${path.module}/../../models.tsv")) : split("\t", line) if line != "" && !startswith(line, "#")]
  known = { for row in local.rows : row[0] => { id = row[1], geographies = split(",", row[2]) } }

  ids = [for name in var.names : try(local.known[name].id, name)]
}

variable "names" {
  description = "Short names of models, as in ../../models.tsv: sonnet-4-5, haiku-4-5. A model that the table lacks is named by Bedrock's id, which contains a period."
  type        = list(string)

  validation {
    condition     = length(var.names) > 0 && alltrue([for name in var.names : contains(keys(local.known), name) || strcontains(name, ".")])
    error_message = "The names of models are ${join(", ", keys(local.known))}, or ids of Bedrock."
  }
}

variable "geography" {
  description = "Where a call may be computed: us, eu, apac, jp, au, in, us-gov or global. It is the first part of the inference profiles' ids."
  type        = string

  validation {
    condition     = contains(["us", "eu", "apac", "jp", "au", "in", "us-gov", "global"], var.geography)
    error_message = "geography is us, eu, apac, jp, au, in, us-gov or global."
  }
  validation {
    condition     = alltrue([for name in var.names : contains(try(local.known[name].geographies, [var.geography]), var.geography)])
    error_message = "One of the models has no inference profile for this geography. ../../models.tsv lists those of each model."
  }
}

variable "account_id" {
  description = "The account that calls the models."
  type        = string
}

variable "partition" {
  description = "AWS's partition: aws, aws-us-gov, aws-cn or aws-eusc."
  type        = string
  default     = "aws"
}

variable "region" {
  description = "The Region from which the models are called. * stands for any."
  type        = string
  default     = "*"
}

output "inference_profile_arns" {
  description = "For inference_profile_arns of ../federation, and for the sources of ../stacks/team."
  value       = [for id in local.ids : "arn:${var.partition}:bedrock:${var.region}:${var.account_id}:inference-profile/${var.geography}.${id}"]
}

output "foundation_model_arns" {
  description = "For foundation_model_arns of ../federation. The Region is any, because a profile calls its model in several."
  value       = [for id in local.ids : "arn:${var.partition}:bedrock:*::foundation-model/${id}"]
}
