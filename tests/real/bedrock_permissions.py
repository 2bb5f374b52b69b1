"""What a request to Bedrock needs permission for, as AWS's service authorization reference says."""

import re
import urllib.parse

from signatures import Refusal

ACTIONS = {
    "invoke": "bedrock:InvokeModel",
    "converse": "bedrock:InvokeModel",
    "invoke-with-response-stream": "bedrock:InvokeModelWithResponseStream",
    "converse-stream": "bedrock:InvokeModelWithResponseStream",
    "count-tokens": "bedrock:CountTokens",
}
# Where the inference profiles of a geography find their models.
GEOGRAPHIES = {"us": ["us-east-1", "us-east-2", "us-west-2"], "eu": ["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"]}
LISTS = {"/inference-profiles": "bedrock:ListInferenceProfiles", "/foundation-models": "bedrock:ListFoundationModels"}


def needed(iam, account, region, path):
    """The action, and each resource on which AWS requires it, with its condition keys."""
    if path in LISTS:
        return LISTS[path], [("*", {"aws:RequestedRegion": region})]
    if found := re.fullmatch(r"/inference-profiles/([^/]+)", path):
        return "bedrock:GetInferenceProfile", resources(iam, account, region, urllib.parse.unquote(found[1]))[:1]
    if (found := re.fullmatch(r"/model/([^/]+)/([a-z-]+)", path)) and found[2] in ACTIONS:
        return ACTIONS[found[2]], resources(iam, account, region, urllib.parse.unquote(found[1]))
    raise Refusal(404, "UnknownOperationException", f"there is no operation {path}")


def resources(iam, account, region, model):
    """A call through an inference profile is also a call of the model behind it, in each Region of the profile."""
    if ":application-inference-profile/" in model:
        return through_application_profile(iam, region, model)
    model = model.rpartition("/")[2]
    geography, _, rest = model.partition(".")
    if "." not in rest:
        return [foundation_model(model, region)]
    if region not in GEOGRAPHIES.get(geography, []):
        raise Refusal(400, "ValidationException", "The provided model identifier is invalid.")
    profile = f"arn:aws:bedrock:{region}:{account}:inference-profile/{model}"
    return [(profile, {"aws:RequestedRegion": region}), *models_behind(profile, model)]


def through_application_profile(iam, region, profile):
    found = iam.application_profile(profile)
    if not found or profile.split(":")[3] != region:
        raise Refusal(400, "ValidationException", "The provided model identifier is invalid.")
    tags, source = found
    tags = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    return [(profile, {"aws:RequestedRegion": region, **tags}), *models_behind(profile, source.rpartition("/")[2])]


def models_behind(profile, model):
    geography, _, model = model.partition(".")
    for region in GEOGRAPHIES[geography]:
        resource, context = foundation_model(model, region)
        yield resource, {**context, "bedrock:InferenceProfileArn": profile}


def foundation_model(model, region):
    return f"arn:aws:bedrock:{region}::foundation-model/{model}", {"aws:RequestedRegion": region}
