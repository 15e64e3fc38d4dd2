"""An hour of ordinary life: nodes that are never restarted and nodes that are, and users that never rest."""
import base64
import hashlib
import http.client
import os
import random
import statistics
import threading
import time

from team import Control, Team, path_of

SHORT_KEYS, LONG_KEYS = 60, 3
# What a node may have more of in the last quarter than it had in the second one, median against median: what is
# lost for good raises every sample, while several long values that pass through at once raise one.
GROWTH = {"resident MiB": (1.10, 16), "descriptors": (1, 8), "threads": (1, 2), "disk MiB": (1.25, 64)}
# What no sample may reach: 150 MiB above an idle node, as for clients that do not read.
MOST_RESIDENT = 170


def figures(node):
    """What the process of a node holds."""
    process = f"/proc/{node.process.pid}"
    status = dict(line.split(":", 1) for line in open(f"{process}/status").read().splitlines())
    disk = sum(path.stat().st_size for path in node.directory.iterdir() if path.is_file())
    return {"resident MiB": int(status["VmRSS"].split()[0]) / 1024, "descriptors": len(os.listdir(f"{process}/fd")),
            "threads": int(status["Threads"]), "disk MiB": disk / (1 << 20)}


def digest(value):
    return "nothing" if value is None else f"{hashlib.sha256(value).hexdigest()[:8]} of {len(value)} bytes"


class User(threading.Thread):
    """Writes and reads keys of its own, one thing after the other, so that it knows what must be there."""

    def __init__(self, number, nodes, seed, options):
        super().__init__(daemon=True)
        self.number, self.nodes = number, nodes
        self.pause, self.long = options.pause, options.long
        self.chance, self.controls = random.Random(seed), {}
        # By key, what may be read: more than one value after a write of which it is not known whether it stands.
        self.values = {}
        # By key, what was written: when, with which outcome, and its digest.
        self.written = {}
        self.tally, self.wrong, self.refused = {}, [], []
        self.is_over = False

    def ask(self, *request):
        node = self.chance.choice(self.nodes)
        try:
            if node not in self.controls:
                self.controls[node] = Control(node.socket)
            return self.controls[node].ask(*request)
        except (OSError, http.client.HTTPException) as error:
            self.controls.pop(node, None)
            return 0, repr(error)

    def author_asks(self, *request):
        """Of one key only one node may write, or two values would stand beside each other."""
        nodes, self.nodes = self.nodes, [self.nodes[self.number % len(self.nodes)]]
        try:
            return self.ask(*request)
        finally:
            self.nodes = nodes

    def run(self):
        while not self.is_over:
            self.act()
            time.sleep(self.pause)

    def act(self):
        dice = self.chance.random()
        is_long = self.chance.random() < self.long
        key = f"u{self.number}/{'long' if is_long else 'short'}/" \
              f"{self.chance.randrange(LONG_KEYS if is_long else SHORT_KEYS)}"
        if dice < 0.3:
            length = self.chance.choice((1 << 20, 4 << 20, 16 << 20)) if is_long else self.chance.randint(0, 640)
            keep = "&keep=true" if self.chance.random() < 0.1 and not is_long else ""
            self.write(key, self.chance.randbytes(length), "PUT", f"{path_of(key)}?ttl=6h{keep}")
        elif dice < 0.35:
            self.write(key, None, "DELETE", path_of(key))
        else:
            self.read(key)

    def write(self, key, value, method, path):
        begun = time.monotonic()
        status, answer = self.author_asks(method, path, value)
        self.count(f"{method} {status}")
        copies = answer.get("copies", {}).get("stored") if isinstance(answer, dict) else None
        self.written.setdefault(key, []).append(
            f"{begun:.0f} to {time.monotonic():.0f}: {method} {digest(value)} {status}, {copies} copies")
        if status == 200 or method == "DELETE" and status == 404:
            self.values[key] = [value]
        else:
            # It may have landed, in the place of whatever stood.
            self.values.setdefault(key, [None]).append(value)
            self.refused.append(f"{method} {key}: {status} {str(answer)[:200]}")

    def read(self, key):
        status, answer = self.ask("GET", path_of(key))
        self.count(f"GET {status}")
        if status not in (200, 404):
            self.refused.append(f"GET {key}: {status} {str(answer)[:200]}")
            return
        values = answer["values"] if status == 200 else []
        found = None
        if values:
            newest = values[0]
            found = newest["value"].encode() if newest.get("value") is not None \
                else base64.b64decode(newest["value_base64"])
        if found not in self.values.get(key, [None]):
            self.wrong.append(f"{key} reads {digest(found)} at {time.monotonic():.0f}, which was not written last: "
                              + "; ".join(self.written.get(key, [])[-4:]))
            print(f"wrong: {self.wrong[-1]}", flush=True)

    def count(self, what):
        self.tally[what] = self.tally.get(what, 0) + 1


def soak(options, chance):
    """Eight nodes that stay, four that are killed or stopped over and over, six users, an hour."""
    broken = []
    with Team(options.dht, options.nodes + options.restarted) as team:
        team.start()
        stay, come_and_go = team.nodes[:options.nodes], team.nodes[options.nodes:]
        users = [User(number, stay, chance.randrange(1 << 30), options) for number in range(options.users)]
        for user in users:
            user.start()
        samples, restarts, begun = {node.name: [] for node in stay}, 0, time.monotonic()
        end = begun + 60 * options.minutes
        while time.monotonic() < end:
            time.sleep(min(options.between, max(end - time.monotonic(), 0)))
            for node in stay:
                if not node.is_running:
                    return [f"{node.name} ended: {node.said()[-500:]}"]
                samples[node.name].append(figures(node))
            node = chance.choice(come_and_go)
            node.kill() if chance.random() < 0.5 else node.stop()
            time.sleep(chance.uniform(0, 5))
            node.start([chance.choice(stay)])
            restarts += 1
        for user in users:
            user.is_over = True
        for user in users:
            user.join(timeout=300)
        tally = {}
        for user in users:
            broken += user.wrong
            for what, times in user.tally.items():
                tally[what] = tally.get(what, 0) + times
        print(f"{restarts} restarts, {tally}", flush=True)
        for refusal in [refusal for user in users for refusal in user.refused][:10]:
            print(f"not done: {refusal}", flush=True)
        checked = 0
        for user in users:
            user.wrong = []
            for key in sorted(user.values):
                user.read(key)
                checked += 1
            broken += [f"in the end: {text}" for text in user.wrong]
        print(f"{checked} keys read once more", flush=True)
        broken += judge(samples)
    return broken


def judge(samples):
    """What grew, of the nodes that stayed."""
    broken = []
    for name, taken in samples.items():
        quarter = max(len(taken) // 4, 1)
        for what, (factor, slack) in GROWTH.items():
            early = statistics.median(sample[what] for sample in taken[quarter:2 * quarter] or taken)
            late = statistics.median(sample[what] for sample in taken[-quarter:])
            most = max(sample[what] for sample in taken)
            print(f"{name}: {what} {early:.0f}, {late:.0f}, at most {most:.0f}", flush=True)
            if late > early * factor + slack:
                broken.append(f"{name}: {what} grew from {early:.0f} to {late:.0f}")
            if what == "resident MiB" and most > MOST_RESIDENT:
                broken.append(f"{name}: {what} reached {most:.0f}")
    return broken
