"""A node's requests and responses over UDP: sections 3 to 7 and 9 of docs/protocol.md, in one
thread. It keeps all known contacts in one list and does not republish."""

from __future__ import annotations

import functools
import ipaddress
import math
import os
import select
import socket
import time
from collections import Counter
from typing import Any, Callable, Iterable, Optional

import dht1
from dht1 import (
    Body, BoxKey, Contact, Dropped, Endpoint, FindNode, FindValue, Found, Header, Malformed,
    Network, Nodes, Ping, Pong, Record, Refusal, Request, Response, SigningKey, Store, Stored,
)
from peer import Bucket, FirstContactLane, Link, Peer
from roster import NONE, Follower
from session import Session, Sessions
from store import RecordStore

BOX_PERIOD = 86_400
TRANSMISSIONS = 3
FAILED_RESPONSES, FAILED_RESPONSE_RATE = 3, 200
GREETING_PAUSE = FOLLOW_PAUSE = 30
PINGS, PING_PAUSE = 2, 30
JOIN_PAUSE = 2
RETRIES = 2
ANSWER_LENGTH = {dht1.FIND_NODE: 768, dht1.FIND_VALUE: 1232, dht1.FIND_ROSTER: 512, dht1.JOIN: 512}

shared_key = functools.lru_cache(maxsize=4096)(dht1.shared_key)


def distance(left: bytes, right: bytes) -> int:
    return int.from_bytes(left, "big") ^ int.from_bytes(right, "big")


def unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Call:
    """A request and its transmissions, until it is answered or has failed. While it `waits` for
    another to be answered its time-outs run: an attempt is a transmission, or a wait for one."""

    def __init__(
        self, contact: Contact, message: Request, then: Callable[[Call], None]
    ) -> None:
        self.contact, self.message, self.then = contact, message, then
        self.answer: Optional[Response] = None
        self.done = False
        self.seconds = 0.0
        self.retries = 0
        self.restart()

    def restart(self) -> None:
        """A new request: after `retry` the same message goes with the challenge just learnt."""
        self.transaction = int.from_bytes(os.urandom(8), "big")
        self.digests: list[bytes] = []
        self.attempts = 0
        self.waits = False
        self.failed_unknown = self.failed_known = 0
        self.first_sent_at = self.sent_at = self.deadline = 0.0

    @property
    def wants_prelude(self) -> bool:
        """What only a live request does."""
        changes = self.message.operation in (dht1.STORE, dht1.FIND_CHUNK, dht1.PASS_ON)
        leaves = isinstance(self.message, Ping) and self.message.leaving
        return not self.digests and (changes or leaves)


class Node:
    """One that lies overrides `answer`, `respond`, `send` or `send_raw`: what passed the checks,
    what is said to it, how it is sealed, and what goes out."""

    def __init__(
        self, key: SigningKey, network: Network, admitted: set[bytes], listen: Endpoint,
        configured: list[Contact],
    ) -> None:
        self.key, self.network, self.admitted = key, network, admitted
        self.header_key = network.header_key(key.identity)
        self.configured = {c.identity: c.endpoint for c in configured}
        self.counters: Counter[str] = Counter()
        self.box_made = self.now()
        self.box, self.previous_box = BoxKey.of(os.urandom(32)), None
        self.peers: dict[bytes, Peer] = {}
        self.links: dict[Contact, Link] = {}
        self.sessions = Sessions(self.box_made)
        self.lane = FirstContactLane(self.box_made)
        self.failed_responses = Bucket(
            FAILED_RESPONSE_RATE, FAILED_RESPONSE_RATE, self.box_made
        )
        self.contacts: dict[bytes, Endpoint] = {}
        self.answered = set(self.configured.values())
        self.pings: dict[Endpoint, list[float]] = {}
        self.calls: list[Call] = []
        self.openers: dict[Contact, Call] = {}
        self.followed: dict[Contact, float] = {}
        self.watch: Optional[Callable[[bool, Endpoint, bytes], None]] = None
        self.joined_at = -float(JOIN_PAUSE)
        self.store = RecordStore(admitted | {key.identity})
        self.revisions: dict[bytes, int] = {}
        self.roster = Follower(self, set(), set(admitted))
        family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.setblocking(False)
        self.socket.bind(listen)
        self.endpoint = Endpoint(*self.socket.getsockname()[:2])

    def now(self) -> float:
        """The only clock that requests and responses know."""
        return time.monotonic()

    # The loop

    def turn(self, patience: float, also: Iterable[int] = ()) -> list[int]:
        """Waits for a datagram, a deadline, or one of the other descriptors, which it returns."""
        now = self.now()
        deadlines = [call.deadline for call in self.calls]
        wait = max(0.0, min([patience] + [deadline - now for deadline in deadlines]))
        ready = select.select([self.socket, *also], [], [], wait)[0]
        self.roster.tick(now)
        if self.socket in ready:
            for _ in range(64):
                try:
                    datagram, source = self.socket.recvfrom(2048)
                except OSError:
                    break
                self.receive(datagram, Endpoint(source[0], source[1]))
        self.tick()
        return [descriptor for descriptor in ready if descriptor is not self.socket]

    def tick(self) -> None:
        now = self.now()
        for call in [call for call in self.calls if call.deadline <= now]:
            if call in self.calls:
                self.time_out(call)
        if now - self.box_made > BOX_PERIOD:
            self.rotate()
        if now - self.joined_at >= JOIN_PAUSE:
            self.joined_at = now
            for identity, endpoint in self.configured.items():
                if identity not in self.contacts:
                    self.verify(Contact(identity, endpoint))
            self.sessions.sweep(now)
            self.followed = {c: t for c, t in self.followed.items() if now - t < FOLLOW_PAUSE}
            self.pings = {e: p for e, p in self.pings.items() if now - p[-1] < PING_PAUSE}

    def rotate(self) -> None:
        """A new box key: to those we ask it is a new process, whose counters begin anew."""
        self.box, self.previous_box = BoxKey.of(os.urandom(32)), self.box
        self.box_made = self.now()
        for peer in self.peers.values():
            peer.counter = 0

    def expel(self, identity: bytes) -> None:
        """Takes a member off the list."""
        self.admitted = self.admitted - {identity}
        self.store.admitted = self.store.admitted - {identity}
        self.sessions.expel(identity)
        self.contacts.pop(identity, None)

    # Receiving: section 4

    def receive(self, datagram: bytes, source: Endpoint) -> None:
        self.counters["received"] += 1
        if self.watch:
            self.watch(False, source, datagram)
        try:
            header = dht1.open_header(self.header_key, datagram)
            if header.sender == self.key.identity:
                raise Dropped("self")
            if header.sender not in self.admitted:
                raise Dropped("admission")
            if header.kind == dht1.REQUEST:
                self.accept_request(datagram, header, source)
            else:
                self.accept_response(datagram, header, source)
        except Dropped as dropped:
            self.counters[dropped.reason] += 1

    def peer(self, identity: bytes) -> Peer:
        if identity not in self.peers:
            self.peers[identity] = Peer(self.now())
        return self.peers[identity]

    def box_for(self, key_id: int) -> BoxKey:
        if key_id == 0:
            return self.key.static
        for box in (self.box, self.previous_box):
            if box and box.id == key_id:
                return box
        raise Dropped("key")

    def accept_request(self, datagram: bytes, header: Header, source: Endpoint) -> None:
        now, sender = self.now(), Contact(header.sender, source)
        known = self.sessions.known(header.sender, header.box_public)
        if known:
            known.window.check(header.number)
        box = self.box_for(header.key_id)
        if not known and not self.lane.take(source, now):
            raise Dropped("lane")
        # Only what passed a signature check before may push other keys out of the cache.
        shared = (shared_key if known else dht1.shared_key)(header.box_public, box)
        signature, content = dht1.open_box(shared, datagram)
        try:
            body = Body.decode(content)
            message = dht1.decode_request(body.operation, body.status, body.payload)
        except Malformed:
            raise Dropped("malformed") from None
        proved = not self.sessions.is_live(sender, header.box_public) and self.sessions.is_good(
            body.challenge, sender, header.box_public, now
        )
        if isinstance(known, Session) or proved:
            has_room = self.peer(header.sender).budget.take(now)
        else:
            has_room = not known or known.allowance.take(now)
        if not has_room:
            raise Dropped("budget")
        digest = self.check_signature(datagram, header, dht1.NO_DIGEST, signature, content)
        if digest is None:
            raise Dropped("signature")
        self.sessions.hear(sender, header.box_public, header.number, proved, now)
        live = self.sessions.is_live(sender, header.box_public)
        if live and isinstance(message, Store) and message.record.author in self.store.admitted:
            if not message.record.is_genuine(self.network):
                raise Dropped("record")
        self.counters["requests"] += 1
        if proved:
            self.answered.add(source)
        if live:
            self.peer(header.sender).box_public = header.box_public
            self.link(sender).live_keys = (header.box_public, self.box.public)
        room = dht1.LENGTHS[-1] if live else len(datagram)
        response = self.answer(message, sender, live, room - dht1.OVERHEAD)
        self.respond(sender, header, body, digest, response, live)
        if live and not (isinstance(message, Ping) and message.leaving):
            self.heard_live(sender, proved)
            if isinstance(message, Ping):
                self.roster.heard(message.roster or NONE, sender)

    def check_signature(
        self, datagram: bytes, header: Header, request_digest: bytes, signature: bytes,
        content: bytes,
    ) -> Optional[bytes]:
        """The digest of the signed input, if the signature is good."""
        message = dht1.signed_input(
            self.network, self.key.identity, request_digest, datagram[:24], header.encode(), content
        )
        good = dht1.is_signed(message, signature, header.sender)
        return dht1.blake2b(message) if good else None

    def accept_response(self, datagram: bytes, header: Header, source: Endpoint) -> None:
        now, sender = self.now(), Contact(header.sender, source)
        call = self.pending(header.number, sender)
        if not call:
            raise Dropped("unsolicited")
        box = self.box_for(header.key_id)
        known = self.sessions.known(header.sender, header.box_public) is not None
        if not known and (
            call.failed_unknown >= FAILED_RESPONSES or not self.failed_responses.has_room(now)
        ):
            raise Dropped("lane")
        try:
            body, answer = self.open_response(datagram, header, box, call, known)
        except Dropped as dropped:
            if not known:
                call.failed_unknown += 1
                self.failed_responses.take(now)
            elif dropped.reason == "signature":
                call.failed_known += 1
            raise
        self.sessions.prove(sender, header.box_public, body.number, now)
        peer, challenged = self.peer(header.sender), body.challenge != dht1.NO_CHALLENGE
        peer.box_public = header.box_public
        if challenged:
            peer.challenge = body.challenge
        self.link(sender).answered((header.box_public, box.public), challenged, now)
        call.seconds = now - call.sent_at
        if len(call.digests) == 1:
            peer.round_trip.sample(call.seconds)
        self.counters["responses"] += 1
        if isinstance(answer, Pong) and answer.roster:
            self.roster.heard(answer.roster, sender)
        self.openers.pop(sender, None)
        self.heard_from(sender)
        if challenged:
            self.greet(sender, now)
        if answer == Refusal(dht1.RETRY) and call.retries < RETRIES:
            call.retries += 1
            call.restart()
            self.attempt(call)
        else:
            self.finish(call, answer)
        self.release(sender)

    def pending(self, transaction: int, sender: Contact) -> Optional[Call]:
        """Step 5: nothing of a response is looked at that does not know what it answers."""
        for call in self.calls:
            if (call.transaction, call.contact) == (transaction, sender) and call.digests:
                return call if call.failed_known < FAILED_RESPONSES else None
        return None

    def open_response(
        self, datagram: bytes, header: Header, box: BoxKey, call: Call, known: bool
    ) -> tuple[Body, Response]:
        """Steps 8 to 11."""
        shared = (shared_key if known else dht1.shared_key)(header.box_public, box)
        signature, content = dht1.open_box(shared, datagram)
        try:
            body = Body.decode(content)
            answer = dht1.decode_response(body.operation, body.status, body.payload)
        except Malformed:
            raise Dropped("malformed") from None
        if body.operation != call.message.operation:
            raise Dropped("mismatch")
        for digest in reversed(call.digests):
            if self.check_signature(datagram, header, digest, signature, content):
                return body, answer
        raise Dropped("signature")

    # Answering: section 7

    def answer(self, message: Request, sender: Contact, live: bool, room: int) -> Response:
        """Only a live request changes anything; `room` is for the payload of the response."""
        if isinstance(message, Ping):
            if live and message.leaving:
                self.contacts.pop(sender.identity, None)
            return self.pong(sender.endpoint, room, message.roster or NONE)
        if isinstance(message, FindNode):
            everyone = self.closest(message.target, but=sender.identity)
            fitting = self.fitting(everyone, room - 1)
            return Nodes(fitting) if fitting or not everyone else Refusal(dht1.RETRY)
        if isinstance(message, FindValue):
            return self.found(message, sender, room)
        held = self.roster.held
        if isinstance(message, dht1.FindRoster):
            if not held:
                return Refusal(dht1.ABSENT)
            head = dht1.Rostered(held.head)
            return head if len(head.encode()) <= room else Refusal(dht1.RETRY)
        if isinstance(message, dht1.Join):
            return Refusal(dht1.ABSENT)
        if not live:
            return Refusal(dht1.RETRY)
        if isinstance(message, dht1.FindChunk):
            ours = held and held.head.text.digest == message.content
            chunk = held.chunk(message.part, message.chunk) if held and ours else None
            return dht1.Chunk(chunk) if chunk else Refusal(dht1.ABSENT)
        if isinstance(message, dht1.PassOn):
            return Refusal(dht1.UNAVAILABLE)  # this node has one family only
        if message.record.kind == dht1.REFERENCE:
            return Refusal(dht1.UNAVAILABLE)  # this node keeps no content
        return self.keep(message.record, message.condition, sender.identity)

    def pong(self, observed: Endpoint, room: int, shown: dht1.Mark) -> Pong:
        bound = not ipaddress.ip_address(self.endpoint.address).is_unspecified
        view = dht1.View(unix_milliseconds())  # this node grades nobody
        mark = None if self.roster.mark == shown else self.roster.mark
        return Pong(observed, [self.endpoint] if bound else [], view, mark).fitting(room)

    def found(self, message: FindValue, sender: Contact, room: int) -> Response:
        now = unix_milliseconds()
        live = self.store.live(message.location, message.author, now, reader=sender.identity)
        wanted = live[message.offset :]
        records = self.fitting(wanted, room - 4)
        everyone = self.closest(message.location, but=sender.identity)
        used = sum(len(record.encode()) for record in records)
        contacts = self.fitting(everyone, room - 4 - used)
        if not records and (wanted or everyone and not contacts):
            return Refusal(dht1.RETRY)
        return Found(len(live), records, contacts)

    @staticmethod
    def fitting(parts: list[Any], room: int) -> list[Any]:
        """As many from the front as fit, so that an offset can go on behind them."""
        count, used = 0, 0
        while count < len(parts) and used + len(parts[count].encode()) <= room:
            used += len(parts[count].encode())
            count += 1
        return parts[:count]

    def keep(self, record: Record, condition: Optional[int], sender: bytes) -> Response:
        now = unix_milliseconds()
        refused = self.store.offer(record, condition, now, sender)
        if refused:
            return refused
        near = [c.node_id for c in self.closest(record.location)][: dht1.K - 1]
        prefixes = [int.from_bytes(node_id[:4], "big") for node_id in near]
        hider = self.store.hider(record, now)
        hidden_by = int.from_bytes(dht1.sha1(hider)[:4], "big") if hider else 0
        told = [prefix for prefix in prefixes if prefix]  # 0 ends the list
        return Stored((record.expiry - now) // 1000, told, hidden_by)

    def closest(self, target: bytes, but: bytes = b"") -> list[Contact]:
        known = [Contact(i, e) for i, e in self.contacts.items() if i != but]
        return sorted(known, key=lambda c: distance(c.node_id, target))[: dht1.K]

    # Sending: sections 3, 5 and 10

    def respond(
        self, to: Contact, asked: Header, request: Body, digest: bytes, response: Response,
        live: bool,
    ) -> None:
        challenge = dht1.NO_CHALLENGE
        if not live:
            challenge = self.sessions.challenge(to, asked.box_public, self.now())
        counted, payload = self.peer(to.identity).counter, response.encode()
        body = Body(request.operation, response.status, counted, challenge, payload)
        length = dht1.fitting_length(payload)
        self.send(dht1.RESPONSE, to, asked.box_public, request.number, body.encode(length), digest)

    def send(
        self, kind: int, to: Contact, box_public: Optional[bytes], number: int, body: bytes,
        digest: bytes,
    ) -> bytes:
        """To a box key, or to the static key if that is None; `number` is the header's. The
        digest of the signed input."""
        key_id = dht1.box_key_id(box_public) if box_public else 0
        header = Header(kind, key_id, number, self.key.identity, self.box.public)
        shared = shared_key(box_public or dht1.static_public(to.identity), self.box)
        datagram, signed = dht1.seal(
            self.network, self.key, header, to.identity, shared, os.urandom(24), body, digest
        )
        self.send_raw(to.endpoint, datagram)
        return signed

    def send_raw(self, to: Endpoint, datagram: bytes) -> bool:
        try:
            self.socket.sendto(datagram, to)
        except OSError:
            self.counters["unsendable"] += 1
            return False
        if self.watch:
            self.watch(True, to, datagram)
        self.counters["sent"] += 1
        return True

    def ask(
        self, contact: Contact, message: Request,
        then: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        call = Call(contact, message, then)
        self.calls.append(call)
        if self.is_usable(contact):
            self.attempt(call)
        else:
            self.finish(call, None)
        return call

    def is_usable(self, contact: Contact) -> bool:
        """Admitted, not ourselves, and at a unicast address that our socket reaches."""
        address = ipaddress.ip_address(contact.endpoint.address)
        bad = address.is_multicast or address.is_unspecified or not contact.endpoint.port
        if address.version == 4:
            bad = bad or not 0 < address.packed[0] < 224
        else:
            bad = bad or address.is_link_local
        same_family = address.version == ipaddress.ip_address(self.endpoint.address).version
        ours = contact.identity == self.key.identity
        return contact.identity in self.admitted and not ours and same_family and not bad

    def link(self, contact: Contact) -> Link:
        return self.links.setdefault(contact, Link())

    def expects_life(self, contact: Contact) -> bool:
        keys = (self.peer(contact.identity).box_public, self.box.public)
        return self.link(contact).expects_life(keys, self.now())

    def attempt(self, call: Call) -> None:
        """Transmits, or waits in place of a transmission."""
        call.attempts += 1
        self.set_deadline(call)
        if self.must_wait(call):
            call.waits = True
        else:
            self.transmit(call)

    def must_wait(self, call: Call) -> bool:
        """One request opens a conversation with a peer that may not know us, or is silent."""
        contact, silent = call.contact, False
        if call.digests:
            silent = self.link(contact).answered_at <= call.first_sent_at
        expected = self.expects_life(contact)
        if expected and not silent:
            return False
        opener = self.openers.get(contact)
        if opener and opener is not call:
            return True
        if call.wants_prelude and not expected:
            self.ask(contact, Ping())
            return contact in self.openers
        self.openers[contact] = call
        return False

    def transmit(self, call: Call) -> None:
        call.waits = False
        now, contact, peer = self.now(), call.contact, self.peer(call.contact.identity)
        if isinstance(call.message, Ping):
            call.message = Ping(call.message.leaving, self.roster.shown())
        message, box_public, pads = call.message, peer.box_public, not self.expects_life(contact)
        if call.digests and self.link(contact).answered_at <= call.sent_at:
            box_public, pads = None, True
        least = ANSWER_LENGTH.get(message.operation, 0) if pads else 0
        length = dht1.fitting_length(message.encode(), least)
        if self.may_send(contact.endpoint, message, length, now):
            body = Body(
                message.operation, dht1.OK, call.transaction, peer.challenge, message.encode()
            ).encode(length)
            peer.counter += 1
            if not call.digests:
                call.first_sent_at = now
            call.sent_at = now
            call.digests.append(
                self.send(dht1.REQUEST, contact, box_public, peer.counter, body, dht1.NO_DIGEST)
            )
        else:
            self.counters["unproved"] += 1
            if not call.digests:
                self.finish(call, None)
        self.set_deadline(call)

    def set_deadline(self, call: Call) -> None:
        trip = self.peer(call.contact.identity).round_trip
        call.deadline = self.now() + trip.timeout(call.attempts - 1)

    def release(self, contact: Contact) -> None:
        """What waited for an answer goes."""
        for call in [c for c in self.calls if c.contact == contact and c.waits]:
            if call in self.calls and not self.must_wait(call):
                self.transmit(call)

    def greet(self, contact: Contact, now: float) -> None:
        """It does not know us: a PING with the challenge makes us known."""
        link = self.link(contact)
        if self.contacts.get(contact.identity) != contact.endpoint:
            return
        if now - link.greeted_at >= GREETING_PAUSE:
            link.greeted_at = now
            self.ask(contact, Ping())

    def may_send(self, endpoint: Endpoint, message: Request, length: int, now: float) -> bool:
        """An address that never answered gets two short PINGs in 30 seconds."""
        if endpoint in self.answered:
            return True
        recent = [t for t in self.pings.get(endpoint, []) if now - t < PING_PAUSE]
        if message.operation != dht1.PING or length != dht1.LENGTHS[0] or len(recent) >= PINGS:
            return False
        self.pings[endpoint] = recent + [now]
        return True

    def time_out(self, call: Call) -> None:
        if call.attempts < TRANSMISSIONS:
            self.attempt(call)
            return
        if self.contacts.get(call.contact.identity) == call.contact.endpoint:
            del self.contacts[call.contact.identity]
        self.counters["timeouts"] += 1
        self.finish(call, None)

    def finish(self, call: Call, answer: Optional[Response]) -> None:
        self.calls.remove(call)
        call.answer, call.done = answer, True
        if self.openers.get(call.contact) is call:
            del self.openers[call.contact]  # whoever waits has its turn at its next time-out
        call.then(call)

    # Contacts

    def follow(self, contact: Contact) -> None:
        """Somebody wrote to us, or was named: it is asked whether it is there, now and then."""
        now = self.now()
        if now - self.followed.get(contact, -math.inf) >= FOLLOW_PAUSE:
            self.followed[contact] = now
            self.verify(contact)

    def verify(self, contact: Contact) -> None:
        """A contact enters the list by answering a PING."""
        if all(call.contact != contact for call in self.calls):
            self.ask(contact, Ping())

    def heard_live(self, sender: Contact, proved: bool) -> None:
        """Who proves an address enters the list by that; any other stranger by answering."""
        if proved:
            self.heard_from(sender)
        elif self.contacts.get(sender.identity) != sender.endpoint:
            self.follow(sender)

    def heard_from(self, contact: Contact) -> None:
        self.answered.add(contact.endpoint)
        is_new = contact.identity not in self.contacts
        self.contacts[contact.identity] = contact.endpoint
        if is_new and contact in self.closest(self.key.node_id):
            self.ask(contact, FindNode(self.key.node_id), self.meet)

    def meet(self, call: Call) -> None:
        for named in call.answer.contacts if isinstance(call.answer, Nodes) else ():
            for contact in [Contact(named.identity, endpoint) for endpoint in named.endpoints]:
                if contact.identity not in self.contacts and self.is_usable(contact):
                    self.follow(contact)

    def wait(self, calls: list[Call]) -> None:
        while not all(call.done for call in calls):
            self.turn(1)
