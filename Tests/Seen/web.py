"""A node of this machine, alone, that serves HTTP: `docs/http.md`."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent.parent
DHT = str(Path(os.environ.get("DHT") or ROOT / ".build/debug/dht").resolve())
# How long anything may take, in seconds: a bound, not a pause.
WITHIN = 60


class WebNode:
    def __init__(self, *options: str, serves_values: bool = True) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="dht-web-")
        self.path = Path(self.folder.name)
        self.token = secrets.token_urlsafe(32)
        self.write("token", self.token + "\n")
        self.write("list", self.dht("keygen", "-q", "-o", "node.key"))
        self.dht("keygen", "-q", "--network", "-o", "net.network")
        words = [DHT, "node", "--key", "node.key", "--allow", "list", "--network", "net.network",
                 "--listen", "127.0.0.1:0", "--ephemeral", "--socket", "./dht.sock"]
        if "--http" not in options:
            words += ["--http", "127.0.0.1:0"]
        if serves_values:
            words += ["--http-token", "token"]
        self.process = subprocess.Popen(words + list(options), cwd=self.path, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = ""
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if line.startswith("http at "):
                self.url = line.split()[-1]
                break
        if not self.url:
            raise AssertionError(f"the node did not start: {''.join(self.log)}")
        # Nobody shall wait for a reader of the log.
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.port = int(self.url.rsplit(":", 1)[1])

    def write(self, name: str, text: str, mode: int = 0o600) -> None:
        with open(os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)

    def dht(self, *words: str) -> str:
        done = subprocess.run([DHT, *words], cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=WITHIN)
        if done.returncode != 0:
            raise AssertionError(f"dht {' '.join(words)}: {done.stderr}")
        return done.stdout

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=WITHIN)
        self.reader.join(timeout=WITHIN)
        self.process.stderr.close()
        self.folder.cleanup()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, body: Optional[bytes] = None, **headers: str) -> Answer:
        """With the token. Names of headers have `_` for `-`."""
        return self.ask_plainly(method, path, body, **self.bearer, **headers)

    def ask_plainly(self, method: str, path: str, body: Optional[bytes] = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN)

    def exchange(self, *bytes_sent: bytes) -> bytes:
        """All that comes on one connection, until the node closes it."""
        with self.connect() as connection:
            for piece in bytes_sent:
                connection.sendall(piece)
            return read_all(connection)

    def memory(self, field: str) -> int:
        """Of the process, in bytes: `VmRSS` or `VmHWM`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(field))


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes; a connection cut off ends it too."""
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionError:
        pass
    return answer
