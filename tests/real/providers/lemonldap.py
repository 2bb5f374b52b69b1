"""LemonLDAP::NG of Debian, in a folder of its own, served by Starman over TLS, because its cookies need a name with dots."""

import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import HERE
from providers.foreign import ForeignProvider

HOST = "auth.acme.test"  # office.hosts has it

INI = """[all]
logLevel = info
checkTime = 1
[configuration]
type = File
dirName = {folder}/conf
localStorage = Cache::FileCache
localStorageOptions = {{ 'namespace' => 'lemonldap-ng-config', 'default_expires_in' => 600, 'cache_root' => '{folder}/cache' }}
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
"""


class Lemonldap(ForeignProvider):
    name = "lemonldap"
    who = "dwho@badwolf.org"
    # Its discovery document does not list `offline_access`, so the program sends it only if it is configured.
    settings = {"scopes": ["openid", "profile", "email", "offline_access"]}
    pages = (
        {"sees": "input[name=user]", "fill": {"input[name=user]": "dwho", "input[name=password]": "dwho"}, "click": "button[type=submit]"},
        {"sees": ".oidc_consent_message", "click": "button.positive", "refuse": "#refuse"},
    )
    denial = "consent_required"
    device = "it has no device flow"
    revocation = "it has no revocation endpoint"

    def start(self):
        self.address = f"https://{HOST}:{self.port}/"
        for name in ("conf", "cache", "sessions/lock", "psessions/lock", "notifications"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "lemonldap-ng.ini").write_text(INI.format(folder=self.folder))
        self.number = 0
        self.configuration = configuration(self.folder, self.address, [f"http://127.0.0.1:{port}/callback" for port in self.ports])
        self.rotate_configuration()
        self.serve()

    def serve(self):
        certificate, key = (self.bench.servers / it for it in ("server.pem", "server.key"))
        self.run(
            ["starman", "--listen", f"127.0.0.1:{self.port}:ssl", "--workers", "4", "--ssl-cert", certificate, "--ssl-key", key,
             HERE / "providers/lemonldap.psgi"],
            LLNG_DEFAULTCONFFILE=str(self.folder / "lemonldap-ng.ini"),
        )  # fmt: skip

    def ready(self):
        self.wait(self.jwks_uri)

    @property
    def jwks_uri(self):
        return f"{self.address}oauth2/jwks"

    def kill_refresh_tokens(self):
        for file in (self.folder / "sessions").rglob("*"):
            if file.is_file() and '"_type":"refresh_token"' in file.read_text(errors="replace"):
                file.unlink()

    def rotate_keys(self):
        """Writes the next version of the configuration, as LemonLDAP::NG's own `rotateOidcKeys` does. Each worker process would
        read it at a time of its own, so the portal starts again."""
        self.rotate_configuration()
        self.stop()
        self.serve()
        self.ready()

    def rotate_configuration(self):
        self.number += 1
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem, traditional = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        private = key.private_bytes(pem, traditional, serialization.NoEncryption()).decode()
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        keys = {"oidcServicePrivateKeySig": private, "oidcServicePublicKeySig": public, "oidcServiceKeyIdSig": f"key-{self.number}"}
        text = json.dumps({**self.configuration, **keys, "cfgNum": self.number, "cfgDate": int(time.time())})
        (self.folder / f"conf/lmConf-{self.number}.json").write_text(text)


def configuration(folder, portal, redirect_uris):
    def files(name):
        generator = "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"
        return {"Directory": f"{folder}/{name}", "LockDirectory": f"{folder}/{name}/lock", "generateModule": generator}

    return {
        "cfgAuthor": "tests",
        "cfgVersion": "2.16.1",
        "portal": portal,
        "domain": "acme.test",
        "cookieName": "lemonldap",
        "securedCookie": 1,
        "key": "only for tests!!",
        "authentication": "Demo",
        "userDB": "Same",
        "passwordDB": "Demo",
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"},
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        # It loads a module for pictures of letters, even if no page shows one. This one has no function and needs no packages.
        "captcha": "::Main::Plugin",
        "whatToTrace": "_user",
        "timeout": 72000,
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": files("sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": files("psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {"namespace": "lemonldap-ng-sessions", "default_expires_in": 600, "cache_root": f"{folder}/cache"},
        "locationRules": {HOST: {"default": "accept"}},
        "issuerDBOpenIDConnectActivation": 1,
        "issuerDBOpenIDConnectPath": "^/oauth2/",
        "issuerDBOpenIDConnectRule": 1,
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcRPMetaDataExportedVars": {"claude": {"email": "mail", "name": "cn", "preferred_username": "uid"}},
        "oidcRPMetaDataOptions": {
            "claude": {
                "oidcRPMetaDataOptionsClientID": "bedrock-sso",
                "oidcRPMetaDataOptionsDisplayName": "Claude Code",
                "oidcRPMetaDataOptionsPublic": 1,
                "oidcRPMetaDataOptionsRequirePKCE": 1,
                "oidcRPMetaDataOptionsRedirectUris": " ".join(redirect_uris),
                "oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
                "oidcRPMetaDataOptionsIDTokenForceClaims": 1,
                "oidcRPMetaDataOptionsAllowOffline": 1,
                "oidcRPMetaDataOptionsBypassConsent": 0,
            }
        },
    }
