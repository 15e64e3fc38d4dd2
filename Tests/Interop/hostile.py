#!/usr/bin/python3
"""A node that does what no honest one does; what, says the command line. Commands as of node.py, and
those of `HostileConsole`."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from typing import Any, Optional

import dht1
import node
import peer
import rpc
from dht1 import (
    Body, BoxKey, Chunk, Contact, Endpoint, FindChunk, FindNode, FindValue, Found, Header, Network,
    Nodes, Ping, Record, Reference, Refusal, Request, Response, SigningKey, Store, Stored, Wanted,
)
from node import Console
from rpc import Call, Node

# Members answer where nobody is, and others at what is no address.
NOWHERE = [Endpoint("127.0.0.1", 9)]
NO_ADDRESSES = [Endpoint(*place) for place in (
    ("0.0.0.0", 4100), ("127.0.0.1", 0), ("224.0.0.1", 4100), ("255.255.255.255", 4100),
    ("::", 4100), ("ff02::1", 4100), ("fe80::1", 4100),
)]
ROTATION = 1.0
BURST, PAUSE = 64, 0.002


class HostileNode(Node):
    """Answers like an honest node where no option says otherwise."""

    def __init__(self, options: argparse.Namespace, *fields: Any) -> None:
        super().__init__(*fields)
        self.options = options
        self.chance = random.Random(options.seed)
        self.contents: dict[bytes, bytes] = {}
        self.late: list[tuple[float, tuple[Any, ...]]] = []
        self.rotated_at = self.now()

    def tick(self) -> None:
        super().tick()
        now = self.now()
        if self.options.loses and now - self.rotated_at > ROTATION:
            self.rotated_at = now
            self.rotate()
            self.counters["rotated"] += 1
            for known in list(self.contacts.items()):
                self.ask(Contact(*known), Ping())
        while self.late and self.late[0][0] <= now:
            super().respond(*self.late.pop(0)[1])

    # What it says

    def answer(self, message: Request, sender: Contact, live: bool, room: int) -> Response:
        if isinstance(message, Store) and live:
            return self.answer_store(message.record, sender)
        if isinstance(message, FindChunk) and live and message.content in self.contents:
            return self.answer_chunk(message)
        if isinstance(message, (FindNode, FindValue)) and (lies := self.lies(message, room)):
            return lies
        return super().answer(message, sender, live, room)

    def answer_store(self, record: Record, sender: Contact) -> Response:
        if self.options.wants and record.kind == dht1.REFERENCE:
            return Wanted(0)
        if self.options.loses:
            return Stored(record.lifetime, [])
        return super().answer(Store(record), sender, True, dht1.LENGTHS[-1] - dht1.OVERHEAD)

    def lies(self, message: Request, room: int) -> Optional[Response]:
        named: list[Contact] = []
        absent = sorted(self.admitted - set(self.contacts) - {self.key.identity})
        if self.options.ghosts:
            named = [Contact(one, place) for one in absent for place in NOWHERE]
        if self.options.addresses:
            present = sorted(self.contacts)
            named = [Contact((present + absent)[i % len(present + absent)], place)
                     for i, place in enumerate(NO_ADDRESSES)]
        isValue = isinstance(message, FindValue)
        if not named and not (self.options.loses and isValue):
            return None
        named = self.fitting(named[: dht1.K], room - (4 if isValue else 1))
        return Found(0, [], named) if isValue else Nodes(named)

    def answer_chunk(self, message: FindChunk) -> Response:
        content = self.contents[message.content]
        if message.part == dht1.OUTLINE:
            part = dht1.outline(content)
        else:
            part = content[message.part * dht1.PIECE :][: dht1.PIECE]
        chunk = part[message.chunk * dht1.CHUNK :][: dht1.CHUNK]
        if not chunk:
            return Refusal(dht1.ABSENT)
        is_piece = message.part != dht1.OUTLINE
        return Chunk(os.urandom(len(chunk)) if self.options.wrong_pieces and is_piece else chunk)

    def respond(
        self, to: Contact, asked: Header, request: Body, digest: bytes, response: Response,
        live: bool,
    ) -> None:
        said = (to, asked, request, digest, response, live)
        for _ in range(self.options.junk):
            self.send_junk(to, asked, request.number)
        for _ in range(self.options.blind):
            self.send_junk(to, asked, self.chance.getrandbits(64))
        is_piece = isinstance(response, Chunk) and request.payload[32:34] != b"\xff\xff"
        if is_piece and self.options.announces:
            return
        if is_piece and self.options.slow:
            last = self.late[-1][0] if self.late else self.now()
            self.late.append((max(last, self.now()) + self.options.slow, said))
            return
        super().respond(*said)

    def send_junk(self, to: Contact, asked: Header, transaction: int) -> None:
        """As whoever has the network key could: a box of noise, from a box key nobody saw yet."""
        nonce, box = os.urandom(24), BoxKey.of(os.urandom(32))
        key_id = dht1.box_key_id(asked.box_public)
        head = Header(dht1.RESPONSE, key_id, transaction, self.key.identity, box.public).encode()
        masked = dht1.sodium.crypto_secretbox(head, nonce, self.network.header_key(to.identity))
        length = self.chance.choice(dht1.LENGTHS)
        self.send_raw(to.endpoint, nonce + masked + os.urandom(length - 120))

    # What it asks

    def announce(self, key: bytes, length: int) -> None:
        """Offers content to everybody, again and again as long as it is wanted."""
        content = self.chance.randbytes(length)
        reference = Reference.of(content)
        self.contents[reference.digest] = content
        record = Record.make(
            self.network, self.key, dht1.REFERENCE, key, rpc.unix_milliseconds() << 16, 3600,
            reference.encode(),
        )
        for contact in [Contact(*known) for known in self.contacts.items()]:
            self.ask(contact, Store(record), self.offer_again)

    def offer_again(self, call: Call) -> None:
        if not isinstance(call.answer, Wanted):
            name = call.answer and f"{type(call.answer).__name__} {call.answer.status}"
            self.counters[f"announced: {name}"] += 1
            return
        again = self.ask(call.contact, call.message, self.offer_again)
        if again in self.calls and not again.waits:
            again.deadline += 0.5

    def first_contact(self, to: Contact, box: BoxKey, number: int, message: Request) -> "Sealed":
        """Of a process that nobody knows, boxed for the static key."""
        transaction = self.chance.getrandbits(64)
        payload = message.encode()
        length = dht1.fitting_length(payload, rpc.ANSWER_LENGTH.get(message.operation, 0))
        body = Body(message.operation, dht1.OK, transaction, dht1.NO_CHALLENGE, payload)
        header = Header(dht1.REQUEST, 0, number, self.key.identity, box.public)
        shared = dht1.shared_key(dht1.static_public(to.identity), box)
        datagram, _ = dht1.seal(
            self.network, self.key, header, to.identity, shared, os.urandom(24),
            body.encode(length),
        )
        return transaction, datagram


Sealed = tuple[int, bytes]


class HostileConsole(Console):
    """announce KEY LENGTH: offers content to all known nodes.
    capture: sends the first peer a request of each kind, live and as a first contact of a process
    of its own, and remembers the datagrams.
    replay COUNT: sends each of those so often, from its own address and from another by turns;
    `answers`: how often each was answered.
    many COUNT: asks the first peer so much at once. finished: what became of it."""

    def __init__(self, lying: HostileNode) -> None:
        super().__init__(lying)
        self.lying = lying
        self.captured: dict[str, Sealed] = {}
        self.answers: Counter[int] = Counter()
        self.asked: list[Call] = []
        self.commands |= {
            "announce": self.announce, "capture": self.capture, "replay": self.replay,
            "many": self.many, "finished": self.finished,
        }

    @property
    def target(self) -> Contact:
        return Contact(*next(iter(self.node.configured.items())))

    def announce(self, key: str, length: str) -> dict[str, Any]:
        self.lying.announce(node.parse_key(key), int(length))
        return {"ok": True}

    def kinds(self) -> dict[str, Request]:
        """One of each; what they ask to keep nobody has yet."""
        network, key = self.node.network, self.node.key
        record = Record.make(
            network, key, dht1.VALUE, os.urandom(8), rpc.unix_milliseconds() << 16, 3600, b"value"
        )
        return {
            "ping": Ping(), "find node": FindNode(os.urandom(20)),
            "find value": FindValue(os.urandom(20)), "store": Store(record),
            "find chunk": FindChunk(os.urandom(32), 0, 0),
        }

    def capture(self) -> dict[str, Any]:
        sent: list[bytes] = []
        target = self.target
        self.node.wait([self.node.ask(target, Ping())])
        self.node.watch = lambda is_sent, _, datagram: sent.append(datagram) if is_sent else None
        for name, message in self.kinds().items():
            sent.clear()
            call = self.node.ask(target, message)
            self.node.wait([call])
            if not call.answer or len(call.digests) != 1 or call.retries:
                return {"ok": False, "error": f"{name} was not live"}
            self.captured[f"live {name}"] = (call.transaction, sent[0])
        self.node.watch = None
        box = BoxKey.of(os.urandom(32))
        for number, (name, message) in enumerate(self.kinds().items(), 1):
            sealed = self.lying.first_contact(target, box, number, message)
            self.captured[f"first {name}"] = sealed
            self.node.send_raw(target.endpoint, sealed[1])
        return self.count_answers(1.0)

    def count_answers(self, quiet: float) -> dict[str, Any]:
        """Until none came for so long; `answers` of each since it was last asked."""
        heard, last = [], time.monotonic()
        self.node.watch = lambda is_sent, _, datagram: None if is_sent else heard.append(datagram)
        while time.monotonic() - last < quiet:
            if heard:
                last = time.monotonic()
            for datagram in heard:
                self.note_answer(datagram)
            heard.clear()
            self.node.turn(0.05)
        self.node.watch = None
        counts = {name: self.answers[sealed[0]] for name, sealed in self.captured.items()}
        self.answers.clear()
        return {"ok": True, "answers": counts}

    def note_answer(self, datagram: bytes) -> None:
        try:
            header = dht1.open_header(self.node.header_key, datagram)
        except dht1.Dropped:
            return
        if header.kind == dht1.RESPONSE:
            self.answers[header.number] += 1

    def replay(self, count: str) -> dict[str, Any]:
        elsewhere = rpc.socket.socket(rpc.socket.AF_INET, rpc.socket.SOCK_DGRAM)
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.setblocking(False)
        sent = 0
        with elsewhere:
            for round_number in range(int(count)):
                for _, datagram in self.captured.values():
                    ours = self.node.socket if round_number % 2 else elsewhere
                    ours.sendto(datagram, self.target.endpoint)
                    sent += 1
                    if sent % BURST == 0:
                        time.sleep(PAUSE)
            result = self.count_answers(1.0)
            while True:
                try:
                    self.note_answer(elsewhere.recv(2048))
                except BlockingIOError:
                    break
        for name, sealed in self.captured.items():
            result["answers"][name] += self.answers[sealed[0]]
        self.answers.clear()
        return result | {"sent": sent}

    def many(self, count: str) -> dict[str, Any]:
        self.asked = []
        while len(self.asked) < int(count):
            kinds = self.kinds()
            for name in ("ping", "find value", "store"):
                if len(self.asked) < int(count):
                    self.asked.append(self.node.ask(self.target, kinds[name]))
        return {"ok": True}

    def finished(self) -> dict[str, Any]:
        done = [call for call in self.asked if call.done]
        return {
            "ok": True, "finished": len(done), "answered": sum(bool(c.answer) for c in done),
            "transmissions": max((len(call.digests) for call in done), default=0),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", required=True, type=bytes.fromhex)
    parser.add_argument("--network", required=True, type=bytes.fromhex)
    parser.add_argument("--allow", required=True, type=node.read_allowlist)
    parser.add_argument("--listen", default="127.0.0.1:0", type=node.parse_endpoint)
    parser.add_argument("--peer", action="append", default=[], type=node.parse_peer)
    for name, about in {
        "wants": "answers STORE of a reference by `wanted`, and fetches nothing",
        "announces": "delivers the outline of what it announces, and no piece",
        "ghosts": "names members where nobody is, in the place of contacts",
        "addresses": "names members at what is no address",
        "wrong-pieces": "gives noise for pieces of what it announces",
        "loses": "says of all it keeps it, has nothing, and is another process each second",
    }.items():
        parser.add_argument(f"--{name}", action="store_true", help=about)
    parser.add_argument("--slow", type=float, default=0, help="seconds before each chunk")
    parser.add_argument("--junk", type=int, default=0, help="responses of noise before each answer")
    parser.add_argument("--blind", type=int, default=0, help="such that answer nothing")
    parser.add_argument("--patience", type=float, help="seconds of the least time-out")
    options = parser.parse_args()
    if options.patience:
        peer.LEAST_TIMEOUT = options.patience
    key, network = SigningKey.of(options.seed), Network(options.network)
    lying = HostileNode(options, key, network, options.allow, options.listen, options.peer)
    print("READY", node.peer_text(Contact(key.identity, lying.endpoint)), flush=True)
    HostileConsole(lying).run()


if __name__ == "__main__":
    sys.exit(main())
