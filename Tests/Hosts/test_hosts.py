#!/usr/bin/python3
"""What networks and systems do to nodes: real processes on machines made of network namespaces.

Each test sees to it that its fault happened, and then that all peers are good again at both ends. It takes
root.
"""

from __future__ import annotations

import sys
import threading
import time
import unittest
from typing import Callable, Optional

sys.dont_write_bytecode = True

import hosts
from hosts import PORT, Hosts, Node, wait

CAN_FILTER = False


def setUpModule() -> None:
    global CAN_FILTER
    reason = hosts.why_not()
    if reason:
        print(f"Tests/Hosts: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)
    CAN_FILTER = hosts.filters()
    if not CAN_FILTER:
        print("Tests/Hosts: packet filters are skipped: no nftables here", file=sys.stderr)


class HostsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.hosts = Hosts()
        self.addCleanup(self.hosts.close)

    def reads(self, node: Node, key: str, value: str) -> bool:
        found = node.ask("get", key, check=False)
        return found is not None and found["value"] == value

    def outage(
        self,
        begin: Callable[[], object],
        end: Callable[[], object],
        between: tuple[Node, Node],
        evidence: Optional[Callable[[], object]] = None,
    ) -> None:
        """Makes an outage between two nodes that use the network meanwhile, and waits until it is over."""
        for seconds in hosts.OUTAGES:
            for _ in range(hosts.RUNS):
                self.hosts.acquainted()
                self.one_outage(begin, end, between, seconds, evidence)

    def one_outage(self, begin, end, between, seconds, evidence) -> None:
        first, second = between
        pinged: list[bool] = []
        over = threading.Event()

        def use(one: Node, other: Node) -> None:
            while not over.is_set():
                pinged.append(one.can_ping(other))
                time.sleep(0.5)

        begin()
        start = time.monotonic()
        users = [threading.Thread(target=use, args=pair) for pair in ((first, second), (second, first))]
        for user in users:
            user.start()
        time.sleep(max(0, seconds - (time.monotonic() - start)))
        over.set()
        for user in users:
            user.join()
        self.assertTrue(pinged and not any(pinged), "the outage was none")
        if evidence:
            evidence()
        end()
        back = time.monotonic()
        lost: list[str] = []

        def whole() -> bool:
            missing = self.hosts.lost()
            lost.append(f"after {time.monotonic() - back:.1f} s: {', '.join(missing)}")
            return not missing

        took = wait("all peers are good at all nodes", whole, 120)
        print(f"{self.id().split('.')[-1]}: {seconds:.0f} s, whole after {took:.1f} s", file=sys.stderr)
        self.assertLess(took, hosts.WITHIN, "\n".join(lost))
        first.ask("put", "after", self.id())
        self.assertEqual(second.ask("get", "after")["value"], self.id())

    def assertNoMore(self, before: tuple[int, int, int], after: tuple[int, int, int]) -> None:
        """Each attempt that leaked would be one more; a few belong to those who ask the node."""
        for name, one, other, slack in zip(("descriptors", "threads", "KiB"), before, after, (3, 4, 64)):
            self.assertLessEqual(other, one + slack, f"{name}: {before}, {after}")

    def refused(self, node: Node, error: str) -> Callable[[], None]:
        """That the system says so when the node sends."""
        return lambda: self.assertGreater(node.counter(f"send_failed.{error}"), 0, error)


class Links(HostsTest):
    def test_a_link_that_goes_down_and_comes_up(self) -> None:
        first, second, _ = self.hosts.simple(3)
        for node in self.hosts.nodes:
            node.start()
        eth0 = lambda state: first.host.ip("link", "set", "eth0", state)
        error = self.refused(first, "ENETUNREACH")
        self.outage(lambda: eth0("down"), lambda: eth0("up"), (first, second), error)

    def test_a_cable_that_is_pulled_at_the_other_end(self) -> None:
        first, second, _ = self.hosts.simple(3)
        for node in self.hosts.nodes:
            node.start()
        switch = self.hosts.hosts["net"]
        port = lambda state: switch.ip("link", "set", "ph1-eth0", state)
        self.outage(lambda: port("down"), lambda: port("up"), (first, second))

    def test_an_address_that_is_removed_and_given_back(self) -> None:
        for listen in ("0.0.0.0", "10.77.0.1"):
            with self.subTest(listen):
                self.hosts.close()
                self.hosts = Hosts()
                self.addCleanup(self.hosts.close)
                first, second, _ = self.hosts.simple(3)
                first.start(listen=(f"{listen}:{PORT}",))
                for node in self.hosts.nodes[1:]:
                    node.start()
                self.outage(
                    lambda: first.host.ip("address", "del", "10.77.0.1/24", "dev", "eth0"),
                    lambda: first.host.has("10.77.0.1/24"),
                    (first, second),
                )

    def test_a_node_that_starts_before_its_interface_is_up(self) -> None:
        first, second, third = self.hosts.simple(3)
        first.host.ip("link", "set", "eth0", "down")
        for node in self.hosts.nodes:
            node.start()
        wait("the others have met", lambda: second.sees(third))
        wait("it has tried", lambda: first.counter("send_failed.ENETUNREACH") > 0)
        self.assertFalse(first.sees(second))
        first.host.ip("link", "set", "eth0", "up")
        self.assertLess(wait("all peers are good at all nodes", self.hosts.good), hosts.WITHIN)


    def test_an_address_to_listen_on_that_is_not_there_yet(self) -> None:
        first, second, third = self.hosts.simple(3)
        first.host.ip("address", "del", "10.77.0.1/24", "dev", "eth0")
        first.start(listen=(f"10.77.0.1:{PORT}",), ready=False)
        second.start()
        third.start()
        wait("it says that it waits", lambda: "it is waited for" in first.log.read_text())
        wait("it can be asked", lambda: first.ask("status", check=False) is not None)
        time.sleep(1)
        before = first.footprint()
        time.sleep(hosts.AWAY)
        self.assertFalse(first.is_ready())
        self.assertFalse(first.sees(second))
        after = first.footprint()
        self.assertNoMore(before, after)
        first.host.has("10.77.0.1/24")
        self.assertLess(wait("all peers are good at all nodes", self.hosts.good), hosts.WITHIN)
        self.assertTrue(first.is_ready())

    def test_an_address_that_goes_away_from_under_a_running_node_leaves_nothing_behind(self) -> None:
        first, second, _ = self.hosts.simple(3)
        first.start(listen=(f"10.77.0.1:{PORT}",))
        for node in self.hosts.nodes[1:]:
            node.start()
        self.hosts.acquainted()
        first.host.ip("address", "del", "10.77.0.1/24", "dev", "eth0")
        wait("it is cut off", lambda: not second.can_ping(first))
        before = first.footprint()
        time.sleep(hosts.AWAY)
        after = first.footprint()
        self.assertNoMore(before, after)
        first.host.has("10.77.0.1/24")
        self.assertLess(wait("all peers are good at all nodes", self.hosts.good), hosts.WITHIN)

    # A name whose first address is dead belongs here as well.


class Routes(HostsTest):
    def start(self) -> tuple[Node, Node]:
        first, second, _ = self.hosts.simple(3)
        for node in self.hosts.nodes:
            node.start()
        return first, second

    def test_a_route_that_is_removed(self) -> None:
        first, second = self.start()
        self.outage(
            lambda: first.host.ip("route", "del", "10.77.0.0/24"),
            lambda: first.host.ip("route", "add", "10.77.0.0/24", "dev", "eth0", "src", "10.77.0.1"),
            (first, second),
            self.refused(first, "ENETUNREACH"),
        )

    def test_routes_that_refuse(self) -> None:
        first, second = self.start()
        for kind, error in (("prohibit", "EACCES"), ("blackhole", "EINVAL"), ("unreachable", "EHOSTUNREACH")):
            with self.subTest(kind):
                self.outage(
                    lambda: first.host.ip("route", "add", kind, "10.77.0.2/32"),
                    lambda: first.host.ip("route", "del", kind, "10.77.0.2/32"),
                    (first, second),
                    self.refused(first, error),
                )


class Filters(HostsTest):
    def setUp(self) -> None:
        if not CAN_FILTER:
            self.skipTest("no nftables here")
        super().setUp()
        self.first, self.second, _ = self.hosts.simple(3)

    def start(self) -> None:
        for node in self.hosts.nodes:
            node.start()

    def dropped(self, hook: str, happened: Callable[[], None]) -> None:
        self.start()
        self.outage(
            lambda: self.first.host.filter(hook, "meta l4proto udp counter drop"),
            lambda: self.first.host.filter(hook),
            (self.first, self.second),
            happened,
        )

    def test_a_filter_of_what_is_sent(self) -> None:
        self.dropped("output", self.refused(self.first, "EPERM"))

    def test_a_filter_of_what_is_received(self) -> None:
        self.dropped("input", lambda: self.assertGreater(self.first.host.dropped(), 0))

    def test_a_line_that_loses_a_fifth(self) -> None:
        for node in self.hosts.nodes:
            node.host.filter("input", "meta l4proto udp numgen random mod 100 < 20 counter drop")
        self.start()
        self.hosts.acquainted()
        keys = [f"key-{number}" for number in range(len(self.hosts.nodes))]
        for key, node in zip(keys, self.hosts.nodes):
            # It may say that it has too few copies; then it goes on trying.
            node.ask("put", key, "x" * 3000, check=False)
        for node in self.hosts.nodes:
            for key in keys:
                wait(f"{node.name} reads {key}", lambda: self.reads(node, key, "x" * 3000))
            self.assertGreater(node.host.dropped(), 0)
        self.hosts.acquainted()


class Addresses(HostsTest):
    def test_a_second_address_of_an_interface_is_answered_from(self) -> None:
        first, second, _ = self.hosts.simple(3)
        first.host.has("10.77.0.101/24")
        # The second node knows no other address of the first, which does not know the second's.
        for node in self.hosts.nodes:
            (self.hosts.folder / f"{node.name}.allow").write_text(
                "".join(f"{other.identity}  {other.name}\n" for other in self.hosts.nodes)
            )
        for node in self.hosts.nodes[1:]:
            node.knows(first, f"10.77.0.101:{PORT}")
        for node in self.hosts.nodes:
            node.start()
        self.hosts.acquainted()
        self.assertEqual(second.peers()["n1"]["address"], f"10.77.0.101:{PORT}")
        self.assertEqual(second.ask("status")["rejected"]["unsolicited"], 0)

    def two_networks(self) -> tuple[Node, Node, Node]:
        """A machine in two networks, and one more in each."""
        both, left, right = (self.hosts.host(name) for name in ("both", "left", "right"))
        self.hosts.join("a", both, "10.81.0.1/24", on="eth0")
        self.hosts.join("b", both, "10.82.0.1/24", on="eth1")
        self.hosts.join("a", left, "10.81.0.2/24")
        self.hosts.join("b", right, "10.82.0.3/24")
        first, second, third = self.hosts.members((both, "n1"), (left, "n2"), (right, "n3"))
        return first, second, third

    def meet(self, first: Node, *others: Node) -> None:
        met = lambda: first.sees(*others) and all(other.sees(first) for other in others)
        wait("those who can reach each other do", met)

    def test_two_networks_are_served_by_one_socket_or_two(self) -> None:
        one, two = "10.81.0.1:4100", "10.82.0.1:4100"
        for listen in (("0.0.0.0:4100",), (one, two), (two, one)):
            for asks in (True, False):
                with self.subTest(f"{listen}, {'it asks' if asks else 'it is asked'}"):
                    self.hosts.close()
                    self.hosts = Hosts()
                    self.addCleanup(self.hosts.close)
                    first, second, third = self.two_networks()
                    if asks:
                        first.knows(second, f"10.81.0.2:{PORT}")
                        first.knows(third, f"10.82.0.3:{PORT}")
                    else:
                        second.knows(first, f"10.81.0.1:{PORT}")
                        third.knows(first, f"10.82.0.1:{PORT}")
                    second.start()
                    third.start()
                    first.start(listen=listen)
                    self.meet(first, second, third)

    def moved(self, peer: Node) -> bool:
        """Whether the others count on it where it is now."""
        others = [node for node in self.hosts.nodes if node is not peer]
        known = [node.peers()[peer.name] for node in others]
        return all(x["state"] == "good" and x["address"] == f"10.77.0.51:{PORT}" for x in known)

    def test_a_peer_that_moves_to_another_address(self) -> None:
        first, second, _ = self.hosts.simple(3)
        for node in self.hosts.nodes:
            node.start()
        self.hosts.acquainted()
        first.host.ip("address", "del", "10.77.0.1/24", "dev", "eth0")
        wait("it cannot be reached", lambda: not second.can_ping(first))
        first.host.has("10.77.0.51/24")
        took = wait("the others know where it is now", lambda: self.moved(first))
        print(f"found again {took:.1f} s after it moved", file=sys.stderr)
        self.assertLess(took, hosts.WITHIN)
        wait("all peers are good at all nodes", self.hosts.good)

    def test_a_peer_that_moves_without_a_pause(self) -> None:
        first, _, _ = self.hosts.simple(3)
        for node in self.hosts.nodes:
            node.start()
        self.hosts.acquainted()
        first.host.has("10.77.0.51/24")
        first.host.ip("address", "del", "10.77.0.1/24", "dev", "eth0")
        # The system may remove the second address of a network with the first.
        if "10.77.0.51" not in first.host.ip("address"):
            first.host.has("10.77.0.51/24")
        self.assertLess(wait("the others know where it is now", lambda: self.moved(first)), hosts.WITHIN)
        wait("all peers are good at all nodes", self.hosts.good)


class Families(HostsTest):
    def test_a_network_of_ipv6_alone(self) -> None:
        first, second, _ = self.hosts.simple(3, "fd77::%/64")
        for node in self.hosts.nodes:
            node.start(listen=(f"[::]:{PORT}",))
        self.outage(
            lambda: first.host.ip("link", "set", "eth0", "down"),
            lambda: (first.host.ip("link", "set", "eth0", "up"), first.host.has("fd77::1/64")),
            (first, second),
            self.refused(first, "ENETUNREACH"),
        )

    def test_a_node_of_both_families_joins_those_of_one(self) -> None:
        both, four, six = self.hosts.simple(3, "10.77.0.%/24", "fd77::%/64")
        self.hosts.nodes = [both]
        (self.hosts.folder / "n1.allow").write_text(
            f"{four.identity}  n2  addr=10.77.0.2:{PORT}\n{six.identity}  n3  addr=[fd77::3]:{PORT}\n"
        )
        both.start(listen=(f"0.0.0.0:{PORT}", f"[::]:{PORT}"))
        four.start()
        six.start(listen=(f"[::]:{PORT}",))
        wait("it knows both", lambda: both.sees(four, six) and four.sees(both) and six.sees(both))
        self.assertEqual(four.peers()["n1"]["address"], f"10.77.0.1:{PORT}")
        self.assertEqual(six.peers()["n1"]["address"], f"[fd77::1]:{PORT}")


class Sizes(HostsTest):
    def carried(self, *addresses: str, mtu: int, listen: str) -> None:
        nodes = self.hosts.simple(3, *addresses, mtu=mtu)
        for node in nodes:
            self.assertIn(f"mtu {mtu} ", node.host.ip("link", "show", "eth0"))
            node.start(listen=(listen,))
        self.hosts.acquainted()
        nodes[0].ask("put", "long", "y" * 60_000)
        for node in nodes:
            self.assertEqual(node.ask("get", "long")["value"], "y" * 60_000)
        self.hosts.acquainted()
        self.assertEqual(sum(node.counter("send_failed.EMSGSIZE") for node in nodes), 0)

    def test_an_mtu_of_1280(self) -> None:
        self.carried("fd77::%/64", mtu=1280, listen=f"[::]:{PORT}")

    def test_an_mtu_of_576(self) -> None:
        self.carried("10.77.0.%/24", mtu=576, listen=f"0.0.0.0:{PORT}")

    def test_a_link_of_576_between_two_of_1500(self) -> None:
        left, router, right = (self.hosts.host(name) for name in ("left", "router", "right"))
        self.hosts.join("a", left, "10.81.0.1/24")
        self.hosts.join("a", router, "10.81.0.254/24", on="eth0")
        self.hosts.join("b", router, "10.82.0.254/24", on="eth1", mtu=576)
        self.hosts.join("b", right, "10.82.0.2/24", mtu=576)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        left.ip("route", "add", "default", "via", "10.81.0.254")
        right.ip("route", "add", "default", "via", "10.82.0.254")
        first, second = self.hosts.members((left, "n1"), (right, "n2"))
        first.knows(second, f"10.82.0.2:{PORT}")
        first.start()
        second.start()
        self.hosts.acquainted()
        first.ask("put", "long", "y" * 60_000)
        second.ask("put", "back", "z" * 60_000)
        self.assertEqual(second.ask("get", "long")["value"], "y" * 60_000)
        self.assertEqual(first.ask("get", "back")["value"], "z" * 60_000)


class Disks(HostsTest):
    def test_a_file_system_that_turns_read_only_under_a_running_node(self) -> None:
        first, _, _ = self.hosts.simple(3)
        disk = self.hosts.folder / "n1.data"
        fault = self.hosts.mount_ext4(disk)
        if not fault:
            self.skipTest("no ext4 on loop devices here")
        for node in self.hosts.nodes:
            node.start()
        self.hosts.acquainted()
        first.ask("put", "before", "1")
        fault.write_text("an error, as a broken disk makes them")

        # Two others have it, which is a success; the third copy is not claimed.
        self.assertEqual(first.ask("put", "while", "2")["copies"], {"stored": 2, "target": 3})
        self.assertIn("read-only", first.ask("status")["store_problem"])
        self.assertIn("read-only", first.log.read_text())
        self.assertEqual(first.ask("get", "before")["value"], "1")
        self.assertEqual(first.ask("get", "while")["value"], "2")


if __name__ == "__main__":
    unittest.main()
