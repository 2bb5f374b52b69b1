"""Tests of the evaluator: what AWS documents for operators, missing keys, variables, boundaries and trust policies.

The other evaluator must give the same answers.
"""

import unittest

from evaluate import Decision, PolicyError, Request, assume_role, evaluate, refusal_text
from judges import Question, ask_theirs, decide

BUCKET = "arn:aws:s3:::reports/2026/july"
CALLER = "arn:aws:sts::123456789012:assumed-role/someone/alice"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/acme.okta.com"
ROLE = "arn:aws:iam::123456789012:role/developer"


def policy(effect="Allow", version="2012-10-17", **elements):
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **elements}
    return {"Version": version, "Statement": [statement]}


# A condition, the context of the request, and whether the condition holds.
CONDITIONS = [
    ({"StringEquals": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "ml"}, True),
    ({"StringEquals": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "ML"}, False),
    ({"StringEquals": {"aws:PrincipalTag/Team": ["ml", "web"]}}, {"aws:PrincipalTag/Team": "web"}, True),
    ({"StringEquals": {"aws:PrincipalTag/Team": "m*"}}, {"aws:PrincipalTag/Team": "ml"}, False),
    ({"StringEquals": {"aws:PrincipalTag/Team": "ml"}}, {}, False),
    ({"StringEquals": {"AWS:principaltag/team": "ml"}}, {"aws:PrincipalTag/Team": "ml"}, True),
    ({"StringEqualsIgnoreCase": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "ML"}, True),
    ({"StringNotEquals": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "web"}, True),
    ({"StringNotEquals": {"aws:PrincipalTag/Team": ["ml", "web"]}}, {"aws:PrincipalTag/Team": "web"}, False),
    ({"StringNotEquals": {"aws:PrincipalTag/Team": "ml"}}, {}, True),
    ({"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "ML"}, False),
    ({"StringLike": {"aws:PrincipalTag/Team": "m?-*"}}, {"aws:PrincipalTag/Team": "ml-search"}, True),
    ({"StringLike": {"aws:PrincipalTag/Team": "m?"}}, {"aws:PrincipalTag/Team": "m"}, False),
    ({"StringNotLike": {"aws:PrincipalTag/Team": "m*"}}, {"aws:PrincipalTag/Team": "ml"}, False),
    ({"StringNotLike": {"aws:PrincipalTag/Team": "m*"}}, {}, True),
    ({"StringEqualsIfExists": {"aws:PrincipalTag/Team": "ml"}}, {}, True),
    ({"StringEqualsIfExists": {"aws:PrincipalTag/Team": "ml"}}, {"aws:PrincipalTag/Team": "web"}, False),
    ({"Null": {"aws:PrincipalTag/Team": "true"}}, {}, True),
    ({"Null": {"aws:PrincipalTag/Team": "false"}}, {}, False),
    ({"Null": {"aws:PrincipalTag/Team": "false"}}, {"aws:PrincipalTag/Team": "ml"}, True),
    ({"Null": {"aws:PrincipalTag/Team": "true"}}, {"aws:PrincipalTag/Team": "ml"}, False),
    ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": "true"}, True),
    ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": "false"}, False),
    ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),
    ({"BoolIfExists": {"aws:SecureTransport": "true"}}, {}, True),
    ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "900"}, True),
    ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "3600"}, False),
    ({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "3600"}, True),
    ({"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "10000"}, True),
    ({"NumericNotEquals": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "3600"}, False),
    ({"NumericEquals": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:MultiFactorAuthAge": "many"}, False),
    ({"DateLessThan": {"aws:CurrentTime": "2026-12-01T00:00:00Z"}}, {"aws:CurrentTime": "2026-11-30T23:59:59Z"}, True),
    ({"DateLessThan": {"aws:CurrentTime": "2026-12-01T00:00:00Z"}}, {"aws:CurrentTime": "2026-12-01T00:00:00Z"}, False),
    ({"DateGreaterThanEquals": {"aws:CurrentTime": "2026-12-01T00:00:00Z"}}, {"aws:CurrentTime": "2026-12-01T00:00:00Z"}, True),
    ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws:SourceIp": "203.0.113.7"}, True),
    ({"IpAddress": {"aws:SourceIp": ["192.0.2.1", "203.0.113.0/24"]}}, {"aws:SourceIp": "198.51.100.1"}, False),
    ({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws:SourceIp": "198.51.100.1"}, True),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}, {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/developer"}, True),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*role/dev*"}}, {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/developer"}, False),
    ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}, {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/developer"}, True),
    ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}, {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/ops"}, True),
    ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}, {}, True),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}, {"aws:PrincipalArn": "arn"}, False),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {"aws:TagKeys": ["Color", "Team"]}, True),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {"aws:TagKeys": ["Color"]}, False),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {"aws:TagKeys": ["Team"]}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {"aws:TagKeys": ["Team", "Color"]}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Email"]}}, {}, True),
    ({"ForAllValues:StringLike": {"aws:TagKeys": ["Te*"]}}, {"aws:TagKeys": ["Team", "Test"]}, True),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["Team"]}}, {"aws:TagKeys": ["Team", "Color"]}, True),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["Team"]}}, {"aws:TagKeys": ["Team"]}, False),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["Team"]}}, {}, False),
    ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["Team"]}}, {"aws:TagKeys": ["Team", "Color"]}, False),
    # Several keys, and several operators, must all hold.
    ({"StringEquals": {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "2"}}, {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "2"}, True),
    ({"StringEquals": {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "2"}}, {"aws:PrincipalTag/A": "1"}, False),
    ({"StringEquals": {"aws:PrincipalTag/A": "1"}, "Null": {"aws:PrincipalTag/B": "true"}}, {"aws:PrincipalTag/A": "1"}, True),
    ({"StringEquals": {"aws:PrincipalTag/A": "1"}, "Null": {"aws:PrincipalTag/B": "true"}}, {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "2"}, False),
    # Variables.
    ({"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}, {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "1"}, True),
    ({"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}, {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "2"}, False),
    ({"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}, {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}, False),
    ({"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B, 'none'}"}}, {"aws:PrincipalTag/A": "none"}, True),
    ({"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B, 'none'}"}}, {"aws:PrincipalTag/A": "none", "aws:PrincipalTag/B": "2"}, False),
    ({"StringNotEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B, 'none'}"}}, {"aws:PrincipalTag/A": "1"}, True),
    ({"StringNotEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}, {"aws:PrincipalTag/A": "1"}, False),
    ({"StringNotEquals": {"aws:PrincipalTag/A": ["${aws:PrincipalTag/B}", "x"]}}, {"aws:PrincipalTag/A": "1"}, False),
    ({"StringEquals": {"aws:PrincipalTag/A": ["${aws:PrincipalTag/B}", "x"]}}, {"aws:PrincipalTag/A": "x"}, True),
    ({"StringLike": {"aws:userid": "*:${aws:PrincipalTag/A}"}}, {"aws:userid": "AROAX:alice", "aws:PrincipalTag/A": "alice"}, True),
    ({"StringLike": {"aws:userid": "*:${aws:PrincipalTag/A}"}}, {"aws:userid": "AROAX:alice", "aws:PrincipalTag/A": "a*"}, False),
    ({"StringLike": {"aws:PrincipalTag/A": "${*}x${?}"}}, {"aws:PrincipalTag/A": "*x?"}, True),
    ({"StringLike": {"aws:PrincipalTag/A": "${*}x${?}"}}, {"aws:PrincipalTag/A": "axb"}, False),
    ({"StringEqualsIfExists": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}, {}, True),
]

# Elements of a statement, the action, the resource, and whether the statement matches.
MATCHES = [
    ({"Action": "s3:GetObject"}, "s3:GetObject", BUCKET, True),
    ({"Action": "S3:getobject"}, "s3:GetObject", BUCKET, True),
    ({"Action": ["s3:PutObject", "s3:Get*"]}, "s3:GetObject", BUCKET, True),
    ({"Action": "s3:Get?bject"}, "s3:GetObject", BUCKET, True),
    ({"Action": "s3:Put*"}, "s3:GetObject", BUCKET, False),
    ({"NotAction": "s3:Put*"}, "s3:GetObject", BUCKET, True),
    ({"NotAction": "s3:Get*"}, "s3:GetObject", BUCKET, False),
    ({"Resource": "arn:aws:s3:::reports/*"}, "s3:GetObject", BUCKET, True),
    ({"Resource": "arn:aws:s3:::reports/*/july"}, "s3:GetObject", BUCKET, True),
    ({"Resource": "arn:aws:s3:::reports"}, "s3:GetObject", BUCKET, False),
    ({"Resource": "arn:aws:s3:*:*:reports/*"}, "s3:GetObject", BUCKET, True),
    ({"Resource": "arn:aws-cn:s3:::reports/*"}, "s3:GetObject", BUCKET, False),
    ({"NotResource": "arn:aws:s3:::reports/*"}, "s3:GetObject", BUCKET, False),
    ({"NotResource": "arn:aws:s3:::secrets/*"}, "s3:GetObject", BUCKET, True),
]


class Conditions(unittest.TestCase):
    def test_a_condition_holds_as_documented(self):
        for condition, context, expected in CONDITIONS:
            with self.subTest(condition=condition, context=context):
                self.assertIs(evaluate(Request("s3:GetObject", BUCKET, context), {"p": policy(Condition=condition)}).allowed, expected)

    def test_a_deny_applies_exactly_where_its_condition_holds(self):
        for condition, context, expected in CONDITIONS:
            documents = {"p": policy(), "q": policy("Deny", Condition=condition)}
            with self.subTest(condition=condition, context=context):
                self.assertIs(evaluate(Request("s3:GetObject", BUCKET, context), documents).allowed, not expected)

    def test_an_old_policy_has_no_variables(self):
        condition = {"StringEquals": {"aws:PrincipalTag/A": "${aws:PrincipalTag/B}"}}
        context = {"aws:PrincipalTag/A": "1", "aws:PrincipalTag/B": "1"}
        self.assertFalse(evaluate(Request("s3:GetObject", BUCKET, context), {"p": policy(version="2008-10-17", Condition=condition)}).allowed)

    def test_what_aws_would_reject_is_an_error(self):
        several = {"aws:TagKeys": ["Team", "Email"]}
        for elements in (
            {"Condition": {"StringEqual": {"aws:TagKeys": "Team"}}},
            {"Condition": {"ForEachValue:StringEquals": {"aws:TagKeys": "Team"}}},
            {"Condition": {"StringEquals": {"aws:TagKeys": "Team"}}},
            {"Condition": {"StringEquals": {"aws:userid": "${aws:PrincipalTag/B, none}"}}},
            {"Effect": "allow"},
            {"Conditions": {}},
            {"Principal": "*"},
        ):
            context = {**several, "aws:userid": "x"}
            document = policy()
            document["Statement"][0].update(elements)
            with self.subTest(elements), self.assertRaises(PolicyError):
                evaluate(Request("s3:GetObject", BUCKET, context), {"p": document})


class Statements(unittest.TestCase):
    def test_action_and_resource_match_as_documented(self):
        for elements, action, resource, expected in MATCHES:
            document = policy(**elements)
            if "NotAction" in elements:
                del document["Statement"][0]["Action"]
            if "NotResource" in elements:
                del document["Statement"][0]["Resource"]
            with self.subTest(elements):
                self.assertIs(evaluate(Request(action, resource), {"p": document}).allowed, expected)

    def test_a_variable_in_a_resource_is_replaced(self):
        document = policy(Resource="arn:aws:s3:::reports/${aws:PrincipalTag/Year}/*")
        for context, expected in (({"aws:PrincipalTag/Year": "2026"}, True), ({"aws:PrincipalTag/Year": "*"}, False), ({}, False)):
            self.assertIs(evaluate(Request("s3:GetObject", BUCKET, context), {"p": document}).allowed, expected)

    def test_an_action_without_resources_needs_the_wildcard(self):
        request = Request("s3:ListAllMyBuckets")
        self.assertTrue(evaluate(request, {"p": policy(Action="s3:*")}).allowed)
        self.assertFalse(evaluate(request, {"p": policy(Action="s3:*", Resource="arn:aws:s3:::*")}).allowed)


class Policies(unittest.TestCase):
    request = Request("s3:GetObject", BUCKET)

    def test_nothing_is_allowed_unless_a_policy_says_so(self):
        self.assertEqual(evaluate(self.request, {}).outcome, "no allow")

    def test_a_deny_outranks_every_allow(self):
        decision = evaluate(self.request, {"p": policy(), "q": policy("Deny", Sid="No")})
        self.assertEqual(decision, Decision("explicit deny", "identity-based policy", "q", "No"))

    def test_a_boundary_only_takes_away(self):
        allowed, other = {"p": policy()}, {"b": policy(Action="s3:PutObject")}
        self.assertTrue(evaluate(self.request, allowed, boundary=allowed).allowed)
        self.assertEqual(evaluate(self.request, allowed, boundary=other), Decision("no allow", "permissions boundary"))
        self.assertFalse(evaluate(self.request, {}, boundary=allowed).allowed)
        self.assertFalse(evaluate(self.request, allowed, boundary={}).allowed)
        self.assertEqual(evaluate(self.request, allowed, boundary={**allowed, "d": policy("Deny")}).outcome, "explicit deny")

    def test_a_session_policy_only_takes_away(self):
        allowed = {"p": policy()}
        self.assertTrue(evaluate(self.request, allowed, session_policy=allowed).allowed)
        self.assertEqual(evaluate(self.request, allowed, session_policy={}).kind, "session policy")

    def test_a_refusal_is_worded_as_by_aws(self):
        arn = "arn:aws:iam::123456789012:policy/you-are-blocked"
        denied = evaluate(self.request, {"p": policy(), arn: policy("Deny")})
        self.assertEqual(
            refusal_text(self.request, denied, CALLER),
            f"User: {CALLER} is not authorized to perform: s3:GetObject on resource: {BUCKET} with an explicit deny in an identity-based policy: {arn}",
        )
        self.assertEqual(
            refusal_text(Request("s3:ListAllMyBuckets"), evaluate(Request("s3:ListAllMyBuckets"), {}), CALLER),
            f"User: {CALLER} is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action",
        )
        limited = evaluate(self.request, {"p": policy()}, boundary={})
        self.assertTrue(refusal_text(self.request, limited, CALLER).endswith("because no permissions boundary allows the s3:GetObject action"))


class Trust(unittest.TestCase):
    def trust(self, *actions, principal={"Federated": PROVIDER}, **elements):
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": list(actions), **elements}]}

    def sign_in(self, context=None, principal=("Federated", PROVIDER)):
        return Request("sts:AssumeRoleWithWebIdentity", ROLE, context or {}, principal)

    def test_only_the_named_principal_is_trusted(self):
        trust = self.trust("sts:AssumeRoleWithWebIdentity")
        self.assertTrue(assume_role(trust, self.sign_in()).allowed)
        self.assertFalse(assume_role(trust, self.sign_in(principal=("Federated", PROVIDER + "x"))).allowed)
        self.assertFalse(assume_role(trust, self.sign_in(principal=("AWS", PROVIDER))).allowed)

    def test_tags_need_tag_session(self):
        trust = self.trust("sts:AssumeRoleWithWebIdentity")
        decision = assume_role(trust, self.sign_in(), tags={"Team": "ml"})
        self.assertEqual(refusal_text(self.sign_in(), decision, ""), "Not authorized to perform sts:TagSession")
        both = self.trust("sts:AssumeRoleWithWebIdentity", "sts:TagSession", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "Team"}})
        self.assertTrue(assume_role(both, self.sign_in(), tags={"Team": "ml"}).allowed)
        self.assertFalse(assume_role(both, self.sign_in(), tags={"Team": "ml", "Color": "red"}).allowed)

    def test_a_source_identity_needs_its_action(self):
        trust = self.trust("sts:AssumeRoleWithWebIdentity")
        self.assertEqual(assume_role(trust, self.sign_in(), source_identity="alice").action, "sts:SetSourceIdentity")

    def test_the_session_name_is_pinned_to_a_claim(self):
        pinned = self.trust("sts:AssumeRoleWithWebIdentity", Condition={"StringEquals": {"sts:RoleSessionName": "${acme.okta.com:sub}"}})
        for name, subject, expected in (("alice", "alice", True), ("bob", "alice", False), ("${acme.okta.com:sub}", None, False)):
            context = {"sts:RoleSessionName": name} | ({"acme.okta.com:sub": subject} if subject else {})
            self.assertIs(assume_role(pinned, self.sign_in(context)).allowed, expected)

    def test_an_account_stands_for_its_roles(self):
        for principal in ("123456789012", "arn:aws:iam::123456789012:root", ROLE, "*"):
            trust = self.trust("sts:AssumeRole", principal={"AWS": principal})
            self.assertTrue(assume_role(trust, Request("sts:AssumeRole", ROLE, {}, ("AWS", ROLE))).allowed, principal)
        other = self.trust("sts:AssumeRole", principal={"AWS": "arn:aws:iam::210987654321:root"})
        self.assertFalse(assume_role(other, Request("sts:AssumeRole", ROLE, {}, ("AWS", ROLE))).allowed)


class TheOtherJudge(unittest.TestCase):
    def test_both_judges_agree_about_operators(self):
        questions = [Question("s3:GetObject", BUCKET, CALLER, context, {"p": policy(Condition=condition)}) for condition, context, _ in CONDITIONS]
        for elements, action, resource, _ in MATCHES:
            document = policy(**elements)
            for name in ("Action", "Resource"):
                if f"Not{name}" in elements:
                    del document["Statement"][0][name]
            questions.append(Question(action, resource, CALLER, {}, {"p": document}))
        expected = [it[-1] for it in CONDITIONS + MATCHES]
        for question, ours, (theirs, _) in zip(questions, expected, ask_theirs(questions), strict=True):
            with self.subTest(question.policies["p"]["Statement"][0], context=question.context):
                self.assertIs(decide(question).allowed, ours)
                self.assertIs(theirs, ours)


if __name__ == "__main__":
    unittest.main()
