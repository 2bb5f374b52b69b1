#!/usr/bin/env python3
"""Prints the licences of all code that is linked into the program, as one text: `collect.py [--package NAME] TARGET …`.

The program is the client's, unless another package of the workspace is named. It asks cargo for the crates of these targets, and reads the licences from the crates and those of Rust's library from the compiler.
The files beside this one are for C libraries, and for crates without a text. The output has the same bytes each time.
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
LICENCE_FILE = re.compile(r"(un)?licen[cs]es?\b|copying|copyright|notice|authors|patents", re.IGNORECASE)
CODE = {".rs", ".c", ".h", ".py", ".go"}
# C libraries that are linked in besides those of crates, by a part of the target's name.
C_LIBRARIES = {
    "musl": ("musl", "MIT", "https://musl.libc.org"),
    "windows-gnu": ("mingw-w64", "ZPL-2.1 and others", "https://www.mingw-w64.org"),
}
# For crates without a text. If a crate offers a choice, the first of these is taken.
STANDARD = {"MIT": HERE / "MIT.txt", "Apache-2.0": REPOSITORY / "LICENSE"}
OPENING = """\
The code that is linked into {program} besides its own, with its licences and the addresses of its sources, followed by the
texts of the licences. {program} itself is licensed under the Apache License, version 2.0.

"""


@dataclass(frozen=True)
class Part:
    """Linked code: its name, the short name of its licence, the address of its sources, and the texts of its licences."""

    name: str
    license: str
    source: str
    texts: tuple[str, ...]


def main() -> None:
    program, targets = "bedrock-sso", sys.argv[1:]
    if targets[:1] == ["--package"]:
        _, program, *targets = targets
    if not targets:
        sys.exit("collect.py: pass the targets, such as x86_64-unknown-linux-musl")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.writelines(render(program, [*crates(program, targets), library(), *c_libraries(targets)]))


def crates(program: str, targets: list[str]) -> Iterator[Part]:
    linked = {crate for target in targets for crate in linked_for(program, target)}
    known = json.loads(cargo("metadata", "--format-version=1"))["packages"]
    for package in sorted(known, key=lambda package: (package["name"], package["version"])):
        name = f"{package['name']} {package['version']}"
        # A package without a registry is part of this repository, whose licence is in LICENSE.
        if name in linked and package["source"]:
            texts = tuple(texts_in(Path(package["manifest_path"]).parent)) or (standard_text(package),)
            yield Part(name, package["license"], f"https://crates.io/crates/{name.replace(' ', '/')}", texts)


def linked_for(program: str, target: str) -> Iterator[str]:
    """The crates of a target, without build dependencies, procedural macros and test dependencies."""
    listing = cargo("tree", f"--package={program}", f"--target={target}", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}")
    for line in listing.splitlines():
        name, version, *_ = line.split()
        yield f"{name} {version.removeprefix('v')}"


def cargo(*words: str) -> str:
    return subprocess.run(["cargo", *words, "--locked"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True, encoding="utf-8").stdout


def texts_in(folder: Path) -> Iterator[str]:
    # Code that a crate contains from other projects has its licence in a deeper folder.
    for file in sorted(folder.rglob("*")):
        if file.is_file() and LICENCE_FILE.match(file.name) and file.suffix not in CODE:
            yield file.read_text(encoding="utf-8", errors="replace")


def standard_text(package: dict) -> str:
    name = package["name"]
    for license, file in STANDARD.items():
        if license in re.split(r"[\s/()]+", package["license"] or ""):
            authors = ", ".join(package["authors"]) or f"the authors of {name}, {package['repository']}"
            return file.read_text(encoding="utf-8").replace("@AUTHORS@", authors)
    sys.exit(f"collect.py: {name} has no licence file, and this folder has no text for {package['license']}")


def library() -> Part:
    """Rust's own library and the crates in it, as the compiler's documentation lists them. Not every system has all of them."""
    page_file = documents() / "COPYRIGHT-library.html"
    if not page_file.is_file():
        sys.exit(f"collect.py: this compiler has no licences of its library; rustup's has them in {page_file}")
    page = page_file.read_text(encoding="utf-8")
    _, in_tree, dependencies = re.split(r'<h2 id="(?:in-tree-files|out-of-tree-dependencies)">', page)
    owners = "\n".join(line.strip() for line in bare(in_tree.partition("</h2>")[2]).splitlines() if line.strip())
    texts = [owners, STANDARD["MIT"].read_text(encoding="utf-8").replace("@AUTHORS@", "The Rust Project Developers")]
    texts += [(documents() / "licenses" / f"{name}.txt").read_text(encoding="utf-8") for name in ("Apache-2.0", "LLVM-exception", "Unicode-3.0")]
    texts += map(bare, re.findall(r"<pre>(.*?)</pre>", dependencies, re.DOTALL))
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
            # libgcc has the code that starts and ends a program, and division for processors without it. The
            # exception is all that its licence requires.
            exception = (documents() / "licenses/GCC-exception-3.1.txt").read_text(encoding="utf-8")
            yield Part("libgcc", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org", (exception,))


def render(program: str, parts: list[Part]) -> Iterator[str]:
    """A list of the parts, then each text once, below the names of its parts."""
    yield OPENING.format(program=program)
    users: dict[str, list[str]] = {}
    whole: dict[str, str] = {}
    for part in parts:
        yield f"{part.name}: {part.license}; {part.source}\n"
        for text in part.texts:
            # Texts that differ only in their line breaks count as one.
            same = " ".join(text.split())
            users.setdefault(same, []).append(part.name)
            whole.setdefault(same, "\n".join(line.rstrip() for line in text.strip("\ufeff\r\n").splitlines()))
    for same, text in whole.items():
        names = textwrap.fill(", ".join(dict.fromkeys(users[same])), 100, break_long_words=False, break_on_hyphens=False)
        yield f"\n\n{'=' * 100}\n{names}\n{'-' * 100}\n\n{text}\n"


if __name__ == "__main__":
    main()
