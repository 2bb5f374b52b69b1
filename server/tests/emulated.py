"""What the tests in an emulated AWS share: the emulator of tests/aws, and the program as a package for Lambda."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start_emulator(test, **options):
    """Starts the emulator until the tests of this class have ended, and returns its address. The options are those of Popen."""
    emulator = subprocess.Popen([sys.executable, ROOT / "tests/aws/emulator.py"], stdout=subprocess.PIPE, text=True, **options)
    test.addClassCleanup(emulator.stdout.close)
    test.addClassCleanup(emulator.wait)
    test.addClassCleanup(emulator.kill)
    ready, endpoint = emulator.stdout.readline().split()
    assert ready == "ready"
    return endpoint


def pack(program):
    """The zip that Lambda starts."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, Path(program).read_bytes())
    return package.getvalue()
