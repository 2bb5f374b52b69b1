"""A Windows machine under Wine 10 on which packages are installed, with access to its drive and its registry.

It is a machine of tests/windows in a Debian 13, whose users start the program through PATH.
"""

import http.cookiejar
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "windows"))
from machine import Caller, Ended, Machine, environment, windows_path  # noqa: E402

# The user's name has spaces and letters outside ASCII, to find code that cannot handle them.
USER = "Zoë O. Ünal"
# Files of Wine itself: caches and logs that grow, and records of files that were requested.
NOISE = re.compile(r"/windows/(temp|Installer)/|/AppData/Local/(Microsoft|Temp)/|/Microsoft/Windows/(Recent|INetCache)|/winmd/", re.IGNORECASE)
# Not part of any package: each start of Wine dates its display driver, and Windows has a folder for users' programs.
SYSTEMS = re.compile(r"DriverDateData|/AppData/Local/Programs$")


class FleetMachine(Machine):
    def __init__(self, root: Path, out: Path):
        wine = out / "wine"
        wine.write_text(f'#!/bin/sh\nexec chroot {root} /usr/bin/wine "$@"\n')
        wine.chmod(0o755)
        os.environ |= {"USER": USER, "HOME": "/root", "LC_ALL": "C.UTF-8", "WINEPREFIX": str(out / "prefix"), "WINEDEBUG": "-all"}
        # Wine must not open installers for its missing .NET and browser engine.
        os.environ["WINEDLLOVERRIDES"] = "mscoree,mshtml="
        for unwanted in ("DISPLAY", "WAYLAND_DISPLAY"):
            os.environ.pop(unwanted, None)
        # Without this folder Wine writes an error to the stderr of the program that runs while its desktop starts.
        runtime = out / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        super().__init__(str(wine), out)
        self.root = root
        self.make_again()

    def make_again(self) -> None:
        self.rest()
        shutil.rmtree(self.drive.parent, ignore_errors=True)
        self.wine_runs("wineboot", "--init")
        # cscript registers itself at its first call.
        self.wine_runs("cscript", "//nologo")
        self.rest()

    def wine_runs(self, *words: object, **variables: str) -> Ended:
        return Caller([self.wine, *map(str, words)], environment() | variables).ended(limit=120)

    def start(self, *words: str, **variables: str) -> Caller:
        """Starts the program as users type it: found by PATH."""
        return Caller([self.wine, "cmd", "/c", "bedrock-sso", *words], environment() | variables)

    def reg(self, *words: str) -> subprocess.CompletedProcess:
        """Wine's console uses an older code page."""
        command = [self.wine, "reg", *words]
        return subprocess.run(command, env=environment(), timeout=60, stdin=subprocess.DEVNULL, capture_output=True, encoding="cp850")

    def msiexec(self, verb: str, package: object, *words: str) -> int:
        """Runs msiexec silently, as management tools do. Linux sees only the last eight bits of its code."""
        named = windows_path(package) if isinstance(package, Path) else package
        return self.wine_runs("msiexec", verb, named, "/qn", *words).code

    def sign_in(self) -> None:
        """Signs in at the printed address, in a browser elsewhere."""
        caller = self.start("login", "--no-browser")
        first = caller.process.stdout.readline().decode()
        address = re.search(r"http://\S+", first)
        assert address, (first, caller.ended())
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        page = browser.open(address[0], timeout=60).read().decode()
        ended = caller.ended()
        assert ended.code == 0 and "BedrockUser" in ended.out and "BedrockUser" in page, (ended, page)

    def credentials(self) -> dict:
        ended = self.run("credentials", "--no-login")
        assert ended.code == 0 and ended.err == "", ended
        return json.loads(ended.out)

    def path(self, hive: str) -> list[str]:
        key = {"HKLM": "HKLM\\System\\CurrentControlSet\\Control\\Session Manager\\Environment", "HKCU": "HKCU\\Environment"}[hive]
        output = self.reg("query", key, "/v", "PATH").stdout
        found = re.search(r"REG_\w+ +(.*)", output)
        return [place for place in found[1].strip().split(";") if place] if found else []

    def apps(self) -> list[str]:
        """The versions of bedrock-sso under "Installed apps"."""
        output = self.reg("query", "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall", "/s").stdout
        entries = output.split("HKEY_LOCAL_MACHINE")
        return [re.search(r"DisplayVersion +REG_SZ +(\S+)", entry)[1] for entry in entries if re.search(r"DisplayName +REG_SZ +bedrock-sso\b", entry)]

    def rest(self) -> None:
        """Ends all processes, so that the registry is written to disk."""
        subprocess.run(["chroot", self.root, "/usr/bin/wineserver", "--kill"], env=environment(), timeout=60, check=False)
        subprocess.run(["chroot", self.root, "/usr/bin/wineserver", "--wait"], env=environment(), timeout=60, check=False)

    def everything(self) -> dict[str, str]:
        """The files of the drive and the values of the registry, so that two states can be compared."""
        self.rest()
        found = {}
        for path in self.drive.rglob("*"):
            name = str(path.relative_to(self.drive))
            if not NOISE.search(f"/{name}/"):
                status = path.lstat()
                found[name] = f"{status.st_size} bytes of {status.st_mtime_ns}" if path.is_file() else "folder"
        for hive in ("system.reg", "user.reg", "userdef.reg"):
            found |= registry((self.drive.parent / hive).read_text(encoding="utf-8", errors="replace"), hive)
        return found


def registry(text: str, hive: str) -> dict[str, str]:
    """Each value under its key, without the times of changes."""
    found, key = {}, ""
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("["):
            key = f"{hive}: {line.rsplit(']', 1)[0][1:]}"
            found[key] = "key"
        elif line and not line.startswith(("#", ";", "WINE")):
            name, _, value = line.partition("=")
            # Wine leaves the last separator when a list becomes shorter.
            found[f"{key}: {name}"] = value.rstrip('"').rstrip(";") if name.upper() == '"PATH"' else value
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple]:
    names = sorted(before.keys() | after.keys())
    found = {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
    return {name: pair for name, pair in found.items() if not SYSTEMS.search(name) and not is_empty_list(name, after)}


def is_empty_list(name: str, after: dict[str, str]) -> bool:
    """A key under which Windows Installer lists products, which is empty again after the last one was removed."""
    is_list = re.search(r"Installer(\\\\UserData\\\\S-[-0-9]+)?\\\\(Components|Features|Products|UpgradeCodes)$", name)
    return bool(is_list) and not any(other.startswith((f"{name}\\", f"{name}: ")) for other in after)
