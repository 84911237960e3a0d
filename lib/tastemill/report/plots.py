"""The plots of what models did: how good, how they learned, how right they were."""

from collections.abc import Mapping, Sequence

from tastemill.report.contents.features import Telling
from tastemill.report.contents.quality import Decile, Figure, Spread
from tastemill.report.contents.run import Curve
from tastemill.report.svg import FIRST, INK, MUTED, SECOND, Axes, picture


def intervals(figures: Mapping[str, Figure], label: str) -> str:
    """A dot with its 95 % interval for every model, best on top."""

    def draw(axes: Axes) -> None:
        for place, figure in enumerate(figures.values()):
            if figure.low is not None and figure.high is not None:
                axes.plot([figure.low, figure.high], [place, place], color=FIRST, alpha=0.45, lw=5)
            axes.plot(figure.value, place, "o", color=FIRST, markersize=6)
        axes.set_yticks(range(len(figures)), list(figures))
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(figures) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(label)

    return picture(draw, f"{label} of every model", height=0.8 + 0.3 * len(figures))


def told(features: Sequence[Telling]) -> str:
    """A bar for every feature, the most telling on top; those that aren't kept are muted."""

    def draw(axes: Axes) -> None:
        places = range(len(features))
        colours = [MUTED if each.reason else FIRST for each in features]
        axes.barh(places, [each.told for each in features], color=colours, height=0.72, lw=0)
        axes.set_yticks(places, [each.name for each in features])
        axes.tick_params(axis="y", labelcolor=INK, labelsize=8)
        axes.set_ylim(len(features) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}\u202f%")
        axes.set_xlabel("told of the label")

    return picture(draw, "what each feature tells of the label", height=0.8 + 0.2 * len(features))


def loss_curve(curve: Curve) -> str:
    """Loss by epoch, counted from 1."""

    def draw(axes: Axes) -> None:
        for points, colour, style in ((curve.train, FIRST, "o-"), (curve.valid, SECOND, "s--")):
            if points:
                epochs, losses = zip(*points, strict=True)
                marks = style if len(points) <= 30 else style[1:]
                axes.plot([epoch + 1 for epoch in epochs], losses, marks, color=colour)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")

    return picture(draw, f"loss of {curve.kind} by epoch")


def rating_spread(spreads: Sequence[Spread], kind: str) -> str:
    """Mean prediction for each star value, and where the middle 50 % and 80 % lie."""

    def draw(axes: Axes) -> None:
        stars = [s.stars for s in spreads]
        ends = [min(stars), max(stars)]
        axes.plot(ends, ends, color=MUTED, lw=1, ls=":")
        for s in spreads:
            low, lower, upper, high = s.quantiles
            axes.plot([s.stars, s.stars], [low, high], color=FIRST, alpha=0.3, lw=4)
            axes.plot([s.stars, s.stars], [lower, upper], color=FIRST, alpha=0.55, lw=9)
        means = [s.mean for s in spreads]
        axes.plot(stars, means, "o", color=INK, markersize=5)
        if len(stars) <= 11:
            axes.set_xticks(stars, [f"{value:g}" for value in stars])
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.1)
        axes.set_xlabel("stars given")
        axes.set_ylabel("predicted")

    return picture(draw, f"predicted against given stars, {kind}", height=3.0, width=3.6)


def calibration(deciles: Sequence[Decile], kind: str) -> str:
    """Observed share against mean predicted probability, a dot per tenth of the examples."""

    def draw(axes: Axes) -> None:
        predicted = [d.predicted for d in deciles]
        observed = [d.observed for d in deciles]
        top = max(*predicted, *observed) * 1.05 or 1.0
        axes.plot([0, top], [0, top], color=MUTED, lw=1, ls=":")
        axes.plot(predicted, observed, "o-", color=FIRST, markersize=5)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_xlabel("mean predicted probability")
        axes.set_ylabel("share taken")

    return picture(draw, f"calibration of {kind}", height=3.0, width=3.6)
