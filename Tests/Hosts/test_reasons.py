#!/usr/bin/python3
"""What an operator is told at three in the morning: each situation made on machines of namespaces, and what
`status`, `peers`, `doctor`, `why` and `trace` say of it, with the next command to type. It takes root.
"""

from __future__ import annotations

import glob
import json
import socket
import subprocess
import sys
import unittest
from typing import Any, Callable, Optional

sys.dont_write_bytecode = True

import hosts
from hosts import DHT, PORT, ROOT, Hosts, Node, run, wait

# Sends a request of version 2 of the protocol: the network key's file, the sender's identity and the receiver's, and
# where the receiver is.
NEWER = """
import os, re, socket, sys
sys.path.insert(0, sys.argv[1])
import dht1
text = re.search(r"DHT-NETWORK-1[0-9A-Z]+", open(sys.argv[2]).read())[0]
network = dht1.Network(dht1.decode_text(dht1.PART_NETWORK, text))
sender, receiver = (dht1.decode_text(dht1.PART_IDENTITY, text) for text in sys.argv[3:5])
head = bytearray(dht1.Header(dht1.REQUEST, 0, 1, sender, os.urandom(32)).encode())
head[0] = 2
nonce = os.urandom(24)
start = nonce + dht1.sodium.crypto_secretbox(bytes(head), nonce, network.header_key(receiver))
datagram = start + os.urandom(512 - len(start))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(datagram, (sys.argv[5], int(sys.argv[6])))
"""


def setUpModule() -> None:
    reason = hosts.why_not()
    if reason:
        print(f"Tests/Hosts: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)


class ReasonsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.hosts = Hosts()
        self.addCleanup(self.hosts.close)

    def command(self, node: Node, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [DHT, "-s", node.socket, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    def findings(self, node: Node) -> dict[str, list[dict[str, Any]]]:
        """The doctor's, by code. The exit code is 0 only if there are none."""
        done = subprocess.run(
            [DHT, "-s", node.socket, "--json", "doctor"], stdin=subprocess.DEVNULL, capture_output=True, timeout=120
        )
        reply = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if reply["ok"] else 7, reply)
        self.assertEqual(reply["ok"], not reply["findings"])
        found: dict[str, list[dict[str, Any]]] = {}
        for finding in reply["findings"]:
            self.assertEqual(set(finding), {"code", "peer", "text", "next"})
            found.setdefault(finding["code"], []).append(finding)
        return found

    def find(self, node: Node, code: str, peer: Optional[str] = None) -> dict[str, Any]:
        """Waits until the doctor says so."""
        last: list[Any] = []

        def is_said() -> bool:
            last[:] = [self.findings(node)]
            return any(finding["peer"] == peer for finding in last[0].get(code, []))

        try:
            wait(f"the doctor of {node.name} says {code} of {peer}", is_said, 90)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}")
        return next(finding for finding in last[0][code] if finding["peer"] == peer)

    def metric(self, node: Node, series: str) -> float:
        """As Prometheus would read it; nothing that is not there is 0."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(node.socket)
            connection.sendall(b"GET /v1/metrics HTTP/1.1\r\nHost: dht\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return next((float(value) for name, value in (x for x in lines if len(x) == 2) if name == series), 0)

    def measures(self, node: Node, series: str, condition: Callable[[float], bool]) -> None:
        """Waits until the metric, which is sampled once a second, says so too."""
        wait(f"{series} of {node.name}, {self.metric(node, series)}", lambda: condition(self.metric(node, series)), 30)

    def text(self, node: Node) -> str:
        return self.command(node, "status")[1]

    def unlist(self, node: Node, other: Node) -> None:
        """Takes somebody from this node's own list."""
        file = self.hosts.folder / f"{node.name}.allow"
        lines = file.read_text().splitlines()
        file.write_text("".join(line + "\n" for line in lines if line.split()[1] != other.name))

    def started(self, count: int) -> list[Node]:
        nodes = self.hosts.simple(count)
        for node in nodes:
            node.start()
        self.hosts.acquainted()
        return nodes


class Lists(ReasonsTest):
    def test_all_is_well(self) -> None:
        first, second, _ = self.started(3)
        self.assertEqual(self.command(first, "doctor"), (0, "All is well\n"))
        self.assertEqual(self.text(first).splitlines()[0], "Health: ok")
        why = first.ask("why", second.name)
        self.assertTrue(why["answers"])
        self.assertEqual((why["here"]["state"], why["findings"]), ("good", []))
        self.measures(first, 'dht_health{kind="isolated"}', lambda well: well == 1)
        self.measures(first, 'dht_peers{state="good"}', lambda count: count == 2)

    def test_a_list_that_lacks_us(self) -> None:
        first, second, third = self.hosts.simple(3)
        self.unlist(second, first)
        for node in (first, second, third):
            node.start()
        wait("the third is known to both", lambda: first.sees(third) and second.sees(third))
        said = self.find(first, "refused-by", second.name)
        self.assertIn(third.name, said["text"])
        self.assertIn(first.identity, said["next"])
        self.assertIn("may not list us", self.command(first, "peers")[1])
        why = first.ask("why", second.name)
        self.assertFalse(why["answers"])
        self.assertEqual(why["witnesses"], [third.name])
        self.assertEqual([finding["code"] for finding in why["findings"]], ["refused-by"])
        # The other end sees who asks, and what to do if it ought to be let in.
        said = self.find(second, "refuses", first.identity)
        self.assertIn("dht reload", said["next"])
        self.assertIn(first.identity, self.text(second))
        self.assertIn("admission", self.command(second, "log", "--rejected")[1])
        self.measures(second, 'dht_datagrams_rejected_total{reason="admission"}', lambda count: count > 0)

    def test_a_node_that_nobody_lists(self) -> None:
        first, second, third = self.hosts.simple(3)
        for node in (second, third):
            self.unlist(node, first)
        for node in (first, second, third):
            node.start()
        self.find(first, "isolated")
        self.assertIn("Not well: isolated", self.text(first))
        self.measures(first, 'dht_health{kind="isolated"}', lambda well: well == 0)
        self.find(second, "refuses", first.identity)

    def test_another_network_key(self) -> None:
        first, second, third = self.hosts.simple(3)
        key = self.hosts.folder / "other.key"
        run(DHT, "keygen", "-q", "--network", "-o", str(key))
        first.start()
        second.start()
        # The last word counts.
        third.start("--network", str(key))
        wait("the two know one another", lambda: first.sees(second))
        said = self.find(first, "network-key", third.name)
        self.assertIn("network key", said["text"])
        self.assertIn("network-key", self.text(first))
        self.measures(first, 'dht_datagrams_rejected_total{reason="header"}', lambda count: count > 0)
        self.find(third, "isolated")


    def test_a_member_that_was_upgraded(self) -> None:
        first, second, _ = self.started(3)
        second.kill()
        words = [sys.executable, "-c", NEWER, str(ROOT / "Tests/Interop"), f"{self.hosts.folder}/net.key"]
        second.host.run(*words, second.identity, first.identity, "10.77.0.1", str(PORT))
        said = self.find(first, "version", second.name)
        self.assertIn("dht --version", said["next"])
        self.assertIn("version", self.command(first, "log", "--rejected")[1])
        self.measures(first, 'dht_datagrams_rejected_total{reason="version"}', lambda count: count > 0)


class Networks(ReasonsTest):
    def test_a_link_that_is_down(self) -> None:
        first, second, _ = self.started(3)
        first.host.ip("link", "set", "eth0", "down")
        self.assertIn("ip route", self.find(first, "no-route")["next"])
        self.assertIn("Not well: no-route", self.text(first))
        self.measures(first, 'dht_send_errors_total{errno="ENETUNREACH"}', lambda count: count > 0)
        self.find(second, "unreachable", first.name)

    def test_a_port_that_is_closed(self) -> None:
        if not hosts.filters():
            self.skipTest("no nftables here")
        first, second, third = self.hosts.simple(3)
        first.host.filter("input", f"udp dport {PORT} drop")
        for node in (first, second, third):
            node.start()
        wait("the two know one another", lambda: second.sees(third))
        said = self.find(first, "isolated")
        self.assertIn(f"UDP port {PORT} may be closed", said["text"])
        self.assertIn("nft list ruleset", said["next"])
        self.find(second, "unreachable", first.name)

    def test_a_peer_that_moved(self) -> None:
        first, second, _ = self.started(3)
        second.kill()
        second.host.ip("address", "del", "10.77.0.2/24", "dev", "eth0")
        second.host.has("10.77.0.9/24")
        second.start()
        said = self.find(first, "moved", second.name)
        self.assertIn(f"10.77.0.9:{PORT}", said["text"])
        self.assertIn("addr=", said["next"])

    def test_a_peer_that_is_down(self) -> None:
        first, second, third = self.started(3)
        second.kill()
        said = self.find(first, "unreachable", second.name)
        self.assertIn("since", said["text"])
        self.assertIn("unreachable", self.command(first, "why", second.name)[1])
        # Values that lack a copy are told of, and a trace shows who was asked in vain.
        first.ask("put", "key", "value")
        hops = first.ask("trace", "key")["hops"]
        self.assertEqual(
            {hop["name"]: hop["outcome"] for hop in hops if hop["name"] == third.name}, {third.name: "value"}
        )


class Values(ReasonsTest):
    def test_a_value_that_is_missing(self) -> None:
        first, second, third = self.started(3)
        first.ask("put", "there", "1")
        code, _ = self.command(first, "get", "missing")
        self.assertEqual(code, 3)
        trace = first.ask("trace", "missing")
        self.assertEqual(trace["found"], [])
        self.assertEqual({hop["name"]: hop["outcome"] for hop in trace["hops"]}, dict.fromkeys(("n2", "n3"), "closer"))
        trace = first.ask("trace", "there")
        self.assertEqual([found["copies"] for found in trace["found"]], [3])
        for hop in trace["hops"]:
            self.assertEqual(hop["outcome"], "value")
            self.assertLessEqual(hop["asked_ms"], hop["answered_ms"])
        self.assertIn("has 1 record", self.command(first, "trace", "there")[1])


class Machines(ReasonsTest):
    def test_a_disk_that_is_full(self) -> None:
        first, second, third = self.hosts.simple(3)
        disk = self.hosts.folder / "n1.data"
        disk.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(disk))
        self.hosts.mounts.append(disk)
        for node in (first, second, third):
            node.start()
        self.hosts.acquainted()
        with open(disk / "filler", "wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        for number in range(60):
            second.ask("put", f"key {number}", "x" * 600, check=False)
        said = self.find(first, "disk")
        self.assertIn("df -h", said["next"])
        self.measures(first, 'dht_health{kind="disk"}', lambda well: well == 0)

    def test_permissions(self) -> None:
        first, _, _ = self.started(3)
        words = ["setpriv", "--reuid=65534", "--clear-groups", DHT, "-s", first.socket, "status"]
        self.hosts.folder.chmod(0o755)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("--socket-group", done.stderr)
        key = self.hosts.folder / "n1.key"
        key.chmod(0o640)
        done = subprocess.run(
            [DHT, "check", "--key", str(key), "--allow", str(self.hosts.folder / "n1.allow")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        self.assertEqual(done.returncode, 5)
        self.assertIn("chmod 600", done.stderr)

    def test_a_clock_that_is_wrong(self) -> None:
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not libraries:
            self.skipTest("no libfaketime here")
        first, second, third = self.hosts.simple(3)
        fake = {"LD_PRELOAD": libraries[0], "FAKETIME": "+47s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        first.start()
        second.start(environment=fake | {"FAKETIME_NO_CACHE": "1"})
        third.start()
        self.hosts.acquainted()
        said = self.find(first, "clock", second.name)
        self.assertRegex(said["text"], r"differs from n2 by \+4[678] s")
        self.assertIn("timedatectl", said["next"])
        # To the node itself all others are wrong, by the same.
        self.assertIn("this node's clock", self.find(second, "clock")["text"])
        why = first.ask("why", second.name)
        self.assertLess(abs(why["clock_difference_ms"] - 47_000), 1500)
        self.assertEqual(why["there"]["state"], "good")
        self.measures(first, "dht_clock_difference_seconds", lambda seconds: abs(seconds - 47) < 2)

    def test_too_few_files(self) -> None:
        first, second = self.hosts.simple(2)
        second.start()
        limit = subprocess.run(["prlimit", "--nofile=400:400", "true"])
        self.assertEqual(limit.returncode, 0)
        first.start()
        run("prlimit", f"--pid={first.process.pid}", "--nofile=400:400")
        self.assertIn("LimitNOFILE", self.find(first, "limits")["next"])


if __name__ == "__main__":
    unittest.main()
