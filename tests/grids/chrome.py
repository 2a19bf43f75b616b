"""A headless Chromium that tests drive step by step: the DevTools protocol through pipes, without any package."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def chromium() -> str:
    """The browser's path; its absence skips, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "no chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Tab:
    """One tab. ``said`` collects the errors of its console and of the browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self.browser, self.target, self.session, self.said = browser, target, session, []
        browser.tabs[session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> Any:
        return self.browser.do(method, self.session, **params)

    def go(self, url: str) -> None:
        self.do("Page.navigate", url=url)

    def js(self, code: str) -> Any:
        """The value of an expression; a promise is awaited."""
        reply = self.do("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def until(self, code: str, seconds: float = 30) -> Any:
        """Waits until an expression is true, or an element; its value."""
        code = f"(() => {{ const found = {code}; return found instanceof Node || found; }})()"
        end, pause = time.monotonic() + seconds, 0.02
        while True:
            with contextlib.suppress(AssertionError):  # the page is being replaced
                if found := self.js(code):
                    return found
            if time.monotonic() > end:
                text = self.js("document.body ? document.body.innerText : ''")
                raise AssertionError(f"never: {code}; page: {text[:500]}; console: {self.said}")
            time.sleep(pause)  # longer and longer, since looking at a large page takes time from the page
            pause = min(1.5 * pause, 0.3)

    def click(self, code: str, seconds: float = 30) -> None:
        """Clicks an element, as a hand does, once it is in view and rests: fails if something else lies over its center."""
        where = f"""(() => {{ const found = {code}; if (!found) return null; found.scrollIntoView({{block: 'center'}});
            const box = found.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
            const top = document.elementFromPoint(x, y);
            return box.width && top && (found.contains(top) || top.contains(found)) ? [x, y] : null; }})()"""
        place = self.until(where, seconds)
        while True:
            time.sleep(0.05)
            if (now := self.until(where, seconds)) == place:
                break
            place = now
        x, y = place
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {"button": "none"} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def click_through(self, code: str, seconds: float = 30) -> Tab:
        """Clicks a link that opens another tab, and returns that one."""
        before = self.browser.pages()
        self.click(code, seconds)
        end = time.monotonic() + seconds
        while not (found := self.browser.pages() - before):
            assert time.monotonic() < end, f"no tab was opened by {code}"
            time.sleep(0.02)
        return self.browser.attached(found.pop())

    def until_in_frame(self, code: str, seconds: float = 30) -> None:
        """Waits until an expression is true in a frame that the page may not reach, such as a sandboxed one.

        Chromium runs such a frame as a target of its own, or within the page, depending on its version.
        """
        end = time.monotonic() + seconds
        while True:
            frames = self.do("Page.getFrameTree")["frameTree"].get("childFrames", [])
            others = [one for one in self.browser.do("Target.getTargets")["targetInfos"] if one["type"] == "iframe"]
            with contextlib.suppress(AssertionError):  # it is being replaced
                for frame in frames:
                    world = self.do("Page.createIsolatedWorld", frameId=frame["frame"]["id"])["executionContextId"]
                    if self.do("Runtime.evaluate", expression=code, contextId=world)["result"].get("value"):
                        return
                for one in others:
                    session = self.browser.do("Target.attachToTarget", targetId=one["targetId"], flatten=True)["sessionId"]
                    found = self.browser.do("Runtime.evaluate", session, expression=code)["result"].get("value")
                    self.browser.do("Target.detachFromTarget", sessionId=session)
                    if found:
                        return
            assert time.monotonic() < end, f"never in a frame: {code}; frames: {frames}, {others}"
            time.sleep(0.1)

    def key(self, key: str) -> None:
        """Presses a digit key."""
        about = {"key": key, "code": f"Digit{key}", "text": key, "windowsVirtualKeyCode": ord(key)}
        self.do("Input.dispatchKeyEvent", type="keyDown", **about)
        self.do("Input.dispatchKeyEvent", type="keyUp", **about)

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.do("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.browser.do("Target.closeTarget", targetId=self.target)
        self.browser.tabs.pop(self.session)


class Browser:
    """A running browser with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe",
        ]  # fmt: skip

        def connect() -> None:  # the browser reads descriptor 3 and writes to 4
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]  # away from 3 and 4
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            command, preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest, self.tabs = 0, b"", {}

    def do(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Sends a command and returns its result; events that arrive meanwhile go to their tabs."""
        self._number += 1
        sent = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(sent).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._event(message)

    def pages(self) -> set[str]:
        """Ids of the open tabs."""
        return {one["targetId"] for one in self.do("Target.getTargets")["targetInfos"] if one["type"] == "page"}

    def tab(self) -> Tab:
        return self.attached(self.do("Target.createTarget", url="about:blank")["targetId"])

    def attached(self, target: str) -> Tab:
        return Tab(self, target, self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self._read)
        os.close(self._write)

    def _message(self) -> Any:
        while b"\0" not in self._rest:
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        first, self._rest = self._rest.split(b"\0", 1)
        return json.loads(first)

    def _event(self, message: Any) -> None:
        tab, params = self.tabs.get(message.get("sessionId")), message.get("params", {})
        if tab is None:
            return
        if message["method"] == "Log.entryAdded":
            tab.said.append(params["entry"]["text"])
        elif message["method"] == "Runtime.exceptionThrown":
            tab.said.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Browser]:
    browser = Browser(folder)
    try:
        yield browser
    finally:
        browser.close()
