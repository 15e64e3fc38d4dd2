#!/usr/bin/env python3
"""Real nodes, real disks, and `kill -9`: what was acknowledged must be there afterwards.

    endure.py --dht .build/release/dht crowd [--nodes 24] [--values 300]
    endure.py --dht .build/release/dht replace [--nodes 24] [--values 300]
    endure.py --dht .build/release/dht kills [--kills 500]

Every scenario makes its own keys and directories, prints what it saw, and ends 1 if a promise was broken.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


def free_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    def __init__(self, team, name, port):
        self.team, self.name, self.port = team, name, port
        self.folder = team.folder
        self.socket = self.folder / f"{name}.sock"
        self.process = None
        self.identity = team.dht("keygen", "-o", f"{name}.key").stdout.decode().strip()

    @property
    def uri(self):
        return f"dht://{self.identity}@127.0.0.1:{self.port}"

    def start(self, peers=(), wait=True):
        arguments = [self.team.program, "node", "--key", f"{self.name}.key", "--allow", "team.allow",
                     "--network", "team.network", "--listen", f"127.0.0.1:{self.port}",
                     "--data", f"{self.name}.data", "--socket", str(self.socket), "--quiet"]
        for peer in peers:
            arguments += ["--peer", peer.uri]
        self.log = open(self.folder / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(arguments, cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log)
        if wait:
            self.await_ready()

    def await_ready(self):
        line = self.process.stdout.readline()
        if not line.startswith(b"READY"):
            said = (self.folder / f"{self.name}.log").read_text()
            raise SystemExit(f"{self.name} did not start: {line!r} {said}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.log.close()
        return status

    def dht(self, *arguments, data=b""):
        return self.team.dht(*arguments, "--socket", str(self.socket), data=data)

    def put(self, key, value, *options):
        return self.dht("put", key, "-", *options, data=value)

    def get(self, key):
        """The value's bytes; `None` if it was not found, or the node did not answer."""
        ending = self.dht("get", key)
        return ending.stdout if ending.returncode == 0 else None


class Team:
    def __init__(self, program, count, spare=0):
        self.program = str(pathlib.Path(program).resolve())
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dht-endure-"))
        self.dht("keygen", "--network", "-o", "team.network")
        ports = free_ports(count + spare)
        self.members = [Node(self, f"n{number}", port) for number, port in enumerate(ports)]
        lines = [f"{node.identity}  {node.name}" for node in self.members]
        (self.folder / "team.allow").write_text("\n".join(lines) + "\n")
        self.nodes = self.members[:count]

    def dht(self, *arguments, data=b""):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SWIFT_BACKTRACE": "enable=no"}
        return subprocess.run([self.program, *arguments], cwd=self.folder, input=data, capture_output=True,
                              env=environment)

    def start(self):
        for node in self.nodes:
            node.start([self.nodes[0]] if node is not self.nodes[0] else [])
        self.settle()

    def settle(self, patience=30):
        """Waits until everybody running knows everybody running."""
        running = [node for node in self.nodes if node.process and node.process.poll() is None]
        end = time.monotonic() + patience
        for node in running:
            while time.monotonic() < end:
                status = json.loads(node.dht("status", "--json").stdout or b"{}")
                if status.get("peers", {}).get("up", -1) >= len(running) - 1:
                    break
                time.sleep(0.2)

    def read_all(self, values, nodes, title):
        """Reads every value at some node, eight at a time; what was right and how long it took."""
        def read(numbered):
            number, (key, value) = numbered
            start = time.monotonic()
            found = nodes[number % len(nodes)].get(key)
            return key, found == value, time.monotonic() - start
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            readings = list(pool.map(read, enumerate(sorted(values.items()))))
        right = sum(1 for _, is_right, _ in readings if is_right)
        waits = sorted(wait for _, _, wait in readings)
        print(f"{title}: {right} of {len(readings)} read ({100 * right / len(readings):.2f} %); "
              f"command p50 {1000 * waits[len(waits) // 2]:.0f} ms, max {1000 * waits[-1]:.0f} ms", flush=True)
        return [key for key, is_right, _ in readings if not is_right]

    def end(self):
        for node in self.members:
            if node.process and node.process.poll() is None:
                node.kill()
        shutil.rmtree(self.folder)


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
    return returned


def crowd(options, chance):
    """Half of the nodes killed at once; their restart; all killed and started again."""
    team = Team(options.dht, options.nodes)
    broken = []
    try:
        team.start()
        values = fill(team, options.values, chance)
        gone = bury(team, values, chance)
        broken += team.read_all(values, team.nodes, "all alive")
        victims = chance.sample(team.nodes, options.nodes // 2)
        for node in victims:
            node.process.kill()
        for node in victims:
            node.kill()
        alive = [node for node in team.nodes if node not in victims]
        missing = team.read_all(values, alive, "half killed, at once")
        if len(missing) > 0.015 * len(values):
            broken += missing
        for node in victims:
            node.start(wait=False)
        for node in victims:
            node.await_ready()
        team.settle()
        broken += team.read_all(values, team.nodes, "after their restart, no peer named")
        for node in team.nodes:
            node.process.kill()
        for node in team.nodes:
            node.kill()
        for node in team.nodes:
            node.start(wait=False)
        for node in team.nodes:
            node.await_ready()
        team.settle()
        broken += team.read_all(values, team.nodes, "all killed and started again, no peer named")
        broken += expect_gone(team.nodes, gone)
    finally:
        team.end()
    return broken


def replace(options, chance):
    """All nodes replaced by new machines, one by one, through graceful leave."""
    team = Team(options.dht, options.nodes, spare=options.nodes)
    broken = []
    try:
        team.start()
        values = fill(team, options.values, chance)
        gone = bury(team, values, chance)
        newcomers = team.members[options.nodes:]
        for old, new in zip(list(team.nodes), newcomers):
            new.start([node for node in team.nodes if node is not old][:2])
            team.nodes = [node for node in team.nodes if node is not old] + [new]
            time.sleep(options.pause)
            if old.stop() != 0:
                broken.append(f"{old.name} did not stop well")
        team.settle()
        broken += team.read_all(values, team.nodes, "all replaced one by one")
        broken += expect_gone(team.nodes, gone)
    finally:
        team.end()
    return broken


class Writer(threading.Thread):
    """Writes on and on through nodes that may die under it, and remembers what was acknowledged."""

    def __init__(self, team, number, seed):
        super().__init__(daemon=True)
        self.team, self.number, self.chance = team, number, random.Random(seed)
        self.acknowledged, self.attempted, self.is_over = {}, {}, False

    def run(self):
        turn = 0
        while not self.is_over:
            turn += 1
            key = f"w{self.number}/{turn % 200}"
            value = f"{turn} ".encode() * self.chance.randint(1, 100)
            value = value[:640]
            self.attempted[key] = value
            if self.team.nodes[self.number].put(key, value).returncode == 0:
                self.acknowledged[key] = value
                self.attempted.pop(key)


def kills(options, chance):
    """`kill -9` over and over, at random moments, while every node writes: three nodes, all on disk."""
    team = Team(options.dht, 3)
    broken = []
    try:
        team.start()
        writers = [Writer(team, number, chance.random()) for number in range(3)]
        for writer in writers:
            writer.start()
        for number in range(options.kills):
            time.sleep(chance.uniform(0.02, 0.4))
            node = chance.choice(team.nodes)
            node.kill()
            node.start()
            if (number + 1) % 50 == 0:
                print(f"{number + 1} kills, {sum(len(w.acknowledged) for w in writers)} keys acknowledged", flush=True)
        for writer in writers:
            writer.is_over = True
        for writer in writers:
            writer.join()
        team.settle()
        lost = 0
        for writer in writers:
            for key, value in writer.acknowledged.items():
                # A later write that was not acknowledged may have come through all the same.
                fitting = [value] + ([writer.attempted[key]] if key in writer.attempted else [])
                for node in team.nodes:
                    if node.get(key) not in fitting:
                        lost += 1
                        broken.append(f"{key} at {node.name}")
        total = sum(len(writer.acknowledged) for writer in writers)
        print(f"{total} acknowledged keys read at each of 3 nodes: {lost} wrong", flush=True)
        for node in team.nodes:
            if node.stop() != 0:
                broken.append(f"{node.name} did not stop well")
            ending = team.dht("store", "check", f"{node.name}.data", "--network", "team.network")
            print(f"{node.name}: {ending.stdout.decode().splitlines()[0] if ending.stdout else ending.stderr.decode()}")
            if ending.returncode != 0:
                broken.append(f"the store of {node.name} is damaged")
    finally:
        team.end()
    return broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dht", default=".build/release/dht")
    parser.add_argument("--seed", type=int, default=None)
    scenarios = parser.add_subparsers(required=True)
    for scenario in (crowd, replace, kills):
        command = scenarios.add_parser(scenario.__name__, help=scenario.__doc__)
        command.set_defaults(run=scenario)
        command.add_argument("--nodes", type=int, default=24)
        command.add_argument("--values", type=int, default=300)
        command.add_argument("--kills", type=int, default=500)
        command.add_argument("--pause", type=float, default=1.0, help="seconds between a newcomer and the next leave")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    broken = options.run(options, random.Random(seed))
    for complaint in broken[:20]:
        print(f"BROKEN: {complaint}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
