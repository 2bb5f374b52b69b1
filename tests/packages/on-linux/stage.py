"""The packages of one program, the systems to install them on, and functions for all scenarios."""

import argparse
import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from root import Ended, Root, Rpm, on_host

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path += [str(REPOSITORY / "tests/windows"), str(REPOSITORY / "tests/packages")]
from world import World  # noqa: E402

PACKAGE = REPOSITORY / "packaging/linux/package"
SCENARIOS = []
VERSION = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
PREVIOUS = "0.0.9"
QUICKLY = {"BEDROCK_SSO_PACKAGE_COMPRESSION": "1"}
# Claude Code's managed settings, and settings that another tool may have written there.
POLICY = "/etc/claude-code/managed-settings.json"
FOREIGN_POLICY = '{\n  // ours\n  "permissions": { "deny": ["WebFetch"] },\n  "env": { "TEAM": "blue" }\n}'
# The files that every package has. Each system adds its own.
COMMON = {
    "usr/bin/bedrock-sso": "-rwxr-xr-x",
    "usr/share/bash-completion/completions/bedrock-sso": "-rw-r--r--",
    "usr/share/fish/vendor_completions.d/bedrock-sso.fish": "-rw-r--r--",
    "usr/share/man/man1/bedrock-sso.1.gz": "-rw-r--r--",
}


def scenario(function):
    """Adds a scenario; they run in this order."""
    SCENARIOS.append(function)
    return function


class Stage:
    """The packages, and the systems to install them on."""

    def __init__(self, given: argparse.Namespace, world: World):
        self.out, self.program, self.foreign, self.examples, self.world = given.out, given.program, given.foreign, given.examples, world
        self.reuses_packages = given.reuse
        self.roots: list[Root] = []

    def make(self, name: str, *words: object, program: Path | None = None, **variables: str) -> Path:
        folder = self.out / name
        if self.reuses_packages and folder.exists() and "--config" not in words:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        made = on_host(PACKAGE, "--out", folder, "--program", program or self.program, *words, env=os.environ | variables).well()
        files = made.out.splitlines()
        assert files and all(Path(file).is_file() for file in files), made
        return folder

    def make_all(self) -> None:
        """Makes packages of one program: with the previous version, with this one, and with an organisation's configuration."""
        acme = self.out / "acme.toml"
        # The browser has the same path in every root.
        acme.write_text(self.world.configuration + self.some_browser())
        # Compression uses a whole core.
        with ThreadPoolExecutor(os.cpu_count()) as many:
            made = [
                many.submit(self.make, "current"),
                many.submit(self.make, "previous", BEDROCK_SSO_PACKAGE_VERSION=PREVIOUS, **QUICKLY),
                many.submit(self.make, "fleet", "--config", acme, **QUICKLY),
                many.submit(self.make, "fleet-next", "--config", acme, BEDROCK_SSO_PACKAGE_RELEASE="2", **QUICKLY),
            ]
        self.current, self.previous, self.fleet, self.fleet_next = [each.result() for each in made]

    def some_browser(self) -> str:
        root = self.root(Rpm)
        browser = root.browser()
        root.leave()
        return browser

    def root(self, kind: type[Root]) -> Root:
        root = kind(self.out / "root", self.examples)
        self.roots.append(root)
        return root

    def start_over(self) -> None:
        self.world.start_over()
        while self.roots:
            self.roots.pop().leave()


def only(folder: Path, pattern: str) -> Path:
    [file] = folder.glob(pattern)
    return file


def deb(folder: Path) -> Path:
    return only(folder, "*.deb")


def document(ended: Ended) -> dict:
    """The one JSON document that SDKs read. stderr must be empty."""
    ended.well()
    assert ended.err == "", ended
    found = json.loads(ended.out)
    assert sorted(found) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"], sorted(found)
    return found


def set_up(stage: Stage, root: Root, person: str = "alice") -> dict:
    """README's first sign-in: sets up, signs in, and returns the document that an SDK reads."""
    root.write("/fixtures/world.toml", stage.world.configuration + root.browser())
    root.run("bedrock-sso", "setup", "--yes", "--from", "/fixtures/world.toml", person=person).well()
    signed_in = root.run("bedrock-sso", "login", person=person).well()
    assert "Signed in as demo@example.com: role BedrockUser in account 123456789012" in signed_in.out, signed_in
    return document(root.run("bedrock-sso", "credentials", person=person))


def still_warm(stage: Stage, root: Root, before: dict) -> None:
    """Checks that the document is the same, and that the program sent no request."""
    stage.world.start_over()
    assert document(root.run("bedrock-sso", "credentials", person="alice")) == before
    assert stage.world.asked() == {}, stage.world.asked()


def same(before: dict[str, str], after: dict[str, str]) -> None:
    differences = {place: (before.get(place), after.get(place)) for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    assert not differences, f"before and after: {differences}"


def timed(what: str, began: float) -> None:
    took = time.monotonic() - began
    print(f"   {what}: {took:.1f} s from installation to first credentials", flush=True)
    assert took < 60, f"{took:.1f} s"


def is_clean(folder: Path) -> None:
    """Checks that lintian and rpmlint report neither an error nor a warning."""
    judged = on_host("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", 0, deb(folder))
    assert judged.code == 0 and judged.out == "", judged
    judged = on_host("rpmlint", "-c", REPOSITORY / "packaging/linux/rpm/rpmlint.toml", only(folder, "*.rpm")).well()
    assert "1 packages and 0 specfiles checked; 0 errors, 0 warnings" in judged.out, judged


def without_shared_folders(snapshot: dict[str, str]) -> dict[str, str]:
    """The snapshot without folders in a home that programs share, which the first program creates."""
    return {place: what for place, what in snapshot.items() if not re.fullmatch(r"home/\w+/\.local(/share)?", place)}
