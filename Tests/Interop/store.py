"""Records in memory: the rules of section 8 of docs/protocol.md. Times are Unix milliseconds."""

from __future__ import annotations

from typing import AbstractSet, Iterable, Optional, Union

import dht1
from dht1 import Conflict, Record, Refusal, WrongClock

TOLERANCE = 300_000
AHEAD = 5_000
RECORDS_BY_AUTHOR = 10_000


class RecordStore:
    """One record per key and author, of admitted authors only."""

    def __init__(self, admitted: AbstractSet[bytes]) -> None:
        self.admitted = admitted
        self.records: dict[tuple[bytes, bytes], Record] = {}
        self.equivocations = 0

    def offer(
        self, record: Record, condition: Optional[int], now: int, sender: Optional[bytes] = None
    ) -> Optional[Union[Conflict, Refusal, WrongClock]]:
        """Keeps a record whose signature is good, or says why not; None is success.

        Its author, as the sender, may go back behind what is ahead of our clock, under a condition."""
        if record.author not in self.admitted:
            return Refusal(dht1.DENIED)
        if is_far_ahead(record, now):
            return WrongClock(now)
        if record.expiry <= now:
            return Refusal(dht1.EXPIRED)
        self.expire(now)
        place = (record.key, record.author)
        kept = self.records.get(place)
        if kept == record:
            return None
        conflict = self.condition_conflict(record.key, condition, now)
        if conflict:
            return conflict
        if kept:
            self.equivocations += kept.revision == record.revision
            goes_back = is_far_ahead(kept, now) and sender == record.author and condition is not None
            if kept.rank > record.rank and not goes_back:
                return Conflict(kept)
        elif sum(author == record.author for _, author in self.records) >= RECORDS_BY_AUTHOR:
            return Refusal(dht1.QUOTA)
        self.records[place] = record
        return None

    def condition_conflict(
        self, key: bytes, condition: Optional[int], now: int
    ) -> Optional[Conflict]:
        if condition in (None, dht1.ANYTHING):
            return None
        standing = timely_first(
            (r for r in self.records.values() if r.key == key and not is_far_ahead(r, now)), now
        )
        if condition == 0:
            values = [r for r in standing if r.kind != dht1.TOMBSTONE]
            return Conflict(values[0]) if values else None
        if not standing:
            return Conflict(None)
        return None if standing[0].revision == condition else Conflict(standing[0])

    def live(
        self, location: bytes, author: Optional[bytes], now: int, reader: Optional[bytes] = None
    ) -> list[Record]:
        """Newest first, tombstones among them. Who asks for its own is shown what is far ahead too."""
        self.expire(now)
        own = reader is not None and reader == author
        return newest_first(
            r for r in self.records.values()
            if r.location == location and author in (None, r.author)
            and (own or not is_far_ahead(r, now))
        )

    def hider(self, record: Record, now: int) -> Optional[bytes]:
        """Whose value has a higher revision."""
        higher = newest_first(
            r for r in self.records.values()
            if r.location == record.location and r.author != record.author
            and r.kind != dht1.TOMBSTONE and r.revision > record.revision
            and not is_far_ahead(r, now)
        )
        return higher[0].author if higher and record.kind != dht1.TOMBSTONE else None

    def expire(self, now: int) -> None:
        self.records = {place: r for place, r in self.records.items() if r.expiry > now}


def is_far_ahead(record: Record, now: int) -> bool:
    """Such a record is kept, and seen nowhere."""
    return record.revision >> 16 > now + TOLERANCE


def newest_first(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.rank, reverse=True)


def timely_first(records: Iterable[Record], now: int) -> list[Record]:
    """Newest first, but what is ahead of the clock behind all that is not."""
    return sorted(newest_first(records), key=lambda record: record.revision >> 16 > now + AHEAD)


def merged(records: list[Record], now: int) -> list[Record]:
    """Of several replicas' answers the newest by each author of each key, in a reader's order."""
    newest: dict[tuple[bytes, bytes], Record] = {}
    for record in records:
        kept = newest.setdefault((record.key, record.author), record)
        if record.rank > kept.rank:
            newest[record.key, record.author] = record
    return timely_first(newest.values(), now)
