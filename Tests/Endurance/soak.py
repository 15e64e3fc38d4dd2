"""An hour of ordinary life: nodes that are never restarted, nodes that are, guests that join and leave for good, lists
that are read anew, links that are cut, and users that never rest."""
import base64
import hashlib
import http.client
import os
import random
import statistics
import threading
import time

from links import Links
from team import Control, Node, Team, free_ports, path_of

SHORT_KEYS, LONG_KEYS = 60, 3
# What a node may have more of in the last quarter than it had in the second one, median against median: what is
# lost for good raises every sample, while several long values that pass through at once raise one.
GROWTH = {"resident MiB": (1.10, 16), "descriptors": (1, 8), "threads": (1, 2), "dead disk MiB": (1.25, 64)}
# What no sample may reach: 150 MiB above an idle node, as for clients that do not read.
MOST_RESIDENT = 170


def figures(node):
    """What the process of a node holds."""
    process = f"/proc/{node.process.pid}"
    status = dict(line.split(":", 1) for line in open(f"{process}/status").read().splitlines())
    store = node.status()["store"]
    return {"resident MiB": int(status["VmRSS"].split()[0]) / 1024, "descriptors": len(os.listdir(f"{process}/fd")),
            "threads": int(status["Threads"]),
            # Not what lives: that grows until every long value was written.
            "dead disk MiB": (store["disk_bytes"] - store["live_bytes"]) / (1 << 20)}


def digest(value):
    return "nothing" if value is None else f"{hashlib.sha256(value).hexdigest()[:8]} of {len(value)} bytes"


class User(threading.Thread):
    """Writes and reads keys of its own, one thing after the other, so that it knows what must be there."""

    def __init__(self, number, nodes, links, seed, options):
        super().__init__(daemon=True)
        self.number, self.nodes, self.links = number, nodes, links
        self.pause, self.long = options.pause, options.long
        self.chance, self.controls = random.Random(seed), {}
        # By key, what may be read: more than one value after a write of which it is not known whether it stands.
        self.values = {}
        # By key, what was written: when, with which outcome, and its digest.
        self.written = {}
        self.tally, self.wrong, self.refused = {}, [], []
        self.is_over = False

    @property
    def author(self):
        """Of one key only one node may write, or two values would stand beside each other."""
        return self.nodes[self.number % len(self.nodes)]

    def ask(self, node, *request):
        try:
            if node not in self.controls:
                self.controls[node] = Control(node.socket)
            return self.controls[node].ask(*request)
        except (OSError, http.client.HTTPException) as error:
            self.controls.pop(node, None)
            return 0, repr(error)

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
        status, answer = self.ask(self.author, method, path, value)
        is_cut = self.links.touched(self.author, begun)
        self.count(f"{method} {status}{' at a cut link' if is_cut else ''}")
        copies = answer.get("copies", {}).get("stored") if isinstance(answer, dict) else None
        self.written.setdefault(key, []).append(
            f"{begun:.0f} to {time.monotonic():.0f}: {method} {digest(value)} {status}, {copies} copies")
        is_done = status == 200 or method == "DELETE" and status == 404
        if is_done and not is_cut:
            self.values[key] = [value]
        else:
            # It may have landed, in the place of whatever stood.
            self.values.setdefault(key, [None]).append(value)
        if not is_done:
            self.refuse(f"{method} {key}: {status} {str(answer)[:200]}", is_cut)

    def read(self, key):
        node, begun = self.chance.choice(self.nodes), time.monotonic()
        status, answer = self.ask(node, "GET", path_of(key))
        # Who was cut off is told of newer values by and by.
        is_cut = self.links.touched(node, begun, aftermath=Links.AFTERMATH)
        self.count(f"GET {status}{' at a cut link' if is_cut else ''}")
        if status not in (200, 404):
            self.refuse(f"GET {key}: {status} {str(answer)[:200]}", is_cut)
            return
        values = answer["values"] if status == 200 else []
        found = None
        if values:
            newest = values[0]
            found = newest["value"].encode() if newest.get("value") is not None \
                else base64.b64decode(newest["value_base64"])
        if not is_cut and found not in self.values.get(key, [None]):
            self.wrong.append(f"{key} reads {digest(found)} at {time.monotonic():.0f}, which was not written last: "
                              + "; ".join(self.written.get(key, [])[-4:]))
            print(f"wrong: {self.wrong[-1]}", flush=True)

    def refuse(self, text, is_cut):
        """Something was not done: that is a fault, unless the link was cut."""
        self.refused.append(text)
        if not is_cut:
            self.wrong.append(f"refused: {text}")
            print(self.wrong[-1], flush=True)

    def count(self, what):
        self.tally[what] = self.tally.get(what, 0) + 1


class Life:
    """What happens to a team meanwhile."""

    def __init__(self, team, stay, come_and_go, links, chance):
        self.team, self.stay, self.come_and_go, self.links, self.chance = team, stay, come_and_go, links, chance
        self.guests, self.counts, self.broken = [], {}, []

    def happen(self):
        event = self.chance.choice([self.restart, self.restart, self.come, self.go, self.cut, self.flap])
        self.counts[event.__name__] = self.counts.get(event.__name__, 0) + 1
        event()

    def restart(self):
        node = self.chance.choice(self.come_and_go)
        node.kill() if self.chance.random() < 0.5 else node.stop()
        time.sleep(self.chance.uniform(0, 5))
        node.start([self.chance.choice(self.stay)])

    def come(self):
        """Somebody new gets a key, is listed by all, and starts."""
        if len(self.guests) >= 3:
            return self.go()
        guest = Node(self.team, f"guest{len(self.team.members)}", free_ports(1)[0])
        self.team.members.append(guest)
        self.guests.append(guest)
        self.enlist()
        guest.start([self.chance.choice(self.stay)])

    def go(self):
        """A guest stops, and is listed no more."""
        if not self.guests:
            return self.come()
        guest = self.guests.pop(0)
        if guest.stop() != 0:
            self.broken.append(f"{guest.name} did not stop well: {guest.said()[-300:]}")
        self.enlist()

    def enlist(self):
        members = self.stay + self.come_and_go + self.guests
        lines = [f"{node.identity}  {node.name}" for node in members]
        (self.team.folder / "team.allow").write_text("\n".join(lines) + "\n")
        for node in members:
            if node.is_running and (ending := node.dht("reload")).returncode != 0:
                self.broken.append(f"{node.name} did not read its list: {ending.stderr.decode()[-300:]}")

    def cut(self):
        self.links.cut(self.chance.choice(self.stay), self.chance.uniform(5, 25))

    def flap(self):
        node = self.chance.choice(self.stay)
        for _ in range(4):
            self.links.cut(node, self.chance.uniform(0.2, 2))
            time.sleep(self.chance.uniform(0.2, 2))


def soak(options, chance):
    """Eight nodes that stay, four that are killed or stopped over and over, guests, six users, an hour."""
    broken, links = [], Links()
    with Team(options.dht, options.nodes + options.restarted) as team:
        try:
            team.start()
            stay, come_and_go = team.nodes[:options.nodes], team.nodes[options.nodes:]
            life = Life(team, stay, come_and_go, links, chance)
            users = [User(number, stay, links, chance.randrange(1 << 30), options)
                     for number in range(options.users)]
            for user in users:
                user.start()
            samples, begun = {node.name: [] for node in stay}, time.monotonic()
            end = begun + 60 * options.minutes
            while time.monotonic() < end:
                time.sleep(min(options.between, max(end - time.monotonic(), 0)))
                for node in stay:
                    if not node.is_running:
                        return [f"{node.name} ended: {node.said()[-500:]}"]
                    if b"\ndht_" not in Control(node.socket).respond("GET", "/v1/metrics").read():
                        broken.append(f"{node.name} has no metrics")
                    samples[node.name].append(figures(node))
                life.happen()
            for user in users:
                user.is_over = True
            for user in users:
                user.join(timeout=300)
        finally:
            links.mend_all()
        broken += life.broken
        tally = {}
        for user in users:
            broken += user.wrong
            for what, times in user.tally.items():
                tally[what] = tally.get(what, 0) + times
        print(f"{life.counts}, {dict(sorted(tally.items()))}", flush=True)
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
        unlike = [line for node in stay for line in node.said().splitlines() if " error " in line.lower()]
        broken += [f"a node logged {line}" for line in unlike[:10]]
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
