"""Nodes with IPv4 only, with IPv6 only, and with both, on one machine: what is acknowledged all of them read."""
import time

from team import Team

FOUR, SIX = "127.0.0.1", "[::1]"


def families(options, chance):
    """Seven nodes with IPv4, seven with IPv6, and some with both, which are killed now and then."""
    broken, unreached = [], 0
    with Team(options.dht, 2 * options.single + options.both) as team:
        both = team.nodes[: options.both]
        for number, node in enumerate(team.nodes):
            node.hosts = [FOUR, SIX] if node in both else [FOUR] if number % 2 else [SIX]
        for node in team.nodes:
            node.start([] if node is both[0] else [both[0]])
        if not meet(team):
            broken.append("not all who can know each other do")
        latest = {}
        for turn in range(options.updates):
            key, writer = f"k{chance.randrange(8)}", chance.choice(team.nodes)
            value = f"{turn}".encode()
            ending = writer.put(key, value)
            if ending.returncode == 0:
                latest[key] = value
                broken += read(team, chance, key, value, f"update {turn} by {writer.name}")
            else:
                unreached += 1
                latest.pop(key, None)
            if turn % 20 == 19:
                victim = chance.choice(both)
                victim.kill()
                time.sleep(chance.uniform(0, 2))
                victim.start([] if victim is both[0] else [both[0]])
                meet(team)
        for key, value in latest.items():
            for node in team.nodes:
                if node.get(key) != value:
                    broken.append(f"{key} at {node.name}, in the end")
        print(f"{options.updates} updates, {unreached} of them said that not all can see them: "
              f"{len(broken)} broken", flush=True)
    return broken


def meet(team, patience=60):
    """Waits until everybody counts on all who share a family with it; says whether that came to pass."""
    end = time.monotonic() + patience
    for node in team.nodes:
        wanted = sum(1 for other in team.nodes if other is not node and set(other.hosts) & set(node.hosts))
        while node.status().get("peers", {}).get("up", -1) < wanted:
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
    return True


def read(team, chance, key, value, title):
    """Reads the value at a node of each kind."""
    kinds = {}
    for node in team.nodes:
        kinds.setdefault(tuple(node.hosts), []).append(node)
    readers = [chance.choice(nodes) for nodes in kinds.values()]
    found = [(node, node.get(key)) for node in readers]
    return [f"{title}: {node.name} {node.hosts} read {got}" for node, got in found if got != value]
