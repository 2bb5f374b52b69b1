"""Prints who boto3 is, by the profile and the endpoint in its environment."""

import boto3

print(boto3.client("sts").get_caller_identity()["Arn"])
