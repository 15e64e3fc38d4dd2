"""Rosters, section 12 of docs/protocol.md: who is a member, by the word of an administrator; how a
node hears of a newer one, fetches it, and tells others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

import dht1
from dht1 import Contact, FindChunk, FindRoster, Head, Malformed, Mark, Ping, Reference, SigningKey

if TYPE_CHECKING:
    from rpc import Call, Node

NONE = Mark(0, 0)
COMPARE_PAUSE, TELL_PAUSE, DISTRUST = 20, 5, 30


class Roster:
    """A head, the text that belongs to it, and what that says."""

    def __init__(self, head: Head, text: bytes) -> None:
        if Reference.of(text) != head.text:
            raise Malformed("another text than was signed")
        self.head, self.text, self.outline = head, text, dht1.outline(text)
        self.members: set[bytes] = set()
        self.readers: set[bytes] = set()
        self.revoked: set[bytes] = set()
        self.administrators: set[bytes] = set()
        for line in text.decode().splitlines():
            words = line.split("#")[0].split()
            if words:
                self.read(words)
        if not self.administrators or self.administrators & self.revoked:
            raise Malformed("no administrator, or one who is revoked")

    def read(self, words: list[str]) -> None:
        marks = {"@admin": self.administrators, "@revoked": self.revoked}
        if words[0].startswith("@"):
            if words[0] not in marks or not 2 <= len(words) <= 3:
                raise Malformed("no line of a roster")
            marks[words[0]].add(dht1.decode_text(dht1.PART_IDENTITY, words[1]))
            return
        identity = dht1.decode_text(dht1.PART_IDENTITY, words[0])
        if identity in self.members:
            raise Malformed("a member twice")
        self.members.add(identity)
        if "write=no" in words:
            self.readers.add(identity)

    @staticmethod
    def sign(node: Node, key: SigningKey, serial: int, text: bytes) -> Roster:
        return Roster(Head.sign(node.network, key, serial, 0, text), text)

    def chunk(self, part: int, chunk: int) -> Optional[bytes]:
        if part == dht1.OUTLINE:
            whole = self.outline
        else:
            whole = self.text[part * dht1.PIECE :][: dht1.PIECE]
        return whole[chunk * dht1.CHUNK :][: dht1.CHUNK] or None


class Follower:
    """Follows the rosters of administrators: `pinned` until there is one, which names its own."""

    def __init__(self, node: Node, pinned: set[bytes], local: set[bytes]) -> None:
        self.node, self.pinned, self.local = node, pinned, local
        self.held: Optional[Roster] = None
        self.conflict: Optional[Head] = None
        self.fetch: Optional[Fetch] = None
        self.asking = False
        self.told: dict[bytes, float] = {}
        self.liars: dict[bytes, float] = {}
        self.compared_at = node.now()

    @property
    def mark(self) -> Mark:
        return self.held.head.mark if self.held else NONE

    @property
    def administrators(self) -> set[bytes]:
        return self.held.administrators if self.held else self.pinned

    def shown(self) -> Optional[Mark]:
        """What a PING shows."""
        return self.held.head.mark if self.held else None

    def heard(self, mark: Mark, contact: Contact) -> None:
        """A peer showed its mark, in a live PING or in the answer to one."""
        if not self.administrators or mark == self.mark:
            return
        now = self.node.now()
        if mark.serial < self.mark.serial:
            if now - self.told.get(contact.identity, -TELL_PAUSE) >= TELL_PAUSE:
                self.told[contact.identity] = now
                self.node.ask(contact, Ping())
        elif now - self.liars.get(contact.identity, -DISTRUST) >= DISTRUST:
            known = self.conflict and self.conflict.mark == mark
            if not self.asking and not self.fetch and not known:
                self.asking = True
                self.node.ask(contact, FindRoster(), self.judge)

    def judge(self, call: Call) -> None:
        self.asking = False
        if not isinstance(call.answer, dht1.Rostered):
            self.liars[call.contact.identity] = self.node.now()
            return
        head = call.answer.head
        if head.serial < self.mark.serial or head.mark == self.mark:
            return
        if head.administrator not in self.administrators or not head.is_genuine(self.node.network):
            self.liars[call.contact.identity] = self.node.now()
            self.node.counters["rosters_refused"] += 1
        elif head.serial == self.mark.serial:
            self.conflict = head
        else:
            self.fetch = Fetch(self, head, call.contact)
            self.fetch.go_on()

    def adopt(self, roster: Roster) -> None:
        """From this turn on it counts; contacts are told."""
        if roster.head.serial <= self.mark.serial:
            raise Malformed("not above the one held")
        if roster.head.administrator not in self.administrators:
            raise Malformed("not by an administrator")
        if not roster.head.is_genuine(self.node.network):
            raise Malformed("not signed")
        self.held, self.conflict, self.told = roster, None, {}
        node = self.node
        admitted = (self.local | roster.members) - roster.revoked
        for identity in node.admitted - admitted:
            node.expel(identity)
        node.admitted = admitted
        node.store.admitted = (admitted | {node.key.identity}) - roster.readers
        for identity, endpoint in list(node.contacts.items()):
            self.told[identity] = node.now()
            node.ask(Contact(identity, endpoint), Ping())

    def tick(self, now: float) -> None:
        """Asks one contact after the other whose is newer."""
        if now - self.compared_at < COMPARE_PAUSE or not self.administrators:
            return
        self.compared_at = now
        contacts = [Contact(*contact) for contact in self.node.contacts.items()]
        if contacts:
            oldest = min(contacts, key=lambda c: self.told.get(c.identity, 0))
            self.told[oldest.identity] = now
            self.node.ask(oldest, Ping())


class Fetch:
    """The text of a head that was looked at, chunk by chunk from one who has it."""

    def __init__(self, follower: Follower, head: Head, source: Contact) -> None:
        self.follower, self.head, self.source = follower, head, source
        self.outline = b""
        self.text = b""

    def go_on(self) -> None:
        whole = len(self.outline) == self.head.text.part_length(dht1.OUTLINE)
        part, done = dht1.OUTLINE, len(self.outline)
        if whole:
            part, done = len(self.text) // dht1.PIECE, len(self.text) % dht1.PIECE
        request = FindChunk(self.head.text.digest, part, done // dht1.CHUNK)
        self.follower.node.ask(self.source, request, self.take)

    def take(self, call: Call) -> None:
        if not isinstance(call.answer, dht1.Chunk):
            self.follower.fetch = None
            return
        if isinstance(call.message, FindChunk) and call.message.part == dht1.OUTLINE:
            self.outline += call.answer.bytes
        else:
            self.text += call.answer.bytes
        if len(self.text) < self.head.text.length:
            return self.go_on()
        self.follower.fetch = None
        try:
            self.follower.adopt(Roster(self.head, self.text))
            self.follower.node.counters["rosters_fetched"] += 1
        except Malformed:
            self.follower.liars[self.source.identity] = self.follower.node.now()
        return None
