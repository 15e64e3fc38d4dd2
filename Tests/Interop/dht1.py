"""The protocol, version 1, written from docs/protocol.md alone: texts, keys, records, messages,
envelopes. Pure functions and values; the sockets and the clock are in node.py."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import Callable, ClassVar, NamedTuple, Optional, TypeVar, Union

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

LENGTHS = (256, 512, 768, 1024, 1232)
OVERHEAD = 220
REQUEST, RESPONSE = 1, 2
PING, FIND_NODE, FIND_VALUE, STORE, FIND_CHUNK, PASS_ON = 1, 2, 3, 4, 5, 6
FIND_ROSTER, JOIN = 16, 17
OPERATIONS = (PING, FIND_NODE, FIND_VALUE, STORE, FIND_CHUNK, PASS_ON, FIND_ROSTER, JOIN)
OK, RETRY, CONFLICT, QUOTA, EXPIRED, CLOCK, DENIED, UNAVAILABLE, WANTED, ABSENT = range(10)
UNKNOWN, GOOD, QUESTIONABLE, BAD = range(4)
NEVER = 2**32 - 1
VALUE, TOMBSTONE, REFERENCE = 1, 2, 3
K = 8
NAMED = 2 * K  # contacts in one answer
MAX_KEY, MAX_VALUE, MAX_LIFETIME = 128, 640, 31_536_000
CHUNK, PIECE, MAX_CONTENT = 1000, 64_000, 16_777_216
MAX_ROSTER = 8_388_608
MAX_ADMINISTRATORS, NAME = 6, rb"[A-Za-z0-9._-]{1,32}"
MAX_PLACES, PLACES_LENGTH = 3, 45
OUTLINE = 0xFFFF
NO_DIGEST = bytes(32)
NO_CHALLENGE = bytes(8)
# The condition of a STORE that holds whatever stands.
ANYTHING = 2**64 - 1

T = TypeVar("T")


class Malformed(ValueError):
    """The bytes or the text are not what the page allows."""


class Dropped(Exception):
    """A datagram failed a check of section 4; `reason` is the name of its counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def blake2b(content: bytes, size: int = 32, key: bytes = b"") -> bytes:
    return hashlib.blake2b(content, digest_size=size, key=key).digest()


def sha1(content: bytes) -> bytes:
    return hashlib.sha1(content).digest()


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


# Section 2: texts

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32, BECH32M = 1, 0x2BC830A3
PART_IDENTITY, PART_SECRET = "dht", "dht-secret-key-"
PART_SEALED, PART_NETWORK = "dht-sealed-key-", "dht-network-"
PART_INVITATION = "dht-join"
SIZES = {PART_IDENTITY: 32, PART_SECRET: 32, PART_SEALED: 100, PART_NETWORK: 32}


def _checksum(part: str, values: list[int]) -> int:
    expanded = [ord(c) >> 5 for c in part] + [0] + [ord(c) & 31 for c in part]
    check = 1
    for value in expanded + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            check ^= generator if top >> bit & 1 else 0
    return check


def encode_values(part: str, values: list[int], constant: int = BECH32M) -> str:
    """Five-bit values under a part: bech32m, or bech32 for the wrong constant in the tests."""
    check = _checksum(part, values + [0] * 6) ^ constant
    tail = [check >> 5 * (5 - i) & 31 for i in range(6)]
    return part + "1" + "".join(CHARSET[v] for v in values + tail)


def five_bit_values(content: bytes) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in content)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]


def encode_text(part: str, content: bytes) -> str:
    text = encode_values(part, five_bit_values(content))
    return text if part in (PART_IDENTITY, PART_INVITATION) else text.upper()


def decode_text(part: str, text: str) -> bytes:
    """The bytes of a text that must have this part. Either case is read, a mixture is not."""
    if text not in (text.lower(), text.upper()):
        raise Malformed("mixed case")
    found, separator, rest = text.lower().rpartition("1")
    if not separator or found != part:
        raise Malformed("not a " + part + "1… text")
    if len(rest) < 6 or any(c not in CHARSET for c in rest):
        raise Malformed("not bech32m characters")
    values = [CHARSET.index(c) for c in rest]
    if _checksum(found, values) != BECH32M:
        raise Malformed("wrong checksum")
    bits = "".join(f"{v:05b}" for v in values[:-6])
    size = len(bits) // 8
    if len(bits) - 8 * size > 4 or "1" in bits[8 * size :]:
        raise Malformed("wrong padding")
    if size != SIZES.get(part, size):
        raise Malformed("wrong length")
    content = bytes(int(bits[8 * i : 8 * i + 8], 2) for i in range(size))
    if part == PART_IDENTITY:
        static_public(content)
    return content


def seal_seed(
    seed: bytes, passphrase: bytes, opslimit: int, memlimit: int, salt: bytes, nonce: bytes
) -> str:
    key = _stretch(passphrase, salt, opslimit, memlimit)
    sealed = sodium.crypto_secretbox(seed, nonce, key)
    limits = number(opslimit, 4) + number(memlimit, 8)
    return encode_text(PART_SEALED, limits + salt + nonce + sealed)


def open_seed(text: str, passphrase: bytes) -> bytes:
    content = decode_text(PART_SEALED, text)
    opslimit, memlimit = int.from_bytes(content[:4], "big"), int.from_bytes(content[4:12], "big")
    key = _stretch(passphrase, content[12:28], opslimit, memlimit)
    return sodium.crypto_secretbox_open(content[52:], content[28:52], key)


def _stretch(passphrase: bytes, salt: bytes, opslimit: int, memlimit: int) -> bytes:
    return sodium.crypto_pwhash_alg(
        32, passphrase, salt, opslimit, memlimit, sodium.crypto_pwhash_ALG_ARGON2ID13
    )


# Section 2: keys


def static_public(identity: bytes) -> bytes:
    """The static box key of an identity; one off the curve, of small order, or outside the main
    subgroup has none and is invalid."""
    try:
        return sodium.crypto_sign_ed25519_pk_to_curve25519(identity)
    except CryptoError:
        raise Malformed("not an identity") from None


@dataclass(frozen=True)
class BoxKey:
    secret: bytes = field(repr=False)
    public: bytes

    @staticmethod
    def of(secret: bytes) -> BoxKey:
        return BoxKey(secret, sodium.crypto_scalarmult_base(secret))

    @property
    def id(self) -> int:
        return box_key_id(self.public)


def box_key_id(public: bytes) -> int:
    return int.from_bytes(public[:4], "big") or 1


def shared_key(theirs: bytes, mine: BoxKey) -> bytes:
    """A low-order public key has none, so that nothing boxed with it ever opens."""
    try:
        return sodium.crypto_box_beforenm(theirs, mine.secret)
    except CryptoError:
        raise Dropped("box") from None


@dataclass(frozen=True)
class SigningKey:
    seed: bytes = field(repr=False)
    identity: bytes
    expanded: bytes = field(repr=False)
    static: BoxKey

    @staticmethod
    def of(seed: bytes) -> SigningKey:
        identity, expanded = sodium.crypto_sign_seed_keypair(seed)
        secret = sodium.crypto_sign_ed25519_sk_to_curve25519(expanded)
        return SigningKey(seed, identity, expanded, BoxKey(secret, static_public(identity)))

    @property
    def node_id(self) -> bytes:
        return sha1(self.identity)

    def sign(self, message: bytes) -> bytes:
        return sodium.crypto_sign(message, self.expanded)[:64]


def is_signed(message: bytes, signature: bytes, identity: bytes) -> bool:
    try:
        sodium.crypto_sign_open(signature + message, identity)
    except CryptoError:
        return False
    return True


@dataclass(frozen=True)
class Network:
    key: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return blake2b(b"dht1 network", 16, self.key)

    def header_key(self, recipient: bytes) -> bytes:
        return blake2b(b"dht1 header" + recipient, 32, self.key)


# Section 7: endpoints and contacts


class Endpoint(NamedTuple):
    address: str
    port: int

    def encode(self) -> bytes:
        address = ipaddress.ip_address(self.address)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return bytes([address.version]) + address.packed + number(self.port, 2)


class Contact(NamedTuple):
    identity: bytes
    endpoint: Endpoint
    other: Optional[Endpoint] = None

    @property
    def node_id(self) -> bytes:
        return sha1(self.identity)

    @property
    def endpoints(self) -> list[Endpoint]:
        return [self.endpoint, self.other] if self.other else [self.endpoint]

    def encode(self) -> bytes:
        return self.identity + list_bytes([e.encode() for e in self.endpoints])


class Reader:
    """Reads fields off the front of some bytes; `finish` insists that only zeros are left."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.content):
            raise Malformed("truncated")
        self.at += size
        return self.content[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def flag(self) -> bool:
        flags = self.number(1)
        if flags > 1:
            raise Malformed("unknown flags")
        return flags == 1

    def flags(self, known: int) -> int:
        flags = self.number(1)
        if flags & ~known:
            raise Malformed("unknown flags")
        return flags

    def mark(self) -> Mark:
        mark = Mark(self.number(8), self.number(4))
        if not mark.serial and mark.stamp:
            raise Malformed("a stamp of no roster")
        return mark

    def head(self) -> Head:
        head = Head(
            self.number(8), self.number(8), self.take(32),
            Reference(self.number(4), self.take(32)), self.take(64),
        )
        if not head.serial or not 1 <= head.text.length <= MAX_ROSTER:
            raise Malformed("roster head")
        return head

    def rest_is_zero(self) -> bool:
        return not any(self.content[self.at :])

    def finish(self) -> None:
        if not self.rest_is_zero():
            raise Malformed("bytes after the payload")

    def endpoint(self) -> Endpoint:
        family = self.number(1)
        if family not in (4, 6):
            raise Malformed("unknown address family")
        address = ipaddress.ip_address(self.take(4 if family == 4 else 16))
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            raise Malformed("IPv4-mapped address")
        return Endpoint(str(address), self.number(2))

    def contact(self) -> Contact:
        identity, endpoints = self.take(32), self.list_of(self.endpoint, 2)
        if len({len(e.encode()) for e in endpoints}) != len(endpoints) or not endpoints:
            raise Malformed("a contact has one endpoint, or one of each family")
        return Contact(identity, *endpoints)

    def view(self) -> View:
        view = View(self.number(6), self.number(1), self.number(4), self.number(4))
        if view.state > BAD:
            raise Malformed("unknown state")
        return view

    def list_of(self, read: Callable[[], T], most: int = 255) -> list[T]:
        count = self.number(1)
        if count > most:
            raise Malformed("too many")
        return [read() for _ in range(count)]

    def record(self) -> Record:
        version, kind = self.number(1), self.number(1)
        if version != 1 or kind not in (VALUE, TOMBSTONE, REFERENCE):
            raise Malformed("unknown record version or kind")
        key_length = self.number(1)
        if not 1 <= key_length <= MAX_KEY:
            raise Malformed("record key length")
        key, author, revision = self.take(key_length), self.take(32), self.number(8)
        lifetime, value_length = self.number(4), self.number(2)
        if not 1 <= lifetime <= MAX_LIFETIME:
            raise Malformed("record lifetime")
        if value_length > {VALUE: MAX_VALUE, TOMBSTONE: 0, REFERENCE: 36}[kind]:
            raise Malformed("record value length")
        value = self.take(value_length)
        if kind == REFERENCE:
            Reference.decode(value)
        signature = self.take(64)
        return Record(kind, key, author, revision, lifetime, value, signature)


def list_bytes(parts: list[bytes]) -> bytes:
    return number(len(parts), 1) + b"".join(parts)


# Section 8: records


@dataclass(frozen=True)
class Record:
    kind: int
    key: bytes
    author: bytes
    revision: int
    lifetime: int
    value: bytes
    signature: bytes = b""

    @staticmethod
    def make(
        network: Network, author: SigningKey, kind: int, key: bytes, revision: int,
        lifetime: int, value: bytes = b"",
    ) -> Record:
        bare = Record(kind, key, author.identity, revision, lifetime, value)
        return Record(
            kind, key, author.identity, revision, lifetime, value,
            author.sign(bare.signed_input(network)),
        )

    @staticmethod
    def decode(content: bytes) -> Record:
        reader = Reader(content)
        record = reader.record()
        if reader.at != len(content):
            raise Malformed("bytes after the record")
        return record

    def encode(self) -> bytes:
        head = bytes([1, self.kind, len(self.key)]) + self.key + self.author
        times = number(self.revision, 8) + number(self.lifetime, 4)
        return head + times + number(len(self.value), 2) + self.value + self.signature

    def signed_input(self, network: Network) -> bytes:
        fields = self.encode()[: 49 + len(self.key) + len(self.value)]
        return b"dht1 record\0" + network.id + fields

    def is_genuine(self, network: Network) -> bool:
        return is_signed(self.signed_input(network), self.signature, self.author)

    @property
    def digest(self) -> bytes:
        return blake2b(self.encode())

    @property
    def location(self) -> bytes:
        return sha1(self.key)

    @property
    def expiry(self) -> int:
        """Unix milliseconds."""
        return (self.revision >> 16) + 1000 * self.lifetime

    @property
    def rank(self) -> tuple[int, bytes, bytes]:
        """The newest record is the one with the greatest rank."""
        return (self.revision, self.author, self.digest)


# Section 9: content


class Reference(NamedTuple):
    """The value of a record whose value proper is somewhere else."""

    length: int
    digest: bytes

    @staticmethod
    def make(length: int, outline: bytes) -> Reference:
        return Reference(length, blake2b(b"dht1 content" + number(length, 4) + outline))

    @staticmethod
    def of(content: bytes) -> Reference:
        return Reference.make(len(content), outline(content))

    @staticmethod
    def decode(value: bytes) -> Reference:
        if len(value) != 36 or not MAX_VALUE < int.from_bytes(value[:4], "big") <= MAX_CONTENT:
            raise Malformed("reference")
        return Reference(int.from_bytes(value[:4], "big"), value[4:])

    def encode(self) -> bytes:
        return number(self.length, 4) + self.digest

    @property
    def pieces(self) -> int:
        return -(-self.length // PIECE)

    def part_length(self, part: int) -> int:
        if part == OUTLINE:
            return 32 * self.pieces
        return min(PIECE, self.length - part * PIECE)


def outline(content: bytes) -> bytes:
    return b"".join(
        blake2b(content[at : at + PIECE]) for at in range(0, len(content), PIECE)
    )


# Section 12: rosters


class Mark(NamedTuple):
    """Tells of a roster in a PING; serial 0: there is none."""

    serial: int
    stamp: int

    def encode(self) -> bytes:
        return number(self.serial, 8) + number(self.stamp, 4)


class Head(NamedTuple):
    """All of a roster but its text."""

    serial: int
    time: int
    administrator: bytes
    text: Reference
    signature: bytes = b""

    @staticmethod
    def sign(
        network: Network, administrator: SigningKey, serial: int, time: int, text: bytes
    ) -> Head:
        bare = Head(serial, time, administrator.identity, Reference.of(text))
        return bare._replace(signature=administrator.sign(bare.signed_input(network)))

    def fields(self) -> bytes:
        times = number(self.serial, 8) + number(self.time, 8)
        return times + self.administrator + self.text.encode()

    def signed_input(self, network: Network) -> bytes:
        return b"dht1 roster\0" + network.id + self.fields()

    def is_genuine(self, network: Network) -> bool:
        return is_signed(self.signed_input(network), self.signature, self.administrator)

    @property
    def mark(self) -> Mark:
        return Mark(self.serial, int.from_bytes(self.text.digest[:4], "big"))


# Section 13: joining


class Invitation(NamedTuple):
    """A line that lets one machine in, once."""

    inviter: bytes
    secret: bytes
    places: list[Endpoint]

    @staticmethod
    def read(text: str) -> Invitation:
        reader = Reader(decode_text(PART_INVITATION, text))
        inviter, secret = reader.take(32), reader.take(16)
        static_public(inviter)
        places = [reader.endpoint()]
        while reader.at < len(reader.content):
            places.append(reader.endpoint())
        length = len(reader.content) - 48
        if len(places) > MAX_PLACES or length > PLACES_LENGTH or len(set(places)) < len(places):
            raise Malformed("places of an invitation")
        return Invitation(inviter, secret, places)

    @property
    def text(self) -> str:
        places = b"".join(place.encode() for place in self.places)
        return encode_text(PART_INVITATION, self.inviter + self.secret + places)

    @property
    def network(self) -> Network:
        return Network(blake2b(b"dht1 invitation", 32, self.secret))


# Sections 6 and 7: messages


@dataclass(frozen=True)
class Ping:
    operation: ClassVar[int] = PING
    leaving: bool = False
    roster: Optional[Mark] = None

    def encode(self) -> bytes:
        flags = self.leaving | (self.roster is not None) << 1
        return bytes([flags]) + (self.roster.encode() if self.roster else b"")


@dataclass(frozen=True)
class FindNode:
    operation: ClassVar[int] = FIND_NODE
    target: bytes

    def encode(self) -> bytes:
        return self.target


@dataclass(frozen=True)
class FindValue:
    operation: ClassVar[int] = FIND_VALUE
    location: bytes
    offset: int = 0
    author: Optional[bytes] = None

    def encode(self) -> bytes:
        flags = bytes([self.author is not None])
        return self.location + number(self.offset, 2) + flags + (self.author or b"")


@dataclass(frozen=True)
class Store:
    operation: ClassVar[int] = STORE
    record: Record
    condition: Optional[int] = None

    def encode(self) -> bytes:
        condition = b"" if self.condition is None else number(self.condition, 8)
        return bytes([self.condition is not None]) + condition + self.record.encode()


@dataclass(frozen=True)
class PassOn(Store):
    operation: ClassVar[int] = PASS_ON


@dataclass(frozen=True)
class FindChunk:
    operation: ClassVar[int] = FIND_CHUNK
    content: bytes
    part: int
    chunk: int

    def encode(self) -> bytes:
        return self.content + number(self.part, 2) + number(self.chunk, 1)


@dataclass(frozen=True)
class FindRoster:
    operation: ClassVar[int] = FIND_ROSTER

    def encode(self) -> bytes:
        return b""


@dataclass(frozen=True)
class Join:
    operation: ClassVar[int] = JOIN

    def encode(self) -> bytes:
        return b""


class View(NamedTuple):
    """The clock of who answers PING (Unix milliseconds), and what it makes of who asked."""

    clock: int
    state: int = UNKNOWN
    answered: int = NEVER
    round_trip: int = 0

    def encode(self) -> bytes:
        known = number(self.answered, 4) + number(self.round_trip, 4)
        return number(min(self.clock, 2**48 - 1), 6) + number(self.state, 1) + known


@dataclass(frozen=True)
class Pong:
    observed: Endpoint
    endpoints: list[Endpoint]
    view: Optional[View] = None
    roster: Optional[Mark] = None
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        places = self.observed.encode() + list_bytes([e.encode() for e in self.endpoints])
        flags = (self.view is not None) | (self.roster is not None) << 1
        mark = self.roster.encode() if self.roster else b""
        return places + bytes([flags]) + mark + (self.view.encode() if self.view else b"")

    def fitting(self, room: int) -> Pong:
        """With as much of it as fits: the roster and endpoints before the view."""
        fixed = len(Pong(self.observed, [], None, self.roster).encode())
        endpoints: list[Endpoint] = []
        for endpoint in self.endpoints:
            fixed += len(endpoint.encode())
            if fixed > room:
                break
            endpoints.append(endpoint)
        whole = Pong(self.observed, endpoints, self.view, self.roster)
        return whole if len(whole.encode()) <= room else replace(whole, view=None)


@dataclass(frozen=True)
class Nodes:
    contacts: list[Contact]
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        return list_bytes([c.encode() for c in self.contacts])


@dataclass(frozen=True)
class Found:
    total: int
    records: list[Record]
    contacts: list[Contact]
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        records = list_bytes([r.encode() for r in self.records])
        return number(self.total, 2) + records + list_bytes([c.encode() for c in self.contacts])


@dataclass(frozen=True)
class Stored:
    lifetime: int
    prefixes: list[int]
    hidden_by: int = 0
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        padded = [self.hidden_by] + self.prefixes + [0] * (K - 1 - len(self.prefixes))
        return number(self.lifetime, 4) + b"".join(number(p, 4) for p in padded)


@dataclass(frozen=True)
class Conflict:
    record: Optional[Record]
    status: ClassVar[int] = CONFLICT

    def encode(self) -> bytes:
        return self.record.encode() if self.record else b""


@dataclass(frozen=True)
class WrongClock:
    time: int
    status: ClassVar[int] = CLOCK

    def encode(self) -> bytes:
        return number(self.time, 8)


@dataclass(frozen=True)
class Wanted:
    held: int
    status: ClassVar[int] = WANTED

    def encode(self) -> bytes:
        return number(self.held, 4)


@dataclass(frozen=True)
class Chunk:
    bytes: bytes
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        return number(len(self.bytes), 2) + self.bytes


@dataclass(frozen=True)
class Rostered:
    """The head of the roster that the responder holds."""

    head: Head
    status: ClassVar[int] = OK

    def encode(self) -> bytes:
        return self.head.fields() + self.head.signature


@dataclass(frozen=True)
class Welcome:
    """All that a machine needs that is let in."""

    network_key: bytes = field(repr=False)
    called: str
    administrators: list[bytes]
    status: ClassVar[int] = OK

    @staticmethod
    def read(reader: Reader) -> Welcome:
        key, name = reader.take(32), reader.take(reader.number(1))
        administrators = reader.list_of(lambda: reader.take(32), MAX_ADMINISTRATORS)
        if not administrators or not re.fullmatch(NAME, name):
            raise Malformed("welcome")
        return Welcome(key, name.decode(), administrators)

    def encode(self) -> bytes:
        name = self.called.encode()
        return self.network_key + number(len(name), 1) + name + list_bytes(self.administrators)


@dataclass(frozen=True)
class Refusal:
    """A status without a payload: retry, quota, expired, denied, unavailable, absent."""

    status: int

    def encode(self) -> bytes:
        return b""


Request = Union[Ping, FindNode, FindValue, Store, FindChunk, FindRoster, Join]
Response = Union[
    Pong, Nodes, Found, Stored, Conflict, WrongClock, Wanted, Chunk, Rostered, Welcome, Refusal
]


def decode_request(operation: int, status: int, payload: bytes) -> Request:
    """`payload` may be followed by the zeros of the padding."""
    reader = Reader(payload)
    message: Request
    if status != 0:
        raise Malformed("status in a request")
    if operation == PING:
        flags = reader.flags(3)
        message = Ping(bool(flags & 1), reader.mark() if flags & 2 else None)
    elif operation == FIND_NODE:
        message = FindNode(reader.take(20))
    elif operation == FIND_VALUE:
        location, offset = reader.take(20), reader.number(2)
        message = FindValue(location, offset, reader.take(32) if reader.flag() else None)
    elif operation in (STORE, PASS_ON):
        condition = reader.number(8) if reader.flag() else None
        message = (Store if operation == STORE else PassOn)(reader.record(), condition)
    elif operation == FIND_CHUNK:
        message = FindChunk(reader.take(32), reader.number(2), reader.number(1))
        if message.part != OUTLINE and message.part * PIECE >= MAX_CONTENT:
            raise Malformed("there is no such piece")
    elif operation == FIND_ROSTER:
        message = FindRoster()
    elif operation == JOIN:
        message = Join()
    else:
        raise Malformed("unknown operation")
    reader.finish()
    return message


def decode_response(operation: int, status: int, payload: bytes) -> Response:
    """`payload` may be followed by the zeros of the padding."""
    if operation not in OPERATIONS:
        raise Malformed("unknown operation")
    if status > ABSENT or (CONFLICT <= status <= UNAVAILABLE and operation not in (STORE, PASS_ON)):
        raise Malformed("unknown status")
    if status == WANTED and operation != STORE:
        raise Malformed("unknown status")
    if status == ABSENT and operation not in (FIND_CHUNK, FIND_ROSTER, JOIN):
        raise Malformed("unknown status")
    reader = Reader(payload)
    message: Response
    if status == CONFLICT:
        message = Conflict(None if reader.rest_is_zero() else reader.record())
    elif status == CLOCK:
        message = WrongClock(reader.number(8))
    elif status == WANTED:
        message = Wanted(reader.number(4))
    elif status != OK:
        message = Refusal(status)
    elif operation == PING:
        observed, endpoints = reader.endpoint(), reader.list_of(reader.endpoint)
        flags = reader.flags(3)
        mark = reader.mark() if flags & 2 else None
        message = Pong(observed, endpoints, reader.view() if flags & 1 else None, mark)
    elif operation == FIND_NODE:
        message = Nodes(reader.list_of(reader.contact, NAMED))
    elif operation == FIND_VALUE:
        total, records = reader.number(2), reader.list_of(reader.record)
        if total < len(records):
            raise Malformed("more records than there are")
        message = Found(total, records, reader.list_of(reader.contact, NAMED))
    elif operation == FIND_CHUNK:
        length = reader.number(2)
        if not 1 <= length <= CHUNK:
            raise Malformed("chunk length")
        message = Chunk(reader.take(length))
    elif operation == FIND_ROSTER:
        message = Rostered(reader.head())
    elif operation == JOIN:
        message = Welcome.read(reader)
    else:
        lifetime, hidden_by = reader.number(4), reader.number(4)
        prefixes = [reader.number(4) for _ in range(K - 1)]
        while prefixes and prefixes[-1] == 0:
            prefixes.pop()
        if 0 in prefixes:
            raise Malformed("a prefix after the last")
        message = Stored(lifetime, prefixes, hidden_by)
    reader.finish()
    return message


# Section 3: the datagram


@dataclass(frozen=True)
class Header:
    """`number` is the counter of a request; of a response the transaction id of its request."""

    kind: int
    key_id: int
    number: int
    sender: bytes
    box_public: bytes

    def encode(self) -> bytes:
        start = bytes([1, self.kind, 0, 0]) + number(self.key_id, 4) + number(self.number, 8)
        return start + self.sender + self.box_public


@dataclass(frozen=True)
class Body:
    """`number` is the transaction id of a request; of a response the highest counter that its
    sender has used in a request to the recipient."""

    operation: int
    status: int
    number: int
    challenge: bytes
    payload: bytes

    def encode(self, length: int) -> bytes:
        """The body of a datagram of `length` bytes."""
        if length not in LENGTHS or len(self.payload) > length - OVERHEAD:
            raise ValueError("the payload does not fit the datagram")
        start = bytes([self.operation, self.status, 0, 0]) + number(self.number, 8)
        return (start + self.challenge + self.payload).ljust(length - OVERHEAD + 20, b"\0")

    @staticmethod
    def decode(content: bytes) -> Body:
        """The payload comes with its padding."""
        if content[2:4] != b"\0\0":
            raise Malformed("reserved bytes of the body")
        counted = int.from_bytes(content[4:12], "big")
        return Body(content[0], content[1], counted, content[12:20], content[20:])


def fitting_length(payload: bytes, least: int = LENGTHS[0]) -> int:
    """The shortest datagram, of at least `least` bytes, that carries the payload."""
    return next(n for n in LENGTHS if n >= max(least, len(payload) + OVERHEAD))


def signed_input(
    network: Network, recipient: bytes, request_digest: bytes, nonce: bytes, header: bytes,
    body: bytes,
) -> bytes:
    start = b"dht1 envelope\0" + network.id + recipient
    return start + request_digest + nonce + header + body


def seal(
    network: Network, sender: SigningKey, header: Header, recipient: bytes, shared: bytes,
    nonce: bytes, body: bytes, request_digest: bytes = NO_DIGEST,
) -> tuple[bytes, bytes]:
    """The datagram, and the digest of its signed input."""
    head = header.encode()
    message = signed_input(network, recipient, request_digest, nonce, head, body)
    masked = sodium.crypto_secretbox(head, nonce, network.header_key(recipient))
    start = nonce + masked
    boxed = sodium.crypto_box_afternm(sender.sign(message) + body, box_nonce(start), shared)
    return start + boxed, blake2b(message)


def box_nonce(start: bytes) -> bytes:
    """Of what stands before the box, so that it opens behind no other header."""
    return blake2b(start, 24)


def open_header(header_key: bytes, datagram: bytes) -> Header:
    """Steps 1 to 3, but for the comparison of the sender with the receiver."""
    if len(datagram) not in LENGTHS:
        raise Dropped("length")
    try:
        head = sodium.crypto_secretbox_open(datagram[24:120], datagram[:24], header_key)
    except CryptoError:
        raise Dropped("header") from None
    if head[0] != 1:
        raise Dropped("version")
    numbers = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:16], "big")
    if head[1] not in (REQUEST, RESPONSE) or head[2:4] != b"\0\0":
        raise Dropped("kind")
    if head[1] == RESPONSE and numbers[0] == 0:
        raise Dropped("kind")
    return Header(head[1], *numbers, head[16:48], head[48:80])


def open_box(shared: bytes, datagram: bytes) -> tuple[bytes, bytes]:
    """The signature and the body; step 8."""
    try:
        content = sodium.crypto_box_open_afternm(datagram[120:], box_nonce(datagram[:120]), shared)
    except CryptoError:
        raise Dropped("box") from None
    return content[:64], content[64:]
