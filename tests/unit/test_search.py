"""Pairs that tell together what neither tells alone: planted ones are found, and nothing else."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from tastemill.features import search as module
from tastemill.features.association import association
from tastemill.features.one_pass import SUMS, of_partition
from tastemill.features.search import Gain, Search
from tastemill.features.together import (
    STEPS,
    Choice,
    Counted,
    Tables,
    buckets_of,
    count_of,
    steps_of,
    tables_of,
)

ROWS = 20_000
HOUR, KIND, SHADE, TASTE, MOOD, NOISE = range(6)
PAIRS = [(a, b) for a in (HOUR, KIND, SHADE) for b in (TASTE, MOOD, NOISE)]
Rows = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Taste and kind tell the label where they are equal, mood and hour half as often.

    Shade goes with kind but for a tenth of the rows. Hour and noise tell something alone.
    """
    random = np.random.default_rng(2)
    hour, kind, taste, mood, noise = (random.integers(0, 6, ROWS) for _ in range(5))
    shade = np.where(random.random(ROWS) < 0.9, kind, random.integers(0, 6, ROWS))
    chance = 0.1 + 0.4 * (taste == kind) + 0.2 * (mood == hour) + 0.1 * (hour > 2)
    label = (random.random(ROWS) < chance + 0.1 * (noise > 2)).astype(np.float64)
    return np.column_stack([hour, kind, shade, taste, mood, noise]), label


class Passes:
    """Counts how often it is asked, and about how much."""

    def __init__(self, rows: Rows) -> None:
        self.categorical, self.label = rows
        self.sizes = tuple(int(column.max()) + 1 for column in self.categorical.T)
        self.edges = np.unique(self.label)[1:]
        self.asked: list[int] = []

    def __call__(self, what: Counted) -> np.ndarray:
        self.asked.append(what.shape[0])
        columns = {"categorical": list(self.categorical.astype(np.int32)), "label": self.label}
        batch = pa.RecordBatch.from_pydict(columns)
        count = of_partition(math.prod(what.shape), count_of(what))
        (found,) = count([batch.slice(0, 7_000), batch.slice(7_000)])
        assert found.schema.names == [column.split()[0] for column in SUMS.split(", ")]
        return tables_of(what, found)

    def told(self, *choices: Choice) -> list[float]:
        found = self(Tables(choices, self.sizes, self.edges))
        return [association(counts).told for counts in found]

    def best(
        self, pairs: Sequence[Choice], budget: int, least: float = 1e-3, gain: Gain | None = None
    ) -> dict[Choice, float]:
        gain = gain or Gain(len(self.label), 0.01)
        return Search(self, gain, self.sizes, self.edges).best(pairs, budget, least)


def test_planted_pairs_are_found_and_their_echo_is_not(rows: Rows) -> None:
    ask = Passes(rows)
    found = ask.best(PAIRS, budget=4)
    assert list(found) == [(KIND, TASTE), (HOUR, MOOD)]
    assert len(ask.asked) <= 1 + 2
    (echo,) = ask.told((SHADE, TASTE))
    assert echo > found[HOUR, MOOD]  # but nothing that isn't told


def test_two_features_that_tell_apart_are_no_pair(rows: Rows) -> None:
    assert min(Passes(rows).told((HOUR,), (NOISE,), (HOUR, NOISE))) > 0.005
    assert Passes(rows).best([(HOUR, NOISE)], budget=1) == {}


def test_a_budget_is_kept_and_costs_a_pass_each(rows: Rows) -> None:
    ask = Passes(rows)
    assert list(ask.best(PAIRS, budget=1)) == [(KIND, TASTE)]
    assert ask.asked == [6 + len(PAIRS)]
    assert ask.best(PAIRS, budget=0) == {}
    assert ask.best([], budget=3) == {}


def test_pairs_beyond_the_rivals_of_a_pass_get_their_turn(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RIVALS", 1)
    found = Passes(rows).best(PAIRS, budget=4)
    assert list(found) == [(KIND, TASTE), (HOUR, MOOD)]


def of_noise(size: int, chance: float) -> Callable[[np.random.Generator], Rows]:
    def draw(random: np.random.Generator) -> Rows:
        one, other = random.integers(0, 24, ROWS), random.zipf(1.3, ROWS) % size
        return np.column_stack([one, other]), (random.random(ROWS) < chance).astype(np.float64)

    return draw


@pytest.mark.parametrize("size", [300, 1_000])
@pytest.mark.parametrize("chance", [0.2, 0.5])
def test_noise_of_many_values_gains_nothing(size: int, chance: float) -> None:
    """A few rows in each bucket: their information by chance is far from degrees / (2 rows)."""
    for seed in range(10):
        rows = of_noise(size, chance)(np.random.default_rng(seed))
        assert Passes(rows).best([(0, 1)], 1, least=0.0, gain=Gain(ROWS, 0.01 / 40)) == {}


def test_another_name_of_a_feature_is_an_echo_however_many_are_asked_about() -> None:
    random = np.random.default_rng(5)
    kind, taste = random.integers(0, 150, ROWS), random.integers(0, 150, ROWS)
    label = (random.random(ROWS) < np.where(kind % 3 == taste % 3, 0.7, 0.1)).astype(np.float64)
    others = random.integers(0, 6, (ROWS, 30))
    columns = np.column_stack([kind, (kind * 7) % 150, taste, others])
    pairs = [(a, b) for a in (0, 1, *range(3, 18)) for b in (2, *range(18, 33))]
    found = Passes((columns, label)).best([tuple(sorted(p)) for p in pairs], budget=3)
    assert len({(0, 2), (1, 2)} & set(found)) == 1


@pytest.mark.parametrize("size", [30, 300])
def test_a_second_pair_of_many_values_is_found(size: int) -> None:
    """Four features of 300 values have more combinations than there are rows."""
    random, rows = np.random.default_rng(8), 200_000
    columns = random.integers(0, size, (rows, 5))
    kind, brand, taste, mood, _ = columns.T
    alike, too = (kind % 5 == taste % 5), (brand % 4 == mood % 4)
    label = (random.random(rows) < 0.1 + 0.3 * alike + 0.25 * too).astype(np.float64)
    pairs = [(item, user) for item in (0, 1) for user in (2, 3, 4)]
    assert list(Passes((columns, label)).best(pairs, budget=4)) == [(0, 2), (1, 3)]


def test_steps_have_about_as_many_rows_each_and_rise_with_the_score() -> None:
    random = np.random.default_rng(9)
    rows = random.integers(0, 50, 4_096)
    ones = random.binomial(rows, random.random(4_096))
    steps = steps_of(np.column_stack([rows - ones, ones]))
    assert set(steps[rows == 0]) == {0}
    in_step = np.bincount(steps, weights=rows, minlength=STEPS)
    assert in_step.max() < 1.2 * in_step.min()
    shares = np.bincount(steps, weights=ones) / in_step
    assert (np.diff(shares) > -0.02).all()
    assert steps_of(np.zeros((4, 2), dtype=np.int64)).tolist() == [0, 0, 0, 0]


def test_what_is_counted_is_the_exact_table(rows: Rows) -> None:
    categorical, label = rows
    table = np.zeros((36, 2), dtype=np.int64)
    np.add.at(table, (categorical[:, KIND] * 6 + categorical[:, TASTE], label.astype(int)), 1)
    assert Passes(rows).told((KIND, TASTE)) == [association(table).told]


def test_few_combinations_have_a_bucket_each_and_many_are_spread() -> None:
    every = np.array([(a, b) for a in range(50) for b in range(40)])
    exact = buckets_of(every, (0, 1), (50, 40), 2_048)
    assert len(set(exact)) == 2_000
    hashed = buckets_of(every, (0, 1), (50, 40), 1_024)
    assert hashed.min() >= 0
    assert hashed.max() < 1_024
    # 2,000 balls leave 1,024 (1 - 1/1,024)^2,000 = 145 buckets empty.
    assert 1_024 - len(set(hashed)) == pytest.approx(145, abs=40)
