#!/usr/bin/env python3
"""Writes the seeds of every fuzz target, a folder each, from Tests/Vectors: seeds.py FOLDER.

What fuzzing found before stays there beside them.
"""

import hashlib
import json
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent / "Tests" / "Vectors"


def vectors(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text())


def headers(keys: dict) -> list[bytes]:
    return [
        bytes([1, kind, 0, 0])
        + number.to_bytes(4, "big")
        + (1_700_000_000_000_000 + number).to_bytes(8, "big")
        + bytes.fromhex(entry["identity"])
        + bytes.fromhex(entry["static_box_public"])
        for kind in (1, 2)
        for number, entry in enumerate(keys["identities"])
    ]


def bodies(messages: dict) -> list[bytes]:
    """Those of the shortest datagrams, padded."""
    return [
        (
            bytes([entry["operation"], entry["status"], 0, 0])
            + b"transact"
            + b"challeng"
            + bytes.fromhex(entry["payload"])
        ).ljust(56, b"\0")
        for entry in messages["requests"] + messages["responses"]
    ]


def payloads(messages: dict) -> list[bytes]:
    """kind, operation, status, payload: what the target `message` reads."""
    entries = (
        [(1, entry) for entry in messages["requests"]]
        + [(2, entry) for entry in messages["responses"]]
        + [(entry["kind"], entry) for entry in messages["bad"]]
    )
    return [
        bytes([kind, entry["operation"] & 255, entry["status"] & 255])
        + bytes.fromhex(entry["payload"])
        for kind, entry in entries
    ]


def records(vectors: dict) -> list[bytes]:
    groups = ("records", "bad_records", "bad_signatures")
    return [bytes.fromhex(entry["record"]) for group in groups for entry in vectors[group]]


def allowlists(keys: dict) -> list[bytes]:
    ids = [entry["text"] for entry in keys["identities"]]
    good = [
        "",
        "# nobody\n\n",
        f"{ids[0]}\n",
        f"{ids[0]}  alpha\n{ids[1]}  beta  addr=10.0.0.2:4100  # the second\n",
        f"{ids[2]}  gamma  addr=[2001:db8::1]:4100 addr=host.example:1 write=no\r\n",
        f"@revoked {ids[3]}  old-laptop   # lost\n{ids[4]} new write=yes\n",
        f"{ids[5].upper()} UPPER.case_1-2",
    ]
    bad = [
        f"{ids[0]} alpha\n{ids[0]} beta\n",
        f"{ids[0]} alpha\n{ids[1]} alpha\n",
        f"{ids[0]} alpha wirte=no\n",
        f"{ids[0]} alpha addr=nowhere\n",
        f"{ids[0][:-1]}q alpha\n",
        f"@revoke {ids[0]}\n",
        f"{keys['identities'][0]['secret_text']} oops\n",
    ]
    return [text.encode() for text in good + bad]


def key_texts(keys: dict) -> list[bytes]:
    texts = [entry["text"] for group in ("identities", "networks", "sealed", "bad_texts") for entry in keys[group]]
    texts += [entry["secret_text"] for entry in keys["identities"]]
    return [text.encode() for text in texts] + [bytes.fromhex(entry["identity"]) for entry in keys["identities"]]


def main() -> None:
    folder = Path(sys.argv[1])
    keys, messages = vectors("keys"), vectors("messages")
    seeds = {
        "header": headers(keys),
        "body": bodies(messages),
        "message": payloads(messages),
        "record": records(vectors("records")),
        "allowlist": allowlists(keys),
        "keytext": key_texts(keys),
    }
    for target, corpus in seeds.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for seed in corpus:
            name = hashlib.sha256(seed).hexdigest()[:16]
            (folder / target / f"seed-{name}").write_bytes(seed)


if __name__ == "__main__":
    main()
