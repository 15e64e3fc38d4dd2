"""A node that keeps very many records: what they take of its memory, and of its start."""
import re
import threading
import time

from team import Control, Team, path_of

MEMORY_LIMIT = 64 << 20
START_LIMIT = 1.0


def resident(node):
    """Bytes of memory that the process of a node has at present, and has had at most."""
    status = open(f"/proc/{node.process.pid}/status").read()
    return tuple(1024 * int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) for name in ("VmRSS", "VmHWM"))


def mebibytes(count):
    return f"{count / (1 << 20):.1f} MiB"


def started(node, title):
    """Starts a node; how long until it served, what it holds then and, in peace, ten seconds later."""
    start = time.monotonic()
    node.start()
    wait = time.monotonic() - start
    first, _ = resident(node)
    time.sleep(10)
    memory, most = resident(node)
    print(f"{title}: serves after {1000 * wait:.0f} ms; {mebibytes(first)} resident, "
          f"{mebibytes(memory)} after 10 s, {mebibytes(most)} at most", flush=True)
    return wait, max(first, memory)


def put_all(node, count, value, writers=16):
    """Puts so many values through the control socket; what went wrong."""
    failures = []

    def put(part):
        control = Control(node.socket)
        for number in range(part, count, writers):
            status, answer = control.ask("PUT", path_of(f"record/{number}"), value(number))
            if status != 200:
                failures.append(f"record/{number}: {status} {answer}")
                return

    threads = [threading.Thread(target=put, args=(part,)) for part in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def read_some(node, count, value, chance, reads=2000):
    control = Control(node.socket)
    numbers = [chance.randrange(count) for _ in range(reads)]
    start, wrong = time.monotonic(), []
    for number in numbers:
        status, answer = control.ask("GET", path_of(f"record/{number}"))
        if status != 200 or answer["value"].encode() != value(number):
            wrong.append(f"record/{number} is not what was put: {status}")
    print(f"{reads} reads one after the other: {reads / (time.monotonic() - start):.0f} a second", flush=True)
    return wrong


def hundred_thousand(options, chance):
    """One node with 100,000 records on its disk: memory, start, reads."""
    def value(number):
        return f"{number} of the many ".encode().ljust(options.length, b".")
    with Team(options.dht, 1) as team:
        node = team.nodes[0]
        _, idle = started(node, "no records")
        start = time.monotonic()
        broken = put_all(node, options.records, value)
        seconds = time.monotonic() - start
        memory, most = resident(node)
        said = node.status().get("records")
        print(f"{options.records} puts in {seconds:.0f} s, {options.records / seconds:.0f} a second; {said}; "
              f"{mebibytes(memory)} resident, {mebibytes(most)} at most", flush=True)
        if said["count"] != options.records:
            broken.append(f"the node has {said} records")
        if memory - idle > MEMORY_LIMIT:
            broken.append(f"the process that took the records grew by {mebibytes(memory - idle)}")
        if node.stop() != 0:
            broken.append("the node did not stop well")
        size = sum(file.stat().st_size for file in node.directory.iterdir())
        waits = []
        for _ in range(3):
            wait, memory = started(node, f"{options.records} records, {mebibytes(size)} on the disk")
            waits.append(wait)
            print(f"{mebibytes(memory - idle)} above a node without records", flush=True)
            if memory - idle > MEMORY_LIMIT:
                broken.append(f"records take {mebibytes(memory - idle)}")
            broken += read_some(node, options.records, value, chance)
            memory, _ = resident(node)
            print(f"{mebibytes(memory - idle)} above it after the reads", flush=True)
            if memory - idle > MEMORY_LIMIT:
                broken.append(f"records take {mebibytes(memory - idle)} after reads")
            node.kill()
        # The machine may have been busy once; a node that is slow is slow each time.
        if min(waits) > START_LIMIT:
            broken.append(f"a start takes {min(waits):.2f} s")
        problem = node.check()
        if problem:
            broken.append(problem)
    return broken
