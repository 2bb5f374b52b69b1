"""The packages for Linux, scenario by scenario. Each begins with a system on which bedrock-sso was never installed.

`tests/packages/linux` installs the tools, builds the programs, and runs this file.
"""

import argparse
import time
import traceback
from pathlib import Path

from root import Debian
from stage import SCENARIOS, Stage, World

# The import of each module adds its scenarios.
import made, debian, elsewhere  # noqa: E401, F401 isort: skip


def passed(function, stage: Stage) -> bool:
    name = function.__name__.replace("_", " ")
    began = time.monotonic()
    try:
        function(stage)
    except Exception as why:
        traceback.print_exc(limit=-2)
        print(f"FAILED {name}: {str(why) or type(why).__name__}", flush=True)
        return False
    finally:
        stage.start_over()
    print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def print_sizes(stage: Stage) -> None:
    print("sizes:")
    for folder in [stage.current, stage.out / "foreign"]:
        for file in sorted(path for path in folder.glob("*") if path.is_file()):
            print(f"  {file.stat().st_size / 1e6:5.2f} MB  {file.name}")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--program", type=Path, required=True, help="the static program for this machine")
    words.add_argument("--foreign", type=Path, required=True, help="the same for aarch64")
    words.add_argument("--examples", type=Path, required=True, help="folder with the world and person examples")
    words.add_argument("--out", type=Path, required=True, help="folder for everything that is made")
    words.add_argument("--only", default="", help="run scenarios whose name contains this")
    words.add_argument("--keep", dest="reuse", action="store_true", help="use the packages of an earlier run if they would be the same")
    given = words.parse_args()
    given.out = given.out.resolve()
    world = World(str(given.examples / "world"))
    try:
        Debian.prepare(given.out / "bookworm.tar")
        stage = Stage(given, world)
        stage.make_all()
        stage.start_over()
        chosen = [each for each in SCENARIOS if given.only in each.__name__.replace("_", " ")]
        results = [passed(function, stage) for function in chosen]
        print_sizes(stage)
    finally:
        world.close()
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
