"""Glewlwyd of Debian, unpacked instead of installed, because its package starts a daemon."""

import base64
import gzip
import json
import secrets
import shutil
import sqlite3

from cryptography.hazmat.primitives.asymmetric import rsa

from providers.foreign import Api, ForeignProvider

PLUGIN = "oidc"

CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="{origin}"
login_url="login.html"
api_prefix="api"
static_files_path="{folder}/webapp/"
allow_origin="*"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
cookie_same_site="lax"
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
user_middleware_module_path="{folder}/middleware"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
static_files_mime_types = ({mime_types})
database = {{ type="sqlite3"; path="{folder}/glewlwyd.sqlite3"; }};
"""

MIME_TYPES = {".html": "text/html", ".css": "text/css", ".js": "application/javascript", ".json": "application/json"}


class Glewlwyd(ForeignProvider):
    name = "glewlwyd"
    pages = (
        {"sees": "text=Please enter the code", "fill": {"input[type=text]": {"code": True}}, "click": "button:has-text('OK')"},
        {"sees": "text=Authorization complete", "ends": True},
        {"sees": "#loginbut", "fill": {"#username": "alice", "#password": "correct horse"}, "click": "#loginbut"},
        {"sees": "#grant-email", "check": ["#grant-email", "#grant-profile"], "click": "button:has-text('Grant access')"},
        {"sees": "button.btn-success:has-text('Continue')", "click": "button.btn-success:has-text('Continue')"},
    )
    refresh_returns_id_token = False
    consent = "its page has no button to refuse"
    sign_out_page = False
    revocation = "it lets no public client revoke"

    def start(self):
        self.origin = f"http://127.0.0.1:{self.port}"
        self.address = f"{self.origin}/api/{PLUGIN}"
        self.database = self.folder / "glewlwyd.sqlite3"
        unpacked = self.bench.cache / "glewlwyd"
        script = gzip.decompress((unpacked / "usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz").read_bytes()).decode()
        with sqlite3.connect(self.database) as database:
            database.executescript(script)
        (self.folder / "middleware").mkdir()  # the package has none
        shutil.copytree(unpacked / "usr/share/glewlwyd/webapp", self.folder / "webapp", ignore=shutil.ignore_patterns("config.json"))
        shutil.copy(unpacked / "usr/share/glewlwyd/templates/config.json", self.folder / "webapp")
        configuration = self.folder / "glewlwyd.conf"
        modules = unpacked / "usr/lib/glewlwyd"
        mime_types = ", ".join(f'{{ extension="{name}" mime_type="{kind}" compress=0 }}' for name, kind in MIME_TYPES.items())
        values = {"port": self.port, "origin": self.origin, "folder": self.folder, "modules": modules, "mime_types": mime_types}
        configuration.write_text(CONFIGURATION.format(**values))
        self.run([unpacked / "usr/bin/glewlwyd", f"--config-file={configuration}"])

    def ready(self):
        self.wait(f"{self.origin}/config")
        self.api = Api(self.origin + "/api")
        self.api.post("/auth/", {"username": "admin", "password": "password"})
        for scope in ("profile", "email", "offline_access"):
            asked = {"name": scope, "display_name": scope, "description": scope, "password_required": True, "scheme": {}}
            self.api.post("/scope/", asked)
        self.api.put("/scope/openid", {"display_name": "openid", "description": "openid", "password_required": True, "scheme": {}})
        scopes = ["openid", "profile", "email", "offline_access", "g_profile"]
        self.api.post(
            "/user/",
            {"username": "alice", "name": "Alice", "email": "alice@example.com", "password": "correct horse", "scope": scopes, "enabled": True},
        )
        self.api.post(
            "/client/",
            {
                "client_id": self.client,
                "name": "bedrock-sso",
                "confidential": False,
                "enabled": True,
                "redirect_uri": [f"http://127.0.0.1:{port}/callback" for port in self.ports],
                "authorization_type": ["code", "refresh_token", "device_authorization"],
                "scope": [],
                "token_endpoint_auth_method": ["none"],
            },
        )
        self.parameters = plugin_parameters(self.address)
        self.api.post(
            "/mod/plugin/",
            {"module": "oidc", "name": PLUGIN, "display_name": "OpenID Connect", "enabled": True, "parameters": self.parameters},
        )

    def kill_refresh_tokens(self):
        with sqlite3.connect(self.database, timeout=20) as database:
            database.execute("UPDATE gpo_refresh_token SET gpor_enabled = 0")

    def rotate_keys(self):
        self.parameters["jwks-private"] = private_keys()
        body = {"module": "oidc", "name": PLUGIN, "display_name": "OpenID Connect", "enabled": True, "parameters": self.parameters}
        self.api.put(f"/mod/plugin/{PLUGIN}", body)
        self.api.put(f"/mod/plugin/{PLUGIN}/reset/")


def plugin_parameters(issuer):
    return {
        "iss": issuer,
        "jwks-private": private_keys(),
        "jwt-type": "rsa",
        "jwt-key-size": "256",
        "access-token-duration": 3600,
        "refresh-token-duration": 1209600,
        "code-duration": 600,
        "refresh-token-rolling": True,
        "refresh-token-one-use": "always",
        "auth-type-code-enabled": True,
        "auth-type-refresh-enabled": True,
        "auth-type-device-enabled": True,
        "device-authorization-expiration": 600,
        "device-authorization-interval": 5,
        "allow-non-oidc": False,
        "jwks-show": True,
        "pkce-allowed": True,
        "pkce-method-plain-allowed": False,
        "pkce-required": True,
        "name-claim": "on-demand",
        "email-claim": "mandatory",
        "scope-claim": "on-demand",
        "scope": [],
        "claims": [],
        "secret": secrets.token_hex(16),
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "session-management-allowed": False,
        "subject-type": "public",
    }


def private_keys():
    """A set of one RS256 key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    names = {"n": private.public_numbers.n, "e": private.public_numbers.e, "d": private.d, "p": private.p, "q": private.q}
    names |= {"dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
    key = {"kty": "RSA", "alg": "RS256", "kid": secrets.token_hex(8), **{name: number(value) for name, value in names.items()}}
    return json.dumps({"keys": [key]})


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode().rstrip("=")
