#!/usr/bin/env python3
"""The licences of everything that is linked into the program, as one text on stdout: `collect.py TARGET …`.

It asks cargo which crates these targets have and reads the licences out of the crates themselves, those of Rust's own library
out of the compiler. What neither brings lies beside this file: the C libraries, and standard texts. The same bytes each time.
"""

import html
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ITS_NAME_SAYS_SO = re.compile(r"(un)?licen[cs]es?\b|copying|copyright|notice|authors|patents", re.IGNORECASE)
CODE = {".rs", ".c", ".h", ".py", ".go"}
# What C is linked in beside the crates', by a part of the target's name.
C_LIBRARIES = {
    "musl": ("musl", "MIT", "https://musl.libc.org"),
    "windows-gnu": ("mingw-w64", "ZPL-2.1 and others", "https://www.mingw-w64.org"),
}
# For crates without a text of their own, in the order of preference where a crate leaves the choice.
STANDARD = {"MIT": HERE / "MIT.txt", "Apache-2.0": REPOSITORY / "LICENSE"}
OPENING = """\
What is linked into bedrock-sso besides its own code, with licences, the address of the sources, and, below, the licences'
texts. bedrock-sso itself is licensed under the Apache License, version 2.0.

"""


@dataclass(frozen=True)
class Part:
    """Something that is linked in: what it is called, its licence's short name, where its sources are, its texts."""

    name: str
    license: str
    source: str
    texts: tuple[str, ...]


def main() -> None:
    targets = sys.argv[1:]
    if not targets:
        sys.exit("collect.py: say the targets, as x86_64-unknown-linux-musl")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.writelines(told([*crates(targets), library(), *c_libraries(targets)]))


def crates(targets: list[str]) -> Iterator[Part]:
    linked = {crate for target in targets for crate in linked_for(target)}
    known = json.loads(cargo("metadata", "--format-version=1"))["packages"]
    for package in sorted(known, key=lambda package: (package["name"], package["version"])):
        name = f"{package['name']} {package['version']}"
        # Without a registry it is a part of these sources, whose licence lies beside.
        if name in linked and package["source"]:
            texts = tuple(texts_in(Path(package["manifest_path"]).parent)) or (standard_text(package),)
            yield Part(name, package["license"], f"https://crates.io/crates/{name.replace(' ', '/')}", texts)


def linked_for(target: str) -> Iterator[str]:
    """Neither what runs while the program is built nor what is for tests alone."""
    told = cargo("tree", f"--target={target}", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}")
    for line in told.splitlines():
        name, version, *_ = line.split()
        yield f"{name} {version.removeprefix('v')}"


def cargo(*words: str) -> str:
    return subprocess.run(["cargo", *words, "--locked"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True, encoding="utf-8").stdout


def texts_in(folder: Path) -> Iterator[str]:
    # What a crate took from others has its licence deeper down.
    for file in sorted(folder.rglob("*")):
        if file.is_file() and ITS_NAME_SAYS_SO.match(file.name) and file.suffix not in CODE:
            yield file.read_text(encoding="utf-8", errors="replace")


def standard_text(package: dict) -> str:
    name = package["name"]
    for license, file in STANDARD.items():
        if license in re.split(r"[\s/()]+", package["license"] or ""):
            authors = ", ".join(package["authors"]) or f"the authors of {name}, {package['repository']}"
            return file.read_text(encoding="utf-8").replace("@AUTHORS@", authors)
    sys.exit(f"collect.py: {name} brings no licence, and there is no text here for {package['license']}")


def library() -> Part:
    """Rust's own, as the compiler tells of it, with the crates in it; not all of them are in it on each system."""
    told = documents() / "COPYRIGHT-library.html"
    if not told.is_file():
        sys.exit(f"collect.py: this compiler does not say what its library is licensed under, as rustup's does in {told}")
    page = told.read_text(encoding="utf-8")
    _, in_tree, brought = re.split(r'<h2 id="(?:in-tree-files|out-of-tree-dependencies)">', page)
    whose = "\n".join(line.strip() for line in bare(in_tree.partition("</h2>")[2]).splitlines() if line.strip())
    texts = [whose, STANDARD["MIT"].read_text(encoding="utf-8").replace("@AUTHORS@", "The Rust Project Developers")]
    texts += [(documents() / "licenses" / f"{name}.txt").read_text(encoding="utf-8") for name in ("Apache-2.0", "LLVM-exception", "Unicode-3.0")]
    texts += map(bare, re.findall(r"<pre>(.*?)</pre>", brought, re.DOTALL))
    name = f"Rust's standard library {rustc('--version').split()[1]}"
    return Part(name, "MIT OR Apache-2.0", "https://github.com/rust-lang/rust", tuple(texts))


def documents() -> Path:
    return Path(rustc("--print=sysroot")) / "share/doc/rust"


def bare(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def rustc(*words: str) -> str:
    return subprocess.run(["rustc", *words], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def c_libraries(targets: list[str]) -> Iterator[Part]:
    for named, (name, license, source) in C_LIBRARIES.items():
        if any(named in target for target in targets):
            yield Part(name, license, source, ((HERE / f"{name}.txt").read_text(encoding="utf-8"),))
            # What begins and ends a program, and divides where the processor cannot; its exception is why nothing more is asked.
            exception = (documents() / "licenses/GCC-exception-3.1.txt").read_text(encoding="utf-8")
            yield Part("libgcc", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org", (exception,))


def told(parts: list[Part]) -> Iterator[str]:
    """A list of the parts, then each text once, under the names of those whose it is."""
    yield OPENING
    users: dict[str, list[str]] = {}
    whole: dict[str, str] = {}
    for part in parts:
        yield f"{part.name}: {part.license}; {part.source}\n"
        for text in part.texts:
            # Lines that are broken elsewhere make no other text.
            same = " ".join(text.split())
            users.setdefault(same, []).append(part.name)
            whole.setdefault(same, "\n".join(line.rstrip() for line in text.strip("\ufeff\r\n").splitlines()))
    for same, text in whole.items():
        names = textwrap.fill(", ".join(dict.fromkeys(users[same])), 100, break_long_words=False, break_on_hyphens=False)
        yield f"\n\n{'=' * 100}\n{names}\n{'-' * 100}\n\n{text}\n"


if __name__ == "__main__":
    main()
