"""The page from values made by hand: what it escapes, what it leaves out, what it marks."""

import html
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from pyspark.sql import Row

from tastemill.report import numbers, plots, shape_plots
from tastemill.report.contents import ReportData
from tastemill.report.contents.data import (
    Activity,
    Bin,
    EventType,
    Expected,
    Known,
    Quarantine,
    Rejected,
    Shape,
    Tail,
    Timeline,
)
from tastemill.report.contents.features import Features, Telling
from tastemill.report.contents.people import Card, Lists, Profiles, Quantity, ShownItem, UserLists
from tastemill.report.contents.quality import (
    Comparison,
    Decile,
    Difference,
    Figure,
    MetricsTable,
    Prediction,
    Spread,
)
from tastemill.report.contents.run import Curve, Model, Overview, Stage, TableVersions
from tastemill.report.features import as_html
from tastemill.report.page import few_series, render
from tastemill.report.predicted import deciles

AT = datetime(2020, 5, 1, 12, 30, tzinfo=UTC)
EVIL = '<script>alert("1")</script> & $x^2$'
FEATURES = Features(
    total=120,
    kept=40,
    best=(Telling("item_price", 0.12, ""), Telling("item_colour", 0.01, "weak: it tells 0.01")),
    reasons=(("weak", 70), ("redundant", 10)),
    skewed=("item_price",),
)
OVERVIEW = Overview("toy", "rating", "run-1", AT, cut=AT, as_of=AT, events=12_345)
FIGURES = {
    "als": {"ndcg": Figure(0.5, 0.4, 0.6, 10), "coverage": Figure(0.01, None, None, 10)},
    "bias": {"ndcg": Figure(0.25, 0.2, 0.3, 10)},
}
SPREADS = (Spread(1.0, 5, 2.0, (1.0, 1.5, 2.5, 3.0)), Spread(5.0, 5, 4.0, (3.0, 3.5, 4.5, 5.0)))
ALPHA = ShownItem("a", "Alpha", ("Drama",), 4.0)
LISTS = UserLists("7", (ALPHA,), (ShownItem("b", "Beta", score=0.12345),))
DAYS = tuple(date(2020, 4, 27) + timedelta(days=n) for n in range(9))
SHAPE = Shape(
    types=(
        EventType("view", 9_000, 0, None, DAYS[0], DAYS[-1]),
        EventType(None, 3_345, 7, 2.5, None, None),
    ),
    without_time=12,
    timeline=Timeline("day", DAYS, (("view", (1,) * 9), (None, (2,) * 9))),
    activity=Activity(200, (3.0, 17.0, 41.0), 512, 1_000, (Bin(1, 2, 150), Bin(2, 4, 50))),
    tail=Tail(100, ((0.01, 0.23), (0.1, 0.61), (0.2, 0.75), (1.0, 1.0))),
    known={"events": (Known("value", 7, 12_345),), "users": (), "items": (Known("price", 1, 4),)},
)
EXPECTED = (
    Expected("events", "value", "range", "at least 1 in 100.00%", "99.1%", False),
    Expected("events", "event_id", "unique", "no two rows alike", "100%", True),
)
QUARANTINE = Quarantine(655, (Rejected("item_id_missing", 655, '{"user": 7}', "a.csv", 9),))
CARD = Card("7", {"age": "35-44"}, {"num_events": 12.0}, {"view": 9, "buy": 3}, ((None, 1.0),))
PROFILES = Profiles(
    day=DAYS[0],
    users=200,
    with_interests=150,
    quantities=(
        Quantity("visits_per_week", 190, (0.1, 0.25, 1.5, 2.0, 4.0)),
        Quantity("click_depth_mean", 190, (0.0,) * 5),
    ),
    visits=(Bin(0.5, 1, 3), Bin(1, 2, 4)),
    interests=(("Drama", 0.6), (None, 0.4)),
    card=CARD,
)
COMPARISON = Comparison("popularity", "ndcg", 10, 9, (Difference("als", 0.2, 0.1, 0.3, 0.004),))
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
    shape=SHAPE,
    quarantine=QUARANTINE,
    expectations=EXPECTED,
    features=FEATURES,
    profiles=PROFILES,
    comparison=COMPARISON,
)
HEADINGS = {
    "metrics": "How good the lists are",
    "ratings": "How close the predicted ratings are",
    "predictions": "Predicted against actual",
    "lists": "Some users",
    "profiles": "What users are like",
    "shape": "The data",
    "quarantine": "What was put aside",
    "expectations": "What the data was expected to be like",
    "features": "What tells of the label",
    "curves": "Training",
    "models": "Models",
    "stages": "Stages",
    "versions": "Tables",
}


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


def text_of(page: str) -> str:
    """What a reader sees, without tags and with single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def test_a_full_page_stands_by_itself() -> None:
    page = render(FULL)
    outline = Outline(page)
    assert outline.headings == list(HEADINGS.values())
    assert len(set(outline.ids)) == len(outline.ids)
    assert [link for link in outline.fetched if not link.startswith("#")] == []
    assert not re.search(r"https?:|src=|@import|url\((?!#)", page)
    assert len(page) < 1_000_000


def test_the_contents_name_every_part_and_nothing_else() -> None:
    outline = Outline(render(FULL))
    anchors = [link[1:] for link in outline.fetched if link[1:] in outline.ids]
    assert len(anchors) >= len(HEADINGS)
    page = render(ReportData(OVERVIEW, models=FULL.models))
    assert re.findall('href="#([^"]*)"', page)[0] == "models"
    assert 'href="#data"' not in page


def test_only_the_header_without_data() -> None:
    empty = ReportData(Overview("toy", "implicit", "", AT))
    outline = Outline(render(empty))
    assert outline.headings == []
    assert "svg" not in outline.open


@pytest.mark.parametrize("field", HEADINGS)
def test_a_part_stands_alone_where_there_is_no_other(field: str) -> None:
    page = render(ReportData(OVERVIEW, **{field: getattr(FULL, field)}))
    assert Outline(page).headings == [HEADINGS[field]]


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("timeline", "Events per day"),
        ("activity", "Events per user"),
        ("tail", "The long tail"),
    ],
)
def test_a_part_of_the_shape_without_data_is_left_out(part: str, shown: str) -> None:
    assert shown in render(ReportData(OVERVIEW, shape=SHAPE))
    page = render(ReportData(OVERVIEW, shape=replace(SHAPE, **{part: None})))
    assert shown not in page
    Outline(page)


def test_profiles_without_interests_visits_or_card() -> None:
    bare = replace(PROFILES, interests=(), visits=(), card=None, quantities=())
    page = render(ReportData(OVERVIEW, profiles=bare))
    shown = re.compile("Interests|Visits per week|as the models see them")
    assert len(shown.findall(render(ReportData(OVERVIEW, profiles=PROFILES)))) == 4
    assert not shown.search(page)
    Outline(page)


def test_text_is_escaped_wherever_it_comes_from() -> None:
    item = ShownItem(EVIL, EVIL, (EVIL,), taken=True, reason=EVIL, score=1.0)
    overview = replace(OVERVIEW, dataset=EVIL, run_id=EVIL, command=EVIL, repro=EVIL, served=EVIL)
    page = render(
        ReportData(
            overview,
            models=(Model(EVIL, EVIL, 1, 1.0, {EVIL: EVIL, "list": [EVIL]}),),
            metrics=(MetricsTable("all", 10, {EVIL: {"ndcg": Figure(0.1, 0.0, 0.2, 1)}}),),
            ratings=(MetricsTable("all", None, {EVIL: {"rmse": Figure(0.1, 0.0, 0.2, 1)}}),),
            comparison=Comparison(EVIL, "ndcg", 10, 9, (Difference(EVIL, 0.2, 0.1, 0.3, 0.4),)),
            curves=(Curve(EVIL, ((0, 1.0),), ((0, 2.0),)),),
            predictions=(Prediction(EVIL, SPREADS),),
            lists=Lists(EVIL, AT, True, (UserLists(EVIL, (item,), (item, replace(item))),)),
            profiles=replace(
                PROFILES,
                interests=((EVIL, 1.0),),
                card=Card(EVIL, {EVIL: EVIL}, {}, {EVIL: 1, "x": 1}, ((EVIL, 1.0),), (item,)),
            ),
            shape=replace(
                SHAPE,
                types=(EventType(EVIL, 1, 1, 1.0, None, None),),
                timeline=Timeline("day", DAYS[:1], ((EVIL, (1,)), (None, (1,)))),
            ),
            expectations=(Expected(EVIL, EVIL, EVIL, EVIL, EVIL, False),),
            features=Features(1, 0, (Telling(EVIL, 1.0, EVIL),), ((EVIL, 1),), (EVIL,)),
            quarantine=Quarantine(1, (Rejected(EVIL, 1, EVIL, EVIL, None),)),
            stages=(Stage(EVIL, EVIL, "failed", 1, 1.0, EVIL),),
            versions=(TableVersions(EVIL, (1,), (2,)),),
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 35
    Outline(page)


def judged(ndcg: dict[str, float], *differences: Difference) -> str:
    """The headline over models with these values."""
    rows = {
        kind: {"ndcg": Figure(n, None, None, 9), "hit": Figure(0.5, None, None, 9)}
        for kind, n in ndcg.items()
    }
    tested = replace(COMPARISON, differences=differences) if differences else None
    page = render(ReportData(OVERVIEW, metrics=(MetricsTable("all", 10, rows),), comparison=tested))
    found = re.search(r'<p class="headline">(.*?)</p>', page, re.DOTALL)
    assert found
    return text_of(found[1])


def test_the_headline_says_what_is_certain_and_what_not() -> None:
    both = {"als": 0.4, "popularity": 0.25}
    sure, unsure = (
        Difference("als", 0.15, 0.1, 0.2, 0.0004),
        Difference("als", 0.15, -0.1, 0.4, 0.25),
    )
    begin = (
        "als makes the best lists: an NDCG@10 of 0.400; 50.0 % of users find something they take"
    )
    assert judged(both, sure).startswith(begin)
    assert "That is significantly better than popularity" in judged(both, sure)
    assert "+0.150 (+0.100 to +0.200), p < 0.001" in judged(both, sure)
    assert "not significantly better than popularity" in judged(both, unsure)
    assert "+0.150 (−0.100 to +0.400), may be chance, p = 0.25" in judged(both, unsure)
    assert "was not tested" in judged(both)
    assert "popular" not in judged({"als": 0.4})


def test_the_headline_admits_that_popularity_is_best() -> None:
    rival = Difference("als", -0.15, -0.2, -0.1, 0.01)
    text = judged({"recent_popularity": 0.4, "popularity": 0.3, "als": 0.25}, rival)
    assert text.startswith("No model beats popularity. recent_popularity, the same list for")
    assert "The best of the others, als, reaches 0.250: −0.150" in text
    assert "The best of the others" not in judged({"popularity": 0.3})


def test_the_strongest_popular_list_is_what_others_are_held_against() -> None:
    text = judged({"als": 0.4, "recent_popularity": 0.3, "popularity": 0.2})
    assert "recent_popularity, the same list for everybody, reaches 0.300" in text


def test_the_data_in_words() -> None:
    page = render(ReportData(OVERVIEW, shape=SHAPE, quarantine=QUARANTINE, profiles=PROFILES))
    text = text_of(page)
    assert "5.0 % occur in an event: the table is 95.0 % empty" in text  # 1,000 of 200 × 100
    assert "empty. The top 1 % of items hold 23.0 % of the events, the top 10 % 61.0 %" in text
    assert (
        "Half of the users have 17 events or fewer, the middle half 3 to 41, the busiest 512"
        in text
    )
    assert "655 rows of the source were rejected, 5.0 % of the 13,000" in text
    assert "12 events have no time" in text
    assert "item id missing655" in text
    assert "views and clicks per visit" not in text  # nobody has any


def test_all_other_categories_come_last_and_have_no_bar() -> None:
    liked = replace(PROFILES, interests=((None, 0.6), ("Drama", 0.3), ("War", 0.1)), card=None)
    page = render(ReportData(OVERVIEW, profiles=liked))
    rows = re.findall(r'<th scope="row">([^<]*)</th><td[^>]*>(?:<i style="width: ([^"]*)")?', page)
    assert rows[-3:] == [("Drama", "100.0%"), ("War", "33.3%"), ("everything else", "")]


def test_a_share_of_less_than_an_item_holds_nothing() -> None:
    few = replace(SHAPE, tail=replace(SHAPE.tail, items=50))
    text = text_of(render(ReportData(OVERVIEW, shape=few)))
    assert "The top 10 % of items hold 61.0 %" in text
    assert "top 1 %" not in text


def test_only_as_many_types_as_can_be_told_apart() -> None:
    many = Timeline("day", DAYS[:2], (*((f"t{n}", (n, 1)) for n in range(9)), (None, (5, 5))))
    few = few_series(many)
    assert [name for name, _ in few.series] == ["t0", "t1", "t2", "t3", "t4", None]
    assert few.series[-1][1] == (5 + 6 + 7 + 8 + 5, 5 + 4)
    assert few_series(few) == few


def test_a_page_at_all_its_bounds_is_small() -> None:
    days = tuple(date(2020, 1, 1) + timedelta(days=n) for n in range(150))
    item = ShownItem(
        "a", "An item with a long title " * 8, ("Drama",) * 3, taken=True, score=0.5, reason="why"
    )
    lists = UserLists("u", (item,) * 10, (item,) * 10)
    epochs = tuple((n, 1 / (n + 1)) for n in range(2_000))
    kinds = [f"model_{n}" for n in range(12)]
    figures = {
        name: Figure(0.1234, 0.1, 0.2, 999) for name in ("ndcg", "recall", "hit", "map", "mrr")
    }
    data = replace(
        FULL,
        models=tuple(Model(k, k, 1, 1.0, {f"p{n}": n for n in range(20)}) for k in kinds),
        metrics=tuple(
            MetricsTable(s, 10, dict.fromkeys(kinds, figures)) for s in ("all", "warm", "cold")
        ),
        curves=tuple(Curve(k, epochs, epochs) for k in kinds[:4]),
        predictions=tuple(Prediction(k, SPREADS * 5) for k in kinds),
        lists=Lists("als-1", AT, True, (lists,) * 3),
        shape=replace(
            SHAPE,
            timeline=Timeline("day", days, tuple((f"t{n}", tuple(range(150))) for n in range(13))),
        ),
        quarantine=Quarantine(
            20, tuple(Rejected(f"r{n}", 1, "x" * 120, "f", n) for n in range(20))
        ),
        versions=tuple(TableVersions(f"t{n}", tuple(range(20)), ()) for n in range(60)),
    )
    page = render(data)
    assert 200_000 < len(page.encode()) < 3_000_000
    Outline(page)


def test_the_best_of_a_column_is_marked_the_lowest_of_errors() -> None:
    assert re.findall(r'class="n best">([\d.]+)', render(FULL)) == [
        *("0.500", "0.0100"),  # ndcg and coverage, in the segment of all users
        *("0.500", "0.0100"),
        "1.000",
    ]


def test_what_was_taken_later_is_marked() -> None:
    assert '<li class="taken">' not in render(ReportData(OVERVIEW, lists=FULL.lists))
    hit = replace(LISTS, shown=(ShownItem("b", "Beta", taken=True),))
    page = render(ReportData(OVERVIEW, lists=Lists("als-1", AT, False, (hit,))))
    assert re.search(r'<li class="taken">\s*<span class="title">Beta</span>', page)


def test_scores_stand_beside_what_is_shown() -> None:
    page = render(ReportData(OVERVIEW, lists=FULL.lists))
    assert re.search(r'<span class="score">0.123</span>\s*<span class="title">Beta', page)
    assert page.count('class="score"') == 1


def test_the_command_and_the_one_that_does_it_again() -> None:
    overview = replace(OVERVIEW, command="tastemill run --x", repro="tastemill run --repro 'a b'")
    text = text_of(render(ReportData(overview)))
    assert "Made bytastemill run --x Done again bytastemill run --repro 'a b'" in text


@pytest.mark.parametrize(
    "plot",
    [
        plots.intervals({"a": Figure(0.1, None, None, 1)}, "NDCG@10"),
        plots.loss_curve(Curve("a", tuple((e, 1.0) for e in range(40)), ())),
        plots.rating_spread(SPREADS, "a"),
        plots.calibration((Decile(3, 0.0, 0.0),), "a"),
        shape_plots.over_time(Timeline("month", DAYS[:1], (("a", (3,)),)), AT),
        shape_plots.long_tail(Tail(1, ((1.0, 1.0),))),
        shape_plots.histogram((Bin(0.125, 0.25, 1), Bin(0.25, 0.5, 0)), "visits", "users"),
    ],
)
def test_plots_take_their_colours_from_the_page(plot: str) -> None:
    assert plot.startswith('<svg role="img" aria-label=')
    assert "var(--first)" in plot
    assert "#0102" not in plot


def test_equal_data_make_equal_pages() -> None:
    assert render(FULL) == render(FULL)


def score_bin(rows: int, expected: float, taken: float) -> Row:
    return Row(rows=rows, weight=float(rows), predicted=expected / rows, actual=taken / rows)


def test_tenths_of_whole_bins() -> None:
    found = deciles([score_bin(5, 5 * b / 100, float(b % 2)) for b in range(20)])
    assert [d.num_examples for d in found] == [10] * 10
    assert found[0] == Decile(10, pytest.approx(0.005), pytest.approx(0.1))
    assert deciles([]) == ()
    one = deciles([score_bin(90, 9.0, 18.0), score_bin(10, 5.0, 4.0)])
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
    assert [numbers.percent(v) for v in (0.0, 1.0, 0.99999, 0.5, 0.0445, 0.0012, 1e-7)] == [
        *("0\u202f%", "100\u202f%", "100\u202f%", "50.0\u202f%", "4.5\u202f%"),
        *("0.12\u202f%", "< 0.01\u202f%"),
    ]
    assert [numbers.signed(v) for v in (0.1, -0.1, -0.0001)] == ["+0.100", "−0.100", "0.000"]
    p_values = (0.0001, 0.012, 0.5, 1.0)
    assert [numbers.p_value(v) for v in p_values] == [
        *("p\u00a0<\u00a00.001", "p\u00a0=\u00a00.012", "p\u00a0=\u00a00.50", "p\u00a0=\u00a01.00"),
    ]
    assert [numbers.score(v) for v in (0.13, 123.4, -0.5, 12_345.0)] == [
        *("0.130", "123", "−0.500", "1.23e+04"),
    ]
    assert [numbers.short(v) for v in (0.0, 0.01234, 12.345, -3.0, 12_345.6)] == [
        *("0", "0.0123", "12.3", "-3", "12,346"),
    ]
    assert [numbers.parameter(v) for v in (0.1, 3, "a", None, [1, 2])] == [
        *("0.1", "3", '"a"', "null", "[1, 2]"),
    ]


def test_expectations_that_do_not_hold_are_counted_and_marked() -> None:
    page = render(ReportData(OVERVIEW, expectations=EXPECTED))
    assert "2 expectations under" in page
    assert "1 don’t hold" in page
    assert page.count("<b>no</b>") == 1
    assert "all hold" in render(ReportData(OVERVIEW, expectations=EXPECTED[1:]))


def test_features_that_are_kept_stand_out() -> None:
    page = render(ReportData(OVERVIEW, features=FEATURES))
    assert "40 of 120 features are kept" in page
    picture = page[page.index("what each feature tells of the label") :]
    assert picture.index("item_price") < picture.index("item_colour")
    assert "var(--first)" in picture
    assert "var(--muted)" in picture
    assert re.search(r"weak</th><td class=\"n\">70</td>", page)
    assert "In the test these lie elsewhere than in what is learned from: item_price." in page
    quiet = render(ReportData(OVERVIEW, features=replace(FEATURES, skewed=(), reasons=())))
    assert "Why the others" not in quiet
    assert "lie elsewhere" not in quiet


def test_a_picture_of_features_for_a_notebook_has_its_own_colours() -> None:
    picture = as_html(FEATURES)
    assert "item_colour" in picture
    used = set(re.findall(r"var\((--\w+)\)", picture))
    assert used
    assert all(f"{name}: #" in picture for name in used)
