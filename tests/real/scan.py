"""Looks for secrets where none may be.

A secret counts as found when any telling piece of it is there, so a log that shortens one does not get away with it.
"""

import base64
import json
import urllib.parse


class Secrets:
    """Everything the servers ever handed out, as byte strings to look for."""

    def __init__(self, ledgers):
        self.pieces = {}
        for ledger in ledgers:
            for line in ledger.read_text().splitlines():
                issued = json.loads(line)
                for piece in telling_pieces(issued["value"]):
                    self.pieces[piece.encode()] = issued["kind"]

    def kinds(self):
        return set(self.pieces.values())

    def found_in(self, content):
        """The kinds of secret that `content` (bytes) gives away."""
        return sorted({kind for piece, kind in self.pieces.items() if piece in content})

    def found_in_file(self, path):
        try:
            return self.found_in(path.read_bytes())
        except FileNotFoundError:  # a temporary file of a process that just ended
            return []


def telling_pieces(value):
    """The secret, its beginning and its end, in the spellings that URLs and encoders give it."""
    if value.count(".") == 2:  # a JWT's header is everyone's; its claims and signature are not
        parts = value.split(".")[1:]
    else:
        parts = [value]
    for part in parts:
        for piece in {part, part[:20], part[-20:]} if len(part) > 24 else {part}:
            yield piece
            yield urllib.parse.quote(piece, safe="")
        yield base64.b64encode(part.encode()).decode().rstrip("=")[:-1]
        yield part.encode().hex()
