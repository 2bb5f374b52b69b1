"""A user with a home and a selection of tools, who runs scripts and the program. The result is code, stdout and stderr.

They see nothing of this machine's home, configuration or terminal.
"""

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

# Tools that the script may use on every system, and tools that only some systems have.
BASIC = "cat chmod cmp cp grep head ls mkdir mktemp mv printf rm rmdir sed tail tar gzip tr uname find".split()
OTHER = "curl wget minisign openssl ssh-keygen sha256sum shasum base64".split()
SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox ash": ["busybox", "ash"],
    "ksh": ["ksh"],
    "mksh": ["mksh"],
    "zsh as sh": ["zsh", "--emulate", "sh"],
}


class Ended(NamedTuple):
    code: int
    stdout: str
    stderr: str


class Person:
    def __init__(self, folder: Path):
        self.folder, self.home, self.tools, self.scratch = folder, folder / "home", folder / "tools", folder / "tmp"

    def start_over(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        for each in (self.home, self.scratch):
            each.mkdir(parents=True)
        self.variables: dict[str, str] = {}
        (self.home / ".bashrc").write_text("# the user's\n")
        self.may_use(*OTHER)

    def may_use(self, *others: str, **elsewhere: str) -> None:
        """Sets the PATH to the basic tools, these tools, and others under given names."""
        shutil.rmtree(self.tools, ignore_errors=True)
        self.tools.mkdir()
        for name in BASIC + list(others):
            elsewhere.setdefault(name.replace("-", "_"), shutil.which(name) or "")
        for name, file in elsewhere.items():
            if file:
                (self.tools / name.replace("_", "-")).symlink_to(file)

    def tool(self, name: str, text: str) -> None:
        file = self.tools / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "PATH": str(self.tools), "TMPDIR": str(self.scratch), "SHELL": "/bin/bash"}
        return own | self.variables

    def run(self, *words: object, stdin: bytes = b"") -> Ended:
        """Runs a program without a terminal."""
        done = subprocess.run(
            [resolved(words[0]), *map(str, words[1:])], cwd=self.folder, env=self.environment(), input=stdin, capture_output=True, start_new_session=True, timeout=60
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def script(self, script: Path, *words: object, shell: str = "dash") -> Ended:
        return self.run(*SHELLS[shell], script, *words)

    def begin(self, script: Path, *words: object) -> subprocess.Popen:
        command = [resolved("dash"), script, *words]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)

    def at_terminal(self, *words: object, answers: list[str]) -> tuple[int, str]:
        """Types one answer for each question."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(resolved(words[0]), list(map(str, words)), self.environment())
        seen, deadline, answers = "", time.monotonic() + 30, list(answers)
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                seen += os.read(terminal, 4096).decode()
            except OSError:
                break
            if seen.endswith("[Y/n] ") and answers:
                os.write(terminal, f"{answers.pop(0)}\n".encode())
        else:
            os.kill(child, signal.SIGKILL)
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert not answers, f"no question for {answers}: {seen}"
        return code, seen.replace("\r\n", "\n")

    def files(self) -> dict[str, tuple[str, int, bytes]]:
        """All files and folders in the home and the temporary folder: kind, permissions and content."""
        found = {}
        for root in (self.home, self.scratch):
            for path in sorted(root.rglob("*")):
                status = path.lstat()
                content = b"" if path.is_dir() else path.read_bytes()
                found[str(path.relative_to(self.folder))] = ("folder" if path.is_dir() else "file", status.st_mode & 0o777, content)
        return found


def resolved(program: object) -> str:
    found = shutil.which(str(program))
    assert found, program
    return found
