"""Runs the scenarios in order and counts the results."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import processes
import scenarios
from bench import Bench


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("only", nargs="*", help="parts of the names of the scenarios to run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    processes.adopt_orphans()
    root = Path(tempfile.mkdtemp(prefix="run-", dir=options.cache))
    failed = 1
    try:
        failed = play(Bench(options.binary, options.cache, root), options.only)
    finally:
        processes.end_all()
        if failed:
            print(f"the files of this run are in {root}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def play(bench, only):
    started, results = time.monotonic(), []
    sampler = processes.Sampler(bench.binary)
    sampler.start()
    world = scenarios.World(bench, sampler)
    for scenario in scenarios.ALL:
        if not only or any(part in scenario.__name__ for part in only):
            results.append(attempt(scenario, world))
    failed = results.count(False)
    print(f"{time.monotonic() - started:.0f} seconds")
    bench.save_pages(bench.cache / "pages")
    if not failed:
        bench.stop()
        bench.remove()
    print(f"{results.count(True)} passed, {failed} failed", flush=True)
    return failed


def attempt(scenario, world):
    name = scenario.__name__
    try:
        world.bench.reset_faults()
        scenario(world)
    except AssertionError as failure:
        print(f"FAILED {name}: {one_line(failure)}", flush=True)
        return False
    except Exception as failure:  # an error in a scenario also counts as a failure
        print(f"FAILED {name}: {type(failure).__name__}: {one_line(failure)}", flush=True)
        return False
    print(f"ok {name}", flush=True)
    return True


def one_line(failure):
    return " ".join(str(failure).split()) or "an expectation without a message"


if __name__ == "__main__":
    main()
