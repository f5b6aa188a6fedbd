"""A real browser looks at pages: headless Chromium, without a network."""

import re
import runpy
import struct
import zlib
from pathlib import Path

from helpers.debian_tools import unpacked
from helpers.project import PROJECT, run_program

# As scripts/draw-architecture starts it, and without a network.
DRAW = runpy.run_path(str(PROJECT / "scripts" / "draw-architecture"))
CHROMIUM = [*DRAW["CHROMIUM"], "--host-resolver-rules=MAP * ~NOTFOUND"]
# What a reader would see to be wrong: the page or a cell is wider than its room, words of a picture lie outside of it
# or over each other, a heading has nothing below it.
LOOK = """
<pre id="faults"></pre>
<script>
const faults = [];
const root = document.documentElement;
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
    if (!heading.nextElementSibling || /^(h2|pre)$/i.test(heading.nextElementSibling.tagName))
        faults.push(`nothing below: ${heading.textContent}`);
document.getElementById("faults").textContent = JSON.stringify({faults, height: root.scrollHeight});
</script>
"""


def run(directory: Path, *arguments: str) -> str:
    """What Chromium prints, with a profile of its own.

    Where it cannot be had the test is skipped; a CI machine must have it.
    """
    unpacked("browser")
    done = run_program([*CHROMIUM, f"--user-data-dir={directory / 'profile'}", *arguments], timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def look(directory: Path, page: str, width: int) -> str:
    """What is wrong with a page in a window of that width, and how high it is, as JSON."""
    looked = directory / f"looked-{width}.xhtml"
    # Only the copy that is looked at may run a script.
    open_page = page.replace("default-src 'none'", "script-src 'unsafe-inline'").replace(
        "default-src &#39;none&#39;", ""
    )
    script = LOOK.replace("<script>", "<script><![CDATA[").replace("</script>", "]]></script>")
    looked.write_text(
        re.sub(r"<!DOCTYPE html>\n", "", open_page.replace("</body>", script + "</body>")), encoding="utf-8"
    )
    shown = run(directory, f"--window-size={width},1200", "--dump-dom", looked.as_uri())
    (found,) = re.findall(r'<pre id="faults">(.+?)</pre>', shown)
    return found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def picture(directory: Path, page: str, width: int, height: int) -> bytes:
    """The page as a PNG."""
    file, target = directory / "pictured.html", directory / "pictured.png"
    file.write_text(page, encoding="utf-8")
    run(directory, f"--window-size={width},{height}", f"--screenshot={target}", file.as_uri())
    return target.read_bytes()


def printed(directory: Path, page: str) -> bytes:
    """The page as a PDF, as it would be printed."""
    file, target = directory / "printed.html", directory / "printed.pdf"
    file.write_text(page, encoding="utf-8")
    run(directory, f"--print-to-pdf={target}", "--no-pdf-header-footer", file.as_uri())
    return target.read_bytes()


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
