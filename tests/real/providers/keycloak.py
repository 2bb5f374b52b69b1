"""Keycloak, set up through its administration API, with a realm in which a one-time password raises the level of a sign-in."""

import shutil
import time
import urllib.parse

from providers.foreign import Api, ForeignProvider

REALM = "acme"
STEP_UP = "bedrock-sso-step-up"  # the client with levels of authentication
PASSWORD = "correct horse"
TOTP_SECRET = "only-for-the-tests-20"  # Keycloak uses the bytes of this text as the key


class Keycloak(ForeignProvider):
    name = "keycloak"
    other_clients = (STEP_UP,)
    step_up = True
    pages = (
        {"sees": "#password", "fill": {"#username": "alice", "#password": PASSWORD}, "click": "#kc-login"},
        {"sees": "#otp", "fill": {"#otp": {"totp": TOTP_SECRET}}, "click": "#kc-login"},
        {"sees": "[name=device_user_code]", "fill": {"[name=device_user_code]": {"code": True}}, "click": "[type=submit]"},
        {"sees": "#kc-oauth", "click": "[name=accept]", "refuse": "[name=cancel]"},
        {"sees": "text=Device Login Successful", "ends": True},
    )

    def start(self):
        self.origin = f"http://localhost:{self.port}"
        self.address = f"{self.origin}/realms/{REALM}"
        home = self.bench.cache / "keycloak"
        here = self.folder / "keycloak"
        # It writes to its own folder only, and reads its programs from the built one.
        (here / "bin").mkdir(parents=True)
        shutil.copy(home / "bin/kc.sh", here / "bin")
        shutil.copytree(home / "conf", here / "conf")
        for name in ("lib", "providers", "themes"):
            (here / name).symlink_to(home / name)
        options = ["--optimized", "--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={self.port}"]
        self.run(
            [here / "bin/kc.sh", "start", *options, f"--hostname={self.origin}", "--cache=local"],
            KC_BOOTSTRAP_ADMIN_USERNAME="admin",
            KC_BOOTSTRAP_ADMIN_PASSWORD="admin",
            # It runs for minutes, so the time to start counts, not its speed.
            JAVA_OPTS_APPEND="-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC",
        )

    def ready(self):
        self.wait(f"{self.origin}/realms/master")
        self.administer().post("/admin/realms", realm())
        # A new token, because the first one has no rights in the new realm.
        add_step_up(self.administer())

    def administer(self):
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
        body = urllib.parse.urlencode(form).encode()
        path = "/realms/master/protocol/openid-connect/token"
        token = Api(self.origin).send("POST", path, body, kind="application/x-www-form-urlencoded")["access_token"]
        return Api(self.origin, headers={"Authorization": f"Bearer {token}"})

    def kill_refresh_tokens(self):
        """As an administrator ends all of the user's sessions, also the offline ones."""
        api = self.administer()
        [user] = api.get(f"/admin/realms/{REALM}/users?username=alice")
        api.post(f"/admin/realms/{REALM}/users/{user['id']}/logout", {})
        [client] = api.get(f"/admin/realms/{REALM}/clients?clientId={self.client}")
        for session in api.get(f"/admin/realms/{REALM}/users/{user['id']}/offline-sessions/{client['id']}"):
            api.send("DELETE", f"/admin/realms/{REALM}/sessions/{session['id']}?isOffline=true")

    def rotate_keys(self):
        """Adds a key and deletes the one before."""
        api = self.administer()
        path = f"/admin/realms/{REALM}/components"
        kind = "org.keycloak.keys.KeyProvider"
        old = [it for it in api.get(f"{path}?type={kind}") if it["providerId"] == "rsa-generated"]
        name = f"rsa-{time.monotonic_ns()}"
        config = {"priority": ["200"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"], "keySize": ["2048"]}
        api.post(path, {"name": name, "providerId": "rsa-generated", "providerType": kind, "config": config})
        for key in old:
            api.send("DELETE", f"{path}/{key['id']}")

    def weaken_methods(self):
        """From now on, ID tokens name the password as the only method."""
        api = self.administer()
        [client] = api.get(f"/admin/realms/{REALM}/clients?clientId={STEP_UP}")
        mappers = f"/admin/realms/{REALM}/clients/{client['id']}/protocol-mappers"
        [amr] = [it for it in api.get(f"{mappers}/protocol/openid-connect") if it["protocolMapper"] == "oidc-amr-mapper"]
        api.send("DELETE", f"{mappers}/models/{amr['id']}")
        config = {"claim.name": "amr", "claim.value": '["pwd"]', "jsonType.label": "JSON", "id.token.claim": "true"}
        mapper = {"name": "amr", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": config}
        api.post(f"{mappers}/models", mapper)

    def step_up_settings(self, **required):
        return {"client_id": STEP_UP, "require": required}


def client(name, **more):
    return {
        "clientId": name,
        "publicClient": True,
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "consentRequired": True,
        "redirectUris": ["http://127.0.0.1/callback"],
        **more,
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "oauth2.device.authorization.grant.enabled": "true",
            **more.get("attributes", {}),
        },
    }


def realm():
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        # The user signs in more often than the code changes. Keycloak reads the policy only if it is whole.
        "otpPolicyType": "totp",
        "otpPolicyAlgorithm": "HmacSHA1",
        "otpPolicyInitialCounter": 0,
        "otpPolicyDigits": 6,
        "otpPolicyLookAheadWindow": 1,
        "otpPolicyPeriod": 30,
        "otpPolicyCodeReusable": True,
        "attributes": {"acr.loa.map": '{"silver":"1","gold":"2"}'},
        "users": [
            {
                "username": "alice",
                "email": "alice@example.com",
                "emailVerified": True,
                "firstName": "Alice",
                "lastName": "Example",
                "enabled": True,
                "realmRoles": [f"default-roles-{REALM}"],
                "credentials": [
                    {"type": "password", "value": PASSWORD},
                    {
                        "type": "otp",
                        "secretData": '{"value":"%s"}' % TOTP_SECRET,
                        "credentialData": '{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}',
                    },
                ],
            }
        ],
        "clients": [
            client("bedrock-sso"),
        ],
    }


def add_step_up(api):
    """Level 1 is the password and level 2 a one-time password, as Keycloak's guide has them; and a client with this flow."""
    flows = f"/admin/realms/{REALM}/authentication"
    api.post(f"{flows}/flows", {"alias": "step-up", "providerId": "basic-flow", "topLevel": True, "builtIn": False})
    add_execution(api, "step-up", "ALTERNATIVE", provider="auth-cookie")
    add_execution(api, "step-up", "ALTERNATIVE", alias="levels")
    for level, provider, reference, age in (("1", "auth-username-password-form", "pwd", "36000"), ("2", "auth-otp-form", "otp", "0")):
        alias = f"level {level}"
        add_execution(api, "levels", "CONDITIONAL", alias=alias)
        condition = {"loa-condition-level": level, "loa-max-age": age}
        add_execution(api, alias, "REQUIRED", condition, provider="conditional-level-of-authentication")
        add_execution(api, alias, "REQUIRED", {"default.reference.value": reference, "default.reference.maxAge": "36000"}, provider=provider)
    [flow] = [it for it in api.get(f"{flows}/flows") if it["alias"] == "step-up"]
    amr = {"name": "amr", "protocol": "openid-connect", "protocolMapper": "oidc-amr-mapper", "config": {"id.token.claim": "true"}}
    step_up = client(STEP_UP, consentRequired=False, authenticationFlowBindingOverrides={"browser": flow["id"]})
    api.post(f"/admin/realms/{REALM}/clients", {**step_up, "protocolMappers": [amr]})


def add_execution(api, parent, requirement, config=None, **what):
    """Adds an authenticator (`provider`) or a subflow (`alias`) to a flow, at its end."""
    flows = f"/admin/realms/{REALM}/authentication"
    place = f"{flows}/flows/{urllib.parse.quote(parent)}/executions"
    if "alias" in what:
        api.post(f"{place}/flow", {**what, "type": "basic-flow"})
    else:
        api.post(f"{place}/execution", what)
    # The list shows the executions of subflows too, so the new one is the last of its own level.
    added = [it for it in api.get(place) if it["level"] == 0][-1]
    api.put(place, {**added, "requirement": requirement})
    if config:
        api.post(f"{flows}/executions/{added['id']}/config", {"alias": f"{parent} {what['provider']}", "config": config})
