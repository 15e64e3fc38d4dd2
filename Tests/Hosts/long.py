#!/usr/bin/python3
"""Outages of each kind, many times over and of several lengths, as many at once as the machine bears.

    long.py [--runs 20] [--jobs 6] [--seconds 3,20,120] [--within 5] [-k link]

Each is a test of `test_hosts` in a process and on machines of its own. Ends with 1 if one of them is not whole
again in time, at both ends. Where processors are short the nodes wait for them, which counts.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import inspect
import os
import re
import statistics
import subprocess
import sys
import unittest
from pathlib import Path
from typing import NamedTuple, Optional

sys.dont_write_bytecode = True

import test_hosts

WHOLE = re.compile(r"whole after ([0-9.]+) s")


class Run(NamedTuple):
    test: str
    seconds: int
    # Until all was as before; nothing if the test failed.
    took: Optional[float]
    text: str


def tests(part: str) -> list[str]:
    """Those that make an outage, by what they call, with this in their names."""
    found = []
    for suite in unittest.defaultTestLoader.loadTestsFromModule(test_hosts):
        for test in suite:
            calls = inspect.getsource(getattr(test, test._testMethodName))
            if part in test.id() and ("self.outage(" in calls or "self.dropped(" in calls):
                found.append(test.id())
    return found


def make(test: str, seconds: int, within: float) -> Run:
    outage = {"HOSTS_OUTAGES": str(seconds), "HOSTS_RUNS": "1", "HOSTS_WITHIN": str(within)}
    words = [sys.executable, "-m", "unittest", test]
    done = subprocess.run(
        words, cwd=Path(__file__).parent, env=os.environ | outage, capture_output=True, text=True
    )
    times = [float(text) for text in WHOLE.findall(done.stderr)]
    return Run(test, seconds, max(times) if done.returncode == 0 and times else None, done.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--seconds", default="3,20,120")
    parser.add_argument("--within", type=float, default=5)
    parser.add_argument("-k", dest="part", default="", help="only tests with this in their names")
    options = parser.parse_args()
    names = tests(options.part)
    if not names:
        parser.error(f"no outage has {options.part!r} in its name")
    lengths = sorted((int(text) for text in options.seconds.split(",")), reverse=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        under_way = [
            pool.submit(make, test, seconds, options.within)
            for seconds in lengths
            for test in names
            for _ in range(options.runs)
        ]
        runs = [run.result() for run in under_way]
    print(f"{'':<45}{'s':>5}{'whole':>10}{'median':>8}{'worst':>8}")
    for test in names:
        for seconds in reversed(lengths):
            these = [run for run in runs if (run.test, run.seconds) == (test, seconds)]
            took = [run.took for run in these if run.took is not None]
            figures = f"{statistics.median(took):>8.1f}{max(took):>8.1f}" if took else ""
            name = test.split(".")[-1].removeprefix("test_").replace("_", " ")
            print(f"{name:<45}{seconds:>5}{f'{len(took)} of {len(these)}':>10}{figures}")
    failed = [run for run in runs if run.took is None]
    for run in failed:
        print(f"\n{run.test}, {run.seconds} s:\n{run.text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
