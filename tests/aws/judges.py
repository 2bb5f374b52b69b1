"""Asks both evaluators the same questions: ours (evaluate.py) and iam-simulate (simulate.mjs)."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from evaluate import Request, evaluate

HERE = Path(__file__).parent
NODE_MODULES = Path(os.environ.get("BEDROCK_SSO_AWS_NODE_MODULES", HERE.parent.parent / "target/tools/aws-node/node_modules"))

# iam-simulate knows the condition keys of Google as those of an OpenID Connect provider, and not those of other issuers.
KNOWN_HOSTS = ("accounts.google.com", "cognito-identity.amazonaws.com")
KNOWN_HOST = KNOWN_HOSTS[0]

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Question:
    """One request. `caller` is the ARN of the session that calls, of the provider that vouches for a person, or the name of an AWS
    service; `kind` says which: AWS, Federated or Service. `policies` and `boundary` are the caller's, and map names to documents.
    `own` is the policy of what is called: the trust policy of a `role`, the policy of a `bucket` or of a VPC `endpoint`."""

    action: str
    resource: str
    caller: str
    context: dict = field(default_factory=dict)
    policies: dict = field(default_factory=dict)
    boundary: dict | None = None
    own: dict | None = None
    place: str = "role"
    kind: str = "AWS"
    host: str = ""  # the issuer in condition keys


def decide(question):
    """Our evaluator's Decision. A role that another role assumes needs a yes of both sides; a bucket of the caller's own account needs
    a yes of one and no denial."""
    request = Request(question.action, question.resource, question.context)
    if question.own is not None:
        principal = (question.kind, role_of(question.caller))
        own = evaluate(Request(question.action, question.resource, question.context, principal), {question.place: question.own})
        needs_both = question.kind == "AWS" and question.place == "role"
        if own.outcome == "explicit deny" or not question.policies or (needs_both and not own.allowed):
            return own
    return evaluate(request, question.policies, question.boundary)


def role_of(arn):
    """The role of a session: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION is of arn:aws:iam::ACCOUNT:role/NAME."""
    if ":assumed-role/" not in arn:
        return arn
    head, _, tail = arn.replace(":sts:", ":iam:").partition(":assumed-role/")
    return f"{head}:role/{tail.partition('/')[0]}"


def ask_theirs(questions):
    """For each question, whether iam-simulate allows the request: (with its check of condition keys, without it)."""
    texts = json.dumps([renamed(it) for it in questions])
    command = ["node", HERE / "simulate.mjs", NODE_MODULES]
    answered = subprocess.run(command, input=texts, capture_output=True, text=True)
    if answered.returncode:
        raise RuntimeError(answered.stderr)
    return [(it["checked"] == "Allowed", it["unchecked"] == "Allowed") for it in json.loads(answered.stdout)]


def renamed(question):
    own = question.own
    plain = {
        "principal": question.caller,
        "action": question.action,
        "resource": question.resource,
        "account": account_of(question.resource) or account_of(question.caller) or "123456789012",  # models and buckets belong to no account
        "context": question.context,
        "policies": named({"all": EVERYTHING} if question.place == "endpoint" else question.policies),
        "boundary": None if question.boundary is None else named(question.boundary),
        "own": None if question.place == "endpoint" else own,
        "endpoint": named({"endpoint": own}) if question.place == "endpoint" else None,
    }
    # iam-simulate takes the built-in provider's name for no principal of any account, so it gets an ARN in its place.
    text = json.dumps(plain).replace(f'"{KNOWN_HOST}"', f'"arn:aws:iam::{account_of(question.resource)}:oidc-provider/built-in"')
    known = next((it for it in KNOWN_HOSTS if question.host.startswith(it)), KNOWN_HOST)
    return json.loads(text.replace(f"{question.host}:", f"{known}:") if question.host else text)


def account_of(arn):
    return arn.split(":")[4] if arn.count(":") > 4 else ""


def named(documents):
    return [{"name": name, "policy": document} for name, document in documents.items()]
