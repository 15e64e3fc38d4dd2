#!/usr/bin/python3
"""Metrics as Prometheus sees them: three real nodes, `promtool`, and a real `prometheus` that scrapes them.

What is not installed is skipped, and says so.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable, Optional

sys.dont_write_bytecode = True

from web import DHT, ROOT

RULES = ROOT / "Packaging/prometheus/dht.rules.yml"
RULES_TEST = ROOT / "Packaging/prometheus/dht.rules.test.yml"
DASHBOARD = ROOT / "Packaging/grafana/dht.json"

COUNT = 3
PATIENCE = 60
PR_SET_PDEATHSIG = 1
METRIC = re.compile(r"\b(?:dht|process)_[a-z_]+")
# Words of alerts and variables that look like names of metrics.
SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


def setUpModule() -> None:
    reason = None
    if not os.access(DHT, os.X_OK):
        reason = f"there is no {DHT}: build it first"
    elif not shutil.which("promtool"):
        reason = "there is no promtool: apt-get install prometheus"
    if reason:
        print(f"Tests/Seen: skipped: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)


def wait(what: str, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            raise AssertionError(f"after {patience:.0f} s still not: {what}")
        time.sleep(0.1)


def dies_with_us() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("dht", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Node:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.socket = str(folder / f"{name}.sock")
        self.log, self.out = folder / f"{name}.log", folder / f"{name}.out"
        self.process: Optional[subprocess.Popen[bytes]] = None
        run(DHT, "keygen", "-o", self.key)
        self.identity = json.loads(run(DHT, "--json", "id", self.key).stdout)["id"]

    @property
    def key(self) -> str:
        return str(self.folder / f"{self.name}.key")

    def start(self, *flags: str) -> None:
        words = [DHT, "node", "--key", self.key, "--allow", str(self.folder / "members.allow")]
        words += ["--network", str(self.folder / "net.key"), "--listen", "127.0.0.1:0"]
        words += ["--socket", self.socket, "--data", str(self.folder / f"{self.name}.data"), *flags]
        with open(self.log, "wb") as log, open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=log, preexec_fn=dies_with_us
            )
        wait(f"{self.name} is ready: {self.log}", self.is_ready)

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: {self.log.read_text()}")
        return "READY" in self.out.read_text()

    @property
    def address(self) -> str:
        return next(x for x in self.out.read_text().splitlines() if x.startswith("READY")).split()[1]

    @property
    def web(self) -> str:
        """Where it serves HTTP."""
        return re.search(r"^http at http://(\S+)$", self.log.read_text(), re.M)[1]

    def ask(self, *words: str, check: bool = True) -> Any:
        done = run(DHT, "-s", self.socket, "--json", *words, check=check)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def metrics(self) -> tuple[str, str]:
        """The text, by the control socket, and its media type."""
        connection = Local(self.socket)
        try:
            connection.request("GET", "/v1/metrics")
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return answer.read().decode(), answer.headers["content-type"]
        finally:
            connection.close()

    def value(self, series: str) -> float:
        for line in self.metrics()[0].splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"{self.name} has no {series}")


class Overlay:
    """Three nodes on one list that know each other."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dht-seen-"))
        run(DHT, "keygen", "--network", "-o", str(self.folder / "net.key"))
        self.nodes = [Node(self.folder, f"node{index}") for index in range(COUNT)]
        lines = "".join(f"{node.identity} {node.name}\n" for node in self.nodes)
        (self.folder / "members.allow").write_text(lines)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        for node in self.nodes:
            flags = [] if node is self.nodes[0] else ["--peer", self.nodes[0].address]
            node.start(*flags, "--http", "127.0.0.1:0")
        for node in self.nodes:
            wait(f"{node.name} knows all", lambda: node.ask("status")["peers"]["up"] == COUNT - 1)

    def scrape_addresses(self) -> list[str]:
        """Where each node serves /metrics, as HOST:PORT."""
        return [node.web for node in self.nodes]

    def close(self) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.process.kill()
                node.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def sources_of_names() -> dict[str, set[str]]:
    """Names of metrics that rules and dashboard use, by file."""
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [x["expr"] for panel in dashboard["panels"] for x in panel.get("targets", [])]
    expressions += [str(x["query"]) for x in dashboard["templating"]["list"]]
    # Without the values of labels.
    rules = re.sub(r"(?m)^\s*(?:summary|description):.*$", "", RULES.read_text())
    found = {}
    for file, text in ((DASHBOARD.name, "\n".join(expressions)), (RULES.name, rules)):
        names = set(METRIC.findall(re.sub(r'="[^"]*"', "", text)))
        assert len(names) > 10, f"{file}: {names}"
        found[file] = names
    return found


class TextTest(unittest.TestCase):
    """The text of the control socket."""

    overlay: Overlay

    @classmethod
    def setUpClass(cls) -> None:
        cls.overlay = Overlay()
        first, second = cls.overlay.nodes[:2]
        first.ask("put", "key", "value")
        second.ask("get", "key")
        # Samples are taken once a second, the first of them after one.
        for node in cls.overlay.nodes:
            wait(f"{node.name} is sampled", lambda: "\ndht_peers{" in node.metrics()[0])
        wait("a sample is taken", lambda: second.value('dht_peers{state="good"}') == COUNT - 1)
        wait("the record is seen", lambda: first.value("dht_store_records") >= 1)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.overlay.close()

    def test_promtool_finds_nothing_to_mend(self) -> None:
        for node in self.overlay.nodes:
            text, media_type = node.metrics()
            self.assertTrue(media_type.startswith("text/plain; version=0.0.4"), media_type)
            done = run("promtool", "check", "metrics", stdin=text, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_every_metric_is_explained(self) -> None:
        text, _ = self.overlay.nodes[0].metrics()
        unexplained = [x for x in text.splitlines() if x.startswith("# HELP") and "Not a metric" in x]
        self.assertEqual(unexplained, [])

    def test_what_happened_is_in_the_figures(self) -> None:
        first, second, _ = self.overlay.nodes
        self.assertGreaterEqual(
            first.value('dht_operation_duration_seconds_count{operation="put",outcome="done"}'), 1
        )
        self.assertGreaterEqual(
            second.value('dht_operation_duration_seconds_count{operation="get",outcome="done"}'), 1
        )
        stores = 'dht_rpc_duration_seconds_count{operation="store",outcome="answered"}'
        self.assertGreaterEqual(first.value(stores), 1)
        wait("the request is counted", lambda: second.value('dht_rpc_inbound_total{operation="store"}') >= 1)
        self.assertGreaterEqual(first.value("dht_disk_commit_duration_seconds_count"), 1)
        self.assertEqual(first.value('dht_health{kind="isolated"}'), 1)
        self.assertGreater(first.value("process_resident_memory_bytes"), 1e6)
        self.assertGreater(first.value("process_start_time_seconds"), 1e9)

    def test_rejected_datagrams_are_counted(self) -> None:
        node = self.overlay.nodes[2]
        series = 'dht_datagrams_rejected_total{reason="length"}'
        before = node.value(series)
        host, port = node.address.rsplit("@", 1)[1].rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"junk", (host, int(port)))
        wait("the datagram is counted", lambda: node.value(series) == before + 1)

    def test_dashboard_and_rules_use_metrics_that_are_there(self) -> None:
        texts = [node.metrics()[0] for node in self.overlay.nodes]
        there = set(re.findall(r"(?m)^# TYPE (\S+)", "\n".join(texts)))
        # Only nodes that something happened to have this one.
        there.add("dht_send_errors_total")
        for file, names in sources_of_names().items():
            missing = {name for name in names if name not in there and SUFFIX.sub("", name) not in there}
            self.assertEqual(missing, set(), f"{file} names metrics that no node has")

    def test_metrics_are_documented(self) -> None:
        text, _ = self.overlay.nodes[0].metrics()
        documents = (ROOT / "docs/operations.md").read_text()
        names = set(re.findall(r"(?m)^# TYPE (\S+)", text))
        self.assertGreater(len(names), 40)
        missing = {name for name in names if f"`{name}" not in documents}
        self.assertEqual(missing, set(), "docs/operations.md does not name these")


class RulesTest(unittest.TestCase):
    """The files for Prometheus and Grafana."""

    def test_rules_are_such(self) -> None:
        self.assertIn("SUCCESS", run("promtool", "check", "rules", str(RULES)).stdout)

    def test_rules_fire_when_they_ought_to(self) -> None:
        self.assertIn("SUCCESS", run("promtool", "test", "rules", str(RULES_TEST)).stdout)

    def test_panels_of_the_dashboard_do_not_overlap(self) -> None:
        panels = json.loads(DASHBOARD.read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            own = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(own & cells, panel["title"])
            cells |= own


class ScrapeTest(unittest.TestCase):
    """A real Prometheus that scrapes three nodes."""

    overlay: Overlay
    process: subprocess.Popen[bytes]
    server: str

    @classmethod
    def setUpClass(cls) -> None:
        if not shutil.which("prometheus"):
            reason = "there is no prometheus: apt-get install prometheus"
            print(f"Tests/Seen: scraping is skipped: {reason}", file=sys.stderr)
            raise unittest.SkipTest(reason)
        cls.overlay = Overlay()
        cls.addClassCleanup(cls.overlay.close)
        cls.server = f"127.0.0.1:{free_port()}"
        folder = cls.overlay.folder
        targets = ", ".join(f'"{address}"' for address in cls.overlay.scrape_addresses())
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{RULES}]\n"
            "scrape_configs:\n"
            f"  - {{job_name: dht, static_configs: [{{targets: [{targets}]}}]}}\n"
        )
        run("promtool", "check", "config", str(folder / "prometheus.yml"))
        with open(folder / "prometheus.log", "wb") as log:
            cls.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/tsdb",
                    f"--web.listen-address={cls.server}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_us,
            )
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.kill)
        wait(f"prometheus answers: {folder}/prometheus.log", cls.is_ready)

    @classmethod
    def is_ready(cls) -> bool:
        if cls.process.poll() is not None:
            raise AssertionError((cls.overlay.folder / "prometheus.log").read_text())
        try:
            with urllib.request.urlopen(f"http://{cls.server}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        url = f"http://{self.server}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def count(self, expression: str) -> int:
        return len(self.ask("query", query=expression)["result"])

    def test_all_targets_are_up(self) -> None:
        wait("three targets are up", lambda: self.count('up{job="dht"} == 1') == COUNT)
        targets = self.ask("targets")["activeTargets"]
        self.assertEqual([x["lastError"] for x in targets], [""] * COUNT)

    def test_metrics_arrive(self) -> None:
        wait("peers are seen", lambda: self.count(f'dht_peers{{state="good"}} == {COUNT - 1}') == COUNT)
        self.overlay.nodes[0].ask("put", "scraped", "value")
        done = 'dht_operation_duration_seconds_count{operation="put",outcome="done"}'
        wait("the put is seen", lambda: self.count(f"{done} >= 1") == 1)
        for name in ("dht_store_records", "dht_event_loop_lag_seconds_bucket", "process_open_fds"):
            self.assertGreaterEqual(self.count(name), COUNT, name)
        requests = 'sum by (instance) (dht_rpc_duration_seconds_count{outcome="answered"}) > 0'
        self.assertEqual(self.count(requests), COUNT)

    def test_alert_rules_are_loaded_and_quiet(self) -> None:
        wait("three targets are up", lambda: self.count('up{job="dht"} == 1') == COUNT)

        def states() -> dict[str, str]:
            groups = self.ask("rules")["groups"]
            return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

        wait("all rules were evaluated", lambda: set(states().values()) == {"ok"})
        self.assertEqual(len(states()), RULES.read_text().count("- alert:"))
        alerts = [x for x in self.ask("alerts")["alerts"] if x["state"] == "firing"]
        self.assertEqual(alerts, [])


if __name__ == "__main__":
    unittest.main()
