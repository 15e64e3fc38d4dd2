#!/usr/bin/env python3
"""Real nodes, real disks, and whatever may happen to them: what was acknowledged must be there afterwards.

    endure.py [--dht .build/release/dht] [--seed N] crowd [--nodes 24] [--values 300] [--long 10]
    endure.py … replace [--nodes 24] [--values 300] [--long 10]
    endure.py … kills [--kills 500]
    endure.py … first-start [--kills 1000]
    endure.py … partition [--apart 120]
    endure.py … disk-full
    endure.py … disk-error
    endure.py … hundred-thousand
    endure.py … keep [--values 100] [--lifetime 120]
    endure.py … abort [--rounds 12]
    endure.py … soak [--minutes 60]
    endure.py … families [--single 7] [--both 1] [--updates 200]
    endure.py … absent [--members 2000] [--minutes 10]
    endure.py … damage [--flips 60]
    endure.py … shrink [--rewrites 20]
    endure.py … long-values [--nodes 20]
    endure.py … at-once [--nodes 128]
    endure.py … slow-clients [--readers 60] [--writers 40] [--gets 20]

Every scenario makes its own keys and directories, prints what it saw, and ends 1 if a promise was broken.
"""
import argparse
import random
import signal
import sys

from abort import abort
from absent import absent
from crowds import crowd, kills, replace
from damage import damage
from disks import disk_error, disk_full
from families import families
from keeping import keep
from long import long_values
from partition import partition
from plenty import hundred_thousand
from shrink import shrink
from slow import slow_clients
from soak import soak
from starts import first_start
from together import at_once


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
    add(first_start).add_argument("--kills", type=int, default=1000)
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
    command = add(keep)
    command.add_argument("--nodes", type=int, default=4)
    command.add_argument("--values", type=int, default=100)
    command.add_argument("--lifetime", type=int, default=120, help="seconds")
    command.add_argument("--lifetimes", type=int, default=2, help="how many of them to wait")
    command = add(abort)
    command.add_argument("--nodes", type=int, default=8)
    command.add_argument("--rounds", type=int, default=12)
    command.add_argument("--later", type=float, default=60, help="seconds until all is read once more")
    command = add(soak)
    command.add_argument("--nodes", type=int, default=8)
    command.add_argument("--restarted", type=int, default=4)
    command.add_argument("--users", type=int, default=6)
    command.add_argument("--pause", type=float, default=0.2, help="seconds between two things a user does")
    command.add_argument("--long", type=float, default=0.06, help="the share of long values")
    command.add_argument("--between", type=float, default=30, help="seconds between two restarts")
    command.add_argument("--minutes", type=float, default=60)
    command = add(families)
    command.add_argument("--single", type=int, default=7, help="nodes with one family, of each")
    command.add_argument("--both", type=int, default=1)
    command.add_argument("--updates", type=int, default=200)
    command = add(absent)
    command.add_argument("--members", type=int, default=2000)
    command.add_argument("--minutes", type=float, default=10)
    command = add(damage)
    command.add_argument("--nodes", type=int, default=5)
    command.add_argument("--values", type=int, default=24)
    command.add_argument("--length", type=int, default=1_000_000, help="bytes of a value, at most")
    command.add_argument("--flips", type=int, default=60, help="bits")
    command.add_argument("--patience", type=float, default=180, help="seconds to wait until all is whole")
    command = add(shrink)
    command.add_argument("--rewrites", type=int, default=20)
    command.add_argument("--patience", type=float, default=1800, help="seconds to wait until the files are small")
    add(long_values).add_argument("--nodes", type=int, default=20)
    command = add(at_once)
    command.add_argument("--nodes", type=int, default=128)
    command.add_argument("--settled", type=float, default=20, help="seconds after which datagrams are counted")
    command = add(slow_clients)
    command.add_argument("--nodes", type=int, default=12)
    command.add_argument("--readers", type=int, default=60)
    command.add_argument("--writers", type=int, default=40)
    command.add_argument("--gets", type=int, default=20)
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
