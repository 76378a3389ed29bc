"""Drives a headless Chromium through its DevTools pipe: pages, JavaScript, mouse, keys, screenshots; no package is needed."""

import base64
import json
import os
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_TIMEOUT_SEC = 60


class Browser:
    """A browser with a profile of its own; `page(url)` opens a tab.

    Args:
        folder: an empty folder for the profile and downloads.
    """

    def __init__(self, folder):
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        to_browser, ours_out = os.pipe()
        ours_in, from_browser = os.pipe()
        arguments = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank",
        ]  # fmt: skip
        # The browser reads from descriptor 3 and writes to 4.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *arguments], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self._out, self._in = ours_out, os.fdopen(ours_in, "rb", buffering=0)
        self._rest, self._number, self.events = b"", 0, []
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def send(self, method, session=None, **parameters):
        """The result of a DevTools command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _receive(self):
        while b"\0" not in self._rest:
            part = self._in.read(1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def page(self, url, *, width=1280, height=900):
        """Opens a tab."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.send("Page.enable")
        page.send("Runtime.enable")
        page.resize(width, height)
        page.go(url)
        return page

    def close(self):
        """Ends the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        self._in.close()


class Page:
    """A tab."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def go(self, url):
        self.send("Page.navigate", url=url)

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def dark(self, is_dark):
        value = "dark" if is_dark else "light"
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def js(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", str(found["exceptionDetails"])))
        return found["result"].get("value")

    def wait(self, expression, seconds=_TIMEOUT_SEC):
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while True:
            try:
                if value := self.js(expression):
                    return value
            except RuntimeError as error:  # while a page is loading, its elements do not exist
                if "has ended" in str(error):
                    raise
            if time.monotonic() > end:
                raise AssertionError(f"never true: {expression}; the page: {self.js('document.body.innerText.slice(0, 300)')}")
            time.sleep(0.05)

    def drag(self, selector, by, steps=8):
        """Presses the mouse in the middle of an element, moves it, and releases it."""
        x, y = self.js(f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect(); "
                       "return [b.left + b.width / 2, b.top + b.height / 2] })()")  # fmt: skip
        mouse = lambda kind, share, buttons: self.send(  # noqa: E731
            "Input.dispatchMouseEvent", type=kind, x=x + by[0] * share, y=y + by[1] * share, button="left", buttons=buttons, clickCount=1
        )
        mouse("mousePressed", 0, 1)
        for step in range(1, steps + 1):
            mouse("mouseMoved", step / steps, 1)
        mouse("mouseReleased", 1, 0)

    def key(self, key, *, code="", text="", modifiers=0):
        """Presses a key; modifiers: 2 Ctrl, 8 Shift."""
        options = {"key": key, "code": code or key, "modifiers": modifiers} | ({"text": text} if text else {})
        self.send("Input.dispatchKeyEvent", type="keyDown", **options)
        self.send("Input.dispatchKeyEvent", type="keyUp", **options)

    def screenshot(self, path, *, is_whole=False):
        options = {"captureBeyondViewport": True} if is_whole else {}
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **options)["data"]))
