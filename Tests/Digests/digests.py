"""The digests of what happens in 300 simulated worlds, event for event: equal before and after a change of form.

With --accept they are written down; without, compared with what is written down.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

FILE = pathlib.Path(__file__).with_name("digests.txt")
SCENARIOS = ("calm vanish churn replace lossy partition roaming restart blackout clocks disks revocation hostile eclipse "
             "flood wanting dawdling promising haunting spoiling amnesiac").split()
LONG_VALUES = {"wanting", "dawdling", "promising", "spoiling", "amnesiac"}


def worlds():
    """The arguments of `dht simulate`: swarms, and every scenario in turn, with either sealing."""
    for number in range(100):
        sealing = "real" if number % 4 == 0 else "stand-in"
        yield f"--scenario swarm --hours 0.1 --sealing {sealing} --seed {20_000 + number}"
    for number in range(200):
        scenario = SCENARIOS[number % len(SCENARIOS)]
        # Megabytes that are sealed for real take minutes.
        is_long = scenario in LONG_VALUES
        is_real = not is_long and number // len(SCENARIOS) % 4 == 0
        size = "--nodes 8 --hours 0.03" if is_long else "--nodes 8 --hours 0.1" if is_real else "--nodes 12 --hours 0.1"
        sealing = "real" if is_real else "stand-in"
        yield f"--scenario {scenario} {size} --reads 60 --sealing {sealing} --seed {30_000 + number}"


def digest(dht, world):
    # A promise that is broken in so short a world is not what is asked here.
    said = subprocess.run([dht, "simulate", "--json", *world.split()], capture_output=True, text=True).stdout
    try:
        return json.loads(said)["trace_digest"]
    except (ValueError, KeyError):
        sys.exit(f"dht simulate {world} said no digest: {said[:300]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dht", default=".build/release/dht")
    parser.add_argument("--every", type=int, default=1, help="only each such world")
    parser.add_argument("--accept", action="store_true")
    options = parser.parse_args()
    some = list(worlds())[::options.every]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(some, pool.map(lambda world: digest(options.dht, world), some)))
    if options.accept and options.every != 1:
        parser.error("what is written down is all or nothing")
    if options.accept:
        FILE.write_text("".join(f"{digest} {world}\n" for world, digest in found.items()))
        print(f"{len(found)} digests written down")
        return
    written = {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in FILE.read_text().splitlines()}
    changed = [world for world in some if written.get(world) != found[world]]
    if options.every == 1:
        changed += [world for world in written if world not in found]
    for world in changed[:10]:
        print(f"dht simulate {world}: {found.get(world)}, not {written.get(world)}")
    if changed:
        sys.exit(f"{len(changed)} of {len(some)} worlds are not what they were. If that is meant, make digests-accept, "
                 "and say in the commit why.")
    print(f"{len(some)} simulated worlds are event for event what they were")


if __name__ == "__main__":
    main()
