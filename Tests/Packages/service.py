"""The package's unit under a real systemd, which is booted in a container: what no test of the program alone can see.

    make service      # as root; takes systemd-container
"""

import re
import shutil
import subprocess
import time
import unittest

from test_package import Machine, one


def wait(what: str, condition, within: float = 90) -> None:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.2)


class Booted(Machine):
    """A Debian whose own systemd runs, with a network of its own."""

    def __init__(self) -> None:
        super().__init__()
        for place in ("dev", "proc"):
            subprocess.run(["umount", "-l", self.path / place], check=True)
        self.console = open(self.folder / "console", "w")
        self.container = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
             "--capability=CAP_IPC_LOCK", "--boot", f"--machine={self.folder.name}", "--directory", self.path],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)
        wait("systemd has started", lambda: self.status("systemctl", "is-active", "basic.target") == 0)

    @property
    def leader(self) -> str:
        found = subprocess.run(["pgrep", "-P", str(self.container.pid)], capture_output=True, text=True).stdout.split()
        return found[0] if found else "0"

    def inside(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", *words],
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def status(self, *words: str) -> int:
        return self.inside(*words).returncode

    def run(self, *words: str, status: int = 0, variables: dict | None = None) -> str:
        done = self.inside(*(f"{name}={value}" for name, value in (variables or {}).items()), *words)
        if done.returncode != status:
            journal = self.inside("journalctl", "-u", "dht", "--no-pager", "-n", "30").stdout
            raise AssertionError(f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{journal}")
        return done.stdout

    def of_unit(self, name: str) -> str:
        return self.run("systemctl", "show", "-p", name, "--value", "dht").strip()

    def close(self) -> None:
        self.container.terminate()
        try:
            self.container.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.container.kill()
            self.container.wait()
        self.console.close()
        self.log.close()
        shutil.rmtree(self.folder)


class Service(unittest.TestCase):
    def test_the_unit_starts_serves_and_comes_back(self):
        machine = Booted()
        self.addCleanup(machine.close)
        machine.run("ip", "link", "set", "lo", "up") if machine.status("which", "ip") == 0 else None
        shutil.copy(one("dht_*.deb"), machine.path / "opt/dht.deb")
        machine.run("dpkg", "-i", "/opt/dht.deb", variables={"DEBIAN_FRONTEND": "noninteractive"})
        machine.run("dht", "init", "--dir", "/etc/dht", "--name", "alpha")
        machine.run("systemctl", "enable", "--now", "dht")
        self.assertEqual(machine.of_unit("ActiveState"), "active")
        wait("peers and records in the unit's state", lambda: "records" in machine.of_unit("StatusText"))
        machine.run("dht", "doctor")
        machine.run("dht", "put", "kept", "through all of it")

        # Who is of the group, and nobody else, may use the socket; the service's user is nobody outside.
        for group, status in (("dht", 0), ("nogroup", 5)):
            machine.run("setpriv", "--reuid=nobody", f"--regid={group}", "--clear-groups", "dht", "get", "kept",
                        status=status)
        self.assertIn("dht-node", machine.run("ps", "-o", "user:20=", "-p", machine.of_unit("MainPID"))
                      if machine.status("which", "ps") == 0 else "dht-node")
        locked = machine.run("grep", "VmLck", f"/proc/{machine.of_unit('MainPID')}/status")
        self.assertGreater(int(re.search(r"\d+", locked)[0]), 0, "secrets are locked in memory")

        machine.run("systemctl", "reload", "dht")
        before = machine.of_unit("MainPID")
        machine.run("systemctl", "kill", "--signal=KILL", "dht")
        wait("it is started again", lambda: machine.of_unit("MainPID") not in ("0", before)
             and machine.of_unit("ActiveState") == "active")
        self.assertEqual(machine.run("dht", "get", "kept"), "through all of it")

        # One that hangs is found by the watchdog.
        before = machine.of_unit("MainPID")
        machine.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "dht")
        wait("the watchdog has it started again", lambda: machine.of_unit("MainPID") not in ("0", before)
             and machine.of_unit("ActiveState") == "active")
        self.assertEqual(machine.run("dht", "get", "kept"), "through all of it")

        # A wrong setting waits for somebody to mend it.
        toml = machine.path / "etc/dht/dht.toml"
        right = toml.read_text()
        toml.write_text("listne = \"x\"\n" + right)
        machine.run("systemctl", "restart", "dht", status=1)
        time.sleep(4)
        self.assertEqual((machine.of_unit("ActiveState"), machine.of_unit("ExecMainStatus")), ("failed", "9"))
        toml.write_text(right)
        machine.run("systemctl", "start", "dht")
        self.assertEqual(machine.run("dht", "get", "kept"), "through all of it")
        machine.run("systemctl", "stop", "dht")
        self.assertEqual((machine.of_unit("ActiveState"), machine.of_unit("Result")), ("inactive", "success"))
        exposure = machine.run("systemd-analyze", "security", "--no-pager", "dht")
        self.assertLessEqual(float(re.search(r"exposure level for dht.service: ([\d.]+)", exposure)[1]), 1.5)


if __name__ == "__main__":
    unittest.main()
