"""States of nodes as `/v1/dashboard` sends them, and a server that sends them to the page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "Sources" / "DHTGateway" / "Web" / "Dashboard" / "page.html"
# Unix milliseconds at which the states begin.
BEGINNING = 1_764_488_000_000
BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]
HOSTILE = "<img src=x onerror=alert(1)>"


def policy() -> str:
    """The header, made from the page as the node makes it, by other means."""

    def source(element: str) -> str:
        text = re.search(f"<{element}>(.*?)</{element}>".encode(), PAGE.read_bytes(), re.DOTALL)[1]
        return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source('style')}; script-src {source('script')}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def place(*words) -> str:
    """40 hexadecimal digits, the same for the same words."""
    return hashlib.sha1(repr(words).encode()).hexdigest()


def identity(*words) -> str:
    digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    return "dht1" + "".join(digits[byte % 32] for byte in hashlib.sha512(repr(words).encode()).digest()[:58])


def peer(index: int, name: str | None, state: str = "good", why: str | None = None, **fields) -> dict:
    address = f"10.{index // 62 % 4}.{index % 62}.{index % 250 + 1}:4100"
    trip = None if state in ("bad", "unknown") else round(0.3 + int(place("trip", index)[:3], 16) / 31, 3)
    return {"id": identity(index), "node_id": place("peer", index), "name": name, "address": address,
            "state": state, "rtt_ms": trip, "why": why} | fields


def shared_bits(first: str, second: str) -> int:
    return 160 - (int(first, 16) ^ int(second, 16)).bit_length()


def operation(name: str, scale: float, second: int) -> dict:
    """Counters after that many seconds: `scale` requests are sent in each, twice as many received."""
    sent = int(scale * (40_000 + second))
    weights = [1, 4, 12, 24, 30, 16, 8, 3, 1, 0.5, 0.1, 0.05]
    return {"operation": name, "outbound": sent, "inbound": 2 * sent, "answered": int(sent * 0.98),
            "timed_out": int(sent * 0.02), "histogram": [int(sent * 0.98 * w / 99.65) for w in weights]}


def state(peers: list[dict], second: int = 0, **fields) -> dict:
    own = place("self")
    counts: dict[int, int] = {}
    for each in peers:
        bucket = shared_bits(own, each["node_id"])
        counts[bucket] = min(8, counts.get(bucket, 0) + 1)
    copies = min(512, 12 * max(1, len(peers)))
    levels = ["info", "info", "warning", "info"]
    texts = ["joined: 3 members answer", "beta came back", "gamma does not answer", "allowlist read: 4 members"]
    return {
        "schema": 1, "time": BEGINNING + 1000 * second, "id": identity("self"), "node_id": own, "name": "alpha",
        "network": "0f3a9c41", "version": "1.0.0", "uptime_ms": 277_384_000 + 1000 * second,
        "address": "10.0.0.1:4100", "health": {"ok": True, "reasons": []}, "peers": peers,
        "peers_total": len(peers), "buckets": [{"index": i, "count": n} for i, n in sorted(counts.items())],
        "copies": [place("copy", i)[:8] for i in range(copies)],
        "records": {"count": copies, "bytes": copies * 150_000, "limit_bytes": 1 << 30, "under_replicated": 0},
        "rpcs": [operation("PING", 1, second), operation("FIND_NODE", 4, second),
                 operation("FIND_VALUE", 25, second), operation("STORE", 0.5, second),
                 operation("FIND_CHUNK", 0, second), operation("PASS_ON", 0, second)],
        "histogram_bounds_ms": BOUNDS,
        "rejected": [
            {"reason": "header", "count": 1204 + second, "last_source": "192.0.2.77:51820",
             "last": BEGINNING // 1000 - 4},
            {"reason": "admission", "count": 31, "last_source": "[2001:db8::7:1]:4100",
             "last": BEGINNING // 1000 - 4000},
            {"reason": "replay", "count": 2, "last_source": None, "last": None},
            {"reason": "box", "count": 0, "last_source": None, "last": None},
        ],
        "knocking": [{"id": identity("knock"), "address": "192.0.2.9:4100", "count": 31,
                      "last": BEGINNING // 1000 - 4000}],
        "events": [{"time": BEGINNING - 61_000 * i, "level": levels[i % 4], "text": texts[i % 4]}
                   for i in range(9)],
    } | fields


def three(second: int = 0) -> dict:
    return state([peer(1, "beta"), peer(2, "gamma", "questionable", "quiet for 16 min"), peer(3, "delta")], second)


def crowd(second: int = 0, count: int = 200) -> dict:
    troubles = {7: ("bad", "2 requests in a row were not answered"), 31: ("questionable", "quiet for 16 min"),
                90: ("bad", "2 requests in a row were not answered"), 140: ("unknown", "not asked yet")}
    peers = [peer(i, None if i % 17 == 0 else f"node-{i:03}", *troubles.get(i, ("good", None)))
             for i in range(1, count + 1)]
    return state(peers, second)


def long_names(second: int = 0) -> dict:
    long = "a-name-without-any-blank-in-it-" * 8
    found = state([peer(1, long, "bad", "no answer " * 30), peer(2, "two words " * 20, address="x" * 200)], second)
    found["name"] = long
    found["address"] = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"
    found["health"] = {"ok": False, "reasons": [{"code": "disk", "text": long * 2, "next": "dht status " + long}]}
    found["events"][0]["text"] = long * 3
    found["rejected"][0]["reason"] = long
    found["rejected"][0]["last_source"] = long
    found["rpcs"][0]["operation"] = "OPERATION_OF_A_NEWER_VERSION_WITH_A_LONG_NAME"
    found["rpcs"][1] |= {"outbound": 2**53, "inbound": 2**53, "timed_out": 2**53}
    found["knocking"][0]["address"] = long
    return found


def hostile(second: int = 0) -> dict:
    script = "</script><script>alert(2)</script>"
    found = state([peer(1, HOSTILE, why=HOSTILE, address=HOSTILE), peer(2, script, state=HOSTILE),
                   peer(3, "__proto__", "constructor"), peer(4, "'\"&amp;\u202egnp.exe")], second)
    found["peers"][3]["node_id"] = "zz"
    found["peers"].append(found["peers"][0] | {"node_id": "", "name": "twin"})
    found |= {"name": HOSTILE, "network": HOSTILE, "version": HOSTILE, "address": HOSTILE, "copies": [HOSTILE]}
    found["health"] = {"ok": False, "reasons": [{"code": HOSTILE, "text": HOSTILE, "next": HOSTILE}]}
    found["events"] = [{"time": BEGINNING, "level": HOSTILE, "text": HOSTILE}, {"time": BEGINNING, "level": "info",
                       "text": "javascript:alert(3)"}]
    found["rejected"] = [{"reason": HOSTILE, "count": 1, "last_source": HOSTILE, "last": 0}]
    found["knocking"] = [{"id": HOSTILE, "address": HOSTILE, "count": 1, "last": 0}]
    found["rpcs"][0]["operation"] = HOSTILE
    return found


def sick(second: int = 0) -> dict:
    silent = "2 requests in a row were not answered"
    found = state([peer(i, name, "bad", silent) for i, name in enumerate(["beta", "gamma", "delta"], 1)], second)
    found["health"] = {"ok": False, "reasons": [
        {"code": "isolated", "text": "none of 3 members answers", "next": "dht peers -v"},
        {"code": "disk", "text": "nothing is kept: the disk is full", "next": "df -h /var/lib/dht"},
    ]}
    found["records"] = {"count": 36, "bytes": 1_040_000_000, "limit_bytes": 1 << 30, "under_replicated": 14}
    found["events"].insert(0, {"time": BEGINNING, "level": "error", "text": "nobody answers: is the port open?"})
    return found


def alone(second: int = 0) -> dict:
    """A node that has just begun, and knows nothing that can be unknown."""
    found = state([], second, name=None, network=None, version=None, address=None, copies=[], rejected=[],
                  knocking=[], events=[], rpcs=[], uptime_ms=1000 * second)
    found["records"] = {"count": 0, "bytes": 0, "limit_bytes": 1 << 30, "under_replicated": None}
    return found


class Server:
    """Serves the page's bytes with its policy, and states as events: those of `states`, by their second."""

    def __init__(self, states) -> None:
        self.states = states
        # States sent before the first second: the page then has a past to draw.
        self.past = 0
        # Seconds between states; the page takes times from the states.
        self.pause = 0.2
        # While set, streams end and none begins.
        self.broken = threading.Event()
        # While set, streams stay and say nothing.
        self.silent = threading.Event()
        self.streams = 0
        self.second = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.broken.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path == "/":
            return self.send(request, 200, "text/html; charset=utf-8", PAGE.read_bytes())
        if request.path != "/v1/dashboard" or self.broken.is_set():
            return self.send(request, 503 if self.broken.is_set() else 404, "text/plain", b"no")
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        self.streams += 1
        try:
            while not self.broken.is_set():
                if not self.silent.is_set():
                    burst = range(self.past + 1) if self.second == 0 else range(1)
                    for _ in burst:
                        event = json.dumps(self.states(self.second))
                        request.wfile.write(f"event: state\ndata: {event}\n\n".encode())
                        self.second += 1
                self.broken.wait(self.pause)
        except OSError:
            pass

    def send(self, request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Content-Security-Policy", policy())
        request.send_header("X-Content-Type-Options", "nosniff")
        request.end_headers()
        request.wfile.write(body)
