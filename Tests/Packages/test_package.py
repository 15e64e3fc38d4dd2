"""The package and the archive on a machine that has neither Swift nor our libraries: a Debian of its own in a folder.

    make packages                     # as root
    OLDER=/tmp/dht.deb make packages  # upgraded from that package, and not from the same program under an older version
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = ROOT / ".build/dist"
BASE = ROOT / ".build/debian"
# How long anything may take, in seconds: a bound, not a pause.
WITHIN = 120
UNIT = "lib/systemd/system/dht.service"
# Not there on any machine, and so nobody's.
USER = 64100


def command_of(unit: str) -> list[str]:
    """What the unit starts, with the continued lines as one."""
    text = re.sub(r"\\\n\s*", " ", unit)
    return shlex.split(re.search(r"^ExecStart=(.*)$", text, re.M)[1])


def one(pattern: str) -> Path:
    return max(DIST.glob(pattern), key=lambda path: path.stat().st_mtime)


class Machine:
    """A Debian in a folder, without a service manager: what that would do for the unit is done here."""

    def __init__(self) -> None:
        if not (BASE / "etc/debian_version").exists():
            shutil.rmtree(BASE, ignore_errors=True)
            subprocess.run(["debootstrap", "--variant=minbase", "--include=systemd", "bookworm", BASE], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        self.folder = Path(tempfile.mkdtemp(prefix="dht-machine-"))
        self.path = self.folder / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", BASE, self.path], check=True)
        (self.path / "dev/null").unlink(missing_ok=True)
        subprocess.run(["mount", "--bind", "/dev", self.path / "dev"], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", self.path / "proc"], check=True)
        self.node = None
        # Of the network that its node is in; that of this machine if there is none.
        self.namespace = None
        self.log = open(self.folder / "log", "a+")

    def close(self) -> None:
        if self.node and self.node.poll() is None:
            self.node.kill()
            self.node.wait()
            self.node.stdout.close()
        self.log.close()
        for place in ("dev", "proc"):
            subprocess.run(["umount", "-l", self.path / place], check=True)
        shutil.rmtree(self.folder)

    def run(self, *words: str, status: int = 0, variables: dict | None = None, inside: bool = False) -> str:
        """`inside`: in the network that the machine's node is in."""
        space = ["ip", "netns", "exec", self.namespace] if inside and self.namespace else []
        done = subprocess.run([*space, shutil.which("chroot"), self.path, *words], capture_output=True, text=True, timeout=WITHIN,
                              stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | (variables or {}))
        if done.returncode != status:
            raise AssertionError(f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def install(self, package: Path) -> None:
        shutil.copy(package, self.path / "tmp/dht.deb")
        self.run("dpkg", "-i", "/tmp/dht.deb", variables={"DEBIAN_FRONTEND": "noninteractive"})

    def shell(self, script: str, inside: bool = False) -> str:
        """As root, who needs no sudo and answers no questions."""
        script = script.replace("sudo ", "").replace("apt install", "apt-get -qy install")
        return self.run("sh", "-euc", f"cd /root\n{script}", variables={"DEBIAN_FRONTEND": "noninteractive"},
                        inside=inside)

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def files(self) -> set[str]:
        """All of it, but for what changes by itself."""
        listed = subprocess.run(["find", ".", "-xdev", "-path", "./proc", "-prune", "-o", "-path", "./tmp", "-prune",
                                 "-o", "-path", "./var/lib/dpkg", "-prune", "-o", "-path", "./var/log", "-prune",
                                 "-o", "-print"], cwd=self.path, capture_output=True, text=True, check=True)
        return set(listed.stdout.splitlines())

    def start(self) -> str:
        """The unit's own command line, as a user of its own, with its directories and credentials; what it says."""
        for name in ("run/credentials/dht.service", "run/dht", "var/lib/dht"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
            os.chown(self.path / name, USER, USER)
            os.chmod(self.path / name, 0o700)
        for key in ("node.key", "net.key", "admin.key"):
            target = self.path / "run/credentials/dht.service" / key
            if (self.path / "etc/dht" / key).exists():
                shutil.copy(self.path / "etc/dht" / key, target)
            else:
                target.write_text(re.search(rf"^SetCredential={key}:(.*)$", self.read(UNIT), re.M)[1])
            os.chown(target, USER, USER)
            os.chmod(target, 0o400)
        group = next(line.split(":")[2] for line in self.read("etc/group").splitlines() if line.startswith("dht:"))
        credentials = "/run/credentials/dht.service"
        words = [word.replace("${CREDENTIALS_DIRECTORY}", credentials) for word in command_of(self.read(UNIT))]
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        self.node = subprocess.Popen(
            [*inside, shutil.which("chroot"), self.path, "setpriv", f"--reuid={USER}", f"--regid={group}",
             "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={"PATH": "/usr/bin", "CREDENTIALS_DIRECTORY": credentials, "STATE_DIRECTORY": "/var/lib/dht",
                 "RUNTIME_DIRECTORY": "/run/dht", "SWIFT_BACKTRACE": "enable=no"})
        line = self.node.stdout.readline().strip()
        if not line.startswith("READY "):
            raise AssertionError((self.folder / "log").read_text())
        return line.removeprefix("READY ")

    def stop(self) -> int:
        self.node.send_signal(signal.SIGTERM)
        status = self.node.wait(timeout=WITHIN)
        self.node.stdout.close()
        return status


class Switch:
    """Machines on one network, 10.0.0.1 the first: each node's in a namespace."""

    def __init__(self, machines: list[Machine]) -> None:
        self.mark = f"dp{os.getpid() % 100000}"
        self.spaces = []
        self.ip("link", "add", self.mark, "type", "bridge")
        self.ip("link", "set", self.mark, "up")
        for number, machine in enumerate(machines, start=1):
            machine.namespace = f"{self.mark}-{number}"
            self.ip("netns", "add", machine.namespace)
            self.spaces.append(machine.namespace)
            outer = f"{self.mark}v{number}"
            self.ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", machine.namespace)
            self.ip("link", "set", outer, "master", self.mark, "up")
            self.ip("-n", machine.namespace, "address", "add", f"10.0.0.{number}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                self.ip("-n", machine.namespace, "link", "set", link, "up")

    @staticmethod
    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    def close(self) -> None:
        for space in self.spaces:
            self.ip("netns", "del", space)
        self.ip("link", "del", self.mark)


def readme(heading: str, ending: str) -> list[str]:
    """The blocks of code between two lines of the README."""
    text = (ROOT / "README.md").read_text()
    part = text[text.index(heading):]
    return re.findall(r"```(?:sh)?\n(.*?)```", part[:part.index(ending)], re.S)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("debootstrap"), "takes root and debootstrap")
class Package(unittest.TestCase):
    def machine(self) -> Machine:
        machine = Machine()
        self.addCleanup(machine.close)
        return machine

    def older(self, package: Path) -> Path:
        """The same under the version of an older commit."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["dpkg-deb", "-R", package, folder / "tree"], check=True)
        control = folder / "tree/DEBIAN/control"
        control.write_text(re.sub(r"^Version: .*$", "Version: 0.1.0~20200101000000.000000000000", control.read_text(),
                                  flags=re.M))
        made = folder / "older.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "tree", made], check=True,
                       stdout=subprocess.DEVNULL)
        return made

    def test_installed_upgraded_removed_and_purged(self):
        package = one("dht_*.deb")
        here, there = self.machine(), self.machine()
        before = here.files()
        older = Path(os.environ["OLDER"]) if "OLDER" in os.environ else self.older(package)
        for machine in (here, there):
            machine.install(older)
            self.assertRegex(machine.run("dht", "--version"), r"^dht 0\.1\.0\+[0-9a-f]{12}")
        place = ("--dir", "/etc/dht", "--listen", "127.0.0.1:0")
        self.assertRegex(here.run("dht", "init", "--name", "here", *place), r"^dht1[0-9a-z]+\n$")
        here.start()
        line = here.run("dht", "invite", "there").strip()
        self.assertRegex(there.run("dht", "join", line, *place), r"^dht1[0-9a-z]+\n$")
        there.start()
        here.run("dht", "put", "kept", "through all of it")
        self.assertEqual(there.run("dht", "get", "kept"), "through all of it")

        # The node that is upgraded stops and starts; the other serves meanwhile.
        self.assertEqual(there.stop(), 0)
        there.install(package)
        self.assertEqual(here.run("dht", "get", "kept"), "through all of it")
        there.start()
        self.assertEqual(there.run("dht", "get", "kept"), "through all of it")

        self.assertEqual(here.stop(), 0)
        here.install(package)
        here.run("dpkg", "--remove", "dht")
        self.assertFalse((here.path / "usr/bin/dht").exists())
        self.assertTrue(any((here.path / "var/lib/dht").iterdir()))
        here.run("dpkg", "--purge", "dht")
        shutil.rmtree(here.path / "run/credentials")
        shutil.rmtree(here.path / "run/dht")
        left = {name for name in here.files() - before if not name.startswith("./etc/dht")}
        # The group stays, as groups do: a file of its may be anywhere.
        self.assertEqual(left - {"./etc/group-", "./etc/gshadow-", "./etc/passwd-", "./etc/shadow-"}, set())
        self.assertTrue((here.path / "etc/dht/node.key").exists())

    def test_three_machines_as_the_readme_has_them(self):
        machines = {name: self.machine() for name in ("alpha", "beta", "gamma")}
        switch = Switch(list(machines.values()))
        self.addCleanup(switch.close)
        found, join, use = readme("## Three machines", "All of it on one machine")
        first, service, invite = found.partition("sudo systemctl enable --now dht\n")
        joining, again, rest = join.partition("sudo systemctl enable --now dht\n")
        self.assertTrue(service and again)
        self.assertEqual(rest, "sudo dht doctor\n")
        for machine in machines.values():
            shutil.copy(one("dht_*.deb"), machine.path / "root")
        machines["alpha"].shell(first, inside=True)
        machines["alpha"].start()
        lines = machines["alpha"].shell(invite).split()
        self.assertEqual(len(lines), 2)
        for name, line in zip(("beta", "gamma"), lines):
            self.assertIn("dht-join1…", joining)
            machines[name].shell(joining.replace("dht-join1…", line), inside=True)
            machines[name].start()
        for machine in machines.values():
            machine.shell("for _ in $(seq 60); do dht doctor && exit; sleep 0.5; done; exit 1")
        (machines["gamma"].path / "root/ada.url").write_text("https://ada.example/photo")
        told = machines["gamma"].shell(use)
        self.assertIn("lunch is at noon", told)
        for name in machines:
            if name != "gamma":
                self.assertIn(name, told)
                self.assertEqual(machines[name].run("dht", "get", "motd"), "lunch is at noon")

    def test_what_the_readme_runs_on_one_machine(self):
        machine = self.machine()
        machine.install(one("dht_*.deb"))
        scripts = readme("<!-- runs: shell -->", "`dht --help` lists")
        self.assertEqual(len(scripts), 1)
        self.assertIn("good morning", machine.shell(scripts[0]))

    def test_the_archive_runs_with_nothing_at_all(self):
        machine = self.machine()
        archive = one("dht-*-linux-*.tar.gz")
        subprocess.run(["tar", "-C", machine.path / "opt", "-xzf", archive], check=True)
        (program,) = (machine.path / "opt").glob("dht-*/bin/dht")
        inside = "/" + str(program.relative_to(machine.path))
        run = subprocess.run(["chroot", machine.path, "/usr/bin/env", "-i", inside, "demo", "3"], capture_output=True,
                             text=True, timeout=WITHIN, stdin=subprocess.DEVNULL)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_what_the_package_brings(self):
        machine = self.machine()
        machine.install(one("dht_*.deb"))
        names = machine.run("dpkg", "-L", "dht").splitlines()
        for name in ("/usr/bin/dht", "/" + UNIT, "/usr/lib/sysusers.d/dht.conf", "/usr/share/man/man1/dht.1.gz",
                     "/usr/share/man/man1/dht-node.1.gz", "/usr/share/bash-completion/completions/dht",
                     "/usr/share/zsh/vendor-completions/_dht", "/usr/share/fish/vendor_completions.d/dht.fish",
                     "/usr/share/doc/dht/copyright", "/usr/share/doc/dht/operations.md",
                     "/usr/share/doc/dht/examples/prometheus/dht.rules.yml",
                     "/usr/share/doc/dht/examples/container/kubernetes.yaml"):
            self.assertIn(name, names)
            self.assertTrue((machine.path / name[1:]).stat().st_size > 0)
        self.assertRegex(machine.read("etc/group"), r"(?m)^dht:")
        needs = subprocess.run(["objdump", "-p", machine.path / "usr/bin/dht"], capture_output=True, text=True).stdout
        libraries = set(re.findall(r"NEEDED\s+(\S+)", needs))
        self.assertLessEqual(libraries, {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})


if __name__ == "__main__":
    unittest.main()
