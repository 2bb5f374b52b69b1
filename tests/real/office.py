"""A company's network: its own names, proxies to the outside, and network faults.

It starts and records. The scenarios check. In the program's network, the names of provider and STS have another address or none, so
a request that arrives has taken the path of the scenario.
"""

import contextlib
import json
import random
import shutil
import socket
import subprocess
import threading
from functools import cached_property

from bench import HERE, Home, wait_until

LOGIN, STS = "login.acme.test", "sts.acme.test"
USER, PASSWORD = "alice", "Pa55-word_of-the-proxy"
ODD_PASSWORD, ODD_IN_AN_ADDRESS = "pa/ss-w%rd@x#y", "pa%2Fss-w%25rd%40x%23y"
LOOPBACK = "127.0.0.1 localhost\n::1 localhost\n"
# The contents of /etc/hosts in the program's network.
HOSTS = {
    "nothing": LOOPBACK,
    "all": f"{LOOPBACK}127.0.0.1 {LOGIN} {STS}\n",
    "sts": f"{LOOPBACK}127.0.0.1 {STS}\n",
    "intercepted": f"{LOOPBACK}127.0.0.2 {LOGIN} {STS}\n",
    # AWS's real name, at a port without a listener, so that no test sends a request to AWS.
    "no-aws": f"{LOOPBACK}127.0.0.1 {LOGIN} {STS} sts.us-east-1.amazonaws.com\n",
    "both-families": f"{LOOPBACK}::1 {LOGIN} {STS}\n127.0.0.1 {LOGIN} {STS}\n",
}


RESERVED = []


def free_port():
    """A port that no other test gets before this run ends. It is reserved as in `tests/support/src/port.rs`: below the ranges from
    which systems choose ports, and marked by a UDP socket with the same number."""
    for port in random.sample(range(20_000, 32_000), 12_000):
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        RESERVED.append(mark)
        return port
    raise RuntimeError("no port of twelve thousand is free")


def listens(port, host="127.0.0.1"):
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


class Office:
    """Its servers start at their first use, and end with the run."""

    def __init__(self, bench):
        self.bench, self.folder = bench, bench.root / "office"
        self.folder.mkdir()
        for name, text in HOSTS.items():
            (self.folder / f"{name}.hosts").write_text(text)
        self.ledger = self.folder / "passwords"
        secrets = [{"kind": "proxy_password", "value": value} for value in (PASSWORD, ODD_PASSWORD, ODD_IN_AN_ADDRESS)]
        self.ledger.write_text("".join(json.dumps(it) + "\n" for it in secrets))
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.9\n")
        self.provider = bench.start_provider("office-provider", ALG="ES256", LOGIN="auto", HOST=LOGIN, **bench.tls)

    @property
    def sts_endpoint(self):
        return self.bench.sts.address.replace("localhost", STS)

    def home(self, name, hosts="nothing", places=(), **settings):
        """A user's machine in this network. `hosts` are the names that it can resolve, `places` other files to replace."""
        home = Home(self.bench, name, self.provider, [], {"sts_endpoint": self.sts_endpoint, **settings})
        self.move(home, hosts, places)
        return home

    def move(self, home, hosts, places=()):
        places = [f"{self.folder}/{hosts}.hosts=/etc/hosts", *places]
        home.place = ["unshare", "--mount", "--propagation", "private", HERE / "in-place", *places, "--"]

    def start(self, name, command, port, host="127.0.0.1"):
        log = self.folder / f"{name}.log"
        with log.open("w") as out:
            process = subprocess.Popen([str(it) for it in command], stdout=out, stderr=out, cwd=self.folder)
        if not wait_until(lambda: process.poll() is not None or listens(port, host), 30) or process.poll() is not None:
            raise RuntimeError(f"{name} did not start: {log.read_text()[-2000:]}")
        return log

    # Proxies

    @cached_property
    def proxy(self):
        """Tinyproxy, with a password, and with one host that it refuses."""
        return Tinyproxy(self)

    @cached_property
    def socks(self):
        """microsocks, with another password, because it takes the password on its command line, where the scan would find it."""
        return Socks(self)

    @cached_property
    def interceptor(self):
        return Interceptor(self)

    # Network faults

    def answering(self, head=None, after=0):
        """A proxy that accepts every connection, and sends this answer after so many seconds, or none."""
        return Answering(head, after)

    @contextlib.contextmanager
    def black_hole(self, port):
        """Connections to [::1] at this port are neither accepted nor refused, because its queue is full."""
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_INET6))
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(("::1", port))
            listener.listen(0)
            for _ in range(4):
                filler = stack.enter_context(socket.socket(socket.AF_INET6))
                filler.setblocking(False)
                filler.connect_ex(("::1", port))
            if listens(port, "::1"):
                raise RuntimeError("a connection was accepted although the queue is full")
            yield

    @contextlib.contextmanager
    def silent_name_server(self):
        """A replacement for /etc/resolv.conf, with a name server that never answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.9", 53))
            yield f"{self.folder}/resolv.conf=/etc/resolv.conf"

    def system_store(self, *authorities):
        """A copy of the system's trust store with these authorities, made by `update-ca-certificates`, to replace the real one."""
        local, etc = (self.folder / it for it in ("local-certs", "etc-certs"))
        for folder in (local, etc):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for number, authority in enumerate(authorities):
            shutil.copy(authority, local / f"acme-{number}.crt")
        command = ["/usr/sbin/update-ca-certificates", "--localcertsdir", local, "--etccertsdir", etc, "--hooksdir", "/nonexistent"]
        made = subprocess.run([str(it) for it in command], capture_output=True, text=True)
        if made.returncode or not (etc / "ca-certificates.crt").exists():
            raise RuntimeError(f"update-ca-certificates: {made.stderr}")
        return f"{etc}=/etc/ssl/certs"


class Tinyproxy:
    def __init__(self, office):
        self.port = free_port()
        (office.folder / "filter").write_text("forbidden\n")
        configuration = office.folder / "tinyproxy.conf"
        configuration.write_text(
            f'Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Connect\nFilter "{office.folder}/filter"\n'
            f"BasicAuth {USER} {PASSWORD}\n"
        )
        self.log = office.start("tinyproxy", ["tinyproxy", "-d", "-c", configuration], self.port)

    @property
    def name(self):
        return f"127.0.0.1:{self.port}"

    def address(self, password=PASSWORD):
        return f"http://{USER}:{password}@{self.name}"

    def tunnels(self, host=""):
        """The number of tunnels that clients have requested."""
        return sum(f"CONNECT {host}" in line and "Request" in line for line in self.log.read_text().splitlines())


class Socks:
    PASSWORD = "another-one"

    def __init__(self, office):
        self.port = free_port()
        command = ["microsocks", "-i", "127.0.0.1", "-p", self.port, "-u", USER, "-P", self.PASSWORD]
        self.log = office.start("microsocks", command, self.port)

    def address(self, scheme, password=PASSWORD):
        return f"{scheme}://{USER}:{password}@127.0.0.1:{self.port}"

    def tunnels(self):
        return self.log.read_text().count("connected to")


class Interceptor:
    """mitmproxy, which intercepts TLS with its own authority: as a proxy with a password, and transparently at the names' address."""

    def __init__(self, office):
        self.office, self.port = office, free_port()
        forward, transparent = (office.folder / it for it in ("interceptor", "transparent"))
        forward.mkdir()
        (forward / "config.yaml").write_text(f"proxyauth: {json.dumps(f'{USER}:{ODD_PASSWORD}')}\n")
        self.log = self.run(forward, self.port, "--mode", f"regular@127.0.0.1:{self.port}")
        self.authority = forward / "mitmproxy-ca-cert.pem"
        transparent.mkdir()
        shutil.copy(forward / "mitmproxy-ca.pem", transparent)
        ports = [address.rpartition(":")[2] for address in (office.provider.address, office.sts_endpoint)]
        modes = [f"--mode=reverse:https://{name}:{port}@127.0.0.2:{port}" for name, port in zip((LOGIN, STS), ports)]
        self.run(transparent, int(ports[0]), "--set", "keep_host_header=true", *modes, host="127.0.0.2")

    def run(self, confdir, port, *more, host="127.0.0.1"):
        command = [self.office.bench.cache / "mitmproxy/bin/mitmdump", "--set", f"confdir={confdir}"]
        command += ["--set", f"ssl_verify_upstream_trusted_ca={self.office.bench.ca}", *more]
        return self.office.start(confdir.name, command, port, host)

    def address(self, password=ODD_IN_AN_ADDRESS):
        return f"http://{USER}:{password}@127.0.0.1:{self.port}"


class Answering:
    def __init__(self, head, after):
        self.head, self.after, self.requests = head, after, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        connections = []
        with contextlib.suppress(OSError):  # closed
            while True:
                connections.append(self.listener.accept()[0])
                threading.Thread(target=self.answer, args=connections[-1:], daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError):
            self.requests.append(connection.recv(8192).decode(errors="replace"))
            threading.Event().wait(self.after)
            if self.head:
                connection.sendall(self.head.encode())
                connection.close()
