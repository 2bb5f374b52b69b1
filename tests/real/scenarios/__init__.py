"""What must be true of the program among real parts: one function a behaviour, played chapter by chapter.

`expect` states each fact with the words to say when it is not so.
"""

from scenarios import (
    afterwards, applications, claude_code, console, deadlines, federation, interception, live, proxies, refusal, renewal, repository,
    signing_in, trouble, ways,
)
from scenarios.world import World

__all__ = ["ALL", "World"]

CHAPTERS = (
    signing_in, ways, federation, console, live, refusal, trouble, proxies, interception, deadlines, claude_code, repository, renewal,
    applications, afterwards,
)
ALL = [it for chapter in CHAPTERS for it in vars(chapter).values() if getattr(it, "is_scenario", False)]
