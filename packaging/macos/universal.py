#!/usr/bin/env python3
"""Combines programs for single processors into one file for all of them, like `lipo -create`.

universal.py OUT PROGRAM …
"""

import os
import struct
import sys
from pathlib import Path

PAGE = 1 << 14  # of Apple's own processors, which have the larger pages


def universal(programs: list[bytes]) -> bytes:
    table, body = struct.pack(">II", 0xCAFEBABE, len(programs)), b""
    for program in programs:
        magic, processor, kind = struct.unpack_from("<III", program)
        if magic != 0xFEEDFACF:
            raise SystemExit("universal.py: this is not a program for one 64-bit processor")
        body += bytes(-len(body) % PAGE)
        table += struct.pack(">IIIII", processor, kind, PAGE + len(body), len(program), 14)
        body += program
    return table.ljust(PAGE, b"\0") + body


if __name__ == "__main__":
    out, *programs = map(Path, sys.argv[1:])
    out.write_bytes(universal([program.read_bytes() for program in programs]))
    os.chmod(out, 0o755)
