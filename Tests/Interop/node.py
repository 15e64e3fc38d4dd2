#!/usr/bin/python3
"""A node of docs/protocol.md. Commands come on stdin, one JSON line answers each; see `Console`."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import sys
import time
from typing import Any, Callable

import dht1
from dht1 import (
    Contact, Endpoint, FindNode, Invitation, Malformed, Network, Ping, Pong, SigningKey, Welcome,
)
from lookup import Client, Lookup
from roster import Roster
from rpc import Node, distance

DEFAULT_LIFETIME = 86_400
CAUGHT = 10_000
JOIN_PATIENCE = 10


class Console:
    """One command a line: ping IDENTITY · find TARGET · put KEY VALUE [LIFETIME] · get KEY ·
    del KEY · raw HOST:PORT DATAGRAM · counters · peers · quit. Bytes are hex.

    For attacks, and to see what became of them:
    catch on|off: remembers from now on, or no more, what the node sends and receives.
    caught: what that was, each with `sent`, `peer` (the address) and `datagram`, and forgets it.
    roster SERIAL SEED TEXT: signs a roster with an administrator's seed and has it count; without
    these: the one that counts.
    rotate: a new box key at once; to others the node is a new process.
    sessions: identities, box keys and addresses of those that proved to receive, and `floor`,
    `top` of their windows; how many `first_contacts` are remembered."""

    def __init__(self, node: Node) -> None:
        self.node, self.client = node, Client(node)
        self.caught: list[dict[str, Any]] = []
        self.commands: dict[str, Callable[..., dict[str, Any]]] = {
            "ping": self.ping, "find": self.find, "put": self.put, "get": self.get,
            "del": self.delete, "raw": self.raw, "counters": self.counters, "peers": self.peers,
            "quit": self.quit, "catch": self.catch, "caught": self.tell_caught,
            "rotate": self.rotate, "sessions": self.sessions, "roster": self.roster,
        }
        self.open = True

    def run(self) -> None:
        typed = b""
        while self.open:
            if not self.node.turn(1, also=[0]):
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                self.quit()
            typed += chunk
            while b"\n" in typed and self.open:
                line, _, typed = typed.partition(b"\n")
                print(json.dumps(self.perform(line.decode().split())), flush=True)

    def perform(self, words: list[str]) -> dict[str, Any]:
        command = self.commands.get(words[0]) if words else None
        if not command:
            return {"ok": False, "error": "unknown command"}
        try:
            return command(*words[1:])
        except (TypeError, ValueError, OverflowError) as error:
            return {"ok": False, "error": str(error)}

    def ping(self, text: str) -> dict[str, Any]:
        identity = parse_identity(text)
        endpoint = self.node.contacts.get(identity) or self.node.configured.get(identity)
        if not endpoint:
            target = dht1.sha1(identity)
            Lookup(self.node, target, FindNode(target)).run()
            endpoint = self.node.contacts.get(identity)
        if not endpoint:
            return {"ok": False, "error": "no address known"}
        call = self.node.ask(Contact(identity, endpoint), Ping())
        self.node.wait([call])
        if not isinstance(call.answer, Pong):
            return {"ok": False, "error": "no answer"}
        return {
            "ok": True, "milliseconds": round(1000 * call.seconds, 3),
            "observed": call.answer.observed._asdict(),
            "endpoints": [endpoint._asdict() for endpoint in call.answer.endpoints],
        }

    def find(self, target: str) -> dict[str, Any]:
        place = sized(bytes.fromhex(target), 20, 20)
        found = Lookup(self.node, place, FindNode(place)).run()
        return {"ok": True, "contacts": [contact_fields(contact) for contact, _ in found]}

    def put(self, key: str, value: str = "", lifetime: str = "") -> dict[str, Any]:
        seconds = int(lifetime or DEFAULT_LIFETIME)
        if not 1 <= seconds <= dht1.MAX_LIFETIME:
            raise ValueError("lifetime out of range")
        return self.client.write(
            dht1.VALUE, parse_key(key), sized(unquoted(value), 0, dht1.MAX_VALUE), seconds
        )

    def delete(self, key: str) -> dict[str, Any]:
        return self.client.write(dht1.TOMBSTONE, parse_key(key), b"", DEFAULT_LIFETIME)

    def get(self, key: str) -> dict[str, Any]:
        return self.client.read(parse_key(key))

    def raw(self, to: str, datagram: str) -> dict[str, Any]:
        return {"ok": self.node.send_raw(parse_endpoint(to), bytes.fromhex(datagram))}

    def counters(self) -> dict[str, Any]:
        counts = dict(sorted(self.node.counters.items()))
        return {"ok": True, "equivocations": self.node.store.equivocations} | counts

    def peers(self) -> dict[str, Any]:
        near = sorted(self.node.contacts.items(),
                      key=lambda c: distance(dht1.sha1(c[0]), self.node.key.node_id))
        return {"ok": True, "peers": [contact_fields(Contact(*contact)) for contact in near]}

    def catch(self, switch: str) -> dict[str, Any]:
        if switch not in ("on", "off"):
            raise ValueError("neither on nor off")
        self.node.watch = self.note if switch == "on" else None
        return {"ok": True}

    def note(self, is_sent: bool, peer: Endpoint, datagram: bytes) -> None:
        if len(self.caught) < CAUGHT:
            fields = {"sent": is_sent, "peer": peer_place(peer), "datagram": datagram.hex()}
            self.caught.append(fields)

    def tell_caught(self) -> dict[str, Any]:
        caught, self.caught = self.caught, []
        return {"ok": True, "caught": caught}

    def rotate(self) -> dict[str, Any]:
        self.node.rotate()
        return {"ok": True, "box_key": self.node.box.public.hex()}

    def roster(self, serial: str = "", seed: str = "", text: str = "") -> dict[str, Any]:
        follower = self.node.roster
        if serial:
            key = SigningKey.of(sized(bytes.fromhex(seed), 32, 32))
            follower.adopt(Roster.sign(self.node, key, int(serial), bytes.fromhex(text)))
        return {
            "ok": True, "serial": follower.mark.serial, "stamp": follower.mark.stamp,
            "members": sorted(member.hex() for member in self.node.admitted),
            "conflict": follower.conflict is not None,
        }

    def sessions(self) -> dict[str, Any]:
        known = self.node.sessions
        sessions = [
            {
                "identity": identity.hex(), "box_key": box.hex(),
                "addresses": [peer_place(address) for address in session.addresses],
                "floor": session.window.floor, "top": session.window.top,
            }
            for identity, of_peer in known.of_peer.items() for box, session in of_peer.items()
        ]
        return {"ok": True, "sessions": sessions, "first_contacts": len(known.first_contacts)}

    def quit(self) -> dict[str, Any]:
        """Takes leave of all contacts, and does not wait for their answers."""
        self.open = False
        for identity, endpoint in list(self.node.contacts.items()):
            self.node.ask(Contact(identity, endpoint), Ping(leaving=True))
        return {"ok": True}


def contact_fields(contact: Contact) -> dict[str, Any]:
    return {"identity": contact.identity.hex(), **contact.endpoint._asdict()}


def sized(content: bytes, least: int, most: int) -> bytes:
    if not least <= len(content) <= most:
        raise ValueError(f"not {least} to {most} bytes")
    return content


def unquoted(text: str) -> bytes:
    """Hex; two quotation marks are the empty value."""
    return bytes.fromhex(text.strip("\"'"))


def parse_key(text: str) -> bytes:
    return sized(bytes.fromhex(text), 1, dht1.MAX_KEY)


def parse_identity(text: str) -> bytes:
    if "1" in text and text.lower().startswith(dht1.PART_IDENTITY + "1"):
        return dht1.decode_text(dht1.PART_IDENTITY, text)
    identity = sized(bytes.fromhex(text), 32, 32)
    dht1.static_public(identity)
    return identity


def parse_endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(str(ipaddress.ip_address(host.strip("[]"))), int(port))


def parse_peer(text: str) -> Contact:
    scheme, _, rest = text.partition("://")
    identity, _, place = rest.partition("@")
    if scheme != "dht":
        raise Malformed("not a dht:// peer")
    return Contact(parse_identity(identity), parse_endpoint(place))


def peer_place(endpoint: Endpoint) -> str:
    """As `raw` takes it."""
    address, port = endpoint
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def peer_text(contact: Contact) -> str:
    identity = dht1.encode_text(dht1.PART_IDENTITY, contact.identity)
    return f"dht://{identity}@{peer_place(contact.endpoint)}"


def read_allowlist(path: str) -> set[bytes]:
    """One identity a line; empty lines and lines that start with # are passed over."""
    with open(path, encoding="utf-8") as lines:
        words = [line.split()[0] for line in lines if line.strip()]
    return {parse_identity(word) for word in words if not word.startswith("#")}


def join(key: SigningKey, invitation: Invitation, listen: Endpoint) -> Welcome:
    """Shows an invitation, as the other of the two members of its network."""
    two = Node(key, invitation.network, {invitation.inviter}, listen, [])
    two.answered = set(invitation.places)  # somebody typed them
    asked = time.monotonic()
    try:
        while time.monotonic() - asked < JOIN_PATIENCE:
            places = [Contact(invitation.inviter, place) for place in invitation.places]
            calls = [two.ask(place, dht1.Join()) for place in places]
            two.wait(calls)
            for call in calls:
                if isinstance(call.answer, Welcome):
                    return call.answer
    finally:
        two.socket.close()
    raise SystemExit("nobody lets this machine in")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", required=True, type=bytes.fromhex)
    parser.add_argument("--network", type=bytes.fromhex)
    parser.add_argument("--allow", default=set(), type=read_allowlist)
    parser.add_argument("--admin", action="append", default=[], type=parse_identity)
    parser.add_argument("--listen", default="127.0.0.1:0", type=parse_endpoint)
    parser.add_argument("--peer", action="append", default=[], type=parse_peer)
    parser.add_argument("--join", type=Invitation.read, help="in the place of all but --seed")
    options = parser.parse_args()
    key = SigningKey.of(options.seed)
    if options.join:
        welcome = join(key, options.join, options.listen)
        options.network, options.admin = welcome.network_key, welcome.administrators
        options.allow = {options.join.inviter, key.identity}
        options.peer = [Contact(options.join.inviter, place) for place in options.join.places]
    network = Network(options.network)
    node = Node(key, network, options.allow, options.listen, options.peer)
    node.roster.pinned = set(options.admin)
    print("READY", peer_text(Contact(key.identity, node.endpoint)), flush=True)
    Console(node).run()


if __name__ == "__main__":
    sys.exit(main())
