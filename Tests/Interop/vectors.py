#!/usr/bin/python3
"""Writes Tests/Vectors/*.json, section 14 of docs/protocol.md; `--check` compares instead.

Every input is BLAKE2b of a label, so each run makes the same bytes."""

from __future__ import annotations

import functools
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Optional

import dht1
from dht1 import BoxKey, Contact, Endpoint, Network, Record, SigningKey

FOLDER = Path(__file__).resolve().parent.parent / "Vectors"
Fields = dict[str, Any]
Pair = tuple[Network, int, int]


def derive(label: str, size: int = 32) -> bytes:
    """Deterministic bytes: BLAKE2b-512 of the label and a block number, cut to size."""
    blocks = (dht1.blake2b(f"{label} {i}".encode(), 64) for i in range(size // 64 + 1))
    return b"".join(blocks)[:size]


SEEDS = [dht1.blake2b(f"secure-dht test identity {i}".encode()) for i in range(1, 9)]
PEOPLE = [SigningKey.of(seed) for seed in SEEDS]
NETWORKS = [Network(dht1.blake2b(f"secure-dht test network {i}".encode())) for i in (1, 2)]
BOXES = [BoxKey.of(dht1.blake2b(f"secure-dht test box {i}".encode())) for i in range(1, 9)]
REVISION = 1_790_000_000_000 << 16
CLOCK = 1_790_000_000_123
ORDER_EIGHT = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
OUTSIDE = bytes.fromhex("ea5ef8400c31ef41e28f22e718b43f66981b29cf645af2a0e223799bedaace47")


# keys.json


def keys() -> Fields:
    return {
        "identities": [identity_fields(person) for person in PEOPLE],
        "networks": [network_fields(network) for network in NETWORKS],
        "sealed": sealed_texts(),
        "bad_texts": bad_texts(),
    }


def identity_fields(person: SigningKey) -> Fields:
    return {
        "seed": person.seed.hex(),
        "identity": person.identity.hex(),
        "node_id": person.node_id.hex(),
        "static_box_public": person.static.public.hex(),
        "text": dht1.encode_text(dht1.PART_IDENTITY, person.identity),
        "secret_text": dht1.encode_text(dht1.PART_SECRET, person.seed),
    }


def network_fields(network: Network) -> Fields:
    return {
        "key": network.key.hex(),
        "network_id": network.id.hex(),
        "text": dht1.encode_text(dht1.PART_NETWORK, network.key),
        "header_keys": [
            {"recipient": p.identity.hex(), "header_key": network.header_key(p.identity).hex()}
            for p in PEOPLE
        ],
    }


def sealed_texts() -> list[Fields]:
    cases = [
        ("correct horse battery staple", 1, 8192),
        ("x", 2, 8192),
        ("Grüße, 世界", 1, 16384),
        ("", 1, 65536),
    ]
    return [
        sealed_fields(PEOPLE[i].seed, *case, derive(f"salt {i}", 16), derive(f"sealed {i}", 24))
        for i, case in enumerate(cases)
    ]


def sealed_fields(
    seed: bytes, passphrase: str, opslimit: int, memlimit: int, salt: bytes, nonce: bytes
) -> Fields:
    text = dht1.seal_seed(seed, passphrase.encode(), opslimit, memlimit, salt, nonce)
    assert dht1.open_seed(text, passphrase.encode()) == seed
    return {
        "passphrase": passphrase, "opslimit": opslimit, "memlimit": memlimit,
        "salt": salt.hex(), "nonce": nonce.hex(), "seed": seed.hex(), "text": text,
    }


def bad_texts() -> list[Fields]:
    """None of these is a good text of any of the four parts."""
    person, network = PEOPLE[0], NETWORKS[0]
    good = dht1.encode_text(dht1.PART_IDENTITY, person.identity)
    secret = dht1.encode_text(dht1.PART_SECRET, person.seed)
    masked = dht1.encode_text(dht1.PART_NETWORK, network.key)
    values = dht1.five_bit_values(person.identity)
    sealed = sealed_texts()[0]["text"]
    cases = [
        ("", "empty"),
        ("dht1", "nothing after the separator"),
        ("dht", "no separator"),
        (good[4:], "no part"),
        (swap(good, 4), "one wrong character, the first"),
        (swap(good, 30), "one wrong character, in the middle"),
        (swap(good, len(good) - 1), "one wrong character, the last"),
        (good[:20] + good[21] + good[20] + good[22:], "two characters exchanged"),
        (good[:-1], "one character missing"),
        (good + "q", "one character too many"),
        (good[:30] + "b" + good[31:], "a character outside the alphabet"),
        (good[:30] + "é" + good[31:], "a character outside ASCII"),
        (dht1.encode_values("dht", values, dht1.BECH32), "bech32 instead of bech32m"),
        (good[:-6].upper() + good[-6:], "mixed case"),
        ("DHT" + good[3:], "mixed case, upper-case part"),
        (secret[:15] + secret[15:].lower(), "mixed case in a secret key"),
        (dht1.encode_values("dht", values[:-1] + [values[-1] | 1]), "padding bits not zero"),
        (dht1.encode_values("dht", values + [0]), "five padding bits"),
        (dht1.encode_text(dht1.PART_IDENTITY, person.identity[:31]), "31 bytes"),
        (dht1.encode_text(dht1.PART_IDENTITY, person.identity + b"\0"), "33 bytes"),
        (dht1.encode_text(dht1.PART_SECRET, person.seed[:31]), "31 bytes"),
        (dht1.encode_text(dht1.PART_SECRET, person.seed + b"\0"), "33 bytes"),
        (dht1.encode_text(dht1.PART_NETWORK, network.key[:16]), "16 bytes"),
        (dht1.encode_text(dht1.PART_SEALED, derive("sealed", 99)), "99 bytes"),
        (dht1.encode_text(dht1.PART_SEALED, person.seed), "a seed that is not sealed"),
        (dht1.encode_values("dhu", values), "unknown part"),
        (dht1.encode_values("dht-", values), "unknown part"),
        (dht1.encode_text("dht-secret-", person.seed), "unknown part"),
        (masked.replace("NETWORK", "SECRET-KEY"), "the part of another kind"),
        (swap(secret, 40), "one wrong character"),
        (swap(masked, 40), "one wrong character"),
        (swap(sealed, 100), "one wrong character"),
        (dht1.encode_values("dht", dht1.five_bit_values(bytes(32))), "low-order point, all zero"),
        (identity_text(b"\1" + bytes(31)), "low-order point, the neutral element"),
        (identity_text(b"\xec" + b"\xff" * 30 + b"\x7f"), "low-order point, order two"),
        (identity_text(b"\2" + bytes(31)), "not a point of the curve"),
        (identity_text(ORDER_EIGHT), "low-order point, order eight"),
        (identity_text(OUTSIDE), "a good point plus one of order two: not in the main subgroup"),
    ]
    for text, why in cases:
        for part in dht1.SIZES:
            must_fail(lambda: dht1.decode_text(part, text), f"{why}: {text}")
    return [{"text": text, "why": why} for text, why in cases]


def identity_text(identity: bytes) -> str:
    return dht1.encode_text(dht1.PART_IDENTITY, identity)


def swap(text: str, at: int) -> str:
    """The text with the character at one place replaced by its neighbour in the alphabet."""
    place = dht1.CHARSET.index(text[at].lower())
    other = dht1.CHARSET[(place + 1) % 32]
    return text[:at] + (other.upper() if text.isupper() else other) + text[at + 1 :]


def must_fail(decode: Callable[[], Any], why: str) -> None:
    try:
        decode()
    except dht1.Malformed:
        return
    raise AssertionError("decodes, but should not: " + why)


# content.json


@functools.cache
def long_value(length: int) -> bytes:
    """The bytes of a counter, four each, cut off."""
    return b"".join(dht1.number(at, 4) for at in range(-(-length // 4)))[:length]


@functools.cache
def reference(length: int) -> bytes:
    return dht1.Reference.of(long_value(length)).encode()


def contents() -> Fields:
    lengths = (641, 999, 1000, 1001, 63_999, 64_000, 64_001, 128_000, 1_000_003, dht1.MAX_CONTENT)
    return {"contents": [content_fields(length) for length in lengths]}


def content_fields(length: int) -> Fields:
    value = long_value(length)
    made = dht1.Reference.of(value)
    outline = dht1.outline(value)
    assert dht1.Reference.decode(made.encode()) == made and len(outline) == 32 * made.pieces
    return {
        "length": length,
        "pieces": made.pieces,
        "outline_digest": dht1.blake2b(outline).hex(),
        "last_piece_digest": outline[-32:].hex(),
        "reference": made.encode().hex(),
    }


# records.json

Made = tuple[Network, SigningKey, Record]


def made_records() -> list[Made]:
    first, second = NETWORKS
    day = 86_400
    cases = [
        (first, 0, 1, b"k", REVISION, 3600, b""),
        (first, 1, 1, b"hello", REVISION + 1, day, b"world"),
        (first, 2, 1, derive("key", 128), REVISION, day, derive("value", 640)),
        (first, 0, 2, b"k", REVISION + (1 << 16), 3600, b""),
        (first, 3, 2, derive("key", 128), REVISION + 0xFFFF, dht1.MAX_LIFETIME, b""),
        (first, 4, 1, "schlüssel/鍵/🔑".encode(), REVISION, day, "wert".encode()),
        (first, 5, 1, bytes(range(16)), REVISION, day, bytes(range(256))),
        (first, 6, 1, b"\0", REVISION, 1, b"\0"),
        (first, 7, 1, b"lifetime/max", REVISION, dht1.MAX_LIFETIME, b"a year"),
        (first, 0, 1, b"revision/0", 0, day, b"the oldest"),
        (first, 0, 1, b"revision/max", 2**64 - 1, day, b"the newest"),
        (first, 1, 1, b"twins", REVISION, day, b"one"),
        (first, 1, 1, b"twins", REVISION, day, b"two"),
        (second, 1, 1, b"hello", REVISION + 1, day, b"world"),
        (second, 2, 2, b"gone", REVISION, day, b""),
        (first, 0, 3, b"shortest", REVISION, day, reference(641)),
        (first, 1, 3, b"longest", REVISION, day, reference(dht1.MAX_CONTENT)),
    ]
    return [
        (network, PEOPLE[who], Record.make(network, PEOPLE[who], *fields))
        for network, who, *fields in cases
    ]


def records() -> Fields:
    return {
        "records": [record_fields(*made) for made in made_records()],
        "bad_records": bad_records(),
        "bad_signatures": bad_signatures(),
    }


def record_fields(network: Network, author: SigningKey, record: Record) -> Fields:
    assert Record.decode(record.encode()) == record and record.is_genuine(network)
    return {
        "network_key": network.key.hex(),
        "author_seed": author.seed.hex(),
        "kind": record.kind,
        "key": record.key.hex(),
        "revision": record.revision,
        "lifetime": record.lifetime,
        "value": record.value.hex(),
        "record": record.encode().hex(),
        "location": record.location.hex(),
        "digest": record.digest.hex(),
    }


def bad_records() -> list[Fields]:
    good = made_records()[1][2].encode()  # key "hello" at 3…7, author at 8, value "world" at 54
    long_key = Record(1, b"k" * 129, PEOPLE[0].identity, REVISION, 60, b"v", bytes(64))
    long_value = Record(1, b"k", PEOPLE[0].identity, REVISION, 60, b"v" * 641, bytes(64))
    full_tombstone = Record(2, b"k", PEOPLE[0].identity, REVISION, 60, b"v", bytes(64))
    no_key = Record(1, b"", PEOPLE[0].identity, REVISION, 60, b"v", bytes(64))
    cases = [
        (b"", "empty"),
        (good[:2], "ends before the key length"),
        (good[:6], "ends inside the key"),
        (good[:53], "ends inside the value length"),
        (good[:56], "ends inside the value"),
        (good[:-1], "ends inside the signature"),
        (good[:-64], "no signature"),
        (good + b"\0", "a zero byte after the signature"),
        (good + b"x", "a byte after the signature"),
        (b"\0" + good[1:], "version 0"),
        (b"\2" + good[1:], "version 2"),
        (good[:1] + b"\0" + good[2:], "kind 0"),
        (good[:1] + b"\4" + good[2:], "kind 4"),
        (good[:1] + b"\3" + good[2:], "reference of 5 bytes"),
        *((referring(value).encode(), why) for value, why in bad_references()),
        (no_key.encode(), "key of 0 bytes"),
        (long_key.encode(), "key of 129 bytes"),
        (good[:48] + bytes(4) + good[52:], "lifetime 0"),
        (good[:48] + dht1.number(dht1.MAX_LIFETIME + 1, 4) + good[52:], "lifetime too long"),
        (good[:48] + b"\xff" * 4 + good[52:], "lifetime of all ones"),
        (long_value.encode(), "value of 641 bytes"),
        (good[:52] + b"\xff\xff" + good[54:], "value length beyond the end"),
        (full_tombstone.encode(), "tombstone with a value"),
        (good[:52] + b"\0\4" + good[54:], "value length one too small"),
    ]
    for record, why in cases:
        must_fail(lambda: Record.decode(record), why)
    return [{"record": record.hex(), "why": why} for record, why in cases]


def referring(value: bytes) -> Record:
    return Record(dht1.REFERENCE, b"k", PEOPLE[0].identity, REVISION, 60, value, bytes(64))


def bad_references() -> list[tuple[bytes, str]]:
    return [
        (b"", "reference of 0 bytes"),
        (reference(641)[:-1], "reference of 35 bytes"),
        (reference(641) + b"\0", "reference of 37 bytes"),
        (dht1.number(640, 4) + bytes(32), "reference to what fits a record"),
        (dht1.number(dht1.MAX_CONTENT + 1, 4) + bytes(32), "reference to too much"),
    ]


def bad_signatures() -> list[Fields]:
    """Well-formed records whose signature is not their author's over their fields."""
    first, second = NETWORKS
    good = made_records()[1][2].encode()
    stone = made_records()[3][2].encode()
    cases = [
        (second, good),  # of another overlay
        (first, flipped(good, len(good) - 1)),
        (first, flipped(good, len(good) - 64)),
        (first, flipped(good, 3)),  # key
        (first, flipped(good, 8)),  # author
        (first, flipped(good, 47)),  # revision
        (first, flipped(good, 51)),  # lifetime
        (first, flipped(good, 54)),  # value
        (first, good[:8] + PEOPLE[2].identity + good[40:]),
        (first, good[:8] + bytes(32) + good[40:]),
        (first, good[:-64] + bytes(64)),
        (first, stone[:1] + b"\1" + stone[2:]),  # a tombstone made an empty value
    ]
    assert not any(Record.decode(record).is_genuine(network) for network, record in cases)
    return [{"network_key": n.key.hex(), "record": record.hex()} for n, record in cases]


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


# messages.json

V4 = Endpoint("192.0.2.7", 4000)
V6 = Endpoint("2001:db8::7", 65535)


def contacts(count: int, six: bool = False) -> list[Contact]:
    address = "2001:db8::1:{}" if six else "198.51.100.{}"
    return [
        Contact(PEOPLE[i].identity, Endpoint(address.format(i + 1), 4001 + i))
        for i in range(count)
    ]


def dual(count: int, six_first: bool = False) -> list[Contact]:
    both = list(zip(contacts(count), contacts(count, six=True)))
    return [
        Contact(a.identity, b.endpoint, a.endpoint) if six_first
        else Contact(a.identity, a.endpoint, b.endpoint)
        for a, b in both
    ]


def requests() -> list[tuple[str, dht1.Request]]:
    small, large, stone = (made_records()[i][2] for i in (0, 2, 3))
    location, author = small.location, PEOPLE[3].identity
    return [
        ("ping", dht1.Ping()),
        ("ping, leaving", dht1.Ping(leaving=True)),
        ("ping, roster", dht1.Ping(roster=made_head().mark)),
        ("ping, leaving, largest roster", dht1.Ping(True, dht1.Mark(2**64 - 1, 2**32 - 1))),
        ("find node", dht1.FindNode(derive("target", 20))),
        ("find node, zeros", dht1.FindNode(bytes(20))),
        ("find node, ones", dht1.FindNode(b"\xff" * 20)),
        ("find value", dht1.FindValue(location)),
        ("find value, offset", dht1.FindValue(location, 300)),
        ("find value, last offset", dht1.FindValue(location, 65535)),
        ("find value, author", dht1.FindValue(location, 0, author)),
        ("find value, offset and author", dht1.FindValue(location, 2, author)),
        ("store", dht1.Store(small)),
        ("store, largest", dht1.Store(large)),
        ("store, tombstone", dht1.Store(stone)),
        ("store, if absent", dht1.Store(small, 0)),
        ("store, if revision", dht1.Store(small, REVISION)),
        ("store, largest, largest condition", dht1.Store(large, 2**64 - 1)),
        ("store, reference", dht1.Store(made_records()[-1][2])),
        ("pass on", dht1.PassOn(small)),
        ("pass on, if revision", dht1.PassOn(small, REVISION)),
        ("find chunk, outline", dht1.FindChunk(derive("content", 32), dht1.OUTLINE, 0)),
        ("find chunk, first", dht1.FindChunk(derive("content", 32), 0, 0)),
        ("find chunk, last", dht1.FindChunk(derive("content", 32), 262, 63)),
        ("find roster", dht1.FindRoster()),
        ("join", dht1.Join()),
    ]


def responses() -> list[tuple[str, int, dht1.Response]]:
    small, hello, large, stone = (made_records()[i][2] for i in (0, 1, 2, 3))
    prefixes = [int.from_bytes(person.node_id[:4], "big") for person in PEOPLE][: dht1.K - 1]
    refusals = [(dht1.RETRY, "retry"), (dht1.QUOTA, "quota"), (dht1.EXPIRED, "expired"),
                (dht1.DENIED, "denied"), (dht1.UNAVAILABLE, "unavailable")]
    plain = [
        ("pong", 1, dht1.Pong(V4, [])),
        ("pong, one endpoint", 1, dht1.Pong(V4, [V4])),
        ("pong, both families", 1, dht1.Pong(V6, [V4, V6, Endpoint("::1", 1)])),
        ("pong, view", 1, dht1.Pong(V4, [V4], dht1.View(CLOCK, dht1.GOOD, 12, 1500))),
        ("pong, view of a stranger", 1, dht1.Pong(V6, [], dht1.View(CLOCK))),
        ("pong, view, doubted", 1,
         dht1.Pong(V4, [], dht1.View(CLOCK, dht1.QUESTIONABLE, 0, 1))),
        ("pong, view, zeros", 1, dht1.Pong(V4, [], dht1.View(0, dht1.UNKNOWN, 0, 0))),
        ("pong, view, ones", 1,
         dht1.Pong(V6, [V4, V6], dht1.View(2**48 - 1, dht1.BAD, dht1.NEVER - 1, 2**32 - 1))),
        ("pong, roster", 1, dht1.Pong(V4, [V4], None, made_head().mark)),
        ("pong, no roster, view", 1, dht1.Pong(V4, [], dht1.View(CLOCK), dht1.Mark(0, 0))),
        ("nodes, none", 2, dht1.Nodes([])),
        ("nodes, one", 2, dht1.Nodes(contacts(1))),
        ("nodes, eight", 2, dht1.Nodes(contacts(8))),
        ("nodes, eight by IPv6", 2, dht1.Nodes(contacts(8, six=True))),
        ("nodes, mixed", 2, dht1.Nodes(contacts(2) + contacts(3, six=True)[2:])),
        ("nodes, eight of both families", 2, dht1.Nodes(dual(8))),
        ("nodes, both families, IPv6 in use", 2, dht1.Nodes(dual(2, six_first=True))),
        ("nodes, sixteen", 2, dht1.Nodes(contacts(8) + contacts(8, six=True))),
        ("found nothing", 3, dht1.Found(0, [], [])),
        ("found contacts only", 3, dht1.Found(0, [], contacts(8))),
        ("found contacts only, by IPv6", 3, dht1.Found(0, [], contacts(8, six=True))),
        ("found one", 3, dht1.Found(1, [small], contacts(1))),
        ("found two, eight contacts", 3, dht1.Found(2, [hello, small], contacts(8))),
        ("found a tombstone", 3, dht1.Found(1, [stone], [])),
        ("found the largest, three contacts", 3, dht1.Found(1, [large], contacts(3))),
        ("found, more elsewhere", 3, dht1.Found(65535, [large], [])),
        ("found, offset beyond the last", 3, dht1.Found(2, [], contacts(1))),
        ("stored", 4, dht1.Stored(3600, prefixes)),
        ("passed on", 6, dht1.Stored(3600, prefixes)),
        ("passed on, conflict", 6, dht1.Conflict(small)),
        ("not passed on", 6, dht1.Refusal(dht1.UNAVAILABLE)),
        ("stored, hidden", 4, dht1.Stored(3600, prefixes, prefixes[-1])),
        ("stored, one prefix", 4, dht1.Stored(1, prefixes[:1])),
        ("stored, no prefix", 4, dht1.Stored(dht1.MAX_LIFETIME, [])),
        ("conflict", 4, dht1.Conflict(hello)),
        ("conflict, tombstone", 4, dht1.Conflict(stone)),
        ("conflict, largest", 4, dht1.Conflict(large)),
        ("conflict, none", 4, dht1.Conflict(None)),
        ("clock", 4, dht1.WrongClock(CLOCK)),
        ("clock, zero", 4, dht1.WrongClock(0)),
        ("wanted, nothing there", 4, dht1.Wanted(0)),
        ("wanted", 4, dht1.Wanted(1_000_003)),
        ("chunk, shortest", 5, dht1.Chunk(b"\0")),
        ("chunk, longest", 5, dht1.Chunk(derive("chunk", 1000))),
        ("absent", 5, dht1.Refusal(dht1.ABSENT)),
        ("roster", 16, dht1.Rostered(made_head())),
        ("no roster", 16, dht1.Refusal(dht1.ABSENT)),
        ("welcome", 17, made_welcome("laptop", 1)),
        ("welcome, longest", 17, made_welcome("n" * 32, 6)),
        ("nobody joins here", 17, dht1.Refusal(dht1.ABSENT)),
    ]
    return plain + [("retry", op, dht1.Refusal(dht1.RETRY)) for op in (1, 2, 3, 5, 16, 17)] + [
        (name, 4, dht1.Refusal(status)) for status, name in refusals
    ]


def messages() -> Fields:
    return {
        "requests": [
            message_fields(name, r.operation, dht1.OK, r, dht1.decode_request)
            for name, r in requests()
        ],
        "responses": [
            message_fields(name, op, r.status, r, dht1.decode_response)
            for name, op, r in responses()
        ],
        "bad": bad_messages(),
    }


def message_fields(
    name: str, operation: int, status: int, message: Any, decode: Callable[..., Any]
) -> Fields:
    payload = message.encode()
    for length in dht1.LENGTHS:
        if len(payload) <= length - dht1.OVERHEAD:
            padded = payload.ljust(length - dht1.OVERHEAD, b"\0")
            assert decode(operation, status, padded) == message, name
    assert decode(operation, status, payload) == message, name
    common = {"name": name, "operation": operation, "status": status, "payload": payload.hex()}
    fields = {} if isinstance(message, dht1.Refusal) else vars(message)
    decoded = {key: plain_value(value) for key, value in fields.items() if value is not None}
    return common | decoded


def plain_value(value: Any) -> Any:
    if isinstance(value, Record):
        return value.encode().hex()
    if isinstance(value, Contact):
        other = {"other": plain_value(value.other)} if value.other else {}
        return {"identity": value.identity.hex()} | plain_value(value.endpoint) | other
    if isinstance(value, (dht1.View, dht1.Mark, dht1.Head, dht1.Reference)):
        return {name: plain_value(field) for name, field in value._asdict().items()}
    if isinstance(value, Endpoint):
        return {"address": value.address, "port": value.port}
    if isinstance(value, list):
        return [plain_value(element) for element in value]
    return value.hex() if isinstance(value, bytes) else value


def bad_messages() -> list[Fields]:
    """Bad as they stand, and bad with the padding of any datagram that can carry them."""
    cases = bad_requests() + bad_responses()
    for kind, operation, status, payload, why in cases:
        decode = dht1.decode_request if kind == dht1.REQUEST else dht1.decode_response
        must_fail(lambda: decode(operation, status, payload), why)
        for length in dht1.LENGTHS:
            padded = payload.ljust(length - dht1.OVERHEAD, b"\0")
            must_fail(lambda: decode(operation, status, padded), f"{why}, padded to {length}")
    return [
        {"kind": kind, "operation": op, "status": status, "payload": payload.hex(), "why": why}
        for kind, op, status, payload, why in cases
    ]


Bad = tuple[int, int, int, bytes, str]


def bad_requests() -> list[Bad]:
    small, large = made_records()[0][2], made_records()[2][2]
    record, place = small.encode(), small.location
    cases = [
        *((op, 0, b"", f"operation {op}") for op in (0, 7, 15, 18, 127, 128, 255)),
        (1, 1, b"\0", "status retry in a request"),
        (4, 2, b"\0" + record, "status conflict in a request"),
        (1, 0, b"\4", "ping, reserved flag"),
        (1, 0, b"\2" + bytes(11) + b"\1", "ping, the stamp of no roster"),
        (1, 0, b"\0" + bytes(7) + b"\1" + bytes(4), "ping, roster without its flag"),
        (16, 0, b"\1", "find roster, padding not zero"),
        (17, 0, b"\1", "join, padding not zero"),
        (1, 0, b"\x81", "ping, reserved flag beside the known one"),
        (1, 0, b"\0\1", "ping, padding not zero"),
        (1, 0, b"\0" + bytes(34) + b"\1", "ping, last byte of the padding not zero"),
        (2, 0, bytes(20) + b"\1", "find node, padding not zero"),
        (3, 0, place + b"\0\0\2", "find value, reserved flag"),
        (3, 0, place + b"\0\0\0" + PEOPLE[0].identity, "find value, author without its flag"),
        (3, 0, place + b"\0\0\1" + PEOPLE[0].identity + b"\1", "find value, padding not zero"),
        (4, 0, b"\2" + record, "store, reserved flag"),
        (4, 0, b"\0" + dht1.number(REVISION, 8) + record, "store, condition without its flag"),
        (4, 0, b"\1" + record, "store, flag without its condition"),
        (4, 0, b"\0" + record + b"\1", "store, padding not zero"),
        (4, 0, b"\0", "store, no record"),
        (4, 0, b"\0\2" + record[1:], "store, record of version 2"),
        (4, 0, b"\0\1\4" + record[2:], "store, record of kind 4"),
        (4, 0, b"\0\1\3" + record[2:], "store, reference of another length"),
        (4, 0, b"\0\1\1\0" + record[3:], "store, record with a key of 0 bytes"),
        (4, 0, b"\0" + large.encode()[:40], "store, record cut inside the key"),
        (4, 0, b"\0" + record + record, "store, two records"),
        (5, 0, bytes(32) + dht1.number(263, 2) + b"\0", "find chunk, piece 263"),
        (5, 0, bytes(32) + dht1.number(0xFFFE, 2) + b"\0", "find chunk, piece 65534"),
        (5, 0, bytes(35) + b"\1", "find chunk, padding not zero"),
    ]
    return [(dht1.REQUEST, *case) for case in cases]


def bad_responses() -> list[Bad]:
    small, large = made_records()[0][2].encode(), made_records()[2][2].encode()
    eight = dht1.Nodes(contacts(8)).encode()
    many = dht1.Nodes((contacts(8) * 3)[: dht1.NAMED + 1]).encode()
    one, v4 = contacts(1)[0], V4.encode()
    mapped = b"\6" + bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]) + b"\x0f\xa0"
    two_large = b"\0\2\2" + large + large
    view = dht1.View(CLOCK, dht1.BAD, 3600, 250_000).encode()
    head = dht1.Rostered(made_head()).encode()
    welcome, key = made_welcome("n", 1).encode(), NETWORKS[0].key
    administrators = [person.identity for person in PEOPLE[:7]]
    cases = [
        *((op, 0, b"", f"operation {op}") for op in (0, 7, 15, 17, 127, 255)),
        *((op, 8, b"", f"status 8 to operation {op}") for op in (1, 2, 3, 5, 6)),
        *((op, 9, b"", f"status 9 to operation {op}") for op in (1, 2, 3, 4, 6)),
        *((op, 10, b"", f"status 10 to operation {op}") for op in (1, 2, 3, 4, 5, 6)),
        (5, 0, b"\0\0", "chunk of 0 bytes"),
        (5, 0, b"\3\xe9" + bytes(1001), "chunk of 1001 bytes"),
        (5, 0, b"\0\1xy", "chunk, padding not zero"),
        (5, 0, b"\3\xe8" + b"x" * 1010, "chunk, padding not zero in the longest datagram"),
        (4, 8, bytes(4) + b"\1", "wanted, padding not zero"),
        (4, 255, b"", "status 255"),
        *((op, s, b"", f"status {s} to operation {op}") for op in (1, 2, 3, 5) for s in (2, 3, 7)),
        (1, 1, b"\1", "retry with a payload"),
        (4, 6, b"\1", "denied with a payload"),
        (1, 0, b"\5" + v4[1:] + b"\0", "pong, family 5"),
        (1, 0, b"\0" + v4[1:] + b"\0", "pong, family 0"),
        (1, 0, mapped + b"\0", "pong, IPv4-mapped address"),
        (1, 0, v4 + b"\1" + mapped, "pong, IPv4-mapped address in the list"),
        (1, 0, v4 + b"\1" + v4 + b"\0\1", "pong, padding not zero"),
        (1, 0, v4 + b"\2" + v4, "pong, list one short"),
        (1, 0, v4 + b"\xff" + v4, "pong, list of 255 with one in it"),
        (1, 0, v4 + b"\0\4" + view, "pong, reserved flag"),
        (1, 0, v4 + b"\0\2" + bytes(11) + b"\1", "pong, the stamp of no roster"),
        (1, 0, v4 + b"\0\1" + made_head().mark.encode() + view, "pong, roster without its flag"),
        (16, 0, bytes(8) + head[8:], "roster of serial 0"),
        (16, 0, head[:48] + bytes(4) + head[52:], "roster of 0 bytes"),
        (16, 0, head[:48] + dht1.number(dht1.MAX_ROSTER + 1, 4) + head[52:], "roster too long"),
        (16, 0, head + b"\1", "roster, padding not zero"),
        (17, 0, key + b"\1n\7" + b"".join(administrators), "welcome, seven administrators"),
        (17, 0, key + b"\0\1" + PEOPLE[0].identity, "welcome without a name"),
        (17, 0, key + b"\1/\1" + PEOPLE[0].identity, "welcome, a name that is none"),
        (17, 0, key + bytes([33]) + b"n" * 33 + b"\1" + PEOPLE[0].identity, "welcome, name too long"),
        (17, 0, key + b"\1n\0", "welcome, no administrator"),
        (17, 0, welcome + b"\1", "welcome, padding not zero"),
        *((16, s, b"", f"status {s} to operation 16") for s in (2, 3, 7, 8, 10)),
        (1, 0, v4 + b"\0\x81" + view, "pong, reserved flag beside the known one"),
        (1, 0, v4 + b"\0\0" + view, "pong, view without its flag"),
        (1, 0, v4 + b"\0\1" + view[:6] + b"\4" + view[7:], "pong, view of state 4"),
        (1, 0, v4 + b"\0\1" + view[:6] + b"\xff" + view[7:], "pong, view of state 255"),
        (1, 0, v4 + b"\0\1" + view + b"\1", "pong, view, padding not zero"),
        (2, 0, many, "seventeen contacts"),
        (2, 0, b"\xff" + eight[1:], "255 contacts"),
        (2, 0, b"\7" + eight[1:], "count one too small"),
        (2, 0, eight[:-8], "last contact without its endpoint"),
        (2, 0, b"\1" + one.identity + b"\0", "contact with no endpoint"),
        (2, 0, b"\1" + one.identity + b"\2" + v4 + v4, "contact with two endpoints of a family"),
        (2, 0, b"\1" + one.identity + b"\3" + v4 + V6.encode() + v4, "contact with three endpoints"),
        (2, 0, eight[:100], "cut inside a contact"),
        (2, 0, b"\1" + one.identity + b"\1\7" + one.endpoint.encode()[1:], "contact, family 7"),
        (2, 0, b"\1" + one.identity + b"\1" + mapped, "contact, IPv4-mapped address"),
        (2, 0, eight + b"\1", "contacts, padding not zero"),
        (3, 0, b"\0\1\1" + b"\2" + small[1:] + b"\0", "found, record of version 2"),
        (3, 0, b"\0\2\2" + small + b"\0", "found, list of records one short"),
        (3, 0, two_large[:1012], "found, second record cut at the end of the longest datagram"),
        (3, 0, b"\0\0\0" + many, "found, seventeen contacts"),
        (3, 0, b"\0\0\0\1" + one.identity, "found, contact without its endpoint"),
        (3, 0, b"\0\1\1" + small + b"\0\1", "found, padding not zero"),
        (3, 0, b"\0\0\1" + small + b"\0", "found, a record where there are none"),
        (3, 0, b"\0\1\2" + small + small + b"\0", "found, fewer records in all than in it"),
        (4, 0, bytes(4) + b"\xff" * 32 + b"\1", "stored, an eighth prefix"),
        (4, 0, bytes(12) + b"\xff" * 4 + bytes(20), "stored, a prefix after the last"),
        (4, 2, b"\2" + small[1:], "conflict, record of version 2"),
        (4, 2, small + b"\1", "conflict, padding not zero"),
        (4, 2, b"\0" + small, "conflict, record after a zero"),
        (4, 5, dht1.number(CLOCK, 8) + b"\1", "clock, padding not zero"),
    ]
    return [(dht1.RESPONSE, *case) for case in cases]


# envelopes.json


class Envelopes:
    """Seals one after the other, counts the requests of each to each, and remembers what
    responses need: digests and transaction ids, and the last challenge of each for each."""

    def __init__(self) -> None:
        self.made: list[Fields] = []
        self.digests: dict[str, bytes] = {}
        self.transactions: dict[str, bytes] = {}
        self.counters: Counter[Pair] = Counter()
        self.challenges: dict[Pair, bytes] = {}

    def add(
        self, name: str, sender: int, recipient: int, message: Any, length: int,
        operation: Optional[int] = None, known: bool = True, answers: Optional[str] = None,
        live: bool = True, repeats: Optional[str] = None, network: Network = NETWORKS[0],
    ) -> None:
        """A response `answers` the request of that name, which was `live` or not; a transmission
        `repeats` an earlier one; `known` is a recipient's box key."""
        me, box, to = PEOPLE[sender], BOXES[sender], PEOPLE[recipient]
        theirs = BOXES[recipient] if known else to.static
        there, back = (network, sender, recipient), (network, recipient, sender)
        if answers:
            transaction, challenge = self.transactions[answers], dht1.NO_CHALLENGE
            if not live:
                challenge = self.challenges[back] = derive("challenge " + name, 8)
        else:
            transaction = self.transactions.get(repeats or "") or derive("transaction " + name, 8)
            challenge = self.challenges.get(there, dht1.NO_CHALLENGE)
            self.counters[there] += 1
        self.transactions[name] = transaction
        counter, id_number = self.counters[there], int.from_bytes(transaction, "big")
        header = dht1.Header(
            dht1.RESPONSE if answers else dht1.REQUEST, theirs.id if known else 0,
            id_number if answers else counter, me.identity, box.public,
        )
        body = dht1.Body(
            operation or message.operation, getattr(message, "status", dht1.OK),
            counter if answers else id_number, challenge, message.encode(),
        )
        digest = self.digests[answers] if answers else dht1.NO_DIGEST
        nonce = derive("nonce " + name, 24)
        shared = dht1.shared_key(theirs.public, box)
        datagram, self.digests[name] = dht1.seal(
            network, me, header, to.identity, shared, nonce, body.encode(length), digest
        )
        check_opens(network, datagram, me, to, theirs, digest, header, body)
        self.made.append(
            {
                "name": name,
                "network_key": network.key.hex(),
                "sender_seed": me.seed.hex(),
                "sender_box_secret": box.secret.hex(),
                "recipient_seed": to.seed.hex(),
                **({"recipient_box_secret": theirs.secret.hex()} if known else {}),
                "kind": header.kind,
                "counter": counter,
                "nonce": nonce.hex(),
                "request_digest": digest.hex(),
                "operation": body.operation,
                "status": body.status,
                "transaction": transaction.hex(),
                "challenge": challenge.hex(),
                "payload": body.payload.hex(),
                "length": length,
                "signed_input_digest": self.digests[name].hex(),
                "datagram": datagram.hex(),
            }
        )


def check_opens(
    network: Network, datagram: bytes, sender: SigningKey, recipient: SigningKey,
    box: BoxKey, digest: bytes, header: dht1.Header, body: dht1.Body,
) -> None:
    """Opens the datagram as its recipient would."""
    assert dht1.open_header(network.header_key(recipient.identity), datagram) == header
    signature, content = dht1.open_box(dht1.shared_key(header.box_public, box), datagram)
    message = dht1.signed_input(
        network, recipient.identity, digest, datagram[:24], header.encode(), content
    )
    assert dht1.is_signed(message, signature, sender.identity)
    opened = dht1.Body.decode(content)
    assert opened.payload.startswith(body.payload) and opened.challenge == body.challenge
    assert opened.number == body.number


def envelopes() -> Fields:
    small, hello, large = (made_records()[i][2] for i in (0, 1, 2))
    prefixes = [int.from_bytes(person.node_id[:4], "big") for person in PEOPLE][: dht1.K - 1]
    target = derive("target", 20)
    full = made_records()[10][2]
    them, new = Envelopes(), {"live": False}
    first = {"known": False}
    them.add("ping, first contact", 0, 1, dht1.Ping(), 256, **first)
    them.add("pong with a challenge", 1, 0, dht1.Pong(V4, [V4]), 256, 1,
             answers="ping, first contact", **new)
    them.add("ping, founding", 0, 1, dht1.Ping(), 256)
    them.add("pong without a challenge", 1, 0, dht1.Pong(V4, []), 256, 1, answers="ping, founding")
    them.add("store, live", 0, 1, dht1.Store(small), 512)
    them.add("stored", 1, 0, dht1.Stored(3600, prefixes), 512, 4, answers="store, live")
    them.add("ping, live, leaving", 0, 1, dht1.Ping(leaving=True), 256)
    them.add("pong, IPv6", 1, 0, dht1.Pong(V6, [], dht1.View(CLOCK, dht1.GOOD, 3, 900)), 256, 1,
             answers="ping, live, leaving")
    them.add("find node, first contact, padded", 2, 3, dht1.FindNode(target), 768, **first)
    them.add("eight contacts", 3, 2, dht1.Nodes(contacts(8)), 768, 2,
             answers="find node, first contact, padded", **new)
    them.add("find node, live", 2, 3, dht1.FindNode(target), 256)
    them.add("find node, live, sent again to the static key", 2, 3, dht1.FindNode(target), 768,
             known=False, repeats="find node, live")
    them.add("one contact", 3, 2, dht1.Nodes(contacts(1)), 512, 2,
             answers="find node, live, sent again to the static key")
    them.add("ping, of the one that was asked", 3, 2, dht1.Ping(), 256)
    them.add("find node, live, of a peer that asked", 2, 3, dht1.FindNode(bytes(20)), 256)
    them.add("no contacts, counted", 3, 2, dht1.Nodes([]), 256, 2,
             answers="find node, live, of a peer that asked")
    them.add("find node, first contact, short", 6, 7, dht1.FindNode(target), 256, **first)
    them.add("retry", 7, 6, dht1.Refusal(dht1.RETRY), 256, 2,
             answers="find node, first contact, short", **new)
    them.add("find value, live", 4, 5, dht1.FindValue(large.location), 256)
    them.add("found the largest, three contacts", 5, 4,
             dht1.Found(1, [large], contacts(3)), 1232, 3, answers="find value, live")
    them.add("find value, author, padded", 5, 6,
             dht1.FindValue(hello.location, 1, PEOPLE[1].identity), 1024, **first)
    them.add("found one, eight contacts", 6, 5, dht1.Found(1, [hello], contacts(8)), 1024, 3,
             answers="find value, author, padded", **new)
    them.add("store, not live", 0, 7, dht1.Store(hello), 512, known=False)
    them.add("store, retry", 7, 0, dht1.Refusal(dht1.RETRY), 256, 4, answers="store, not live",
             **new)
    them.add("store, founding, largest, condition", 0, 7, dht1.Store(large, REVISION), 1232)
    them.add("conflict", 7, 0, dht1.Conflict(full), 512, 4,
             answers="store, founding, largest, condition")
    them.add("clock", 7, 0, dht1.WrongClock(CLOCK), 256, 4,
             answers="store, founding, largest, condition")
    them.add("ping, other network", 0, 1, dht1.Ping(), 256, network=NETWORKS[1], **first)
    rest = Record.make(NETWORKS[0], PEOPLE[0], 1, b"rest", REVISION, 60, b"0123456789")
    exact = dht1.Found(2, [large, rest], [])
    assert len(exact.encode()) == dht1.LENGTHS[-1] - dht1.OVERHEAD
    them.add("largest payload", 5, 4, exact, 1232, 3, answers="find value, live")
    return {"envelopes": them.made}


# rosters.json


def roster_text(members: int, remark: int = 0) -> bytes:
    """An administrator, one who is revoked, members, and a comment of so many bytes."""
    texts = [dht1.encode_text(dht1.PART_IDENTITY, person.identity) for person in PEOPLE]
    lines = [f"@admin {texts[0]} root", f"@revoked {texts[-1]} gone"]
    named = enumerate(texts[:members])
    lines += [f"{text} n{index} addr=192.0.2.{index}:4100" for index, text in named]
    return ("\n".join(lines) + "\n").encode() + (b"#" + b"x" * remark + b"\n" if remark else b"")


def made_head() -> dht1.Head:
    return dht1.Head.sign(NETWORKS[0], PEOPLE[0], 7, CLOCK // 1000, roster_text(3))


def rosters() -> Fields:
    made = [
        (0, 0, 1, 1_790_942_400, roster_text(1)), (0, 0, 2, 0, roster_text(6)),
        (1, 1, 2**64 - 1, 2**64 - 1, roster_text(3)),
        (0, 2, 8, CLOCK // 1000, roster_text(6, 200_000)),
    ]
    return {"rosters": [roster_fields(NETWORKS[n], PEOPLE[p], s, t, x) for n, p, s, t, x in made]}


def roster_fields(
    network: Network, administrator: SigningKey, serial: int, time: int, text: bytes
) -> Fields:
    head = dht1.Head.sign(network, administrator, serial, time, text)
    assert head.is_genuine(network)
    fields: Fields = {
        "network_key": network.key.hex(), "administrator_seed": administrator.seed.hex(),
        "serial": serial, "time": time, "head": dht1.Rostered(head).encode().hex(),
        "mark": head.mark.encode().hex(),
        "signed_input_digest": dht1.blake2b(head.signed_input(network)).hex(),
    }
    if len(text) <= 2000:
        return fields | {"text": text.decode()}
    start = text.index(b"#")
    return fields | {"text": text[:start].decode(), "remark": len(text) - start - 2}


# invitations.json


def made_welcome(name: str, administrators: int) -> dht1.Welcome:
    named = [person.identity for person in PEOPLE[:administrators]]
    return dht1.Welcome(NETWORKS[0].key, name, named)


def invitations() -> Fields:
    places = [
        [V4], [V6], [V6, V4, Endpoint("::1", 1)],
        [V4, Endpoint("192.0.2.2", 65535), Endpoint("127.0.0.1", 1)],
    ]
    return {
        "invitations": [
            invitation_fields(PEOPLE[at], derive(f"invitation {at}", 16), each)
            for at, each in enumerate(places)
        ],
        "bad_texts": bad_invitations(),
    }


def invitation_fields(inviter: SigningKey, secret: bytes, places: list[Endpoint]) -> Fields:
    invitation = dht1.Invitation(inviter.identity, secret, places)
    assert dht1.Invitation.read(invitation.text) == invitation
    assert dht1.Invitation.read(invitation.text.upper()) == invitation
    return {
        "inviter_seed": inviter.seed.hex(), "secret": secret.hex(),
        "endpoints": [plain_value(place) for place in places], "text": invitation.text,
        "invitation_key": invitation.network.key.hex(), "network_id": invitation.network.id.hex(),
    }


def bad_invitations() -> list[Fields]:
    inviter, secret = PEOPLE[0].identity, derive("invitation 0", 16)
    good = dht1.Invitation(inviter, secret, [V4]).text
    four, six = V4.encode(), V6.encode()

    def text(content: bytes) -> str:
        return dht1.encode_text(dht1.PART_INVITATION, content)

    others = [Endpoint(f"192.0.2.{host}", 1).encode() for host in range(4)]
    cases = [
        ("", "empty"),
        (good[:-1], "one character missing"),
        (swap(good, 30), "one wrong character"),
        (good[:40].upper() + good[40:], "mixed case"),
        (good.replace("dht-join", "dht"), "the part of another kind"),
        (dht1.encode_text(dht1.PART_IDENTITY, inviter), "an identity"),
        (text(inviter + secret), "no address"),
        (text(inviter + secret + four[:-1]), "an address that is cut"),
        (text(inviter + secret + four + four), "the same address twice"),
        (text(inviter + secret + b"".join(others)), "four addresses"),
        (text(inviter + secret + six + Endpoint("::1", 1).encode() + Endpoint("::2", 1).encode()),
         "three addresses of IPv6"),
        (text(inviter + secret + b"\5" + four[1:]), "an unknown family"),
        (text(bytes(32) + secret + four), "an inviter that is nobody's key"),
    ]
    for bad, why in cases:
        must_fail(lambda: dht1.Invitation.read(bad), why)
    return [{"text": bad, "why": why} for bad, why in cases]


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for make in (keys, contents, records, messages, envelopes, rosters, invitations):
        path = FOLDER / f"{make.__name__}.json"
        text = json.dumps(make(), indent=1) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        print("differ from what vectors.py makes:", ", ".join(stale), file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
