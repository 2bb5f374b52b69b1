"""What the foreign providers have in common."""

import http.cookiejar
import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request

from bench import Server, wait_until
from office import free_port


class ForeignProvider:
    """A provider in a folder of its own, on a port of its own. Subclasses start it and describe it.

    `address` is the issuer. `pages` are the pages that the user meets, as `person.mjs` reads them: what shows that the page is
    there, what to fill in, what to click, and what to click instead to refuse. `who` is the name of the AWS session.
    """

    name = ""
    who = "alice@example.com"
    client = "bedrock-sso"
    other_clients = ()
    user_code = re.compile(r"\b[A-Z0-9]{4}-?[A-Z0-9]{4}\b")
    settings = {}  # configuration keys that this provider needs
    pages = ()
    # What the provider does, for the scenarios. A reason in place of True is printed, and the scenario is left out.
    refresh_returns_id_token = True
    denial = "access_denied"  # the error code of a refused consent
    consent = True  # or why a user cannot refuse
    device = True  # or why there is no device flow
    step_up = "it is not set up with levels of authentication"
    revocation = True  # or why `logout` cannot revoke
    sign_out_page = True  # whether discovery has an `end_session_endpoint`

    def __init__(self, bench):
        self.bench, self.folder, self.port = bench, bench.root / "providers" / self.name, free_port()
        # For providers that compare redirect addresses exactly: ports that are registered there.
        self.ports = [free_port(), free_port()]
        self.folder.mkdir(parents=True)
        self.process = None

    def start(self):
        """Starts the server. It need not answer yet."""
        raise NotImplementedError

    def ready(self):
        """Waits until the server answers, and sets it up."""

    def run(self, command, **environment):
        """Starts the server and waits until it listens. Its output is in `log`."""
        self.log = self.folder / "log"
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                [str(it) for it in command],
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", **environment},
            )

    def wait(self, url, seconds=400):
        """Waits until the server answers at this address."""
        if not wait_until(lambda: self.process.poll() is not None or answers(url, self.bench.ca), seconds) or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


class ControlledProvider(ForeignProvider):
    """A server of this folder, made with a library, which has a control path."""

    def start_server(self, command):
        self.server = Server(self.folder, self.name, command)
        self.process, self.address = self.server.process, self.server.address

    def control(self, name):
        Api(f"http://127.0.0.1:{self.port}").post("/control", {name: True})

    def kill_refresh_tokens(self):
        self.control("kill")

    def rotate_keys(self):
        self.control("rotate")


class Api:
    """Sends JSON to a provider's administration."""

    def __init__(self, base, headers=(), cafile=None):
        self.base, self.headers = base, dict(headers)
        self.opener = direct(cafile, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def send(self, method, path, body=None, kind="application/json"):
        # Bytes are a form and are sent as they are. Anything else is sent as JSON.
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={"Content-Type": kind, **self.headers})
        try:
            with self.opener.open(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:500]}") from error
        return json.loads(text) if text else None

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body):
        return self.send("POST", path, body)

    def put(self, path, body=None):
        return self.send("PUT", path, body)


def direct(cafile, *handlers):
    """Opens addresses without a proxy, and with one more authority."""
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), tls, *handlers)


def answers(url, cafile):
    try:
        with direct(cafile).open(url, timeout=5):
            return True
    except OSError:
        return False
