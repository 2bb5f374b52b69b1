"""The packages for Windows, scenario by scenario: their content, and a laptop before, with and after them.

`windows` builds the program and the machine, and runs this file in a mount namespace.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import yaml

import licenses
from fleet_machine import FleetMachine, differences, windows_path
from made import RELEASES, REPOSITORY, Made, extracted, properties, resource, summary, table, tables, output_of

sys.path.append(str(REPOSITORY / "tests/windows"))
from world import World  # noqa: E402

SCENARIOS = []
INSTALLED = "Program Files/bedrock-sso"
FILES = {"LICENSE", "README.md", "THIRD-PARTY-LICENSES.txt", "bedrock-sso.exe", "completions/bedrock-sso.ps1", "config.example.toml"}
CONFIGURATION, POLICY = "ProgramData/bedrock-sso/config.toml", "Program Files/ClaudeCode/managed-settings.json"
# msiexec's code if a condition of the package is not met, of which Linux sees the last eight bits.
REFUSED = 1603 & 0xFF


def scenario(function):
    """Adds a scenario; they run in this order."""
    SCENARIOS.append((function.__name__.replace("_", " "), function))
    return function


def laptop(function):
    """A scenario after which the drive and the registry must be as before."""

    def on_laptop(stage: "Stage") -> None:
        before = stage.machine.everything()
        stage.world.start_over()
        function(stage)
        stage.unchanged(before)

    on_laptop.__name__ = function.__name__
    return scenario(on_laptop)


class Stage:
    def __init__(self, root: Path, out: Path, native: Path, program: Path):
        self.out, self.native = out, native / "bedrock-sso"
        # A folder that Windows sees, too.
        self.program = Path(shutil.copy(program, out))
        self.world = World(str(native / "examples/world"))
        self.machine = FleetMachine(root, out)
        self.old, self.new = self.make("1.2.3"), self.make("1.3.0")
        # An organisation's package, whose configuration is the world's.
        self.fleet = self.make("1.3.0", "fleet", self.world.configuration)

    def make(self, version: str, name: str = "", config: str = "", **variables: str) -> Made:
        return Made(self.out / "packages" / (name or version), self.program, self.native, version, config, **variables)

    def configure(self) -> None:
        self.machine.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.machine.config_file.write_text(self.world.configuration, encoding="utf-8")

    def unchanged(self, before: dict[str, str]) -> None:
        changes = differences(before, self.machine.everything())
        assert not changes, json.dumps(changes, indent=1)[:4000]

    def on_drive(self, path: str) -> Path:
        return self.machine.drive / path


# ---- the content of the packages


@scenario
def program_names_its_manufacturer_and_version(stage: Stage) -> None:
    version = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
    text = resource(stage.program, 16).decode("utf-16-le", errors="replace")
    for word in ("bedrock-sso contributors", "Corporate SSO to AWS credentials", f"ProductVersion\0{version}\0"):
        assert word in text, text
    script = stage.out / "version.vbs"
    script.write_text(f'WScript.Echo CreateObject("Scripting.FileSystemObject").GetFileVersion("{windows_path(stage.program)}")')
    ended = stage.machine.wine_runs("cscript", "//nologo", windows_path(script))
    assert ended.out.strip() == f"{version}.0", ended


@scenario
def manifest_sets_rights_long_paths_and_utf8(stage: Stage) -> None:
    manifest = resource(stage.program, 24).decode()
    for entry in ('level="asInvoker"', ">true</longPathAware>", ">UTF-8</activeCodePage>", "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"):
        assert entry in manifest, manifest


@scenario
def program_needs_no_compiler_library(stage: Stage) -> None:
    needed = set(re.findall(r"DLL Name: (\S+)", output_of("objdump", "-p", stage.program)))
    assert needed and not [name for name in needed if re.match(r"lib|msys|vcruntime|msvcp", name, re.IGNORECASE)], needed


@scenario
def two_packages_of_one_program_are_identical(stage: Stage) -> None:
    time.sleep(2.1)  # longer than the resolution of any time in a package
    again = stage.make("1.3.0", "again")
    assert stage.new.files() == again.files()


@scenario
def packages_contain_no_build_path(stage: Stage) -> None:
    for installer in (stage.new.machine, stage.new.user, stage.fleet.machine):
        for name in tables(installer):
            content = output_of("msiinfo", "export", installer, name)
            assert not re.search(r"/home|/root|/tmp|/work", content) and str(REPOSITORY) not in content, (name, content)
    for path, content in stage.fleet.in_zip().items():
        assert path == "bedrock-sso.exe" or str(REPOSITORY).encode() not in content, path


@scenario
def machine_installer_replaces_older_versions(stage: Stage) -> None:
    found = properties(stage.new.machine)
    assert (found["ALLUSERS"], found["ProductVersion"], found["ProductName"]) == ("1", "1.3.0", "bedrock-sso"), found
    assert summary(stage.new.machine)["Template"] == "x64;1033"
    assert [row["Name"] for row in table(stage.new.machine, "Environment")] == ["=-*PATH"]
    assert {row["Directory_"] for row in table(stage.new.machine, "Component")} == {"INSTALLDIR", "COMPLETIONS"}
    assert all(int(row["Attributes"]) & 256 for row in table(stage.new.machine, "Component"))
    older, newer = sorted(table(stage.new.machine, "Upgrade"), key=lambda row: row["ActionProperty"], reverse=True)
    assert (older["VersionMax"], newer["VersionMin"]) == ("1.3.0", "1.3.0")
    assert {older["UpgradeCode"], newer["UpgradeCode"]} == {found["UpgradeCode"]} == {properties(stage.old.machine)["UpgradeCode"]}
    assert found["ProductCode"] != properties(stage.old.machine)["ProductCode"]


@scenario
def user_installer_needs_no_administrator(stage: Stage) -> None:
    found = properties(stage.new.user)
    assert "ALLUSERS" not in found and found["UpgradeCode"] != properties(stage.new.machine)["UpgradeCode"], found
    # Bit 3 of the word count: no elevation.
    assert summary(stage.new.user)["Source"].startswith("10 "), summary(stage.new.user)
    assert [row["Name"] for row in table(stage.new.user, "Environment")] == ["=-PATH"]
    assert {row["Root"] for row in table(stage.new.user, "Registry")} == {"1"}
    assert not any("ProgramFiles" in row["Directory"] for row in table(stage.new.user, "Directory"))


@scenario
def installers_and_zip_hold_the_same_files(stage: Stage) -> None:
    zipped = stage.new.in_zip()
    assert zipped.keys() == FILES, zipped.keys()
    assert zipped["bedrock-sso.exe"] == stage.program.read_bytes()
    assert b"Register-ArgumentCompleter" in zipped["completions/bedrock-sso.ps1"]
    for installer in (stage.new.machine, stage.new.user):
        found = extracted(installer, stage.out / "extracted" / installer.stem)
        assert {path.partition("bedrock-sso/")[2]: content for path, content in found.items()} == zipped, found.keys()


@scenario
def package_has_the_licences_of_all_linked_code(stage: Stage) -> None:
    text = stage.new.in_zip()[licenses.NAME].decode()
    also = {"libgcc": "GCC RUNTIME LIBRARY EXCEPTION", "mingw-w64": "This program or library was built using MinGW-w64", "windows-sys": "Copyright (c) Microsoft Corporation."}
    licenses.check_licences(text, also, but={"musl", "linux-keyutils", "rustix"})


@scenario
def configuration_folder_is_writable_by_administrators_only(stage: Stage) -> None:
    rights = table(stage.fleet.machine, "MsiLockPermissionsEx")
    assert [(row["LockObject"], row["Table"]) for row in rights] == [("CONFIGURATION", "CreateFolder")], rights
    assert rights[0]["SDDLText"] == "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
    # The public packages have nothing of it, and there is no installer of it for one user.
    assert not stage.fleet.user.exists() and not table_if_present(stage.new.machine, "MsiLockPermissionsEx")


@scenario
def invalid_configuration_makes_no_package(stage: Stage) -> None:
    try:
        stage.make("1.3.0", "mistaken", "version = 1\n[profiles.claude]\nisuer = 'x'\n")
    except AssertionError as refused:
        assert "returncode=3" in str(refused) and "isuer" in str(refused), refused
    else:
        raise AssertionError("a package was made")
    assert not list((stage.out / "packages/mistaken").iterdir())


@scenario
def winget_and_scoop_manifests_match_the_files(stage: Stage) -> None:
    sums = {path.name: output_of("sha256sum", path).split()[0] for path in (stage.new.machine, stage.new.user, stage.new.zip)}
    downloads = f"{RELEASES}/download/v1.3.0"
    manifests = {path.name: yaml.safe_load(path.read_text()) for path in (stage.new.folder / "winget").iterdir()}
    for name, manifest in manifests.items():
        check_shape(name, manifest)
    installers = {entry["Scope"]: entry for entry in manifests["bedrock-sso.bedrock-sso.installer.yaml"]["Installers"]}
    for scope, installer in (("machine", stage.new.machine), ("user", stage.new.user)):
        entry, codes = installers[scope], properties(installer)
        assert (entry["InstallerUrl"], entry["InstallerSha256"]) == (f"{downloads}/{installer.name}", sums[installer.name]), entry
        assert (entry["ProductCode"], entry["AppsAndFeaturesEntries"]) == (codes["ProductCode"], [{"UpgradeCode": codes["UpgradeCode"]}]), entry
    scoop = json.loads((stage.new.folder / "scoop/bedrock-sso.json").read_text())
    entry = scoop["architecture"]["64bit"]
    assert (entry["url"], entry["hash"]) == (f"{downloads}/{stage.new.zip.name}", sums[stage.new.zip.name]), entry
    assert scoop["version"] == "1.3.0" and scoop["autoupdate"]["architecture"]["64bit"]["url"].replace("$version", "1.3.0") == entry["url"]
    assert entry["extract_dir"] == stage.new.zip.stem and scoop["bin"] == "bedrock-sso.exe"


def check_shape(name: str, manifest: dict) -> None:
    """Checks a manifest as winget's schemas of 1.6.0 do."""
    kinds = {"installer": {"Installers"}, "defaultLocale": {"PackageLocale", "Publisher", "PackageName", "License", "ShortDescription"}, "version": {"DefaultLocale"}}
    assert manifest["ManifestVersion"] == "1.6.0" and re.fullmatch(r'[^.\s\\/:*?"<>|]{1,32}(\.[^.\s\\/:*?"<>|]{1,32}){1,7}', manifest["PackageIdentifier"])
    assert isinstance(manifest["PackageVersion"], str), "YAML reads the version as a number"
    assert kinds[manifest["ManifestType"]] <= manifest.keys(), name
    assert f"manifest.{manifest['ManifestType']}.1.6.0" in f"manifest.{manifest['ManifestType']}.{manifest['ManifestVersion']}"
    for url in (value for key, value in manifest.items() if key.endswith("Url")):
        assert re.match(r"https://.+", url), url
    assert 3 <= len(manifest.get("ShortDescription", "···")) <= 256 and len(set(manifest.get("Tags", []))) <= 16
    for installer in manifest.get("Installers", []):
        assert installer["Architecture"] == "x64" and re.fullmatch(r"[0-9a-f]{64}", installer["InstallerSha256"]), installer


@scenario
def signature_verifies_until_the_file_changes(stage: Stage) -> None:
    folder = stage.out / "certificate"
    folder.mkdir()
    subject = ["-subj", "/CN=Test Code Signing", "-addext", "extendedKeyUsage=codeSigning", "-addext", "basicConstraints=critical,CA:FALSE"]
    output_of("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", folder / "key", "-out", folder / "cert", *subject)
    output_of("openssl", "pkcs12", "-export", "-inkey", folder / "key", "-in", folder / "cert", "-out", folder / "pfx", "-passout", "pass:open sesame")
    named = {"": folder / "pfx", "_PASSWORD": "open sesame"}
    variables = {f"BEDROCK_SSO_WINDOWS_CERTIFICATE{name}": str(value) for name, value in named.items()}
    variables |= {"BEDROCK_SSO_WINDOWS_AUTHORITIES": str(folder / "cert"), "BEDROCK_SSO_WINDOWS_TIMESTAMPS": ""}
    signed = stage.make("1.3.0", "signed", **variables)
    program = folder / "bedrock-sso.exe"
    program.write_bytes(signed.in_zip()["bedrock-sso.exe"])
    files = (program, signed.machine, signed.user)
    assert all(is_signed(file, folder / "cert") for file in files)
    assert not is_signed(stage.new.machine, folder / "cert")
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        (changed := folder / f"changed{file.suffix}").write_bytes(content)
        assert not is_signed(changed, folder / "cert"), file


def is_signed(file: Path, authority: Path) -> bool:
    done = subprocess.run(["osslsigncode", "verify", "-CAfile", authority, "-in", file], capture_output=True, text=True, timeout=60)
    return done.returncode == 0 and "Number of verified signatures: 1" in done.stdout


def table_if_present(installer: Path, name: str) -> list[dict[str, str]]:
    return table(installer, name) if name in tables(installer) else []


# ---- a laptop with the packages


@laptop
def machine_install_upgrade_and_removal(stage: Stage) -> None:
    machine = stage.machine
    stage.configure()
    began = time.monotonic()
    assert machine.msiexec("/i", stage.old.machine) == 0
    assert machine.apps() == ["1.2.3"] and machine.path("HKLM")[-1] == "C:\\Program Files\\bedrock-sso\\", machine.path("HKLM")
    machine.sign_in()
    first = machine.credentials()
    print(f"    installed and signed in after {time.monotonic() - began:.1f} s")
    stage.world.start_over()
    assert machine.msiexec("/i", stage.new.machine) == 0
    assert machine.apps() == ["1.3.0"] and machine.path("HKLM").count("C:\\Program Files\\bedrock-sso\\") == 1, machine.apps()
    # The sign-in is the same, and the program sent no request.
    assert machine.credentials() == first and stage.world.asked() == {}, stage.world.asked()
    assert {str(path.relative_to(stage.on_drive(INSTALLED))) for path in stage.on_drive(INSTALLED).rglob("*") if path.is_file()} == FILES
    assert machine.msiexec("/i", stage.old.machine) == REFUSED and machine.apps() == ["1.3.0"]
    assert machine.msiexec("/x", stage.new.machine) == 0
    # The removal leaves the user's sign-in.
    assert machine.data.exists() and machine.run("--version").code != 0
    forget(stage)


@laptop
def user_install_setup_and_removal_with_sign_out(stage: Stage) -> None:
    machine = stage.machine
    assert machine.msiexec("/i", stage.old.user) == 0
    places = [f"C:\\users\\{machine.profile.name}\\AppData\\Local\\Programs\\bedrock-sso\\"]
    assert machine.path("HKCU") == places and not any("bedrock-sso" in place for place in machine.path("HKLM")), machine.path("HKCU")
    stage.configure()
    file = windows_path(stage.on_drive("organisation.toml"))
    stage.on_drive("organisation.toml").write_text(stage.world.configuration, encoding="utf-8")
    ended = machine.run("setup", "--yes", "--from", file)
    assert ended.code == 0 and "Local\\\\Programs\\\\bedrock-sso\\\\bedrock-sso.exe" in (machine.profile / ".claude/settings.json").read_text(), ended
    machine.sign_in()
    stage.on_drive("organisation.toml").unlink()
    machine.config_file.unlink(missing_ok=True)
    assert machine.msiexec("/i", stage.new.user) == 0 and machine.apps() == ["1.3.0"]
    stage.configure()
    assert machine.msiexec("/x", properties(stage.new.user)["ProductCode"], "SIGNOUT=1") == 0
    asked = stage.world.asked()
    assert asked.get("revoke") == 1, asked
    forget(stage)


@laptop
def configured_package_needs_only_a_sign_in(stage: Stage) -> None:
    machine = stage.machine
    assert machine.msiexec("/i", stage.fleet.machine) == 0
    assert stage.on_drive(CONFIGURATION).read_text() == stage.fleet.in_zip()["config.toml"].decode()
    policy = json.loads(stage.on_drive(POLICY).read_text())
    program = policy["awsAuthRefresh"]
    assert "Program Files" in program and "bedrock-sso.exe" in program and "users" not in json.dumps(policy), policy
    machine.sign_in()
    machine.credentials()
    assert stage.world.asked()["assume"] == 1
    # Another configuration of the same version replaces it.
    newer = stage.make("1.3.0", "fleet-2", stage.world.configuration + 'session_duration = "1h"\n')
    assert machine.msiexec("/i", newer.machine) == 0 and machine.apps() == ["1.3.0"]
    assert 'session_duration = "1h"' in stage.on_drive(CONFIGURATION).read_text()
    # The sessions have another length, and the sign-in is still valid.
    ended = machine.run("login", "--no-browser")
    assert ended.code == 0 and "BedrockUser" in ended.out and "http" not in ended.out, ended
    assert stage.world.asked()["assume"] == 2
    assert machine.msiexec("/x", newer.machine, "SIGNOUT=1") == 0
    assert stage.world.asked().get("revoke") == 1, stage.world.asked()
    forget(stage)


@laptop
def existing_policy_stays_unless_replace_is_set(stage: Stage) -> None:
    machine, policy = stage.machine, stage.on_drive(POLICY)
    policy.parent.mkdir()
    policy.write_text('{"model": "theirs"}')
    assert machine.msiexec("/i", stage.fleet.machine) == 0
    assert stage.on_drive(CONFIGURATION).exists() and policy.read_text() == '{"model": "theirs"}'
    assert machine.msiexec("/x", stage.fleet.machine) == 0
    assert policy.read_text() == '{"model": "theirs"}' and not stage.on_drive(CONFIGURATION).exists()
    assert machine.msiexec("/i", stage.fleet.machine, "REPLACE=1") == 0
    assert "awsAuthRefresh" in policy.read_text()
    assert machine.msiexec("/x", stage.fleet.machine) == 0


@laptop
def existing_configuration_stops_the_installation(stage: Stage) -> None:
    machine, file = stage.machine, stage.on_drive(CONFIGURATION)
    file.parent.mkdir()
    file.write_text("# any user's\n")
    assert machine.msiexec("/i", stage.fleet.machine) == REFUSED
    assert file.read_text() == "# any user's\n" and not stage.on_drive(INSTALLED).exists() and machine.apps() == []
    file.unlink()
    file.parent.rmdir()


def forget(stage: Stage) -> None:
    """Deletes the user's files."""
    for folder in (stage.machine.data.parent, stage.machine.config_file.parents[1]):
        subprocess.run(["rm", "-rf", folder], check=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("root", "out", "native", "program"):
        parser.add_argument(f"--{name}", required=True, type=lambda path: Path(path).resolve())
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    stage = Stage(arguments.root, arguments.out, arguments.native, arguments.program)
    results = [attempt(stage, name, function) for name, function in SCENARIOS if arguments.only in name]
    stage.machine.rest()
    stage.world.close()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


def attempt(stage: Stage, name: str, function) -> bool:
    began = time.monotonic()
    try:
        function(stage)
    except Exception:
        print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        stage.machine.make_again()
        return False
    print(f"ok     {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
