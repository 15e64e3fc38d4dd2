#!/usr/bin/python3
"""Tests of one process: nodes whose datagrams are caught, lost, changed, and sent again."""

from __future__ import annotations

import dataclasses
import sys
import time
import unittest
from typing import Callable, Optional
from unittest import mock

sys.dont_write_bytecode = True

import dht1
import rpc
import vectors
from dht1 import Contact, Endpoint, FindNode, Nodes, Ping, Pong, Record, Store, Stored
from rpc import Call, Node

Wire = Callable[[Endpoint, bytes], Optional[bytes]]


class CaughtNode(Node):
    """Remembers what it sends; `wire` may change it, or lose it by returning None."""

    def __init__(self, who: int, configured: list[Contact]) -> None:
        everyone = {person.identity for person in vectors.PEOPLE}
        listen = Endpoint("127.0.0.1", 0)
        super().__init__(
            vectors.PEOPLE[who], vectors.NETWORKS[0], everyone, listen, configured
        )
        self.joined_at = time.monotonic() + 3600  # no traffic but that of the test
        self.sent: list[tuple[Endpoint, bytes]] = []
        self.wire: Wire = lambda to, datagram: datagram

    @property
    def contact(self) -> Contact:
        return Contact(self.key.identity, self.endpoint)

    def send_raw(self, to: Endpoint, datagram: bytes) -> bool:
        self.sent.append((to, datagram))
        passed = self.wire(to, datagram)
        return passed is None or super().send_raw(to, passed)


class Caught(unittest.TestCase):
    def setUp(self) -> None:
        self.second = CaughtNode(1, [])
        time.sleep(0.001)
        self.first = CaughtNode(0, [self.second.contact])
        for node in (self.first, self.second):
            self.addCleanup(node.socket.close)

    def settle(self, *calls: Call) -> None:
        """Until the calls are done, or until nothing is under way."""
        deadline = time.monotonic() + 10
        nodes = (self.first, self.second)
        while time.monotonic() < deadline:
            seen = sum(node.counters["received"] for node in nodes)
            for node in nodes:
                node.turn(0.005)
            quiet = seen == sum(node.counters["received"] for node in nodes)
            if quiet and all(call.done for call in calls) and not any(n.calls for n in nodes):
                return
        self.fail("not settled")

    def ask(self, message: dht1.Request) -> Optional[dht1.Response]:
        call = self.first.ask(self.second.contact, message)
        self.settle(call)
        return call.answer

    def record(self) -> Record:
        revision = rpc.unix_milliseconds() << 16
        return Record.make(self.first.network, self.first.key, dht1.VALUE, b"k", revision, 60, b"v")

    def test_a_live_request_sent_again_changes_nothing(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        store = self.first.sent[before][1]
        self.second.store.records.clear()
        for source in (self.first.endpoint, Endpoint("127.0.0.1", 9)):
            self.second.receive(store, source)
        self.assertEqual(self.second.counters["replay"], 2)
        self.assertEqual(self.second.store.records, {})

    def test_what_was_sent_to_the_process_before_changes_nothing(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.ask(Store(self.record()))
        again = CaughtNode(1, [])
        self.addCleanup(again.socket.close)
        for _, datagram in [self.first.sent[before]] + 3 * [self.first.sent[0]]:
            again.receive(datagram, self.first.endpoint)
        self.assertEqual((again.counters["key"], again.counters["stale"]), (1, 2))
        self.assertEqual([len(datagram) for _, datagram in again.sent], [256])
        self.assertEqual((again.store.records, again.contacts), ({}, {}))
        self.assertIsNone(again.peer(self.first.key.identity).box_public)

    def test_a_forged_record_in_a_good_envelope_is_dropped(self) -> None:
        self.ask(Ping())
        forged = dataclasses.replace(self.record(), value=b"w")
        self.assertIsNone(self.ask(Store(forged)))
        self.assertEqual(self.second.counters["record"], rpc.TRANSMISSIONS)
        self.assertEqual(self.second.store.records, {})

    def test_the_first_store_is_told_to_retry(self) -> None:
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        lengths = [len(datagram) for _, datagram in self.first.sent]
        self.assertEqual(len(self.second.sent[0][1]), 256)
        self.assertEqual(lengths.count(512), 2)

    def test_an_answer_without_token_is_no_longer_than_its_request(self) -> None:
        for person in vectors.PEOPLE[2:]:
            self.second.contacts[person.identity] = Endpoint("127.0.0.1", 9)
        self.first.meet = lambda call: None
        for length, transmissions in ((256, 2), (512, 1), (1232, 1)):
            self.first.peers.clear()
            asked, answered = len(self.first.sent), len(self.second.sent)
            with mock.patch.dict(rpc.ANSWER_LENGTH, {dht1.FIND_NODE: length}):
                answer = self.ask(FindNode(bytes(20)))
            self.assertEqual(len(answer.contacts), 6)
            self.assertEqual(len(self.first.sent[asked][1]), length)
            self.assertLessEqual(len(self.second.sent[answered][1]), length)
            requests = [d for _, d in self.first.sent[asked:] if self.asks_find_node(d)]
            self.assertGreaterEqual(len(requests), transmissions)

    def asks_find_node(self, datagram: bytes) -> bool:
        header = dht1.open_header(self.second.header_key, datagram)
        box = self.second.box_for(header.key_id)
        _, body = dht1.open_box(dht1.shared_key(header.box_public, box), datagram)
        return header.kind == dht1.REQUEST and body[0] == dht1.FIND_NODE

    def test_a_lost_datagram_is_sent_again_to_the_static_key(self) -> None:
        self.ask(Ping())
        lost: list[bytes] = []

        def lose_first(to: Endpoint, datagram: bytes) -> Optional[bytes]:
            if lost:
                return datagram
            lost.append(datagram)
            return None

        self.first.wire = lose_first
        before = len(self.first.sent)
        self.assertIsInstance(self.ask(Ping()), Pong)
        ids = [self.key_id(datagram) for _, datagram in self.first.sent[before : before + 2]]
        self.assertEqual(ids, [self.second.box.id, 0])

    def key_id(self, datagram: bytes) -> int:
        return dht1.open_header(self.second.header_key, datagram).key_id

    def test_box_keys_are_good_for_two_periods(self) -> None:
        self.ask(Ping())
        old = self.second.box
        for period, transmissions in ((1, 1), (2, 2)):
            self.first.peer(self.second.key.identity).box_public = old.public
            self.second.box_made -= rpc.BOX_PERIOD + 1
            self.second.turn(0)
            before = len(self.first.sent)
            self.assertIsInstance(self.ask(Ping()), Pong)
            self.assertEqual(len(self.first.sent) - before, transmissions, period)
        self.assertEqual(self.second.counters["key"], 1)

    def test_three_spoiled_answers_end_a_request(self) -> None:
        self.ask(Ping())
        self.first.counters.clear()
        before = len(self.second.sent)
        call = self.first.ask(self.second.contact, Ping())
        self.second.wire = lambda to, datagram: None
        while len(self.second.sent) == before:
            self.second.turn(0.01)
        answer = self.second.sent[-1][1]
        for _ in range(4):
            self.first.receive(vectors.flipped(answer, 200), self.second.endpoint)
        self.first.receive(answer, self.second.endpoint)
        counts = self.first.counters
        self.assertEqual((counts["box"], counts["unsolicited"]), (3, 2))
        self.assertFalse(call.done)

    def test_an_answer_from_another_address_is_unsolicited(self) -> None:
        call = self.first.ask(self.second.contact, Ping())
        self.second.wire = lambda to, datagram: None
        while not self.second.sent:
            self.second.turn(0.01)
        self.first.receive(self.second.sent[0][1], Endpoint("127.0.0.1", 9))
        self.assertEqual(self.first.counters["unsolicited"], 1)
        self.first.receive(self.second.sent[0][1], self.second.endpoint)
        self.assertTrue(call.done)

    def test_an_address_that_never_answered_gets_two_pings(self) -> None:
        stranger = Contact(vectors.PEOPLE[5].identity, Endpoint("127.0.0.1", 9))
        self.assertTrue(self.first.ask(stranger, FindNode(bytes(20))).done)
        self.assertEqual(self.first.sent, [])
        for _ in range(2):
            self.settle(self.first.ask(stranger, Ping()))
        self.assertEqual([len(datagram) for _, datagram in self.first.sent], [256, 256])

    def test_nothing_is_sent_to_what_is_not_a_peer(self) -> None:
        somebody = vectors.PEOPLE[5].identity
        for contact in (
            Contact(bytes(32), self.second.endpoint),
            Contact(self.first.key.identity, self.second.endpoint),
            Contact(somebody, Endpoint("0.0.0.0", 1)),
            Contact(somebody, Endpoint("224.0.0.1", 1)),
            Contact(somebody, Endpoint("255.255.255.255", 1)),
            Contact(somebody, Endpoint("127.0.0.1", 0)),
            Contact(somebody, Endpoint("::1", 1)),
        ):
            self.assertTrue(self.first.ask(contact, Ping()).done, contact)
        self.assertEqual(self.first.sent, [])

    def test_who_leaves_is_taken_out(self) -> None:
        self.assertIsInstance(self.ask(FindNode(bytes(20))), Nodes)
        self.ask(Ping())
        self.assertIn(self.first.key.identity, self.second.contacts)
        self.ask(Ping(leaving=True))
        self.assertNotIn(self.first.key.identity, self.second.contacts)


if __name__ == "__main__":
    unittest.main()
