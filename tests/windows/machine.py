"""A Windows machine under Wine with one person's profile: starts programs there and looks at the files they leave.

It knows nothing of what bedrock-sso is for.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Nothing of this system's own configuration may reach the program under test.
PASSED_ON = ("PATH", "HOME", "USER", "LC_ALL", "WINEPREFIX", "WINEDEBUG", "WINEDLLOVERRIDES")


@dataclass
class Ended:
    """What a program left."""

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
        # Where the `directories` crate puts configuration and data on Windows.
        self.config_file = self.profile / "AppData/Roaming/bedrock-sso/config/config.toml"
        self.data = self.profile / "AppData/Local/bedrock-sso/data"

    def start(self, *words: str, **variables: str) -> "Caller":
        """Starts bedrock-sso as an SDK does: a pipe for its output, nothing to read, no console."""
        return Caller([self.wine, str(self.program), *words], environment() | variables)

    def start_command(self, *words: str, **variables: str) -> "Caller":
        """Starts another program of the machine likewise."""
        return Caller([self.wine, *words], environment() | variables)

    def run(self, *words: str, **variables: str) -> Ended:
        return self.start(*words, **variables).ended()

    def end(self, program: Path) -> None:
        """Ends every process of a program as the Task Manager does."""
        command = [self.wine, "taskkill", "/f", "/im", program.name]
        subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    def start_over(self, configuration: str) -> None:
        """A person who never used the program, and whose administrator left a configuration."""
        self.end(self.program)
        self.end(self.person)
        for folder in (self.config_file.parents[1], self.data.parent):
            shutil.rmtree(folder, ignore_errors=True)
        self.config_file.parent.mkdir(parents=True)
        self.config_file.write_text(configuration, encoding="utf-8")

    def credential(self, target: str) -> dict[str, str] | None:
        """A generic credential as Wine's Credential Manager keeps it, its secret encrypted; `None` if there is none."""
        told = self.registry("query", target)
        if told.returncode:
            return None
        values = (line.split(None, 2) for line in told.stdout.splitlines() if line.startswith("    "))
        return {name: value for name, _, value in (words for words in values if len(words) == 3)}

    def forget_credential(self, target: str) -> None:
        self.registry("delete", target, "/f")

    def registry(self, verb: str, target: str, *words: str) -> subprocess.CompletedProcess:
        return self.reg(verb, f"HKCU\\Software\\Wine\\Credential Manager\\Generic: {target}", *words)

    def reg(self, *words: str) -> subprocess.CompletedProcess:
        streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run([self.wine, "reg", *words], env=environment(), timeout=30, **streams)

    def set_proxy(self, **settings: str | int) -> None:
        """The system's proxy as Settings writes it (WinINET), and nothing else of it."""
        key = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
        for name in ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL"):
            self.reg("delete", key, "/v", name, "/f")
        for name, value in settings.items():
            kind = "REG_DWORD" if isinstance(value, int) else "REG_SZ"
            written = self.reg("add", key, "/v", name, "/t", kind, "/d", str(value), "/f")
            assert written.returncode == 0, written

    def files(self) -> set[Path]:
        """Every file that is anybody's."""
        places = (self.drive / "users", self.drive / "ProgramData")
        return {path for place in places for path in place.rglob("*") if path.is_file()}


class Caller:
    """A program that was started, seen from the one who waits for it."""

    def __init__(self, command: list[str], variables: dict[str, str]):
        # Wine hands its own descriptor 2 to every child, whatever Windows' flags say: only stdout can be a pipe here.
        self.err = tempfile.TemporaryFile()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": self.err}
        self.process = subprocess.Popen(command, env=variables, **streams)

    def ended(self, limit: float = 60) -> Ended:
        """Waits as SDKs do, until the pipe is closed by whomever it was held."""
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
    """The same file as programs on the machine name it: Wine shows this system's root as Z:."""
    return "Z:" + str(path.resolve()).replace("/", "\\")
