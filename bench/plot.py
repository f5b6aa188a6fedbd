"""Draws how the figures grow with the number of leads: bench/plot.py 200k.json 1m.json 10m.json > docs/growth.svg."""

import argparse
import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

LINES = {
    "one lead": "one lead",
    "first 50 to expire in 10 days": "first 50 of the ten-day list",
    "first 50 on hold by the time left": "first 50 on hold",
    "all to expire in 10 days : bare index scan": "ten-day list, whole",
    "hold created and released : least by hand, processor": "hold and release",
    "all metrics as scraped": "scrape",
    "metrics refreshed : state counts from the view alone": "metrics refreshed",
    "proof that the whole cache equals the rule": "proof of the whole cache",
}
COLOURS = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 460, 70, 210, 20, 50
# Labels do not cover each other.
LABEL_HEIGHT = 15


def place(value: float, low: float, high: float, begin: float, end: float) -> float:
    """Where a value lies on a logarithmic axis."""
    share = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
    return begin + share * (end - begin)


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#333333") -> str:
    """One label."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def draw(reports: list[dict]) -> str:
    """The picture: milliseconds over leads, both logarithmic, a line for each figure."""
    reports = sorted(reports, key=lambda report: report["leads"])
    sizes = [report["leads"] for report in reports]
    values = {what: [report["figures"][what]["ours"] for report in reports] for what in LINES}
    low = 10 ** math.floor(math.log10(min(map(min, values.values()))))
    high = 10 ** math.ceil(math.log10(max(map(max, values.values()))))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12" role="img" aria-label="Milliseconds over the number of leads">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = place(10.0**power, low, high, bottom, TOP)
        parts.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{right}" y2="{y:.0f}" stroke="#dddddd"/>')
        parts.append(text(LEFT - 8, y + 4, f"{10.0**power:,.0f} ms" if power >= 0 else f"{10.0**power:g} ms", "end"))
    for size in sizes:
        x = place(size, sizes[0], sizes[-1], LEFT, right)
        parts.append(f'<line x1="{x:.0f}" y1="{TOP}" x2="{x:.0f}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(text(x, bottom + 18, f"{size:,} leads", "middle"))
    lowest_label = math.inf
    for (what, label), colour in sorted(
        zip(LINES.items(), COLOURS, strict=True), key=lambda line: values[line[0][0]][-1]
    ):
        points = [
            (place(size, sizes[0], sizes[-1], LEFT, right), place(value, low, high, bottom, TOP))
            for size, value in zip(sizes, values[what], strict=True)
        ]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lowest_label = min(points[-1][1] + 4, lowest_label - LABEL_HEIGHT)
        last = values[what][-1]
        shown = f"{last:,.0f}" if last >= 100 else f"{last:.2g}"
        parts.append(text(right + 8, lowest_label, f"{label}: {shown} ms", colour=colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Read what bench.py saved, and print the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="files of bench.py --save, two or more sizes")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in parser.parse_args().reports]
    sys.stdout.write(draw(reports))


if __name__ == "__main__":
    main()
