"""A picture as SVG to be put into a page, whose style sheet gives it its colours.

Matplotlib draws with stand-in colours; in the SVG they become variables of the page, so that they
fit in light and in dark. Text stays text.
"""

import html
import io
import re
from collections.abc import Callable
from typing import Any

INK, MUTED, GRID = "#010203", "#010204", "#010205"
FIRST, SECOND, THIRD, FOURTH, FIFTH = "#010206", "#010207", "#010208", "#010209", "#01020a"
SERIES = (FIRST, SECOND, THIRD, FOURTH, FIFTH, MUTED)
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    THIRD: "var(--third)",
    FOURTH: "var(--fourth)",
    FIFTH: "var(--fifth)",
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "date.converter": "concise",
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "lines.solid_capstyle": "butt",  # a bar ends where its interval ends
}
WIDTH = 4.6  # inches: readable where a phone is the page
# Inside a page the parser knows what SVG is.
NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"')
Axes = Any


def picture(
    draw: Callable[[Axes], None], title: str, *, height: float = 2.6, width: float = WIDTH
) -> str:
    """What `draw` draws on the axes it is given, so many inches high and wide."""
    # Imported here: other commands need not wait for it.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    out = io.StringIO()
    with rc_context({**SETTINGS, "svg.hashsalt": title}):  # ids differ between plots, not runs
        canvas = Canvas(figsize=(width, height), layout="constrained")
        draw(canvas.add_subplot())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(out, format="svg", transparent=True, metadata=nothing)
    return _for_page(out.getvalue(), title)


def _for_page(svg: str, title: str) -> str:
    """The element alone, with the page's colours and a name for those who don't see it."""
    body = NAMESPACES.sub("", svg[svg.index("<svg") :])
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # nothing refers to them, and other plots have them
    for colour, variable in COLOURS.items():
        body = body.replace(colour, variable)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    named = f'<svg role="img" aria-label="{html.escape(title)}" '
    return body.replace("<svg ", named, 1)
