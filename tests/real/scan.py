"""Searches for secrets in forbidden places.

A part of a secret counts as a finding, because a log may shorten it.
"""

import base64
import json
import urllib.parse


class Secrets:
    """Every secret that the servers have issued, as byte strings to search for."""

    def __init__(self, ledgers, more=()):
        self.pieces = {}
        recorded = [json.loads(line) for ledger in ledgers for line in ledger.read_text().splitlines()]
        for issued in [*recorded, *more]:
            for piece in secret_pieces(issued["value"]):
                self.pieces[piece.encode()] = issued["kind"]

    def kinds(self):
        return set(self.pieces.values())

    def found_in(self, content):
        """The kinds of secret that `content` (bytes) contains."""
        return sorted({kind for piece, kind in self.pieces.items() if piece in content})

    def found_in_file(self, path):
        try:
            return self.found_in(path.read_bytes())
        except FileNotFoundError:  # a temporary file of a process that has just ended
            return []


def secret_pieces(value):
    """The secret, its beginning and its end, in the encodings of URLs and logs."""
    if value.count(".") == 2:  # a JWT's header is public; its claims and signature are secret
        parts = value.split(".")[1:]
    else:
        parts = [value]
    for part in parts:
        for piece in {part, part[:20], part[-20:]} if len(part) > 24 else {part}:
            yield piece
            yield urllib.parse.quote(piece, safe="")
        yield base64.b64encode(part.encode()).decode().rstrip("=")[:-1]
        yield part.encode().hex()
