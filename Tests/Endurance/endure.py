#!/usr/bin/env python3
"""Real nodes, real disks, and whatever may happen to them: what was acknowledged must be there afterwards.

    endure.py [--dht .build/release/dht] [--seed N] crowd [--nodes 24] [--values 300] [--long 10]
    endure.py … replace [--nodes 24] [--values 300] [--long 10]
    endure.py … kills [--kills 500]
    endure.py … partition [--apart 120]
    endure.py … disk-full
    endure.py … disk-error
    endure.py … hundred-thousand
    endure.py … absent [--members 2000] [--minutes 10]

Every scenario makes its own keys and directories, prints what it saw, and ends 1 if a promise was broken.
"""
import argparse
import random
import signal
import sys

from absent import absent
from crowds import crowd, kills, replace
from disks import disk_error, disk_full
from partition import partition
from plenty import hundred_thousand


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dht", default=".build/release/dht")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    scenarios = parser.add_subparsers(required=True)

    def add(scenario):
        command = scenarios.add_parser(scenario.__name__.replace("_", "-"), help=scenario.__doc__)
        command.set_defaults(run=scenario)
        return command

    for scenario in (crowd, replace):
        command = add(scenario)
        command.add_argument("--nodes", type=int, default=24)
        command.add_argument("--values", type=int, default=300)
        command.add_argument("--long", type=int, default=10, help="values of 1 to 16 MiB besides")
        command.add_argument("--pause", type=float, default=1, help="seconds between a newcomer and the next leave")
    add(kills).add_argument("--kills", type=int, default=500)
    command = add(partition)
    command.add_argument("--values", type=int, default=40)
    command.add_argument("--loss", type=float, default=0.1, help="share of the datagrams that vanish")
    command.add_argument("--delay", type=float, default=0.1, help="seconds, one way")
    command.add_argument("--jitter", type=float, default=0.05, help="seconds more or less")
    command.add_argument("--apart", type=float, default=120, help="seconds")
    command.add_argument("--patience", type=float, default=600, help="seconds to wait for what was written apart")
    command.add_argument("--commands", type=int, default=16, help="run at once")
    for scenario in (disk_full, disk_error):
        command = add(scenario)
        command.add_argument("--stretch", type=float, default=8, help="seconds of each stretch of it")
        command.add_argument("--deaths", type=int, default=12, help="times kill -9 while the disk fails")
    command = add(hundred_thousand)
    command.add_argument("--records", type=int, default=100_000)
    command.add_argument("--length", type=int, default=300, help="bytes of a value")
    command = add(absent)
    command.add_argument("--members", type=int, default=2000)
    command.add_argument("--minutes", type=float, default=10)
    return parser.parse_args()


def main():
    options = parse()
    # So that nodes are stopped and folders removed, as after ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    print(f"seed {options.seed}", flush=True)
    broken = options.run(options, random.Random(options.seed))
    for complaint in broken[:20]:
        print(f"BROKEN: {complaint}")
    if len(broken) > 20:
        print(f"and {len(broken) - 20} more")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
