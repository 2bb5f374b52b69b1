"""A Windows machine under Wine with one user's profile: starts programs there and reads the files that they write."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# The program under test must not see this system's configuration.
PASSED_ON = ("PATH", "HOME", "USER", "LC_ALL", "WINEPREFIX", "WINEDEBUG", "WINEDLLOVERRIDES", "XDG_RUNTIME_DIR")


@dataclass
class Ended:
    """The result of a program."""

    code: int
    out: str
    err: str


class Machine:
    def __init__(self, wine: str, programs: Path):
        self.wine = wine
        self.drive = Path(os.environ["WINEPREFIX"]) / "drive_c"
        self.program = programs / "bedrock-sso.exe"
        self.person = programs / "examples" / "person.exe"
        self.profile = self.drive / "users" / os.environ["USER"]
        # The folders in which the `directories` crate puts configuration and data on Windows.
        self.config_file = self.profile / "AppData/Roaming/bedrock-sso/config/config.toml"
        self.data = self.profile / "AppData/Local/bedrock-sso/data"

    def start(self, *words: str, **variables: str) -> "Caller":
        """Starts bedrock-sso as an SDK does: a pipe for its output, nothing to read, no console."""
        return Caller([self.wine, str(self.program), *words], environment() | variables)

    def start_command(self, *words: str, **variables: str) -> "Caller":
        """Starts another program of the machine in the same way."""
        return Caller([self.wine, *words], environment() | variables)

    def run(self, *words: str, **variables: str) -> Ended:
        return self.start(*words, **variables).ended()

    def end(self, program: Path) -> None:
        """Ends every process of a program, as the Task Manager does."""
        command = [self.wine, "taskkill", "/f", "/im", program.name]
        subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    def start_over(self, configuration: str) -> None:
        """Prepares a user who never used the program, with a configuration from the administrator."""
        self.end(self.program)
        self.end(self.person)
        for folder in (self.config_file.parents[1], self.data.parent):
            shutil.rmtree(folder, ignore_errors=True)
        self.config_file.parent.mkdir(parents=True)
        self.config_file.write_text(configuration, encoding="utf-8")

    def credential(self, target: str) -> dict[str, str] | None:
        """A generic credential in Wine's Credential Manager, with its secret encrypted; `None` if it does not exist."""
        answer = self.registry("query", target)
        if answer.returncode:
            return None
        values = (line.split(None, 2) for line in answer.stdout.splitlines() if line.startswith("    "))
        return {name: value for name, _, value in (words for words in values if len(words) == 3)}

    def forget_credential(self, target: str) -> None:
        self.registry("delete", target, "/f")

    def registry(self, verb: str, target: str, *words: str) -> subprocess.CompletedProcess:
        return self.reg(verb, f"HKCU\\Software\\Wine\\Credential Manager\\Generic: {target}", *words)

    def reg(self, *words: str) -> subprocess.CompletedProcess:
        streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run([self.wine, "reg", *words], env=environment(), timeout=30, **streams)

    def set_proxy(self, **settings: str | int) -> None:
        """Sets the system's proxy as Windows' Settings do (WinINET), and removes all other proxy settings."""
        key = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
        for name in ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL"):
            self.reg("delete", key, "/v", name, "/f")
        for name, value in settings.items():
            kind = "REG_DWORD" if isinstance(value, int) else "REG_SZ"
            written = self.reg("add", key, "/v", name, "/t", kind, "/d", str(value), "/f")
            assert written.returncode == 0, written

    def files(self) -> set[Path]:
        """Every file of the users and of the administrator."""
        places = (self.drive / "users", self.drive / "ProgramData")
        return {path for place in places for path in place.rglob("*") if path.is_file()}


class Caller:
    """A started program, as its caller sees it."""

    def __init__(self, command: list[str], variables: dict[str, str]):
        # Wine passes its own descriptor 2 to every child, whatever flags Windows' API sets, so only stdout can be a
        # pipe here.
        self.err = tempfile.TemporaryFile()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": self.err}
        self.process = subprocess.Popen(command, env=variables, **streams)

    def ended(self, limit: float = 60) -> Ended:
        """Waits, as SDKs do, until the program has ended and no process holds the pipe."""
        try:
            out, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            state = "has ended, but its stdout is held open" if self.process.poll() is not None else "still runs"
            self.process.kill()
            raise AssertionError(f"the program {state} after {limit:.0f} s") from None
        self.err.seek(0)
        return Ended(self.process.returncode, out.decode(), self.err.read().decode())

    def kill(self) -> None:
        self.process.kill()
        self.ended()


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def windows_path(path: Path) -> str:
    """The path as programs on the machine see it: Wine shows this system's root as Z:."""
    return "Z:" + str(path.resolve()).replace("/", "\\")
