"""Clients of a node's control socket that do not go on: the node's memory, and everybody else, must not suffer."""
import concurrent.futures
import socket
import time

from plenty import mebibytes, resident
from team import Team, path_of

MEMORY_LIMIT = 150 << 20
LENGTH = 16 << 20


class Slow:
    """Connections of clients that are slow; closed in the end."""

    def __init__(self, node):
        self.node, self.sockets = node, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def begin(self, words):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.node.socket))
        connection.sendall(words)
        self.sockets.append(connection)
        return connection

    def readers(self, keys, count):
        """They ask for a value and take nothing of it: half as it is, half as JSON."""
        for number in range(count):
            kind = "accept: application/octet-stream\r\n" if number % 2 else ""
            path = path_of(keys[number % len(keys)])
            self.begin(f"GET {path} HTTP/1.1\r\nhost: dht\r\n{kind}\r\n".encode())

    def writers(self, count, chance):
        """They send a value but for its last bytes."""
        value = chance.randbytes(LENGTH - 1000)
        for number in range(count):
            head = f"PUT {path_of(f'unfinished/{number}')} HTTP/1.1\r\nhost: dht\r\ncontent-length: {LENGTH}\r\n\r\n"
            self.begin(head.encode()).settimeout(0.2)
        for connection in self.sockets[-count:]:
            try:
                connection.sendall(value)
            except OSError:
                pass  # the node reads no further, or closed it

    def close_soon(self, patience):
        """Whether the node closes them all."""
        end = time.monotonic() + patience
        for connection in self.sockets:
            try:
                while True:
                    connection.settimeout(max(end - time.monotonic(), 0.01))
                    if not connection.recv(1 << 16):
                        break
            except socket.timeout:
                return False
            except OSError:
                pass
        return True


class Watch:
    """What a node's memory grows to while something happens."""

    def __init__(self, node, idle, broken):
        self.node, self.idle, self.broken = node, idle, broken

    def during(self, title, act):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            work, most = pool.submit(act), 0
            while not work.done():
                most = max(most, resident(self.node)[0])
                time.sleep(0.02)
            result = work.result()
        print(f"{title}: {mebibytes(most - self.idle)} above idle", flush=True)
        if most - self.idle > MEMORY_LIMIT:
            self.broken.append(f"{title}: the node's memory grew by {mebibytes(most - self.idle)}")
        return result


def ordinary(node, title, value, broken):
    """What an ordinary client does meanwhile."""
    start = time.monotonic()
    for key, bytes_ in ((f"ordinary/{title}", b"short"), (f"ordinary long/{title}", value)):
        ending = node.put(key, bytes_)
        if ending.returncode != 0:
            broken.append(f"{title}: put of {len(bytes_)} bytes: {ending.stderr.decode().strip()}")
        elif node.get(key) != bytes_:
            broken.append(f"{title}: {key} is not read back")
    print(f"{title}: an ordinary client's two puts and gets took {time.monotonic() - start:.1f} s", flush=True)


def slow_clients(options, chance):
    """Local clients that do not read what they asked for, or do not send what they began, and many long reads."""
    broken = []
    with Team(options.dht, options.nodes) as team:
        team.start()
        keys = [f"large/{number}" for number in range(4)]
        values = {key: chance.randbytes(LENGTH) for key in keys}
        for key, value in values.items():
            ending = team.nodes[0].put(key, value)
            if ending.returncode != 0:
                raise SystemExit(f"put failed: {ending.stderr.decode()}")
        # One that is not to have them, and one that has them all, if there is.
        def held(node):
            return node.status()["records"]["count"]
        node = min(team.nodes[1:], key=held)
        print(f"the node has {held(node)} of {len(keys)} long values", flush=True)
        node.kill()
        node.start([team.nodes[0]])
        team.settle()
        ordinary(node, "before", chance.randbytes(1 << 20), broken)
        watch = Watch(node, resident(node)[0], broken)

        def gets(count):
            def get(number):
                key = keys[number % len(keys)]
                return node.dht("get", key, "--timeout", "300s").stdout == values[key]
            with concurrent.futures.ThreadPoolExecutor(count) as pool:
                wrong = sum(not right for right in pool.map(get, range(count)))
            if wrong:
                broken.append(f"{wrong} of {count} reads were not right")

        def readers(slow):
            slow.readers(keys, options.readers)
            time.sleep(10)
            ordinary(node, "readers", chance.randbytes(1 << 20), broken)

        def writers(slow):
            slow.writers(options.writers, chance)
            ordinary(node, "writers", chance.randbytes(1 << 20), broken)

        with Slow(node) as slow:
            watch.during(f"{options.readers} that do not read", lambda: readers(slow))
        with Slow(node) as slow:
            watch.during(f"{options.writers} that do not end", lambda: writers(slow))
        watch.during(f"{options.gets} reads of 16 MiB", lambda: gets(options.gets))

        def together():
            slow.readers(keys, options.readers)
            slow.writers(options.writers, chance)
            gets(options.gets)
            ordinary(node, "together", chance.randbytes(1 << 20), broken)
        with Slow(node) as slow:
            watch.during("all together", together)
            if not slow.close_soon(90):
                broken.append("a client that does not go on was not cut off")
        ordinary(node, "after", chance.randbytes(1 << 20), broken)
        print(f"after: {mebibytes(resident(node)[0] - watch.idle)} above idle", flush=True)
        if node.stop() != 0:
            broken.append("the node did not stop well")
    return broken
