#!/usr/bin/env python3
"""Writes a macOS installer package ("flat package") from a folder, on any system, with the same bytes every time.

It works for any folder, and signs nothing.

    flat_package.py --root FOLDER --scripts FOLDER --out FILE --identifier NAME --version V --system V --title TEXT

A flat package is a xar archive of `Distribution`, which the Installer shows and checks, and of one component: `PackageInfo`,
`Bom` (the list of files, which becomes the receipt), `Payload` and `Scripts`. Everything belongs to root:wheel. All times are
SOURCE_DATE_EPOCH.
"""

import argparse
import gzip
import hashlib
import os
import stat
import struct
import subprocess
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

TIME = int(os.environ["SOURCE_DATE_EPOCH"])


@dataclass
class Entry:
    """One file or folder, with its name relative to the root: `.`, `./usr`."""

    name: str
    mode: int
    content: bytes
    path: Path

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def entries_under(root: Path) -> list[Entry]:
    """Folders before their content, level by level, each level sorted by bytes."""
    found = [Entry(".", stat.S_IFDIR | 0o755, b"", root)]
    for entry in found:  # the loop extends the list
        if entry.is_folder:
            found += [entry_of(f"{entry.name}/{path.name}", path) for path in sorted(entry.path.iterdir(), key=os.fsencode)]
    return found


def entry_of(name: str, path: Path) -> Entry:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return Entry(name, stat.S_IFDIR | 0o755, b"", path)
    if not stat.S_ISREG(mode):
        raise SystemExit(f"flat_package.py: {path} is neither a file nor a folder")
    return Entry(name, stat.S_IFREG | (0o755 if mode & 0o100 else 0o644), path.read_bytes(), path)


def archive(entries: list[Entry]) -> bytes:
    """A compressed cpio archive in the portable format of POSIX ("odc"), whose numbers are octal digits."""

    def record(number: int, name: str, mode: int, links: int, content: bytes) -> bytes:
        of_six = "".join(f"{value:06o}" for value in (0, number, mode, 0, 0, links, 0))
        head = f"070707{of_six}{TIME:011o}{len(name.encode()) + 1:06o}{len(content):011o}{name}\0"
        return head.encode() + content

    records = [
        record(number, entry.name, entry.mode, 2 if entry.is_folder else 1, entry.content)
        for number, entry in enumerate(entries, start=1)
    ]
    return gzip.compress(b"".join(records) + record(0, "TRAILER!!!", 0, 1, b""), mtime=0)


@dataclass
class Bom:
    """A bill of materials: numbered blocks, some of which have a name. All numbers are big-endian."""

    blocks: list[bytes] = field(default_factory=lambda: [b""])  # block 0 is "none"
    names: dict[str, int] = field(default_factory=dict)

    def add(self, block: bytes, name: str = "") -> int:
        self.blocks.append(block)
        if name:
            self.names[name] = len(self.blocks) - 1
        return len(self.blocks) - 1

    def add_tree(self, pairs: list[tuple[int, int]], page: int, name: str = "") -> int:
        """Keys and values, by the numbers of their blocks, in one leaf. One page has room for all files that we ship."""
        leaf = struct.pack(">HHII", 1, len(pairs), 0, 0) + b"".join(struct.pack(">II", *pair) for pair in pairs)
        if len(leaf) > page:
            raise SystemExit(f"flat_package.py: {len(pairs)} files and folders do not fit into one page of the Bom")
        return self.add(struct.pack(">4sIIIIx", b"tree", 1, self.add(leaf.ljust(page, b"\0")), page, len(pairs)), name)

    def written(self) -> bytes:
        """Header, blocks, names, and the position of each block. Two empty entries end the list of free blocks, as Apple's do."""
        header, body, places = 512, b"", []
        for block in self.blocks:
            places.append((header + len(body), len(block)) if block else (0, 0))
            body += block
        index = struct.pack(">I", len(places)) + b"".join(struct.pack(">II", *place) for place in places)
        index += struct.pack(">I16x", 2)
        names = struct.pack(">I", len(self.names))
        names += b"".join(struct.pack(">IB", at, len(name)) + name.encode() for name, at in self.names.items())
        at = header + len(body)
        head = struct.pack(">8sIIIII", b"BOMStore", 1, len(places) - 1, at + len(names), len(index), at)
        return (head + struct.pack(">I", len(names))).ljust(header, b"\0") + body + names + index


def bom(entries: list[Entry]) -> bytes:
    made = Bom()
    total = sum(len(entry.content) for entry in entries)
    made.add(struct.pack(">IIIIIII", 1, len(entries), 1, 0, 0, total, 0), "BomInfo")
    numbers = {entry.name: number for number, entry in enumerate(entries, start=1)}
    pairs = []
    for entry in entries:
        parent, _, name = entry.name.rpartition("/")
        # The low bits say that all of the following fields are present.
        kind = 2 if entry.is_folder else 1
        facts = struct.pack(">BBHHIIIIB", kind, 1, 0xF, entry.mode, 0, 0, TIME, len(entry.content), 1)
        facts += b"" if entry.is_folder else struct.pack(">I", checksum(entry.path))
        facts += bytes(8)
        key = made.add(struct.pack(">II", numbers[entry.name], made.add(facts)))
        pairs.append((key, made.add(struct.pack(">I", numbers.get(parent, 0)) + name.encode() + b"\0")))
    made.add_tree(pairs, 4096, "Paths")
    # Empty: hard links, the languages of bundles, and files of more than 4 GiB.
    made.add_tree([], 4096, "HLIndex")
    made.add(struct.pack(">IIIB", 1, made.add_tree([], 128), 0, 1), "VIndex")
    made.add_tree([], 4096, "Size64")
    return made.written()


def checksum(path: Path) -> int:
    return int(subprocess.check_output(["cksum", path]).split()[0])


def xar(files: dict[str, bytes]) -> bytes:
    """A xar archive: a header, a compressed table in XML, and everything else one after the other. The names are
    paths of at most one folder. SHA-1 is what the Installer of every macOS reads; it finds damage and proves nothing,
    which is left to the signature."""
    heap, number, table, folder = b"\0" * 20, 0, "", ""
    time = datetime.fromtimestamp(TIME, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    owner = f"<uid>0</uid><gid>0</gid><mtime>{time}</mtime>"
    for path, content in files.items():
        parent, _, name = path.rpartition("/")
        if parent != folder:
            number, folder = number + 1, parent
            table += f'<file id="{number}"><name>{escape(parent)}</name><type>directory</type><mode>0755</mode>{owner}'
        number, digest = number + 1, hashlib.sha1(content).hexdigest()
        table += (
            f'<file id="{number}"><name>{escape(name)}</name><type>file</type><mode>0644</mode>{owner}<data>'
            f'<archived-checksum style="sha1">{digest}</archived-checksum>'
            f'<extracted-checksum style="sha1">{digest}</extracted-checksum>'
            f"<offset>{len(heap)}</offset><size>{len(content)}</size><length>{len(content)}</length>"
            '<encoding style="application/octet-stream"/></data></file>'
        )
        heap += content
    table += "</file>" if folder else ""
    checksum_of_table = '<checksum style="sha1"><offset>0</offset><size>20</size></checksum>'
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<xar><toc>{checksum_of_table}<creation-time>{time[:-1]}</creation-time>{table}</toc></xar>"
    ).encode()
    packed = zlib.compress(text, 9)
    header = struct.pack(">4sHHQQI", b"xar!", 28, 1, len(packed), len(text), 1)
    return header + packed + hashlib.sha1(packed).digest() + heap[20:]


def package(options: argparse.Namespace) -> bytes:
    entries, scripts = entries_under(options.root), entries_under(options.scripts)
    kilobytes = sum(-(-len(entry.content) // 1024) for entry in entries)
    identifier, version = quoteattr(options.identifier), quoteattr(options.version)
    run = "".join(
        f'<{name} file="./{name}"/>' for name in ("preinstall", "postinstall") if (options.scripts / name).exists()
    )
    # The owner and permissions of existing folders stay: on an Intel Mac, Homebrew's folders stay Homebrew's.
    info = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<pkg-info format-version="2" identifier={identifier} version={version} install-location="/" auth="root" '
        'overwrite-permissions="false" relocatable="false" postinstall-action="none">'
        f'<payload numberOfFiles="{len(entries)}" installKBytes="{kilobytes}"/><scripts>{run}</scripts></pkg-info>\n'
    )
    # Without `hostArchitectures` the Installer would install Rosetta first.
    distribution = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<installer-gui-script minSpecVersion="2"><title>{escape(options.title)}</title>'
        '<options customize="never" require-scripts="false" hostArchitectures="arm64,x86_64"/>'
        '<domains enable_anywhere="false" enable_currentUserHome="false" enable_localSystem="true"/>'
        f"<volume-check><allowed-os-versions><os-version min={quoteattr(options.system)}/></allowed-os-versions></volume-check>"
        f'<choices-outline><line choice="default"><line choice={identifier}/></line></choices-outline>'
        f'<choice id="default"/><choice id={identifier} visible="false"><pkg-ref id={identifier}/></choice>'
        f'<pkg-ref id={identifier} version={version} onConclusion="none" installKBytes="{kilobytes}" auth="root">'
        "#component.pkg</pkg-ref></installer-gui-script>\n"
    )
    return xar(
        {
            "Distribution": distribution.encode(),
            "component.pkg/PackageInfo": info.encode(),
            "component.pkg/Bom": bom(entries),
            "component.pkg/Payload": archive(entries),
            "component.pkg/Scripts": archive(scripts),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes an installer package of macOS.", allow_abbrev=False)
    for name in ("--root", "--scripts", "--out"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--identifier", "--version", "--system", "--title"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    options.out.write_bytes(package(options))


if __name__ == "__main__":
    main()
