"""A long put that is overtaken and broken off: what was written after it is what everybody reads."""
import subprocess
import time

from team import Team


def begin(node, key, value, folder):
    """A put in a process of its own, as a user's."""
    path = folder / "value"
    path.write_bytes(value)
    with open(path, "rb") as body:
        return subprocess.Popen([node.team.program, "put", key, "-", "--socket", str(node.socket)], stdin=body,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def abort(options, chance):
    """Puts of 16 MiB, overtaken by a correction or a deletion and mostly broken off, at eight nodes."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        author = team.nodes[0]
        told = {}
        for turn in range(options.rounds):
            key = f"doc{turn}"
            is_deletion, is_broken_off = turn % 3 == 2, turn % 4 != 3
            if is_deletion:
                author.put(key, b"old")
            first = begin(author, key, chance.randbytes(16 << 20), team.folder)
            time.sleep(chance.uniform(0.05, 1.5))
            written = author.dht("del", key) if is_deletion else author.put(key, f"correction {turn}".encode())
            if written.returncode != 0:
                raise SystemExit(f"{key} was not written: {written.stderr}")
            if is_broken_off:
                time.sleep(chance.uniform(0, 0.5))
                first.terminate()
            first.communicate(timeout=300)
            told[first.returncode] = told.get(first.returncode, 0) + 1
            time.sleep(chance.uniform(0, 2))
            expected = None if is_deletion else f"correction {turn}".encode()
            for node in team.nodes:
                found = node.get(key)
                if found != expected:
                    broken.append(f"{key}: {node.name} reads {len(found or b'')} bytes, not {expected!r}")
        print(f"{options.rounds} long puts were overtaken; their exits: {told}", flush=True)
        time.sleep(options.later)
        for turn in range(options.rounds):
            if turn % 3 == 2:
                continue
            for node in team.nodes:
                if node.get(f"doc{turn}") != f"correction {turn}".encode():
                    broken.append(f"doc{turn}: {node.name} reads something else {options.later} s later")
    return broken
