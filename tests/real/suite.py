"""Runs the scenarios in order and counts the results."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import processes
import providers.scenarios
import scenarios
from bench import Bench
from providers.bench import ForeignBench


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--providers", action="store_true", help="the scenarios with the providers that others wrote")
    parser.add_argument("only", nargs="*", help="parts of the names of the scenarios to run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    processes.adopt_orphans()
    root = Path(tempfile.mkdtemp(prefix="run-", dir=options.cache))
    failed = 1
    try:
        failed = play_providers(options, root) if options.providers else play_program(options, root)
    finally:
        processes.end_all()
        if failed:
            print(f"the files of this run are in {root}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def play_program(options, root):
    bench = Bench(options.binary, options.cache, root)
    sampler = processes.Sampler(bench.binary)
    sampler.start()
    world = scenarios.World(bench, sampler)
    chosen = [it for it in scenarios.ALL if not options.only or any(part in it.__name__ for part in options.only)]
    return play(bench, world, chosen)


def play_providers(options, root):
    ForeignBench.kinds = providers.scenarios.kinds(options.only)
    bench = ForeignBench(options.binary, options.cache, root)
    return play(bench, None, providers.scenarios.table(bench, options.only))


def play(bench, world, chosen):
    started = time.monotonic()
    results = [attempt(scenario, world, bench) for scenario in chosen]
    failed = results.count(False)
    print(f"{time.monotonic() - started:.0f} seconds")
    bench.save_pages(bench.cache / "pages")
    if not failed:
        bench.stop()
        bench.remove()
    print(f"{results.count(True)} passed, {failed} failed", flush=True)
    return failed


def attempt(scenario, world, bench):
    name = scenario.__name__
    try:
        bench.reset_faults()
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
