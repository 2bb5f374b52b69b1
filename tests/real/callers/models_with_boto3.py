"""Calls Bedrock as its arguments say, each a JSON object with `operation`, `model`, `region` and `endpoint`. Prints a list with
`{"answer": …}` or `{"code": …, "message": …}` for each."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

CONVERSATION = {"messages": [{"role": "user", "content": [{"text": "Say ok."}]}]}
BODY = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": [{"role": "user", "content": "Say ok."}]})


def converse(client, model):
    return client.converse(modelId=model, **CONVERSATION)["output"]["message"]["content"][0]["text"]


def converse_stream(client, model):
    return "".join(
        event["contentBlockDelta"]["delta"]["text"]
        for event in client.converse_stream(modelId=model, **CONVERSATION)["stream"]
        if "contentBlockDelta" in event
    )


def invoke_model(client, model):
    return json.load(client.invoke_model(modelId=model, body=BODY)["body"])["content"][0]["text"]


def invoke_model_with_response_stream(client, model):
    events = [json.loads(event["chunk"]["bytes"]) for event in client.invoke_model_with_response_stream(modelId=model, body=BODY)["body"]]
    return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")


def count_tokens(client, model):
    return client.count_tokens(modelId=model, input={"converse": CONVERSATION})["inputTokens"]


OPERATIONS = {it.__name__: it for it in (converse, converse_stream, invoke_model, invoke_model_with_response_stream, count_tokens)}


def outcome(call):
    client = session.client("bedrock-runtime", region_name=call["region"], endpoint_url=call["endpoint"])
    try:
        return {"answer": OPERATIONS[call["operation"]](client, call["model"])}
    except ClientError as refusal:
        return {"code": refusal.response["Error"]["Code"], "message": refusal.response["Error"]["Message"]}


session = boto3.Session()
print(json.dumps([outcome(json.loads(call)) for call in sys.argv[1:]]))
