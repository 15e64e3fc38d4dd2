"""A database that was large once: its file comes down to what lives in it, and the node serves meanwhile."""
import time

from team import Control, Team, path_of


def size(node):
    return sum(path.stat().st_size for path in node.directory.iterdir() if path.is_file())


def shrink(options, chance):
    """One key of 16 MiB written over and over at three nodes, and three others that stay."""
    broken = []
    with Team(options.dht, 3) as team:
        team.start()
        kept = {f"kept/{number}": chance.randbytes(16 << 20) for number in range(3)}
        writes = list(kept.items()) + [("again", chance.randbytes(16 << 20)) for _ in range(options.rewrites)]
        for number, (key, value) in enumerate(writes):
            # No author may have much more than that.
            author = team.nodes[number] if key in kept else team.nodes[0]
            status, answer = Control(author.socket).ask("PUT", f"{path_of(key)}?ttl=6h", value)
            if status != 200 and answer["error"]["code"] != "partial":
                return [f"put {key}: {status} {answer}"]
        begun, largest = time.monotonic(), {node.name: size(node) for node in team.nodes}
        # Four values live, of 16 MiB each, and some room to breathe.
        goal = 4 * (16 << 20) * 1.25
        print(f"at first {[size >> 20 for size in largest.values()]} MiB; the goal is {goal / (1 << 20):.0f}", flush=True)
        slowest = 0
        while time.monotonic() - begun < options.patience:
            time.sleep(10)
            asked = time.monotonic()
            key = chance.choice(sorted(kept))
            if Control(chance.choice(team.nodes).socket).get(path_of(key)) != kept[key]:
                broken.append(f"{key} does not read right {asked - begun:.0f} s after the last write")
            slowest = max(slowest, time.monotonic() - asked)
            sizes = [size(node) for node in team.nodes]
            if max(sizes) <= goal:
                print(f"{[size >> 20 for size in sizes]} MiB after {time.monotonic() - begun:.0f} s; "
                      f"the slowest of the reads meanwhile took {slowest:.2f} s", flush=True)
                return broken
        return broken + [f"after {options.patience:.0f} s still {[size >> 20 for size in sizes]} MiB"]
