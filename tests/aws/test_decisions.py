"""Who may do what: the rows of decisions.toml, judged by two evaluators on the policies that the emulator has deployed.

A row counts only if both agree, or if the difference is listed in EXCEPTIONS with AWS's text. Then the policies are mutated: without
any one statement, condition, value, action or resource, at least one row must get another answer. The result is also a page of the
documentation, which UPDATE_EXPECT=1 writes.
"""

import copy
import functools
import itertools
import json
import os
import re
import tomllib
import unittest
from collections import Counter
from dataclasses import dataclass, replace

from deployed import HERE, documents_in, everything
from evaluate import as_list, parse
from judges import EVERYTHING, Question, account_of, ask_theirs, decide
from parameter_sets import GEOGRAPHIES, HAIKU, OPUS, SONNET, issuer

PAGE = HERE.parent.parent / "docs/organisation/who-can-do-what.md"
TABLES = tomllib.loads((HERE / "decisions.toml").read_text())
BUDGET = "budget with action aws"
TRUSTING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]}

# What iam-simulate answers otherwise, by the condition key: the Service Authorization Reference lists keys that AWS's guides and
# examples use, for other providers or other actions only. Without its check of keys, its answer is ours.
EXCEPTIONS = {
    ":amr": "IAM User Guide, Available keys for AWS OIDC federation, tab Default: amr, aud, email, oaud, sub. The reference lists amr "
    "for Amazon Cognito only.",
}

# Mutants that change no answer, with the reason.
EQUIVALENT = {
    "Role trust of chain far subject: any principal": "aws:PrincipalArn names the account too",
    "Role trust of chain far tag: any principal": "aws:PrincipalArn names the account too",
    "Role trust of far end of a permission set: any principal": "aws:PrincipalArn names the account too",
    "TrailBucketPolicy policy of defaults aws: TrailFindsBucket: any resource": "a bucket's policy is about this bucket only",
    **{
        f"Limit{number} policy of everything: Blocked: without Action sts:*": "only the near end of a chain may assume a role, and it has no limits"
        for number in range(1, 5)
    },
    "ModelCalls policy of everything: ApplyGuardrails: any resource": "the permissions boundary limits it too",
    "ModelCalls policy of required guardrails of two Regions: ApplyGuardrails: any resource": "the permissions boundary limits it too",
}


@functools.lru_cache(None)
def world():
    """The stacks that the tables need, by the names of their sets."""
    names = {it[key] for it in TABLES["table"] for key in ("set", "from") if key in it} | {BUDGET}
    found = {it.set.name: it for it in everything() if it.set.name in names and it.set.template != "team"}
    assert found.keys() == names and not any(it.refusal for it in found.values()), names - found.keys()
    return found


@functools.lru_cache(None)
def deployed_documents():
    """Each deployed document, by (set, logical id, part). Parts: "policy", "trust", and the names of policies within a role."""
    found = {}
    for name, stack in world().items():
        for logical_id, resource in stack.resources.items():
            properties = resource["properties"]
            if "PolicyDocument" in properties:
                found[name, logical_id, "policy"] = properties["PolicyDocument"]
            if "AssumeRolePolicyDocument" in properties:
                found[name, logical_id, "trust"] = parse(properties["AssumeRolePolicyDocument"])
            for it in properties.get("Policies", []):
                found[name, logical_id, it["PolicyName"]] = it["PolicyDocument"]
    return found


@dataclass(frozen=True)
class Role:
    """The keys of a role's documents, or of a policy's that somebody attaches to a role."""

    policies: tuple
    boundary: tuple | None


@functools.lru_cache(None)
def role(set_name, logical_id):
    stack = world()[set_name]
    ids = {it["id"]: key for key, it in stack.resources.items() if it["type"] == "AWS::IAM::ManagedPolicy"}
    properties = stack.resources[logical_id]["properties"]
    if logical_id in ids.values():
        return Role(((set_name, logical_id, "policy"),), None)
    if stack.resources[logical_id]["type"] == "AWS::SSO::PermissionSet":
        by_name = {stack.resources[key]["properties"]["ManagedPolicyName"]: key for key in ids.values()}
        attached = [by_name[it["Name"]] for it in properties["CustomerManagedPolicyReferences"]]
        boundary = by_name[properties["PermissionsBoundary"]["CustomerManagedPolicyReference"]["Name"]]
    else:
        attached = [ids[it] for it in properties.get("ManagedPolicyArns", [])]
        boundary = ids[properties["PermissionsBoundary"]] if "PermissionsBoundary" in properties else None
    inline = [(set_name, logical_id, it["PolicyName"]) for it in properties.get("Policies", [])]
    return Role(tuple((set_name, it, "policy") for it in attached) + tuple(inline), boundary and (set_name, boundary, "policy"))


# Questions


def questions(table, row, documents, roles=role):
    """The requests of which AWS must allow all."""
    stack = world()[table["set"]]
    wanted = {**table.get("base", {}), **row[-1]}
    wanted = {key: filled(it, stack) for key, it in wanted.items() if it != "-"}
    make = {"sign-in": sign_in, "chain": chain, "call": call, "resource": of_resource}[table["kind"]]
    return make(table, row, stack, wanted, documents, roles)


def filled(value, stack):
    if isinstance(value, dict):
        return {key: filled(it, stack) for key, it in value.items()}
    if isinstance(value, list):
        return [filled(it, stack) for it in value]
    if not isinstance(value, str):
        return value
    value = TABLES["resources"].get(value, value)
    words = {"account": stack.set.account, "partition": stack.set.partition, "sonnet": SONNET, "haiku": HAIKU, "opus": OPUS}
    words |= {key: arn_of(it, stack) for key, it in stack.resources.items()}
    words["pool"] = stack.outputs.get("IdentityPoolId", "")
    for word, replacement in words.items():
        value = value.replace(f"{{{word}}}", replacement)
    return value


def arn_of(resource, stack):
    kind, identifier = resource["type"], resource["id"]
    return {
        "AWS::IAM::Role": f"arn:{stack.set.partition}:iam::{stack.set.account}:role/{identifier}",
        "AWS::S3::Bucket": f"arn:{stack.set.partition}:s3:::{identifier}",
        "AWS::DynamoDB::Table": f"arn:{stack.set.partition}:dynamodb:{stack.set.region}:{stack.set.account}:table/{identifier}",
        "AWS::Lambda::Function": f"arn:{stack.set.partition}:lambda:{stack.set.region}:{stack.set.account}:function:{identifier}",
        # The id of a queue is its address.
        "AWS::SQS::Queue": f"arn:{stack.set.partition}:sqs:{stack.set.region}:{stack.set.account}:{str(identifier).rpartition('/')[2]}",
        "AWS::Logs::LogGroup": f"arn:{stack.set.partition}:logs:{stack.set.region}:{stack.set.account}:log-group:{identifier}",
    }.get(kind, identifier)


def raw(wanted):
    return {key: it for key, it in wanted.items() if ":" in key}


def role_arn(stack, logical_id):
    return arn_of(stack.resources[logical_id], stack)


def session_tags(tags):
    """The condition keys of a request that sets session tags."""
    return {f"aws:RequestTag/{key}": it for key, it in tags.items()} | ({"aws:TagKeys": list(tags)} if tags else {})


def sign_in(table, _row, stack, wanted, documents, _roles):
    trust = documents[table["set"], table["role"], "trust"]
    arn = role_arn(stack, table["role"])
    context = {**raw(wanted), "aws:SecureTransport": "true"}
    if "name" in wanted:
        context["sts:RoleSessionName"] = wanted["name"]
    if "service" in wanted:
        return [Question("sts:AssumeRole", arn, wanted["service"], context, own=trust, kind="Service")]
    if "caller" in wanted:
        caller = {**context, "aws:PrincipalArn": wanted["caller"]}
        return [Question("sts:AssumeRole", arn, wanted["caller"], caller, {"administrator": EVERYTHING}, own=trust)]
    provider = wanted.get("provider") or provider_of(table, stack)
    host = provider.partition("oidc-provider/")[2] or provider
    claims = {"aud": wanted.get("pool") or wanted.get("aud"), "sub": wanted.get("sub"), "amr": wanted.get("amr"), "google/organization_number": wanted.get("organization")}
    context |= {f"{host}:{key}": it for key, it in claims.items() if it is not None} | session_tags(wanted.get("tags", {}))
    actions = ["sts:AssumeRoleWithWebIdentity"] + ["sts:TagSession"] * bool(wanted.get("tags"))
    return [Question(action, arn, provider, context, own=trust, kind="Federated", host=host) for action in actions]


def provider_of(table, stack):
    """Who vouches for a person, or a job, of this deployment."""
    if table["role"] == "CiRole":
        return stack.resources["CiIdentityProvider"]["id"]
    if stack.set.matrix.get("federation") == "identity-pool":
        return "cognito-identity.amazonaws.com"
    if "IdentityProvider" in stack.resources:
        return stack.resources["IdentityProvider"]["id"]
    assert stack.set.parameters["IssuerUrl"] == issuer("google")
    return "accounts.google.com"


def person(stack, wanted, arn):
    """The context keys of a session, as AWS sets them."""
    tags = wanted.get("tags", {}) | ({"Team": wanted["team"]} if "team" in wanted else {})
    return {
        "aws:userid": f"AROAEXAMPLEROLEID0000:{wanted.get('name', 'session')}",
        "aws:PrincipalArn": arn,
        "aws:PrincipalAccount": stack.set.account,
        "aws:SecureTransport": "false" if wanted.get("http") else "true",
        **{f"aws:PrincipalTag/{key}": it for key, it in tags.items()},
    }


def chain(table, _row, stack, wanted, documents, roles):
    near = world()[table["from"]]
    caller = wanted.get("caller") or role_arn(near, table["near"])
    context = person(near, {**wanted["person"], "http": wanted.get("http")}, caller) | session_tags(wanted["tags"])
    context |= {"aws:PrincipalAccount": caller.split(":")[4], "sts:RoleSessionName": wanted["name"]}
    if "external_id" in wanted:
        context["sts:ExternalId"] = wanted["external_id"]
    policies, boundary = effective(roles(table["from"], table["near"]), {}, documents)
    if "caller" in wanted:
        policies, boundary = {"administrator": EVERYTHING}, None
    trust = documents[table["set"], table["role"], "trust"]
    session = f"arn:aws:sts::{caller.split(':')[4]}:assumed-role/{caller.rpartition('/')[2]}/{wanted['person']['name']}"
    actions = ["sts:AssumeRole"] + ["sts:TagSession"] * bool(wanted["tags"])
    return [Question(action, role_arn(stack, table["role"]), session, context, policies, boundary, trust) for action in actions]


def call(table, row, stack, wanted, documents, roles):
    is_role = stack.resources[table["role"]]["type"] == "AWS::IAM::Role"
    name = stack.resources[table["role"]]["id"] if is_role else "AWSReservedSSO_sso_0123456789abcdef"
    arn = f"arn:{stack.set.partition}:iam::{stack.set.account}:role/{name}"
    context = raw(wanted) | person(stack, wanted, arn)
    simple = {"through": "bedrock:InferenceProfileArn", "owner": "aws:ResourceTag/Team", "guardrail": "bedrock:GuardrailIdentifier", "endpoint": "aws:SourceVpce"}
    context |= {key: wanted[short] for short, key in simple.items() if short in wanted}
    policies, boundary = effective(roles(table["set"], table["role"]), wanted, documents)
    session = f"arn:{stack.set.partition}:sts::{stack.set.account}:assumed-role/{name}/{wanted.get('name', 'session')}"
    # A role of another account must trust the caller as well. Here it does, so that only the caller's policies decide.
    resource = filled(row[3], stack)
    own = TRUSTING if row[2].startswith("sts:") and account_of(resource) != stack.set.account else None
    return [Question(row[2], resource, session, context, policies, boundary, own)]


def of_resource(table, row, stack, wanted, documents, _roles):
    place = "endpoint" if stack.resources[table["role"]]["type"] == "AWS::EC2::VPCEndpoint" else "bucket"
    context = raw(wanted) | {"aws:SecureTransport": "false" if wanted.get("http") else "true"}
    caller, kind = (wanted["service"], "Service") if "service" in wanted else (wanted["caller"], "AWS")
    own = documents[table["set"], table["role"], "policy"]
    policies = {"administrator": EVERYTHING} if (place, kind) == ("bucket", "AWS") else {}
    return [Question(row[2], filled(row[3], stack), caller, context, policies, own=own, place=place, kind=kind)]


def effective(role_documents, wanted, documents):
    """The documents of a role, with what a row attaches, and with the persons whom it blocks."""
    policies = {key: documents[key] for key in role_documents.policies if documents.get(key)}
    if "blocked" in wanted:
        policies = {key: block(it, wanted["blocked"]) if key[1] == "Blocked" else it for key, it in policies.items()}
    policies = {key: block(it, wanted.get("limited", {}).get(key[1], [])) for key, it in policies.items()}
    if wanted.get("attached") == "administrator":
        policies["AdministratorAccess"] = EVERYTHING
    if wanted.get("attached") == "budget spent":
        policies["BudgetSpent"] = documents[BUDGET, "BudgetSpent", "policy"]
    boundary = {role_documents.boundary: documents[role_documents.boundary]} if role_documents.boundary else None
    return {":".join(key) if isinstance(key, tuple) else key: it for key, it in policies.items()}, boundary and {"boundary": next(iter(boundary.values()))}


def block(document, persons):
    """The document as `deploy block` or the server writes it."""
    document = copy.deepcopy(document)
    for statement in document["Statement"]:
        for keys in statement.get("Condition", {}).values():
            if "aws:userid" in keys:
                keys["aws:userid"] = as_list(keys["aws:userid"]) + [f"*:{it}" for it in persons]
    return document


def rows():
    return [(table, row) for table in TABLES["table"] for row in table["rows"]]


def answer(asked):
    return "yes" if all(decide(it).allowed for it in asked) else "no"


def place(table, row):
    return f"{table['title']}: {row[1]}"


# Tests


class Decisions(unittest.TestCase):
    def test_there_are_enough_rows_and_most_are_refusals(self):
        answers = Counter(row[0] for _, row in rows())
        self.assertEqual(answers.keys(), {"yes", "no"})
        self.assertGreaterEqual(answers.total(), 200)
        self.assertGreater(answers["no"], answers["yes"])
        self.assertEqual([key for key, count in Counter(itertools.starmap(place, rows())).items() if count > 1], [])

    def test_our_evaluator_gives_each_answer(self):
        for table, row in rows():
            with self.subTest(place(table, row)):
                self.assertEqual(answer(questions(table, row, deployed_documents())), row[0])

    def test_the_other_evaluator_gives_each_answer(self):
        asked = [(table, row, it) for table, row in rows() for it in questions(table, row, deployed_documents())]
        by_row, excepted = {}, Counter()
        for (table, row, question), (checked, unchecked) in zip(asked, ask_theirs([it[2] for it in asked]), strict=True):
            ours = decide(question).allowed
            key = next((it for it in EXCEPTIONS if it in json.dumps(question.own or {})), None)
            if checked != ours and unchecked == ours and key:
                excepted[key] += 1
                checked = unchecked
            by_row.setdefault(place(table, row), [row[0]]).append(checked)
            with self.subTest(place(table, row), action=question.action):
                self.assertEqual(checked, ours)
        for name, (expected, *answers) in by_row.items():
            self.assertEqual("yes" if all(answers) else "no", expected, name)
        self.assertEqual(set(excepted), set(EXCEPTIONS), "exceptions that nothing needs")


class Mutants(unittest.TestCase):
    maxDiff = None

    """Each part of each deployed policy decides something."""

    def test_each_mutant_changes_an_answer(self):
        survivors = {name for name, changed in changed_by_mutants().items() if not changed}
        self.assertEqual(survivors, set(EQUIVALENT))
        self.assertGreater(len(changed_by_mutants()), 200)

    def test_each_attachment_changes_an_answer(self):
        """Without its boundary, or without one of its policies, some role of each kind may do something else."""
        seen = Counter()
        for logical_id in {table["role"] for table in TABLES["table"] if table["kind"] == "call"}:
            tables = [it for it in TABLES["table"] if it["kind"] == "call" and it["role"] == logical_id]
            without = {"boundary": lambda it: Role(it.policies, None)}
            for attached in {key[1] for table in tables for key in role(table["set"], logical_id).policies}:
                without[attached] = lambda it, attached=attached: Role(tuple(key for key in it.policies if key[1] != attached), it.boundary)
            for name, change in without.items():
                if name == "boundary" and not any(role(table["set"], logical_id).boundary for table in tables):
                    continue
                seen[name] += 1
                changed = any(
                    answer(questions(table, row, deployed_documents(), lambda *key, change=change: change(role(*key)))) != row[0]
                    for table in tables
                    for row in table["rows"]
                )
                self.assertTrue(changed, f"{logical_id} without {name}")
        self.assertTrue(seen["boundary"] >= 4 and seen["Blocked"] >= 4 and seen["Permissions"] and seen["ModelCalls"], seen)

    def test_the_tables_see_every_statement_of_the_templates(self):
        """Every statement that any set of parameters deploys is in a document that a table uses."""
        used_documents = {key: it for key, it in deployed_documents().items() if key in set().union(*map(used, TABLES["table"]))}
        known = {(key[1], it["Sid"]) for key, document in used_documents.items() for it in document["Statement"]}
        for stack in [it for it in everything() if not it.refusal]:
            for logical_id, resource in stack.resources.items():
                for document in documents_in(resource["properties"]):
                    for statement in document["Statement"]:
                        self.assertIn((logical_id, statement["Sid"]), known, stack.set.name)


@functools.lru_cache(None)
def changed_by_mutants():
    """{name of a mutant: the places of the rows to which it gives another answer}"""
    documents, users, found = deployed_documents(), {}, {}
    for table, row in rows():
        for key in used(table):
            users.setdefault(key, []).append((table, row))
    for name, changes in mutants(documents).items():
        concerned = {place(*it): it for key in changes for it in users.get(key, [])}
        mutated = {**documents, **changes}
        found[name] = [where for where, (table, row) in concerned.items() if answer(questions(table, row, mutated)) != row[0]]
    return found


def used(table):
    """The keys of the documents that decide the rows of a table."""
    found = set()
    if table["kind"] in ("sign-in", "chain"):
        found.add((table["set"], table["role"], "trust"))
    if table["kind"] == "resource":
        found.add((table["set"], table["role"], "policy"))
    if table["kind"] in ("call", "chain"):
        name, logical_id = (table["from"], table["near"]) if table["kind"] == "chain" else (table["set"], table["role"])
        found |= set(role(name, logical_id).policies)
        if boundary := role(name, logical_id).boundary:
            found.add(boundary)
    if any(it.get("attached") == "budget spent" for it in [table.get("base", {})] + [row[-1] for row in table["rows"]]):
        found.add((BUDGET, "BudgetSpent", "policy"))
    return found


def mutants(documents):
    """{name: {key: mutated document}}. Statements of several deployments that differ in nothing but account, partition or issuer are
    mutated at once."""
    same, trusts = {}, {}
    for key in sorted(set().union(*map(used, TABLES["table"]))):
        for number, statement in enumerate(documents[key]["Statement"]):
            same.setdefault((key[1], key[2], normalized(statement, key)), []).append((key, number))
        if any(it.get("Principal", "*") != "*" for it in documents[key]["Statement"]):
            trusts.setdefault(normalized(documents[key], key), []).append(key)
    found = {}
    for (logical_id, part, _), places in same.items():
        for alike in zip(*(mutations(documents[key]["Statement"][number]) for key, number in places), strict=True):
            changes = {}
            for (key, number), (_, mutated) in zip(places, alike):
                changed = changes.get(key, documents[key])
                changes[key] = {**changed, "Statement": changed["Statement"][:number] + mutated + changed["Statement"][number + 1 :]}
            (first, number), (name, _) = places[0], alike[0]
            found[f"{logical_id} {part} of {first[0]}: {documents[first]['Statement'][number]['Sid']}: {name}"] = changes
    for keys in trusts.values():
        changes = {key: {**documents[key], "Statement": [{**it, "Principal": "*"} for it in documents[key]["Statement"]]} for key in keys}
        found[f"{keys[0][1]} {keys[0][2]} of {keys[0][0]}: any principal"] = changes
    return found


def normalized(value, key):
    stack = world()[key[0]]
    text = re.sub(r"\b\d{12}\b", "ACCOUNT", json.dumps(value, sort_keys=True)).replace(f"arn:{stack.set.partition}:", "arn:aws:")
    for name in ("IssuerUrl", "CiIssuerUrl"):
        if host := stack.set.parameters.get(name, "").removeprefix("https://"):
            text = text.replace(host, "HOST")
    return text.replace(f"inference-profile/{GEOGRAPHIES[stack.set.partition]}.", "inference-profile/GEOGRAPHY.")


def mutations(statement):
    """(name, the statements that replace this one), in an order that depends on the template only."""
    yield "removed", []
    for element in ("Action", "Resource"):
        values = as_list(statement.get(element, []))
        for value in values if len(values) > 1 else []:
            yield f"without {element} {value}", [{**statement, element: [it for it in values if it != value]}]
    if statement["Effect"] == "Allow" and as_list(statement.get("Resource", "*")) != ["*"]:
        yield "any resource", [{**statement, "Resource": "*"}]
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            others = {name: it for name, it in keys.items() if name != key}
            yield f"without {operator} {key}", [with_condition(statement, operator, others)]
            for value in values if isinstance(values, list) and len(values) > 1 else []:
                fewer = {**keys, key: [it for it in values if it != value]}
                yield f"without {key} {value}", [with_condition(statement, operator, fewer)]


def with_condition(statement, operator, keys):
    return {**statement, "Condition": {**statement["Condition"], operator: keys}}


class Page(unittest.TestCase):
    def test_the_page_says_what_the_policies_decide(self):
        text = page()
        if os.environ.get("UPDATE_EXPECT"):
            PAGE.parent.mkdir(parents=True, exist_ok=True)
            PAGE.write_text(text)
        self.assertTrue(PAGE.exists() and PAGE.read_text() == text, f"{PAGE} differs: run with UPDATE_EXPECT=1 and read the difference")


def page():
    answers = Counter(row[0] for _, row in rows())
    lines = [
        "# Who can do what",
        "",
        "These tables say what the policies of `packaging/aws` decide. The tests make this page from the policies as they are",
        f"deployed: two independent evaluators give each answer. Of {answers.total()} requests, AWS refuses {answers['no']}.",
        "",
        "The last column names the statement that decides, by its `Sid`. For a refusal it names what the request does not fulfill:",
        "without that condition, AWS would allow the request. If nothing is named, no statement comes near to allowing it.",
        "[The security review](security-review.md) gives the threats that they meet.",
    ]
    obstacles = {}
    for name, changed in changed_by_mutants().items():
        for where in changed:
            obstacles.setdefault(where, []).append(obstacle(name))
    for table in TABLES["table"]:
        lines += ["", f"## {table['title']}", "", "| Request | Allowed | Decided by |", "|---|---|---|"]
        for row in table["rows"]:
            action = f": `{row[2]}`" if len(row) == 5 else ""
            lines.append(f"| {row[1]}{action} | {row[0]} | {reason(table, row, obstacles.get(place(table, row), []))} |")
    return "\n".join(lines) + "\n"


def reason(table, row, obstacles):
    asked = questions(table, row, deployed_documents())
    if table["kind"] == "chain" and "administrator" in asked[0].policies:
        # The caller may assume every role, so the trust policy decides.
        asked = [replace(it, policies={}) for it in asked]
    decisions = [decide(it) for it in asked]
    decision = next((it for it in decisions if not it.allowed), decisions[-1])
    if decision.outcome == "no allow":
        return ", ".join(sorted(set(obstacles))) or ("the permissions boundary" if decision.kind == "permissions boundary" else "")
    return "the caller's own policies" if decision.statement == "Everything" else f"`{decision.statement}`"


def obstacle(mutant):
    """What a mutant has removed, for a reader: `Role trust of …: SignIn: without StringEquals HOST:aud`."""
    _, *statement, change = mutant.split(": ")
    if change in ("any principal", "any resource"):
        what = {"any principal": "the principal", "any resource": "its resources"}[change]
    else:
        key = change.split()[-1]
        is_claim = not key.startswith(("aws:", "sts:", "iam:", "bedrock", "cloudwatch:"))
        what = f"`{key.rpartition(':')[2] if is_claim else key}`"
    return " ".join([f"`{it}`:" for it in statement] + [what])


if __name__ == "__main__":
    unittest.main()
