#!/usr/bin/python3
"""Tests of requests and their answers between two nodes of one process."""

from __future__ import annotations

import dataclasses
import sys
import unittest
from typing import Optional
from unittest import mock

sys.dont_write_bytecode = True

import dht1
import rpc
import vectors
from dht1 import (
    Contact, Endpoint, FindNode, FindValue, Found, Nodes, Ping, Pong, Record, SigningKey, Store,
    Stored,
)
from lookup import Client
from pair import ELSEWHERE, Pair
from store import merged


class Requests(Pair):
    def test_a_live_request_sent_again_changes_nothing(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        store = self.first.sent[before][1]
        self.second.store.records.clear()
        for source in (self.first.endpoint, ELSEWHERE):
            self.second.receive(store, source)
        self.assertEqual(self.second.counters["replay"], 2)
        self.assertEqual(self.second.store.records, {})

    def test_a_forged_record_in_a_good_envelope_is_dropped(self) -> None:
        self.ask(Ping())
        forged = dataclasses.replace(self.record(), value=b"w")
        self.assertIsNone(self.ask(Store(forged)))
        self.assertEqual(self.second.counters["record"], rpc.TRANSMISSIONS)
        self.assertEqual(self.second.store.records, {})

    def test_a_ping_goes_ahead_of_the_first_store(self) -> None:
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        operations = [self.opened(self.second, d)[1].operation for _, d in self.first.sent]
        self.assertEqual(operations[0], dht1.PING)
        self.assertEqual(operations.count(dht1.STORE), 1)

    def test_a_store_that_is_not_live_is_told_to_retry(self) -> None:
        self.ask(Ping())
        self.second.sessions.of_peer.clear()
        self.second.sessions.first_contacts.clear()
        self.second.sessions.secret = bytes(32)
        before = len(self.first.sent)
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        bodies = [self.opened(self.second, d)[1] for _, d in self.first.sent[before:]]
        stores = [body.number for body in bodies if body.operation == dht1.STORE]
        self.assertEqual(len(set(stores)), 2)

    def test_an_answer_that_is_not_live_is_no_longer_than_its_request(self) -> None:
        for person in vectors.PEOPLE[2:]:
            self.second.contacts[person.identity] = ELSEWHERE
        for length, transmissions in ((256, 2), (512, 1), (1232, 1)):
            for kept in (self.first.peers, self.first.links, self.second.sessions.of_peer,
                         self.second.sessions.first_contacts, self.second.peers,
                         self.first.contacts):
                kept.clear()
            asked, answered = len(self.first.sent), len(self.second.sent)
            with mock.patch.dict(rpc.ANSWER_LENGTH, {dht1.FIND_NODE: length}):
                answer = self.ask(FindNode(bytes(20)))
            self.assertEqual(len(answer.contacts), 6)
            self.assertEqual(len(self.first.sent[asked][1]), length)
            self.assertLessEqual(len(self.second.sent[answered][1]), length)
            requests = [d for _, d in self.first.sent[asked:] if self.asks_find_node(d)]
            self.assertGreaterEqual(len(requests), transmissions)

    def test_a_record_that_does_not_fit_is_not_passed_over(self) -> None:
        """Not live, in 512 and 768 bytes: contacts would fit, but the answer is `retry`."""
        for person in vectors.PEOPLE[2:]:
            self.second.contacts[person.identity] = ELSEWHERE
        revision = rpc.unix_milliseconds() << 16
        record = Record.make(self.first.network, self.first.key, dht1.VALUE, b"k", revision, 60,
                             bytes(640))
        self.assertIsNone(self.second.store.offer(record, None, rpc.unix_milliseconds()))
        for length, status in ((512, dht1.RETRY), (768, dht1.RETRY), (1024, dht1.OK)):
            answer = self.second.answer(
                FindValue(record.location), self.first.contact, False, length - dht1.OVERHEAD
            )
            self.assertEqual(answer.status, status, length)
        beyond = self.second.answer(FindValue(record.location, 1), self.first.contact, False, 292)
        self.assertEqual((beyond.total, beyond.records), (1, []))
        self.assertTrue(beyond.contacts)

    def test_a_third_retry_is_the_answer(self) -> None:
        self.ask(Ping())
        refused = dht1.Refusal(dht1.RETRY)
        before = len(self.first.sent)
        with mock.patch.object(self.second, "answer", return_value=refused):
            self.assertEqual(self.ask(FindNode(bytes(20))), refused)
        bodies = [self.opened(self.second, d)[1] for _, d in self.first.sent[before:]]
        self.assertEqual(len({body.number for body in bodies}), 3)
        self.assertIn(self.second.key.identity, self.first.contacts)

    def test_a_reader_takes_what_is_good_and_of_each_author_the_newest(self) -> None:
        everyone = vectors.PEOPLE
        now = rpc.unix_milliseconds() << 16

        def made(who: int, value: bytes, key: bytes = b"k", at: int = now) -> Record:
            person = everyone[who]
            return Record.make(self.first.network, person, dht1.VALUE, key, at, 60, value)

        old, good, older = made(2, b"old"), made(2, b"good", at=now + 1), made(2, b"older", at=now - 1)
        strange = SigningKey.of(bytes(32))
        bad = [
            dataclasses.replace(made(3, b"forged"), value=b"other!"),
            made(4, b"other key", b"l"),
            made(5, b"expired", at=now - (61_000 << 16)),
            Record.make(self.first.network, strange, dht1.VALUE, b"k", now, 60, b"stranger"),
            Record.make(vectors.NETWORKS[1], everyone[6], dht1.VALUE, b"k", now, 60, b"network"),
        ]
        answer = Found(len(bad) + 3, [*bad, old, good, older], [])
        client = Client(self.first)
        records = client.all_records(self.second.contact, good.location, answer)
        kept = [record for record in records if client.is_good(record, b"k")]
        self.assertEqual(merged(kept, rpc.unix_milliseconds()), [good])

    def test_a_stranger_that_writes_is_asked_once_in_thirty_seconds(self) -> None:
        self.ask(Ping())
        self.second.contacts.clear()
        asked = []
        with mock.patch.object(self.second, "verify", side_effect=asked.append):
            for seconds in (0, 0, 29, 1):
                self.pass_time(seconds)
                self.second.heard_live(self.first.contact, False)
        self.assertEqual(asked, [self.first.contact] * 2)

    def asks_find_node(self, datagram: bytes) -> bool:
        header, body = self.opened(self.second, datagram)
        return header.kind == dht1.REQUEST and body.operation == dht1.FIND_NODE

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
        return self.header(self.second, datagram).key_id

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

    def test_an_answer_from_another_address_is_unsolicited(self) -> None:
        call = self.first.ask(self.second.contact, Ping())
        self.second.wire = lambda to, datagram: None
        while not self.second.sent:
            self.second.turn(0.01)
        self.first.receive(self.second.sent[0][1], ELSEWHERE)
        self.assertEqual(self.first.counters["unsolicited"], 1)
        self.first.receive(self.second.sent[0][1], self.second.endpoint)
        self.assertTrue(call.done)

    def test_an_address_that_never_answered_gets_two_pings(self) -> None:
        stranger = Contact(vectors.PEOPLE[5].identity, ELSEWHERE)
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
            Contact(somebody, Endpoint("0.1.2.3", 1)),
            Contact(somebody, Endpoint("240.0.0.1", 1)),
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
