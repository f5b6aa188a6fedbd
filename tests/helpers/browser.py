"""A real browser looks at pages: headless Chromium, without a network."""

import base64
import itertools
import json
import os
import re
import runpy
import select
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.debian_tools import unpacked
from helpers.project import PROJECT

# As scripts/draw-architecture starts it, and without a network.
DRAW = runpy.run_path(str(PROJECT / "scripts" / "draw-architecture"))
CHROMIUM = [*DRAW["CHROMIUM"], "--host-resolver-rules=MAP * ~NOTFOUND"]
# What a reader would see to be wrong: the page or a cell is wider than its room, words of a picture lie outside of it
# or over each other, a heading has nothing below it.
LOOK = """
const faults = [];
const root = document.documentElement;
if (document.querySelector("parsererror")) faults.push("the page is not well-formed");
if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide`);
for (const box of document.querySelectorAll("h1, h2, p, td, th"))
    if (box.scrollWidth > box.clientWidth + 1) faults.push(`too wide: ${box.textContent}`);
for (const svg of document.querySelectorAll("svg")) {
    const room = svg.getBoundingClientRect();
    if (room.width < 100 || room.height < 50) faults.push("a picture is too small");
    if (!svg.querySelector("rect")) faults.push("a picture is empty");
    const words = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    for (const [said, box] of words) {
        if (box.left < room.left - 1 || box.right > room.right + 1 || box.top < room.top || box.bottom > room.bottom)
            faults.push(`outside of its picture: ${said}`);
        for (const [other, over] of words)
            if (said < other && box.left < over.right && over.left < box.right
                && box.top + 2 < over.bottom && over.top + 2 < box.bottom)
                faults.push(`one over the other: ${said}, ${other}`);
    }
}
for (const heading of document.querySelectorAll("h2"))
    if (!heading.nextElementSibling || /^h2$/i.test(heading.nextElementSibling.tagName))
        faults.push(`nothing below: ${heading.textContent}`);
JSON.stringify({faults, height: root.scrollHeight});
"""

SECONDS = 120


class Browser:
    """A running Chromium, told what to do through a pipe: to start one for each look takes longer than the look."""

    def __init__(self, directory: Path, process: subprocess.Popen, tell: int, hear: int):
        self.directory, self.process, self.tell, self.hear = directory, process, tell, hear
        self.numbers = itertools.count(1)
        self.heard = b""
        self.events: list[dict] = []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters: object) -> dict:
        """The answer to one command of the DevTools protocol."""
        message = {"id": next(self.numbers), "method": method, "params": parameters}
        os.write(
            self.tell, json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        while (answer := self.next_message()).get("id") != message["id"]:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def next_message(self) -> dict:
        """What it says next: an answer or an event."""
        while b"\0" not in self.heard:
            readable, _, _ = select.select([self.hear], [], [], SECONDS)
            part = os.read(self.hear, 1 << 16) if readable else b""
            if not part:
                pytest.fail(f"Chromium says nothing: exit status {self.process.poll()}")
            self.heard += part
        message, _, self.heard = self.heard.partition(b"\0")
        return json.loads(message)

    def open(self, name: str, page: str, width: int, height: int) -> None:
        """Show a page in a window of that size."""
        file = self.directory / name
        file.write_text(page, encoding="utf-8")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        loaded = {"name": "load", "loaderId": self.call("Page.navigate", url=file.as_uri())["loaderId"]}
        while not any(loaded.items() <= event.get("params", {}).items() for event in self.events):
            self.events.append(self.next_message())

    def look(self, page: str, width: int) -> dict:
        """What is wrong with a page in a window of that width, and how high it is."""
        # As XML: what is not well-formed ends with an error in the page.
        self.open("looked.xhtml", re.sub(r"<!DOCTYPE html>\n", "", page), width, 1200)
        answer = self.call("Runtime.evaluate", expression=LOOK)
        assert "exceptionDetails" not in answer, answer
        return json.loads(answer["result"]["value"])

    def picture(self, page: str, width: int, height: int) -> bytes:
        """The page as a PNG."""
        self.open("pictured.html", page, width, height)
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def printed(self, page: str) -> bytes:
        """The page as a PDF, as it would be printed."""
        self.open("printed.html", page, 1000, 1000)
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])


@contextmanager
def running(directory: Path) -> Iterator[Browser]:
    """A Chromium with a profile of its own, until the end of the block.

    Where it cannot be had the test is skipped; a CI machine must have it.
    """
    unpacked("browser")
    its_ears, tell = os.pipe()
    hear, its_mouth = os.pipe()
    arguments = ["--remote-debugging-pipe", f"--user-data-dir={directory / 'profile'}", "about:blank"]
    # It hears on 3 and speaks on 4.
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{its_ears} 4>&{its_mouth}', "bash", *CHROMIUM, *arguments],
        pass_fds=[its_ears, its_mouth],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_ears)
    os.close(its_mouth)
    try:
        browser = Browser(directory, process, tell, hear)
        yield browser
        browser.session = None
        browser.call("Browser.close")
        process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(tell)
        os.close(hear)


def colours(png: bytes) -> int:
    """How many different bytes the first half of a picture's pixels has: one or two, if nothing is on it."""
    parts, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            parts += png[at + 8 : at + 8 + length]
        at += length + 12
    pixels = zlib.decompress(parts)
    return len(set(pixels[: len(pixels) // 2]))
