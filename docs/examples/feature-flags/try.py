#!/usr/bin/python3
"""Three processes of the service on this machine: flags over HTTP, a race, a crash, an orderly end.

    swift build && ./try.py

Ends 0 only if everything was as README.md says. FEATURE_FLAGS names another program than the debug build.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

HERE = Path(__file__).resolve().parent
PROGRAM = os.environ.get("FEATURE_FLAGS") or str(HERE / ".build/debug/feature-flags")

# What is waited for is there within a second or two; a machine that builds something meanwhile gets more.
PATIENCE = 60.0
# How long a process may take to end after SIGTERM: it waits 10 s for clients, and hands over what it keeps for 6 s.
END = 45.0

NAMES = ["ada", "bob", "cyd"]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def tag(self) -> str:
        return self.headers["etag"]


@dataclass
class Server:
    """One process: a node and its HTTP server."""

    name: str
    udp: int
    http: int
    log: Path
    process: Optional[subprocess.Popen[bytes]] = field(default=None)

    def start(self, folder: Path) -> None:
        words = [
            PROGRAM,
            f"--key={folder / self.name}.key",
            f"--network-key={folder / 'network.key'}",
            f"--allowlist={folder / 'members'}",
            f"--listen=127.0.0.1:{self.udp}",
            f"--http=127.0.0.1:{self.http}",
            f"--data={folder / self.name}",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, method: str, path: str, body: Any = None, **conditions: str) -> Answer:
        """One request. Asked again, as its client would, as long as the answer is to come back later."""
        begin = time.monotonic()
        answer = self.ask_once(method, path, body, **conditions)
        while answer.status == 503 and "retry-after" in answer.headers:
            if time.monotonic() - begin > PATIENCE:
                raise AssertionError(f"{method} {path} at {self.name}: {answer}")
            time.sleep(float(answer.headers["retry-after"]))
            answer = self.ask_once(method, path, body, **conditions)
            # What was answered by 503 may have landed, and then stands in its own way.
            if method == "PUT" and answer.status == 412 and answer.body == body:
                answer.status = 201 if "if_none_match" in conditions else 200
            if method == "DELETE" and answer.status == 412 and "etag" not in answer.headers:
                answer.status = 204
        return answer

    def ask_once(self, method: str, path: str, body: Any = None, **conditions: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=PATIENCE)
        try:
            headers = {name.replace("_", "-"): value for name, value in conditions.items()}
            text = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, text, headers)
            reply = connection.getresponse()
            read = reply.read()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, json.loads(read) if read else None)
        finally:
            connection.close()

    def is_well(self, peers: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log.read_text()}")
        try:
            answer = self.ask_once("GET", "/health")
        except OSError:
            return False
        return answer.status == 200 and answer.body["peersUp"] >= peers


def wait(what: str, condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > PATIENCE:
            raise AssertionError(f"not so after {PATIENCE:.0f} s: {what}")
        time.sleep(0.1)


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def expect(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def tell(text: str) -> None:
    print(text, flush=True)


def flag(percentage: int, is_on: bool = True) -> dict[str, Any]:
    return {"isOn": is_on, "percentage": percentage}


# MARK: What is tried


def flags_are_read_everywhere(ada: Server, bob: Server, cyd: Server) -> None:
    for number in range(10):
        answer = ada.ask("PUT", f"/flags/flag-{number}", flag(number))
        expect("a put", (answer.status, answer.body), (200, flag(number)))
        there = bob.ask("GET", f"/flags/flag-{number}")
        expect("its read", (there.status, there.body, there.tag), (200, flag(number), answer.tag))
    again = cyd.ask("GET", "/flags/flag-9", if_none_match=there.tag)
    expect("a read of what is known", (again.status, again.body, again.tag), (304, None, there.tag))
    expect("a read of nothing", cyd.ask("GET", "/flags/nothing").status, 404)
    tell("10 flags put at ada, read at bob; 304 for what cyd knew")


def bad_requests_are_refused(ada: Server) -> None:
    for path in ["/flags/" + "x" * 101, "/flags/a%20b", "/flags/a%2Fb"]:
        expect(path, ada.ask("GET", path).status, 400)
    bad: list[Any] = [b"{", b"", {"isOn": True}, {"isOn": 1, "percentage": 1}, flag(101), flag(-1)]
    for body in bad:
        expect(f"{body}", ada.ask("PUT", "/flags/bad", body).status, 400)
    for condition in ["*", "1", '"x"', '"1", "2"', 'W/"1"']:
        answer = ada.ask("PUT", "/flags/bad", flag(1), if_match=condition)
        expect(f"If-Match: {condition}", answer.status, 400)
    expect("no such flag", ada.ask("PUT", "/flags/bad", flag(1), if_match='"0"').status, 412)
    expect("nothing came of it", ada.ask("GET", "/flags/bad").status, 404)
    tell("bad names, bodies and conditions refused")


def one_of_two_wins(ada: Server, bob: Server, cyd: Server) -> None:
    first = ada.ask("PUT", "/flags/race", flag(1), if_none_match="*")
    expect("the first", first.status, 201)
    second = bob.ask("PUT", "/flags/race", flag(2), if_none_match="*")
    expect("not the first", (second.status, second.body, second.tag), (412, flag(1), first.tag))

    seen = cyd.ask("GET", "/flags/race").tag
    won = bob.ask("PUT", "/flags/race", flag(10), if_match=seen)
    lost = ada.ask("PUT", "/flags/race", flag(12), if_match=seen)
    expect("two writers who saw the same", (won.status, lost.status), (200, 412))
    expect("what the loser is told", (lost.body, lost.tag), (flag(10), won.tag))
    # Whoever lost goes on from what it was told.
    next_put = ada.ask("PUT", "/flags/race", flag(11), if_match=lost.tag)
    expect("the next try", next_put.status, 200)
    expect("what stands", cyd.ask("GET", "/flags/race").body, flag(11))
    tell("of two writers who saw the same revision one got 200, the other 412 with what stands")


def removed_flags_are_gone(ada: Server, bob: Server, cyd: Server) -> None:
    old = ada.ask("PUT", "/flags/old", flag(1)).tag
    new = bob.ask("PUT", "/flags/old", flag(2)).tag
    refused = cyd.ask("DELETE", "/flags/old", if_match=old)
    expect("a removal of what is no more", (refused.status, refused.tag), (412, new))
    expect("a removal", cyd.ask("DELETE", "/flags/old", if_match=new).status, 204)
    for server in (ada, bob, cyd):
        expect("nothing older shows again", server.ask("GET", "/flags/old").status, 404)
    refused = bob.ask("PUT", "/flags/old", flag(3), if_match=new)
    expect("a change of what is removed", (refused.status, "etag" in refused.headers), (412, False))
    expect("a new one", bob.ask("PUT", "/flags/old", flag(4), if_none_match="*").status, 201)
    expect("it stands", ada.ask("GET", "/flags/old").body, flag(4))
    tell("a flag that two wrote was removed by the third, and made anew")


def a_crash_loses_nothing(ada: Server, bob: Server, cyd: Server) -> None:
    assert ada.process is not None
    ada.process.kill()
    ada.process.wait()
    for number in range(10):
        for server in (bob, cyd):
            answer = server.ask("GET", f"/flags/flag-{number}")
            expect(f"at {server.name}", (answer.status, answer.body), (200, flag(number)))
    answer = bob.ask("PUT", "/flags/flag-0", flag(50, False))
    expect("a put without ada", answer.status, 200)
    expect("its read", cyd.ask("GET", "/flags/flag-0").body, flag(50, False))
    tell("ada killed: all flags are right at bob and cyd, and can be changed")


def it_ends_in_order(server: Server, by: signal.Signals) -> None:
    assert server.process is not None
    begin = time.monotonic()
    server.process.send_signal(by)
    try:
        code = server.process.wait(END)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{server.name} still runs, {END:.0f} s after {by.name}") from None
    expect(f"{server.name}'s exit code", code, 0)
    tell(f"{server.name} ended with 0, {time.monotonic() - begin:.1f} s after {by.name}")


def who_is_alone_says_so(cyd: Server) -> None:
    wait("cyd knows that it is alone", lambda: cyd.ask_once("GET", "/health").status == 503)
    answer = cyd.ask_once("PUT", "/flags/alone", flag(1))
    expect("a put nobody else took", (answer.status, "retry-after" in answer.headers), (503, True))
    expect("what cyd has itself", cyd.ask("GET", "/flags/flag-0").body, flag(50, False))
    tell("cyd alone: its health is 503, so is a put; what it has it still shows")


def try_all(folder: Path) -> None:
    servers = [
        Server(name, free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM), folder / f"{name}.log")
        for name in NAMES
    ]
    nodes = [f"{server.name}=127.0.0.1:{server.udp}" for server in servers]
    subprocess.run([PROGRAM, "keygen", str(folder), *nodes], check=True, timeout=PATIENCE)
    ada, bob, cyd = servers
    try:
        for server in servers:
            server.start(folder)
        for server in servers:
            wait(f"{server.name} is well", lambda: server.is_well(peers=len(NAMES) - 1))
        tell("three processes are well")
        flags_are_read_everywhere(ada, bob, cyd)
        bad_requests_are_refused(ada)
        one_of_two_wins(ada, bob, cyd)
        removed_flags_are_gone(ada, bob, cyd)
        a_crash_loses_nothing(ada, bob, cyd)
        it_ends_in_order(bob, signal.SIGTERM)
        who_is_alone_says_so(cyd)
        with socket.create_connection(("127.0.0.1", cyd.http)) as never_done:
            never_done.sendall(b"PUT /flags/half HTTP/1.1\r\nHost: cyd\r\nContent-Length: 9\r\n\r\n{")
            it_ends_in_order(cyd, signal.SIGINT)
    except BaseException:
        for server in servers:
            if server.log.exists():
                print(f"---- {server.name}", server.log.read_text()[-4000:], sep="\n", file=sys.stderr)
        raise
    finally:
        for server in servers:
            if server.process is not None and server.process.poll() is None:
                server.process.kill()
                server.process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        try_all(Path(folder))
    tell("all was as README.md says")


if __name__ == "__main__":
    main()
