"""An attacker's server: it records every byte that it receives, and answers so that the caller continues.

It answers HTTP like an STS, a quota service, an identity provider or a collector. It is also a proxy that intercepts TLS with its
own authority.
"""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from pathlib import Path

HERE = Path(__file__).parent
REFUSED = b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"


class Attacker:
    def __init__(self, folder):
        folder.mkdir()
        subprocess.run([HERE / "certificates", folder], check=True, capture_output=True)
        self.authority = folder / "ca.pem"
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.unverified = ssl._create_unverified_context()
        self.lock, self.received = threading.Lock(), bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def take(self):
        """Returns everything that arrived since the last call."""
        with self.lock:
            received, self.received = bytes(self.received), bytearray()
        return received

    def record(self, content):
        with self.lock:
            self.received += content
        return content

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(20)
            threading.Thread(target=self.handle, args=[connection], daemon=True).start()

    def handle(self, connection):
        with contextlib.suppress(OSError), connection:
            head = self.head(connection)
            if head.startswith(b"CONNECT "):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                return self.intercept(connection, head.split()[1].decode())
            while head:
                self.answer(connection, head)
                head = self.head(connection)

    def head(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return b""
            head += self.record(byte)
        return head

    def answer(self, connection, head):
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body, wanted = b"", int(length[1]) if length else 0
        while len(body) < wanted:
            more = self.record(connection.recv(65536))
            if not more:
                return
            body += more
        if b"GetCallerIdentity" in body:  # makes `login` renew, and post a new ID token
            status, content = b"403 Forbidden", REFUSED
        else:
            status, content = b"200 OK", b'{"allowed":true}'
        connection.sendall(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content))

    def intercept(self, connection, target):
        """Intercepts TLS, and forwards and records the content."""
        host, _, port = target.rpartition(":")
        inside = self.tls.wrap_socket(connection, server_side=True)
        outside = self.unverified.wrap_socket(socket.create_connection((host, int(port)), timeout=20), server_hostname=host)
        threading.Thread(target=self.forward, args=[outside, inside], daemon=True).start()
        self.forward(inside, outside)

    def forward(self, source, sink):
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(self.record(content))
            sink.shutdown(socket.SHUT_WR)
