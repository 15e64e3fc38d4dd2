"""A network that loses a tenth, is slow, and falls apart for two minutes."""
import collections
import concurrent.futures
import json
import time

from lossy import LossyNetwork
from team import Team

# Keys of each story, beside those that were there before.
KEYS = 8


class Story:
    """Eight nodes, four of them on either side; what each side is to see, and what all are to see in the end."""

    def __init__(self, team, network, options, chance):
        self.team, self.network, self.options = team, network, options
        order = chance.sample(range(8), 8)
        self.sides = [int(number in order[4:]) for number in range(8)]
        self.left, self.right = ([team.nodes[number] for number in half] for half in (order[:4], order[4:]))
        self.before = {f"before/{number}": b"before %d" % number for number in range(options.values)}
        # What those on a side see of what was written while the network was apart.
        self.seen_left, self.seen_right = {}, {}
        self.broken = []

    # Commands, many at a time

    def at_once(self, work, questions):
        with concurrent.futures.ThreadPoolExecutor(self.options.commands) as pool:
            return list(pool.map(work, questions))

    def put_all(self, writes, title):
        """Puts (node, key, value); returns those that succeeded."""
        codes = self.at_once(lambda write: write[0].put(write[1], write[2]).returncode, writes)
        done = [write for write, code in zip(writes, codes) if code == 0]
        print(f"{title}: {len(done)} of {len(writes)} puts; exit codes {dict(collections.Counter(codes))}", flush=True)
        return done

    def read_all(self, expected, nodes, title, *options):
        """Reads each key at each node; returns what is wrong. A list of values: any of them will do."""
        def read(question):
            node, key, values = question
            start = time.monotonic()
            return node.get(key, *options) in values, time.monotonic() - start
        questions = [(node, key, value if isinstance(value, list) else [value])
                     for node in nodes for key, value in sorted(expected.items())]
        readings = self.at_once(read, questions)
        wrong = [f"{title}: {key} at {node.name}" for (node, key, _), (fits, _) in zip(questions, readings) if not fits]
        if title:
            waits = sorted(wait for _, wait in readings)
            p50, p99, most = (1000 * waits[min(len(waits) * share // 100, len(waits) - 1)] for share in (50, 99, 100))
            print(f"{title}: {len(readings) - len(wrong)} of {len(readings)} reads right; "
                  f"command p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms", flush=True)
        return wrong

    def expect(self, *reading):
        self.broken += self.read_all(*reading)

    # What happens, in this order

    def begin(self):
        writes = [(self.team.nodes[number % 8], key, value) for number, (key, value) in enumerate(self.before.items())]
        for number in range(KEYS):
            writes += [(self.left[0], f"own/{number}", b"old"), (self.left[1], f"gone/{number}", b"old"),
                       (self.right[1], f"both/{number}", b"old")]
        if len(self.put_all(writes, "before")) != len(writes):
            self.broken.append("a put failed before anything was wrong")
        self.expect(self.before, self.team.nodes, "before, each at every node")

    def fall_apart(self):
        self.network.part(self.sides)
        self.fell_apart = time.monotonic()
        print(" | ".join(" ".join(node.name for node in side) for side in (self.left, self.right)), flush=True)
        self.expect(self.before, self.team.nodes, "apart, at once: what was there before")

    def write_on_both_sides(self):
        """To keys of their own, to the same keys by different authors, and to keys whose author is on one side only.

        Until a side has noticed that the others are gone, it says of its writes that they have too few copies.
        """
        for attempt in range(1, 9):
            writes = []
            for side, nodes in (("left", self.left), ("right", self.right)):
                writes += [(nodes[number % 4], f"{side}/{number}", f"{side} {attempt}".encode())
                           for number in range(2 * KEYS)]
                writes += [(nodes[2], f"both/{number}", f"of {side}".encode()) for number in range(KEYS)]
            writes += [(self.left[0], f"own/{number}", b"new") for number in range(KEYS)]
            done = self.put_all(writes, f"apart for {time.monotonic() - self.fell_apart:.0f} s")
            if len(done) == len(writes):
                break
            time.sleep(2)
        else:
            self.broken.append("a side cannot write while it is alone")
        for node, key, value in done:
            (self.seen_left if node in self.left else self.seen_right)[key] = value
        for number in range(KEYS):
            if self.left[1].dht("del", f"gone/{number}").returncode != 0:
                self.broken.append(f"gone/{number} cannot be deleted while its author's side is alone")
            self.seen_left[f"gone/{number}"] = None
            self.seen_right |= {f"gone/{number}": b"old", f"own/{number}": b"old"}
        for side, nodes, seen in (("left", self.left, self.seen_left), ("right", self.right, self.seen_right)):
            self.expect(seen | self.before, nodes, f"apart, on the {side}: each at every node")

    def change_sides(self):
        """One author on both sides: it writes on one, moves to the other, and writes there."""
        wanderer = self.right.pop(0)
        before = {f"moved/{number}": b"on the right" for number in range(KEYS)}
        after = dict.fromkeys(before, b"on the left")
        self.put_all([(wanderer, key, value) for key, value in before.items()], "before one changes sides")
        self.sides[self.team.nodes.index(wanderer)] = 0
        self.network.part(self.sides)
        self.left.append(wanderer)
        moved, missing = time.monotonic(), list(after)
        while missing and time.monotonic() < moved + 60:
            done = self.put_all([(wanderer, key, after[key]) for key in missing],
                                f"{wanderer.name} on the other side for {time.monotonic() - moved:.0f} s")
            missing = [key for key in missing if key not in {key for _, key, _ in done}]
        if missing:
            self.broken.append(f"{wanderer.name} changed sides and cannot write there")
        self.seen_left |= after
        self.expect(after, self.left, "one author on both sides: where it is now")
        self.expect(before, self.right, "one author on both sides: where it was")

    def heal(self):
        time.sleep(max(0.0, self.fell_apart + self.options.apart - time.monotonic()))
        self.network.part([0] * 8)
        healed = time.monotonic()
        expected = self.before | self.seen_right | self.seen_left
        # Of two authors' values under one key the one written last is read, by everybody the same.
        expected |= {f"both/{number}": [b"of left", b"of right"] for number in range(KEYS)}
        # Under both/ three have written, under every other key one.
        total = len(expected) + 2 * KEYS
        while True:
            # Of its own copy: with one answer to compare, a node that has one asks nobody else.
            behind = self.read_all(expected, self.team.nodes, "", "--replicas", "1")
            counts = [node.status().get("records", {}).get("count", 0) for node in self.team.nodes]
            print(f"healed for {time.monotonic() - healed:.0f} s: {len(behind)} reads are behind; "
                  f"{min(counts)} of {total} records at least at every node", flush=True)
            if not behind and min(counts) == total:
                break
            if time.monotonic() > healed + self.options.patience:
                self.broken.append(f"not all have all {self.options.patience:.0f} s after the network healed")
                break
            time.sleep(2)
        self.expect(expected, self.team.nodes, "healed: each at every node")
        self.agree()

    def agree(self):
        """Each key that several authors wrote: all nodes show all of them, and name the same one first."""
        alike = 0
        for number in range(KEYS):
            answers = [json.loads(node.dht("get", f"both/{number}", "--all", "--json").stdout or b"{}")
                       for node in self.team.nodes]
            seen = {tuple((int(value["revision_text"]), value["author"]["id"]) for value in answer.get("values", []))
                    for answer in answers}
            first = next(iter(seen))
            if len(seen) == 1 and len(first) == 3 and list(first) == sorted(first, reverse=True):
                alike += 1
            else:
                self.broken.append(f"both/{number} is not seen alike: {seen}")
        print(f"several authors of one key: {alike} of {KEYS} seen alike, the newest first", flush=True)

    def compare_disks(self):
        """All killed: every disk has the same records, of each author the newest, and is sound."""
        self.team.kill_all(self.team.nodes)
        disks = [{(line["key"], line["author"]): (line["revision"], line["record"]) for line in node.export()}
                 for node in self.team.nodes]
        newest = {}
        for disk in disks:
            for place, record in disk.items():
                newest[place] = max(record, newest.get(place, record))
        behind = [f"{node.name} lacks the newest of {key}" for node, disk in zip(self.team.nodes, disks)
                  for (key, author), record in newest.items() if disk.get((key, author)) != record]
        print(f"disks: {len(newest)} records, each on all 8 but for {len(behind)} copies", flush=True)
        self.broken += behind
        self.broken += [f"{node.name}: {problem}" for node in self.team.nodes if (problem := node.check())]


def partition(options, chance):
    """Eight nodes on a lossy line; the network in two halves for two minutes; both sides write; it heals."""
    with Team(options.dht, 8) as team:
        network = LossyNetwork(team.nodes, chance.random(), options.loss, options.delay, options.jitter)
        network.start()
        try:
            team.start()
            story = Story(team, network, options, chance)
            story.begin()
            story.fall_apart()
            story.write_on_both_sides()
            story.change_sides()
            story.heal()
            story.compare_disks()
            return story.broken
        finally:
            network.end()
            print(f"{network.carried} datagrams carried, {network.lost} lost, {network.severed} cut off; "
                  f"at most {1000 * network.late:.0f} ms later than meant", flush=True)
