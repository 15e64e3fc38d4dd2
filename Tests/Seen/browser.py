"""A headless Chromium, driven by the WebDriver protocol over chromedriver."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# Seconds for one command of the driver; a page of 200 peers takes a tenth of a second.
PATIENCE = 60.0
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
TAB, ENTER = "\ue004", "\ue007"


def why_not() -> str | None:
    """The reason why no browser can be driven here, if there is one."""
    if not shutil.which("chromedriver"):
        return "no chromedriver here (Debian: apt-get install chromium-driver)"
    if not any(map(shutil.which, CHROMIUM)):
        return "no chromium here"
    return None


def until(condition, what: str, patience: float = 20.0):
    """The first true value of the condition."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.05)


class Browser:
    """One session. Its log has what pages say on the console, errors and violations of policies included."""

    def __init__(self, *arguments: str) -> None:
        self.profile = tempfile.mkdtemp()
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.session = None
        try:
            self.address = self._address()
            program = next(filter(None, map(shutil.which, CHROMIUM)))
            options = {"args": [*ARGUMENTS, *arguments, f"--user-data-dir={self.profile}"], "binary": program}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = f"/session/{made['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _address(self) -> str:
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return f"http://127.0.0.1:{found[1]}"
        raise AssertionError("chromedriver did not start")

    def _call(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def close(self) -> None:
        try:
            if self.session:
                self._call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, url: str) -> None:
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script: str, *arguments):
        return self._call("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self) -> list[str]:
        """What was said since it was last asked for."""
        entries = self._call("POST", self.session + "/se/log", {"type": "browser"})
        return [f"{entry['level']} {entry['source']}: {entry['message']}" for entry in entries]

    def chrome(self, command: str, **parameters):
        """A command of Chromium's own protocol."""
        body = {"cmd": command, "params": parameters}
        return self._call("POST", self.session + "/goog/cdp/execute", body)

    def size(self, width: int, height: int = 900) -> None:
        """Of the page, not of the window around it."""
        self.chrome(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, **features: str) -> None:
        """Media features: `color_scheme="dark"`."""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.chrome("Emulation.setEmulatedMedia", features=named)

    def press(self, keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call(
            "POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        )

    def accessibility(self) -> list[dict]:
        """What a screen reader is told: role and name of each node it is told of."""
        self.chrome("Accessibility.enable")
        nodes = self.chrome("Accessibility.getFullAXTree")["nodes"]
        return [
            {"role": node["role"]["value"], "name": node.get("name", {}).get("value", ""),
             "description": node.get("description", {}).get("value", "")}
            for node in nodes if not node["ignored"]
        ]

    def picture(self, path: Path) -> None:
        """The whole page, however long."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return innerWidth")
        self.size(width, min(height, 8000))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("GET", self.session + "/screenshot")))
