"""The installer script, scenario by scenario. Each begins with a user who never used it and a complete release.

`script` installs the shells and tools, and runs this file.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from base64 import b64decode, b64encode
from pathlib import Path

from person import SHELLS, Ended, Person, resolved
from release import PACKAGING, REPOSITORY, Release, Server, archive_of, as_version, make_key

sys.path.append(str(REPOSITORY / "tests/windows"))
from world import World  # noqa: E402

SCENARIOS = []
VERIFIERS = ["minisign", "openssl", "ssh-keygen"]
# The files of an installation.
PLACES = [
    "bin/bedrock-sso",
    "lib/bedrock-sso/installed",
    "share/bash-completion/completions/bedrock-sso",
    "share/fish/vendor_completions.d/bedrock-sso.fish",
    "share/man/man1/bedrock-sso.1",
    "share/zsh/site-functions/_bedrock-sso",
]


def scenario(function):
    SCENARIOS.append(function)
    return function


class Stage:
    def __init__(self, folder: Path, program: Path, world: str):
        self.folder, self.world_program = folder, world
        self.key, self.other_key = make_key(folder / "key"), make_key(folder / "other-key")
        self.server = Server()
        self.program = program.read_bytes()
        self.old, self.new = (self.release(version) for version in ("0.1.0", "0.2.0"))
        self.person = Person(folder / "person")
        self.copies = 0

    def release(self, version: str) -> Release:
        program = as_version(self.program, version)
        return self.server.add(Release(self.folder / f"v{version}", version, program, self.key, self.server.address))

    def start_over(self) -> None:
        self.person.start_over()
        self.server.start_over(self.old)

    def copy(self, release: Release) -> Release:
        self.copies += 1
        return release.copy(self.folder / f"copy-{self.copies}")

    @property
    def prefix(self) -> Path:
        return self.person.home / ".local"

    @property
    def installed(self) -> Path:
        return self.prefix / "bin/bedrock-sso"

    def install(self, *words: object, script: Path | None = None) -> Ended:
        return self.person.script(script or self.old.script, *words)


def ok(ended: Ended, first: str) -> None:
    assert ended.code == 0 and ended.stderr == "", ended
    assert ended.stdout.splitlines()[0] == first, ended


def refused(stage: Stage, ended: Ended, what: str, hint: str, code: int = 1) -> None:
    """Checks the two lines of a failure, and that nothing in the home has changed."""
    assert (ended.code, ended.stdout) == (code, ""), ended
    assert re.fullmatch(rf"install\.sh: {what}\n  hint: {hint}\n", ended.stderr), ended.stderr
    assert untouched(stage), stage.person.files().keys()


def untouched(stage: Stage) -> bool:
    return list(stage.person.files()) == ["home/.bashrc"]


@scenario
def each_shell_installs_and_a_second_run_changes_nothing(stage: Stage) -> None:
    person = stage.person
    for shell in SHELLS:
        stage.start_over()
        person.variables["PATH"] = f"{person.tools}:{stage.prefix}/bin"
        first = person.script(stage.old.script, shell=shell)
        line = f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin"
        assert first == (0, f"{line}\n  next: bedrock-sso setup\n", ""), (shell, first)
        found = sorted(str(path.relative_to(stage.prefix)) for path in stage.prefix.rglob("*") if path.is_file())
        assert found == PLACES, (shell, found)
        assert person.run(stage.installed, "--version") == (0, "bedrock-sso 0.1.0\n", "")
        before, times = person.files(), {place: (stage.prefix / place).stat().st_mtime_ns for place in PLACES}
        stage.server.asked.clear()
        assert person.script(stage.old.script, shell=shell) == (0, f"bedrock-sso 0.1.0 is already installed in {stage.prefix}/bin\n", ""), shell
        assert person.files() == before and stage.server.asked == ["SHA256SUMS", "SHA256SUMS.minisig"], shell
        assert times == {place: (stage.prefix / place).stat().st_mtime_ns for place in PLACES}, shell


@scenario
def folder_installs_without_a_network(stage: Stage) -> None:
    stage.person.may_use("minisign", "sha256sum")
    ok(stage.install("--from", stage.old.folder), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
    stage.person.variables["BEDROCK_SSO_RELEASES"] = str(stage.new.folder)
    ok(stage.install(), f"bedrock-sso 0.2.0 replaced 0.1.0 in {stage.prefix}/bin. You stay signed in.")
    assert stage.server.asked == []


@scenario
def mirror_serves_one_release_or_all_releases(stage: Stage) -> None:
    mirror = stage.server.address
    ok(stage.install("--from", f"{mirror}/download/v0.2.0/"), f"bedrock-sso 0.2.0 is installed in {stage.prefix}/bin")
    refusal = stage.install("--from", f"{mirror}/download/v0.2.0", "--version", "0.1.0")
    assert refusal.stderr.startswith("install.sh: this is release 0.2.0, not 0.1.0\n"), refusal
    ok(stage.install("--from", mirror, "--version", "v0.1.0"), f"bedrock-sso 0.1.0 replaced 0.2.0 in {stage.prefix}/bin. You stay signed in.")


@scenario
def each_downloader_installs_and_reports_a_cut_download(stage: Stage) -> None:
    for downloader in ({"curl": resolved("curl")}, {"wget": resolved("wget")}, {"wget": resolved("busybox")}):
        stage.start_over()
        stage.person.may_use("minisign", "sha256sum", **downloader)
        ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
        stage.server.cut = stage.new.archive.name
        stage.server.latest = stage.new
        refusal = stage.install()
        assert refusal.code == 1 and "0.2.0" in refusal.stderr and "\n  hint: " in refusal.stderr, refusal
        assert stage.person.run(stage.installed, "--version").stdout == "bedrock-sso 0.1.0\n"


@scenario
def each_verifier_accepts_the_release_and_rejects_forgeries(stage: Stage) -> None:
    forged = r"the signature of SHA256SUMS does not match the release key: the files are forged or damaged"
    for verifier in VERIFIERS:
        for checksum in ("sha256sum", "shasum", "openssl"):
            if checksum == "openssl" and verifier != "openssl":
                continue
            stage.start_over()
            stage.person.may_use(verifier, checksum, "base64")
            ok(stage.install("--from", stage.old.folder), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
        for spoil in (changed_sums, another_key, signature_of_another, torn_signature, empty_signature):
            stage.start_over()
            stage.person.may_use(verifier, "sha256sum", "base64")
            release = stage.copy(stage.old)
            script = stage.old.script
            spoil(stage, release)
            refused(stage, stage.install("--from", release.folder, script=script), forged, f"install nothing from {release.folder}; .*")


def changed_sums(_: Stage, release: Release) -> None:
    release.sums.write_text(release.sums.read_text().replace("a", "b", 1))


def another_key(stage: Stage, release: Release) -> None:
    release.key = stage.other_key
    release.seal()


def signature_of_another(stage: Stage, release: Release) -> None:
    for name in ("SHA256SUMS.minisig", "SHA256SUMS.sshsig"):
        (release.folder / name).write_bytes((stage.new.folder / name).read_bytes())


def torn_signature(_: Stage, release: Release) -> None:
    for name in ("SHA256SUMS.minisig", "SHA256SUMS.sshsig"):
        whole = (release.folder / name).read_bytes()
        (release.folder / name).write_bytes(whole[: len(whole) // 2])


def empty_signature(_: Stage, release: Release) -> None:
    for name in ("SHA256SUMS.minisig", "SHA256SUMS.sshsig"):
        (release.folder / name).write_bytes(b"")


@scenario
def changed_signature_comment_is_rejected(stage: Stage) -> None:
    release = stage.copy(stage.old)
    signature = release.folder / "SHA256SUMS.minisig"
    signature.write_text(signature.read_text().replace("bedrock-sso 0.1.0", "bedrock-sso 0.9.0"))
    for verifier in ("minisign", "openssl"):
        stage.person.may_use(verifier, "sha256sum")
        refused(stage, stage.install("--from", release.folder, script=stage.old.script), "the signature .*", "install nothing .*")


@scenario
def old_openssl_and_libressl_are_not_used(stage: Stage) -> None:
    for version in ("OpenSSL 1.1.1w  11 Sep 2023", "LibreSSL 3.3.6"):
        stage.start_over()
        stage.person.may_use("ssh-keygen", "sha256sum", "base64")
        stage.person.tool("openssl", f'#!{resolved("sh")}\nif [ "$1" = version ]; then echo "{version}"; else exec {resolved("openssl")} "$@"; fi\n')
        ok(stage.install("--from", stage.old.folder), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")


@scenario
def changed_archive_is_rejected(stage: Stage) -> None:
    for spoil in (lambda content: content + b"\0", lambda content: content[:-1], lambda _: b""):
        release = stage.copy(stage.old)
        release.archive.write_bytes(spoil(release.archive.read_bytes()))
        refused(stage, stage.install("--from", release.folder), rf"{re.escape(release.archive.name)} does not match its checksum: .*", "try again; .*")


@scenario
def incomplete_release_names_the_missing_file(stage: Stage) -> None:
    for name in ("SHA256SUMS", "SHA256SUMS.minisig", stage.old.archive.name):
        release = stage.copy(stage.old)
        (release.folder / name).unlink()
        refused(stage, stage.install("--from", release.folder), f"{release.folder} has no {name}", "copy all files of one release into it")
    ended = stage.install("--version", "0.3.0")
    assert ended.code == 1 and "/download/v0.3.0/SHA256SUMS\n  hint: check the network" in ended.stderr, ended
    assert untouched(stage)


@scenario
def missing_tools_are_named(stage: Stage) -> None:
    person, old = stage.person, stage.old
    person.may_use("minisign", "sha256sum")
    refused(stage, stage.install(), "neither curl nor wget is installed", "install one of them, or download the release's files and pass --from FOLDER")
    person.may_use("curl", "sha256sum")
    refused(stage, stage.install(), "cannot verify the signature: none of minisign, OpenSSL 3 and ssh-keygen is installed", "install minisign, or pass --sha256 .*")
    person.may_use("minisign")
    refused(stage, stage.install("--from", old.folder), "none of sha256sum, shasum and openssl is installed", "install one of them .*")
    person.may_use("minisign", "sha256sum")
    (person.tools / "tar").unlink()
    refused(stage, stage.install("--from", old.folder), "tar is not installed", "install tar")


@scenario
def given_checksum_replaces_the_signature(stage: Stage) -> None:
    stage.person.may_use("sha256sum")
    sum_of_archive = subprocess.run(["sha256sum", stage.old.archive], capture_output=True, text=True, check=True).stdout.split()[0]
    wrong = "0" * 64
    refused(stage, stage.install("--from", stage.old.folder, "--sha256", wrong), ".* does not match its checksum: .*", ".*")
    refused(stage, stage.install("--from", stage.old.folder, "--sha256", "abc"), "--sha256 needs 64 hexadecimal digits", "sh install.sh --help", code=2)
    ok(stage.install("--from", stage.old.folder, "--sha256", sum_of_archive.upper()), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")


@scenario
def script_without_release_key_installs_nothing(stage: Stage) -> None:
    source = PACKAGING / "install.sh"
    refused(stage, stage.install(script=source), "this copy of install.sh has no download address", "download install.sh from a release, .*")
    refused(stage, stage.install("--from", stage.old.folder, script=source), "this copy of install.sh has no release key, .*", "download install.sh from a release, .*")


@scenario
def endless_download_is_cut_off(stage: Stage) -> None:
    for downloader in ({"curl": resolved("curl")}, {"wget": resolved("wget")}, {"wget": resolved("busybox")}):
        for name in ("SHA256SUMS", stage.old.archive.name):
            stage.start_over()
            stage.person.may_use("minisign", "sha256sum", **downloader)
            stage.server.endless = name
            ended = stage.install()
            assert ended.code == 1 and ended.stdout == "" and untouched(stage), (downloader, name, ended)
            assert stage.server.sent < 1 << 28, f"{downloader} read all of {name}"


@scenario
def planted_link_is_not_followed(stage: Stage) -> None:
    for shell in SHELLS:
        stage.start_over()
        victim = stage.person.home / "victim"
        victim.write_text("precious")
        for place in ("bin/.bedrock-sso.new", "lib/bedrock-sso/installed.new"):
            link = stage.prefix / place
            link.parent.mkdir(parents=True)
            link.symlink_to(victim)
        ended = stage.person.script(stage.old.script, shell=shell)
        assert ended.code == 0, (shell, ended)
        assert victim.read_text() == "precious" and victim.stat().st_mode & 0o777 == 0o644, shell
        assert stage.person.run(stage.installed, "--version").stdout == "bedrock-sso 0.1.0\n", shell


@scenario
def plain_http_is_accepted_for_loopback_only(stage: Stage) -> None:
    for address in (
        "http://example.com/releases",
        "http://127.0.0.1.example.com:80/x",
        "http://localhost:1@evil.example/x",
        "http://127.0.0.1:80@evil.example:81/x",
        "http://localhost:1\\@evil.example/x",
        "http://localhost:1?@evil.example/x",
        "http://localhost:/x",
        "http://localhost/x",
        "ftp://127.0.0.1:1/x",
        "file:///tmp",
    ):
        refused(stage, stage.install("--from", address), re.escape(f"{address} is not an https address"), "use an address that begins with https://, or a folder")


@scenario
def unknown_options_are_usage_errors(stage: Stage) -> None:
    for words, what in ((["--prefx", "x"], "unknown option: --prefx"), (["--version"], "--version needs a value"), (["--version", "latest"], "latest is not a version such as 0.1.0")):
        refused(stage, stage.install(*words), re.escape(what), "sh install.sh --help", code=2)
    usage = stage.install("--help")
    assert usage.code == 0 and usage.stderr == "" and "--uninstall" in usage.stdout, usage


@scenario
def each_system_selects_its_archive(stage: Stage) -> None:
    cases = {
        "Linux aarch64": "linux-aarch64", "Linux arm64": "linux-aarch64", "Darwin arm64": "macos", "Darwin x86_64": "macos",
    }
    for machine, platform in cases.items():
        system(stage, machine)
        refused(stage, stage.install(), f"this release has no archive for {platform}", "choose another release: --version V")
    for machine, what, hint in (("Linux riscv64", "bedrock-sso is not available for Linux on riscv64", "build it .*"), ("MINGW64_NT-10.0 x86_64", "this is Windows", "run install.ps1 in PowerShell")):
        system(stage, machine)
        refused(stage, stage.install(), what, hint)


def system(stage: Stage, machine: str) -> None:
    name, processor = machine.split()
    stage.person.tool("uname", f'#!{resolved("sh")}\nif [ "$1" = -m ]; then echo {processor}; else echo {name}; fi\n')


@scenario
def truncated_script_does_nothing(stage: Stage) -> None:
    text = stage.old.script.read_bytes()
    for part in range(1, 40):
        stage.person.run("dash", stdin=text[: len(text) * part // 40])
        assert untouched(stage), part
    piped = stage.person.run("dash", "-s", "--", "--version", "0.1.0", stdin=text)
    ok(piped, f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")


@scenario
def interrupted_run_leaves_the_previous_state(stage: Stage) -> None:
    person = stage.person
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for latest, installed in ((stage.old, None), (stage.new, "bedrock-sso 0.1.0\n")):
            stage.start_over()
            if installed:
                ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
            before = person.files()
            stage.server.latest, stage.server.stall = latest, latest.archive.name
            running = person.begin(stage.old.script)
            assert stage.server.stalled.wait(20)
            # As a terminal does: sends the signal to the script and its children.
            os.killpg(running.pid, number)
            assert running.wait(20) != 0
            stage.server.go_on.set()
            assert person.files() == before, (number, latest.version)


@scenario
def next_run_repairs_what_a_killed_run_left(stage: Stage) -> None:
    ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
    whole = stage.person.files()
    (stage.prefix / "bin/.bedrock-sso.new").write_bytes(b"half")
    (stage.prefix / PLACES[4]).unlink()
    stage.installed.write_bytes(b"torn")
    stage.installed.chmod(0o755)
    ok(stage.install(), f"bedrock-sso 0.1.0 was repaired in {stage.prefix}/bin")
    assert stage.person.files() == whole


@scenario
def older_release_installs_only_if_named(stage: Stage) -> None:
    stage.server.latest = stage.new
    ok(stage.install(), f"bedrock-sso 0.2.0 is installed in {stage.prefix}/bin")
    before = stage.person.files()
    stage.server.latest = stage.old
    refusal = stage.install()
    assert refusal == (1, "", "install.sh: release 0.1.0 is older than the installed version, 0.2.0\n  hint: to install it anyway, pass --version 0.1.0\n"), refusal
    assert stage.person.files() == before
    ok(stage.install("--version", "0.1.0"), f"bedrock-sso 0.1.0 replaced 0.2.0 in {stage.prefix}/bin. You stay signed in.")


@scenario
def versions_are_ordered_by_their_numbers(stage: Stage) -> None:
    text = stage.old.script.read_text().rsplit('main "$@"', 1)[0]
    for one, other, older in (("0.9.0", "0.10.0", 0), ("0.10.0", "0.9.0", 1), ("1.0.0", "1.0.0", 1), ("1.0.0-rc.1", "1.0.0", 0), ("1.0.0", "1.0.0-rc.1", 1), ("2.0.0", "1.9.9", 1)):
        for shell in SHELLS.values():
            assert stage.person.run(*shell, "-c", f"{text}\nis_older {one} {other}").code == older, (one, other, shell)


@scenario
def broken_program_replaces_nothing(stage: Stage) -> None:
    ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
    before = stage.person.files()
    for program, output in ((b"#!/bin/sh\nexit 3\n", "nothing"), (b"\x7fELF", "nothing"), (b"#!/bin/sh\necho bedrock-sso 0.3.0\n", "bedrock-sso 0.3.0")):
        release = stage.copy(stage.new)
        release.archive.write_bytes(archive_of({"bedrock-sso": program}))
        release.seal()
        refusal = stage.install("--from", release.folder)
        assert refusal.code == 1 and f"the program does not run in {stage.prefix}/bin: it printed {output}" in refusal.stderr, refusal
        assert stage.person.files() == before
    release = stage.copy(stage.new)
    release.archive.write_bytes(archive_of({"README": b"nothing else"}))
    release.seal()
    assert f"{release.archive.name} does not contain the program" in stage.install("--from", release.folder).stderr
    assert stage.person.files() == before


@scenario
def prefix_may_have_spaces_and_be_relative(stage: Stage) -> None:
    prefix = stage.person.home / "Zoë O. Ünal" / "my programs"
    before = stage.person.files()
    ok(stage.install("--prefix", "home/Zoë O. Ünal/my programs/"), f"bedrock-sso 0.1.0 is installed in {prefix}/bin")
    ok(stage.install("--prefix", prefix), f"bedrock-sso 0.1.0 is already installed in {prefix}/bin")
    ok(stage.install("--prefix", prefix, "--version", "0.2.0"), f"bedrock-sso 0.2.0 replaced 0.1.0 in {prefix}/bin. You stay signed in.")
    ok(stage.install("--prefix", prefix, "--uninstall", "--keep-sign-in"), f"bedrock-sso is removed from {prefix}")
    assert stage.person.files() == before


@scenario
def unwritable_folder_is_named(stage: Stage) -> None:
    locked = stage.person.home / "locked"
    locked.mkdir(mode=0o555)
    # Root may write everywhere, so another user tries.
    for path in (stage.folder, stage.person.scratch):
        path.chmod(0o777)
    ended = stage.person.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", resolved("dash"), stage.old.script, "--prefix", locked / "opt")
    assert ended == (1, "", f"install.sh: cannot write to {locked}/opt\n  hint: pass --prefix with a folder that you own; root is not needed\n"), ended
    assert list(locked.iterdir()) == [] and list(stage.person.scratch.iterdir()) == []
    stage.person.variables["HOME"] = ""
    ended = stage.install()
    assert ended == (1, "", "install.sh: HOME is not set\n  hint: pass --prefix FOLDER\n"), ended


@scenario
def missing_path_entry_is_explained(stage: Stage) -> None:
    programs = f"{stage.prefix}/bin"
    for shell, line in (("/bin/bash", f"    echo 'export PATH=\"{programs}:$PATH\"' >>~/.profile"), ("/usr/bin/zsh", f"    echo 'export PATH=\"{programs}:$PATH\"' >>~/.zshrc"), ("/usr/bin/fish", f"    fish_add_path '{programs}'")):
        stage.start_over()
        stage.person.variables["SHELL"] = shell
        assert stage.install().stdout.splitlines()[1:] == [f"  {programs} is not on your PATH. To add it for new shells, run:", line]
    stage.start_over()
    stage.person.tool("bedrock-sso", "")
    stage.person.variables["PATH"] = f"{stage.person.tools}:{programs}"
    assert stage.install().stdout.splitlines()[1:] == [f"  warning: {stage.person.tools}/bedrock-sso comes first on your PATH. Remove one of them."]


class Signed:
    """A user who has installed and set up bedrock-sso, and signed in at the test world."""

    def __init__(self, stage: Stage, world: World):
        self.stage, self.world, person = stage, world, stage.person
        world.start_over()
        (person.home / ".aws").mkdir()
        (person.home / ".aws/config").write_text("[default]\nregion = eu-west-1")
        (person.home / ".claude").mkdir()
        (person.home / ".claude/settings.json").write_text('{"model": "opus"}')
        person.variables["PERSON_ACT"] = "signs-in"
        self.before = person.files()
        ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
        addresses = world.addresses
        browser = f'["{Path(stage.world_program).with_name("person")}", "{{url}}"]'
        facts = {"storage": "file", "sts_endpoint": addresses["sts_endpoint"], "browser": browser}
        words = ["--issuer", addresses["issuer"], "--client-id", addresses["client_id"], "--role-arn", addresses["role_arn"], "--region", "us-east-1"]
        for key, value in facts.items():
            words += ["--set", f"{key}={value}"]
        setup = person.run(stage.installed, "setup", "--yes", *words)
        assert setup.code == 0, setup
        login = person.run(stage.installed, "login")
        assert login.code == 0 and "demo@example.com" in login.stdout, login
        self.document = self.credentials()

    def credentials(self) -> str:
        ended = self.stage.person.run(self.stage.installed, "credentials", "--no-login")
        assert ended.code == 0 and ended.stderr == "", ended
        return ended.stdout


def in_world(function):
    def run(stage: Stage) -> None:
        world = World(stage.world_program)
        try:
            function(stage, lambda: Signed(stage, world))
        finally:
            world.close()

    run.__name__ = function.__name__
    SCENARIOS.append(run)
    return function


@in_world
def upgrade_preserves_the_sign_in(stage: Stage, sign_in) -> None:
    signed = sign_in()
    asked = signed.world.asked()
    stage.server.latest = stage.new
    ok(stage.install(), f"bedrock-sso 0.2.0 replaced 0.1.0 in {stage.prefix}/bin. You stay signed in.")
    assert stage.person.run(stage.installed, "--version").stdout == "bedrock-sso 0.2.0\n"
    assert signed.credentials() == signed.document and signed.world.asked() == asked
    # And the downgrade.
    ok(stage.install("--version", "0.1.0"), f"bedrock-sso 0.1.0 replaced 0.2.0 in {stage.prefix}/bin. You stay signed in.")
    assert signed.credentials() == signed.document and signed.world.asked() == asked


@in_world
def uninstall_leaves_no_file(stage: Stage, sign_in) -> None:
    for terminal in (False, True):
        stage.start_over()
        signed = sign_in()
        if terminal:
            code, seen = stage.person.at_terminal("dash", stage.old.script, "--uninstall", answers=["", "y"])
            assert code == 0 and "logout --all) [Y/n]" in seen and "setup --remove) [Y/n]" in seen, seen
        else:
            ended = stage.install("--uninstall", "--yes")
            assert ended.code == 0, ended
        assert stage.person.files() == signed.before, difference(stage.person.files(), signed.before)
        assert signed.world.asked()["revoke"] > 0


@in_world
def preserved_sign_in_works_after_reinstallation(stage: Stage, sign_in) -> None:
    for terminal in (False, True):
        stage.start_over()
        signed = sign_in()
        everything = stage.person.files()
        if terminal:
            code, seen = stage.person.at_terminal("dash", stage.old.script, "--uninstall", answers=["n", "N"])
            assert code == 0 and seen.splitlines()[-1] == f"bedrock-sso is removed from {stage.prefix}", seen
        else:
            ok(stage.install("--uninstall", "--keep-sign-in"), f"bedrock-sso is removed from {stage.prefix}")
        assert not stage.installed.exists() and "revoke" not in signed.world.asked()
        assert all(not (stage.prefix / place).exists() for place in PLACES)
        ok(stage.install(), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")
        after = stage.person.files()
        manifest = "home/.local/lib/bedrock-sso/installed"
        everything.pop(manifest), after.pop(manifest)
        assert after == everything, difference(after, everything)
        assert signed.credentials() == signed.document


@in_world
def sign_out_alone_preserves_the_setup(stage: Stage, sign_in) -> None:
    sign_in()
    code, seen = stage.person.at_terminal("dash", stage.old.script, "--uninstall", answers=["y", "n"])
    assert code == 0, seen
    left = stage.person.files()
    assert b"credential_process" in left["home/.aws/config"][2] and not any(name.endswith((".sign-in", ".credentials", "/key")) for name in left), left.keys()


@in_world
def uninstall_without_a_terminal_removes_nothing(stage: Stage, sign_in) -> None:
    sign_in()
    before = stage.person.files()
    ended = stage.install("--uninstall")
    assert ended == (1, "", "install.sh: there is no terminal to ask at\n  hint: pass --yes (sign out and undo the changes of setup) or --keep-sign-in\n"), ended
    assert stage.person.files() == before


@scenario
def uninstall_without_installation_fails(stage: Stage) -> None:
    refused(stage, stage.install("--uninstall", "--yes"), f"install.sh has not installed bedrock-sso in {stage.prefix}", "pass --prefix .*")


def difference(one: dict, other: dict) -> str:
    changed = [name for name in one.keys() & other.keys() if one[name] != other[name]]
    return f"more: {sorted(one.keys() - other.keys())}, less: {sorted(other.keys() - one.keys())}, changed: {changed}"


@scenario
def release_needs_the_projects_key(stage: Stage) -> None:
    folder = stage.folder / "made"
    folder.mkdir()
    (folder / "file").write_text("x")
    missing, key, other = stage.folder / "absent.pub", stage.key / "minisign.key", stage.other_key / "minisign.pub"
    # With a password, minisign stores how its key is derived: "Sc".
    locked = stage.folder / "locked.key"
    comment, secret = key.read_text().splitlines()
    locked.write_text(f"{comment}\n{b64encode(b'EdSc' + b64decode(secret)[4:]).decode()}\n")
    for command, message in (
        ([PACKAGING / "installers", folder, "https://example.com/releases", missing], "absent.pub is missing"),
        ([PACKAGING / "installers", folder, "http://example.com/releases", other], "is not an address of releases"),
        ([PACKAGING / "installers", folder, "https://example.com/releases", key], "is not a public key of minisign"),
        ([PACKAGING / "sums", folder, "0.1.0", key, missing], "absent.pub is missing"),
        ([PACKAGING / "sums", folder, "0.1.0", key, other], "do not belong together"),
        ([PACKAGING / "sums", folder, "0.1.0", locked, stage.key / "minisign.pub"], "has a password"),
        ([PACKAGING / "sums", folder, "0.1.0", other, other], "is not a key of minisign"),
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr, done
        assert [path.name for path in folder.iterdir()] == ["file"], list(folder.iterdir())


@scenario
def minisign_verifies_a_release_with_its_own_key(stage: Stage) -> None:
    key = stage.folder / "real-key"
    key.mkdir()
    subprocess.run(["minisign", "-G", "-W", "-p", key / "minisign.pub", "-s", key / "minisign.key"], capture_output=True, check=True)
    release = stage.copy(stage.old)
    release.key = key
    release.seal()
    done = subprocess.run(["minisign", "-Vm", release.sums, "-p", key / "minisign.pub"], capture_output=True, text=True)
    assert done.returncode == 0 and "Trusted comment: bedrock-sso 0.1.0" in done.stdout, done
    for verifier in VERIFIERS:
        stage.start_over()
        stage.person.may_use(verifier, "sha256sum", "base64")
        ok(stage.install("--from", release.folder, script=release.script), f"bedrock-sso 0.1.0 is installed in {stage.prefix}/bin")


@scenario
def powershell_scripts_parse_and_are_ascii(_: Stage) -> None:
    import tree_sitter_powershell
    from tree_sitter import Language, Parser

    # Windows PowerShell reads a file without a byte order mark in the system's code page.
    parser = Parser(Language(tree_sitter_powershell.language()))
    for script in (*(REPOSITORY / "tests/packages").glob("*.ps1"), PACKAGING / "install.ps1"):
        text = script.read_bytes()
        assert text.isascii() and not parser.parse(text).root_node.has_error, script
    # The script for a fleet has the mark, because a configuration may have any letter in it.
    made = (REPOSITORY / "tests/setup/fleet/windows/Install-Configuration.ps1").read_bytes()
    assert made.startswith(b"\xef\xbb\xbf") and not parser.parse(made[3:]).root_node.has_error
    assert parser.parse(text.replace(b"try {", b"try ", 1)).root_node.has_error


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", type=lambda file: Path(file).resolve(), required=True)
    arguments.add_argument("--world", type=lambda file: str(Path(file).resolve()), required=True)
    arguments.add_argument("--only", default="")
    chosen = arguments.parse_args()
    # The parent process may ignore these signals (`nohup`, a background job), and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="bedrock-sso-script-") as folder:
        stage = Stage(Path(folder), chosen.program, chosen.world)
        for run in SCENARIOS:
            if chosen.only not in run.__name__:
                continue
            began = time.monotonic()
            stage.start_over()
            try:
                run(stage)
                passed += 1
                print(f"ok    {run.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception:
                failed += 1
                print(f"WRONG {run.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
