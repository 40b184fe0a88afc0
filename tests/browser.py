"""Chromium for tests, driven over its DevTools protocol: a page to press and look at, and a wav file as its microphone."""

import json
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None,
                                    reason="chromium is not installed: apt-get install chromium")
QUIET = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"]


class Page:
    """One tab.

    Attributes:
        errors: what went to the console as an error, uncaught exceptions and refused requests among it.
    """

    def __init__(self, socket: Connection):
        self.socket = socket
        self.number = 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self.socket.recv(timeout=30))
            if told.get("id") == self.number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                result: dict[str, Any] = told["result"]
                return result
            self.note(told.get("method"), told.get("params", {}))

    def note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"].get("exception", told["exceptionDetails"]).get("description")))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.errors.append(str([given.get("value", given.get("description")) for given in told["args"]]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def value(self, script: str) -> Any:
        """What `script` evaluates to, a promise's outcome if it is one."""
        answer = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 15.0) -> Any:
        """Waits until `script` is true."""
        deadline = time.monotonic() + seconds
        while not (found := self.value(script)):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {script}; {self.errors}; {self.text('body')}"
            time.sleep(0.05)
        return found

    def text(self, selector: str) -> str:
        """What is seen of an element."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Presses the mouse on the middle of an element."""
        x, y = self.value(f"""(() => {{ const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{ block: "nearest" }}); const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def look(self, width: int, height: int, dark: bool = False, calm: bool = False) -> None:
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=width < 500)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(b64decode(self.command("Page.captureScreenshot", format="png")["data"]))

    def download(self, selector: str, folder: Path) -> Path:
        """The file that a click on a link brings."""
        self.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        folder.mkdir(exist_ok=True)
        before = set(folder.iterdir())
        self.click(selector)
        deadline = time.monotonic() + 15.0
        while not (new := [path for path in set(folder.iterdir()) - before if path.suffix != ".crdownload"]):
            assert time.monotonic() < deadline, f"{selector} brought no file"
            time.sleep(0.05)
        return new[0]


@contextmanager
def browser(folder: Path, microphone: Path | None = None, *flags: str) -> Iterator[Page]:
    """A fresh Chromium that keeps what it keeps in `folder`; without a `microphone` there is none."""
    profile = folder / "browser"
    heard = [] if microphone is None else [
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    process = subprocess.Popen(["chromium", *QUIET, *heard, *flags, f"--user-data-dir={profile}", "about:blank"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(page_address(profile), max_size=None, compression=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(timeout=20)


def page_address(profile: Path) -> str:
    """Where the first tab listens."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            return str(tabs[0]["webSocketDebuggerUrl"])
        except (OSError, IndexError):
            time.sleep(0.1)
    raise RuntimeError("chromium did not start")
