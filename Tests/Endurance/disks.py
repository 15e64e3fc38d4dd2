"""Disks that are full, or fail, under nodes that go on: nothing acknowledged is lost, reads go on, it passes."""
import errno
import http.client
import pathlib
import random
import subprocess
import threading
import time

from team import Control, Team, path_of

KEYS = 200


class Disk:
    """A node's disk, which does as it is told while the node runs."""

    def __init__(self, node, library):
        self.trigger = node.folder / f"{node.name}.trigger"
        node.environment = {"LD_PRELOAD": str(library), "DISK_BELOW": str(node.directory.resolve()),
                            "DISK_TRIGGER": str(self.trigger)}

    def fail(self, number, share=100):
        """From now on so many of a hundred calls that write fail with the error of this number."""
        draft = self.trigger.with_suffix(".draft")
        draft.write_text(f"{number} {share}\n")
        draft.rename(self.trigger)

    def mend(self):
        self.trigger.unlink(missing_ok=True)


class Load(threading.Thread):
    """A client of one node that goes on whatever happens; with connections that stay open."""

    def __init__(self, journal, node, seed):
        super().__init__(daemon=True)
        self.journal, self.node, self.chance = journal, node, random.Random(seed)
        self.is_over, self.control = False, None

    def ask(self, *request):
        """Status and answer; 0 if the node is not there."""
        try:
            if self.control is None:
                self.control = Control(self.node.socket)
            return self.control.ask(*request)
        except (OSError, http.client.HTTPException):
            self.control = None
            time.sleep(0.05)
            return 0, None

    def run(self):
        while not self.is_over:
            self.act()


class Writer(Load):
    turn = 0

    def act(self):
        self.turn += 1
        key = f"{self.node.name}/{self.turn % KEYS}"
        value = (f"{self.turn} ".encode() * self.chance.randint(1, 100))[:640]
        self.journal.attempt(key, value)
        status, answer = self.ask("PUT", path_of(key), value)
        self.journal.wrote(key, value, status, answer)


class Reader(Load):
    def act(self):
        key, floor = self.journal.any_key(self.chance)
        if key is None:
            return time.sleep(0.05)
        status, answer = self.ask("GET", path_of(key))
        self.journal.read(self.node, key, floor, status, answer)
        time.sleep(0.005)


class Journal:
    """What was told to whom."""

    def __init__(self, nodes):
        self.lock = threading.Lock()
        self.names = {node.identity: node.name for node in nodes}
        # By key: the last revision that was acknowledged; its value, and those tried since.
        self.acknowledged, self.possible = {}, {}
        # By node and key: the last revision this node said it had stored.
        self.kept = {node.name: {} for node in nodes}
        self.broken = []
        self.clear()

    def clear(self):
        self.verdicts = {name: {} for name in self.names.values()}
        self.writes, self.reads, self.thin, self.waits = {}, {}, 0, []

    def attempt(self, key, value):
        with self.lock:
            self.possible.setdefault(key, []).append(value)

    def wrote(self, key, value, status, answer):
        with self.lock:
            self.writes[status] = self.writes.get(status, 0) + 1
            if status != 200:
                return
            revision = int(answer["revision_text"])
            self.acknowledged[key] = revision
            self.possible[key] = [value]
            for replica in answer["replicas"]:
                name, outcome = self.names[replica["id"]], replica["outcome"]
                self.verdicts[name][outcome] = self.verdicts[name].get(outcome, 0) + 1
                if outcome == "stored":
                    self.kept[name][key] = revision

    def any_key(self, chance):
        with self.lock:
            if not self.acknowledged:
                return None, None
            key = chance.choice(sorted(self.acknowledged))
            return key, self.acknowledged[key]

    def read(self, node, key, floor, status, answer):
        with self.lock:
            self.reads[status] = self.reads.get(status, 0) + 1
            if status == 404 or (status == 200 and int(answer["revision_text"]) < floor):
                # Three answers of three see what one of them acknowledged; fewer may not.
                if status == 200 and answer["answered"] < 3:
                    self.thin += 1
                else:
                    self.broken.append(f"{key} at {node.name}: {status}, older than acknowledged: {answer}")

    def tell(self, title):
        with self.lock:
            verdicts = "; ".join(f"{name} said {said}" for name, said in sorted(self.verdicts.items()))
            print(f"{title}: writes by HTTP status {self.writes}, {verdicts}; reads {self.reads}", flush=True)
            self.clear()


class Ordeal:
    """Three nodes under load, whose disks can be made to fail."""

    def __init__(self, team, number, options, chance):
        self.team, self.number, self.pause = team, number, options.stretch
        library = team.folder / "failing-disk.so"
        source = pathlib.Path(__file__).with_name("failing-disk.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.disks = [Disk(node, library) for node in team.nodes]
        self.journal = Journal(team.nodes)
        self.loads = [kind(self.journal, node, chance.random()) for node in team.nodes for kind in (Writer, Reader)]
        self.victim, self.disk = team.nodes[0], self.disks[0]
        self.refusal = "quota" if number == errno.ENOSPC else "unavailable"
        self.broken = self.journal.broken

    def require(self, is_so, complaint):
        if not is_so:
            self.broken.append(complaint)

    def live(self, title, seconds=None):
        """Lets the load go on for a while, and says what it met. What began before does not count."""
        time.sleep(0.5)
        with self.journal.lock:
            self.journal.clear()
        time.sleep(seconds or self.pause)
        with self.journal.lock:
            verdicts, writes, reads = self.journal.verdicts, self.journal.writes, self.journal.reads
        self.journal.tell(title)
        # A read waits for a time-out where a node was killed, but brings something.
        self.require(reads.get(200, 0) > 0 and set(reads) <= {200, 0}, f"{title}: reads ended {reads}")
        return verdicts[self.victim.name], writes

    def one_fails(self):
        said, writes = self.live("all well")
        self.require(set(said) == {"stored"} and set(writes) == {200}, f"all well, and {said}, {writes}")
        self.disk.fail(self.number)
        said, writes = self.live(f"disk of {self.victim.name} fails")
        self.require(set(said) == {self.refusal}, f"with a failing disk {self.victim.name} said {said}")
        self.require(set(writes) == {200}, f"two of three have working disks, and writes ended {writes}")
        self.disk.fail(self.number, share=10)
        self.live(f"a tenth of the calls at {self.victim.name} fail")
        self.recover("works again", self.disk)

    def recover(self, title, *disks):
        for disk in disks:
            disk.mend()
        said, writes = self.live(title)
        self.require(set(said) == {"stored"}, f"{title}, and {self.victim.name} said {said}")
        self.require(set(writes) <= {200}, f"{title}, and writes ended {writes}")

    def all_fail(self):
        for disk in self.disks:
            disk.fail(self.number)
        said, writes = self.live("all disks fail")
        self.require(200 not in writes and not said, f"no disk works, and writes ended {writes}, {said}")
        self.recover("all work again", *self.disks)

    def killed_meanwhile(self, times):
        """`kill -9` while the disk fails, wholly or now and then; what a start on such a disk says."""
        for turn in range(times):
            self.disk.fail(self.number, share=(100, 30, 5)[turn % 3])
            time.sleep(0.5)
            self.victim.kill()
            if turn == 0:
                self.start_in_vain()
            self.disk.mend()
            self.victim.start()
        self.live(f"after {times} times kill -9 of {self.victim.name} while its disk failed")
        self.recover("and later", self.disk)

    def start_in_vain(self):
        self.victim.start(wait=False)
        line = self.victim.process.stdout.readline()
        if line.startswith(b"READY"):
            print("a node starts on such a disk", flush=True)
            return self.victim.kill()
        code = self.victim.process.wait()
        self.victim.kill()
        last = self.victim.said().strip().splitlines()[-1]
        print(f"a node started on such a disk ends {code}: {last}", flush=True)
        self.require(code in (1, 9) and last.startswith("dht: "), f"a start on a failing disk: {code} {last}")

    def look_at_disks(self):
        """All killed: every store is sound, and has what its node said it had."""
        for load in self.loads:
            load.is_over = True
        for load in self.loads:
            load.join()
        self.team.settle()
        wrong = [f"{key} at {node.name} is not what was acknowledged last" for node in self.team.nodes
                 for key, values in self.journal.possible.items()
                 if key in self.journal.acknowledged and node.get(key) not in values]
        print(f"{len(self.journal.acknowledged)} acknowledged keys read at 3 nodes: {len(wrong)} wrong", flush=True)
        self.broken += wrong
        self.team.kill_all(self.team.nodes)
        for node in self.team.nodes:
            problem = node.check()
            self.require(not problem, f"the store of {node.name} is damaged: {problem}")
            disk = {line["key"]: int(line["revision_text"]) for line in node.export()}
            lost = [key for key, revision in self.journal.kept[node.name].items() if disk.get(key, 0) < revision]
            print(f"{node.name} has {len(self.journal.kept[node.name]) - len(lost)} of "
                  f"{len(self.journal.kept[node.name])} records that it acknowledged", flush=True)
            self.broken += [f"{key} is not on the disk of {node.name}, which acknowledged it" for key in lost]


def ordeal(options, chance, number):
    with Team(options.dht, 3) as team:
        ordeal = Ordeal(team, number, options, chance)
        team.start()
        for load in ordeal.loads:
            load.start()
        ordeal.one_fails()
        ordeal.all_fail()
        ordeal.killed_meanwhile(options.deaths)
        ordeal.look_at_disks()
        return ordeal.broken


def disk_full(options, chance):
    """A disk without room under write load: refusals, reads, kill -9, and all well when there is room again."""
    return ordeal(options, chance, errno.ENOSPC)


def disk_error(options, chance):
    """The same with a disk on which writing and flushing fail."""
    return ordeal(options, chance, errno.EIO)
