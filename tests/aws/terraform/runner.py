"""Runs OpenTofu on the modules of packaging/aws/terraform without network, and reads them with HashiCorp's parser."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from terraform import provider_schema

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
AWS = ROOT / "packaging/aws"
MODULES = AWS / "terraform"
WORK = ROOT / "target/aws/terraform"


@functools.lru_cache(None)
def tool(name):
    return subprocess.run([ROOT / ".ci/tools", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def copy_modules(step, *names):
    """A new folder with these modules beside each other, for a main.tf of the test."""
    folder = WORK / step
    shutil.rmtree(folder, ignore_errors=True)
    for name in names:
        shutil.copytree(MODULES / name, folder / name)
    return folder


def tofu(folder, *arguments, fails=False, **environment):
    """Runs OpenTofu and returns what it printed. It can install only the stand-in, so nothing is downloaded."""
    settings = WORK / "tofu.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{WORK}/providers"\n  }}\n}}\n')
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    own = {
        "TF_CLI_CONFIG_FILE": str(settings),
        "TF_IN_AUTOMATION": "yes",
        "TF_INPUT": "0",
        "TF_DISABLE_PLUGIN_TLS": "yes",
        "TF_CLI_ARGS": "-no-color",
    }
    own["GOGC"] = "800"  # half of the time would go into collecting garbage
    command = [tool("opentofu"), f"-chdir={folder}", *arguments]
    done = subprocess.run(
        command, env={**inherited, **own, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode != 0) == fails, (
        f"tofu {' '.join(arguments)} in {folder} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-8000:]}"
    )
    return done.stdout


@functools.lru_cache(None)
def stand_in():
    """Offers the stand-in as the version of hashicorp/aws whose schema it has. Returns its environment."""
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "schema.json").write_text(json.dumps(schema()))
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    folder = WORK / f"providers/registry.opentofu.org/hashicorp/aws/{schema()['version']}/linux_{machine}"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "terraform-provider-aws"
    program.write_text(f'#!/bin/sh\nexec node "{HERE}/stand_in.mjs"\n')
    program.chmod(0o755)
    return {"STAND_IN_MODULES": tool("terraform-parser"), "STAND_IN_SCHEMA": str(WORK / "schema.json")}


@functools.lru_cache(None)
def parsed():
    """Each folder with Terraform files: what is written in the files, and the references in expressions."""
    folders = sorted({file.parent for file in MODULES.rglob("*.tf")})
    command = ["node", HERE / "parse.mjs", tool("terraform-parser"), *folders]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def written(module, kind):
    """The blocks of one kind in all files of a module, by their names."""
    found = {}
    for file in parsed()[str(MODULES / module)]["files"].values():
        found.update(file.get(kind, {}))
    return found


@functools.lru_cache(None)
def schema():
    """The provider's schema of all resources and data sources that the modules use."""
    used = {"resource": set(), "data": set()}
    for folder in parsed().values():
        for file in folder["files"].values():
            for kind, names in used.items():
                names.update(file.get(kind, {}))
    cache = ROOT / "target/aws/terraform-provider-schema.json"
    return provider_schema.load(Path(tool("terraform-provider-aws")), cache, used["resource"], used["data"])
