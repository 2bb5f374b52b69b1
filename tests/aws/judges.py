"""Asks both evaluators the same questions: ours (evaluate.py) and iam-simulate (simulate.mjs)."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from evaluate import Request, assume_role, evaluate

HERE = Path(__file__).parent
NODE_MODULES = Path(os.environ.get("BEDROCK_SSO_AWS_NODE_MODULES", HERE.parent.parent / "target/tools/aws-node/node_modules"))

# iam-simulate knows the condition keys of Google as those of an OpenID Connect provider, and not those of other issuers.
KNOWN_HOST = "accounts.google.com"


@dataclass(frozen=True)
class Question:
    """`trust` is the policy of the role that is assumed. `policies` and `boundary` are the caller's, and each maps names to documents.
    `caller` is the ARN of the session that calls, or of what signs the user in. `host` is the issuer in condition keys."""

    action: str
    resource: str
    caller: str
    context: dict = field(default_factory=dict)
    policies: dict = field(default_factory=dict)
    boundary: dict | None = None
    trust: dict | None = None
    host: str = ""

    @property
    def is_federated(self):
        return self.trust is not None and ":role/" not in self.caller and ":assumed-role/" not in self.caller


def ask_ours(question):
    """Whether the request is allowed. A role that another role assumes needs a yes of both sides."""
    request = Request(question.action, question.resource, question.context)
    if question.trust is None:
        return evaluate(request, question.policies, question.boundary).allowed
    kind = "Federated" if question.is_federated else "AWS"
    trusted = assume_role(question.trust, Request(question.action, question.resource, question.context, (kind, role_of(question.caller)))).allowed
    return trusted and (question.is_federated or evaluate(request, question.policies, question.boundary).allowed)


def role_of(arn):
    """The role of a session: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION is of arn:aws:iam::ACCOUNT:role/NAME."""
    if ":assumed-role/" not in arn:
        return arn
    head, _, tail = arn.replace(":sts:", ":iam:").partition(":assumed-role/")
    return f"{head}:role/{tail.partition('/')[0]}"


def ask_theirs(questions):
    """For each question, whether the request is allowed, and the condition keys that the reference does not list for the action."""
    texts = json.dumps([renamed(it) for it in questions])
    command = ["node", HERE / "simulate.mjs", NODE_MODULES]
    answered = subprocess.run(command, input=texts, capture_output=True, text=True)
    if answered.returncode:
        raise RuntimeError(answered.stderr)
    return [(it["result"] == "Allowed", it["unlisted"]) for it in json.loads(answered.stdout)]


def renamed(question):
    plain = {
        "principal": question.caller,
        "action": question.action,
        "resource": question.resource,
        "account": account_of(question.resource) or account_of(question.caller),  # Amazon's models belong to no account
        "context": question.context,
        "policies": named(question.policies),
        "boundary": None if question.boundary is None else named(question.boundary),
        "trust": question.trust,
    }
    text = json.dumps(plain)
    return json.loads(text.replace(f"{question.host}:", f"{KNOWN_HOST}:") if question.host else text)


def account_of(arn):
    return arn.split(":")[4] if arn.count(":") > 4 else ""


def named(documents):
    return [{"name": name, "policy": document} for name, document in documents.items()]
