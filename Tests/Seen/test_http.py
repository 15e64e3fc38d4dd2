"""Values and health over TCP, as `docs/http.md` tells it: its commands are run as they stand there."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import web
from web import ROOT, WITHIN, WebNode

TEXT = (ROOT / "docs/http.md").read_text()


class Values(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = WebNode("--http-host", "Node.Example")

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()

    def problem(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        problem = json.loads(answer.body)
        self.assertEqual((problem["status"], problem["code"]), (status, code))
        self.assertTrue(problem["title"] and problem["detail"] and problem["type"])
        return problem

    def test_a_value_is_written_read_and_deleted(self):
        written = self.node.ask("PUT", "/v1/kv/a%2Fb?ttl=10m", b"hello", )
        self.assertEqual(written.status, 200, written.body)
        reply = json.loads(written.body)
        self.assertEqual(reply["key"], "a/b")
        self.assertEqual(written.headers["ETag"], f'"{reply["revision_text"]}"')
        read = self.node.ask("GET", "/v1/kv/a/b")
        self.assertEqual((read.status, read.body), (200, b"hello"))
        self.assertEqual(read.headers["ETag"], written.headers["ETag"])
        self.assertEqual(read.headers["Cache-Control"], "no-store")
        self.assertEqual(read.headers["X-Content-Type-Options"], "nosniff")
        self.assertFalse([name for name in read.headers if name.lower().startswith("access-control")])
        head = self.node.ask("HEAD", "/v1/kv/a/b")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", "5"))
        self.assertEqual(self.node.ask("DELETE", "/v1/kv/a/b").status, 200)
        self.problem(self.node.ask("GET", "/v1/kv/a/b"), 404, "notFound")

    def test_any_bytes_are_a_key(self):
        self.assertEqual(self.node.ask("PUT", "/v1/kv/%00%FF", b"1").status, 200)
        self.assertEqual(self.node.ask("GET", "/v1/kv?key=AP8").body, b"1")
        for path in ["/v1/kv", "/v1/kv/", "/v1/kv/%", "/v1/kv/" + "k" * 129, "/v1/kv?key=a+", "/v1/kv/a?key=YQ",
                     "/v1/kv/a?tll=1"]:
            self.problem(self.node.ask("GET", path), 400, "invalidArgument")

    def test_conditions_hold_or_nothing_happens(self):
        first = self.node.ask("PUT", "/v1/kv/c", b"1", If_None_Match="*")
        self.assertEqual(first.status, 200)
        self.problem(self.node.ask("PUT", "/v1/kv/c", b"2", If_None_Match="*"), 412, "conflict")
        second = self.node.ask("PUT", "/v1/kv/c", b"2", If_Match=first.headers["ETag"])
        self.assertEqual(second.status, 200)
        self.problem(self.node.ask("PUT", "/v1/kv/c", b"3", If_Match=first.headers["ETag"]), 412, "conflict")
        self.problem(self.node.ask("PUT", "/v1/kv/c", b"3", If_Match='"soup"'), 412, "conflict")
        self.problem(self.node.ask("PUT", "/v1/kv/c", b"3", If_Match="*"), 400, "invalidArgument")
        self.problem(self.node.ask("PUT", "/v1/kv/c", b"3", If_Match="7"), 400, "invalidArgument")
        self.problem(self.node.ask("DELETE", "/v1/kv/c", If_Match=second.headers["ETag"]), 400, "invalidArgument")
        unchanged = self.node.ask("GET", "/v1/kv/c", If_None_Match=second.headers["ETag"])
        self.assertEqual((unchanged.status, unchanged.body), (304, b""))
        changed = self.node.ask("GET", "/v1/kv/c", If_None_Match=first.headers["ETag"])
        self.assertEqual((changed.status, changed.body), (200, b"2"))
        self.problem(self.node.ask("GET", "/v1/kv/c", If_Match=first.headers["ETag"]), 412, "conflict")

    def test_parts_of_a_long_value(self):
        value = os.urandom(2_000_000)
        written = self.node.ask("PUT", "/v1/kv/long", value)
        self.assertEqual(written.status, 200, written.body)
        for header, part in [("bytes=0-0", slice(0, 1)), ("bytes=262143-786433", slice(262143, 786434)),
                             ("bytes=1999990-", slice(1999990, None)), ("bytes=-5", slice(-5, None))]:
            read = self.node.ask("GET", "/v1/kv/long", Range=header)
            self.assertEqual(read.status, 206)
            self.assertTrue(read.body == value[part], header)
            start, stop, _ = part.indices(len(value))
            self.assertEqual(read.headers["Content-Range"], f"bytes {start}-{stop - 1}/{len(value)}")
        whole = self.node.ask("GET", "/v1/kv/long", Range="bytes=0-0", If_Range='"1"')
        self.assertTrue((whole.status, whole.body) == (200, value))
        beyond = self.node.ask("GET", "/v1/kv/long", Range="bytes=2000000-")
        self.problem(beyond, 416, "invalidArgument")
        self.assertEqual(beyond.headers["Content-Range"], "bytes */2000000")

    def test_too_much_is_refused_before_it_is_sent(self):
        answer = self.node.exchange(
            f"PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.node.token}\r\n"
            f"Content-Length: {(16 << 20) + 1}\r\n\r\n".encode())
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertIn(b"connection: close", answer.lower())

    def test_who_waits_for_leave_to_send_gets_it_with_the_token_alone(self):
        head = ("PUT /v1/kv/e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
                "Connection: close\r\n")
        self.assertTrue(self.node.exchange((head + "\r\n").encode()).startswith(b"HTTP/1.1 401 "))
        with self.node.connect() as connection:
            connection.sendall((head + f"Authorization: Bearer {self.node.token}\r\n\r\n").encode())
            self.assertTrue(connection.recv(25).startswith(b"HTTP/1.1 100 "))
            connection.sendall(b"ok")
            self.assertIn(b"HTTP/1.1 200 ", web.read_all(connection))

    def test_what_is_not_there_or_not_meant_is_a_problem(self):
        for path in ["/v1/status", "/v1/kvs", "//", "/healthz/"]:
            self.problem(self.node.ask("GET", path), 404, "notFound")
        for method, path in [("POST", "/v1/kv/a"), ("OPTIONS", "/v1/kv/a"), ("TRACE", "/healthz"), ("PUT", "/healthz")]:
            answer = self.node.ask(method, path)
            self.problem(answer, 405, "invalidArgument")
            self.assertIn("GET, HEAD", answer.headers["Allow"])
        self.problem(self.node.ask("PUT", "/v1/kv/a?ttl=soon", b""), 400, "invalidArgument")
        self.problem(self.node.ask("PUT", "/v1/kv/a?min-copies=9", b""), 400, "invalidArgument")
        self.problem(self.node.ask("PUT", "/v1/kv/a?min-copies=8", b""), 504, "partial")
        self.problem(self.node.ask("GET", "/v1/kv/" + "a" * 5000), 414, "invalidArgument")

    def test_health_needs_no_token(self):
        self.assertEqual(self.node.ask_plainly("GET", "/healthz").body, b"ok\n")
        ready = self.node.ask_plainly("GET", "/readyz")
        self.assertEqual((ready.status, json.loads(ready.body)), (200, {"ok": True, "reasons": []}))

    def test_only_its_own_names_and_pages_ask(self):
        for host in ["localhost", f"127.0.0.1:{self.node.port}", "node.example", "[::1]:1"]:
            self.assertEqual(self.node.ask_plainly("GET", "/healthz", Host=host).status, 200, host)
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1"]:
            self.problem(self.node.ask("GET", "/healthz", Host=host), 421, "denied")
            self.problem(self.node.ask("PUT", "/v1/kv/a", b"x", Host=host), 421, "denied")
        own = f"http://127.0.0.1:{self.node.port}"
        self.assertEqual(self.node.ask("GET", "/healthz", Origin=own).status, 200)
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"]:
            self.problem(self.node.ask("PUT", "/v1/kv/a", b"x", Origin=origin), 403, "denied")

    def test_the_token_and_nothing_else_opens_values(self):
        for header in ["", "Bearer", "Bearer ", "Bearer x", f"Basic {self.node.token}", self.node.token,
                       f"Bearer {self.node.token}x", f"Bearer {self.node.token[:-1]}", f"Bearer  {self.node.token}"]:
            for method in ["GET", "PUT", "DELETE"]:
                answer = self.node.ask_plainly(method, "/v1/kv/a", b"x", Authorization=header)
                self.problem(answer, 401, "denied")
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(self.node.ask_plainly("GET", "/v1/kv/none", Authorization=f"bearer {self.node.token}").status, 404)
        self.assertNotIn(self.node.token, "".join(self.node.log))


class Settings(unittest.TestCase):
    def test_without_a_token_there_are_no_values(self):
        node = WebNode(serves_values=False)
        try:
            answer = node.ask("GET", "/v1/kv/a")
            self.assertEqual(answer.status, 403)
            self.assertIn("--http-token", json.loads(answer.body)["detail"])
        finally:
            node.stop()

    def test_what_cannot_be_is_refused_at_the_start(self):
        node = WebNode()
        try:
            taken = f"127.0.0.1:{node.port}"
            node.write("open", node.token, 0o644)
            node.write("short", "a" * 31)
            for options, status, said in [
                (["--http", "nonsense"], 2, "HOST:PORT"), (["--http", taken], 9, "cannot be opened"),
                (["--http", "127.0.0.1:0", "--http-token", "open"], 5, "chmod 600"),
                (["--http", "127.0.0.1:0", "--http-token", "short"], 9, "31 bytes"),
                (["--http", "127.0.0.1:0", "--http-token", "none"], 9, "no such file"),
                (["--http-token", "token"], 9, "--http"),
            ]:
                done = subprocess.run(
                    [web.DHT, "node", "--key", "node.key", "--allow", "list", "--network", "net.network",
                     "--listen", "127.0.0.1:0", "--ephemeral", "--socket", "./other.sock", *options],
                    cwd=node.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(said, done.stderr)
                self.assertFalse((node.path / "other.sock").exists())
        finally:
            node.stop()


class Document(unittest.TestCase):
    """What docs/http.md shows happens."""

    def test_every_command_and_the_client(self):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.M | re.S)
        node = WebNode()
        try:
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "photo.jpg").write_bytes(os.urandom(100_000))
                known = dict(os.environ, URL=node.url, TOKEN=node.token, PATH=os.environ["PATH"])
                ran = 0
                for language, block in blocks:
                    if language == "python":
                        Path(folder, "client.py").write_text(block)
                        self.assertLessEqual(len(block.splitlines()), 22)
                        done = subprocess.run(["python3", "client.py"], cwd=folder, env=known, text=True,
                                              capture_output=True, timeout=WITHIN)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        self.assertIn("blue", done.stdout)
                        ran += 1
                    for command in re.findall(r"^\$ (curl .*)", block, re.M) if language == "console" else []:
                        expected = block.split(f"$ {command}\n", 1)[1].split("\n$ ", 1)[0].strip()
                        done = subprocess.run(["bash", "-c", command], cwd=folder, env=known, text=True,
                                              capture_output=True, timeout=WITHIN)
                        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
                        pattern = re.escape(expected).replace("…", ".*")
                        self.assertRegex(done.stdout.strip(), f"^{pattern}$", command)
                        ran += 1
                self.assertGreater(ran, 9)
        finally:
            node.stop()


if __name__ == "__main__":
    unittest.main()
