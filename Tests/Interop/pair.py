"""For tests of one process: two nodes whose datagrams are caught, lost, changed, and sent again."""

from __future__ import annotations

import math
import time
import unittest
from typing import Callable, Optional

import dht1
import rpc
import vectors
from dht1 import Contact, Endpoint, Record
from rpc import Call, Node

Wire = Callable[[Endpoint, bytes], Optional[bytes]]
ANYWHERE = Endpoint("127.0.0.1", 0)
ELSEWHERE = Endpoint("127.0.0.1", 9)


class CaughtNode(Node):
    """Remembers what it sends; `wire` may change it, or lose it by returning None. Its clock goes
    `ahead` as far as a test likes, and nothing is sent but what the test asks for."""

    def __init__(
        self, who: int, configured: list[Contact], listen: Endpoint = ANYWHERE, ahead: float = 0
    ) -> None:
        everyone = {person.identity for person in vectors.PEOPLE}
        self.ahead = ahead
        super().__init__(
            vectors.PEOPLE[who], vectors.NETWORKS[0], everyone, listen, configured
        )
        self.joined_at = math.inf
        self.sent: list[tuple[Endpoint, bytes]] = []
        self.wire: Wire = lambda to, datagram: datagram

    def now(self) -> float:
        return super().now() + self.ahead

    def meet(self, call: Call) -> None:
        """Nobody else is asked."""

    @property
    def contact(self) -> Contact:
        return Contact(self.key.identity, self.endpoint)

    def send_raw(self, to: Endpoint, datagram: bytes) -> bool:
        self.sent.append((to, datagram))
        passed = self.wire(to, datagram)
        return passed is None or super().send_raw(to, passed)


class Pair(unittest.TestCase):
    def setUp(self) -> None:
        self.second = self.node(1, [])
        self.first = self.node(0, [self.second.contact])

    def node(
        self, who: int, configured: list[Contact], listen: Endpoint = ANYWHERE, ahead: float = 0
    ) -> CaughtNode:
        made = CaughtNode(who, configured, listen, ahead)
        self.addCleanup(made.socket.close)
        return made

    def restarted(self, node: CaughtNode, configured: list[Contact]) -> CaughtNode:
        """A new process of the same identity in the same place."""
        node.socket.close()
        who = [person.identity for person in vectors.PEOPLE].index(node.key.identity)
        return self.node(who, configured, node.endpoint, node.ahead)

    def pass_time(self, seconds: float) -> None:
        self.first.ahead += seconds
        self.second.ahead += seconds

    def settle(self, *calls: Call) -> None:
        """Until the calls are done, and nothing is under way."""
        deadline = time.monotonic() + 20
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

    def record(self, key: bytes = b"k") -> Record:
        revision = rpc.unix_milliseconds() << 16
        return Record.make(self.first.network, self.first.key, dht1.VALUE, key, revision, 60, b"v")

    def header(self, node: CaughtNode, datagram: bytes) -> dht1.Header:
        return dht1.open_header(node.header_key, datagram)

    def opened(self, node: CaughtNode, datagram: bytes) -> tuple[dht1.Header, dht1.Body]:
        """As the node would that it is for."""
        header = self.header(node, datagram)
        shared = dht1.shared_key(header.box_public, node.box_for(header.key_id))
        return header, dht1.Body.decode(dht1.open_box(shared, datagram)[1])

    def sessions(self, node: CaughtNode) -> dict[bytes, list[Endpoint]]:
        """Of the other one: box keys and addresses."""
        other = self.second if node is self.first else self.first
        of_peer = node.sessions.of_peer.get(other.key.identity, {})
        return {box: session.addresses for box, session in of_peer.items()}
