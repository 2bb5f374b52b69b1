terraform {
  # Validations that refer to local values need 1.9, of Terraform as well as of OpenTofu.
  required_version = ">= 1.9"
}
