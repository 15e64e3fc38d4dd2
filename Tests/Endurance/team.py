"""Nodes as processes of their own, and teams of them with keys and directories in a temporary folder."""
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def path_of(key):
    return "/v1/values/" + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


class Control(http.client.HTTPConnection):
    """A connection to a node's control socket that stays open: what a program uses, without a process a request."""

    def __init__(self, path):
        super().__init__("dht")
        self.path = str(path)
        self.used = 0.0

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        answer = self.respond(method, path, body)
        return answer.status, json.loads(answer.read() or b"null")

    def get(self, path):
        """The value that is read there, or None."""
        answer = self.respond("GET", path, headers={"accept": "application/octet-stream"})
        value = answer.read()
        return value if answer.status == 200 else None

    def respond(self, method, *request, **options):
        # The node closes one on which nothing was asked for a minute.
        if time.monotonic() - self.used > 30:
            self.close()
        try:
            self.request(method, *request, **options)
            answer = self.getresponse()
            self.used = time.monotonic()
            return answer
        except ConnectionError:
            self.close()
            if method != "GET":
                raise
            self.request(method, *request, **options)
            return self.getresponse()


class Node:
    def __init__(self, team, name, port):
        self.team, self.name, self.port = team, name, port
        # Where others reach it: not where it listens, if there is something in between.
        self.front = port
        # Where it listens, on that port.
        self.hosts = ["127.0.0.1"]
        self.folder = team.folder
        self.socket = self.folder / f"{name}.sock"
        self.process = None
        # Variables that the process gets beside the usual ones.
        self.environment = {}
        self.identity = team.dht("keygen", "-o", f"{name}.key").stdout.decode().strip()

    @property
    def uri(self):
        return self.uri_for(self)

    def uri_for(self, other):
        """What a node that shares a host with it is told of it."""
        host = next((host for host in self.hosts if host in other.hosts), self.hosts[0])
        return f"dht://{self.identity}@{host}:{self.front}"

    @property
    def directory(self):
        return self.folder / f"{self.name}.data"

    def start(self, peers=(), wait=True):
        arguments = [self.team.program, "node", "--key", f"{self.name}.key", "--allow", "team.allow",
                     "--network", "team.network",
                     "--data", f"{self.name}.data", "--socket", str(self.socket), "--quiet"]
        for host in self.hosts:
            arguments += ["--listen", f"{host}:{self.port}"]
        for peer in peers:
            arguments += ["--peer", peer.uri_for(self)]
        self.log = open(self.folder / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(arguments, cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        env=self.team.environment | self.environment)
        if wait:
            self.await_ready()

    def await_ready(self):
        line = self.process.stdout.readline()
        if not line.startswith(b"READY"):
            raise SystemExit(f"{self.name} did not start: {line!r} {self.said()}")

    def said(self):
        """Its log, of all its processes."""
        return (self.folder / f"{self.name}.log").read_text()

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.log.close()
        return status

    def dht(self, *arguments, data=b""):
        return self.team.dht(*arguments, "--socket", str(self.socket), data=data)

    def put(self, key, value, *options):
        return self.dht("put", key, "-", *options, data=value)

    def get(self, key, *options):
        """The value's bytes; `None` if it was not found, or the node did not answer."""
        ending = self.dht("get", key, *options)
        return ending.stdout if ending.returncode == 0 else None

    def status(self):
        return json.loads(self.dht("status", "--json").stdout or b"{}")

    def check(self):
        """What is wrong with its store on the disk, while nobody runs; `None` if it is sound."""
        ending = self.team.dht("store", "check", f"{self.name}.data", "--network", "team.network")
        said = (ending.stdout + ending.stderr).decode().strip()
        print(f"{self.name}: {said.splitlines()[0]}", flush=True)
        return said if ending.returncode != 0 else None

    def export(self):
        """Its records on the disk, while nobody runs, as dictionaries."""
        ending = self.team.dht("store", "export", f"{self.name}.data")
        if ending.returncode != 0:
            raise SystemExit(f"export of {self.name} failed: {ending.stderr.decode()}")
        lines = [json.loads(line) for line in ending.stdout.splitlines()]
        return [line for line in lines if "record" in line]


class Team:
    def __init__(self, program, count, spare=0):
        self.program = str(pathlib.Path(program).resolve())
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dht-endure-"))
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SWIFT_BACKTRACE": "enable=no"}
        self.members = []
        self.dht("keygen", "--network", "-o", "team.network")
        ports = free_ports(count + spare)
        self.members = [Node(self, f"n{number}", port) for number, port in enumerate(ports)]
        lines = [f"{node.identity}  {node.name}" for node in self.members]
        (self.folder / "team.allow").write_text("\n".join(lines) + "\n")
        self.nodes = self.members[:count]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.members:
            if node.is_running:
                node.kill()
        shutil.rmtree(self.folder)

    def dht(self, *arguments, data=b""):
        return subprocess.run([self.program, *arguments], cwd=self.folder, input=data, capture_output=True,
                              env=self.environment)

    def start(self):
        for node in self.nodes:
            node.start([self.nodes[0]] if node is not self.nodes[0] else [])
        self.settle()

    def settle(self, patience=30):
        """Waits until everybody running knows everybody running; says whether that came to pass."""
        running = [node for node in self.nodes if node.is_running]
        end = time.monotonic() + patience
        for node in running:
            while node.status().get("peers", {}).get("up", -1) < len(running) - 1:
                if time.monotonic() > end:
                    return False
                time.sleep(0.2)
        return True

    def kill_all(self, nodes):
        """At one stroke."""
        for node in nodes:
            node.process.kill()
        for node in nodes:
            node.kill()

    def start_all(self, nodes):
        """With the contacts they remember, no peer named."""
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.await_ready()
        self.settle()

    def read_all(self, values, nodes, title):
        """Reads every value at some node by a command, eight at a time; what was right and how long it took."""
        return self.read_by(lambda node, key: node.get(key), values, nodes, title)

    def ask_all(self, values, nodes, title):
        """Reads every value at some node, one after the other and without a process each."""
        controls = {node.name: Control(node.socket) for node in nodes}
        return self.read_by(lambda node, key: controls[node.name].get(path_of(key)), values, nodes, title, 1)

    def read_by(self, get, values, nodes, title, at_once=8):
        def read(numbered):
            number, (key, value) = numbered
            start = time.monotonic()
            found = get(nodes[number % len(nodes)], key)
            return key, found == value, time.monotonic() - start
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            readings = list(pool.map(read, enumerate(sorted(values.items()))))
        right = sum(1 for _, is_right, _ in readings if is_right)
        waits = sorted(wait for _, _, wait in readings)
        print(f"{title}: {right} of {len(readings)} read ({100 * right / len(readings):.2f} %); "
              f"p50 {1000 * waits[len(waits) // 2]:.0f} ms, max {1000 * waits[-1]:.0f} ms", flush=True)
        return [f"{key} {title}" for key, is_right, _ in readings if not is_right]


def fill(team, count, chance):
    values = {}
    for number in range(count):
        value = chance.randbytes(chance.randint(0, 640))
        node = team.nodes[number % len(team.nodes)]
        ending = node.put(f"key/{number}", value)
        if ending.returncode != 0:
            raise SystemExit(f"put failed: {ending.stderr.decode()}")
        values[f"key/{number}"] = value
    return values


def fill_long(team, count, chance):
    """Values of 1, 2, 4, 8, 16, 1 … MiB."""
    values, start = {}, time.monotonic()
    for number in range(count):
        key, value = f"long/{number}", chance.randbytes(1 << 20 + number % 5)
        ending = team.nodes[number % len(team.nodes)].put(key, value)
        if ending.returncode != 0:
            raise SystemExit(f"put of {len(value)} bytes failed: {ending.stderr.decode()}")
        values[key] = value
    megabytes = sum(map(len, values.values())) / 1e6
    print(f"{count} long values, {megabytes:.0f} MB, put in {time.monotonic() - start:.0f} s", flush=True)
    return values


def bury(team, values, chance):
    """Deletes ten values and lets ten end; neither may come back."""
    gone = []
    for key in chance.sample(sorted(values), 10):
        number = int(key.split("/")[1])
        ending = team.nodes[number % len(team.nodes)].dht("del", key)
        if ending.returncode != 0:
            raise SystemExit(f"del failed: {ending.stderr.decode()}")
        del values[key]
        gone.append(key)
    for number in range(10):
        key = f"brief/{number}"
        team.nodes[number % len(team.nodes)].put(key, b"over soon", "--ttl", "5s")
        gone.append(key)
    time.sleep(6)
    return gone


def expect_gone(nodes, gone):
    returned = [key for number, key in enumerate(gone) if nodes[number % len(nodes)].get(key) is not None]
    print(f"deleted or expired: {len(gone) - len(returned)} of {len(gone)} stay gone", flush=True)
    return [f"{key} is back" for key in returned]
