"""Long values: what a put of one costs beside libsodium's own work, what the author's node holds, and how long a
read takes when half of the nodes are gone."""
import ctypes
import ctypes.util
import resource
import time

from plenty import mebibytes, resident
from team import Team

LENGTH = 16 << 20
# Lengths of a request for a chunk and of its answer, as datagrams; and what of a datagram is neither signed nor boxed.
REQUEST, ANSWER = 256, 1232
HEADER, ENVELOPE = 80, 136

SHARE = 0.6
AUTHOR_LIMIT = 40 << 20
DEAD_FACTOR = 3


class Sodium:
    """What one sealed datagram costs libsodium alone: signing, sealing, opening, verifying."""

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("sodium"))
        self.library.sodium_init()
        new = ctypes.create_string_buffer
        self.key, self.public, self.nonce, self.signature = new(64), new(32), new(24), new(64)
        self.library.crypto_sign_keypair(self.public, self.key)

    def seconds(self, length, rounds=2000):
        """Of one processor, for a datagram of that length."""
        body = length - ENVELOPE - 64
        # What is signed besides: purpose, network, recipient, request, nonce, header.
        signed = ctypes.create_string_buffer(14 + 16 + 32 + 32 + 24 + HEADER + body)
        header, box = (ctypes.create_string_buffer(count + 16) for count in (HEADER, 64 + body))
        sodium, none, long = self.library, None, ctypes.c_ulonglong

        def once():
            sodium.crypto_sign_detached(self.signature, none, signed, long(len(signed)), self.key)
            sodium.crypto_box_easy_afternm(box, box, long(64 + body), self.nonce, self.key)
            sodium.crypto_secretbox_easy(header, header, long(HEADER), self.nonce, self.key)
            sodium.crypto_secretbox_open_easy(header, header, long(HEADER + 16), self.nonce, self.key)
            sodium.crypto_box_open_easy_afternm(box, box, long(80 + body), self.nonce, self.key)
            sodium.crypto_sign_verify_detached(self.signature, signed, long(len(signed)), self.public)

        def idle():
            for _ in range(6):
                sodium.crypto_sign_publickeybytes()

        return (self.timed(once, rounds) - self.timed(idle, rounds)) / rounds

    @staticmethod
    def timed(act, rounds):
        start = time.process_time()
        for _ in range(rounds):
            act()
        return time.process_time() - start


def processor(node):
    """Seconds of a processor that the node's process has used."""
    fields = open(f"/proc/{node.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def forget_most(node):
    """What was resident at most is counted anew."""
    with open(f"/proc/{node.process.pid}/clear_refs", "w") as file:
        file.write("5")


def chunks_served(node):
    return node.status()["counters"]["chunks_served"]


def held(node):
    return node.status()["records"]["count"]


def timed_read(node, key, value, title, broken):
    start = time.monotonic()
    found = node.get(key, "--timeout", "300s")
    wait = time.monotonic() - start
    print(f"{title}: {'right' if found == value else 'WRONG'} after {wait:.2f} s", flush=True)
    if found != value:
        broken.append(f"{title}: not read")
    return wait


def long_values(options, chance):
    """A value of 16 MiB: its put beside libsodium's cost, the memory of its author, reads with half of all dead."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        author = team.nodes[0]
        author.put("first", chance.randbytes(100_000))
        time.sleep(3)
        idle, _ = resident(author)
        value = chance.randbytes(LENGTH)
        sodium = Sodium()
        floor = sodium.seconds(REQUEST) + sodium.seconds(ANSWER)
        records = {node.name: held(node) for node in team.nodes}
        before = sum(map(processor, team.nodes)), sum(map(chunks_served, team.nodes))
        client = resource.getrusage(resource.RUSAGE_CHILDREN)
        forget_most(author)
        start = time.monotonic()
        ending = author.put("long", value)
        wait = time.monotonic() - start
        if ending.returncode != 0:
            raise SystemExit(f"put failed: {ending.stderr.decode()}")
        most = resident(author)[1]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Replicas that the put did not wait for go on.
        time.sleep(5)
        chunks = sum(map(chunks_served, team.nodes)) - before[1]
        used = sum(map(processor, team.nodes)) - before[0]
        used += after.ru_utime + after.ru_stime - client.ru_utime - client.ru_stime
        share = chunks * floor / used
        print(f"put: {wait:.1f} s; {used:.2f} s of processors, of which libsodium's work for {chunks} chunks "
              f"({1e6 * floor:.0f} µs each) is {100 * share:.0f} %", flush=True)
        if share < SHARE:
            broken.append(f"libsodium has {100 * share:.0f} % of the work")
        print(f"the author's node: {mebibytes(idle)} idle, {mebibytes(most)} at most", flush=True)
        if most > AUTHOR_LIMIT:
            broken.append(f"the author's node had {mebibytes(most)}")
        dead_sources(team, value, records, broken)
        if any(node.is_running and node.stop() != 0 for node in team.nodes):
            broken.append("a node did not stop well")
    return broken


def dead_sources(team, value, before, broken):
    """Reads it with all alive and with half dead, half of the replicas and the author among them."""
    holders = [node for node in team.nodes if held(node) > before[node.name]]
    others = [node for node in team.nodes if node not in holders and node is not team.nodes[0]]
    print(f"{len(holders)} nodes have the value", flush=True)
    first, second = others[:2]
    alive = timed_read(first, "long", value, "read with all alive", broken)
    dead = {team.nodes[0], *holders[:len(holders) // 2]}
    dead |= set(others[2:2 + len(team.nodes) // 2 - len(dead)])
    team.kill_all(list(dead))
    print(f"{len(dead)} of {len(team.nodes)} nodes are dead", flush=True)
    wait = timed_read(second, "long", value, "read with half of them dead", broken)
    if wait > DEAD_FACTOR * alive:
        broken.append(f"with half of the nodes dead a read took {wait / alive:.1f} times as long")
