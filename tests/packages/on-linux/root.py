"""Fresh systems in a folder: a Debian, and a root with only rpm's database and a shell.

They share this machine's loopback, and so its test world.
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

# Records of the package managers.
BOOKKEEPING = [
    "var/lib/dpkg/", "var/log/", "var/cache/", "var/lib/apt/", "var/lib/rpm/", "usr/lib/sysimage/rpm/", "proc/", "dev/", "fixtures/",
]
PEOPLE = {"alice": 1000, "bob": 1001}
SHELL = "/bin/sh"


@dataclass
class Ended:
    code: int
    out: str
    err: str

    def well(self) -> "Ended":
        assert self.code == 0, self
        return self


def on_host(*words: object, **more) -> Ended:
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    return Ended(done.returncode, done.stdout, done.stderr)


class Root:
    """A system below a folder, with two users and a program that replaces the browser."""

    def __init__(self, folder: Path, examples: Path):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.make()
        (folder / "proc").mkdir(exist_ok=True)
        on_host("mount", "-t", "proc", "proc", folder / "proc").well()
        self.add_person(examples)

    def leave(self) -> None:
        on_host("umount", "--lazy", self.folder / "proc")
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self) -> None:
        raise NotImplementedError

    def add_person(self, examples: Path) -> None:
        """Adds the user at the browser, with the libraries that it is linked with."""
        fixtures = self.folder / "fixtures"
        fixtures.mkdir()
        shutil.copy(examples / "person", fixtures)
        for line in on_host("ldd", examples / "person").well().out.splitlines():
            for word in line.split():
                if word.startswith("/"):
                    shutil.copy(word, fixtures)
        self.loader = f"/fixtures/{next(fixtures.glob('ld-linux*')).name}"

    def add_file(self, file: Path) -> str:
        shutil.copy(file, self.folder / "fixtures")
        return f"/fixtures/{file.name}"

    def browser(self) -> str:
        """The line of a configuration that names the browser."""
        return f'browser = ["{self.loader}", "--library-path", "/fixtures", "/fixtures/person", "{{url}}"]\n'

    def call(self, words: tuple[str, ...], person: str) -> list[str]:
        number = PEOPLE.get(person, 0)
        # `--groups=` removes root's own groups.
        return ["chroot", f"--userspec={number}:{number}", "--groups=", str(self.folder), *words]

    def environment(self, person: str, variables: dict[str, str]) -> dict[str, str]:
        home = "/root" if person == "root" else f"/home/{person}"
        return {"HOME": home, "USER": person, "LOGNAME": person, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"} | variables

    def run(self, *words: str, person: str = "root", **variables: str) -> Ended:
        # Output goes to pipes that end with the command.
        return on_host(*self.call(words, person), env=self.environment(person, variables), cwd="/")

    def at_terminal(self, *words: str, answer: str, question: str, **variables: str) -> Ended:
        """Runs a command as root in a terminal, and answers its one question."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir("/")
            os.execvpe("chroot", self.call(words, "root"), self.environment("root", {"TERM": "dumb"} | variables))
        shown, answered, deadline = "", False, time.monotonic() + 120
        while True:
            assert time.monotonic() < deadline, f"still running: {shown}"
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
            if question in shown and not answered and shown.endswith("[yes/no] "):
                os.write(terminal, f"{answer}\n".encode())
                answered = True
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert answered, f"there was no question: {shown}"
        return Ended(code, shown, "")

    def path(self, place: str) -> Path:
        return self.folder / place.lstrip("/")

    def write(self, place: str, text: str, mode: int = 0o644) -> None:
        self.path(place).parent.mkdir(parents=True, exist_ok=True)
        self.path(place).write_text(text)
        self.path(place).chmod(mode)

    def snapshot(self) -> dict[str, str]:
        """Every file by path: kind, permissions, owner, and bytes or link target."""
        found = {}
        for folder, folders, files in os.walk(self.folder):
            for name in folders + files:
                path = Path(folder, name)
                place = str(path.relative_to(self.folder))
                if any(f"{place}/".startswith(prefix) for prefix in BOOKKEEPING):
                    continue
                there = path.lstat()
                what = ""
                if stat.S_ISLNK(there.st_mode):
                    what = os.readlink(path)
                elif stat.S_ISREG(there.st_mode):
                    what = hashlib.sha256(path.read_bytes()).hexdigest()
                found[place] = f"{stat.filemode(there.st_mode)} {there.st_uid}:{there.st_gid} {what}"
        return found

    def add_people(self) -> None:
        for person, number in PEOPLE.items():
            home = self.path(f"/home/{person}")
            home.mkdir(parents=True)
            home.chmod(0o700)
            os.chown(home, number, number)
            with self.path("/etc/passwd").open("a") as passwd:
                passwd.write(f"{person}:x:{number}:{number}::/home/{person}:{SHELL}\n")
            with self.path("/etc/group").open("a") as group:
                group.write(f"{person}:x:{number}:\n")


class Debian(Root):
    """A Debian 12 with the packages that every Debian has, and those that ours depends on."""

    template: Path

    @classmethod
    def prepare(cls, template: Path) -> None:
        cls.template = template
        if template.exists():
            return
        fresh = template.with_suffix(".new.tar")
        # Uses this machine's mirror. The variable is apt's.
        mirror = on_host("apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian", "Created-By: Packages").well()
        # Removes files that nothing here reads, because each scenario would unpack, compare and delete them.
        lighter = '--customize-hook=cd "$1"/usr/share && rm -rf locale/* doc/* man/* zoneinfo/* i18n/*'
        on_host("mmdebstrap", "--variant=minbase", "--include=ca-certificates", lighter, "bookworm", fresh, mirror.out.splitlines()[0]).well()
        fresh.rename(template)

    def make(self) -> None:
        on_host("tar", "-xf", self.template, "-C", self.folder).well()
        self.add_people()

    def apt(self, *words: str, **variables: str) -> Ended:
        return self.run("apt-get", "-qq", "-y", *words, **{"DEBIAN_FRONTEND": "noninteractive"} | variables)

    def bookkeeping_names(self, name: str) -> list[str]:
        """The package managers' records that still name a package, without their logs."""
        records = [self.path("/var/lib/dpkg/status"), *self.path("/var/cache/debconf").glob("*.dat"), *self.path("/var/lib/apt").glob("extended_states")]
        return [str(file) for file in records if name in file.read_text()] + [str(file) for file in self.path("/var/lib/dpkg/info").glob(f"{name}*")]


class Rpm(Root):
    """What rpm needs of a Fedora: its database, the usual folders, certificate authorities, and a shell with env."""

    def make(self) -> None:
        for place in ["bin", "etc", "usr/bin", "usr/sbin", "usr/share/doc", "usr/share/licenses", "usr/share/man/man1", "var/lib", "var/log", "var/tmp", "tmp", "root", "home", "dev"]:
            self.path(place).mkdir(parents=True, exist_ok=True)
        self.path("tmp").chmod(0o1777)
        os.mknod(self.path("dev/null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(self.path("dev/urandom"), 0o666 | stat.S_IFCHR, os.makedev(1, 9))
        self.path("dev/null").chmod(0o666)
        shutil.copy(shutil.which("busybox"), self.path("bin/busybox"))
        for name in ["sh", "env", "cat", "rm", "tar", "gzip"]:
            self.path(f"bin/{name}").symlink_to("busybox")
        self.write("/etc/passwd", f"root:x:0:0:root:/root:{SHELL}\n")
        self.write("/etc/group", "root:x:0:\n")
        self.path("etc/pki/tls/certs").mkdir(parents=True)
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", self.path("etc/pki/tls/certs/ca-bundle.crt"))
        self.add_people()
        self.ask("--initdb").well()

    def rpm(self, *words: object) -> Ended:
        """Calls rpm without dependencies, because no package provides the shell and the authorities."""
        return self.ask("--nodeps", *words)

    def ask(self, *words: object) -> Ended:
        # Debian's rpm would otherwise have its database in a user's home.
        return on_host("rpm", "--root", self.folder, "--dbpath", "/var/lib/rpm", *words)
