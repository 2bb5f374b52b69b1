"""The Terraform modules of packaging/aws/terraform against what the templates deploy.

- Files: HashiCorp's parser reads them, and each attribute, block and reference exists in the schema of hashicorp/aws.
- Policies: `policies`, which OpenTofu runs without any provider, renders the documents that the template has deployed,
  for every set of parameters. What the templates refuse, the modules refuse.
- Resources: OpenTofu applies `federation`, `stacks` and the examples with a provider that has the schema of
  hashicorp/aws and no cloud behind it. What then exists equals what the template has deployed.
"""

import functools
import json
import re
import shutil
import tomllib
import unittest

import cfnlint.decode
from deployed import deploy, everything
from emulator import partition_of
from terraform import cases
from terraform.runner import AWS, MODULES, WORK, copy_modules, parsed, schema, stand_in, tofu, written

# The outputs of `policies`, and where the template has the same document.
DOCUMENTS = {
    "trust_policy": ("Role", "AssumeRolePolicyDocument"),
    "permissions_policy": ("Permissions", "PolicyDocument"),
    "blocked_policy": ("Blocked", "PolicyDocument"),
    "model_calls_policy": ("ModelCalls", "PolicyDocument"),
    "ci_trust_policy": ("CiRole", "AssumeRolePolicyDocument"),
}

# Variables of `federation` that no document contains.
NOT_IN_DOCUMENTS = {
    "name_claim",
    "team_claim",
    "max_session_duration",
    "limits",
    "identity_center_instance_arn",
    "identity_center_start_url",
}

# Each module: its template, the parameters that it lacks, and variables of its own.
TEMPLATES = {
    "policies": (
        "federation",
        NOT_IN_DOCUMENTS,
        {"partition", "region", "account_id", "identity_pool_id"},
    ),
    "federation": ("federation", set(), {"name"}),
    "stacks/guardrails": ("guardrails", set(), {"name"}),
    "stacks/team": ("team", set(), {"name"}),
}

# An accepted set of each template.
GOOD = {"federation": "okta oidc free aws", "guardrails": "defaults aws", "team": "one size aws"}

AWS_PROVIDER = {"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}}}


@functools.lru_cache(None)
def stacks():
    """The deployed stacks of all sets, those of the templates' tests and those that matter here only."""
    found = everything() + deploy(cases.own_sets())
    for stack in found:
        assert bool(stack.set.refused) == bool(stack.refusal), f"{stack.set.name}: {stack.refusal}"
    return found


def accepted(template):
    found = {stack.set.name: stack for stack in stacks() if stack.set.template == template and not stack.refusal}
    assert len(found) == sum(stack.set.template == template and not stack.refusal for stack in stacks()), (
        "two sets have one name"
    )
    return found


def refused(template):
    """The sets, each with the variable whose validation must refuse it, or with "" if any may."""
    own = {each.account: each.refused for each in cases.own_sets()}
    return [
        (stack.set, own.get(stack.set.account, ""))
        for stack in stacks()
        if stack.set.template == template and stack.refusal
    ]


@functools.lru_cache(None)
def template(name):
    return cfnlint.decode.decode_str((AWS / f"{name}.yaml").read_text())[0]


def snake(name):
    """The name of a variable. OpenTofu reserves `provider`."""
    return "identity_provider" if name == "Provider" else re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def variables(each):
    """A set's parameters as variables: CloudFormation's texts as lists, numbers and booleans."""
    known = template(each.template)["Parameters"]
    return {
        snake(name): typed(known[name], each.parameters.get(name, known[name].get("Default", ""))) for name in known
    }


def typed(parameter, text):
    if parameter["Type"] == "CommaDelimitedList":
        return [item.strip() for item in text.split(",")] if text else []
    if parameter["Type"] == "Number":
        return int(text)
    return text == "yes" if parameter.get("AllowedValues") == ["yes", "no"] else str(text)


def capabilities(resources):
    """What AWS demands from the caller for a template that makes rights, and more for one that names them."""
    of_iam = [each for each in resources if each["Type"].startswith("AWS::IAM::")]
    named = any(key in each.get("Properties", {}) for each in of_iam for key in ("RoleName", "ManagedPolicyName"))
    return [["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"][named]] if of_iam else None


def write_configuration(folder, *parts):
    """A main.tf.json of these parts, which have different blocks."""
    merged = {}
    for part in parts:
        for kind, blocks in part.items():
            merged.setdefault(kind, {}).update(blocks)
    (folder / "main.tf.json").write_text(json.dumps(merged, indent=1))


def call_for_each(folder, label, source, sets, **more):
    """A call of a module for each set, and an output with the outputs of all."""
    (folder / f"{label}.json").write_text(json.dumps(sets))
    arguments = {name: f"${{each.value.{name}}}" for name in sorted(next(iter(sets.values())))}
    for_each = f'${{jsondecode(file("${{path.module}}/{label}.json"))}}'
    return {
        "module": {label: {"source": f"./{source}", "for_each": for_each, **more, **arguments}},
        "output": {label: {"value": f"${{module.{label}}}"}},
    }


class Files(unittest.TestCase):
    META_ARGUMENTS = {"count", "for_each", "depends_on", "provider", "lifecycle"}

    def test_they_are_formatted(self):
        WORK.mkdir(parents=True, exist_ok=True)
        self.assertEqual(tofu(MODULES, "fmt", "-check", "-diff", "-recursive"), "")

    def test_attributes_blocks_and_references_exist(self):
        for folder, content in parsed().items():
            for file, blocks in content["files"].items():
                for kind, known in (("resource", schema()["resources"]), ("data", schema()["data"])):
                    for type, named in blocks.get(kind, {}).items():
                        self.assertIn(type, known, f"{folder}/{file}")
                        for name, (body,) in named.items():
                            self.check_block(body, known[type], f"{folder}/{file}: {type}.{name}", self.META_ARGUMENTS)
                for name, bodies in blocks.get("provider", {}).items():
                    self.assertEqual(name, "aws", f"{folder}/{file}")
                    for body in bodies:
                        self.check_block(body, schema()["provider"], f"{folder}/{file}: provider", set())
            for reference in content["references"]:
                self.check_reference(reference, folder)

    def check_block(self, body, block, where, ignored):
        dynamic = {name: [each["content"][0] for each in bodies] for name, bodies in body.get("dynamic", {}).items()}
        present = {name: value for name, value in {**body, **dynamic}.items() if name not in ignored | {"dynamic"}}
        for name, value in present.items():
            if name in block["blocks"]:
                nested, bodies = block["blocks"][name], value if isinstance(value, list) else [value]
                self.assertTrue(nested["many"] or len(bodies) == 1, f"{where} has more than one {name}")
                for each in bodies:
                    self.check_block(each, nested["block"], f"{where}.{name}", set())
            else:
                self.assertIn(name, block["attributes"], where)
                self.assertFalse(block["attributes"][name]["computed"], f"{where}: {name} cannot be set")
                self.check_type(value, block["attributes"][name]["type"], f"{where}.{name}")
        required = {name for name, each in {**block["attributes"], **block["blocks"]}.items() if each["required"]}
        self.assertLessEqual(required, present.keys(), where)

    def check_type(self, value, type, where):
        """A literal of the right type. OpenTofu checks the types of expressions."""
        if value is None or isinstance(value, str) and "${" in value:
            return
        expected = {"list": list, "map": dict, "string": str, "number": (int, float), "bool": bool}[
            type[0] if isinstance(type, list) else type
        ]
        self.assertIsInstance(value, expected, where)
        self.assertEqual(isinstance(value, bool), type == "bool", where)

    def check_reference(self, reference, folder):
        """The attribute exists that `aws_iam_role.user.arn` or `data.aws_region.current.region` names."""
        parts, known = [part for part in reference.split(".") if not part.isdecimal()], schema()["resources"]
        if parts[0] == "data":
            parts, known = parts[1:], schema()["data"]
        if parts[0] in known and len(parts) > 2:
            self.assertIn(parts[2], known[parts[0]]["attributes"] | known[parts[0]]["blocks"], f"{folder}: {reference}")

    def test_variables_are_the_parameters_with_their_defaults(self):
        for module, (name, missing, own) in TEMPLATES.items():
            with self.subTest(module):
                parameters = {
                    snake(each): it for each, it in template(name)["Parameters"].items() if snake(each) not in missing
                }
                found = written(module, "variable")
                self.assertEqual(found.keys(), parameters.keys() | own)
                defaults = {each: typed(it, it["Default"]) for each, it in parameters.items() if "Default" in it}
                self.assertEqual({each: found[each][0].get("default") for each in defaults}, defaults)
                self.assertEqual([each for each, (it,) in found.items() if not it.get("description")], [])

    def test_outputs_are_those_of_the_template(self):
        for module, (name, _, _) in TEMPLATES.items():
            if module != "policies":
                self.assertEqual(
                    written(module, "output").keys(), {snake(each) for each in template(name)["Outputs"]}, module
                )


class Policies(unittest.TestCase):
    def test_each_document_is_the_deployed_one(self):
        folder, found = copy_modules("policies-of-all-sets", "policies"), accepted("federation")
        sets = {name: policy_variables(stack) for name, stack in found.items()}
        write_configuration(folder, call_for_each(folder, "documents", "policies", sets))
        tofu(folder, "init")
        tofu(folder, "apply", "-auto-approve")
        rendered = json.loads(tofu(folder, "output", "-json"))["documents"]["value"]
        self.assertEqual(rendered.keys(), found.keys())
        for name, stack in found.items():
            self.assertEqual(rendered[name].keys(), DOCUMENTS.keys())
            for output, (logical_id, key) in DOCUMENTS.items():
                with self.subTest(f"{name}: {output}"):
                    expected = (
                        as_document(stack.resources[logical_id]["properties"][key])
                        if logical_id in stack.resources
                        else None
                    )
                    self.assertEqual(as_document(rendered[name][output]), expected)

    def test_what_the_templates_refuse_is_refused(self):
        for module, name, chosen, inputs, environment in (
            # `policies` validates almost everything, also for `federation`.
            (
                "policies",
                "federation",
                lambda each: not concerns_federation_only(each),
                unresolved_policy_variables,
                {},
            ),
            ("federation", "federation", concerns_federation_only, variables, stand_in()),
            ("stacks/guardrails", "guardrails", lambda _: True, variables, stand_in()),
            ("stacks/team", "team", lambda _: True, variables, stand_in()),
        ):
            folder = copy_modules(f"refused-by-{module.replace('/', '-')}", *{"policies", module})
            for file in ("guardrails.yaml", "team.yaml"):
                shutil.copy(AWS / file, WORK)
            entries = [(each.name, inputs(each), variable) for each, variable in refused(name) if chosen(each)]
            good = inputs(accepted(name)[GOOD[name]].set)
            entries += [
                (f"{variable} of its own", {**good, **values}, variable)
                for variable, values in cases.REFUSED_VARIABLES[module]
            ]
            found, fired = self.refusals(folder, module, [values for _, values, _ in entries], environment)
            for (label, values, variable), messages in zip(entries, found):
                with self.subTest(f"{module}: {label}"):
                    self.assertTrue(messages, f"accepted: {values}")
                    self.assertIn(variable, ["", *messages])
            lines = (MODULES / module / "variables.tf").read_text().splitlines()
            self.assertEqual(
                fired,
                {number for number, line in enumerate(lines, 1) if line == "  validation {"},
                f"lines of validations of {module}",
            )

    def refusals(self, folder, module, sets, environment):
        """One plan with a call of the module for each set. Returns {VARIABLE: MESSAGE} for each, and the lines of the
        validations."""
        # OpenTofu knows the values of variables only when it plans. With literals it would end after the validation,
        # which does not compare variables with each other.
        labelled = {f"set_{number}": values for number, values in enumerate(sets)}
        calls = {
            label: {"source": f"./{module}", **{name: f"${{var.{label}.{name}}}" for name in values}}
            for label, values in labelled.items()
        }
        write_configuration(
            folder,
            AWS_PROVIDER if environment else {},
            {"module": calls, "variable": {label: {"type": "any"} for label in labelled}},
        )
        (folder / "sets.auto.tfvars.json").write_text(json.dumps(labelled))
        tofu(folder, "init", **environment)
        found, fired = [{} for _ in sets], set()
        for line in tofu(folder, "plan", "-json", fails=True, **environment).splitlines():
            diagnostic = json.loads(line).get("diagnostic", {})
            if diagnostic.get("severity") == "error":
                self.assertEqual(diagnostic["summary"], "Invalid value for variable", diagnostic)
                code = re.fullmatch(r' *"(\w+)": "\$\{var\.set_(\d+)\.\1\}",?', diagnostic["snippet"]["code"])
                self.assertIsNotNone(code, diagnostic)
                found[int(code[2])][code[1]] = diagnostic["detail"]
                fired.add(int(re.search(rf"validation rule at {module}/variables\.tf:(\d+),", diagnostic["detail"])[1]))
        return found, fired


class Models(unittest.TestCase):
    def test_each_short_name_gives_the_arns_of_its_model(self):
        folder = copy_modules("models/terraform", "models")
        shutil.copy(AWS / "models.tsv", WORK / "models")
        lines = (AWS / "models.tsv").read_text().splitlines()
        rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
        pairs = [(name, model, geography) for name, model, offered, *_ in rows for geography in offered.split(",")]
        pairs.append(("anthropic.claude-next-v1:0", "anthropic.claude-next-v1:0", "eu"))
        sets = {
            f"{name} {geography}": {
                "names": [name],
                "geography": geography,
                "account_id": ACCOUNT,
                "partition": "aws-cn",
            }
            for name, _, geography in pairs
        }
        write_configuration(folder, call_for_each(folder, "arns", "models", sets))
        tofu(folder, "init")
        tofu(folder, "apply", "-auto-approve")
        found = json.loads(tofu(folder, "output", "-json", "arns"))
        profiles, foundation = (
            f"arn:aws-cn:bedrock:*:{ACCOUNT}:inference-profile/",
            "arn:aws-cn:bedrock:*::foundation-model/",
        )
        expected = {
            f"{name} {geography}": {
                "inference_profile_arns": [f"{profiles}{geography}.{model}"],
                "foundation_model_arns": [f"{foundation}{model}"],
            }
            for name, model, geography in pairs
        }
        self.assertEqual(found, expected)

    def test_unknown_names_and_geographies_are_refused(self):
        folder = copy_modules("models-refused/terraform", "models")
        shutil.copy(AWS / "models.tsv", WORK / "models-refused")
        for names, geography, variable in (
            (["sonnet-0"], "eu", "names"),
            ([], "eu", "names"),
            (["sonnet-4-5"], "mars", "geography"),
            (["sonnet-4-5", "fable-5-1"], "jp", "geography"),
        ):
            with self.subTest(names=names, geography=geography):
                call = {"source": "./models", "names": names, "geography": geography, "account_id": ACCOUNT}
                write_configuration(folder, {"module": {"models": call}})
                tofu(folder, "init")
                lines = map(json.loads, tofu(folder, "plan", "-json", fails=True).splitlines())
                errors = [it["diagnostic"] for it in lines if it["@level"] == "error"]
                self.assertTrue(errors)
                for error in errors:
                    self.assertRegex(error["snippet"]["code"], f'^ *"{variable}": ')


def as_document(value):
    return json.loads(value) if isinstance(value, str) else value


def policy_variables(stack):
    """The variables of `policies`. What the template creates and a document names is a variable there."""
    values = unresolved_policy_variables(stack.set)
    if "IdentityPool" in stack.resources:
        values["identity_pool_id"] = stack.resources["IdentityPool"]["id"]
    for name, logical_id in (
        ("existing_provider_arn", "IdentityProvider"),
        ("existing_ci_provider_arn", "CiIdentityProvider"),
    ):
        if logical_id in stack.resources:
            values[name] = stack.resources[logical_id]["id"]
    return values


def unresolved_policy_variables(each):
    values = {name: value for name, value in variables(each).items() if name not in NOT_IN_DOCUMENTS}
    arn = f"arn:{partition_of(each.region)}:iam::{each.account}:oidc-provider/"
    for name, issuer in (("existing_provider_arn", "issuer_url"), ("existing_ci_provider_arn", "ci_issuer_url")):
        if (
            not values[name]
            and values[issuer]
            and (issuer == "ci_issuer_url" or values["identity_provider"] != "google")
        ):
            values[name] = f"{arn}{values[issuer].removeprefix('https://')}"
    pool = f"us-east-1:{POOL}" if values["federation"] == "identity-pool" else ""
    places = {"partition": partition_of(each.region), "account_id": each.account, "region": each.region}
    return {**values, **places, "identity_pool_id": pool}


def concerns_federation_only(each):
    return bool(NOT_IN_DOCUMENTS & {snake(name) for name in each.parameters})


class Resources(unittest.TestCase):
    maxDiff = None

    def test_federation_makes_what_the_template_deploys(self):
        folder, found = copy_modules("federation-of-all-sets", "policies", "federation"), accepted("federation")
        # A module's calls share a provider, which has one Region.
        labels = {name: stack.set.region.replace("-", "_") for name, stack in found.items()}
        regions = {label: {"alias": label, "region": label.replace("_", "-")} for label in sorted(set(labels.values()))}
        parts = [AWS_PROVIDER, {"provider": {"aws": list(regions.values())}}]
        for label in regions:
            chosen = {name: stack.set for name, stack in found.items() if labels[name] == label}
            sets = {name: federation_variables(each) for name, each in chosen.items()}
            parts.append(call_for_each(folder, label, "federation", sets, providers={"aws": f"aws.{label}"}))
        write_configuration(folder, *parts)
        tofu(folder, "init", **stand_in())
        tofu(folder, "apply", "-auto-approve", "-parallelism=40", **stand_in())
        state = json.loads(tofu(folder, "show", "-json", **stand_in()))["values"]
        made = {each["address"]: by_address(each["resources"]) for each in state["root_module"]["child_modules"]}
        for name, stack in found.items():
            with self.subTest(name):
                resources, outputs = like_stand_in(stack)
                expected = of_template(resources)
                actual = of_terraform(made[f'module.{labels[name]}["{name}"]'], stack.set.stack)
                self.assertEqual(actual.keys(), expected.keys())
                for resource in expected:
                    self.assertEqual(actual[resource], expected[resource], resource)
                actual = state["outputs"][labels[name]]["value"][name]
                expected = {snake(key): value for key, value in outputs.items()}
                self.assertEqual({key: value for key, value in actual.items() if value is not None}, expected)

    def test_stacks_get_the_template_and_all_parameters(self):
        for name in ("guardrails", "team"):
            folder, known, found = copy_modules(f"stack-{name}", f"stacks/{name}"), template(name), accepted(name)
            shutil.copy(AWS / f"{name}.yaml", WORK)
            sets = {each: variables(stack.set) for each, stack in found.items()}
            write_configuration(folder, AWS_PROVIDER, call_for_each(folder, "stacks", f"stacks/{name}", sets))
            tofu(folder, "init", **stand_in())
            tofu(folder, "apply", "-auto-approve", **stand_in())
            modules = json.loads(tofu(folder, "show", "-json", **stand_in()))["values"]["root_module"]["child_modules"]
            self.assertEqual(len(modules), len(sets))
            rights = capabilities(known["Resources"].values())
            for module in modules:
                (resource,) = module["resources"]
                each, values = module["address"].split('"')[1], resource["values"]
                with self.subTest(each):
                    given = found[each].set.parameters
                    expected = {key: given.get(key, it.get("Default", "")) for key, it in known["Parameters"].items()}
                    self.assertEqual(values["parameters"], {key: str(value) for key, value in expected.items()})
                    self.assertEqual(values["template_body"], (AWS / f"{name}.yaml").read_text())
                    self.assertEqual(values["capabilities"], rights)
                    self.assertRegex(values["name"], "^[A-Za-z][A-Za-z0-9-]{0,127}$")

    def test_examples_apply_and_a_block_survives(self):
        shutil.rmtree(WORK / "aws", ignore_errors=True)
        shutil.copytree(AWS, WORK / "aws")
        changed = WORK / "changed.json"
        # Since the apply, somebody has blocked a person.
        policy = "bedrock-sso-federation-you-are-blocked-ask-your-administrator"
        changed.write_text(json.dumps({"aws_iam_policy": {policy: {"policy": "{}"}}}))
        for example in sorted((WORK / "aws/terraform/examples").iterdir()):
            with self.subTest(example.name):
                tofu(example, "init", **stand_in())
                tofu(example, "apply", "-auto-approve", **stand_in())
                plan = tofu(example, "plan", STAND_IN_CHANGED=str(changed), **stand_in())
                self.assertIn("No changes.", plan)
                config = json.loads(tofu(example, "output", "-json", "config", **stand_in()))
                self.assertEqual([tomllib.loads(each)["version"] for each in config], [1] * len(config))

    def test_a_role_with_the_tag_of_a_team_is_refused(self):
        folder, far_end = copy_modules("default-tags", "policies", "federation"), accepted("federation")["far end free"]
        call = {"source": "./federation", **federation_variables(far_end.set)}
        for tag, refusal in (("TEAM", "Sessions would inherit it"), ("CostCenter", "")):
            provider = {"region": far_end.set.region, "default_tags": {"tags": {tag: "ml"}}}
            write_configuration(folder, AWS_PROVIDER, {"provider": {"aws": provider}, "module": {"far_end": call}})
            tofu(folder, "init", **stand_in())
            lines = tofu(folder, "plan", "-json", fails=bool(refusal), **stand_in()).splitlines()
            errors = [it["diagnostic"]["detail"] for it in map(json.loads, lines) if it["@level"] == "error"]
            self.assertEqual(len(errors), bool(refusal), errors)
            self.assertTrue(all(refusal in each for each in errors), errors)


def federation_variables(each):
    """The stand-in has one account."""
    name = each.stack.removesuffix("-federation")
    return replace({**variables(each), "name": name}, {each.account: ACCOUNT})


# What the stand-in makes up. AWS derives these from nothing.
ACCOUNT, POOL, PERMISSION_SET = "111122223333", "00000000-1111-2222-3333-444444444444", "ps-1234567890abcdef"


def like_stand_in(stack):
    """The resources and outputs that were deployed, with what the stand-in makes up."""
    renamed = {stack.set.account: ACCOUNT}
    for resource in stack.resources.values():
        match resource["type"]:
            case "AWS::Cognito::IdentityPool":
                renamed[resource["id"]] = f"{stack.set.region}:{POOL}"
            case "AWS::SSO::PermissionSet":
                renamed[resource["id"].rpartition("/")[2]] = PERMISSION_SET
    return replace([stack.resources, stack.outputs], renamed)


def replace(value, renamed):
    text = json.dumps(value)
    for old, new in renamed.items():
        text = text.replace(old, new)
    return json.loads(text)


def by_address(resources):
    """The values of a module's resources: {"aws_iam_role.user": [VALUES, …]}. A policy with an index is one of its own."""
    made = {}
    for each in resources:
        if each["mode"] == "managed":
            index = f"_{each['index']}" if each["type"] == "aws_iam_policy" and isinstance(each.get("index"), str) else ""
            made.setdefault(f"{each['type']}.{each['name']}{index}", []).append(each["values"])
    return made


# The template's names of what the module makes.
NAMES = {
    "aws_iam_openid_connect_provider.sign_in": "IdentityProvider",
    "aws_iam_openid_connect_provider.ci": "CiIdentityProvider",
    "aws_iam_policy.permissions": "Permissions",
    "aws_iam_policy.blocked": "Blocked",
    **{f"aws_iam_policy.limit_{number}": f"Limit{number}" for number in range(1, 5)},
    "aws_iam_policy.model_calls": "ModelCalls",
    "aws_iam_role.user": "Role",
    "aws_iam_role.agent": "AgentUser",
    "aws_iam_role.ci": "CiRole",
    "aws_cognito_identity_pool.this": "IdentityPool",
    "aws_cognito_identity_pool_provider_principal_tag.this": "IdentityPoolTags",
    "aws_cognito_identity_pool_roles_attachment.this": "IdentityPoolRole",
    "aws_ssoadmin_permission_set.this": "PermissionSet",
}
ATTACHMENTS = (
    "aws_iam_role_policy_attachment",
    "aws_ssoadmin_customer_managed_policy_attachment",
    "aws_ssoadmin_permissions_boundary_attachment",
)


def of_template(resources):
    """What both sides have in common, by the template's names."""
    # CloudFormation makes up the name of ModelCalls.
    policies = {each["id"]: name for name, each in resources.items() if each["type"] == "AWS::IAM::ManagedPolicy"}
    made = {}
    for name, each in resources.items():
        properties = {snake(key): value for key, value in each["properties"].items()}
        match each["type"]:
            case "AWS::IAM::OIDCProvider":
                chosen = {
                    "url": properties["url"],
                    "client_id_list": properties["client_id_list"],
                    "thumbprint_list": properties.get("thumbprint_list"),
                }
            case "AWS::IAM::ManagedPolicy":
                chosen = {"name": properties.get("managed_policy_name"), "policy": properties["policy_document"]}
            case "AWS::IAM::Role":
                chosen = {
                    "name": properties["role_name"],
                    "assume_role_policy": as_document(properties["assume_role_policy_document"]),
                    "max_session_duration": int(properties.get("max_session_duration", 3600)),
                    "permissions_boundary": policies[properties["permissions_boundary"]],
                    "policies": sorted(policies[arn] for arn in properties["managed_policy_arns"]),
                }
            case "AWS::Cognito::IdentityPool":
                chosen = {
                    **pick(properties, "allow_unauthenticated_identities", "allow_classic_flow"),
                    "openid_connect_provider_arns": each["properties"].get("OpenIdConnectProviderARNs", []),
                    "supported_login_providers": properties.get("supported_login_providers", {}),
                    "cognito_identity_providers": [
                        {snake(key): it for key, it in item.items()}
                        for item in properties.get("cognito_identity_providers", [])
                    ],
                }
            case "AWS::Cognito::IdentityPoolPrincipalTag" | "AWS::Cognito::IdentityPoolRoleAttachment":
                chosen = properties
            case "AWS::SSO::PermissionSet":
                chosen = {
                    **pick(properties, "name", "instance_arn", "description", "session_duration"),
                    "policies": sorted(item["Name"] for item in properties["customer_managed_policy_references"]),
                    "permissions_boundary": properties["permissions_boundary"]["CustomerManagedPolicyReference"][
                        "Name"
                    ],
                }
            case kind:
                raise AssertionError(f"the Terraform modules have no {kind} ({name})")
        made[name] = chosen
    return made


def of_terraform(resources, stack):
    policies = {
        it["arn"]: NAMES[address]
        for address, found in resources.items()
        if address.startswith("aws_iam_policy.")
        for it in found
    }
    made = {}
    for address, instances in resources.items():
        kind, name = address.split(".")
        if kind in ATTACHMENTS:
            continue
        (values,) = instances
        attached, references, boundaries = (resources.get(f"{attachment}.{name}", []) for attachment in ATTACHMENTS)
        match kind:
            case "aws_iam_openid_connect_provider":
                chosen = pick(values, "url", "client_id_list", "thumbprint_list")
            case "aws_iam_policy":
                assert values["name"].startswith(stack), values["name"]
                chosen = {
                    "name": None if name == "model_calls" else values["name"],
                    "policy": json.loads(values["policy"]),
                }
            case "aws_iam_role":
                assert all(it["role"] == values["name"] for it in attached), (
                    f"a policy of {values['name']} is attached to another role"
                )
                chosen = {
                    "name": values["name"],
                    "assume_role_policy": json.loads(values["assume_role_policy"]),
                    "max_session_duration": values["max_session_duration"] or 3600,
                    "permissions_boundary": policies[values["permissions_boundary"]],
                    "policies": sorted(policies[it["policy_arn"]] for it in attached),
                }
            case "aws_cognito_identity_pool":
                chosen = pick(
                    values, "allow_unauthenticated_identities", "allow_classic_flow", "openid_connect_provider_arns"
                )
                chosen |= pick(values, "supported_login_providers", "cognito_identity_providers")
            case "aws_cognito_identity_pool_provider_principal_tag":
                chosen = pick(values, "identity_pool_id", "identity_provider_name", "principal_tags", "use_defaults")
            case "aws_cognito_identity_pool_roles_attachment":
                chosen = pick(values, "identity_pool_id", "roles")
            case "aws_ssoadmin_permission_set":
                ((boundary,),) = [it["permissions_boundary"] for it in boundaries]
                chosen = {
                    **pick(values, "name", "instance_arn", "description", "session_duration"),
                    "policies": sorted(it["customer_managed_policy_reference"][0]["name"] for it in references),
                    "permissions_boundary": boundary["customer_managed_policy_reference"][0]["name"],
                }
            case _:
                raise AssertionError(f"the template has no {address}")
        made[NAMES[address]] = chosen
    return made


def pick(values, *names):
    return {name: values[name] for name in names}


if __name__ == "__main__":
    unittest.main()
