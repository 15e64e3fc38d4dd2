"""What a node keeps of one peer: sections 4, 5 and 10 of docs/protocol.md, without any IO.

Times are seconds of a monotonic clock unless said."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Optional

from dht1 import Dropped, Endpoint

TOKEN_EPOCH = 300
WINDOW = 1024
OLD_REQUEST_PAUSE = 30
FIRST_TIMEOUT, LEAST_TIMEOUT, MOST_TIMEOUT = 0.5, 0.05, 2.0
SOURCES = 4096


class Bucket:
    """Lets through `rate` a second, and `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst, self.level, self.filled = rate, burst, burst, now

    def has_room(self, now: float) -> bool:
        self.level = min(self.burst, self.level + (now - self.filled) * self.rate)
        self.filled = now
        return self.level >= 1

    def take(self, now: float) -> bool:
        room = self.has_room(now)
        self.level -= 1 if room else 0
        return room


class FirstContactLane:
    """200 a second in all, 5 a second by source; the source unheard of longest is forgotten."""

    def __init__(self, now: float) -> None:
        self.all = Bucket(200, 200, now)
        self.sources: OrderedDict[object, Bucket] = OrderedDict()

    def take(self, source: Endpoint, now: float) -> bool:
        place = self.place(source)
        bucket = self.sources.pop(place, None) or Bucket(5, 20, now)
        self.sources[place] = bucket
        if len(self.sources) > SOURCES:
            self.sources.popitem(last=False)
        return self.all.has_room(now) and bucket.take(now) and self.all.take(now)

    @staticmethod
    def place(source: Endpoint) -> object:
        address = ipaddress.ip_address(source.address)
        if address.is_loopback:
            return source
        return address.packed[:8] if address.version == 6 else address.packed


class ReplayWindow:
    """Remembers which of the last 1024 counters were used."""

    def __init__(self) -> None:
        self.top = -1
        self.marked: set[int] = set()

    def is_too_old(self, counter: int) -> bool:
        return self.top - counter >= WINDOW

    def mark(self, counter: int) -> None:
        self.top = max(self.top, counter)
        self.marked.add(counter)
        if len(self.marked) > 2 * WINDOW:
            self.marked = {c for c in self.marked if not self.is_too_old(c)}


class RoundTrip:
    """RFC 6298 with the bounds of section 10; seconds."""

    def __init__(self) -> None:
        self.smoothed: Optional[float] = None
        self.variation = 0.0

    def sample(self, seconds: float) -> None:
        if self.smoothed is None:
            self.smoothed, self.variation = seconds, seconds / 2
        else:
            error = abs(self.smoothed - seconds)
            self.variation += (error - self.variation) / 4
            self.smoothed += (seconds - self.smoothed) / 8

    def timeout(self, retransmissions: int) -> float:
        first = FIRST_TIMEOUT
        if self.smoothed is not None:
            first = max(LEAST_TIMEOUT, self.smoothed + 4 * self.variation)
        return min(MOST_TIMEOUT, first * 2**retransmissions)


class Peer:
    """An admitted identity."""

    def __init__(self, our_start: int, now: float) -> None:
        """`our_start` in microseconds since 1970."""
        self.box_public: Optional[bytes] = None
        self.highest = our_start
        self.windows: dict[int, ReplayWindow] = {}
        self.answered_old: Optional[float] = None
        self.budget = Bucket(5000, 10_000, now)
        self.round_trip = RoundTrip()
        self._token, self._token_time = b"", 0.0

    def token(self, now: float) -> bytes:
        """The last one it gave us, or nothing if it is too old."""
        return self._token if now - self._token_time < TOKEN_EPOCH else b""

    def remember(self, box_public: bytes, token: bytes, now: float) -> None:
        """From an accepted response."""
        self.box_public, self._token, self._token_time = box_public, token, now

    def check_unseen(self, counter: int) -> None:
        """Step 5."""
        if counter == self.highest or any(counter in w.marked for w in self.windows.values()):
            raise Dropped("replay")

    def check_replay(self, counter: int, epoch: Optional[int], now: float) -> None:
        """Step 10; `epoch` is that of the token, None if the request is not live."""
        if epoch is not None:
            window = self.windows.get(epoch)
            if window and window.is_too_old(counter):
                raise Dropped("replay")
        elif counter < self.highest and self.answered_old is not None:
            if now - self.answered_old < OLD_REQUEST_PAUSE:
                raise Dropped("stale")

    def commit(self, counter: int, epoch: Optional[int], now: float) -> None:
        if epoch is not None:
            self.windows.setdefault(epoch, ReplayWindow()).mark(counter)
        elif counter < self.highest:
            self.answered_old = now
        self.highest = max(self.highest, counter)

    def forget_epochs_before(self, epoch: int) -> None:
        self.windows = {e: w for e, w in self.windows.items() if e >= epoch}
