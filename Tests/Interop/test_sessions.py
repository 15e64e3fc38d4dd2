#!/usr/bin/python3
"""Tests of section 5 of docs/protocol.md: what a receiver keeps under a clock of the test, then two
nodes of one process and what somebody between them can do."""

from __future__ import annotations

import dataclasses
import os
import sys
import unittest
from typing import Optional
from unittest import mock

sys.dont_write_bytecode = True

import dht1
import peer
import rpc
import session
import vectors
from dht1 import (
    Body, BoxKey, Contact, Dropped, Endpoint, FindNode, FindValue, Nodes, Ping, Pong, Record, Store,
    Stored,
)
from pair import ELSEWHERE, CaughtNode, Pair
from session import ReplayWindow, Sessions

SOMEBODY, OTHER = (person.identity for person in vectors.PEOPLE[:2])
BOXES = [box.public for box in vectors.BOXES]
HOUR, DAY = 3600, 86_400


def contact(port: int = 1, identity: bytes = SOMEBODY) -> Contact:
    return Contact(identity, Endpoint("192.0.2.1", port))


class Windows(unittest.TestCase):
    def assert_seen(self, window: ReplayWindow, *counters: int) -> None:
        for counter in counters:
            with self.assertRaisesRegex(Dropped, "replay", msg=str(counter)):
                window.check(counter)

    def test_a_counter_counts_once(self) -> None:
        window = ReplayWindow()
        for counter in (2, 5000, 4999, 5000 - 1023):
            window.check(counter)
            window.mark(counter)
        self.assert_seen(window, 2, 4999, 5000, 5000 - 1023, 5000 - 1024)
        window.check(5000 - 1022)
        window.check(5001)

    def test_all_up_to_the_floor_are_seen(self) -> None:
        window = ReplayWindow()
        window.mark(12)
        window.raise_floor(10)
        self.assert_seen(window, 0, 1, 10, 12)
        window.check(11)
        window.check(13)

    def test_the_window_forgets_what_is_too_old_and_nothing_else(self) -> None:
        window = ReplayWindow()
        for counter in range(1, 10_000):
            window.check(counter)
            window.mark(counter)
        self.assertLessEqual(len(window.marked), 2 * session.WINDOW)
        self.assert_seen(window, *range(10_000))


class Challenges(unittest.TestCase):
    def setUp(self) -> None:
        self.sessions = Sessions(100)

    def good(self, challenge: bytes, now: float, of: Contact = contact(), box: int = 0) -> bool:
        return self.sessions.is_good(challenge, of, BOXES[box], now)

    def test_it_is_good_for_two_epochs(self) -> None:
        made = self.sessions.challenge(contact(), BOXES[0], 100 + HOUR - 1)
        self.assertNotEqual(made, bytes(8))
        for now, good in ((100, True), (100 + HOUR, True), (100 + 2 * HOUR - 1, True),
                          (100 + 2 * HOUR, False), (100 + 50 * HOUR, False)):
            self.assertEqual(self.good(made, now), good, now)

    def test_it_is_good_for_one_process_at_one_place(self) -> None:
        made = self.sessions.challenge(contact(), BOXES[0], 100)
        self.assertTrue(self.good(made, 100))
        self.assertFalse(self.good(made, 100, contact(2)))
        self.assertFalse(self.good(made, 100, contact(1, OTHER)))
        self.assertFalse(self.good(made, 100, box=1))
        self.assertFalse(self.good(bytes(8), 100))
        self.assertFalse(Sessions(100).is_good(made, contact(), BOXES[0], 100))

    def test_who_was_taken_off_the_list_begins_nothing_again(self) -> None:
        made = self.sessions.challenge(contact(), BOXES[0], 100)
        self.sessions.prove(contact(), BOXES[0], 0, 100)
        self.sessions.expel(SOMEBODY)
        self.assertFalse(self.good(made, 100))
        self.assertIsNone(self.sessions.known(SOMEBODY, BOXES[0]))


class Lives(unittest.TestCase):
    def setUp(self) -> None:
        self.sessions = Sessions(0)

    def test_a_session_begins_by_a_challenge_with_its_counter_as_floor(self) -> None:
        self.sessions.hear(contact(), BOXES[0], 9, False, 0)
        self.assertFalse(self.sessions.is_live(contact(), BOXES[0]))
        self.sessions.hear(contact(), BOXES[0], 7, True, 0)
        self.assertTrue(self.sessions.is_live(contact(), BOXES[0]))
        self.assertFalse(self.sessions.is_live(contact(2), BOXES[0]))
        self.assertEqual(len(self.sessions.first_contacts), 0)
        window = self.sessions.known(SOMEBODY, BOXES[0]).window
        for counter in (1, 7, 9):
            self.assertRaises(Dropped, window.check, counter)
        window.check(8)

    def test_a_session_begins_by_a_response_with_the_number_in_it_as_floor(self) -> None:
        self.sessions.prove(contact(), BOXES[0], 40, 0)
        window = self.sessions.known(SOMEBODY, BOXES[0]).window
        self.assertRaises(Dropped, window.check, 40)
        window.check(41)

    def test_another_proof_leaves_the_window_as_it_is(self) -> None:
        self.sessions.prove(contact(), BOXES[0], 40, 0)
        self.sessions.prove(contact(2), BOXES[0], 60, 0)
        self.sessions.hear(contact(3), BOXES[0], 70, True, 0)
        known = self.sessions.session(SOMEBODY, BOXES[0])
        known.window.check(50)
        known.window.check(69)
        self.assertEqual([address.port for address in known.addresses], [3, 2, 1])

    def test_four_addresses_are_kept(self) -> None:
        for port in (1, 2, 3, 4, 1, 5):
            self.sessions.prove(contact(port), BOXES[0], 0, 0)
        known = self.sessions.session(SOMEBODY, BOXES[0])
        self.assertEqual([address.port for address in known.addresses], [5, 1, 4, 3])

    def test_the_fifth_pushes_out_the_one_heard_least_lately(self) -> None:
        challenges = [self.sessions.challenge(contact(), box, 0) for box in BOXES[:5]]
        for at, box in enumerate(BOXES[:4]):
            self.sessions.hear(contact(), box, 1, True, at)
        self.sessions.hear(contact(), BOXES[0], 2, False, 5)
        self.assertTrue(self.sessions.is_good(challenges[1], contact(), BOXES[1], 6))
        self.sessions.hear(contact(), BOXES[4], 1, True, 6)
        self.assertEqual(list(self.sessions.of_peer[SOMEBODY]), [BOXES[i] for i in (0, 2, 3, 4)])
        for challenge, box in zip(challenges, BOXES):
            self.assertFalse(self.sessions.is_good(challenge, contact(), box, 6))
        of_other = contact(1, OTHER)
        made = self.sessions.challenge(of_other, BOXES[0], 6)
        self.sessions.hear(contact(), BOXES[5], 1, True, 7)
        self.assertTrue(self.sessions.is_good(made, of_other, BOXES[0], 7))

    def test_a_session_ends_after_its_first_day_and_four_quiet_hours(self) -> None:
        for now, heard, kept in ((5 * HOUR, 0, True), (DAY, DAY - 4 * HOUR, False),
                                 (DAY - 1, 0, True), (DAY, DAY - 4 * HOUR + 1, True)):
            sessions = Sessions(0)
            sessions.prove(contact(), BOXES[0], 0, 0)
            sessions.hear(contact(), BOXES[0], 1, False, heard)
            sessions.sweep(now)
            self.assertEqual(sessions.session(SOMEBODY, BOXES[0]) is not None, kept, now)

    def test_first_contacts_are_forgotten_the_oldest_first(self) -> None:
        for number in range(session.FIRST_CONTACTS + 1):
            self.sessions.hear(contact(), dht1.number(number, 32), 1, False, 0)
            self.sessions.hear(contact(), dht1.number(0, 32), 2 + number, False, 0)
        self.assertEqual(len(self.sessions.first_contacts), session.FIRST_CONTACTS)
        self.assertIsNone(self.sessions.known(SOMEBODY, dht1.number(1, 32)))
        self.assertIsNotNone(self.sessions.known(SOMEBODY, dht1.number(2, 32)))


def crafted(
    sender: CaughtNode, to: CaughtNode, message: dht1.Request, counter: int,
    box: Optional[BoxKey] = None, challenge: bytes = bytes(8), signs: bool = True,
    **fields: int,
) -> bytes:
    """A request to the static key as somebody might make it who has the network key: under any box
    key, perhaps without the sender's signature."""
    box = box or sender.box
    values = {"kind": dht1.REQUEST, "key_id": 0, "version": 1, "reserved": 0} | fields
    header = dht1.Header(values["kind"], values["key_id"], counter, sender.key.identity, box.public)
    head = bytearray(header.encode())
    head[0], head[3] = values["version"], values["reserved"]
    body = Body(message.operation, dht1.OK, 1, challenge, message.encode()).encode(512)
    nonce, shared = os.urandom(24), dht1.shared_key(to.key.static.public, box)
    encoded = dht1.signed_input(
        to.network, to.key.identity, dht1.NO_DIGEST, nonce, bytes(head), body
    )
    signature = sender.key.sign(encoded) if signs else bytes(64)
    masked = dht1.sodium.crypto_secretbox(bytes(head), nonce, to.header_key)
    start = nonce + masked
    return start + dht1.sodium.crypto_box_afternm(signature + body, dht1.box_nonce(start), shared)


class Conversations(Pair):
    def test_a_conversation(self) -> None:
        """First contact, challenge, founding, live: on both sides, by what each of them sends."""
        self.assertIsInstance(self.ask(Ping()), Pong)
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        requests = [self.opened(self.second, datagram) for to, datagram in self.first.sent]
        responses = [self.opened(self.first, datagram) for to, datagram in self.second.sent]
        asked = [(h, b) for h, b in requests if h.kind == dht1.REQUEST]
        answers = {h.number: b for h, b in responses if h.kind == dht1.RESPONSE}
        self.assertEqual([h.number for h, _ in asked], list(range(1, len(asked) + 1)))
        self.assertEqual(asked[0][0].key_id, 0)
        self.assertEqual({h.key_id for h, _ in asked[1:]}, {self.second.box.id})
        self.assertEqual(asked[0][1].challenge, bytes(8))
        challenge = answers[asked[0][1].number].challenge
        self.assertNotEqual(challenge, bytes(8))
        for _, body in asked[1:]:
            self.assertEqual(body.challenge, challenge)
            self.assertEqual(answers[body.number].challenge, bytes(8))
        for node, other in ((self.first, self.second), (self.second, self.first)):
            self.assertEqual(self.sessions(node), {other.box.public: [other.endpoint]})

    def test_a_response_tells_the_highest_counter(self) -> None:
        self.ask(Ping())
        self.settle(self.second.ask(self.first.contact, Ping()))
        self.ask(Ping())
        body = self.opened(self.first, self.second.sent[-1][1])[1]
        self.assertEqual(body.number, self.second.peers[self.first.key.identity].counter)
        self.assertGreater(body.number, 0)

    def test_each_recipient_has_its_own_count(self) -> None:
        third = self.node(2, [])
        self.ask(Ping())
        self.ask(Ping())
        call = self.first.ask(third.contact, Ping())
        self.first.answered.add(third.endpoint)
        self.assertEqual(self.header(third, self.first.sent[-1][1]).number, 1)
        self.first.finish(call, None)

    def test_a_new_box_key_is_a_new_process(self) -> None:
        self.ask(Ping())
        self.first.rotate()
        self.pass_time(31)
        self.ask(Ping())
        numbers = [self.header(self.second, d) for _, d in self.first.sent]
        of_new = [h.number for h in numbers if h.box_public == self.first.box.public]
        self.assertEqual(of_new, list(range(1, len(of_new) + 1)))
        self.assertEqual(len(self.sessions(self.second)), 2)

    def test_who_is_asked_knows_the_asker_by_its_answer_alone(self) -> None:
        """The asker asks live from the first request on: its answers began the session."""
        self.second.answered.add(self.first.endpoint)
        self.settle(self.second.ask(self.first.contact, Ping()))
        before = len(self.second.sent)
        self.assertIsInstance(self.ask(Store(self.record())), Stored)
        bodies = [self.opened(self.first, datagram)[1] for _, datagram in self.second.sent[before:]]
        self.assertEqual({body.challenge for body in bodies}, {bytes(8)})
        self.assertEqual(len(bodies), 1)

    def test_four_addresses_prove_themselves_one_by_one(self) -> None:
        self.ask(Ping())
        before = self.second.endpoint
        moved = self.node(0, [self.second.contact])
        for name in ("box", "peers", "sessions", "links"):
            setattr(moved, name, getattr(self.first, name))
        old, self.first = self.first, moved
        self.assertIsInstance(self.ask(FindNode(bytes(20))), Nodes)
        addresses = self.sessions(self.second)[old.box.public]
        self.assertEqual(addresses, [moved.endpoint, old.endpoint])
        self.assertEqual(self.second.contacts[old.key.identity], moved.endpoint)
        self.assertEqual(before, self.second.endpoint)


class Replays(Pair):
    """Somebody catches datagrams, and sends them when and where it likes."""

    def state(self, node: CaughtNode) -> object:
        sessions = {
            identity: {box: list(s.addresses) for box, s in of_peer.items()}
            for identity, of_peer in node.sessions.of_peer.items()
        }
        return sessions, dict(node.contacts), dict(node.store.records), set(node.answered)

    def conversation(self) -> list[bytes]:
        """All that went from the first to the second: stores, a tombstone, a farewell."""
        self.ask(Ping())
        self.ask(Store(self.record()))
        self.ask(FindValue(dht1.sha1(b"k")))
        self.settle(self.second.ask(self.first.contact, Ping()))
        lost = self.first.ask(self.second.contact, Store(self.record(b"lost")))
        self.first.wire = lambda to, datagram: None
        self.first.turn(0.1)
        while not lost.done:
            self.first.turn(0.1)
        self.first.wire = lambda to, datagram: datagram
        self.ask(Ping(leaving=True))
        return [datagram for _, datagram in self.first.sent]

    def assert_idle(self, node: CaughtNode, caught: list[bytes], answers: int) -> None:
        """Nothing changes, and no more is answered, nor with more bytes, than may be."""
        before, asked = self.state(node), len(node.sent)
        received = 0
        for source in (self.first.endpoint, ELSEWHERE, Endpoint("::1", 7)):
            for datagram in caught:
                node.receive(datagram, source)
                received += len(datagram)
        self.assertEqual(self.state(node), before)
        self.assertFalse(node.calls)
        answered = node.sent[asked:]
        self.assertLessEqual(len(answered), answers)
        self.assertLessEqual(sum(len(datagram) for _, datagram in answered), received)

    def test_at_any_age(self) -> None:
        caught = self.conversation()
        seen = [d for d in caught if self.header(self.second, d).number not in self.lost(caught)]
        for seconds in (0, 60, HOUR, 3 * HOUR, 20 * HOUR, 5 * DAY):
            self.pass_time(seconds)
            self.assert_idle(self.second, seen, 0)

    def lost(self, caught: list[bytes]) -> list[int]:
        """Counters of what never arrived: it is below what arrived later, but was not seen."""
        window = self.second.sessions.session(self.first.key.identity, self.first.box.public).window
        numbers = [
            self.header(self.second, d).number for d in caught
            if self.header(self.second, d).kind == dht1.REQUEST
        ]
        return [n for n in numbers if n not in window.marked and n > window.floor]

    def test_after_the_receiver_began_anew(self) -> None:
        caught = self.conversation()
        self.second = self.restarted(self.second, [])
        allowed = sum(self.header(self.second, d).key_id == 0 for d in caught)
        self.assert_idle(self.second, caught, min(allowed, session.ALLOWANCE))
        self.assert_idle(self.second, caught, 0)
        self.pass_time(5 * DAY)
        self.assert_idle(self.second, caught, 0)

    def test_after_both_began_anew_and_have_talked(self) -> None:
        caught = self.conversation()
        self.second = self.restarted(self.second, [])
        self.pass_time(31)
        self.assertIsInstance(self.ask(Ping()), Pong)
        self.assert_idle(self.second, caught, 0)
        caught += [datagram for _, datagram in self.first.sent]
        self.first = self.restarted(self.first, [self.second.contact])
        self.assertIsInstance(self.ask(Ping()), Pong)
        self.assert_idle(self.second, caught, 0)

    def test_a_response_is_good_once(self) -> None:
        self.conversation()
        self.settle(self.second.ask(self.first.contact, Ping()))
        before = self.state(self.first)
        for _, datagram in self.second.sent:
            if self.header(self.first, datagram).kind == dht1.RESPONSE:
                self.first.receive(datagram, self.second.endpoint)
                self.first.receive(datagram, ELSEWHERE)
        self.assertEqual(self.state(self.first), before)

    def test_what_was_held_back_is_below_the_floor_of_a_challenge(self) -> None:
        held = self.held_back()
        self.second = self.restarted(self.second, [])
        self.assertIsInstance(self.ask(Ping()), Pong)
        self.assert_dropped(held)

    def test_what_was_held_back_is_below_the_floor_of_a_response(self) -> None:
        held = self.held_back()
        self.second = self.restarted(self.second, [self.first.contact])
        self.settle(self.second.ask(self.first.contact, Ping()))
        self.assertIn(self.first.box.public, self.sessions(self.second))
        self.assert_dropped(held)

    def held_back(self) -> list[bytes]:
        """Live STOREs that never came, to the box key and to the static key."""
        self.ask(Ping())
        before = len(self.first.sent)
        self.first.wire = lambda to, datagram: None
        call = self.first.ask(self.second.contact, Store(self.record()))
        while not call.done:
            self.first.turn(0.1)
        self.first.wire = lambda to, datagram: datagram
        held = [datagram for _, datagram in self.first.sent[before:]]
        self.assertEqual([self.header(self.second, d).key_id == 0 for d in held],
                         [False, True, True])
        return held

    def assert_dropped(self, held: list[bytes]) -> None:
        before, answered = self.second.counters["replay"], len(self.second.sent)
        for datagram in held:
            self.second.receive(datagram, self.first.endpoint)
        self.assertEqual(self.second.counters["replay"], before + len(held))
        self.assertEqual(self.second.store.records, {})
        self.assertEqual(len(self.second.sent), answered)

    def test_a_founding_request_cannot_found_again_what_was_pushed_out(self) -> None:
        self.ask(Ping())
        caught = [datagram for _, datagram in self.first.sent]
        oldest = self.first.box.public
        for _ in range(4):
            self.first.rotate()
            self.pass_time(31)
            self.ask(Ping())
        self.assertEqual(len(self.sessions(self.second)), 4)
        self.assertNotIn(oldest, self.sessions(self.second))
        self.assert_idle(self.second, caught, session.ALLOWANCE)
        self.assert_idle(self.second, caught, 0)
        self.assertNotIn(oldest, self.sessions(self.second))

    def test_a_spoofed_source_gets_no_more_than_was_sent_there(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.first.wire = lambda to, datagram: None
        self.first.ask(self.second.contact, Store(self.record()))
        self.first.ask(self.second.contact, Ping(leaving=True))
        self.first.calls.clear()
        state, answered = self.state(self.second), len(self.second.sent)
        for _, datagram in self.first.sent[before:]:
            self.second.receive(datagram, ELSEWHERE)
        self.assertEqual(self.state(self.second), state)
        self.assertEqual(self.second.sent[answered][0], ELSEWHERE)
        self.assertEqual([len(d) for _, d in self.second.sent[answered:]], [256, 256])


class FirstContacts(Pair):
    def receive(self, datagram: bytes, source: Endpoint = ELSEWHERE) -> str:
        """The name of the counter it raised."""
        before = self.second.counters.copy()
        self.second.receive(datagram, source)
        raised = self.second.counters - before
        return next(iter(set(raised) - {"received", "sent"}))

    def test_eight_are_answered_and_then_one_in_thirty_seconds(self) -> None:
        outcomes = []
        for counter in range(1, 11):
            self.second.lane = rpc.FirstContactLane(self.second.now())
            outcomes.append(self.receive(crafted(self.first, self.second, Ping(), counter)))
        self.assertEqual(outcomes, ["requests"] * 8 + ["budget"] * 2)
        self.pass_time(31)
        self.assertEqual(self.receive(crafted(self.first, self.second, Ping(), 11)), "requests")
        self.assertEqual(self.receive(crafted(self.first, self.second, Ping(), 12)), "budget")
        another = crafted(self.first, self.second, Ping(), 1, vectors.BOXES[5])
        self.assertEqual(self.receive(another), "requests")

    def test_who_founds_needs_no_allowance(self) -> None:
        for counter in range(1, 10):
            self.receive(crafted(self.first, self.second, Ping(), counter))
        challenge = self.opened(self.first, self.second.sent[-1][1])[1].challenge
        founding = crafted(self.first, self.second, Ping(), 20, challenge=challenge)
        self.assertEqual(self.receive(founding), "requests")
        self.assertEqual(self.sessions(self.second), {self.first.box.public: [ELSEWHERE]})

    def test_one_that_is_remembered_takes_no_lane(self) -> None:
        self.receive(crafted(self.first, self.second, Ping(), 1))
        self.second.lane.all.level = self.second.lane.all.rate = 0
        self.assertEqual(self.receive(crafted(self.first, self.second, Ping(), 2)), "requests")
        another = crafted(self.first, self.second, Ping(), 1, vectors.BOXES[5])
        self.assertEqual(self.receive(another), "lane")

    def test_a_bad_signature_is_not_remembered(self) -> None:
        forged = crafted(self.first, self.second, Ping(), 5, vectors.BOXES[5], signs=False)
        self.assertEqual(self.receive(forged), "signature")
        self.assertEqual(len(self.second.sessions.first_contacts), 0)

    def test_budgets_come_before_signatures(self) -> None:
        self.ask(Ping())
        budget = self.second.peers[self.first.key.identity].budget
        budget.level = budget.rate = 0
        self.first.calls.clear()
        self.first.wire = lambda to, datagram: None
        self.first.ask(self.second.contact, Ping())
        with mock.patch.object(dht1, "is_signed") as is_signed:
            self.assertEqual(self.receive(self.first.sent[-1][1], self.first.endpoint), "budget")
        is_signed.assert_not_called()
        self.assertNotIn(self.header(self.second, self.first.sent[-1][1]).number,
                         self.second.sessions.known(self.first.key.identity,
                                                    self.first.box.public).window.marked)

    def test_an_impostor_takes_nothing_of_the_budget_of_a_member(self) -> None:
        self.ask(Ping())
        level = self.second.peers[self.first.key.identity].budget.level
        for counter in range(1, 10):
            forged = crafted(self.first, self.second, Ping(), counter, vectors.BOXES[5],
                             signs=False)
            self.assertEqual(self.receive(forged), "signature")
        self.assertGreaterEqual(self.second.peers[self.first.key.identity].budget.level, level)

    def test_faults_of_the_header(self) -> None:
        for fault, counter in (
            ({"version": 2}, "version"), ({"kind": 3}, "kind"), ({"kind": 0}, "kind"),
            ({"reserved": 1}, "kind"), ({"kind": 2, "key_id": 0}, "kind"),
            ({"kind": 2, "key_id": 5}, "unsolicited"), ({"key_id": 5}, "key"),
        ):
            made = crafted(self.first, self.second, Ping(), 1, **fault)
            self.assertEqual(self.receive(made), counter, fault)
        own = crafted(self.second, self.second, Ping(), 1)
        self.assertEqual(self.receive(own), "self")

    def test_a_store_that_is_not_live_is_not_looked_into(self) -> None:
        forged = dataclasses.replace(self.record(), value=b"w")
        made = crafted(self.first, self.second, Store(forged), 1)
        self.assertEqual(self.receive(made), "requests")
        self.assertEqual(self.opened(self.first, self.second.sent[-1][1])[1].status, dht1.RETRY)

    def test_who_may_not_write_is_told_so_whatever_the_signature(self) -> None:
        forged = dataclasses.replace(self.record(), author=vectors.PEOPLE[5].identity)
        self.second.store.admitted = {self.first.key.identity}
        self.assertEqual(self.ask(Store(forged)), dht1.Refusal(dht1.DENIED))


class Answers(Pair):
    """Junk that looks like a response."""

    def setUp(self) -> None:
        super().setUp()
        self.ask(Ping())
        self.second.wire = lambda to, datagram: None
        before = len(self.second.sent)
        self.call = self.first.ask(self.second.contact, Ping())
        while len(self.second.sent) == before:
            self.second.turn(0.01)
        self.answer = self.second.sent[-1][1]
        self.first.counters.clear()

    def junk(self, transaction: int, box: BoxKey, key_id: int, opens: bool = False) -> bytes:
        header = dht1.Header(
            dht1.RESPONSE, key_id, transaction, self.second.key.identity, box.public
        )
        shared = dht1.shared_key(self.first.box.public, box) if opens else bytes(32)
        body = Body(dht1.PING, dht1.OK, 0, bytes(8), Pong(ELSEWHERE, []).encode()).encode(256)
        return dht1.seal(self.first.network, vectors.PEOPLE[5], header, self.first.key.identity,
                         shared, os.urandom(24), body)[0]

    def receive(self, *datagrams: bytes) -> dict[str, int]:
        self.first.counters.clear()
        for datagram in datagrams:
            self.first.receive(datagram, self.second.endpoint)
        return {k: v for k, v in self.first.counters.items() if k not in ("received", "sent")}

    def test_without_the_transaction_id_it_costs_nothing(self) -> None:
        junk = [self.junk(i, vectors.BOXES[5], self.first.box.id) for i in range(50)]
        with mock.patch.object(dht1, "shared_key") as derive, \
                mock.patch.object(rpc, "shared_key") as cached:
            self.assertEqual(self.receive(*junk), {"unsolicited": 50})
        derive.assert_not_called()
        cached.assert_not_called()
        self.assertEqual(self.receive(self.answer), {"responses": 1})

    def test_three_under_an_unknown_key_shut_out_unknown_keys_only(self) -> None:
        boxes = [BoxKey.of(os.urandom(32)) for _ in range(10)]
        junk = [self.junk(self.call.transaction, box, self.first.box.id) for box in boxes]
        self.assertEqual(self.receive(*junk), {"box": 3, "lane": 7})
        self.assertEqual(self.receive(self.answer), {"responses": 1})
        self.assertTrue(self.call.done)

    def test_junk_under_the_known_key_shuts_nothing_out(self) -> None:
        junk = [self.junk(self.call.transaction, self.second.box, self.first.box.id)] * 50
        self.assertEqual(self.receive(*junk), {"box": 50})
        self.assertEqual(self.receive(self.answer), {"responses": 1})

    def test_three_bad_signatures_under_the_known_key_end_a_request(self) -> None:
        """Only a thief of the peer's box key makes them."""
        junk = self.junk(self.call.transaction, self.second.box, self.first.box.id, opens=True)
        self.assertEqual(self.receive(*4 * [junk]), {"signature": 3, "unsolicited": 1})
        self.assertEqual(self.receive(self.answer), {"unsolicited": 1})
        self.assertFalse(self.call.done)

    def test_failures_under_unknown_keys_are_bounded_in_all(self) -> None:
        self.first.failed_responses.level = 1
        self.first.failed_responses.rate = 0
        boxes = [BoxKey.of(os.urandom(32)) for _ in range(3)]
        junk = [self.junk(self.call.transaction, box, self.first.box.id) for box in boxes]
        self.assertEqual(self.receive(*junk), {"box": 1, "lane": 2})

    def test_from_another_address_it_is_unsolicited(self) -> None:
        self.first.counters.clear()
        self.first.receive(self.answer, ELSEWHERE)
        self.assertEqual(self.first.counters["unsolicited"], 1)

    def test_an_answer_to_another_operation_is_a_mismatch(self) -> None:
        self.call.message = FindNode(bytes(20))
        self.assertEqual(self.receive(self.answer), {"mismatch": 1})


class Openings(Pair):
    def setUp(self) -> None:
        """On a busy machine no request is to be late that was not lost."""
        super().setUp()
        patience = mock.patch.object(peer, "LEAST_TIMEOUT", 0.4)
        patience.start()
        self.addCleanup(patience.stop)

    def transmissions(self, since: int = 0) -> list[tuple[dht1.Header, Body, int]]:
        """Requests of the first that the second, as it is now, can open, and their lengths."""
        keys = {0, self.second.box.id}
        headers = [(self.header(self.second, d), d) for _, d in self.first.sent[since:]]
        return [
            (*self.opened(self.second, d), len(d)) for header, d in headers
            if header.kind == dht1.REQUEST and header.key_id in keys
        ]

    def many(self) -> list[dht1.Request]:
        stores = [Store(self.record(bytes([i]))) for i in range(32)]
        return stores + [FindNode(bytes([i] * 20)) for i in range(32)]

    def test_a_new_peer_is_asked_once(self) -> None:
        calls = [self.first.ask(self.second.contact, message) for message in self.many()]
        self.assertEqual([body.operation for _, body, _ in self.transmissions()], [dht1.PING])
        self.settle(*calls)
        self.assertTrue(all(call.answer for call in calls))
        self.assertEqual([len(call.digests) for call in calls], [1] * 64)
        self.assertEqual(len(self.second.store.records), 32)

    def test_the_first_of_many_lookups_opens_and_is_padded(self) -> None:
        calls = [self.first.ask(self.second.contact, FindNode(bytes(20))) for _ in range(8)]
        self.assertEqual([length for _, _, length in self.transmissions()], [768])
        self.settle(*calls)
        self.assertEqual([length for _, body, length in self.transmissions()
                          if body.operation == dht1.FIND_NODE and body.payload[:20] == bytes(20)],
                         [768] + [256] * 7)

    def test_who_began_anew_has_answered_all_within_two_transmissions(self) -> None:
        self.ask(Ping())
        self.second.wire = lambda to, datagram: None
        calls = [self.first.ask(self.second.contact, message) for message in self.many()]
        self.assertEqual([len(call.digests) for call in calls], [1] * 64)
        self.second = self.restarted(self.second, [])
        before = len(self.first.sent)
        most = [1] * 64
        while not all(call.done for call in calls):
            self.second.turn(0)
            self.first.turn(0.01)
            most = [max(m, len(call.digests)) for m, call in zip(most, calls)]
        self.assertTrue(all(call.answer for call in calls))
        self.assertLessEqual(max(most), 2)
        self.assertEqual(self.second.counters["replay"], 0)
        again = self.transmissions(before)
        self.assertEqual([header.key_id == 0 for header, _, _ in again].count(True), 1)

    def test_a_silent_peer_is_asked_one_thing_at_a_time(self) -> None:
        self.ask(Ping())
        calls = [self.first.ask(self.second.contact, message) for message in self.many()]
        self.first.wire = lambda to, datagram: None
        before = len(self.first.sent)
        while not all(call.done for call in calls):
            self.first.ahead += 0.05
            self.first.turn(0)
        again = self.transmissions(before)
        self.assertLessEqual(len(again), 4)
        self.assertEqual({header.key_id for header, _, _ in again}, {0})
        self.assertEqual(self.first.counters["timeouts"], 64)

    def test_what_waits_has_its_turn_when_the_opener_was_given_up(self) -> None:
        self.first.wire = lambda to, datagram: None
        first = self.first.ask(self.second.contact, FindNode(bytes(20)))
        late = self.first.ask(self.second.contact, FindNode(bytes(20)))
        first.attempts = rpc.TRANSMISSIONS
        self.first.time_out(first)
        self.assertTrue(late.waits)
        self.first.time_out(late)
        self.assertFalse(late.waits)
        self.first.wire = lambda to, datagram: datagram
        self.settle(late)
        self.assertIsInstance(late.answer, Nodes)

    def test_a_retransmission_is_padded_and_goes_to_the_static_key_if_nothing_came(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.first.wire = lambda to, datagram: None
        call = self.first.ask(self.second.contact, FindNode(bytes(20)))
        while len(self.first.sent) < before + 2:
            self.first.turn(0.05)
        other = self.transmissions(before)
        self.assertEqual([(h.key_id, length) for h, _, length in other],
                         [(self.second.box.id, 256), (0, 768)])
        self.assertEqual(other[0][1].number, other[1][1].number)
        self.assertEqual(other[0][0].number + 1, other[1][0].number)
        self.first.wire = lambda to, datagram: datagram
        self.settle(call)

    def test_a_retransmission_to_a_peer_that_answers_goes_to_its_box_key(self) -> None:
        self.ask(Ping())
        before = len(self.first.sent)
        self.first.wire = lambda to, datagram: None
        lost = self.first.ask(self.second.contact, FindNode(bytes(20)))
        lost.deadline += 1
        self.first.wire = lambda to, datagram: datagram
        answered = self.first.ask(self.second.contact, Ping())
        self.settle(lost, answered)
        again = [h for h, body, _ in self.transmissions(before) if body.operation == dht1.FIND_NODE]
        self.assertEqual([h.key_id for h in again], [self.second.box.id] * 2)

    def expects(self) -> bool:
        return self.first.expects_life(self.second.contact)

    def test_when_life_is_expected(self) -> None:
        self.assertFalse(self.expects())
        self.ask(Ping())
        self.assertTrue(self.expects())
        self.pass_time(5 * HOUR)
        self.assertTrue(self.expects(), "no challenge in the last answer")
        self.first.rotate()
        self.assertFalse(self.expects(), "not under our present box key")
        self.ask(Ping())
        self.second.rotate()
        self.settle(self.second.ask(self.first.contact, Ping()))
        self.assertTrue(self.expects(), "its live request was answered")
        other = Contact(self.second.key.identity, ELSEWHERE)
        self.assertFalse(self.first.expects_life(other), "not from there")

    def test_a_challenge_lets_expect_life_for_an_hour(self) -> None:
        link = self.first.link(self.second.contact)
        self.first.peer(self.second.key.identity).box_public = self.second.box.public
        link.answered((self.second.box.public, self.first.box.public), True, self.first.now())
        self.assertTrue(self.expects())
        self.pass_time(HOUR)
        self.assertFalse(self.expects())

    def test_a_contact_that_does_not_know_us_is_greeted(self) -> None:
        self.ask(Ping())
        self.second = self.restarted(self.second, [])
        self.pass_time(31)
        before = len(self.first.sent)
        self.assertIsInstance(self.ask(FindNode(bytes(20))), Nodes)
        operations = [body.operation for _, body, _ in self.transmissions(before)]
        self.assertIn(dht1.PING, operations)
        self.assertEqual(self.sessions(self.second), {self.first.box.public: [self.first.endpoint]})
        self.assertEqual(self.second.contacts, {self.first.key.identity: self.first.endpoint})

    def test_it_is_greeted_once_in_thirty_seconds(self) -> None:
        self.ask(Ping())
        at = self.first.now() + 60
        before = len(self.first.sent)
        for seconds in (0, 1, 29, 30, 31):
            self.first.greet(self.second.contact, at + seconds)
        self.assertEqual(len(self.first.sent) - before, 2)
        self.settle()

    def test_a_proved_address_of_a_peer_may_be_asked_anything(self) -> None:
        self.settle(self.first.ask(self.second.contact, Ping()))
        self.assertIn(self.first.endpoint, self.second.answered)
        self.assertIsInstance(
            self.second.answer(Ping(), self.first.contact, True, 36), Pong
        )


if __name__ == "__main__":
    unittest.main()
