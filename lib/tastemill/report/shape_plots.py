"""The plots of what the data are like: events over time, the long tail, histograms."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from tastemill.report.calendar import next_begin
from tastemill.report.contents.data import Bin, Tail, Timeline
from tastemill.report.svg import FIRST, INK, MUTED, SERIES, Axes, picture

MAX_LABELS = 9


def over_time(times: Timeline, cut: datetime | None) -> str:
    """Events by calendar unit, types on top of each other; a dotted line where the test begins."""

    def draw(axes: Axes) -> None:
        edges = [*times.bins, next_begin(times.bins[-1], times.unit)]
        below = [0] * len(edges)
        for (name, counts), next_colour in zip(times.series, SERIES, strict=False):
            colour = MUTED if name is None else next_colour
            above = [low + n for low, n in zip(below, (*counts, counts[-1]), strict=True)]
            axes.fill_between(edges, below, above, step="post", color=colour, lw=0)
            below = above
        if cut is not None and edges[0] < cut.date() < edges[-1]:
            axes.axvline(cut.date(), color=INK, lw=1, ls=":")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(_of_thousands)
        axes.set_ylabel(f"events per {times.unit}")

    return picture(draw, f"events per {times.unit}", height=2.4)


def long_tail(tail: Tail) -> str:
    """The share of events that the most frequent items hold; dotted: if all were alike."""

    def draw(axes: Axes) -> None:
        shares, held = zip((0.0, 0.0), *tail.points, strict=True)
        axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=":")
        axes.fill_between(shares, shares, held, color=FIRST, alpha=0.15, lw=0)
        axes.plot(shares, held, color=FIRST)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0%}".replace("%", "\u202f%"))
        axes.set_xlabel("items, the most frequent first")
        axes.set_ylabel("events")

    return picture(draw, "share of events by share of items", height=2.6)


def histogram(bins: Sequence[Bin], label: str, of: str) -> str:
    """Bars between the ends of bins, each bin twice as wide as the one before."""

    def draw(axes: Axes) -> None:
        places = range(len(bins))
        axes.bar(places, [b.number for b in bins], width=0.92, align="edge", color=FIRST, lw=0)
        edges = [*(b.low for b in bins), bins[-1].high]
        step = -(-len(edges) // MAX_LABELS)
        ticks = range(0, len(edges), step)
        axes.set_xticks(list(ticks), [_short(edges[n]) for n in ticks])
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_formatter(_of_thousands)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(label)
        axes.set_ylabel(of)

    return picture(draw, f"{of} by {label}", height=2.4)


def _of_thousands(value: float, _: int) -> str:
    """12k in place of 12,000."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{mark}"
    return f"{value:g}"


def _short(edge: float) -> str:
    """A power of two: 1/8, 4, 512, 16k."""
    return (
        str(Fraction(edge))
        if edge < 1
        else _of_thousands(edge // 1000 * 1000 if edge >= 10_000 else edge, 0)
    )
