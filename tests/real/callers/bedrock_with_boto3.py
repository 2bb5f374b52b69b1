"""Prints what boto3 gets from Bedrock: the profiles of the models, a complete answer, and a streamed answer."""

import json
import sys

import boto3

session = boto3.Session()
profiles = session.client("bedrock").list_inference_profiles(typeEquals="SYSTEM_DEFINED")
runtime = session.client("bedrock-runtime")
asked = {"modelId": sys.argv[1], "messages": [{"role": "user", "content": [{"text": "Say ok."}]}]}
answer = runtime.converse(**asked)
events = [name for event in runtime.converse_stream(**asked)["stream"] for name in event]
names = [profile["inferenceProfileId"] for profile in profiles["inferenceProfileSummaries"]]
print(json.dumps({"profiles": names, "word": answer["output"]["message"]["content"][0]["text"], "events": events}))
