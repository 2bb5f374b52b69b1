"""A copy of this system that replaces a Mac: with two users in /Users, and the folders and programs that only a Mac has.

It is an overlay in memory, which is deleted afterwards.
"""

import hashlib
import os
import pty
import select
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PEOPLE = {"alice": 501, "bob": 502}
# The places where a Mac's program writes, and this system's places for the same files.
PLACES = ("usr/local", "Library", "Users", "var/root", "etc")
PROGRAM = "usr/local/bin/bedrock-sso"

# As on a Mac, where the `directories` crate has one folder for configuration and data.
BEDROCK_SSO = """#!/bin/sh
XDG_DATA_HOME="$HOME/Library/Application Support" XDG_CONFIG_HOME="$HOME/Library/Application Support" exec /fixtures/native "$@"
"""
# These programs accept only the arguments that macOS's programs accept. Alice has a graphical session, Bob has none.
SUDO = """#!/bin/sh
[ "$1" = -u ] || exit 64
number=${2#"#"} && shift 2
exec setpriv --reuid "$number" --regid "$number" --clear-groups "$@"
"""
LAUNCHCTL = """#!/bin/sh
case $1 in
    print) [ "$2" = gui/501 ] ;;
    asuser) [ "$2" = 501 ] || exit 64; shift 2; IN_SESSION=yes exec "$@" ;;
    *) exit 64 ;;
esac
"""
PKGUTIL = """#!/bin/sh
[ "$1" = --forget ] && rm "/fixtures/receipts/$2"
"""


@dataclass
class Ended:
    code: int
    out: str

    def well(self) -> "Ended":
        assert self.code == 0, self
        return self


class Mac:
    def __init__(self, scratch: Path, native: Path, person: Path):
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "none", scratch)
        self.root = scratch / "root"
        for folder in ("root", "upper", "work"):
            (scratch / folder).mkdir()
        mount("-t", "overlay", "none", self.root, "-o", f"lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work")
        for folder in ("proc", "dev"):
            mount("--rbind", f"/{folder}", self.root / folder)
        self.furnish(native, person)

    def leave(self) -> None:
        for folder in (self.root / "proc", self.root / "dev", self.root, self.scratch):
            subprocess.run(["umount", "--lazy", "--recursive", folder], check=True)

    def furnish(self, native: Path, person: Path) -> None:
        fixtures = self.root / "fixtures"
        (fixtures / "receipts").mkdir(parents=True)
        shutil.copy(native, fixtures / "native")
        shutil.copy(person, fixtures / "person")
        for name, text in {"sudo": SUDO, "launchctl": LAUNCHCTL, "pkgutil": PKGUTIL}.items():
            write(fixtures / name, text, 0o755)
        # /usr/local is empty on a new Mac.
        shutil.rmtree(self.root / "usr/local")
        (self.root / "usr/local").mkdir()
        (self.root / "Library/Application Support").mkdir(parents=True)
        (self.root / "var/root").mkdir()
        (self.root / "etc/bedrock-sso").symlink_to("/Library/Application Support/bedrock-sso")
        with (self.root / "etc/passwd").open("a") as accounts:
            for name, number in PEOPLE.items():
                home = self.root / "Users" / name
                (home / "Library/Application Support").mkdir(parents=True)
                subprocess.run(["chown", "-R", f"{number}:{number}", home], check=True)
                accounts.write(f"{name}:x:{number}:{number}::/Users/{name}:/bin/sh\n")

    def install(self, package: "Package") -> Ended:  # noqa: F821
        """Installs as the Installer does: first the payload, which does not change the owners of existing folders, then the script. The
        program for Macs cannot run here, so this system's program replaces it."""
        folder = self.root / "fixtures/package"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(package.unpacked / "component.pkg", folder)
        owners = {path: path.stat().st_uid for path in (self.root / "usr/local").glob("**/") if path.is_dir()}
        subprocess.run(["bsdtar", "-xpf", folder / "Payload", "-C", self.root], check=True)
        for path, owner in owners.items():
            os.chown(path, owner, owner)
        write(self.root / PROGRAM, BEDROCK_SSO, 0o755)
        (self.root / "fixtures/receipts" / package.identifier).touch()
        (folder / "scripts").mkdir()
        subprocess.run(["bsdtar", "-xpf", folder / "Scripts", "-C", folder / "scripts"], check=True)
        if not (folder / "scripts/postinstall").exists():
            return Ended(0, "")
        return self.run("/fixtures/package/scripts/postinstall", "/fixtures/package.pkg", "/", "/", "/")

    def command(self, words: tuple[str, ...], person: str) -> list[str]:
        number, home = str(PEOPLE.get(person, 0)), f"/Users/{person}" if person in PEOPLE else "/var/root"
        become = ["chroot", f"--userspec={number}:{number}", "--groups=", str(self.root)]
        return [*become, "env", "-i", f"HOME={home}", "PATH=/fixtures:/usr/local/bin:/usr/bin:/bin", *words]

    def run(self, *words: str, person: str = "root") -> Ended:
        done = subprocess.run(
            self.command(words, person), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        return Ended(done.returncode, done.stdout)

    def at_terminal(self, *words: str, answer: str) -> Ended:
        """Types the answer once the program has asked."""
        ours, theirs = pty.openpty()
        child = subprocess.Popen(self.command(words, "root"), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
        os.close(theirs)
        output, deadline, has_answered = b"", time.monotonic() + 60, False
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                output += os.read(ours, 4096)
            except OSError:  # the last process has closed the terminal
                break
            if not has_answered and b"[y/N]" in output:
                os.write(ours, f"{answer}\n".encode())
                has_answered = True
        os.close(ours)
        return Ended(child.wait(timeout=10), output.decode().replace("\r\n", "\n"))

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def write(self, path: str, text: str) -> None:
        (self.root / path.lstrip("/")).write_text(text)

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path.lstrip("/"))

    def files(self) -> dict[str, tuple]:
        """Each file and folder of the watched places, with its permissions, owner and content."""
        found = {}
        for place in PLACES:
            for folder, folders, files in os.walk(self.root / place):
                for name in (".", *folders, *files):
                    path = Path(folder, name)
                    facts = path.lstat()
                    content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(facts.st_mode) else ""
                    found[str(path.relative_to(self.root))] = (facts.st_mode, facts.st_uid, facts.st_gid, content)
        return found


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def write(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
