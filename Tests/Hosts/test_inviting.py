#!/usr/bin/python3
"""The README's three machines, from nothing: real processes in network namespaces, by its own commands. It takes
root."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import hosts
from hosts import DHT, Host, Hosts, wait

# What stands in the README, and what is left out of it here: there is one administrator, and no service.
README = (hosts.ROOT / "README.md").read_text()
SERVICE = "sudo systemctl enable --now dht"


def setUpModule() -> None:
    reason = hosts.why_not()
    if reason:
        print(f"Tests/Hosts: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)


def section(title: str) -> list[str]:
    """The lines that one types under a heading of the README."""
    body = README.split(f"## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", body, re.S)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


class Inviting(unittest.TestCase):
    def setUp(self) -> None:
        self.hosts = Hosts()
        self.addCleanup(self.hosts.close)

    def machine(self, name: str, number: int) -> Host:
        host = self.hosts.host(name)
        self.hosts.join("net", host, f"10.77.0.{number}/24")
        (self.hosts.folder / name).mkdir()
        return host

    def place(self, host: Host) -> Path:
        return self.hosts.folder / host.name

    def dht(self, host: Host, *words: str) -> str:
        """Runs a command of the README there, whose `/etc/dht` is a folder of the machine's."""
        words = tuple(word.replace("/etc/dht", f"{self.place(host)}/etc") for word in words)
        local = words[0] in ("init", "join")
        return host.run(DHT, *words, *(() if local else ("-s", f"{self.place(host)}/dht.sock")))

    def start(self, host: Host) -> None:
        """What the service does."""
        place = self.place(host)
        words = ["ip", "netns", "exec", host.space, DHT, "node", "--config", f"{place}/etc/dht.toml"]
        words += ["--socket", f"{place}/dht.sock", "--data", f"{place}/data"]
        with open(place / "log", "wb") as log, open(place / "out", "wb") as out:
            self.hosts.running.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
            )
        wait(f"{host.name} is ready: {place}/log", lambda: "READY" in (place / "out").read_text())

    def test_three_machines_by_the_commands_of_the_readme(self) -> None:
        first, second, third = (self.machine(name, n) for n, name in enumerate(("alpha", "beta", "gamma"), 1))
        typed = section("Three machines in a minute")
        commands = [line.removeprefix("sudo dht ").split() for line in typed if line.startswith("sudo dht ")]
        init, invite, join = commands[0], commands[1], commands[2]
        self.assertEqual([words[0] for words in (init, invite, join)], ["init", "invite", "join"])
        self.assertGreaterEqual(typed.count(SERVICE), 2)

        begun = time.monotonic()
        self.dht(first, *init)
        self.start(first)
        lines = self.dht(first, *invite).split()
        self.assertEqual(len(lines), 2)
        for host, line in ((second, lines[0]), (third, lines[1])):
            self.dht(host, *(line if word.startswith("dht-join1") else word for word in join))
            self.start(host)
        self.dht(second, "put", "motd", "lunch is at noon")
        self.assertEqual(self.dht(third, "get", "motd"), "lunch is at noon")
        took = time.monotonic() - begun
        print(f"{self.id().split('.')[-1]}: {took:.1f} s", file=sys.stderr)
        self.assertLess(took, 60)
        members = self.dht(third, "members")
        for name in ("alpha", "beta", "gamma"):
            self.assertIn(name, members)

        # Whoever is revoked is out everywhere.
        self.assertIn("serial 4", self.dht(first, "revoke", "beta"))
        wait("the third one has it", lambda: "beta" not in self.dht(third, "members"))

    def test_an_inviter_answers_from_the_address_that_was_asked(self) -> None:
        first, second = self.machine("alpha", 1), self.machine("beta", 2)
        first.has("10.77.0.101/24")
        self.dht(first, "init", "--dir", "/etc/dht", "--name", "alpha")
        self.start(first)
        line = self.dht(first, "invite", "beta", "--addr", f"10.77.0.101:{hosts.PORT}").strip()
        self.dht(second, "join", line, "--dir", "/etc/dht")
        self.start(second)
        wait("they have met", lambda: " good " in self.dht(second, "members").split("alpha")[1].splitlines()[0] + " ")


if __name__ == "__main__":
    unittest.main()
