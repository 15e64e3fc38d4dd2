"""First starts that are killed: whatever is left of a directory, the next start makes a node of it."""
import shutil
import time

from team import Team


def moments(chance):
    """When to kill: seconds after the first file of the directory was there, or after the process was."""
    while True:
        yield "file", chance.uniform(0, 0.02)
        yield "process", chance.uniform(0, 0.02)
        yield "file", chance.uniform(0, 0.003)
        yield "process", chance.uniform(0, 1)


def left(directory):
    return tuple(sorted(path.name for path in directory.iterdir())) if directory.exists() else ("nothing",)


def first_start(options, chance):
    """`kill -9` at any moment of a node's first start: none leaves a directory that does not start."""
    broken, seen = [], {}
    with Team(options.dht, 1) as team:
        node = team.nodes[0]
        for number, (origin, delay) in zip(range(options.kills), moments(chance)):
            shutil.rmtree(node.directory, ignore_errors=True)
            node.start(wait=False)
            begun = time.monotonic()
            while origin == "file" and not (node.directory / "lock").exists() and node.is_running \
                    and time.monotonic() < begun + 10:
                pass
            time.sleep(delay)
            node.kill()
            names = left(node.directory)
            seen[names] = seen.get(names, 0) + 1
            node.start(wait=False)
            line = node.process.stdout.readline()
            node.kill()
            if not line.startswith(b"READY"):
                last = (node.said().strip().splitlines() or [""])[-1]
                broken.append(f"kill {number + 1}, {1000 * delay:.1f} ms after the {origin}, left {names}: {last}")
            if (number + 1) % 100 == 0:
                print(f"{number + 1} kills, {len(broken)} directories that do not start", flush=True)
        for names, count in sorted(seen.items(), key=lambda item: -item[1]):
            print(f"{count} times left: {', '.join(names)}")
        node.start()
        if node.stop() != 0:
            broken.append("the node did not stop well")
        problem = node.check()
        if problem:
            broken.append(f"the store is damaged: {problem}")
    return broken
