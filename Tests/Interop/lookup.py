"""Iterative lookup, and put, get and delete on top of it: sections 7 and 8 of docs/protocol.md."""

from __future__ import annotations

from typing import Any, Callable, Optional

import dht1
from dht1 import (
    Contact, Endpoint, FindNode, FindValue, Found, Nodes, Ping, Record, Request, Response, Store,
    Stored,
)
from rpc import Call, Node, distance, unix_milliseconds
from store import is_far_ahead, merged

ALPHA = 3
PAGES = 64


class Lookup:
    """Asks ever closer nodes, three at a time, until the eight closest have answered."""

    def __init__(self, node: Node, target: bytes, message: Request) -> None:
        self.node, self.target, self.message = node, target, message
        self.hints: dict[bytes, list[Endpoint]] = {}
        self.asked: set[bytes] = set()
        self.in_flight = 0
        self.answers: dict[Contact, Response] = {}
        for identity, endpoint in [*node.contacts.items(), *node.configured.items()]:
            self.suggest(Contact(identity, endpoint))

    def suggest(self, contact: Contact) -> None:
        hints = self.hints.setdefault(contact.identity, [])
        for endpoint in contact.endpoints:
            if self.node.is_usable(Contact(contact.identity, endpoint)) and endpoint not in hints:
                hints.append(endpoint)

    def run(self) -> list[tuple[Contact, Response]]:
        while True:
            self.advance()
            if not self.in_flight:
                break
            self.node.turn(1)
        found = sorted(self.answers.items(), key=lambda a: distance(a[0].node_id, self.target))
        return found[: dht1.K]

    def advance(self) -> None:
        hoped = [identity for identity, endpoints in self.hints.items() if endpoints]
        hoped.sort(key=lambda identity: distance(dht1.sha1(identity), self.target))
        for identity in hoped[: dht1.K]:
            if identity not in self.asked and self.in_flight < ALPHA:
                self.asked.add(identity)
                self.in_flight += 1
                self.approach(identity)

    def approach(self, identity: bytes) -> None:
        """Asks at the next endpoint suggested, behind a PING if nobody has answered there."""
        if not self.hints[identity]:
            self.in_flight -= 1
            return
        contact = Contact(identity, self.hints[identity][0])
        if contact.endpoint in self.node.answered:
            self.node.ask(contact, self.message, self.answered)
        else:
            self.node.ask(contact, Ping(), self.proved)

    def proved(self, call: Call) -> None:
        if call.answer:
            self.node.ask(call.contact, self.message, self.answered)
        else:
            self.failed(call)

    def answered(self, call: Call) -> None:
        if not isinstance(call.answer, (Nodes, Found)):
            self.failed(call)
            return
        self.in_flight -= 1
        self.answers[call.contact] = call.answer
        for contact in call.answer.contacts:
            self.suggest(contact)

    def failed(self, call: Call) -> None:
        self.hints[call.contact.identity].remove(call.contact.endpoint)
        self.approach(call.contact.identity)


class Client:
    """Put, get and delete, from this node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def write(self, kind: int, key: bytes, value: bytes, lifetime: int) -> dict[str, Any]:
        for _ in range(3):
            revision = max(unix_milliseconds() << 16, self.node.revisions.get(key, 0) + 1)
            self.node.revisions[key] = revision
            record = Record.make(
                self.node.network, self.node.key, kind, key, revision, lifetime, value
            )
            replicas, refusals = self.store_everywhere(record)
            newer = [r.record for r in refusals if isinstance(r, dht1.Conflict) and r.record]
            ours = [r.revision for r in newer if r.key == key and r.author == record.author
                    and r.is_genuine(self.node.network)]
            if not ours:
                break
            self.node.revisions[key] = max(ours)
        return {
            "ok": bool(replicas), "stored": len(replicas), "revision": revision,
            "replicas": [identity.hex() for identity in replicas],
            "refused": [response.status for response in refusals],
        }

    def store_everywhere(self, record: Record) -> tuple[list[bytes], list[Response]]:
        """At the eight closest, ourselves perhaps among them, and at closer ones they name."""
        outcomes: dict[bytes, Optional[Response]] = {}
        for _ in range(2):
            found = Lookup(self.node, record.location, FindNode(record.location)).run()
            contacts = {contact.identity: contact for contact, _ in found}
            near = sorted([*contacts, self.node.key.identity],
                          key=lambda i: distance(dht1.sha1(i), record.location))[: dht1.K]
            fresh = [identity for identity in near if identity not in outcomes]
            if self.node.key.identity in fresh:
                outcomes[self.node.key.identity] = self.node.keep(record, None, self.node.key.identity)
            calls = [self.node.ask(contacts[i], Store(record)) for i in fresh if i in contacts]
            self.node.wait(calls)
            outcomes.update((call.contact.identity, call.answer) for call in calls)
            if not self.names_closer(record.location, outcomes):
                break
        replicas = [i for i, outcome in outcomes.items() if isinstance(outcome, Stored)]
        return replicas, [o for o in outcomes.values() if o and not isinstance(o, Stored)]

    @staticmethod
    def names_closer(location: bytes, outcomes: dict[bytes, Optional[Response]]) -> bool:
        def far(prefix: bytes) -> int:
            return distance(prefix, location[:4])

        tried = {dht1.sha1(identity)[:4] for identity in outcomes}
        worst = max(map(far, tried), default=0)
        named = {
            dht1.number(prefix, 4)
            for o in outcomes.values() if isinstance(o, Stored) for prefix in o.prefixes
        }
        return any(len(tried) < dht1.K or far(p) < worst for p in named - tried)

    def read(self, key: bytes) -> dict[str, Any]:
        location = dht1.sha1(key)
        found = Lookup(self.node, location, FindValue(location)).run()
        records = self.node.store.live(location, None, unix_milliseconds())
        for contact, answer in found:
            records += self.all_records(contact, location, answer)
        good = [record for record in records if self.is_good(record, key)]
        good = merged(good, unix_milliseconds())
        own = [r.revision for r in good if r.author == self.node.key.identity]
        self.node.revisions[key] = max(own + [self.node.revisions.get(key, 0)])
        values = [record for record in good if record.kind != dht1.TOMBSTONE]
        common = {"ok": True, "asked": len(found), "records": len(good), "found": bool(values)}
        if not values:
            return common
        newest = values[0]
        value: Optional[bytes] = newest.value
        if newest.kind == dht1.REFERENCE:
            value = self.content(dht1.Reference.decode(newest.value), [c for c, _ in found])
            if value is None:
                return {"ok": False, "error": "nobody has the content"}
        return common | {
            "value": value.hex(), "author": newest.author.hex(),
            "revision": newest.revision, "lifetime": newest.lifetime,
        }

    def content(self, wanted: dht1.Reference, contacts: list[Contact]) -> Optional[bytes]:
        """Section 9: the outline, then piece by piece, each from whoever has it as it must be."""
        outline = self.part(
            wanted, dht1.OUTLINE, contacts,
            lambda part: dht1.Reference.make(wanted.length, part) == wanted,
        )
        if outline is None:
            return None
        pieces = []
        for index in range(wanted.pieces):
            digest = outline[32 * index : 32 * index + 32]
            piece = self.part(wanted, index, contacts, lambda part: dht1.blake2b(part) == digest)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    def part(
        self, wanted: dht1.Reference, part: int, contacts: list[Contact],
        is_good: Callable[[bytes], bool],
    ) -> Optional[bytes]:
        count = -(-wanted.part_length(part) // dht1.CHUNK)
        for contact in contacts:
            calls = [
                self.node.ask(contact, dht1.FindChunk(wanted.digest, part, chunk))
                for chunk in range(count)
            ]
            self.node.wait(calls)
            chunks = [c.answer.bytes for c in calls if isinstance(c.answer, dht1.Chunk)]
            if is_good(b"".join(chunks)):
                return b"".join(chunks)
        return None

    def all_records(self, contact: Contact, location: bytes, answer: Response) -> list[Record]:
        """Those of the answer, and those that did not fit it: from the beginning again if they
        moved meanwhile. Bad ones count for the place of the next."""
        records: list[Record] = []
        seen: list[bytes] = []
        total, pages = None, 0
        while isinstance(answer, Found) and answer.records and pages < PAGES:
            pages += 1
            has_moved, total = total not in (None, answer.total), answer.total
            records += answer.records
            seen += [record.author for record in answer.records]
            if has_moved or len(seen) >= total:
                if not has_moved and len(set(seen)) >= total:
                    break
                seen, total = [], None
            call = self.node.ask(contact, FindValue(location, len(seen)))
            self.node.wait([call])
            answer = call.answer
        return records

    def is_good(self, record: Record, key: bytes) -> bool:
        admitted = record.author in self.node.store.admitted
        now = unix_milliseconds()
        live = record.expiry > now and not is_far_ahead(record, now)
        return admitted and live and record.key == key and record.is_genuine(self.node.network)
