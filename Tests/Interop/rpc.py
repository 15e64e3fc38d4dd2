"""A node's requests and responses over UDP: sections 3 to 7 and 9 of docs/protocol.md, in one
thread. It keeps all known contacts in one list and does not republish."""

from __future__ import annotations

import functools
import ipaddress
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
from peer import TOKEN_EPOCH, FirstContactLane, Peer
from store import RecordStore

BOX_PERIOD = 86_400
TRANSMISSIONS = 3
FAILED_RESPONSES = 3
PINGS, PING_PAUSE = 2, 30
JOIN_PAUSE = 2
RETRIES = 2
ANSWER_LENGTH = {dht1.FIND_NODE: 768, dht1.FIND_VALUE: 1232}
COUNTED_FAILURES = {"key", "box", "malformed", "mismatch", "signature"}

shared_key = functools.lru_cache(maxsize=4096)(dht1.shared_key)


def distance(left: bytes, right: bytes) -> int:
    return int.from_bytes(left, "big") ^ int.from_bytes(right, "big")


def unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Call:
    """A request and its transmissions, until it is answered or has failed."""

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
        """A new request: after `retry` the same message goes with the token just learnt."""
        self.transaction = os.urandom(8)
        self.digests: list[bytes] = []
        self.failures = 0
        self.sent_at = self.deadline = 0.0


class Node:
    def __init__(
        self, key: SigningKey, network: Network, admitted: set[bytes], listen: Endpoint,
        configured: list[Contact],
    ) -> None:
        self.key, self.network, self.admitted = key, network, admitted
        self.header_key = network.header_key(key.identity)
        self.configured = {c.identity: c.endpoint for c in configured}
        self.counters: Counter[str] = Counter()
        self.counter = self.start = time.time_ns() // 1000
        self.began = self.box_made = time.monotonic()
        self.token_secret = os.urandom(32)
        self.box, self.previous_box = BoxKey.of(os.urandom(32)), None
        self.peers: dict[bytes, Peer] = {}
        self.lane = FirstContactLane(self.began)
        self.contacts: dict[bytes, Endpoint] = {}
        self.answered = set(self.configured.values())
        self.pings: dict[Endpoint, list[float]] = {}
        self.calls: list[Call] = []
        self.joined_at = -float(JOIN_PAUSE)
        self.store = RecordStore(admitted | {key.identity})
        self.revisions: dict[bytes, int] = {}
        family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.setblocking(False)
        self.socket.bind(listen)
        self.endpoint = Endpoint(*self.socket.getsockname()[:2])

    # The loop

    def turn(self, patience: float, also: Iterable[int] = ()) -> list[int]:
        """Waits for a datagram, a deadline, or one of the other descriptors, which it returns."""
        now = time.monotonic()
        deadlines = [call.deadline for call in self.calls]
        wait = max(0.0, min([patience] + [deadline - now for deadline in deadlines]))
        ready = select.select([self.socket, *also], [], [], wait)[0]
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
        now = time.monotonic()
        for call in [call for call in self.calls if call.deadline <= now]:
            if call in self.calls:
                self.time_out(call)
        if now - self.box_made > BOX_PERIOD:
            self.box, self.previous_box = BoxKey.of(os.urandom(32)), self.box
            self.box_made = now
        if now - self.joined_at >= JOIN_PAUSE:
            self.joined_at = now
            for identity, endpoint in self.configured.items():
                if identity not in self.contacts:
                    self.verify(Contact(identity, endpoint))
            epoch = self.token_epoch()
            for peer in self.peers.values():
                peer.forget_epochs_before(epoch - 1)
            self.pings = {e: p for e, p in self.pings.items() if now - p[-1] < PING_PAUSE}

    # Receiving: section 4

    def receive(self, datagram: bytes, source: Endpoint) -> None:
        self.counters["received"] += 1
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
            self.peers[identity] = Peer(self.start, time.monotonic())
        return self.peers[identity]

    def box_for(self, key_id: int) -> BoxKey:
        if key_id == 0:
            return self.key.static
        for box in (self.box, self.previous_box):
            if box and box.id == key_id:
                return box
        raise Dropped("key")

    def accept_request(self, datagram: bytes, header: Header, source: Endpoint) -> None:
        now, peer = time.monotonic(), self.peer(header.sender)
        peer.check_unseen(header.counter)
        box = self.box_for(header.key_id)
        known = header.box_public == peer.box_public
        if not known and not self.lane.take(source, now):
            raise Dropped("lane")
        # Only keys of admitted peers that were accepted before may push others out of the cache.
        shared = (shared_key if known else dht1.shared_key)(header.box_public, box)
        signature, content = dht1.open_box(shared, datagram)
        try:
            body = Body.decode(content)
            message = dht1.decode_request(body.operation, body.status, body.payload)
        except Malformed:
            raise Dropped("malformed") from None
        digest = self.check_signature(datagram, header, dht1.NO_DIGEST, signature, content)
        if digest is None:
            raise Dropped("signature")
        if not peer.budget.take(now):
            raise Dropped("budget")
        epoch = self.epoch_of(header.sender, source, body.token)
        peer.check_replay(header.counter, epoch, now)
        if isinstance(message, Store) and not message.record.is_genuine(self.network):
            raise Dropped("record")
        peer.commit(header.counter, epoch, now)
        if epoch is not None:
            peer.box_public = header.box_public
        self.counters["requests"] += 1
        live, sender = epoch is not None, Contact(header.sender, source)
        room = dht1.LENGTHS[-1] if live else len(datagram)
        response = self.answer(message, sender, live, room - dht1.OVERHEAD)
        self.respond(sender, header, body, digest, response)
        if live and self.contacts.get(sender.identity) != source and message != Ping(True):
            self.verify(sender)

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
        sender = Contact(header.sender, source)
        calls = [c for c in self.calls if c.contact == sender and c.failures < FAILED_RESPONSES]
        if not calls:
            raise Dropped("unsolicited")
        try:
            call, body, answer = self.open_response(datagram, header, calls)
        except Dropped as dropped:
            for call in calls if dropped.reason in COUNTED_FAILURES else ():
                call.failures += 1
            raise
        now, peer = time.monotonic(), self.peer(header.sender)
        peer.remember(header.box_public, body.token, now)
        call.seconds = now - call.sent_at
        if len(call.digests) == 1:
            peer.round_trip.sample(call.seconds)
        self.counters["responses"] += 1
        self.heard_from(sender)
        if answer == Refusal(dht1.RETRY) and call.retries < RETRIES:
            call.retries += 1
            call.restart()
            self.transmit(call)
        else:
            self.finish(call, answer)

    def open_response(
        self, datagram: bytes, header: Header, calls: list[Call]
    ) -> tuple[Call, Body, Response]:
        if header.key_id == 0:
            raise Dropped("key")
        shared = shared_key(header.box_public, self.box_for(header.key_id))
        signature, content = dht1.open_box(shared, datagram)
        try:
            body = Body.decode(content)
            answer = dht1.decode_response(body.operation, body.status, body.payload)
        except Malformed:
            raise Dropped("malformed") from None
        for call in calls:
            if (call.transaction, call.message.operation) == (body.transaction, body.operation):
                break
        else:
            raise Dropped("mismatch")
        for digest in reversed(call.digests):
            if self.check_signature(datagram, header, digest, signature, content):
                return call, body, answer
        raise Dropped("signature")

    # Tokens: section 5

    def token_epoch(self) -> int:
        return int(time.monotonic() - self.began) // TOKEN_EPOCH

    def token(self, contact: Contact, epoch: int) -> bytes:
        content = dht1.number(epoch, 8) + contact.encode()
        return dht1.blake2b(content, 8, self.token_secret)

    def epoch_of(self, identity: bytes, source: Endpoint, token: bytes) -> Optional[int]:
        """The epoch of a good token, None if it is not good."""
        now = self.token_epoch()
        for epoch in (now, now - 1):
            if epoch >= 0 and token == self.token(Contact(identity, source), epoch):
                return epoch
        return None

    # Answering: section 7

    def answer(self, message: Request, sender: Contact, live: bool, room: int) -> Response:
        """Only a live request changes anything; `room` is for the payload of the response."""
        if isinstance(message, Ping):
            if live and message.leaving:
                self.contacts.pop(sender.identity, None)
            return self.pong(sender.endpoint, room)
        if isinstance(message, FindNode):
            everyone = self.closest(message.target, but=sender.identity)
            fitting = self.fitting(everyone, room - 1)
            return Nodes(fitting) if fitting or not everyone else Refusal(dht1.RETRY)
        if isinstance(message, FindValue):
            return self.found(message, sender, room)
        if not live:
            return Refusal(dht1.RETRY)
        if isinstance(message, dht1.FindChunk):
            return Refusal(dht1.ABSENT)
        if message.record.kind == dht1.REFERENCE:
            return Refusal(dht1.UNAVAILABLE)  # this node keeps no content
        return self.keep(message.record, message.condition)

    def pong(self, observed: Endpoint, room: int) -> Pong:
        if ipaddress.ip_address(self.endpoint.address).is_unspecified:
            return Pong(observed, [])
        full = Pong(observed, [self.endpoint])
        return full if len(full.encode()) <= room else Pong(observed, [])

    def found(self, message: FindValue, sender: Contact, room: int) -> Response:
        live = self.store.live(message.location, message.author, unix_milliseconds())
        wanted = live[message.offset :]
        records = self.fitting(wanted, room - 4)
        everyone = self.closest(message.location, but=sender.identity)
        used = sum(len(record.encode()) for record in records)
        contacts = self.fitting(everyone, room - 4 - used)
        if (wanted or everyone) and not records and not contacts:
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

    def keep(self, record: Record, condition: Optional[int]) -> Response:
        now = unix_milliseconds()
        refused = self.store.offer(record, condition, now)
        if refused:
            return refused
        near = [c.node_id for c in self.closest(record.location)][: dht1.K - 1]
        prefixes = [int.from_bytes(node_id[:4], "big") for node_id in near]
        hider = self.store.hider(record)
        hidden_by = int.from_bytes(dht1.sha1(hider)[:4], "big") if hider else 0
        return Stored((record.expiry - now) // 1000, prefixes, hidden_by)

    def closest(self, target: bytes, but: bytes = b"") -> list[Contact]:
        known = [Contact(i, e) for i, e in self.contacts.items() if i != but]
        return sorted(known, key=lambda c: distance(c.node_id, target))[: dht1.K]

    # Sending: sections 3, 5 and 10

    def respond(
        self, to: Contact, asked: Header, request: Body, digest: bytes, response: Response
    ) -> None:
        token, payload = self.token(to, self.token_epoch()), response.encode()
        body = Body(request.operation, response.status, request.transaction, token, payload)
        length = dht1.fitting_length(payload)
        self.send(dht1.RESPONSE, to, asked.box_public, body.encode(length), digest)

    def send(
        self, kind: int, to: Contact, box_public: Optional[bytes], body: bytes, digest: bytes
    ) -> bytes:
        """To a box key, or to the static key if that is None. The digest of the signed input."""
        self.counter += 1
        key_id = dht1.box_key_id(box_public) if box_public else 0
        header = Header(kind, key_id, self.counter, self.key.identity, self.box.public)
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
        self.counters["sent"] += 1
        return True

    def ask(
        self, contact: Contact, message: Request,
        then: Callable[[Call], None] = lambda call: None,
    ) -> Call:
        call = Call(contact, message, then)
        self.calls.append(call)
        if self.is_usable(contact):
            self.transmit(call)
        else:
            self.finish(call, None)
        return call

    def is_usable(self, contact: Contact) -> bool:
        """Admitted, not ourselves, and at a unicast address that our socket reaches."""
        address = ipaddress.ip_address(contact.endpoint.address)
        bad = address.is_multicast or address.is_unspecified or not contact.endpoint.port
        if address.version == 4:
            bad = bad or address.is_reserved
        same_family = address.version == ipaddress.ip_address(self.endpoint.address).version
        ours = contact.identity == self.key.identity
        return contact.identity in self.admitted and not ours and same_family and not bad

    def transmit(self, call: Call) -> None:
        now, contact, peer = time.monotonic(), call.contact, self.peer(call.contact.identity)
        token, message = peer.token(now), call.message
        least = 0 if token else ANSWER_LENGTH.get(message.operation, 0)
        length = dht1.fitting_length(message.encode(), least)
        if not self.may_send(contact.endpoint, message, length, now):
            self.counters["unproved"] += 1
            if not call.digests:
                self.finish(call, None)
                return
        else:
            body = Body(message.operation, dht1.OK, call.transaction, token or dht1.NO_TOKEN,
                        message.encode()).encode(length)
            box_public = None if call.digests else peer.box_public
            call.digests.append(
                self.send(dht1.REQUEST, contact, box_public, body, dht1.NO_DIGEST)
            )
            call.sent_at = now
        call.deadline = now + peer.round_trip.timeout(max(0, len(call.digests) - 1))

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
        before = len(call.digests)
        if before < TRANSMISSIONS:
            self.transmit(call)
        if len(call.digests) == before:
            if self.contacts.get(call.contact.identity) == call.contact.endpoint:
                del self.contacts[call.contact.identity]
            self.counters["timeouts"] += 1
            self.finish(call, None)

    def finish(self, call: Call, answer: Optional[Response]) -> None:
        self.calls.remove(call)
        call.answer, call.done = answer, True
        call.then(call)

    # Contacts

    def verify(self, contact: Contact) -> None:
        """A contact enters the list by answering a PING."""
        if all(call.contact != contact for call in self.calls):
            self.ask(contact, Ping())

    def heard_from(self, contact: Contact) -> None:
        self.answered.add(contact.endpoint)
        is_new = contact.identity not in self.contacts
        self.contacts[contact.identity] = contact.endpoint
        if is_new and contact in self.closest(self.key.node_id):
            self.ask(contact, FindNode(self.key.node_id), self.meet)

    def meet(self, call: Call) -> None:
        for contact in call.answer.contacts if isinstance(call.answer, Nodes) else ():
            if contact.identity not in self.contacts and self.is_usable(contact):
                self.verify(contact)

    def wait(self, calls: list[Call]) -> None:
        while not all(call.done for call in calls):
            self.turn(1)
