"""Evaluates IAM policies as AWS documents it: who may do what, by which statement, or why not.

It knows identity-based policies, permissions boundaries, session policies and trust policies. A policy that AWS would reject or
that this evaluator does not know is an error and never a decision. It needs nothing but Python's standard library.

    request = Request("bedrock:InvokeModel", resource_arn, {"aws:PrincipalTag/Team": "ml", …})
    decision = evaluate(request, {policy_arn: document, …}, boundary={policy_arn: document})
"""

import datetime
import ipaddress
import json
import re
from dataclasses import dataclass, field


class PolicyError(Exception):
    """A policy that AWS would reject, or that has an element that is not known here."""


@dataclass(frozen=True)
class Request:
    action: str
    resource: str = "*"  # "*" for an action that takes no resource
    context: dict = field(default_factory=dict)  # condition key: string, or list of strings for a key with several values
    principal: tuple = ()  # for trust policies: ("Federated", ARN of the provider), ("AWS", ARN of the caller's role), …

    def value(self, key):
        """Condition keys are not case-sensitive. None if the request does not have the key."""
        return {name.lower(): it for name, it in self.context.items()}.get(key.lower())


@dataclass(frozen=True)
class Decision:
    """`outcome`: "allowed", "explicit deny" (`policy` and `statement` name what denies) or "no allow" (`kind` of policy that lacks it).
    `action` is what a trust policy does not allow, for example sts:TagSession."""

    outcome: str
    kind: str = "identity-based policy"
    policy: str = ""
    statement: str = ""
    action: str = ""

    @property
    def allowed(self):
        return self.outcome == "allowed"


def evaluate(request, policies, boundary=None, session_policy=None):
    """Decides about a request of a role's session. Each argument maps the name of a policy, for example its ARN, to its document.
    An empty boundary or session policy allows nothing; None means that there is not one."""
    kinds = [("identity-based policy", policies), ("permissions boundary", boundary), ("session policy", session_policy)]
    matches = [(kind, matching_statements(request, documents)) for kind, documents in kinds if documents is not None]
    for kind, found in matches:
        for policy, statement in found:
            if statement["Effect"] == "Deny":
                return Decision("explicit deny", kind, policy, statement.get("Sid", ""))
    for kind, found in matches:
        if not found:
            return Decision("no allow", kind)
    policy, statement = matches[0][1][0]
    return Decision("allowed", policy=policy, statement=statement.get("Sid", ""))


def assume_role(trust, request, tags=None, source_identity=None):
    """Decides by the trust policy alone whether a role may be assumed with these session tags. AWS requires that the policy allows
    sts:TagSession too if there are tags, and sts:SetSourceIdentity if there is a source identity."""
    context = dict(request.context)
    if tags:
        context |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        context["aws:TagKeys"] = list(tags)
    if source_identity:
        context["sts:SourceIdentity"] = source_identity
    actions = [request.action] + ["sts:TagSession"] * bool(tags) + ["sts:SetSourceIdentity"] * bool(source_identity)
    for action in actions:
        each = Request(action, request.resource, context, request.principal)
        decision = evaluate(each, {"trust policy": trust})
        if not decision.allowed:
            return Decision(decision.outcome, "trust policy", statement=decision.statement, action=action)
    return decision


def refusal_text(request, decision, caller):
    """AWS's message. An explicit deny by a managed policy names the policy."""
    if decision.kind == "trust policy":
        return f"Not authorized to perform {decision.action}"
    article = "an" if decision.kind[0] in "aeiou" else "a"
    if decision.outcome == "explicit deny":
        reason = f"with an explicit deny in {article} {decision.kind}" + (f": {decision.policy}" if decision.policy.startswith("arn:") else "")
    else:
        reason = f"because no {decision.kind} allows the {request.action} action"
    place = "" if request.resource == "*" else f" on resource: {request.resource}"
    return f"User: {caller} is not authorized to perform: {request.action}{place} {reason}"


# Statements


def matching_statements(request, documents):
    return [(name, it) for name, document in documents.items() for it in statements(document) if matches(it, document, request)]


def parse(document):
    return json.loads(document) if isinstance(document, str) else document


def statements(document):
    found = as_list(parse(document).get("Statement", []))
    for statement in found:
        unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
        if unknown or statement.get("Effect") not in ("Allow", "Deny"):
            raise PolicyError(f"the statement has an unknown element or effect: {statement}")
    return found


def matches(statement, document, request):
    substitute = parse(document).get("Version") == "2012-10-17"
    return (
        matches_principal(statement, request)
        and matches_element(statement, "Action", lambda it: matches_pattern(it.lower(), request.action.lower()))
        and matches_element(statement, "Resource", lambda it: matches_resource(it, request, substitute))
        and all(
            condition_holds(operator, key, as_list(values), request, substitute)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def matches_element(statement, name, matches_value):
    if name in statement:
        return any(matches_value(it) for it in as_list(statement[name]))
    if f"Not{name}" in statement:
        return not any(matches_value(it) for it in as_list(statement[f"Not{name}"]))
    if name == "Resource" and "Principal" in statement:
        return True  # a trust policy: the resource is the role itself
    raise PolicyError(f"the statement has no {name}: {statement}")


def matches_principal(statement, request):
    """Without a principal in the request, the policy is identity-based and its statements have none."""
    if bool(request.principal) != ("Principal" in statement):
        raise PolicyError("a trust policy has a principal in each statement, an identity-based policy in none")
    if not request.principal:
        return True
    kind, caller = request.principal
    if statement["Principal"] == "*":
        return True
    return any(it == "*" or it == caller or names_account(it, caller) for it in as_list(statement["Principal"].get(kind, [])))


def names_account(principal, caller):
    """An account as a principal means everybody in it whom the account itself allows to assume the role."""
    account = caller.split(":")[4] if caller.startswith("arn:") else None
    return account is not None and (principal == account or re.fullmatch(rf"arn:[a-z-]+:iam::{account}:root", principal) is not None)


def matches_resource(pattern, request, substitute):
    pattern = substituted(pattern, request) if substitute else literal(pattern)
    return pattern is not None and (pattern == ["*"] or matches_arn(pattern, request.resource))


# Text with wildcards and policy variables
#
# A pattern is a list of characters, in which "*" and "?" are wildcards and ("*",) and ("?",) are the characters themselves. So a
# wildcard in the value of a variable is only a character.


VARIABLE = re.compile(r"\$\{([^}]*)\}")


def literal(text):
    return list(text)


def substituted(text, request):
    """The pattern after its policy variables are replaced. None if a variable has neither a value nor a default, or has several
    values: then the condition or resource does not match, whatever the operator."""
    pattern, end = [], 0
    for found in VARIABLE.finditer(text):
        pattern += text[end : found.start()]
        end = found.end()
        value = variable(found[1], request)
        if value is None:
            return None
        pattern += [(it,) if it in "*?" else it for it in value]
    return pattern + list(text[end:])


def variable(inner, request):
    if inner in ("*", "?", "$"):
        return inner
    name, has_default, default = inner.partition(",")
    value = request.value(name.strip())
    if isinstance(value, str):
        return value
    quoted = re.fullmatch(r"\s*'(.*)'\s*", default)
    if has_default and not quoted:
        raise PolicyError(f"the default of a variable needs single quotes: {inner}")
    return quoted[1] if has_default else None


def matches_pattern(pattern, text):
    expression = "".join({"*": ".*", "?": "."}.get(it) or re.escape(it[0]) for it in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def matches_arn(pattern, text):
    """Compares the six parts of an ARN one by one, so that a wildcard does not reach beyond a colon before the last part."""
    given, wanted = split_arn(list(text)), split_arn(pattern)
    return len(given) == len(wanted) == 6 and all(matches_pattern(each, "".join(part)) for each, part in zip(wanted, given))


def split_arn(characters):
    parts = [[]]
    for it in characters:
        if it == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(it)
    return parts


# Conditions


def equals(pattern, text):
    return [it[0] for it in pattern] == list(text)


def equals_ignoring_case(pattern, text):
    return "".join(it[0] for it in pattern).lower() == text.lower()


def moment(text):
    """A date is ISO 8601 or seconds since 1970."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed.replace(tzinfo=parsed.tzinfo or datetime.timezone.utc).timestamp()


def compares(convert, test):
    def compare(pattern, text):
        try:
            return test(convert(text), convert("".join(it[0] for it in pattern)))
        except ValueError:
            return False

    return compare


def is_in_network(pattern, text):
    return ipaddress.ip_address(text) in ipaddress.ip_network("".join(pattern), strict=False)


# Each positive operator, and the one that is its negation.
STRING_OPERATORS = {
    ("StringEquals", "StringNotEquals"): equals,
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"): equals_ignoring_case,
    ("StringLike", "StringNotLike"): matches_pattern,
    ("ArnLike", "ArnNotLike"): matches_arn,
    ("ArnEquals", "ArnNotEquals"): matches_arn,
}
OTHER_OPERATORS = {
    ("Bool", None): equals_ignoring_case,
    ("IpAddress", "NotIpAddress"): is_in_network,
    **{
        (f"{kind}{name}", f"{kind}NotEquals" if name == "Equals" else None): compares(convert, test)
        for kind, convert in {"Numeric": float, "Date": moment}.items()
        for name, test in {
            "Equals": lambda given, wanted: given == wanted,
            "LessThan": lambda given, wanted: given < wanted,
            "LessThanEquals": lambda given, wanted: given <= wanted,
            "GreaterThan": lambda given, wanted: given > wanted,
            "GreaterThanEquals": lambda given, wanted: given >= wanted,
        }.items()
    },
}
# {operator: (comparison, is negated, takes variables)}
OPERATORS = {
    name: (test, negated, table is STRING_OPERATORS)
    for table in (STRING_OPERATORS, OTHER_OPERATORS)
    for pair, test in table.items()
    for name, negated in zip(pair, (False, True))
    if name
}


def condition_holds(operator, key, values, request, substitute):
    """AWS's rules for a key that the request does not have: Null is true; IfExists, ForAllValues and negated operators hold;
    ForAnyValue and all others do not."""
    quantifier, _, name = operator.rpartition(":")
    given = request.value(key)
    given = [] if given is None else as_list(given)
    if name == "Null":
        return any((it.lower() == "true") == (not given) for it in map(as_text, values))
    if_exists = name.endswith("IfExists")
    if name.removesuffix("IfExists") not in OPERATORS or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise PolicyError(f"the condition operator is unknown: {operator}")
    test, negated, takes_variables = OPERATORS[name.removesuffix("IfExists")]
    patterns = [substituted(as_text(it), request) if takes_variables and substitute else literal(as_text(it)) for it in values]
    if None in patterns and not (if_exists and not given):
        patterns = [it for it in patterns if it is not None]
        if negated or not patterns:
            return False
    if not given:
        return if_exists or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    if not quantifier and len(given) > 1:
        raise PolicyError(f"{key} has several values, so {operator} needs ForAnyValue or ForAllValues")
    passed = [any(test(pattern, it) for pattern in patterns) != negated for it in given]
    return any(passed) if quantifier == "ForAnyValue" else all(passed)


def as_list(value):
    return value if isinstance(value, list) else [value]


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
