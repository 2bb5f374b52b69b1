"""An identity provider on loopback, for the server: discovery, one key, and tokens of any claims."""

import base64
import hashlib
import http.server
import json
import subprocess
import threading
import time

AUDIENCE = "0oa1"
# The bytes before a SHA-256 in a signature of PKCS #1 v1.5 (RFC 8017, section 9.2).
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """As a context: it answers until the end."""

    def __enter__(self):
        pem = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, text=True).stdout
        text = subprocess.run(["openssl", "rsa", "-noout", "-text"], input=pem, check=True, capture_output=True, text=True).stdout
        self.modulus, self.exponent = read_number(text, "modulus"), read_number(text, "privateExponent")
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(issuer.documents()[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def documents(self):
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": encode(self.modulus.to_bytes(256, "big")), "e": "AQAB"}
        discovery = {
            "issuer": self.address, "authorization_endpoint": f"{self.address}/authorize", "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }  # fmt: skip
        return {"/.well-known/openid-configuration": discovery, "/keys": {"keys": [key]}}

    def token(self, **claims):
        now = int(time.time())
        whole = {"iss": self.address, "aud": AUDIENCE, "iat": now, "exp": now + 600, **claims}
        signed = f"{encode(json.dumps({'alg': 'RS256', 'kid': '1'}).encode())}.{encode(json.dumps(whole).encode())}"
        digest = DIGEST_INFO + hashlib.sha256(signed.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        signature = pow(int.from_bytes(padded, "big"), self.exponent, self.modulus).to_bytes(256, "big")
        return f"{signed}.{encode(signature)}"


def read_number(text, name):
    """A number as `openssl rsa -text` prints it."""
    lines = text[text.index(f"{name}:") :].splitlines()[1:]
    digits = ""
    for line in lines:
        if not line.startswith(" "):
            break
        digits += line.strip().replace(":", "")
    return int(digits, 16)
