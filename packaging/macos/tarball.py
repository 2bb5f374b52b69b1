#!/usr/bin/env python3
"""Packs a folder with the same bytes every time and on every system: owner root, time SOURCE_DATE_EPOCH, sorted by bytes.

tarball.py FOLDER OUT
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path


def settled(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(os.environ["SOURCE_DATE_EPOCH"])
    return entry


if __name__ == "__main__":
    folder, out = map(Path, sys.argv[1:])
    with open(out, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            archive.add(folder, folder.name, filter=settled)  # which sorts
