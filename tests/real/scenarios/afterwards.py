"""Checks after all other scenarios: no process runs, and no secret has leaked."""

import os
from pathlib import Path

from bench import wait_until
from scenarios.world import expect, running, scenario, secrets

EVERY_KIND = {"id_token", "access_token", "refresh_token", "code", "state", "nonce", "code_verifier"}
EVERY_KIND |= {"secret_access_key", "session_token", "proxy_password", "signin_token"}
# Those of IAM Identity Center, in the words of the test world.
EVERY_KIND |= {f"SSO {what}" for what in ("access token", "refresh token", "client secret", "authorization code", "state", "PKCE verifier")}


@scenario
def no_process_is_left_running(world):
    expect(wait_until(lambda: not running(world), 20), f"still running: {running(world)}")


@scenario
def scan_finds_a_planted_secret(world):
    known = secrets(world)
    never = EVERY_KIND - known.kinds()
    expect(not never, f"never issued, so the scan does not cover them: {never}")
    token = next(piece for piece, kind in known.pieces.items() if kind == "refresh_token")
    expect(known.found_in(b"before " + token + b" after") == ["refresh_token"], "a planted refresh token was not found")
    logs = list((world.bench.root / "logs").iterdir())
    expect(logs and all(log.stat().st_size for log in logs), "there is no log to scan")


@scenario
def secrets_are_only_in_the_protocol_output(world):
    known, found = secrets(world), []
    for folder in ("homes", "captures", "logs", "visits", "tmp"):
        for file in filter(Path.is_file, files_in(world.bench.root / folder)):
            found += [f"{kind} in {file.relative_to(world.bench.root)}" for kind in known.found_in_file(file)]
    found += [f"{kind} in the process list" for kind in known.found_in(world.sampler.stop())]
    expect(not found, "; ".join(found))


def files_in(folder):
    """The files of a folder. A temporary folder may disappear meanwhile, when its browser ends."""
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names]
