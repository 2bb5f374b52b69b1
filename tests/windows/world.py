"""The test world for scripts: the provider and STS on loopback, and the control address.

tests/support describes the world.
"""

import json
import subprocess
import time
import urllib.request


class World:
    def __init__(self, program: str):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addresses = json.loads(self.process.stdout.readline())
        self.configuration = self.addresses["configuration"]
        self.before = self.counts()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def start_over(self) -> None:
        """Resets the world to its normal behaviour, and starts counting again."""
        self.ask("DELETE", "/knobs")
        self.before = self.counts()

    def set_knob(self, knob: str, value: object) -> None:
        self.ask("PATCH", "/knobs", {knob: value})

    def stop_provider(self) -> None:
        self.ask("POST", "/provider/stop")

    def start_provider(self) -> None:
        self.ask("POST", "/provider/start")

    def secrets(self) -> list[tuple[str, str]]:
        return [(secret["kind"], secret["value"]) for secret in self.ask("GET", "/secrets")]

    def asked(self) -> dict[str, int]:
        """How often each endpoint was called since the last reset. Endpoints without a call are missing."""
        return {name: n - self.before[name] for name, n in self.counts().items() if n > self.before[name]}

    def wait_for(self, endpoint: str, limit: float = 20) -> None:
        deadline = time.monotonic() + limit
        while endpoint not in self.asked():
            assert time.monotonic() < deadline, f"no request to {endpoint} within {limit:.0f} s: {self.asked()}"
            time.sleep(0.05)

    def counts(self) -> dict[str, int]:
        return self.ask("GET", "/")

    def ask(self, method: str, path: str, body: object = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.addresses["control"] + path, data=data, method=method)
        # Loopback must be reached without this system's proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)
