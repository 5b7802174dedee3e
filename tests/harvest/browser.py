"""A headless Chromium, driven through the two pipes that its DevTools protocol offers; needs no package."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
MAX_CLOSING_S = 60

Values = dict[str, Any]


@dataclass(slots=True)
class Page:
    """An open tab."""

    to_browser: BinaryIO
    from_browser: BinaryIO
    session: str = ""
    events: list[Values] = field(default_factory=list)
    _sent: int = 0

    def ask(self, method: str, **parameters: Any) -> Values:
        """Send a command and wait for its answer; events on the way are kept."""
        self._sent += 1
        number = self._sent
        message: Values = {"id": number, "method": method, "params": parameters}
        if self.session and not method.startswith(("Browser.", "Target.")):
            message["sessionId"] = self.session
        self.to_browser.write(json.dumps(message).encode() + b"\0")
        self.to_browser.flush()
        while (answer := self._next()).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: Values = answer["result"]
        return result

    def wait_for(self, method: str, **expected: Any) -> Values:
        """The first event of this name with these values, of those that have come or will."""
        place = 0
        while True:
            for event in self.events[place:]:
                if event["method"] == method and expected.items() <= event["params"].items():
                    values: Values = event["params"]
                    return values
            place = len(self.events)
            while len(self.events) == place:
                self._next()

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path: Path) -> None:
        self.ask("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def complaints(self) -> list[str]:
        """Errors, violations of the policy, and whatever was written to the console."""
        self.run("1")  # what was said before has come with the answer
        said = [event for event in self.events if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled")]
        thrown = [event for event in self.events if event["method"] == "Runtime.exceptionThrown"]
        return [json.dumps(event["params"]) for event in said + thrown]

    def requests(self) -> list[str]:
        """The addresses that the page asked for, pictures within the page itself apart."""
        asked = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith("data:")]

    def _next(self) -> Values:
        received = bytearray()
        while (sign := self.from_browser.read(1)) != b"\0":
            if not sign:
                raise EOFError("The browser has ended.")
            received += sign
        message: Values = json.loads(received)
        if "method" in message:
            self.events.append(message)
        return message


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with one empty tab, which keeps its profile and what it downloads in `folder`."""
    assert CHROMIUM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    def place_pipes() -> None:
        high = [fcntl.fcntl(pipe, fcntl.F_DUPFD, 10) for pipe in (theirs_in, theirs_out)]
        for number, pipe in zip((3, 4), high, strict=True):  # where Chromium looks for them
            os.dup2(pipe, number)

    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with (
        (folder / "chromium.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=place_pipes, pass_fds=(3, 4)) as process,
    ):
        os.close(theirs_in)
        os.close(theirs_out)
        with os.fdopen(ours_out, "wb") as to_browser, os.fdopen(ours_in, "rb") as from_browser:
            try:
                yield _tab(Page(to_browser, from_browser), folder)
                with contextlib.suppress(EOFError, BrokenPipeError):
                    Page(to_browser, from_browser).ask("Browser.close")
                process.wait(timeout=MAX_CLOSING_S)  # so that none of its own processes still writes to the profile
            finally:
                process.kill()


def _tab(page: Page, downloads: Path) -> Page:
    target = page.ask("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        page.ask(f"{domain}.enable")
    page.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads), eventsEnabled=True)
    page.events.clear()
    return page
