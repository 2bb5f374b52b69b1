"""The `.rpm` in a root with an rpm database, the tarball below a prefix, and all packages for another processor."""

import json
import os
import re
import shutil
import tarfile
import time

from root import Ended, Rpm, on_host
from stage import COMMON, FOREIGN_POLICY, POLICY, REPOSITORY, VERSION, Stage, deb, document, only, same, scenario, is_clean, set_up, still_warm, timed, without_shared_folders

# Runs a program in a user namespace whose kernel passes programs for aarch64 to qemu: since Linux 6.7 each user
# namespace has its own formats (binfmt_misc). The format is an ELF header with this processor's number, executable or
# position independent.
WITH_AARCH64 = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc", r"""
formats=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc none $formats
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf %s ":aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):F" >$formats/register
exec "$@"
""", "sh"]


@scenario
def rpm_install_upgrade_and_removal_leave_nothing(stage: Stage) -> None:
    root = stage.root(Rpm)
    before = root.snapshot()
    began = time.monotonic()
    root.rpm("--install", only(stage.previous, "*.rpm")).well()
    credentials = set_up(stage, root)
    timed("rpm", began)
    assert root.rpm("--verify", "bedrock-sso").well().out == ""
    root.rpm("--upgrade", only(stage.current, "*.rpm")).well()
    assert root.ask("-q", "bedrock-sso").well().out.strip() == f"bedrock-sso-{VERSION}-1.{os.uname().machine}"
    still_warm(stage, root, credentials)
    root.run("bedrock-sso", "logout", "--all", person="alice").well()
    root.run("bedrock-sso", "setup", "--remove", "--yes", person="alice").well()
    root.rpm("--erase", "bedrock-sso").well()
    same(before, root.snapshot())


@scenario
def configured_rpm_applies_and_uninstalls_completely(stage: Stage) -> None:
    root = stage.root(Rpm)
    root.write(POLICY, FOREIGN_POLICY)
    before = root.snapshot()
    root.rpm("--install", only(stage.fleet, "*.rpm")).well()
    assert "CLAUDE_CODE_USE_BEDROCK" in root.path(POLICY).read_text()
    document(root.run("bedrock-sso", "credentials", person="bob"))
    file = root.path("/etc/bedrock-sso/config.toml")
    text = file.read_text()
    file.write_text(text + "# changed here\n")
    root.rpm("--upgrade", only(stage.fleet_next, "*.rpm")).well()
    assert file.read_text().endswith("# changed here\n")
    file.write_text(text)
    root.run("bedrock-sso", "logout", "--all", person="bob").well()
    root.rpm("--erase", "bedrock-sso").well()
    same(before, without_shared_folders(root.snapshot()))


@scenario
def tarball_works_below_a_prefix(stage: Stage) -> None:
    root = stage.root(Rpm)
    root.path("/usr/local").mkdir()
    before = root.snapshot()
    tarball = root.add_file(only(stage.current, "*.tar.gz"))
    root.run("tar", "-xzf", tarball, "-C", "/usr/local", "--strip-components=1").well()
    assert root.run("/usr/local/bin/bedrock-sso", "--version", person="alice").well().out == f"bedrock-sso {VERSION}\n"
    with tarfile.open(only(stage.current, "*.tar.gz")) as archive:
        members = archive.getmembers()
    assert {(each.uid, each.gid, each.name.split("/")[0]) for each in members} == {(0, 0, f"bedrock-sso-{VERSION}-linux-{os.uname().machine}")}
    files = {each.name.split("/", 1)[1] for each in members if each.isfile()}
    documents = {f"share/doc/bedrock-sso/{name}" for name in ["CHANGELOG.md", "LICENSE", "THIRD-PARTY-LICENSES.txt", "config.example.toml"]}
    assert files == {place.removeprefix("usr/") for place in COMMON} | documents | {"share/zsh/site-functions/_bedrock-sso"}, files
    # Runs the command of docs/installing.md. This machine also has the folders that other programs share.
    documented = re.search(r"^sudo (rm -r (?:.*\\\n)*.*)$", (REPOSITORY / "docs/installing.md").read_text(), re.MULTILINE)[1]
    root.run("sh", "-euc", documented).well()
    left = {place: what for place, what in root.snapshot().items() if not what.startswith("d")}
    same({place: what for place, what in before.items() if not what.startswith("d")}, left)


@scenario
def aarch64_packages_have_a_working_program(stage: Stage) -> None:
    folder = stage.make("foreign", "--arch", "aarch64", program=stage.foreign)
    is_clean(folder)
    assert on_host("dpkg-deb", "--field", deb(folder), "Architecture").out == "arm64\n"
    assert on_host("rpm", "-qp", "--queryformat", "%{ARCH}", only(folder, "*.rpm")).out == "aarch64"
    home = stage.out / "foreign-home"
    shutil.rmtree(home, ignore_errors=True)
    on_host("dpkg-deb", "--extract", deb(folder), home).well()
    program = home / "usr/bin/bedrock-sso"
    headers = on_host("readelf", "--wide", "--file-header", "--program-headers", program).well().out
    assert "AArch64" in headers and "DYN (" in headers and "GNU_RELRO" in headers and "INTERP" not in headers, headers
    (home / "config.toml").write_text(stage.world.configuration + f'browser = ["{stage.examples.resolve()}/person", "{{url}}"]\n')
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "BEDROCK_SSO_CONFIG": str(home / "config.toml")}

    # The kernel starts the worker of a sign-in, so the kernel must support the format.
    supports_aarch64 = on_host(*WITH_AARCH64, "true").code == 0

    def run(*words: str) -> Ended:
        return on_host(*(WITH_AARCH64 if supports_aarch64 else ["qemu-aarch64-static"]), program, *words, env=environment)

    assert run("--version").well().out == f"bedrock-sso {VERSION}\n"
    assert json.loads(run("config", "schema").well().out)["title"]
    if supports_aarch64:
        signed_in = run("login").well()
        assert "Signed in as demo@example.com: role BedrockUser in account 123456789012" in signed_in.out, signed_in
    else:
        print("   this kernel does not start programs for aarch64, so this processor's program signs in", flush=True)
        on_host(stage.program, "login", env=environment).well()
    asked = stage.world.asked()
    assert (asked["authorize"], asked["code"], asked["assume"]) == (1, 1, 1), asked
    document(run("credentials"))
    stage.world.start_over()
    signed_out = run("logout", "--all").well()
    assert "The provider revoked the refresh token" in signed_out.err and stage.world.asked()["revoke"] == 1, signed_out
