"""Nodes that are killed, and nodes that are replaced: what was acknowledged must be there afterwards."""
import random
import threading
import time

from team import Team, bury, expect_gone, fill, fill_long


def crowd(options, chance):
    """Half of the nodes killed at once; their restart; all killed and started again."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        values = fill(team, options.values, chance)
        gone = bury(team, values, chance)
        values |= fill_long(team, options.long, chance)
        broken += team.read_all(values, team.nodes, "all alive")
        victims = chance.sample(team.nodes, options.nodes // 2)
        team.kill_all(victims)
        alive = [node for node in team.nodes if node not in victims]
        missing = team.read_all(values, alive, "half killed, at once")
        # All 8 keepers of a value are among the victims once in some 300 values.
        if len(missing) > 0.015 * len(values):
            broken += missing
        team.start_all(victims)
        broken += team.read_all(values, team.nodes, "after their restart, no peer named")
        team.kill_all(team.nodes)
        team.start_all(team.nodes)
        broken += team.read_all(values, team.nodes, "all killed and started again, no peer named")
        broken += expect_gone(team.nodes, gone)
    return broken


def replace(options, chance):
    """All nodes replaced by new machines, one by one, through graceful leave."""
    broken = []
    with Team(options.dht, options.nodes, spare=options.nodes) as team:
        team.start()
        values = fill(team, options.values, chance)
        gone = bury(team, values, chance)
        values |= fill_long(team, options.long, chance)
        newcomers = team.members[options.nodes:]
        start = time.monotonic()
        for old, new in zip(list(team.nodes), newcomers):
            new.start([node for node in team.nodes if node is not old][:2])
            team.nodes = [node for node in team.nodes if node is not old] + [new]
            time.sleep(options.pause)
            if old.stop() != 0:
                broken.append(f"{old.name} did not stop well")
        print(f"{len(newcomers)} replaced in {time.monotonic() - start:.0f} s", flush=True)
        team.settle()
        broken += team.read_all(values, team.nodes, "all replaced one by one")
        broken += expect_gone(team.nodes, gone)
    return broken


class Writer(threading.Thread):
    """Writes on and on through nodes that may die under it, and remembers what was acknowledged."""

    def __init__(self, team, number, seed):
        super().__init__(daemon=True)
        self.team, self.number, self.chance = team, number, random.Random(seed)
        self.acknowledged, self.attempted, self.is_over = {}, {}, False

    def run(self):
        turn = 0
        while not self.is_over:
            turn += 1
            key = f"w{self.number}/{turn % 200}"
            value = f"{turn} ".encode() * self.chance.randint(1, 100)
            value = value[:640]
            # Until a later one is acknowledged, each of these may have come through all the same.
            self.attempted.setdefault(key, []).append(value)
            if self.team.nodes[self.number].put(key, value).returncode == 0:
                self.acknowledged[key] = value
                self.attempted.pop(key)

    def fits(self, key, value):
        return value == self.acknowledged[key] or value in self.attempted.get(key, [])


def kills(options, chance):
    """`kill -9` over and over, at random moments, while every node writes: three nodes, all on disk."""
    broken = []
    with Team(options.dht, 3) as team:
        team.start()
        time.sleep(2)  # no peer is named later on, and contacts are written down after a second
        writers = [Writer(team, number, chance.random()) for number in range(3)]
        for writer in writers:
            writer.start()
        for number in range(options.kills):
            time.sleep(chance.uniform(0.02, 0.4))
            node = chance.choice(team.nodes)
            node.kill()
            node.start()
            if (number + 1) % 50 == 0:
                print(f"{number + 1} kills, {sum(len(w.acknowledged) for w in writers)} keys acknowledged",
                      flush=True)
        for writer in writers:
            writer.is_over = True
        for writer in writers:
            writer.join()
        team.settle()
        for writer in writers:
            for key in writer.acknowledged:
                for node in team.nodes:
                    if not writer.fits(key, node.get(key)):
                        broken.append(f"{key} at {node.name}")
        total = sum(len(writer.acknowledged) for writer in writers)
        print(f"{total} acknowledged keys read at each of 3 nodes: {len(broken)} wrong", flush=True)
        for node in team.nodes:
            if node.stop() != 0:
                broken.append(f"{node.name} did not stop well")
            problem = node.check()
            if problem:
                broken.append(f"the store of {node.name} is damaged: {problem}")
    return broken
