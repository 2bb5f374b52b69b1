"""Packs a folder into a zip with the same bytes each time: `archive.py FOLDER FILE`, run in the folder above."""

import os
import sys
import time
import zipfile
from pathlib import Path

moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(Path(sys.argv[1]).rglob("*")):
        if path.is_file():
            entry = zipfile.ZipInfo(path.as_posix(), moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
