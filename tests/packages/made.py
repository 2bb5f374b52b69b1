"""Packages for Windows from `packaging/windows/package`, read with tools that did not make them."""

import os
import subprocess
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RELEASES = "https://example.com/acme/bedrock-sso/releases"


class Made:
    """A folder of finished packages of one version."""

    def __init__(self, folder: Path, program: Path, native: Path, version: str, config: str = "", **variables: str):
        self.folder, self.version = folder, version
        folder.mkdir(parents=True)
        words = ["--out", folder, "--program", program]
        if config:
            given = folder.parent / f"{folder.name}.toml"
            given.write_text(config, encoding="utf-8")
            words += ["--config", given]
        own = {"BEDROCK_SSO_PACKAGE_VERSION": version, "BEDROCK_SSO_NATIVE": str(native), "BEDROCK_SSO_RELEASES": RELEASES}
        command = [REPOSITORY / "packaging/windows/package", *words]
        # Ten seconds on a quiet machine, and two minutes were too few beside three builds.
        self.ended = subprocess.run(command, env=os.environ | own | variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        assert self.ended.returncode == 0, self.ended

    @property
    def machine(self) -> Path:
        return self.folder / f"bedrock-sso-{self.version}-windows-x86_64.msi"

    @property
    def user(self) -> Path:
        return self.folder / f"bedrock-sso-{self.version}-windows-x86_64-user.msi"

    @property
    def zip(self) -> Path:
        return self.folder / f"bedrock-sso-{self.version}-windows-x86_64.zip"

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def in_zip(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.zip) as archive:
            assert archive.testzip() is None
            return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def table(installer: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table; none if there is no such table."""
    lines = output_of("msiinfo", "export", installer, name).replace("\r\n", "\n").split("\n")
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"))) for line in lines[3:] if line]


def tables(installer: Path) -> list[str]:
    return output_of("msiinfo", "tables", installer).split()


def properties(installer: Path) -> dict[str, str]:
    return {row["Property"]: row["Value"] for row in table(installer, "Property")}


def summary(installer: Path) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in output_of("msiinfo", "suminfo", installer).splitlines() if ": " in line)


def extracted(installer: Path, folder: Path) -> dict[str, bytes]:
    """The installer's files by the path to which they are installed."""
    output_of("msiextract", "-C", folder, installer)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resource(program: Path, kind: int) -> bytes:
    done = subprocess.run(["wrestool", "--extract", "--raw", f"--type={kind}", program], capture_output=True, check=True, timeout=30)
    assert done.stdout, f"{program} has no resource of type {kind}"
    return done.stdout


def output_of(*command: object) -> str:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, timeout=60).stdout
