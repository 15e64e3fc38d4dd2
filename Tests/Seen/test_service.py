"""A node under a service manager: what it tells of itself, sd_notify(3), and its log for programs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from web import DHT, ROOT, WITHIN


class Service:
    """A node, alone, with a manager that listens."""

    def __init__(self, *options: str, is_abstract: bool = False, watchdog: float = 0) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="dht-service-")
        self.path = Path(self.folder.name)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(WITHIN)
        name = f"@dht-test-{os.getpid()}-{id(self)}" if is_abstract else str(self.path / "notify")
        self.manager.bind(name.replace("@", "\0", 1))
        variables = os.environ | {"NOTIFY_SOCKET": name}
        if watchdog:
            variables["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        identity = self.dht("keygen", "-q", "-o", "node.key")
        (self.path / "list").write_text(f"{identity.strip()}  alone\n")
        self.log = open(self.path / "log", "w+")
        self.process = subprocess.Popen([DHT, "node", "--key", "node.key", "--allow", "list", "--ephemeral",
                                         "--listen", "127.0.0.1:0", "--socket", "./dht.sock", *options],
                                        cwd=self.path, env=variables, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log)

    def dht(self, *words: str) -> str:
        return subprocess.run([DHT, *words], cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=WITHIN, check=True).stdout

    def hears(self) -> dict[str, str]:
        """The next that the manager is told."""
        return dict(line.split("=", 1) for line in self.manager.recv(4096).decode().splitlines())

    def hears_of(self, word: str) -> dict[str, str]:
        while True:
            told = self.hears()
            if word in told:
                return told

    def said(self) -> str:
        return (self.path / "log").read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.manager.close()
        self.folder.cleanup()


class Manager(unittest.TestCase):
    def start(self, *options: str, **settings) -> Service:
        service = Service(*options, **settings)
        self.addCleanup(service.end)
        return service

    def test_it_is_ready_when_commands_work_and_says_how_it_goes_on(self):
        for is_abstract in (False, True):
            service = self.start(is_abstract=is_abstract)
            told = service.hears()
            self.assertEqual(told["READY"], "1")
            self.assertEqual(told["STATUS"], "0 of 0 peers up, 0 records")
            service.dht("put", "-s", "./dht.sock", "key", "value")
            service.process.send_signal(signal.SIGHUP)
            self.assertGreater(int(service.hears_of("RELOADING")["MONOTONIC_USEC"]), 0)
            self.assertEqual(service.hears_of("READY")["STATUS"], "0 of 0 peers up, 1 records")
            service.process.send_signal(signal.SIGTERM)
            self.assertEqual(service.hears_of("STOPPING")["STOPPING"], "1")
            self.assertEqual(service.process.wait(timeout=WITHIN), 0)

    def test_the_watchdog_hears_of_it_and_not_of_one_that_hangs(self):
        service = self.start(watchdog=0.6)
        for _ in range(3):
            service.hears_of("WATCHDOG")
        service.process.send_signal(signal.SIGSTOP)
        service.manager.settimeout(2)
        with self.assertRaises(TimeoutError):
            while True:
                service.hears()

    def test_a_node_that_cannot_start_is_never_ready(self):
        service = self.start("--http-token", "nowhere", "--http", "127.0.0.1:0")
        self.assertEqual(service.process.wait(timeout=WITHIN), 9)
        service.manager.setblocking(False)
        with self.assertRaises(BlockingIOError):
            service.hears()

    def test_the_log_as_json_is_an_object_a_line(self):
        for form in ("json", "journal"):
            if form == "journal" and os.path.exists("/run/systemd/journal/socket"):
                continue  # there it would go
            service = self.start("--log-format", form)
            service.hears_of("READY")
            lines = [json.loads(line) for line in service.said().splitlines() if not line.startswith("network ")]
            served = next(line for line in lines if line["message"] == "node serves")
            self.assertEqual(served["level"], "info")
            self.assertTrue(served["fields"]["identity"].startswith("dht1"))
            self.assertRegex(served["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not there")
class Files(unittest.TestCase):
    def test_the_unit_leaves_little_open(self):
        run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager",
                              str(ROOT / "Packaging/dht.service")], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout)


if __name__ == "__main__":
    unittest.main()
