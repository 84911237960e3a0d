"""Expectations: which make sense, and how far a column has moved."""

import math

import pytest
from pydantic import ValidationError
from scipy.stats import ks_2samp

from tastemill.config.load import Request, load_config
from tastemill.errors import UsageError
from tastemill.line.stages import Plan
from tastemill.quality.config import Expectation
from tastemill.quality.drift import Bins, ks, psi
from tastemill.quality.measure import edges_of

EDGES = (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"column": "value"},
        {"known": 0.5},
        {"column": "value", "known": 1.5},
        {"column": "value", "max_psi": 0.0},
        {"column": "value", "unique": ["event_id"]},
        {"column": "value", "min": 1.0},
    ],
)
def test_what_expects_nothing_or_too_much_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Expectation.model_validate(values)


def test_nothing_is_expected_twice() -> None:
    twice = "[{column='value', max_psi=0.1}, {column='value', known=1.0, max_psi=0.2}]"
    with pytest.raises(UsageError, match="events: psi of value stands twice"):
        load_config(Request("movielens-1m", settings=(f"quality.tables.events={twice}",)))


def test_a_heavy_value_and_what_lies_outside_have_bins_of_their_own() -> None:
    """Of 95 % ones; a value falls into bin i where i edges are at or below it."""
    edges = edges_of([0.5, *[1.0] * 9, 7.0])

    def bin_of(value: float) -> int:
        return sum(edge <= value for edge in edges)

    values = (0.4, 0.5, 1.0, 2.0, 7.0, 7.5)
    assert [bin_of(value) for value in values] == [0, 1, 2, 3, 4, 5]
    assert edges_of(None) == edges_of([]) == ()
    assert len(edges_of([float(n) for n in range(11)])) == 12


def test_the_gate_is_part_of_a_line_that_expects_something() -> None:
    settings = ("quality.tables.events=[{unique=['event_id']}]",)
    without, gated = (load_config(Request("movielens-1m", settings=s)) for s in ((), settings))
    names = [name for _, name in Plan().stages(gated)]
    assert names.index("check_quality") == names.index("train_baselines") - 1
    assert names.count("check_quality") == 1
    names.remove("check_quality")
    assert names == [name for _, name in Plan().stages(without)]


def test_features_and_their_ranker_are_part_of_a_line_that_wants_them() -> None:
    def names(*settings: str) -> list[str]:
        cfg = load_config(Request("movielens-1m", settings=settings))
        return [name for _, name in Plan().stages(cfg)]

    without = names()
    assert "build_features" not in without
    built = names("features.enabled=true")
    assert built.index("build_features") == built.index("build_examples") + 1
    assert "train_ranker" not in built
    ranked = names("ranker.enabled=true")
    assert ranked.index("build_features") < ranked.index("train_ranker") < ranked.index("recommend")
    assert len(ranked) == len(built) + 1 == len(without) + 2


def test_the_index_by_hand() -> None:
    before, now = Bins(EDGES, (50, 30, 20, 0, 0)), Bins(EDGES, (25, 30, 45, 0, 0))
    by_hand = 0.25 * math.log(2) + 0.25 * math.log(45 / 20)
    assert psi(before, now) == pytest.approx(by_hand)
    assert psi(before, Bins(EDGES, (5, 3, 2, 0, 0))) == 0  # fewer rows, the same shares
    # A bin that was empty counts as a ten-thousandth.
    some = psi(Bins(EDGES, (100, 0, 0, 0, 0)), Bins(EDGES, (90, 10, 0, 0, 0)))
    assert some == pytest.approx(0.1 * math.log(1 / 0.9) + (0.1 - 1e-4) * math.log(1_000))
    assert psi(Bins(EDGES, (9, 0, 0, 0, 1)), Bins(EDGES, (5, 0, 0, 0, 5))) > 0.5  # more missing


def test_the_distance_is_scipys_where_bins_tell_all() -> None:
    before, now = (50, 30, 20, 0), (25, 30, 40, 5)
    one, other = ([n for n, times in enumerate(c) for _ in range(times)] for c in (before, now))
    expected = ks_2samp(one, other).statistic
    assert ks(Bins(EDGES, (*before, 7)), Bins(EDGES, (*now, 0))) == pytest.approx(expected)
    nothing = Bins(EDGES, (0, 0, 0, 0, 0))
    assert ks(nothing, nothing) == psi(nothing, nothing) == 0
