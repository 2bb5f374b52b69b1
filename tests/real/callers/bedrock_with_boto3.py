"""What boto3 makes of the same Bedrock: the models by their profiles, a word whole, and a word as a stream."""

import json
import sys

import boto3

session = boto3.Session()
profiles = session.client("bedrock").list_inference_profiles(typeEquals="SYSTEM_DEFINED")
runtime = session.client("bedrock-runtime")
asked = {"modelId": sys.argv[1], "messages": [{"role": "user", "content": [{"text": "Say ok."}]}]}
whole = runtime.converse(**asked)
events = [name for event in runtime.converse_stream(**asked)["stream"] for name in event]
names = [profile["inferenceProfileId"] for profile in profiles["inferenceProfileSummaries"]]
print(json.dumps({"profiles": names, "word": whole["output"]["message"]["content"][0]["text"], "events": events}))
