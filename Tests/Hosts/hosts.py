"""Machines made of network namespaces, joined by bridges, with real nodes on them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Optional

ROOT = Path(__file__).resolve().parent.parent.parent
DHT = str(Path(os.environ.get("DHT") or ROOT / ".build/debug/dht").resolve())

# How long nodes may take to find each other again after an outage, in seconds. The promise is 5; a machine
# that builds something meanwhile gets more; who asks every half minute only, or never, fails all the same.
WITHIN = float(os.environ.get("HOSTS_WITHIN", "12"))
# How long an outage lasts, and how often each is made.
OUTAGES = [float(text) for text in os.environ.get("HOSTS_OUTAGES", "3").split(",")]
# How long an address to listen on is missing.
AWAY = float(os.environ.get("HOSTS_AWAY", "10"))
RUNS = int(os.environ.get("HOSTS_RUNS", "1"))

PORT = 4100
PR_SET_PDEATHSIG = 1


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def why_not() -> Optional[str]:
    """Why no machines can be made here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no `ip`: apt-get install iproute2"
    if not os.access(DHT, os.X_OK):
        return f"there is no {DHT}: build it first"
    name = f"dh{os.getpid()}-try"
    try:
        run("ip", "netns", "add", name)
        try:
            run("ip", "-n", name, "link", "add", "va0", "type", "veth", "peer", "name", "vb0")
            run("ip", "-n", name, "link", "add", "br0", "type", "bridge")
        finally:
            run("ip", "netns", "del", name)
    except AssertionError as error:
        return f"this system makes no network namespaces with veth and bridges ({error})"
    return None


def filters() -> bool:
    """Whether packets can be filtered here."""
    if not shutil.which("nft"):
        return False
    name = f"dh{os.getpid()}-nft"
    run("ip", "netns", "add", name)
    try:
        rule = "add table inet t; add chain inet t c; add rule inet t c numgen random mod 100 < 20 drop"
        run("ip", "netns", "exec", name, "nft", rule)
        return True
    except AssertionError:
        return False
    finally:
        run("ip", "netns", "del", name)


def wait(what: str, condition: Callable[[], bool], patience: float = 60) -> float:
    """Seconds until something is so."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            raise AssertionError(f"after {patience:.0f} s still not: {what}")
        time.sleep(0.1)
    return time.monotonic() - begin


def _dies_with_us() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    """A node of its own identity, on a host."""

    def __init__(self, host: Host, name: str, identity: str) -> None:
        self.host, self.name, self.identity = host, name, identity
        self.folder = host.hosts.folder
        self.socket = f"{self.folder}/{name}.sock"
        self.log = self.folder / f"{name}.log"
        self.process: Optional[subprocess.Popen[bytes]] = None

    def start(
        self,
        *flags: str,
        listen: tuple[str, ...] = (f"0.0.0.0:{PORT}",),
        ready: bool = True,
        environment: Optional[dict[str, str]] = None,
    ) -> None:
        words = ["ip", "netns", "exec", self.host.space, DHT, "node"]
        words += ["--key", f"{self.folder}/{self.name}.key"]
        words += ["--network", f"{self.folder}/net.key", "--allow", f"{self.folder}/{self.name}.allow"]
        words += ["--socket", self.socket, "--data", f"{self.folder}/{self.name}.data"]
        for address in listen:
            words += ["--listen", address]
        with open(self.log, "ab") as log, open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [*words, *flags], stdin=subprocess.DEVNULL, stdout=out, stderr=log, preexec_fn=_dies_with_us,
                env=os.environ | (environment or {}),
            )
        self.host.hosts.running.append(self.process)
        if ready:
            wait(f"{self.name} is ready: {self.log}", self.is_ready)

    @property
    def out(self) -> Path:
        return self.folder / f"{self.name}.out"

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: {self.log.read_text()}")
        return "READY" in self.out.read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def footprint(self) -> tuple[int, int, int]:
        """Descriptors, threads, locked KiB."""
        assert self.process is not None
        # `ip netns exec` becomes the node.
        place = Path(f"/proc/{self.process.pid}")
        lines = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        threads, locked = int(lines["Threads"]), int(lines["VmLck"].split()[0])
        return len(list((place / "fd").iterdir())), threads, locked

    def ask(self, *words: str, check: bool = True) -> Any:
        """What a command prints as JSON; nothing if it failed and that is no matter."""
        out = run(DHT, "-s", self.socket, "--json", *words, check=check)
        return json.loads(out) if out.strip() else None

    def peers(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {peer["name"]: peer for peer in self.ask("peers")["peers"]}

    def sees(self, *others: Node) -> bool:
        peers = self.peers()
        return all(peers.get(other.name, {}).get("state") == "good" for other in others)

    def counter(self, name: str) -> int:
        return int(self.ask("status").get("counters", {}).get(name, 0))

    def can_ping(self, other: Node) -> bool:
        words = [DHT, "-s", self.socket, "ping", other.name]
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode == 0

    def knows(self, other: Node, *addresses: str) -> None:
        """Writes where somebody is into this node's own list."""
        file = self.folder / f"{self.name}.allow"
        lines = file.read_text().splitlines()
        options = "".join(f" addr={address}" for address in addresses)
        file.write_text("".join((x + options if x.split()[1] == other.name else x) + "\n" for x in lines))


class Host:
    """A namespace."""

    def __init__(self, hosts: Hosts, name: str) -> None:
        self.hosts, self.name = hosts, name
        self.space = f"dh{os.getpid()}-{name}"
        run("ip", "netns", "add", self.space)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> str:
        return run("ip", "-n", self.space, *words)

    def has(self, address: str, on: str = "eth0") -> None:
        """Gives it an address: `10.77.0.1/24`, or IPv6, which can be used at once."""
        self.ip("address", "add", address, "dev", on, *(["nodad"] if ":" in address else []))

    def run(self, *words: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.space, *words, check=check)

    def filter(self, hook: str, *rules: str) -> None:
        """Lets rules of nftables decide; those before are gone."""
        self.run("nft", "flush ruleset")
        if not rules:
            return
        self.run("nft", f"add table inet t; add chain inet t c {{ type filter hook {hook} priority 0; }}")
        for rule in rules:
            self.run("nft", f"add rule inet t c {rule}")

    def dropped(self) -> int:
        """Packets that the rules counted."""
        listed = json.loads(self.run("nft", "-j", "list ruleset"))["nftables"]
        expressions = [part for entry in listed for part in entry.get("rule", {}).get("expr", [])]
        return sum(part["counter"]["packets"] for part in expressions if "counter" in part)


class Hosts:
    """All of them, and the nodes they run. Whoever is a member is on everybody's list."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dht-hosts-"))
        self.running: list[subprocess.Popen[bytes]] = []
        self.hosts: dict[str, Host] = {}
        self.nodes: list[Node] = []
        self.mounts: list[Path] = []
        run(DHT, "keygen", "-q", "--network", "-o", f"{self.folder}/net.key")

    def mount_ext4(self, place: Path) -> Optional[Path]:
        """A file system of its own on a file, which becomes read-only when the returned file is written to;
        nothing where there are no loop devices."""
        image = self.folder / f"{place.name}.ext4"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        place.mkdir(mode=0o700)
        try:
            run("mkfs.ext4", "-q", str(image))
            run("mount", "-o", "loop,errors=remount-ro", str(image), str(place))
        except (AssertionError, FileNotFoundError):
            return None
        self.mounts.append(place)
        place.chmod(0o700)
        device = run("findmnt", "-n", "-o", "SOURCE", str(place)).strip()
        # Never the disk of the machine.
        assert device.startswith("/dev/loop"), device
        fault = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
        return fault if fault.exists() else None

    def host(self, name: str) -> Host:
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def join(self, network: str, host: Host, *addresses: str, on: str = "eth0", mtu: int = 1500) -> None:
        """Plugs an interface of a host into a network, which is made if there is none of that name."""
        switch = self.hosts.get(network) or self.host(network)
        if "br0" not in switch.ip("link"):
            switch.ip("link", "add", "br0", "type", "bridge")
            switch.ip("link", "set", "br0", "up")
        port = f"p{host.name}-{on}"
        pair = ["type", "veth", "peer", "name", on, "netns", host.space]
        switch.ip("link", "add", port, "mtu", str(mtu), *pair)
        switch.ip("link", "set", port, "master", "br0", "up")
        host.ip("link", "set", on, "mtu", str(mtu), "up")
        for address in addresses:
            host.has(address, on)

    def members(self, *places: tuple[Host, str]) -> list[Node]:
        """Makes identities, each with a list of all."""
        keys = [f"{self.folder}/{name}.key" for _, name in places]
        identities = [run(DHT, "keygen", "-q", "-o", key).strip() for key in keys]
        lines = "".join(f"{identity}  {name}\n" for identity, (_, name) in zip(identities, places))
        for _, name in places:
            (self.folder / f"{name}.allow").write_text(lines)
        self.nodes = [Node(host, name, identity) for identity, (host, name) in zip(identities, places)]
        return self.nodes

    def simple(self, count: int, *addresses: str, mtu: int = 1500) -> list[Node]:
        """As many hosts on one network, `10.77.0.1` and so on (or as `addresses` say, with `%` for the
        number), and a node on each, whose address stands in everybody's list."""
        patterns = addresses or ("10.77.0.%/24",)
        places = []
        for number in range(1, count + 1):
            host = self.host(f"h{number}")
            self.join("net", host, *(pattern.replace("%", str(number)) for pattern in patterns), mtu=mtu)
            places.append((host, f"n{number}"))
        nodes = self.members(*places)
        for node in nodes:
            for number, other in enumerate(nodes, 1):
                bare = patterns[0].split("/")[0].replace("%", str(number))
                node.knows(other, f"[{bare}]:{PORT}" if ":" in bare else f"{bare}:{PORT}")
        return nodes

    def lost(self) -> list[str]:
        """Who does not count on whom."""
        states = {node.name: node.peers() for node in self.nodes}
        return [
            f"{other} is {peers.get(other, {}).get('state')} at {node}"
            for node, peers in states.items()
            for other in states
            if other != node and peers.get(other, {}).get("state") != "good"
        ]

    def good(self) -> bool:
        """Whether everybody counts on everybody."""
        return not self.lost()

    def acquainted(self) -> None:
        wait("all peers are good at all nodes", self.good)

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        for place in self.mounts:
            run("umount", str(place), check=False)
        for host in self.hosts.values():
            run("ip", "netns", "del", host.space, check=False)
        if not os.environ.get("HOSTS_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
