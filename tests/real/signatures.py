"""Signature Version 4, checked in full as AWS's services do, with their errors.

It determines who has signed. The services determine what the signer may do.
"""

import datetime
import hashlib
import hmac
import re
import urllib.parse
from dataclasses import dataclass

UTC = datetime.timezone.utc


class Refusal(Exception):
    """An error answer of AWS."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Scope:
    service: str


def signed_by(request, scope, session_of):
    """The session whose credentials signed the request, or else a refusal. `session_of` returns the session of an access key."""
    proof = re.fullmatch(
        rf"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{{8}})/([\w-]+)/{scope.service}/aws4_request, ?"
        r"SignedHeaders=([\w;-]+), ?Signature=(\w{64})",
        request.headers.get("Authorization", ""),
    )
    if not proof:
        raise Refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    key, day, region, signed_headers, signature = proof.groups()
    session = session_of(key)
    if not session or request.headers.get("X-Amz-Security-Token") != session["SessionToken"]:
        raise Refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    if session["Expiration"] <= datetime.datetime.now(UTC).isoformat():
        raise Refusal(403, "ExpiredToken", "The security token included in the request is expired")
    place = f"{day}/{region}/{scope.service}/aws4_request"
    if not hmac.compare_digest(signature, expected(session, request, place, signed_headers)):
        raise Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
    return session


def region_of(request):
    """The Region for which a request is signed. Only `signed_by` says whether the signature is right."""
    return request.headers["Authorization"].split("/")[2]


def expected(session, request, place, signed_headers):
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers.split(";"))
    parts = urllib.parse.urlsplit(request.path)
    # A path is encoded once more than it was received. A query is sorted.
    path = urllib.parse.quote(parts.path, safe="/~")
    query = "&".join(sorted(part if "=" in part else f"{part}=" for part in parts.query.split("&") if part))
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = "\n".join([request.command, path, query, headers, signed_headers, payload])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], place, digest])
    key = f"AWS4{session['SecretAccessKey']}".encode()
    for part in (*place.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()
