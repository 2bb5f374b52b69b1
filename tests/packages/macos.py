"""The packages for macOS, scenario by scenario: their content, and their effect on a machine.

`macos` installs the tools, builds the programs, and runs this file.
"""

import argparse
import hashlib
import json
import os
import plistlib
import re
import shutil
import struct
import subprocess
import sys
import time
import traceback
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import lief
import pyapplebom
import licenses
from mac import PROGRAM, Ended, Mac, write

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "tests/windows"))
from world import World  # noqa: E402

VERSION = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
IDENTIFIER = "io.github.bedrock-sso"
MOMENT = "1700000000"
RELEASES = "https://example.com/acme/bedrock-sso/releases"
SHARE = "usr/local/share"
SUPPORT = "Library/Application Support/bedrock-sso"
POLICY = "etc/claude-code/managed-settings.json"
FOREIGN_POLICY = '{\n  // ours\n  "permissions": { "deny": ["WebFetch"] }\n}'
UNINSTALL = f"/{SHARE}/bedrock-sso/uninstall"
FOLDER, FILE, EXECUTABLE = "drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"
COMMON = {
    "bin/bedrock-sso": EXECUTABLE,
    "share/bash-completion/completions/bedrock-sso": FILE,
    "share/bedrock-sso/CHANGELOG.md": FILE,
    "share/bedrock-sso/LICENSE": FILE,
    "share/bedrock-sso/THIRD-PARTY-LICENSES.txt": FILE,
    "share/bedrock-sso/config.example.toml": FILE,
    "share/fish/vendor_completions.d/bedrock-sso.fish": FILE,
    "share/man/man1/bedrock-sso.1": FILE,
    "share/zsh/site-functions/_bedrock-sso": FILE,
}
SCENARIOS = []


def scenario(function):
    """Adds a scenario; they run in this order."""
    SCENARIOS.append(function)
    return function


class Package:
    """An installer package, unpacked with a tool that did not write it."""

    def __init__(self, file: Path):
        self.file = file
        self.unpacked = file.parent / "unpacked"
        shutil.rmtree(self.unpacked, ignore_errors=True)
        output_of("7z", "x", f"-o{self.unpacked}", file)
        self.info = ElementTree.parse(self.unpacked / "component.pkg/PackageInfo").getroot()
        self.distribution = ElementTree.parse(self.unpacked / "Distribution").getroot()
        self.identifier = self.info.get("identifier")

    @cached_property
    def payload(self) -> dict[str, bytes]:
        """The content of each file, below the installation folder."""
        folder = self.unpacked / "payload"
        folder.mkdir()
        output_of("bsdtar", "-xpf", self.unpacked / "component.pkg/Payload", "-C", folder)
        return {f"./{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    @cached_property
    def bom(self) -> dict[str, dict]:
        return {path["path"]: path for path in pyapplebom.parse_bom_file(self.unpacked / "component.pkg/Bom")["paths"]}


class Stage:
    """The packages, and the machine on which they are installed."""

    def __init__(self, given: argparse.Namespace, world: World):
        self.out, self.built, self.world = given.out, given.built, world
        shutil.rmtree(self.out, ignore_errors=True)
        self.sources = self.small_sources("sources") if given.program is None else REPOSITORY
        self.program = given.program or self.build(self.sources)
        self.current = self.make("current")
        self.fleet = self.make("fleet", self.configuration("acme", ""))
        self.next = self.make("next", self.configuration("acme-next", "# the next one\n"), BEDROCK_SSO_PACKAGE_VERSION="99.0.0")

    def configuration(self, name: str, more: str) -> Path:
        file = self.out / f"{name}.toml"
        text = re.sub(r"^browser = .*\n", "", self.world.configuration, flags=re.MULTILINE)
        file.write_text(f'{more}{text}browser = ["/fixtures/person", "{{url}}"]\n')
        return file

    def small_sources(self, name: str) -> Path:
        """Sources of a small package with the same name and version, and with the real scripts and build script."""
        root = self.out / name
        (root / "src").mkdir(parents=True)
        (root / "tests").mkdir()
        for part in ("packaging", "build", "tests/windows"):
            shutil.copytree(REPOSITORY / part, root / part)
        for part in ("build.rs", "rust-toolchain.toml", "LICENSE", "CHANGELOG.md", "config.example.toml"):
            shutil.copy(REPOSITORY / part, root)
        (root / "Cargo.toml").write_text(
            f'[package]\nname = "bedrock-sso"\nversion = "{VERSION}"\nedition = "2024"\n[workspace]\n[profile.release]\nstrip = true\n'
        )
        (root / "Cargo.lock").write_text(f'version = 4\n\n[[package]]\nname = "bedrock-sso"\nversion = "{VERSION}"\n')
        (root / "src/main.rs").write_text('fn main() {\n    println!("bedrock-sso {}", env!("CARGO_PKG_VERSION"));\n}\n')
        return root

    def build(self, sources: Path) -> Path:
        variables = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        # Shares what is downloaded from PyPI.
        sdk = REPOSITORY / "target/macos-sdk"
        (sources / "target").mkdir()
        (sources / "target/macos-sdk").symlink_to(sdk)
        sdk.mkdir(parents=True, exist_ok=True)
        program = output_of(sources / "packaging/macos/build", env=variables | {"SOURCE_DATE_EPOCH": MOMENT}).strip()
        assert Path(program).is_relative_to(sources), program
        return Path(program)

    def make(self, name: str, config: Path | None = None, program: Path | None = None, sources: Path | None = None, **variables: str) -> Path:
        folder = self.out / name
        own = {"SOURCE_DATE_EPOCH": MOMENT, "BEDROCK_SSO_NATIVE": str(self.built / "bedrock-sso"), "BEDROCK_SSO_RELEASES": RELEASES}
        words = ["--config", config] if config else []
        command = (sources or self.sources) / "packaging/macos/package"
        files = output_of(command, "--out", folder, "--program", program or self.program, *words, env=os.environ | own | variables).splitlines()
        assert files and all(Path(file).is_file() for file in files), files
        return folder

    def package(self, folder: Path) -> Package:
        [file] = folder.glob("*.pkg")
        return Package(file)

    def start_over(self) -> None:
        self.world.start_over()
        self.mac = Mac(self.out / "mac", self.built / "bedrock-sso", self.built / "examples/person")
        self.before = self.mac.files()

    def install(self, folder: Path) -> Ended:
        return self.mac.install(self.package(folder)).well()

    def sign_in(self, person: str, *facts: str) -> None:
        self.mac.run("bedrock-sso", "setup", "--yes", *facts, person=person).well()
        login = self.mac.run("bedrock-sso", "login", person=person).well()
        assert "signed in" in login.out.lower(), login

    def is_as_before(self, but: tuple[str, ...] = ()) -> None:
        after = self.mac.files()
        changed = {path for path in self.before.keys() | after.keys() if self.before.get(path) != after.get(path)}
        left = {path for path in changed if not path.startswith(but)} if but else changed
        assert not left, sorted(left)


def output_of(*words: object, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(word) for word in words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done
    return done.stdout


def signature(slice: lief.MachO.Binary) -> tuple[str, int]:
    """The identifier and the flags in a program's code directory (xnu, osfmk/kern/cs_blobs.h)."""
    blob = bytes(slice.code_signature.content)
    at = blob.index(b"\xfa\xde\x0c\x02")
    flags, _, identifier = struct.unpack_from(">III", blob, at + 12)
    return blob[at + identifier :].split(b"\0")[0].decode(), flags


@scenario
def program_is_universal_for_macos_11_and_identified(stage: Stage) -> None:
    universal = lief.MachO.parse(str(stage.program))
    slices = {slice.header.cpu_type.name: slice for slice in universal}
    assert sorted(slices) == ["ARM64", "X86_64"], slices
    for slice in slices.values():
        assert slice.build_version.minos == [11, 0, 0], slice.build_version
        about = plistlib.loads(bytes(slice.get_section("__TEXT", "__info_plist").content))
        assert about["CFBundleIdentifier"] == IDENTIFIER and about["CFBundleVersion"] == VERSION, about
        adhoc = 2
        name, flags = signature(slice)
        assert name == IDENTIFIER and flags & adhoc, (name, flags)
        libraries = [library.name for library in slice.libraries]
        # Some frameworks load AppKit, which costs each call tens of milliseconds.
        assert not [name for name in libraries if "AppKit" in name or not name.startswith(("/usr/lib/", "/System/"))], libraries
    listed = output_of("7z", "l", stage.program)
    assert "Type = Mub" in listed and "arm64" in listed and "x64" in listed, listed


@scenario
def package_names_its_systems_and_location(stage: Stage) -> None:
    package = stage.package(stage.current)
    info, shown = package.info, package.distribution
    asked = {"identifier": IDENTIFIER, "version": VERSION, "install-location": "/", "auth": "root", "overwrite-permissions": "false"}
    assert {name: info.get(name) for name in asked} == asked, info.attrib
    assert shown.find("options").get("hostArchitectures") == "arm64,x86_64"
    assert shown.find("volume-check/allowed-os-versions/os-version").get("min") == "11.0"
    assert shown.find("domains").attrib == {"enable_anywhere": "false", "enable_currentUserHome": "false", "enable_localSystem": "true"}
    [inside] = [each for each in shown.findall("pkg-ref") if each.text]
    assert (inside.get("id"), inside.get("version"), inside.text) == (IDENTIFIER, VERSION, "#component.pkg"), inside.attrib
    lines = {line.get("choice") for line in shown.findall("choices-outline//line")}
    assert lines == {choice.get("id") for choice in shown.findall("choice")}, lines
    kilobytes = sum(-(-len(content) // 1024) for content in package.payload.values())
    assert info.find("payload").get("installKBytes") == inside.get("installKBytes") == str(kilobytes)
    assert info.find("payload").get("numberOfFiles") == str(len(package.bom))
    # Checks the archive's own checksums, and the header that `file` knows.
    assert "Everything is Ok" in output_of("7z", "t", package.file)
    assert "xar archive compressed TOC" in output_of("file", package.file)
    assert not info.findall("scripts/*"), "a package without a configuration must have no script"


@scenario
def payload_belongs_to_root_and_matches_the_bom(stage: Stage) -> None:
    package = stage.package(stage.current)
    expected = {"share/bedrock-sso/uninstall": EXECUTABLE, **COMMON}
    folders = {str(parent) for path in expected for parent in Path("usr/local", path).parents if str(parent) != "."}
    expected = {f"./usr/local/{path}": mode for path, mode in expected.items()} | {f"./{folder}": FOLDER for folder in folders} | {".": FOLDER}
    rows = [line.split() for line in output_of("bsdtar", "-tvf", package.unpacked / "component.pkg/Payload").splitlines()]
    assert {row[-1]: row[0] for row in rows} == expected
    assert {(row[2], row[3]) for row in rows} == {("0", "0")}
    assert set(package.bom) == set(expected), set(package.bom) ^ set(expected)
    for path, entry in package.bom.items():
        content = package.payload.get(path)
        is_folder = content is None
        mode = {FOLDER: 0o40755, FILE: 0o100644, EXECUTABLE: 0o100755}[expected[path]]
        crc = None if is_folder else int(subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout.split()[0])
        facts = ("path_type", "file_mode", "user_id", "group_id", "mtime", "size", "crc32")
        actual = tuple(entry[fact] for fact in facts)
        assert actual == ("directory" if is_folder else "file", mode, 0, 0, int(MOMENT), len(content or b""), crc), entry
    assert package.payload[f"./{PROGRAM}"] == stage.program.read_bytes()
    assert package.payload[f"./{SHARE}/man/man1/bedrock-sso.1"].startswith(b".")
    assert package.payload[f"./{SHARE}/zsh/site-functions/_bedrock-sso"].startswith(b"#compdef bedrock-sso")


@scenario
def package_has_the_licences_of_all_linked_code(stage: Stage) -> None:
    both = licenses.collected("aarch64-apple-darwin", "x86_64-apple-darwin")
    also = {"security-framework": "Permission is hereby granted", "objc2": "Copyright (c) Mads Marquart"}
    licenses.check_licences(both, also, but={"musl", "libgcc", "mingw-w64", "windows-sys", "linux-keyutils"})
    # The small program has only Rust's own library.
    text = stage.package(stage.current).payload[f"./{SHARE}/bedrock-sso/{licenses.NAME}"].decode()
    assert "\nRust's standard library" in text and (stage.sources == REPOSITORY) == ("\nring" in text), text[:500]


@scenario
def configured_package_has_a_script_and_the_configuration(stage: Stage) -> None:
    package = stage.package(stage.fleet)
    assert [(script.tag, script.get("file")) for script in package.info.findall("scripts/*")] == [("postinstall", "./postinstall")]
    rows = [line.split() for line in output_of("bsdtar", "-tvf", package.unpacked / "component.pkg/Scripts").splitlines()]
    assert {(row[-1], row[0], row[2]) for row in rows} == {(".", FOLDER, "0"), ("./postinstall", EXECUTABLE, "0"), ("./config.toml", FILE, "0")}
    configuration = output_of("bsdtar", "-xOf", package.unpacked / "component.pkg/Scripts", "./config.toml")
    assert configuration == (stage.out / "acme.toml").read_text()
    assert set(package.bom) == set(stage.package(stage.current).bom)
    # The configuration is an organisation's, so there is no formula for the public.
    assert not (stage.fleet / "homebrew").exists()


@scenario
def invalid_configuration_makes_no_mac_package(stage: Stage) -> None:
    wrong = stage.out / "wrong.toml"
    wrong.write_text("version = 1\nno_such_key = 1\n")
    try:
        stage.make("wrong", wrong)
    except AssertionError as refusal:
        done = refusal.args[0]
        assert done.returncode == 3 and "no_such_key" in done.stderr and done.stdout == "", done
    else:
        raise AssertionError("the package was made")


@scenario
def builds_in_different_folders_are_identical(stage: Stage) -> None:
    program = stage.program
    if stage.sources != REPOSITORY:
        again = stage.small_sources("other sources")
        program = stage.build(again)
        assert program.read_bytes() == stage.program.read_bytes()
    time.sleep(1.1)  # times of files have a resolution of a second
    for first, config in ((stage.current, None), (stage.fleet, stage.out / "acme.toml")):
        second = stage.make("again", config, program)
        files = [path.relative_to(second) for path in second.rglob("*") if path.is_file()]
        assert files, second
        for file in files:
            assert (first / file).read_bytes() == (second / file).read_bytes(), file
        shutil.rmtree(second)


@scenario
def formula_installs_the_files_of_the_tarball(stage: Stage) -> None:
    name = f"bedrock-sso-{VERSION}-macos-universal"
    tarball = stage.current / f"{name}.tar.gz"
    rows = [line.split() for line in output_of("tar", "-tvzf", tarball, "--numeric-owner").splitlines()]
    assert {row[-1]: row[0] for row in rows if row[0] != FOLDER} == {f"{name}/{path}": mode for path, mode in COMMON.items()}
    assert {row[1] for row in rows} == {"0/0"}
    formula = stage.current / "homebrew/bedrock-sso.rb"
    assert output_of("ruby", "-wc", formula) == "Syntax OK\n"
    text = formula.read_text()
    assert f'url "{RELEASES}/download/v{VERSION}/{name}.tar.gz"' in text and f'homepage "{RELEASES.removesuffix("/releases")}"' in text, text
    assert f'sha256 "{hashlib.sha256(tarball.read_bytes()).hexdigest()}"' in text, text
    installed = re.findall(r'install (?:Dir\[)?"(.*?)"', text)
    assert len(installed) == 6 and "@" not in text.replace("@example", ""), text
    for pattern in installed:
        assert any(Path(path).match(pattern) for path in COMMON), pattern


@scenario
def configured_package_applies_and_uninstalls_completely(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.fleet)
    assert mac.text(f"{SUPPORT}/config.toml") == (stage.out / "acme.toml").read_text()
    assert json.loads(mac.text(POLICY))["env"]["CLAUDE_CODE_USE_BEDROCK"] == "1"
    stage.sign_in("alice")
    assert "credential_process" in mac.text("Users/alice/.aws/config")
    removed = mac.run(UNINSTALL, "--yes").well()
    assert removed.out.endswith("bedrock-sso: removed\n"), removed
    assert stage.world.asked().get("revoke") == 1, stage.world.asked()
    assert not list((mac.root / "fixtures/receipts").iterdir())
    stage.is_as_before()


@scenario
def uninstall_revokes_before_it_removes_the_setup(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.current)
    assert not mac.has(SUPPORT) and not mac.has(POLICY)
    shutil.copy(stage.out / "acme.toml", mac.root / "fixtures")
    stage.sign_in("alice", "--from", "/fixtures/acme.toml")
    mac.run(UNINSTALL, "--yes").well()
    assert stage.world.asked().get("revoke") == 1, stage.world.asked()
    stage.is_as_before()


@scenario
def upgrade_preserves_sign_in_and_replaces_configuration(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.fleet)
    stage.sign_in("alice")
    asked = stage.world.asked()
    stage.install(stage.next)
    assert mac.text(f"{SUPPORT}/config.toml").startswith("# the next one\n")
    mac.run("bedrock-sso", "credentials", "--no-login", person="alice").well()
    assert stage.world.asked() == asked
    mac.run(UNINSTALL, "--yes").well()
    stage.is_as_before()


@scenario
def changes_by_an_administrator_stay_and_are_reported(stage: Stage) -> None:
    mac = stage.mac
    (mac.root / POLICY).parent.mkdir()
    mac.write(POLICY, FOREIGN_POLICY)
    stage.before = mac.files()
    stage.install(stage.fleet)
    policy = mac.text(POLICY)
    assert "// ours" in policy and "WebFetch" in policy and "CLAUDE_CODE_USE_BEDROCK" in policy, policy
    mac.write(f"{SUPPORT}/config.toml", "# mine\n" + mac.text(f"{SUPPORT}/config.toml"))
    installed = stage.install(stage.next)
    assert "is not this package's file, so it was not replaced" in installed.out, installed
    assert mac.text(f"{SUPPORT}/config.toml").startswith("# mine\n")
    removed = mac.run(UNINSTALL, "--yes")
    assert removed.code == 1 and "is not this package's file, so it was not removed" in removed.out, removed
    assert mac.text(POLICY) == FOREIGN_POLICY
    stage.is_as_before(but=(SUPPORT,))
    assert [path.name for path in (mac.root / SUPPORT).iterdir()] == ["config.toml"]


@scenario
def invalid_managed_settings_do_not_stop_the_installation(stage: Stage) -> None:
    mac = stage.mac
    (mac.root / POLICY).parent.mkdir()
    mac.write(POLICY, "not json")
    installed = stage.install(stage.fleet)
    assert "managed settings were not changed" in installed.out, installed
    assert mac.text(POLICY) == "not json"
    assert mac.has(PROGRAM)


@scenario
def root_runs_no_program_that_others_can_replace(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.fleet)
    assert mac.has(POLICY)
    # As Homebrew leaves it on an Intel Mac. The replaced program reports a call by root.
    mac.run("chown", "alice", "/usr/local/bin").well()
    write(mac.root / PROGRAM, '#!/bin/sh\n[ "$(id -u)" = 0 ] && touch /fixtures/caught\nexit 0\n', 0o755)
    removed = mac.run(UNINSTALL, "--yes")
    assert removed.code == 1 and "users other than root can change /usr/local/bin" in removed.out, removed
    mac.run("mkdir", "-p", "/usr/local/bin").well()
    mac.run("chown", "alice", "/usr/local/bin").well()
    installed = stage.install(stage.next)
    assert "users other than root can change /usr/local/bin" in installed.out and "configuration profile" in installed.out, installed
    assert not mac.has("fixtures/caught")


@scenario
def preserved_sign_in_works_after_mac_reinstallation(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.fleet)
    stage.sign_in("alice")
    asked = stage.world.asked()
    mac.run(UNINSTALL, "--keep-sign-in").well()
    assert not mac.has(PROGRAM) and not mac.has(f"{SHARE}/bedrock-sso") and not mac.has(SUPPORT)
    stage.is_as_before(but=("Users/alice",))
    stage.install(stage.fleet)
    mac.run("bedrock-sso", "credentials", "--no-login", person="alice").well()
    assert stage.world.asked() == asked


@scenario
def uninstall_asks_about_each_user_or_removes_nothing(stage: Stage) -> None:
    mac = stage.mac
    stage.install(stage.fleet)
    for person in ("alice", "bob"):
        stage.sign_in(person)
    installed = mac.files()
    without_terminal = mac.run(UNINSTALL)
    assert without_terminal.code == 2 and "pass --yes or --keep-sign-in" in without_terminal.out, without_terminal
    wrong = mac.run(UNINSTALL, "--force")
    assert wrong.code == 2 and "unknown option --force" in wrong.out, wrong
    unable = mac.run(UNINSTALL, "--yes", person="alice")
    assert unable.code == 1 and "sudo" in unable.out, unable
    assert mac.files() == installed
    answered = mac.at_terminal(UNINSTALL, answer="y").well()
    assert "Sign out alice, bob, and undo" in answered.out, answered
    stage.is_as_before()


def passed(function, stage: Stage) -> bool:
    name, began = function.__name__.replace("_", " "), time.monotonic()
    stage.start_over()
    try:
        function(stage)
    except Exception:
        print(f"WRONG {name}\n{traceback.format_exc()}", flush=True)
        return False
    finally:
        stage.mac.leave()
    print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--built", type=Path, required=True, help="folder with this system's program and the examples")
    words.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    words.add_argument("--program", type=Path, help="a real program for both processors")
    words.add_argument("--only", default="", help="run scenarios whose name contains this")
    given = words.parse_args()
    given.built, given.out = given.built.resolve(), given.out.resolve()
    if given.program:
        given.program = given.program.resolve()
    world = World(str(given.built / "examples/world"))
    try:
        stage = Stage(given, world)
        results = [passed(each, stage) for each in SCENARIOS if given.only in each.__name__.replace("_", " ")]
    finally:
        world.close()
    for file in sorted(path for path in stage.current.glob("*") if path.is_file()):
        print(f"  {file.stat().st_size / 1e6:5.2f} MB  {file.name}")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
