"""Draw `docs/demo.svg` from a real run of the demo: ``make picture``.

Ports and directories, which differ from run to run, get fixed names. Timings stay as they were.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape, unescape
from pathlib import Path

from tests.support.project import PROJECT

PICTURE = PROJECT / "docs/demo.svg"
_COLUMN, _LINE, _MARGIN, _BAR = 7.2, 18, 16, 28
_COLOURS = (
    (r"^\$ ", "prompt"),
    (r"^ *✓|→ 200 ", "good"),
    (r"^ *✗|→ 503 ", "bad"),
    (r"^ *▸|^ +not |^ +find ", "dim"),
)
_STYLE = """\
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre; fill: #d6deeb; }
.prompt { fill: #ffffff; font-weight: bold; } .dim { fill: #8b949e; }
.good { fill: #7ee787; } .bad { fill: #ff7b72; }"""


def run_demo() -> list[str]:
    """Play the demo; the lines that the picture shows, from the first answer of the service to the second."""
    words = [sys.executable, "-m", "rollback_ops", "demo"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=120)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    answers = [number for number, line in enumerate(lines) if line.startswith("GET ")]
    return [_with_fixed_ports(line) for line in lines[answers[0] : answers[1] + 1]]


def _with_fixed_ports(line: str) -> str:
    named = re.sub(r"demo@127\.0\.0\.1:\d+", "demo@127.0.0.1:2222", line)
    return re.sub(r"(?<!@)127\.0\.0\.1:\d+", "127.0.0.1:8080", named)


def draw(lines: list[str]) -> str:
    """The picture of a terminal that shows these lines, as the text of an SVG file."""
    width = round(max(map(len, lines)) * _COLUMN + 2 * _MARGIN)
    height = len(lines) * _LINE + _BAR + _MARGIN
    texts = [
        f'<text class="{_class_of(line)}" x="{_MARGIN}" y="{_BAR + number * _LINE + 12}" '
        f'textLength="{len(line) * _COLUMN:.1f}" lengthAdjust="spacingAndGlyphs">{escape(line, quote=False)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    buttons = [f'<circle cx="{x}" cy="13" r="5" fill="#484f58"/>' for x in (18, 34, 50)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" xml:space="preserve">',
            "<title>rollback-ops demo</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
            *buttons,
            *texts,
            "</svg>\n",
        ]
    )


def _class_of(line: str) -> str:
    return next((name for pattern, name in _COLOURS if re.search(pattern, line)), "plain")


def lines_of(picture: Path) -> list[str]:
    """The lines that a picture shows, without the empty ones."""
    return [unescape(text) for text in re.findall(r"<text [^>]*>(.*)</text>", picture.read_text())]


if __name__ == "__main__":
    PICTURE.write_text(draw(run_demo()))
