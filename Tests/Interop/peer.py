"""What a node keeps of one peer it asks: sections 4, 5 and 10 of docs/protocol.md, without any IO.

Times are seconds of a monotonic clock unless said."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import Optional

from dht1 import NO_CHALLENGE, Endpoint

CHALLENGE_LIFE = 3600
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
    """An admitted identity. The counter is that of our requests to it under our present box key."""

    def __init__(self, now: float) -> None:
        self.box_public: Optional[bytes] = None
        self.challenge = NO_CHALLENGE
        self.counter = 0
        self.budget = Bucket(5000, 10_000, now)
        self.round_trip = RoundTrip()


class Link:
    """What our requests to a peer at one endpoint have shown. Box keys are pairs: its, ours."""

    def __init__(self) -> None:
        self.answered_at = self.greeted_at = -math.inf
        self.answered_keys: Optional[tuple[bytes, bytes]] = None
        self.challenged_at: Optional[float] = None
        self.live_keys: Optional[tuple[bytes, bytes]] = None

    def answered(self, keys: tuple[bytes, bytes], challenged: bool, now: float) -> None:
        self.answered_at, self.answered_keys = now, keys
        self.challenged_at = now if challenged else None

    def expects_life(self, keys: tuple[Optional[bytes], bytes], now: float) -> bool:
        if keys == self.live_keys:
            return True
        recent = self.challenged_at is None or now - self.challenged_at < CHALLENGE_LIFE
        return keys == self.answered_keys and recent
