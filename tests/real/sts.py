"""An STS that verifies tokens and signatures as AWS documents, and refuses with AWS's messages. Besides, at /federation, the
console's sign-in accepts the sessions that it has issued.

It knows about the program under test only what AWS would know. A control path sets its faults.

    sts.py --cert FILE --key FILE --ca FILE --events FILE --ledger FILE [--trust ISSUER=CLIENT_ID …] [--iam ENDPOINT]

prints `ready ENDPOINT` once it listens. `POST /control` sets attributes of Account below: {"faults": ["Throttling", …]}.

With --trust, one role accepts every token of these issuers and clients. With --iam, the IAM at that endpoint has the roles and
providers, and the roles' trust policies decide; see iam.py.
"""

import argparse
import base64
import datetime
import json
import re
import secrets
import ssl
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from xml.sax.saxutils import escape

import jwt

from iam import Iam, Role, account_of
from signatures import UTC, Refusal, Scope, signed_by
from tls import tls_server

ROLE = "arn:aws:iam::123456789012:role/BedrockUser"
XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
TAGS_CLAIM = "https://aws.amazon.com/tags"
LONGEST_CHAINED_SESSION = 3600


FAULTS = {
    "Throttling": Refusal(400, "Throttling", "Rate exceeded"),
    "InternalFailure": Refusal(500, "InternalFailure", "An internal error has occurred."),
    "IDPCommunicationError": Refusal(400, "IDPCommunicationError", "Couldn't retrieve verification key from your identity provider"),
}


@dataclass
class Account:
    """What AWS trusts and has issued, and its faults. All connections share it."""

    trust: dict  # the client IDs of each issuer, unless `iam` has them
    iam: Iam | None
    roots: ssl.SSLContext
    events: str
    ledger: str
    faults: list = field(default_factory=list)  # errors for the next exchanges
    hold: bool = False  # while this is true, exchanges wait
    max_duration: int = 43200  # the role's limit
    lifetime: int | None = None  # a shorter lifetime of credentials than requested
    sessions: dict = field(default_factory=dict)  # by access key; {} makes AWS reject all of them
    forgotten: list = field(default_factory=list)  # access keys that AWS rejects
    signin_tokens: dict = field(default_factory=dict)  # the session of each token
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, **event):
        append(self.events, {"at": datetime.datetime.now(UTC).isoformat(), **event})

    def wait_while_held(self):
        if self.hold:
            self.note(what="held")
        while self.hold:
            time.sleep(0.02)

    def next_fault(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else None


def append(path, record):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


# AssumeRoleWithWebIdentity


def assume_role_with_web_identity(account, form, _request):
    account.wait_while_held()
    if code := account.next_fault():
        raise FAULTS[code]
    check_shape(form, WebIdentityToken=r".{4,20000}")
    claims = verify(account, form["WebIdentityToken"], accepted_clients(account, form["RoleArn"]))
    name, (tags, transitive) = form["RoleSessionName"], session_tags(claims)
    role = find_role(account, form["RoleArn"])
    if not role:
        raise Refusal(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    if account.iam:
        account.iam.check_web_identity(role, claims["iss"], claims, name, tags)
    asked = check_duration(form, role)
    return assumed(issue(account, role, name, account.lifetime or asked, tags, transitive)) | subject(claims)


def accepted_clients(account, role_arn):
    """The client IDs of each issuer, as the IAM OIDC providers in the role's account have them."""
    if not account.iam:
        return account.trust
    return {f"https://{host}": clients for host, clients in account.iam.providers(account_of(role_arn)).items()}


def find_role(account, arn):
    if account.iam:
        return account.iam.role(arn)
    return Role(ROLE, "AROAREALPARTSROLE0000", {}, account.max_duration) if arn == ROLE else None


def session_tags(claims):
    """The session tags that the token sets, and the keys of those that a chain of roles passes on."""
    claim = claims.get(TAGS_CLAIM, {})
    tags = {}
    for key, values in claim.get("principal_tags", {}).items():
        if len(values) != 1:
            raise bad_token(f"The tag {key} must have exactly one value")
        tags[key] = values[0]
    return tags, claim.get("transitive_tag_keys", [])


def check_duration(form, role):
    asked = int(form.get("DurationSeconds", "3600"))
    if asked > role.max_duration:
        raise invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return asked


def check_shape(form, **more):
    """The limits of the API reference, which are checked first."""
    for name, pattern in {
        "RoleArn": r"arn:[\w-]+:iam::\d{12}:role/.{1,2000}",
        "RoleSessionName": r"[\w+=,.@-]{2,64}",
        **more,
    }.items():
        value = form.get(name)
        if value is None:
            raise invalid(
                f"1 validation error detected: Value null at '{lower(name)}' failed to satisfy constraint: Member must not be null"
            )
        if not re.fullmatch(pattern, value, re.ASCII):
            raise constraint(name, value, f"Member must satisfy regular expression pattern: {pattern}")
    duration = form.get("DurationSeconds", "3600")
    if not duration.isdecimal() or int(duration) < 900:
        raise constraint("DurationSeconds", duration, "Member must have value greater than or equal to 900")
    if int(duration) > 43200:
        raise constraint("DurationSeconds", duration, "Member must have value less than or equal to 43200")


def invalid(message):
    return Refusal(400, "ValidationError", message)


def constraint(name, value, rule):
    return invalid(f"1 validation error detected: Value '{value}' at '{lower(name)}' failed to satisfy constraint: {rule}")


def lower(name):
    return name[0].lower() + name[1:]


def verify(account, token, accepted):
    """The claims of a token whose issuer and audience are `accepted`, which maps issuers to client IDs."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise bad_token("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    if issuer not in accepted:
        raise bad_token(f"No OpenIDConnect provider found in your account for {issuer}")
    try:
        return jwt.decode(
            token,
            key=verification_key(account, issuer, header.get("kid")),
            algorithms=ALGORITHMS,
            audience=accepted[issuer],
            issuer=issuer,
            options={"require": ["iss", "aud", "sub", "exp", "iat"]},
        )
    except jwt.ExpiredSignatureError:
        raise Refusal(400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
    except jwt.InvalidAudienceError:
        raise bad_token("Incorrect token audience")
    except jwt.PyJWTError as error:
        raise bad_token(f"The ID Token provided is not valid: {error}")


def bad_token(message):
    return Refusal(400, "InvalidIdentityToken", message)


def verification_key(account, issuer, kid):
    keys = jwt.PyJWKSet.from_dict(fetch(account, fetch(account, f"{issuer.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"]))
    for key in keys.keys:
        if key.key_id == kid:
            return key.key
    raise bad_token("Couldn't retrieve verification key from your identity provider")


def fetch(account, url):
    # The header identifies these requests in the provider's record.
    request = urllib.request.Request(url, headers={"User-Agent": "aws-sts"})
    roots = account.roots if url.startswith("https:") else None
    with urllib.request.urlopen(request, context=roots, timeout=10) as answer:
        return json.load(answer)


def issue(account, role, name, seconds, tags, transitive):
    session = {
        "AccessKeyId": "ASIA" + base64.b32encode(secrets.token_bytes(10)).decode(),
        "SecretAccessKey": base64.b64encode(secrets.token_bytes(30)).decode(),
        "SessionToken": base64.b64encode(b"\x21\x0a\x09" + secrets.token_bytes(597)).decode(),
        "Expiration": datetime.datetime.now(UTC).replace(microsecond=0) + datetime.timedelta(seconds=seconds),
        "Arn": f"arn:aws:sts::{account_of(role.arn)}:assumed-role/{role.arn.rpartition('/')[2]}/{name}",
        "UserId": f"{role.id}:{name}",
        "RoleArn": role.arn,
        "Tags": tags,
        "TransitiveTags": {key: tags[key] for key in transitive if key in tags},
    }
    account.sessions[session["AccessKeyId"]] = session
    append(account.ledger, {"kind": "secret_access_key", "value": session["SecretAccessKey"]})
    append(account.ledger, {"kind": "session_token", "value": session["SessionToken"]})
    return session


def assumed(session):
    credentials = {name: session[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    credentials["Expiration"] = session["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"AssumedRoleUser": {"AssumedRoleId": session["UserId"], "Arn": session["Arn"]}, "Credentials": credentials}


def subject(claims):
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    return {"SubjectFromWebIdentityToken": claims["sub"], "Audience": audience, "Provider": claims["iss"]}


# AssumeRole


def assume_role(account, form, request):
    """One link of a chain of roles. Only deployed roles can be assumed."""
    session = signer(account, request)
    check_shape(form)
    role, name = find_role(account, form["RoleArn"]), form["RoleSessionName"]
    tags = {tag["Key"]: tag["Value"] for tag in members(form, "Tags")}
    transitive = [it[""] for it in members(form, "TransitiveTagKeys")]
    if not (account.iam and role):
        raise Refusal(
            403, "AccessDenied", f"User: {session['Arn']} is not authorized to perform: sts:AssumeRole on resource: {form['RoleArn']}"
        )
    account.iam.check_chain(session, role, name, tags, form.get("ExternalId"))
    asked = check_duration(form, role)
    if asked > LONGEST_CHAINED_SESSION:
        raise invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
    inherited = session["TransitiveTags"]
    return assumed(issue(account, role, name, account.lifetime or asked, {**tags, **inherited}, [*transitive, *inherited]))


def members(form, name):
    """A list of AWS's query protocol: NAME.member.1.Key=…, or NAME.member.1=… for plain values, whose name is then empty."""
    found = {}
    for key, value in form.items():
        if parts := re.fullmatch(rf"{name}\.member\.(\d+)(?:\.(\w+))?", key):
            found.setdefault(int(parts[1]), {})[parts[2] or ""] = value
    return [found[number] for number in sorted(found)]


# GetCallerIdentity


def get_caller_identity(account, _form, request):
    session = signer(account, request)
    return {"Arn": session["Arn"], "UserId": session["UserId"], "Account": account_of(session["Arn"])}


def signer(account, request):
    def session_of(key):
        return known(account, key)

    return signed_by(request, Scope("sts"), session_of)


def known(account, key):
    """A session by its access key, as other services of this account request it."""
    session = account.sessions.get(key) if key not in account.forgotten else None
    return session and {**session, "Expiration": session["Expiration"].isoformat()}


# The console


def get_signin_token(account, form):
    """A token with which a browser signs in; None if the session was not issued here."""
    given = json.loads(form.get("Session", "{}"))
    session = account.sessions.get(given.get("sessionId"), {})
    if set(form) != {"Action", "Session"} or form["Action"] != "getSigninToken":
        return None
    if (given.get("sessionKey"), given.get("sessionToken")) != (session.get("SecretAccessKey"), session.get("SessionToken")):
        return None
    token = secrets.token_urlsafe(600)
    account.signin_tokens[token] = session["Arn"]
    append(account.ledger, {"kind": "signin_token", "value": token})
    return token


# HTTP

ACTIONS = {
    "AssumeRole": assume_role,
    "AssumeRoleWithWebIdentity": assume_role_with_web_identity,
    "GetCallerIdentity": get_caller_identity,
}


def xml(value):
    if isinstance(value, dict):
        return "".join(f"<{name}>{xml(inner)}</{name}>" for name, inner in value.items())
    return escape(str(value))


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account: Account

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/control":
            for name, value in json.loads(self.body).items():
                setattr(self.account, name, value)
            return self.answer(200, "application/json", "{}")
        if self.path == "/session":
            return self.answer(200, "application/json", json.dumps(known(self.account, json.loads(self.body)["session"])))
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        if self.path == "/federation":
            return self.give_signin_token(form)
        self.act(form)

    def do_GET(self):
        """Signs a browser in to the console. One page replaces the real console."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        session = self.account.signin_tokens.pop(query.get("SigninToken"), None)
        is_login = url.path == "/federation" and query.get("Action") == "login" and session
        self.account.note(what="login", status=200 if is_login else 400, destination=query.get("Destination"))
        if not is_login:
            return self.answer(400, "text/html", "<h1>400 Bad Request</h1>")
        self.answer(200, "text/html", f"<title>AWS console</title><p>{escape(session)}</p>")

    def give_signin_token(self, form):
        token = get_signin_token(self.account, form)
        self.account.note(what="getSigninToken", status=200 if token else 400)
        if token:
            return self.answer(200, "application/json", json.dumps({"SigninToken": token}))
        self.answer(400, "text/html", "<h1>400 Bad Request</h1>")

    def act(self, form):
        action = form.get("Action", "")
        try:
            if action not in ACTIONS or form.get("Version") != "2011-06-15":
                raise Refusal(400, "InvalidAction", f"Could not find operation {action} for version {form.get('Version')}")
            result = ACTIONS[action](self.account, form, self)
            status, code = 200, None
            body = f'<{action}Response xmlns="{XMLNS}"><{action}Result>{xml(result)}</{action}Result></{action}Response>'
        except Refusal as refusal:
            status, code = refusal.status, refusal.code
            error = xml({"Error": {"Type": "Sender", "Code": code, "Message": refusal.message}})
            body = f'<ErrorResponse xmlns="{XMLNS}">{error}</ErrorResponse>'
        self.account.note(
            what=action,
            status=status,
            code=code,
            duration=form.get("DurationSeconds"),
            session=form.get("RoleSessionName"),
            signed="Authorization" in self.headers,
        )
        self.answer(status, "text/xml", body)

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("cert", "key", "ca", "events", "ledger"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--trust", action="append", default=[])
    parser.add_argument("--iam")
    options = parser.parse_args()
    Connection.account = Account(
        trust=dict(pair.split("=", 1) for pair in options.trust),
        iam=Iam(options.iam) if options.iam else None,
        roots=ssl.create_default_context(cafile=options.ca),
        events=options.events,
        ledger=options.ledger,
    )
    server = tls_server(Connection, options.cert, options.key)
    print(f"ready https://localhost:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
