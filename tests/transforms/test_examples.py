"""Examples against a slow reference, and that no example sees its own event or what came later."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import log1p
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config import DatasetConfig, SplitConfig
from tastemill.examples import Recipe, build_examples
from tastemill.negatives import ExamplesConfig
from tastemill.profiles.before import NUM_FOLDS
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import Moment
from tastemill.profiles.items import build_item_profiles
from tastemill.profiles.users import build_user_profiles
from tastemill.splits import with_split
from tastemill.times import Times

START = datetime(2020, 1, 1, tzinfo=UTC)
VALID, CUT = START + timedelta(days=60), START + timedelta(days=80)
TIMES = Times(VALID, CUT, START + timedelta(days=101))
CFG = ProfilesConfig(num_categories=3, half_life_days=10, prior_events=5)
RATING = DatasetConfig(task="rating", positive_min=3.0)
IMPLICIT = DatasetConfig(task="implicit", positive_min=3.0, event_weights={"purchase": 2.5})
EVENTS = (
    "event_id string, user_id string, user_idx int, item_id string, item_idx int, "
    "event_type string, value double, dwell_seconds double, session_id string, "
    "event_time timestamp, event_date date, source_file string, source_row bigint"
)
NAMES = [column.split()[0] for column in EVENTS.split(", ")]
SHARES = "item_id string, item_idx int, shares array<double>, released_on date"
# 5 has events long before: the day of the first one counts.
RELEASED = {4: (START + timedelta(days=50)).date(), 5: (START + timedelta(days=900)).date()}
VECTORS = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
VECTORS += [[0.25, 0.25, 0.5], [0.0, 0.5, 0.5]]
Event = dict[str, Any]
Found = dict[tuple[str, int], Any]


def history(seed: int = 3, *, unknown: float = 0.0, num: int = 90) -> list[Event]:
    """Events of 5 users on 6 of 7 items over 100 days, many at the same time; the last is late."""
    rng = random.Random(seed)
    events = []
    for n in range(num):
        at = START + timedelta(days=rng.randrange(100))
        lost = rng.random() < unknown
        events.append(
            event(
                n, rng.randrange(5), rng.randrange(6), None if lost else at, rng.choice([None, 1.0])
            )
        )
        events[-1]["value"] = rng.choice([None, 1.0, 2.0, 3.0, 4.0, 5.0])
        events[-1]["event_type"] = rng.choice(["view", "purchase"])
        events[-1]["source_file"] = rng.choice("gf")
    return [*events, event(num, 5, 6, CUT + timedelta(days=5), 4.0)]


def event(n: int, user: int, item: int, at: datetime | None, value: float | None) -> Event:
    return {
        "event_id": f"e{n}",
        "user_id": f"u{user}",
        "user_idx": user,
        "item_id": f"i{item}",
        "item_idx": item,
        "event_type": "rating",
        "value": value,
        "dwell_seconds": None,
        "session_id": None,
        "event_time": at,
        "event_date": at.date() if at else None,
        "source_file": "f",
        "source_row": n,
    }


def frame(spark: SparkSession, events: list[Event]) -> DataFrame:
    return spark.createDataFrame([tuple(e[name] for name in NAMES) for e in events], EVENTS)


def shares(spark: SparkSession) -> DataFrame:
    rows = [(f"i{n}", n, v, RELEASED.get(n)) for n, v in enumerate(VECTORS)]
    return spark.createDataFrame(rows, SHARES)


def recipe(dataset: DatasetConfig, **examples: Any) -> Recipe:
    return Recipe("backtest", TIMES, dataset, CFG, ExamplesConfig(**examples))


def examples_of(spark: SparkSession, events: list[Event] | DataFrame, what: Recipe) -> Found:
    given = events if isinstance(events, DataFrame) else frame(spark, events)
    args = (SplitConfig(), what.times, what.purpose, what.dataset.positive_min)
    built = build_examples(with_split(given, *args), shares(spark), what)
    assert built.columns == tables.EXAMPLES.columns
    rows = built.collect()
    found = {(row.event_id, row.n): row for row in rows}
    assert len(found) == len(rows)
    return found


def order(event: Event) -> tuple[bool, datetime, str, int]:
    at = event["event_time"]
    return (at is not None, at or START, event["source_file"], event["source_row"])


def is_later(one: datetime | None, other: datetime | None) -> bool:
    """Unknown times may be any."""
    return one is not None and other is not None and one > other


def hours(at: datetime) -> int:
    return int(at.timestamp()) // 3600


def was_there(event: Event, item: int, events: list[Event]) -> bool:
    """Released, or met by anyone in an hour before; of unknown times nothing is known."""
    met = [e["event_time"] for e in events if e["item_idx"] == item and before_cut(e)]
    at = event["event_time"]
    if not met or at is None or None in met:
        return bool(met)
    return at.date() >= RELEASED.get(item, date.max) or hours(at) > hours(min(met))


def before_cut(event: Event) -> bool:
    return event["event_time"] is None or event["event_time"] < CUT


class Reference:
    """The vectors of a row by plain loops over all events."""

    def __init__(self, events: list[Event], folds: dict[str, int] | None = None) -> None:
        self.events = sorted(events, key=order)
        self.folds = folds
        past = [e for e in events if before_cut(e)]
        values = [e["value"] for e in past if e["value"] is not None]
        self.mean = sum(values) / len(values)
        self.oldest = min(e["event_time"] for e in past if e["event_time"])

    def seen(self, row: Event, key: str, of: Any) -> list[Event]:
        """What a row may know of a user or an item."""
        past = [e for e in self.events if e[key] == of and before_cut(e)]
        lost = any(e["event_time"] is None for e in past)
        if self.folds and lost and before_cut(row):
            return [e for e in past if self.folds[e["event_id"]] != self.folds[row["event_id"]]]
        return [e for e in past if order(e) < order(row)]

    def numbers(self, seen: list[Event]) -> list[float]:
        values = [e["value"] - self.mean for e in seen if e["value"] is not None]
        return [log1p(len(seen)) / 10, sum(values) / (len(values) + CFG.prior_events)]

    def user(self, row: Event) -> list[float]:
        seen = self.seen(row, "user_idx", row["user_idx"])
        sums = np.zeros(3)
        for e in seen:
            if e["value"] is None or e["value"] >= 3.0:
                age = (CUT - (e["event_time"] or self.oldest)) / timedelta(days=1)
                sums += 2 ** (-age / CFG.half_life_days) * np.array(VECTORS[e["item_idx"]])
        return [*(sums / sums.sum() if sums.sum() else sums), *self.numbers(seen)]

    def item(self, row: Event, item: int) -> list[float]:
        return [*VECTORS[item], *self.numbers(self.seen(row, "item_idx", item))]


def folds_of(spark: SparkSession, events: list[Event]) -> dict[str, int]:
    fold = F.pmod(F.xxhash64("event_id"), F.lit(NUM_FOLDS)).alias("fold")
    rows = frame(spark, events).select("event_id", fold).collect()
    return {row.event_id: row.fold for row in rows}


def check_vectors(events: list[Event], found: Found, reference: Reference) -> None:
    by_id = {e["event_id"]: e for e in events}
    for (event_id, _), row in found.items():
        of = by_id[event_id]
        assert row.user_vector == pytest.approx(reference.user(of), abs=1e-6), of
        assert row.item_vector == pytest.approx(reference.item(of, row.item_idx), abs=1e-6), of


@pytest.mark.parametrize("unknown", [0.0, 0.25])
def test_vectors_of_ratings_equal_the_reference(spark: SparkSession, unknown: float) -> None:
    events = history(unknown=unknown)
    dataset = RATING.model_copy(update={"allow_missing_time": unknown > 0})
    found = examples_of(spark, events, recipe(dataset))
    rated = {e["event_id"]: e for e in events if e["value"] is not None}
    assert {event_id for event_id, n in found if n == 0} == set(rated)
    assert all((row.label, row.weight) == (rated[i]["value"], 1.0) for (i, _), row in found.items())
    folds = folds_of(spark, events) if unknown else None
    check_vectors(events, found, Reference(events, folds))


@pytest.mark.parametrize("unknown", [0.0, 0.25])
def test_implicit_examples(spark: SparkSession, unknown: float) -> None:
    events = history(seed=4, unknown=unknown)
    dataset = IMPLICIT.model_copy(update={"allow_missing_time": unknown > 0})
    found = examples_of(spark, events, recipe(dataset, num_negatives=3, seed=5))
    by_id = {e["event_id"]: e for e in events}
    positives = {i for i, e in by_id.items() if e["value"] is None or e["value"] >= 3.0}
    there = {i for i in positives if was_there(by_id[i], by_id[i]["item_idx"], events)}
    assert {event_id for event_id, n in found if n == 0} == there
    assert len(there) > 0.8 * len(positives)
    weights = {"view": 1.0, "purchase": 2.5, "rating": 1.0}
    taken_by: dict[int, list[Event]] = defaultdict(list)
    for i in positives:
        taken_by[by_id[i]["user_idx"]].append(by_id[i])
    known = {e["item_idx"] for e in events if before_cut(e)}
    drawn = 0
    for (event_id, n), row in found.items():
        of = by_id[event_id]
        assert row.user_idx == of["user_idx"]
        if n == 0:
            expected = (of["item_idx"], 1.0, weights[of["event_type"]])
            assert (row.item_idx, row.label, row.weight) == expected
            continue
        drawn += 1
        assert (row.label, row.weight) == (0.0, 1.0)
        assert 1 <= n <= 3
        assert row.item_idx in known
        assert was_there(of, row.item_idx, events)
        at = of["event_time"]
        taken = [e for e in taken_by[of["user_idx"]] if not is_later(e["event_time"], at)]
        assert row.item_idx not in {e["item_idx"] for e in taken}
    assert drawn > 50
    assert {4, 5} <= {row.item_idx for (_, n), row in found.items() if n}
    assert 6 not in {row.item_idx for (_, n), row in found.items() if n}  # first seen after the cut
    check_vectors(events, found, Reference(events, folds_of(spark, events) if unknown else None))


@pytest.mark.slow
def test_draws_depend_on_the_seed_and_nothing_else(spark: SparkSession) -> None:
    events = history(seed=6, num=60)

    def drawn(given: DataFrame, seed: int) -> dict[tuple[str, int], int]:
        found = examples_of(spark, given, recipe(IMPLICIT, seed=seed))
        return {key: row.item_idx for key, row in found.items() if key[1]}

    first = drawn(frame(spark, events), 1)
    assert drawn(frame(spark, events[::-1]).repartition(5), 1) == first
    other = drawn(frame(spark, events), 2)
    assert sum(first[key] != other.get(key) for key in first) > len(first) / 3


def test_popular_items_are_drawn_more_often(spark: SparkSession) -> None:
    """Of 1, 16 and 81 events: by 1, 8 and 27."""
    times = {0: 1, 1: 16, 2: 81}
    met = [item for item, number in times.items() for _ in range(number)]
    # Not enough to be taken; item 3, of which all are, has been met as well.
    looks = [event(n, n, item, START, 1.0) for n, item in enumerate([*met, 3])]
    taken = [event(n, n, 3, START + timedelta(days=1), 5.0) for n in range(1_000, 2_000)]

    def drawn(negatives: str) -> dict[int, int]:
        what = recipe(IMPLICIT, num_negatives=2, negatives=negatives)
        found = examples_of(spark, [*looks, *taken], what)
        items = [row.item_idx for key, row in found.items() if key[1]]
        return {item: items.count(item) for item in times}

    popular, alike = drawn("popularity"), drawn("uniform")
    total = sum(popular.values())
    # Item 3 had one look when it was taken: it counts as that, and isn't drawn for who took it.
    assert total == 2_000
    assert popular[1] / total == pytest.approx(8 / 36, abs=0.04)
    assert popular[2] / total == pytest.approx(27 / 36, abs=0.04)
    assert alike[0] / sum(alike.values()) == pytest.approx(1 / 3, abs=0.05)


def test_what_was_met_and_not_taken_comes_first(spark: SparkSession) -> None:
    """Views are exposures, purchases are taken."""
    at = START + timedelta(days=30)

    def of_type(kind: str, n: int, user: int, item: int, days: float) -> Event:
        return event(n, user, item, at + timedelta(days=days), None) | {"event_type": kind}

    events = [
        *(of_type("view", n, 0, item, days) for n, (item, days) in enumerate([
            (1, -1),  # met shortly before
            (2, -6.9), (2, -3),
            (3, -7.1),  # too long ago
            (4, 0),  # at the same moment, which isn't before
            (0, -2), (5, -1),  # taken then, or before
        ])),
        of_type("purchase", 10, 0, 5, -20),
        of_type("purchase", 11, 0, 0, 0),
        of_type("view", 12, 1, 6, -1),  # met by another one
        # So that what can be drawn is known.
        *(of_type("purchase", 20 + item, 7, item, -25) for item in range(7)),
    ]  # fmt: skip
    exposed = {"negatives": "exposure", "types": ["purchase"]}
    found = examples_of(spark, events, recipe(IMPLICIT, num_negatives=3, **exposed))
    # The first that is known of an item is no example: nobody could have been shown it.
    assert {key[0] for key in found} == {"e10", "e11"}
    drawn = [found["e11", n].item_idx for n in (1, 2, 3) if ("e11", n) in found]
    assert set(drawn[:2]) == {1, 2}
    # Two were met; the third is drawn from all, and none that was taken.
    assert not {0, 5} & set(drawn)
    assert found["e11", 0].weight == 2.5
    few = examples_of(spark, events, recipe(IMPLICIT, num_negatives=1, **exposed))
    assert few["e11", 1].item_idx == drawn[0]
    long = examples_of(spark, events, recipe(IMPLICIT, num_negatives=3, exposure_days=8, **exposed))
    assert {long["e11", n].item_idx for n in (1, 2, 3)} == {1, 2, 3}


def test_exposures_need_to_be_told_from_what_is_taken() -> None:
    with pytest.raises(ValueError, match="needs types"):
        ExamplesConfig(negatives="exposure")


def test_no_negatives_where_none_are_wanted_or_left(spark: SparkSession) -> None:
    events = history(seed=6, num=20)
    found = examples_of(spark, events, recipe(IMPLICIT, num_negatives=0))
    assert {n for _, n in found} == {0}
    assert {row.label for row in found.values()} == {1.0}
    everything = [event(n, 0, n, START + timedelta(days=n), None) for n in range(3)]
    # So that all are there from the first day on.
    everything += [event(10 + n, 1, n, START - timedelta(days=1), None) for n in range(3)]
    found = examples_of(spark, everything, recipe(IMPLICIT, num_negatives=2))
    assert not [key for key in found if key[0] == "e2" and key[1]]
    assert [row.item_idx for key, row in found.items() if key[0] == "e1" and key[1]] in (
        [2],
        [2, 2],
    )


def test_no_events(spark: SparkSession) -> None:
    for dataset in (RATING, IMPLICIT):
        assert examples_of(spark, [], recipe(dataset)) == {}


def test_splits_and_purposes(spark: SparkSession) -> None:
    second = timedelta(seconds=1)
    times = [None, START, VALID - second, VALID, CUT - second, CUT, CUT + second]
    events = [event(n, n, 0, at, 4.0) for n, at in enumerate(times)]
    found = examples_of(spark, events, recipe(RATING))
    assert [found[f"e{n}", 0].split for n in range(7)] == [
        *["train"] * 3,
        *["valid"] * 2,
        *["test"] * 2,
    ]
    assert {row.purpose for row in found.values()} == {"backtest"}
    production = Recipe("production", TIMES, RATING, CFG, ExamplesConfig())
    found = examples_of(spark, events, production)
    assert {(row.purpose, row.split) for row in found.values()} == {("production", "train")}
    # The item's history goes on to as_of: the newest row sees all six before it.
    assert found["e6", 0].item_vector[3] == pytest.approx(log1p(6) / 10)


def test_a_test_row_of_unknown_time_sees_all_of_the_past(spark: SparkSession) -> None:
    """Parted by fold, a test row may lie anywhere; and what it lacks says nothing of the past."""
    events = [event(n, n, 0, START + timedelta(days=n), 4.0) for n in range(4)]
    given = frame(spark, [*events, event(4, 4, 0, None, 1.0)])
    parted = given.withColumn("split", F.expr("if(event_id = 'e4', 'test', 'train')"))
    dataset = DatasetConfig(task="rating", positive_min=3.0, allow_missing_time=True)
    rows = build_examples(parted, shares(spark), recipe(dataset)).collect()
    seen = {row.event_id: row.item_vector[3] for row in rows}
    assert seen == {
        f"e{n}": pytest.approx(log1p(before) / 10) for n, before in enumerate((0, 1, 2, 3, 4))
    }


@pytest.mark.slow
def test_vectors_are_the_profiles_of_the_same_moment(spark: SparkSession) -> None:
    events = history(seed=8)
    found = examples_of(spark, events, recipe(RATING))
    given = frame(spark, events)
    nobody = spark.createDataFrame([], tables.USERS.schema)
    items = shares(spark).select("item_id", "item_idx", F.lit(None).cast("double").alias("price"))
    by_item = shares(spark).drop("item_idx")

    def profiles(moment: Moment) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
        users = build_user_profiles(given.where(moment.before), by_item, nobody, moment, CFG, 3.0)
        rows = build_item_profiles(given.where(moment.before), by_item, items, moment, CFG)
        return (
            {r.user_idx: r.user_vector for r in users.collect()},
            {r.item_idx: r.item_vector for r in rows.collect()},
        )

    def alone(row: Any) -> bool:
        same = [e for e in events if e["event_time"] == row.event_time.replace(tzinfo=UTC)]
        keys = [(e["user_idx"], e["item_idx"]) for e in same]
        return len({u for u, _ in keys}) == len({i for _, i in keys}) == len(keys)

    # From the cut on, a row sees the state at the cut, whole.
    users, items_then = profiles(Moment(CUT))
    tests = [row for row in found.values() if row.split == "test"]
    assert len(tests) > 10
    for row in tests:
        assert row.user_vector == pytest.approx(users.get(row.user_idx, [0.0] * 5), abs=1e-6)
        assert row.item_vector == pytest.approx(items_then[row.item_idx], abs=1e-6)
    # Before it, all but the last number, which is relative to the mean at the cut.
    train = sorted((r for r in found.values() if r.split != "test" and alone(r)), key=str)
    for row in random.Random(1).sample(train, 3):
        users, items_then = profiles(Moment(row.event_time.replace(tzinfo=UTC)))
        expected = users.get(row.user_idx, [0.0] * 5)
        assert row.user_vector[:-1] == pytest.approx(expected[:-1], abs=1e-6)
        assert row.item_vector[:-1] == pytest.approx(items_then[row.item_idx][:-1], abs=1e-6)


def changed(event: Event) -> Event:
    """Another item, another value, another type."""
    item = (event["item_idx"] + 1) % 6
    other = {"item_idx": item, "item_id": f"i{item}", "event_type": "view"}
    return event | other | {"value": None if event["value"] == 5.0 else 5.0}


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda later: [changed(e) for e in later], id="changed"),
        pytest.param(lambda later: later[::3], id="removed"),
    ],
)
def test_nothing_later_changes_an_example(
    spark: SparkSession, rewrite: Callable[[list[Event]], list[Event]]
) -> None:
    events = history(seed=9)
    at = START + timedelta(days=40)
    until = [e for e in events if e["event_time"] <= at]
    later = [e for e in events if e["event_time"] > at]
    assert len(until) > 20
    assert len(later) > 20

    def told(given: list[Event]) -> dict[str, Any]:
        found = examples_of(spark, given, recipe(RATING))
        early = {e["event_id"] for e in until}
        return {
            # The last number is relative to the mean of all values before the cut.
            i: (row.label, row.weight, row.split, row.user_vector[:-1], row.item_vector[:-1])
            for (i, _), row in found.items()
            if i in early
        }

    assert told([*until, *rewrite(later)]) == told(events)


@pytest.mark.parametrize("how", ["uniform", "popularity", "exposure"])
def test_nothing_later_changes_a_negative(spark: SparkSession, how: str) -> None:
    """Later rows are changed, so that other items come up and other ones are popular."""
    events = history(seed=9)
    at = START + timedelta(days=40, hours=12)
    until = [e for e in events if e["event_time"] <= at]
    later = [changed(e) for e in events if e["event_time"] > at]
    # On the same day the same user meets much else.
    busy = [event(900 + n, n % 4, n % 6, at + timedelta(minutes=n + 1), None) for n in range(60)]
    types = ["purchase", "rating"] if how == "exposure" else []

    def told(given: list[Event]) -> dict[tuple[str, int], int]:
        what = recipe(IMPLICIT, num_negatives=3, negatives=how, types=types)
        found = examples_of(spark, given, what)
        early = {e["event_id"] for e in until}
        return {key: row.item_idx for key, row in found.items() if key[0] in early and key[1]}

    before = told(events)
    assert told([*until, *later, *busy]) == before
    assert len(before) > 25


def test_nothing_from_the_cut_on_changes_what_came_before(spark: SparkSession) -> None:
    """With the mean: it is fitted before the cut. Negatives too: so is the catalogue."""
    events = history(seed=10)
    past = [e for e in events if e["event_time"] < CUT]
    late = [changed(e) for e in events if e["event_time"] >= CUT]
    early = {e["event_id"] for e in past}

    def told(given: list[Event]) -> Found:
        found = examples_of(spark, given, recipe(IMPLICIT, num_negatives=2))
        return {key: row for key, row in found.items() if key[0] in early}

    assert told([*past, *late]) == told(events)


def test_an_old_history_is_still_a_taste(spark: SparkSession) -> None:
    """A hundred half-lives before the cut a weight is far below any fixed point."""
    old = CUT - timedelta(days=1_000)
    events = [event(0, 0, 0, old, 4.0), event(1, 0, 2, old + timedelta(days=10), 4.0)]
    events.append(event(2, 0, 1, old + timedelta(days=20), 4.0))
    found = examples_of(spark, events, recipe(RATING))
    assert found["e1", 0].user_vector[:3] == pytest.approx([1, 0, 0])
    assert found["e2", 0].user_vector[:3] == pytest.approx([1 / 3, 0, 2 / 3])
