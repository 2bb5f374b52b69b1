terraform {
  # Validations that compare variables with each other need 1.9, of Terraform as well as of OpenTofu.
  required_version = ">= 1.9"
}
