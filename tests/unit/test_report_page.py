"""The page from values made by hand: what it escapes, what it leaves out, what it marks."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from pyspark.sql import Row

from tastemill.report import numbers, plots
from tastemill.report.contents import (
    Curve,
    Decile,
    Figure,
    Lists,
    MetricsTable,
    Model,
    Overview,
    Prediction,
    ReportData,
    ShownItem,
    Spread,
    Stage,
    TableVersions,
    UserLists,
)
from tastemill.report.page import render
from tastemill.report.predicted import deciles

AT = datetime(2020, 5, 1, 12, 30, tzinfo=UTC)
EVIL = '<script>alert("1")</script> & $x^2$'
OVERVIEW = Overview("toy", "rating", "run-1", AT, cut=AT, as_of=AT, events=12_345)
FIGURES = {
    "als": {"ndcg": Figure(0.5, 0.4, 0.6, 10), "coverage": Figure(0.01, None, None, 10)},
    "bias": {"ndcg": Figure(0.25, 0.2, 0.3, 10)},
}
SPREADS = (Spread(1.0, 5, 2.0, (1.0, 1.5, 2.5, 3.0)), Spread(5.0, 5, 4.0, (3.0, 3.5, 4.5, 5.0)))
LISTS = UserLists("7", (ShownItem("a", "Alpha", ("Drama",), 4.0),), (ShownItem("b", "Beta"),))
FULL = ReportData(
    OVERVIEW,
    models=(Model("als", "als-1", 1, 0.01, {"rank": 8, "reg": 0.1, "hidden": [4, 2]}),),
    metrics=(MetricsTable("all", 10, FIGURES), MetricsTable("cold", 10, FIGURES)),
    ratings=(MetricsTable("all", None, {"bias": {"rmse": Figure(1.0, 0.9, 1.1, 10)}}),),
    curves=(Curve("mlp", ((0, 1.0), (1, 0.5)), ()),),
    predictions=(Prediction("bias", SPREADS),),
    lists=Lists("als-1", AT, False, (LISTS,)),
    stages=(
        Stage("ingest", "backtest", "done", 1_000, 75.0, None),
        Stage("evaluate", "backtest", "failed", None, 1.0, "no such thing"),
    ),
    versions=(TableVersions("examples[backtest]", (3,), ()),),
)
HEADINGS = (
    "How good the lists are",
    "How close the predicted ratings are",
    "Predicted against actual",
    "Training",
    "Some users",
    "Stages",
    "Models",
    "Tables",
)


class Outline(HTMLParser):
    """Collects headings, ids and what is fetched, and holds tags against each other."""

    VOID = frozenset(("meta", "input", "br"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.ids += [str(named["id"])] if "id" in named else []
        self.fetched += [str(named[a]) for a in ("src", "href", "xlink:href") if a in named]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_a_full_page_stands_by_itself() -> None:
    page = render(FULL)
    outline = Outline(page)
    assert tuple(outline.headings) == HEADINGS
    assert len(set(outline.ids)) == len(outline.ids)
    assert [link for link in outline.fetched if not link.startswith("#")] == []
    assert "url(http" not in page
    assert "@import" not in page
    assert len(page) < 1_000_000


def test_only_the_header_without_data() -> None:
    empty = ReportData(Overview("toy", "implicit", "", AT))
    outline = Outline(render(empty))
    assert outline.headings == []
    assert "svg" not in outline.open


@pytest.mark.parametrize("field", ["metrics", "ratings", "curves", "predictions", "versions"])
def test_a_part_without_data_is_left_out(field: str) -> None:
    names = dict(
        zip(("metrics", "ratings", "predictions", "curves"), HEADINGS[:4], strict=True)
    ) | {"versions": HEADINGS[-1]}
    found = Outline(render(replace(FULL, **{field: ()}))).headings
    assert found == [h for h in HEADINGS if h != names[field]]


def test_text_is_escaped_wherever_it_comes_from() -> None:
    item = ShownItem(EVIL, EVIL, (EVIL,), taken=True, reason=EVIL)
    page = render(
        ReportData(
            replace(OVERVIEW, dataset=EVIL, run_id=EVIL, command=EVIL),
            models=(Model(EVIL, EVIL, 1, 1.0, {EVIL: EVIL, "list": [EVIL]}),),
            metrics=(MetricsTable("all", 10, {EVIL: {"ndcg": Figure(0.1, 0.0, 0.2, 1)}}),),
            curves=(Curve(EVIL, ((0, 1.0),), ((0, 2.0),)),),
            predictions=(Prediction(EVIL, SPREADS),),
            lists=Lists(EVIL, AT, True, (UserLists(EVIL, (item,), (item, replace(item))),)),
            stages=(Stage(EVIL, EVIL, "failed", 1, 1.0, EVIL),),
            versions=(TableVersions(EVIL, (1,), (2,)),),
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 15
    Outline(page)


def test_the_best_of_a_column_is_marked_the_lowest_of_errors() -> None:
    assert re.findall(r'class="n best">([\d.]+)', render(FULL)) == [
        *("0.500", "0.0100"),  # ndcg and coverage, in the segment of all users
        *("0.500", "0.0100"),
        "1.000",
    ]


def test_what_was_taken_later_is_marked() -> None:
    assert '<li class="taken">' not in render(FULL)
    hit = replace(LISTS, shown=(ShownItem("b", "Beta", taken=True),))
    page = render(replace(FULL, lists=Lists("als-1", AT, False, (hit,))))
    assert re.search(r'<li class="taken"><span class="title">Beta</span>', page)


@pytest.mark.parametrize(
    "plot",
    [
        plots.intervals({"a": Figure(0.1, None, None, 1)}, "NDCG@10"),
        plots.loss_curve(Curve("a", tuple((e, 1.0) for e in range(40)), ())),
        plots.rating_spread(SPREADS, "a"),
        plots.calibration((Decile(3, 0.0, 0.0),), "a"),
    ],
)
def test_plots_take_their_colours_from_the_page(plot: str) -> None:
    assert plot.startswith('<svg role="img" aria-label=')
    assert "var(--first)" in plot
    assert "#0102" not in plot


def test_equal_data_make_equal_pages() -> None:
    assert render(FULL) == render(FULL)


def score_bin(number: int, n: int, expected: float, taken: float) -> Row:
    return Row(bin=number, n=n, weight=float(n), expected=expected, taken=taken)


def test_tenths_of_whole_bins() -> None:
    found = deciles([score_bin(b, 5, 5 * b / 100, float(b % 2)) for b in reversed(range(20))])
    assert [d.num_examples for d in found] == [10] * 10
    assert found[0] == Decile(10, pytest.approx(0.005), pytest.approx(0.1))
    assert deciles([]) == ()
    one = deciles([score_bin(0, 90, 9.0, 18.0), score_bin(1, 10, 5.0, 4.0)])
    assert [(d.num_examples, d.predicted, d.observed) for d in one] == [
        (90, pytest.approx(0.1), pytest.approx(0.2)),
        (10, pytest.approx(0.5), pytest.approx(0.4)),
    ]


def test_numbers_read_well() -> None:
    spans = (0.0, 0.01, 1.25, 59.7, 75.0, 3_725.0)
    assert [numbers.seconds(s) for s in spans] == [
        *("0.0 s", "< 0.1 s", "1.2 s", "1 min 00 s", "1 min 15 s", "1 h 02 min"),
    ]
    assert [numbers.decimals(v) for v in ([], [0.5, 0.01], [0.05], [0.002])] == [3, 3, 4, 5]
    assert numbers.moment(datetime(2020, 5, 1, tzinfo=UTC)) == "2020-05-01"
    assert numbers.moment(AT) == "2020-05-01 12:30 UTC"
    assert numbers.moment(None) == numbers.count(None) == numbers.versions(()) == "–"
    assert [numbers.parameter(v) for v in (0.1, 3, "a", None, [1, 2])] == [
        *("0.1", "3", '"a"', "null", "[1, 2]"),
    ]
