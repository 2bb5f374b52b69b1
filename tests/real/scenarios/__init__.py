"""The expected behaviour of the program with real programs: one function per behaviour, run chapter by chapter.

`expect` checks each fact, with the message for a failure.
"""

from scenarios import (
    account, afterwards, applications, assignments, callers, claude_code, console, deadlines, federation, identity_center, interception, live,
    naming, proxies, refusal, renewal, repository, signing_in, trouble, ways,
)
from scenarios.world import World

__all__ = ["ALL", "World"]

CHAPTERS = (
    signing_in, ways, federation, console, live, account, refusal, trouble, proxies, interception, deadlines, claude_code, repository, callers,
    naming, renewal, applications, identity_center, assignments, afterwards,
)
ALL = [it for chapter in CHAPTERS for it in vars(chapter).values() if getattr(it, "is_scenario", False)]
