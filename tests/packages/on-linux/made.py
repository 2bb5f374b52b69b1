"""The output of `packaging/linux/package`: the same bytes each time, no findings of linters, each file in its place."""

import gzip
import json
import os
import shutil
import tarfile
from pathlib import Path

from root import on_host
from stage import COMMON, PACKAGE, VERSION, Stage, deb, is_clean, only, scenario
from licenses import NAME, check_licences  # isort: skip, stage adds its folder to the path


@scenario
def two_builds_of_one_commit_are_identical(stage: Stage) -> None:
    os.umask(0o077)
    # Another home, with this home's compiler.
    tools = {name: os.environ.get(name, str(Path.home() / folder)) for name, folder in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")]}
    try:
        again = stage.make("again", TZ="Asia/Kolkata", LC_ALL="C.UTF-8", HOME="/nonexistent", **tools)
    finally:
        os.umask(0o022)
    files = [path.relative_to(again) for path in again.rglob("*") if path.is_file()]
    assert len(files) == 6, files
    for file in files:
        assert (again / file).read_bytes() == (stage.current / file).read_bytes(), file


@scenario
def lintian_and_rpmlint_report_nothing(stage: Stage) -> None:
    for folder in [stage.current, stage.fleet]:
        is_clean(folder)


@scenario
def each_file_has_its_path_and_belongs_to_root(stage: Stage) -> None:
    listed = on_host("dpkg-deb", "--contents", deb(stage.current)).well().out.splitlines()
    words = [line.split() for line in listed]
    assert all(each[1] == "root/root" for each in words), listed
    doc, licenses = "usr/share/doc/bedrock-sso", "usr/share/licenses/bedrock-sso"
    files = {each[5].removeprefix("./"): each[0] for each in words if not each[0].startswith("d")}
    assert files == COMMON | {
        f"{doc}/{name}": "-rw-r--r--" for name in ["THIRD-PARTY-LICENSES.txt.gz", "changelog.Debian.gz", "changelog.gz", "copyright", "examples/config.example.toml"]
    } | {"usr/share/zsh/vendor-completions/_bedrock-sso": "-rw-r--r--", "usr/share/lintian/overrides/bedrock-sso": "-rw-r--r--"}, files
    fields = ["-qp", "--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]"]
    words = [line.split() for line in on_host("rpm", *fields, only(stage.current, "*.rpm")).well().out.splitlines()]
    assert all(each[1] == "root:root" for each in words), words
    files = {each[2].removeprefix("/"): each[0] for each in words if not each[0].startswith("d")}
    expected = COMMON | {f"{doc}/{name}": "-rw-r--r--" for name in ["CHANGELOG.md", "config.example.toml"]}
    expected |= {f"{licenses}/{name}": "-rw-r--r--" for name in ["LICENSE", "THIRD-PARTY-LICENSES.txt"]}
    expected["usr/share/zsh/site-functions/_bedrock-sso"] = "-rw-r--r--"
    assert files == expected, files


@scenario
def linux_packages_have_the_licences_of_all_linked_code(stage: Stage) -> None:
    unpacked = stage.out / "licenses"
    shutil.rmtree(unpacked, ignore_errors=True)
    on_host("dpkg-deb", "--extract", deb(stage.current), unpacked).well()
    with gzip.open(unpacked / f"usr/share/doc/bedrock-sso/{NAME}.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    check_licences(text, also={"musl": "Copyright © 2005-2020 Rich Felker, et al.", "libgcc": "GCC RUNTIME LIBRARY EXCEPTION", "linux-keyutils": "Permission is hereby granted"}, but={"windows-sys", "mingw-w64"})
    assert f"{NAME}.gz beside this file" in (unpacked / "usr/share/doc/bedrock-sso/copyright").read_text()
    with tarfile.open(only(stage.current, "*.tar.gz")) as archive:
        [member] = [each for each in archive.getmembers() if each.name.endswith(f"share/doc/bedrock-sso/{NAME}")]
        assert archive.extractfile(member).read().decode() == text
    listed = on_host("rpm", "-qp", "--licensefiles", only(stage.current, "*.rpm")).well().out.splitlines()
    assert f"/usr/share/licenses/bedrock-sso/{NAME}" in listed, listed
    within = on_host("sh", "-c", 'rpm2cpio "$1" | cpio --quiet --to-stdout -i "*/$2"', "sh", only(stage.current, "*.rpm"), NAME).well()
    assert within.out == text


@scenario
def invalid_configuration_makes_no_package(stage: Stage) -> None:
    wrong = stage.out / "wrong.toml"
    wrong.write_text(stage.world.configuration.replace("client_id", "client_ident"))
    out = stage.out / "none"
    refused = on_host(PACKAGE, "--out", out, "--program", stage.program, "--config", wrong)
    assert (refused.code, refused.out, list(out.iterdir())) == (3, "", []), refused
    assert "client_ident" in refused.err and "fix this configuration first" in refused.err, refused


@scenario
def makepkg_builds_the_aur_package(stage: Stage) -> None:
    folder = stage.out / "makepkg"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stage.current / "aur", folder)
    shutil.copy(only(stage.current, "*.tar.gz"), folder)
    folder.chmod(0o777)
    # makepkg refuses to run as root, and calls pacman, which is not needed here.
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp", "PACMAN=true", "PKGEXT=.pkg.tar.gz", "CARCH=x86_64"]
    within = {"cwd": folder}
    on_host(*as_nobody, "makepkg", "--nodeps", "--force", **within).well()
    assert on_host(*as_nobody, "makepkg", "--printsrcinfo", **within).well().out == (folder / ".SRCINFO").read_text()
    with tarfile.open(only(folder, "*.pkg.tar.gz")) as archive:
        files = {each.name for each in archive.getmembers() if each.isfile()}
        program = archive.extractfile("usr/bin/bedrock-sso").read()
    assert program == stage.program.read_bytes() and COMMON.keys() <= files, files
    assert {f"usr/share/licenses/bedrock-sso-bin/{name}" for name in ["LICENSE", NAME]} <= files, files
    (folder / only(stage.current, "*.tar.gz").name).write_bytes(b"something else")
    refused = on_host(*as_nobody, "makepkg", "--nodeps", "--force", **within)
    assert refused.code != 0 and "FAILED" in refused.out + refused.err, refused


@scenario
def nix_expression_names_the_file_and_installs_it(stage: Stage) -> None:
    folder = stage.current / "nix"
    environment = os.environ | {"NIX_STATE_DIR": str(stage.out / "nix-state"), "NIX_REMOTE": "dummy://"}
    evaluated = on_host("nix-instantiate", "--eval", "--strict", "--json", "-E", STUBBED_NIX.replace("FILE", str(folder / "package.nix")), env=environment).well()
    derivation = json.loads(evaluated.out)
    tarball = only(stage.current, "*.tar.gz")
    assert derivation["src"]["url"] == f"https://example.org/releases/download/v{VERSION}/{tarball.name}", derivation
    checksum = on_host("sh", "-c", f"openssl dgst -sha256 -binary '{tarball}' | base64").well().out.strip()
    assert derivation["src"]["hash"] == f"sha256-{checksum}" and derivation["version"] == VERSION, derivation
    out = stage.out / "nix-out"
    shutil.rmtree(out, ignore_errors=True)
    unpacked = stage.out / "nix-source"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    on_host("tar", "-xzf", tarball, "-C", unpacked, "--strip-components=1").well()
    on_host("bash", "-euc", "runHook() { :; }\n" + derivation["installPhase"], cwd=unpacked, env=os.environ | {"out": str(out)}).well()
    assert on_host(out / "bin/bedrock-sso", "--version").well().out == f"bedrock-sso {VERSION}\n"


STUBBED_NIX = """
let
  made = import FILE {
    lib = { licenses.asl20 = "Apache-2.0"; sourceTypes.binaryNativeCode = "binary"; };
    fetchurl = wanted: wanted;
    releases = "https://example.org/releases";
    stdenvNoCC = {
      hostPlatform = { system = "x86_64-linux"; parsed.cpu.name = "x86_64"; };
      mkDerivation = described: let self = described self; in self;
    };
  };
in { inherit (made) src version installPhase; }
"""
