"""What a receiver keeps of the processes it hears: section 5 of docs/protocol.md, without any IO.

Times are seconds of a monotonic clock."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from typing import Optional, Union

import dht1
from dht1 import Contact, Dropped, Endpoint
from peer import Bucket

CHALLENGE_EPOCH = 3600
WINDOW = 1024
SESSIONS, ADDRESSES = 4, 4
SESSION_AGE, SESSION_IDLE = 86_400, 14_400
FIRST_CONTACTS = 8192
ALLOWANCE, ALLOWANCE_PAUSE = 8, 30


class ReplayWindow:
    """Remembers which of the last 1024 counters were used; all up to the floor count as used."""

    def __init__(self) -> None:
        self.floor = self.top = -1
        self.marked: set[int] = set()

    def check(self, counter: int) -> None:
        """Step 5."""
        if counter <= self.floor or self.is_too_old(counter) or counter in self.marked:
            raise Dropped("replay")

    def is_too_old(self, counter: int) -> bool:
        return self.top - counter >= WINDOW

    def mark(self, counter: int) -> None:
        self.top = max(self.top, counter)
        self.marked.add(counter)
        if len(self.marked) > 2 * WINDOW:
            self.marked = {c for c in self.marked if not self.is_too_old(c)}

    def raise_floor(self, counter: int) -> None:
        self.floor = max(self.floor, counter)
        self.top = max(self.top, counter)


class FirstContact:
    """A process that is no session yet."""

    def __init__(self, now: float) -> None:
        self.window = ReplayWindow()
        self.allowance = Bucket(1 / ALLOWANCE_PAUSE, ALLOWANCE, now)


class Session:
    """A process that proved to receive at its addresses, the newest first."""

    def __init__(self, window: ReplayWindow, now: float) -> None:
        self.window = window
        self.addresses: list[Endpoint] = []
        self.began_at = self.heard_at = now

    def prove(self, address: Endpoint) -> None:
        others = [known for known in self.addresses if known != address]
        self.addresses = [address, *others][:ADDRESSES]

    def is_over(self, now: float) -> bool:
        return now - self.began_at >= SESSION_AGE and now - self.heard_at >= SESSION_IDLE


class Sessions:
    """Of each identity at most four, by box key, and the first contacts of all."""

    def __init__(self, now: float) -> None:
        self.began_at = now
        self.secret = os.urandom(32)
        self.generations: Counter[bytes] = Counter()
        self.of_peer: dict[bytes, dict[bytes, Session]] = {}
        self.first_contacts: OrderedDict[tuple[bytes, bytes], FirstContact] = OrderedDict()

    # Challenges

    def challenge(self, of: Contact, box_public: bytes, now: float) -> bytes:
        return self._challenge(of, box_public, self._epoch(now))

    def is_good(self, challenge: bytes, of: Contact, box_public: bytes, now: float) -> bool:
        epoch = self._epoch(now)
        good = [self._challenge(of, box_public, e) for e in (epoch, epoch - 1) if e >= 0]
        return challenge in good

    def _epoch(self, now: float) -> int:
        return int(now - self.began_at) // CHALLENGE_EPOCH

    def _challenge(self, of: Contact, box_public: bytes, epoch: int) -> bytes:
        numbers = dht1.number(epoch, 8) + dht1.number(self.generations[of.identity], 4)
        content = numbers + of.identity + box_public + of.endpoint.encode()
        made = dht1.blake2b(content, 8, self.secret)
        return made if made != dht1.NO_CHALLENGE else dht1.number(1, 8)

    # What is known

    def session(self, identity: bytes, box_public: bytes) -> Optional[Session]:
        return self.of_peer.get(identity, {}).get(box_public)

    def known(self, identity: bytes, box_public: bytes) -> Union[Session, FirstContact, None]:
        """Whoever holds this key of this identity was heard before: the shared key is known."""
        return self.session(identity, box_public) or self.first_contacts.get((identity, box_public))

    def is_live(self, sender: Contact, box_public: bytes) -> bool:
        session = self.session(sender.identity, box_public)
        return session is not None and sender.endpoint in session.addresses

    # What changes it

    def hear(
        self, sender: Contact, box_public: bytes, counter: int, proved: bool, now: float
    ) -> None:
        """A request passed step 11; `proved` says that its challenge is good."""
        if proved:
            self.prove(sender, box_public, counter, now)
        session = self.session(sender.identity, box_public)
        if session:
            session.heard_at = now
            session.window.mark(counter)
        else:
            self._first_contact(sender.identity, box_public, now).window.mark(counter)

    def prove(self, sender: Contact, box_public: bytes, floor: int, now: float) -> None:
        """A good challenge or a response: its session begins, or has one address more."""
        session = self.session(sender.identity, box_public)
        if not session:
            first = self.first_contacts.pop((sender.identity, box_public), None)
            session = Session(first.window if first else ReplayWindow(), now)
            session.window.raise_floor(floor)
            self._admit(sender.identity, box_public, session)
        session.heard_at = now
        session.prove(sender.endpoint)

    def _admit(self, identity: bytes, box_public: bytes, session: Session) -> None:
        sessions = self.of_peer.setdefault(identity, {})
        if len(sessions) >= SESSIONS:
            del sessions[min(sessions, key=lambda box: sessions[box].heard_at)]
            self.generations[identity] += 1
        sessions[box_public] = session

    def _first_contact(self, identity: bytes, box_public: bytes, now: float) -> FirstContact:
        place = (identity, box_public)
        if place not in self.first_contacts:
            self.first_contacts[place] = FirstContact(now)
            self.first_contacts[place].allowance.take(now)
            if len(self.first_contacts) > FIRST_CONTACTS:
                self.first_contacts.popitem(last=False)
        return self.first_contacts[place]

    def expel(self, identity: bytes) -> None:
        """Taken off the list: what it holds of challenges must not begin its sessions again."""
        self.of_peer.pop(identity, None)
        self.secret = os.urandom(32)

    def sweep(self, now: float) -> None:
        for identity, sessions in list(self.of_peer.items()):
            kept = {box: session for box, session in sessions.items() if not session.is_over(now)}
            if kept:
                self.of_peer[identity] = kept
            else:
                del self.of_peer[identity]
