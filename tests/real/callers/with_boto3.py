"""Prints the identity that boto3 has with the profile and the endpoint in its environment."""

import boto3

print(boto3.client("sts").get_caller_identity()["Arn"])
