#!/usr/bin/python3
"""Names of peers and resolvers that are silent, late or wrong: real processes, names as the system resolves them."""

from __future__ import annotations

import shutil
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import hosts
from hosts import PORT, Host, Hosts, Node, wait

# What an operation may take while the resolver says nothing: it took 27 s where it shared threads with that.
PATIENCE = 8.0


def setUpModule() -> None:
    reason = hosts.why_not()
    if reason:
        print(f"Tests/Hosts: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)


class NamesTest(unittest.TestCase):
    def setUp(self) -> None:
        self.hosts = Hosts()
        self.addCleanup(self.hosts.close)

    def files(self, host: Host, **texts: str) -> Path:
        """What `ip netns exec` shows in the place of files of `/etc`."""
        folder = Path("/etc/netns") / host.space
        folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder, True)
        for name, text in texts.items():
            (folder / name.replace("_", ".")).write_text(text)
        return folder

    def known_by_file(self, host: Host, lines: str) -> Path:
        return self.files(host, hosts=f"127.0.0.1 localhost\n{lines}", nsswitch_conf="hosts: files\n") / "hosts"

    def pair(self, *patterns: str) -> tuple[Node, Node]:
        """Two nodes that know no addresses of each other."""
        first, second = self.hosts.simple(2, *patterns)
        for node in (first, second):
            file = self.hosts.folder / f"{node.name}.allow"
            file.write_text("".join(" ".join(line.split()[:2]) + "\n" for line in file.read_text().splitlines()))
        return first, second

    def test_a_silent_resolver_delays_nothing_else(self) -> None:
        nodes = self.hosts.simple(10)
        first, second, server = nodes[0], nodes[1], nodes[2]
        self.files(first.host, resolv_conf="nameserver 10.77.0.3\n", nsswitch_conf="hosts: dns\n")
        if not hosts.filters():
            self.skipTest("no nftables here")
        server.host.filter("input", "udp dport 53 counter drop")
        file = self.hosts.folder / "n1.allow"
        lines = file.read_text().splitlines()
        for number in range(2, 10):
            lines[number] = " ".join(lines[number].split()[:2]) + f" addr=host{number}.example.org:{PORT}"
        file.write_text("\n".join(lines) + "\n")
        second.start()
        begun = time.monotonic()
        name = f"dht://{nodes[3].identity}@another.example.org:{PORT}"
        first.start("--peer", name)
        self.assertLess(time.monotonic() - begun, PATIENCE, "the start waits for the resolver")
        wait("the two see each other", lambda: first.sees(second) and second.sees(first))
        for number in range(8):
            for words in (["put", f"k{number}", "value"], ["get", f"k{number}"]):
                begun = time.monotonic()
                first.ask(*words)
                self.assertLess(time.monotonic() - begun, PATIENCE, f"{words}")
        self.assertGreater(server.host.dropped(), 0, "the resolver was not asked")
        begun = time.monotonic()
        first.process.terminate()
        first.process.wait(60)
        self.assertLess(time.monotonic() - begun, PATIENCE, "the end waits for the resolver")

    def test_all_addresses_of_a_name_are_tried(self) -> None:
        first, second = self.pair()
        self.known_by_file(first.host, "10.77.0.99 boot.example\n10.77.0.2 boot.example\n")
        second.start()
        first.start("--peer", f"dht://{second.identity}@boot.example:{PORT}")
        wait("the second address is tried", lambda: first.sees(second) and second.sees(first), 30)

    def test_addresses_of_a_family_without_a_socket_are_passed_over(self) -> None:
        first, second = self.pair("10.77.0.%/24", "fd77::%/64")
        self.known_by_file(first.host, "fd77::2 boot.example\n10.77.0.2 boot.example\n")
        second.start()
        first.start("--peer", f"dht://{second.identity}@boot.example:{PORT}")
        took = wait("the two see each other", lambda: first.sees(second) and second.sees(first), 30)
        print(f"{self.id().split('.')[-1]}: {took:.1f} s", file=sys.stderr)

    def test_a_name_that_resolves_later_is_asked_again_meanwhile_the_node_serves(self) -> None:
        first, second = self.pair()
        file = self.known_by_file(first.host, "")
        second.start()
        first.start("--peer", f"dht://{second.identity}@late.example:{PORT}")
        first.ask("put", "key", "value", "--min-copies", "1", check=False)
        self.assertTrue(first.ask("status"), "it serves")
        wait("it says so", lambda: "does not resolve" in first.log.read_text(), 30)
        with open(file, "a") as lines:
            lines.write("10.77.0.2 late.example\n")
        wait("the name is asked for again", lambda: first.sees(second) and second.sees(first), 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
