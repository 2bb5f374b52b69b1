"""A test's release: its files, signed with a key that is not the project's, and a server on loopback that serves them.

packaging/installers and packaging/sums make the files, as for a real release.
"""

import io
import shutil
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGING = REPOSITORY / "packaging"
PLATFORM = "linux-x86_64"


def make_key(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run([REPOSITORY / "tests/packages/key", folder], check=True, capture_output=True)
    return folder


def as_version(program: bytes, version: str) -> bytes:
    """The same program with another version of the same length."""
    assert b"0.1.0" in program and len(version) == 5, version
    return program.replace(b"0.1.0", version.encode())


def archive_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Release:
    """A folder of one release's files."""

    def __init__(self, folder: Path, version: str, program: bytes, key: Path, address: str):
        self.folder, self.version, self.key, self.address = folder, version, key, address
        self.archive = folder / f"bedrock-sso-{version}-{PLATFORM}.tar.gz"
        folder.mkdir(parents=True)
        name = f"bedrock-sso-{version}-{PLATFORM}"
        # The folders of a real package. The script must not take the completions of the same name for the program.
        self.archive.write_bytes(archive_of({f"{name}/share/bash-completion/completions/bedrock-sso": b"#", f"{name}/bin/bedrock-sso": program}))
        self.seal()

    def seal(self) -> "Release":
        """Makes scripts, checksums and signatures for the files as they are now."""
        public, secret = self.key / "minisign.pub", self.key / "minisign.key"
        for command in ([PACKAGING / "installers", self.folder, self.address, public], [PACKAGING / "sums", self.folder, self.version, secret, public]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return self

    def copy(self, folder: Path) -> "Release":
        other = object.__new__(Release)
        other.__dict__ = dict(self.__dict__, folder=folder, archive=folder / self.archive.name)
        shutil.copytree(self.folder, folder)
        return other

    @property
    def script(self) -> Path:
        return self.folder / "install.sh"

    @property
    def sums(self) -> Path:
        return self.folder / "SHA256SUMS"


class Server:
    """Serves releases as GitHub does: /releases/latest/download/NAME, /releases/download/vVERSION/NAME."""

    def __init__(self):
        self.releases: dict[str, Release] = {}
        self.latest: Release | None = None
        self.asked: list[str] = []
        # Half of a file with this name is sent: then the connection is cut, or it stalls.
        self.cut: str | None = None
        self.stall: str | None = None
        # A file with this name never ends, and its length is not announced. `sent` counts its bytes.
        self.endless: str | None = None
        self.sent = 0
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.http.server_port}/releases"

    def add(self, release: Release) -> Release:
        self.releases[release.version] = self.latest = release
        return release

    def start_over(self, latest: Release) -> None:
        self.asked.clear()
        self.latest, self.cut, self.stall, self.endless = latest, None, None, None
        self.stalled.clear()
        self.go_on.clear()

    def send_without_end(self, request: BaseHTTPRequestHandler) -> None:
        """Sends more than any client with a limit reads."""
        request.end_headers()
        self.sent, request.close_connection = 0, True
        try:
            while self.sent < 1 << 28:
                self.sent += request.wfile.write(b"x" * (1 << 16))
        except OSError:
            pass

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        *_, place, name = request.path.split("/")
        self.asked.append(name)
        release = self.latest if request.path.startswith("/releases/latest/download/") else self.releases.get(place[1:])
        file = release.folder / name if release else None
        if file is None or not file.is_file():
            request.send_error(404)
            return
        content = file.read_bytes()
        request.send_response(200)
        if name == self.endless:
            self.send_without_end(request)
            return
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        sent = content[: len(content) // 2] if name in (self.cut, self.stall) else content
        try:
            request.wfile.write(sent)
            if name == self.stall:
                request.wfile.flush()
                self.stalled.set()
                self.go_on.wait(30)
        except OSError:
            pass
        request.close_connection = True
