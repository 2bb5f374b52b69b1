"""Checks what a package says about the licences of the code that is linked into its program."""

import re
import subprocess
from pathlib import Path

COLLECT = Path(__file__).resolve().parents[2] / "packaging/licenses/collect.py"
NAME = "THIRD-PARTY-LICENSES.txt"
RUST = ("Rust's standard library", "The Rust Project Developers")
# Text that each of these licences must have: cryptography, TLS and the runtime, a crate without a licence file, a
# licence that asks for its sources.
CRATES = {
    "ring": "Copyright 2015-2025 Brian Smith.",
    "rustls": "Permission to use, copy, modify, and/or distribute this software",
    "tokio": "Copyright (c) Tokio Contributors",
    "qrcodegen": "Copyright (c) Project Nayuki",
    "option-ext": "Mozilla Public License Version 2.0",
}
# Crates that are only used by tests or by the build.
NOT_LINKED = {"tempfile", "rcgen", "serde_derive", "syn", "cc", "bedrock-sso", "bedrock-sso-testworld"}


def collected(*targets: str) -> str:
    return subprocess.run(["python3", "-B", COLLECT, *targets], capture_output=True, text=True, check=True, timeout=120).stdout


def check_licences(text: str, also: dict[str, str], but: set[str]) -> None:
    """`also`: code that only this system's program has. `but`: code that only another system's program has."""
    listing, *chapters = re.split(r"\n\n={100}\n", text)
    parts = dict(re.findall(r"^(.+?)(?: [0-9.]+[^ ]*)?: .+; (https://\S+)$", listing, re.MULTILINE))
    assert len(parts) > 200, parts
    owners, texts = zip(*(chapter.split("-" * 100, 1) for chapter in chapters))
    for name, words in (CRATES | also | dict([RUST])).items():
        assert name in parts, (name, sorted(parts))
        theirs = [texts[place] for place, names in enumerate(owners) if re.search(rf"(^|[ \n]){re.escape(name)}([ ,\n]|$)", names)]
        assert any(words in " ".join(each.split()) for each in theirs), (name, [each[:200] for each in theirs])
    assert parts["option-ext"].startswith("https://crates.io/crates/option-ext/"), parts
    assert not parts.keys() & (NOT_LINKED | but), parts.keys() & (NOT_LINKED | but)
    all_owners = " ".join(" ".join(owners).split())
    assert not [line for line in re.findall(r"^(.+?): ", listing, re.MULTILINE) if line not in all_owners], "a part has no text"
    assert len({" ".join(each.split()) for each in texts}) == len(texts), "a text is repeated"
