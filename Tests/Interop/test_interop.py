#!/usr/bin/python3
"""Tests of this implementation against itself: the vectors, the envelope, and whole nodes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Optional

sys.dont_write_bytecode = True

import dht1
import vectors
from dht1 import Dropped, Endpoint, Malformed, Network, Record, SigningKey
from peer import Bucket, FirstContactLane, RoundTrip
from rpc import Node
from store import RecordStore, merged

HERE = Path(__file__).resolve().parent
NETWORK, OTHER_NETWORK = vectors.NETWORKS
FIRST, SECOND = vectors.PEOPLE[:2]


def load(name: str) -> Any:
    return json.loads((vectors.FOLDER / f"{name}.json").read_text())


class Vectors(unittest.TestCase):
    def test_files_are_what_the_script_makes(self) -> None:
        done = subprocess.run([sys.executable, "-B", HERE / "vectors.py", "--check"], check=False)
        self.assertEqual(done.returncode, 0)

    def test_published_bech32m_texts(self) -> None:
        """Valid examples of BIP 350."""
        self.assertEqual(dht1.encode_values("a", []), "a1lqfn3a")
        self.assertEqual(dht1.encode_values("?", []), "?1v759aa")
        alphabet = list(range(31, -1, -1))
        published = "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"
        self.assertEqual(dht1.encode_values("abcdef", alphabet), published)

    def test_keys(self) -> None:
        keys = load("keys")
        for fields in keys["identities"]:
            identity = dht1.decode_text(dht1.PART_IDENTITY, fields["text"])
            seed = dht1.decode_text(dht1.PART_SECRET, fields["secret_text"])
            self.assertEqual(SigningKey.of(seed).identity, identity)
            self.assertEqual(dht1.sha1(identity).hex(), fields["node_id"])
            self.assertEqual(dht1.static_public(identity).hex(), fields["static_box_public"])
        for fields in keys["networks"]:
            key = dht1.decode_text(dht1.PART_NETWORK, fields["text"])
            self.assertEqual(Network(key).id.hex(), fields["network_id"])
        for fields in keys["sealed"]:
            seed = dht1.open_seed(fields["text"], fields["passphrase"].encode())
            self.assertEqual(seed.hex(), fields["seed"])
        for fields in keys["bad_texts"]:
            for part in dht1.SIZES:
                with self.assertRaises(Malformed, msg=fields["why"]):
                    dht1.decode_text(part, fields["text"])

    def test_records(self) -> None:
        records = load("records")
        for fields in records["records"]:
            record = Record.decode(bytes.fromhex(fields["record"]))
            network = Network(bytes.fromhex(fields["network_key"]))
            self.assertTrue(record.is_genuine(network))
            self.assertEqual(record.digest.hex(), fields["digest"])
            self.assertEqual(record.revision, fields["revision"])
        for fields in records["bad_records"]:
            with self.assertRaises(Malformed, msg=fields["why"]):
                Record.decode(bytes.fromhex(fields["record"]))
        for fields in records["bad_signatures"]:
            record = Record.decode(bytes.fromhex(fields["record"]))
            self.assertFalse(record.is_genuine(Network(bytes.fromhex(fields["network_key"]))))

    def test_messages(self) -> None:
        messages = load("messages")
        for group, decode in (("requests", dht1.decode_request),
                              ("responses", dht1.decode_response)):
            for fields in messages[group]:
                payload = bytes.fromhex(fields["payload"])
                message = decode(fields["operation"], fields["status"], payload + bytes(9))
                self.assertEqual(message.encode(), payload, fields["name"])
        for fields in messages["bad"]:
            decode = (dht1.decode_request, dht1.decode_response)[fields["kind"] - 1]
            with self.assertRaises(Malformed, msg=fields["why"]):
                decode(fields["operation"], fields["status"], bytes.fromhex(fields["payload"]))

    def test_envelopes(self) -> None:
        for fields in load("envelopes")["envelopes"]:
            datagram = bytes.fromhex(fields["datagram"])
            digest = open_vector(fields, datagram)
            self.assertEqual(digest, fields["signed_input_digest"], fields["name"])
            network = Network(bytes.fromhex(fields["network_key"]))
            recipient = SigningKey.of(bytes.fromhex(fields["recipient_seed"]))
            header = dht1.open_header(network.header_key(recipient.identity), datagram)
            transaction = int(fields["transaction"], 16)
            expected = transaction if fields["kind"] == dht1.RESPONSE else fields["counter"]
            self.assertEqual(header.number, expected, fields["name"])


def open_vector(fields: dict[str, Any], datagram: bytes) -> Optional[str]:
    """The digest of the signed input, or None when the recipient would drop the datagram."""
    network = Network(bytes.fromhex(fields["network_key"]))
    recipient = SigningKey.of(bytes.fromhex(fields["recipient_seed"]))
    secret = fields.get("recipient_box_secret")
    box = dht1.BoxKey.of(bytes.fromhex(secret)) if secret else recipient.static
    try:
        header = dht1.open_header(network.header_key(recipient.identity), datagram)
        signature, body = dht1.open_box(dht1.shared_key(header.box_public, box), datagram)
    except Dropped:
        return None
    message = dht1.signed_input(
        network, recipient.identity, bytes.fromhex(fields["request_digest"]), datagram[:24],
        header.encode(), body,
    )
    good = dht1.is_signed(message, signature, header.sender)
    return dht1.blake2b(message).hex() if good else None


class Readings(unittest.TestCase):
    """What the page says of numbers and orders in passing."""

    def test_as_many_as_fit_is_a_run_from_the_front(self) -> None:
        small, large = made(FIRST, b"", 0), made(FIRST, b"x" * 600, 1)
        room = len(large.encode()) - 1
        self.assertEqual(Node.fitting([small, large, small], room), [small])
        self.assertEqual(Node.fitting([large, small], room), [])

    def test_the_shortest_datagram_that_fits_is_taken(self) -> None:
        for size, length in ((0, 256), (36, 256), (37, 512), (292, 512), (293, 768), (1012, 1232)):
            self.assertEqual(dht1.fitting_length(bytes(size)), length)
        self.assertEqual(dht1.fitting_length(bytes(20), 768), 768)

    def test_digests_and_their_prefixes(self) -> None:
        """"dht1 content" is followed by the length; the two that are signed by a zero byte."""
        content = bytes(700)
        expected = dht1.blake2b(b"dht1 content" + (700).to_bytes(4, "big") + dht1.blake2b(content))
        reference = dht1.Reference.of(content)
        self.assertEqual(reference.digest, expected)
        asked = dht1.FindChunk(reference.digest, dht1.OUTLINE, 0).encode()
        self.assertEqual(asked, expected + b"\xff\xff\0")
        record = made(FIRST, b"", 0)
        self.assertTrue(record.signed_input(NETWORK).startswith(b"dht1 record\0" + NETWORK.id))
        plain = dht1.Header(1, 0, 1, FIRST.identity, FIRST.static.public).encode()
        signed = dht1.signed_input(NETWORK, SECOND.identity, bytes(32), bytes(24), plain, b"body")
        self.assertTrue(signed.startswith(b"dht1 envelope\0" + NETWORK.id))
        self.assertTrue(signed.endswith(bytes(24) + plain + b"body"))

    def test_authors_and_digests_are_ordered_as_byte_strings(self) -> None:
        records = [made(person, b"", 0) for person in vectors.PEOPLE]
        ordered = sorted((record.author for record in records), reverse=True)
        self.assertEqual([record.author for record in merged(records, 1 << 60)], ordered)
        self.assertEqual([record.author.hex() for record in merged(records, 1 << 60)],
                         sorted((author.hex() for author in ordered), reverse=True))

    def test_identities_that_convert_to_nothing_are_invalid(self) -> None:
        for bad in (bytes(32), b"\2" + bytes(31), vectors.ORDER_EIGHT, vectors.OUTSIDE):
            self.assertRaises(Malformed, dht1.static_public, bad)


class Tampering(unittest.TestCase):
    def test_every_flipped_byte_is_rejected(self) -> None:
        for fields in load("envelopes")["envelopes"][:2]:
            datagram = bytes.fromhex(fields["datagram"])
            for at in range(len(datagram)):
                self.assertIsNone(open_vector(fields, vectors.flipped(datagram, at)), at)

    def test_every_cut_length_is_rejected(self) -> None:
        fields = load("envelopes")["envelopes"][5]
        datagram = bytes.fromhex(fields["datagram"])
        for length in range(len(datagram)):
            self.assertIsNone(open_vector(fields, datagram[:length]), length)

    def test_a_response_to_another_request_is_rejected(self) -> None:
        fields = load("envelopes")["envelopes"][1]
        other = fields | {"request_digest": "00" * 32}
        self.assertIsNone(open_vector(other, bytes.fromhex(fields["datagram"])))

    def test_another_recipient_cannot_open(self) -> None:
        fields = load("envelopes")["envelopes"][0]
        other = fields | {"recipient_seed": vectors.SEEDS[5].hex()}
        self.assertIsNone(open_vector(other, bytes.fromhex(fields["datagram"])))


class Rules(unittest.TestCase):
    """What is kept of a peer, and of records, under a clock of our own."""

    def test_the_first_contact_lane_is_counted_by_source(self) -> None:
        lane = FirstContactLane(0)
        one, other = Endpoint("192.0.2.1", 1), Endpoint("192.0.2.1", 2)
        self.assertEqual(sum(lane.take((one, other)[i % 2], 0) for i in range(50)), 20)
        self.assertTrue(lane.take(Endpoint("192.0.2.2", 1), 0))
        self.assertEqual(sum(lane.take(Endpoint("127.0.0.1", i), 0) for i in range(500)), 179)

    def test_a_bucket_refills(self) -> None:
        bucket = Bucket(5, 20, 0)
        self.assertEqual(sum(bucket.take(0) for _ in range(30)), 20)
        self.assertEqual(sum(bucket.take(1) for _ in range(30)), 5)

    def test_timeouts_keep_their_bounds(self) -> None:
        trip = RoundTrip()
        self.assertEqual([trip.timeout(i) for i in range(3)], [0.5, 1.0, 2.0])
        trip.sample(0.001)
        self.assertEqual(trip.timeout(0), 0.05)
        trip.sample(5)
        self.assertEqual(trip.timeout(0), 2.0)

    def test_the_store_keeps_the_higher_revision(self) -> None:
        store = RecordStore({FIRST.identity})
        now = vectors.REVISION >> 16
        old, new = made(FIRST, b"old", 0), made(FIRST, b"new", 1)
        self.assertIsNone(store.offer(new, None, now))
        self.assertEqual(store.offer(old, None, now), dht1.Conflict(new))
        self.assertIsNone(store.offer(new, None, now))
        self.assertEqual(store.live(new.location, None, now), [new])

    def test_behind_what_is_ahead_of_the_clock_only_its_author_goes(self) -> None:
        store = RecordStore({FIRST.identity, SECOND.identity})
        now = vectors.REVISION >> 16
        old, ahead = made(FIRST, b"old", 0), made(FIRST, b"ahead", 300_001 << 16)
        self.assertIsNone(store.offer(ahead, None, now + 1))
        goes = dht1.ANYTHING
        self.assertEqual(store.offer(old, goes, now, SECOND.identity), dht1.Conflict(ahead))
        self.assertEqual(store.offer(old, None, now), dht1.Conflict(ahead))
        self.assertEqual(store.offer(old, goes, now + 1, FIRST.identity), dht1.Conflict(ahead))
        self.assertEqual(store.offer(old, None, now, FIRST.identity), dht1.Conflict(ahead))
        self.assertIsNone(store.offer(old, goes, now, FIRST.identity))
        self.assertEqual(store.live(old.location, None, now), [old])

    def test_twins_end_the_same_in_either_order(self) -> None:
        now = vectors.REVISION >> 16
        twins = [made(FIRST, b"one", 0), made(FIRST, b"two", 0)]
        larger = max(twins, key=lambda record: record.digest)
        for order in (twins, twins[::-1]):
            store = RecordStore({FIRST.identity})
            for record in order:
                store.offer(record, None, now)
            self.assertEqual(store.live(larger.location, None, now), [larger])
            self.assertEqual(store.equivocations, 1)

    def test_conditions(self) -> None:
        store = RecordStore({FIRST.identity, SECOND.identity})
        now = vectors.REVISION >> 16
        first, second = made(FIRST, b"first", 0), made(SECOND, b"second", 1)
        self.assertEqual(store.offer(first, first.revision, now), dht1.Conflict(None))
        self.assertIsNone(store.offer(first, 0, now))
        self.assertIsNone(store.offer(first, 0, now), "the same bytes again")
        self.assertEqual(store.offer(second, 0, now), dht1.Conflict(first))
        self.assertIsNone(store.offer(second, first.revision, now))
        third = made(FIRST, b"third", 2)
        self.assertEqual(store.offer(third, 0, now), dht1.Conflict(second), "the newest of two")
        stone = Record.make(NETWORK, SECOND, dht1.TOMBSTONE, b"key", vectors.REVISION + 3, 60)
        self.assertIsNone(store.offer(stone, None, now))
        self.assertEqual(store.offer(third, 0, now), dht1.Conflict(first), "no tombstone")
        self.assertEqual(store.offer(third, second.revision, now), dht1.Conflict(stone))

    def test_refusals(self) -> None:
        store = RecordStore({FIRST.identity})
        now, record = vectors.REVISION >> 16, made(FIRST, b"value", 0)
        self.assertEqual(store.offer(made(SECOND, b"", 0), None, now), dht1.Refusal(dht1.DENIED))
        self.assertIsInstance(store.offer(record, None, now - 300_001), dht1.WrongClock)
        self.assertIsNone(store.offer(record, None, now - 300_000))
        expired = dht1.Refusal(dht1.EXPIRED)
        self.assertEqual(store.offer(record, None, record.expiry), expired)
        self.assertEqual(store.live(record.location, None, record.expiry), [])

    def test_a_tombstone_hides_only_its_author(self) -> None:
        value, other = made(FIRST, b"value", 0), made(SECOND, b"other", 1)
        stone = Record.make(NETWORK, FIRST, dht1.TOMBSTONE, b"key", vectors.REVISION + 2, 60)
        now = vectors.REVISION >> 16
        self.assertEqual(merged([value, other, stone], now), [stone, other])

    def test_what_is_ahead_of_the_clock_comes_last(self) -> None:
        now = vectors.REVISION >> 16
        timely, ahead = made(FIRST, b"timely", 0), made(SECOND, b"ahead", 5_001 << 16)
        self.assertEqual(merged([timely, ahead], now), [timely, ahead])
        self.assertEqual(merged([timely, ahead], now + 1), [ahead, timely])
        store = RecordStore({FIRST.identity, SECOND.identity})
        store.offer(ahead, None, now)
        store.offer(timely, None, now)
        self.assertEqual(store.hider(timely, now), SECOND.identity)
        self.assertIsNone(store.hider(ahead, now))
        self.assertIsNone(store.condition_conflict(b"key", timely.revision, now))

    def test_what_is_far_ahead_of_the_clock_is_seen_nowhere(self) -> None:
        now = vectors.REVISION >> 16
        timely, ahead = made(FIRST, b"timely", 0), made(SECOND, b"ahead", 300_001 << 16)
        store = RecordStore({FIRST.identity, SECOND.identity})
        self.assertIsNone(store.offer(ahead, None, now + 1))
        self.assertIsNone(store.offer(timely, None, now + 1))
        self.assertEqual(store.live(ahead.location, None, now + 1), [ahead, timely])
        self.assertEqual(store.live(ahead.location, None, now), [timely])
        self.assertEqual(store.live(ahead.location, SECOND.identity, now, FIRST.identity), [])
        self.assertEqual(store.live(ahead.location, SECOND.identity, now, SECOND.identity), [ahead])
        self.assertIsNone(store.hider(timely, now))
        self.assertIsNone(store.condition_conflict(b"key", timely.revision, now))


def made(author: SigningKey, value: bytes, later: int) -> Record:
    return Record.make(NETWORK, author, dht1.VALUE, b"key", vectors.REVISION + later, 60, value)


class Process:
    """A node.py of its own."""

    def __init__(
        self, who: int, allow: Path, peers: list[str], network: Network = NETWORK,
        listen: str = "127.0.0.1:0",
    ) -> None:
        self.identity = vectors.PEOPLE[who].identity.hex()
        options = ["--seed", vectors.SEEDS[who].hex(), "--network", network.key.hex(),
                   "--allow", str(allow), "--listen", listen]
        for peer in peers:
            options += ["--peer", peer]
        self.child = subprocess.Popen(
            [sys.executable, "-B", HERE / "node.py", *options], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        ready, self.peer = self.read().split()
        assert ready == "READY"
        self.place = self.peer.partition("@")[2]

    def read(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline()

    def __call__(self, *words: str) -> dict[str, Any]:
        assert self.child.stdin
        print(*words, file=self.child.stdin, flush=True)
        return json.loads(self.read())

    def meet(self, count: int) -> None:
        """Waits until the node has heard from so many others, which it does on its own."""
        deadline = time.monotonic() + 10
        while len(self("peers")["peers"]) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def end(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


class Processes(unittest.TestCase):
    def setUp(self) -> None:
        self.nodes: list[Process] = []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(lambda: [node.end() for node in self.nodes])
        self.everyone = Path(folder.name) / "everyone"
        people = [vectors.PEOPLE[0].identity.hex() + "  # hex", "# text", ""]
        people += [vectors.identity_text(person.identity) for person in vectors.PEOPLE[1:6]]
        self.everyone.write_text("\n".join(people))
        self.pair = Path(folder.name) / "pair"
        self.pair.write_text("".join(p.identity.hex() + "\n" for p in vectors.PEOPLE[:2]))

    def start_all(self, count: int) -> list[Process]:
        """Joined through the first, and each has heard from all others."""
        nodes = [self.start(0)]
        nodes += [self.start(who, nodes[0]) for who in range(1, count)]
        for node in nodes:
            node.meet(count - 1)
        return nodes

    def start(self, who: int, *peers: Process, **options: Any) -> Process:
        allow = options.pop("allow", self.everyone)
        node = Process(who, allow, [peer.peer for peer in peers], **options)
        self.nodes.append(node)
        return node

    def test_two_nodes(self) -> None:
        first, second = self.start_all(2)
        pong = second("ping", first.identity)
        self.assertTrue(pong["ok"])
        host, _, port = second.place.rpartition(":")
        self.assertEqual(pong["observed"], {"address": host, "port": int(port)})
        self.assertTrue(first("ping", second.identity)["ok"])
        self.assertEqual(second("put", "6b6579", "01ff")["stored"], 2)
        for node in (first, second):
            self.assertEqual(node("get", "6b6579")["value"], "01ff")
        self.assertEqual(first("put", "6b6579", "02")["stored"], 2)
        self.assertEqual(second("get", "6b6579")["author"], first.identity)
        self.assertEqual(first("del", "6b6579")["stored"], 2)
        self.assertEqual(second("get", "6b6579")["value"], "01ff")
        self.assertEqual(second("del", "6b6579")["stored"], 2)
        self.assertFalse(first("get", "6b6579")["found"])

    def test_two_nodes_by_ipv6(self) -> None:
        first = self.start(0, listen="[::1]:0")
        second = self.start(1, first, listen="[::1]:0")
        self.assertEqual(second("put", "6b", "76")["stored"], 2)
        self.assertEqual(first("get", "6b")["value"], "76")

    def test_five_nodes(self) -> None:
        nodes = self.start_all(5)
        self.assertEqual(len(nodes[4]("find", "00" * 20)["contacts"]), 4)
        value, key = "ab" * dht1.MAX_VALUE, "cd" * dht1.MAX_KEY
        self.assertEqual(nodes[3]("put", key, value, "60")["stored"], 5)
        for node in nodes:
            self.assertEqual(node("get", key)["value"], value)
        for node in nodes:
            self.assertEqual(node("put", "aa", node.identity)["stored"], 5)
        self.assertEqual(nodes[0]("get", "aa")["records"], 5)
        self.assertTrue(nodes[1]("ping", nodes[4].identity)["ok"])
        nodes[2]("quit")
        nodes[2].child.wait(5)
        self.assertEqual(nodes[1]("get", key)["value"], value)
        present = [peer["identity"] for peer in nodes[0]("peers")["peers"]]
        self.assertNotIn(nodes[2].identity, present)

    def test_records_that_do_not_fit_one_answer(self) -> None:
        nodes = self.start_all(3)
        for node in nodes:
            self.assertEqual(node("put", "aa", "ee" * 600)["stored"], 3)
        self.assertEqual(nodes[1]("get", "aa")["records"], 3)

    def test_a_node_that_starts_again_is_found_again(self) -> None:
        first = self.start(0)
        second = self.start(1, first)
        self.assertTrue(second("ping", first.identity)["ok"])
        first.end()
        again = self.start(0, listen=first.place)
        self.assertTrue(second("ping", again.identity)["ok"])
        self.assertEqual(second("put", "6b", "76")["stored"], 2)

    def test_an_unlisted_node_is_ignored(self) -> None:
        first = self.start(0, allow=self.pair)
        unlisted = self.start(2, first)
        self.assertFalse(unlisted("ping", first.identity)["ok"])
        self.assertGreater(first("counters")["admission"], 0)
        self.assertNotIn("sent", first("counters"))

    def test_a_node_of_another_network_is_ignored(self) -> None:
        first = self.start(0)
        foreign = self.start(1, first, network=OTHER_NETWORK)
        self.assertFalse(foreign("ping", first.identity)["ok"])
        self.assertGreater(first("counters")["header"], 0)
        self.assertNotIn("sent", first("counters"))

    def test_garbage_is_counted_and_not_answered(self) -> None:
        first, second = self.start(0), self.start(1)
        for length in (255, 257, 1233):
            self.assertTrue(second("raw", first.place, "5a" * length)["ok"])
        for length in dht1.LENGTHS:
            self.assertTrue(second("raw", first.place, "5a" * length)["ok"])
        counts = first("counters")
        self.assertEqual((counts["length"], counts["header"]), (3, 5))
        self.assertNotIn("sent", counts)

    def test_a_repeated_first_contact_is_answered_once(self) -> None:
        """The vector may be as old as it likes: the node has not seen it in its life."""
        datagram = load("envelopes")["envelopes"][0]["datagram"]
        sender, recipient = self.start(2), self.start(1)
        for _ in range(3):
            sender("raw", recipient.place, datagram)
        counts = recipient("counters")
        self.assertEqual((counts["requests"], counts["sent"], counts["replay"]), (1, 1, 2))
        self.assertEqual(recipient("peers")["peers"], [])

    def test_what_a_node_sent_can_be_sent_again(self) -> None:
        first = self.start(0)
        second = self.start(1)
        self.assertTrue(first("catch", "on")["ok"])
        third = self.start(2, first)
        third.meet(1)
        self.assertEqual(third("put", "6b", "76")["stored"], 2)
        self.assertTrue(first("catch", "off")["ok"])
        caught = [c for c in first("caught")["caught"] if not c["sent"]]
        self.assertEqual(first("caught")["caught"], [])
        before = first("counters")
        for received in caught:
            self.assertEqual(received["peer"], third.place)
            second("raw", first.place, received["datagram"])
        after = first("counters")
        self.assertGreaterEqual(after["replay"] - before.get("replay", 0), 2)
        self.assertEqual(after["sent"], before["sent"])
        self.assertEqual([s["identity"] for s in first("sessions")["sessions"]], [third.identity])

    def test_a_new_box_key_begins_a_session(self) -> None:
        first, second = self.start_all(2)
        before = first("sessions")["sessions"]
        made = second("rotate")["box_key"]
        self.assertTrue(second("put", "6b", "76")["ok"])
        self.assertEqual(second("get", "6b")["value"], "76")
        boxes = [session["box_key"] for session in first("sessions")["sessions"]]
        self.assertEqual(boxes, [before[0]["box_key"], made])

    def test_bad_commands_get_an_error(self) -> None:
        node = self.start(0)
        for words in (["nonsense"], ["ping", "zz"], ["put"], ["put", "aa", "bb", "0"],
                      ["get", ""], ["catch", "perhaps"], ["catch"], ["find", "00"],
                      ["ping", "00" * 32], ["raw", "x:1", "00"]):
            self.assertFalse(node(*words)["ok"], words)
        self.assertFalse(node("get", "aa")["found"])


if __name__ == "__main__":
    unittest.main()
