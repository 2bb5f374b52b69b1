#!/usr/bin/env python3
"""Writes an installer for Windows from a folder laid out as `package` does it; needs msibuild and gcab.

This file turns rows into an installer with the same bytes each time; tables.py makes the rows.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tables import CONFIGURATION, MANUFACTURER, POLICY, PROGRAM, PackagedFile, Package, Table, tables_of

# The files that the folder may have, by path: key, folder on the machine, short name, long name.
PLACES = {
    "bedrock-sso.exe": (PROGRAM, "INSTALLDIR", "BEDROCK.EXE", "bedrock-sso.exe"),
    "LICENSE": ("LICENSE", "INSTALLDIR", "LICENSE", "LICENSE"),
    "THIRD-PARTY-LICENSES.txt": ("THIRD_PARTY_LICENSES.txt", "INSTALLDIR", "THIRDPAR.TXT", "THIRD-PARTY-LICENSES.txt"),
    "README.md": ("README.md", "INSTALLDIR", "README.md", "README.md"),
    "config.example.toml": ("config.example.toml", "INSTALLDIR", "EXAMPLE.TOM", "config.example.toml"),
    "completions/bedrock-sso.ps1": ("bedrock_sso.ps1", "COMPLETIONS", "BEDROCK.PS1", "bedrock-sso.ps1"),
    "config.toml": (CONFIGURATION, "CONFIGURATION", "CONFIG.TOM", "config.toml"),
    "managed-settings.json": (POLICY, "CLAUDE", "MANAGED.JSO", "managed-settings.json"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scope", required=True, choices=["machine", "user"])
    parser.add_argument("--version", required=True)
    parser.add_argument("--files", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    files = [PackagedFile(key, arguments.files / path, *rest) for path, (key, *rest) in PLACES.items() if (arguments.files / path).exists()]
    package = Package(arguments.scope, arguments.version, files)
    with tempfile.TemporaryDirectory() as folder:
        write(package, Path(folder), arguments.out)


def write(package: Package, folder: Path, out: Path) -> None:
    out.unlink(missing_ok=True)
    for name, table in tables_of(package).items():
        build(out, "-i", write_table(folder, name, table))
    build(out, "-i", write_table(folder, "_SummaryInformation", summary(package)))
    build(out, "-a", "files.cab", cabinet(package, folder))


def build(out: Path, *words: object) -> None:
    # One table per call: older versions of msibuild ignore the second.
    subprocess.run(["msibuild", out, *words], check=True)


def write_table(folder: Path, name: str, table: Table) -> Path:
    """Writes a table in the format in which Windows Installer exports tables."""
    lines = [table.names, table.types, [name, *table.names[: table.keys]], *table.rows]
    file = folder / f"{name}.idt"
    file.write_text("".join("\t".join(str(cell) for cell in line) + "\r\n" for line in lines), encoding="ascii", newline="")
    return file


def summary(package: Package) -> Table:
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).strftime("%Y/%m/%d %H:%M:%S")
    compressed_with_long_names, no_administrator_needed, for_windows_installer_5, read_only_recommended = 2, 8, 500, 2
    rows = {
        2: "Installation Database",
        3: f"bedrock-sso {package.version}",
        4: MANUFACTURER,
        5: "Installer",
        6: "Corporate SSO to short-lived AWS credentials",
        7: "x64;1033",
        9: package.identity("package", package.product_code),
        12: moment,
        13: moment,
        14: for_windows_installer_5,
        15: compressed_with_long_names | (0 if package.is_for_machine else no_administrator_needed),
        18: "bedrock-sso",
        19: read_only_recommended,
    }
    return Table(["PropertyId", "Value"], ["i2", "l255"], 1, list(rows.items()))


def cabinet(package: Package, folder: Path) -> Path:
    """The files under their keys, in the order of their sequence, with the time of the release."""
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    copies = folder / "files"
    copies.mkdir()
    for file in package.files:
        shutil.copyfile(file.source, copies / file.key)
        os.utime(copies / file.key, (moment, moment))
    out = folder / "files.cab"
    keys = [file.key for file in package.files]
    subprocess.run(["gcab", "--create", "--zip", "--nopath", out, *keys], cwd=copies, env=os.environ | {"TZ": "UTC"}, check=True)
    return out


if __name__ == "__main__":
    main()
