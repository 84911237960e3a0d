"""Features of examples: what they say, and that nothing later than a row is in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from tastemill.errors import DataError
from tastemill.features.extract import EXAMPLE, Extracted, describe, extract
from tastemill.features.feature import Shapes
from tastemill.features.kinds import Kinds
from tastemill.features.known import Known

START = datetime(2024, 1, 1, tzinfo=UTC)
CUT = START + timedelta(days=40)
KINDS = Kinds(CUT, ("view", "purchase"), (1, 7), 10.0, ("brand",), 3.0, searched=True)
EVENTS = (
    "user_idx int, item_idx int, event_type string, value double, dwell_seconds double, "
    "sought int, event_time timestamp"
)
EXAMPLES = (
    "event_id string, n int, user_idx int, item_idx int, event_time timestamp, label double, "
    "weight double, split string, user_vector array<float>, item_vector array<float>"
)
STATES = "since timestamp, until timestamp, indices array<int>"
USERS = f"user_idx int, {STATES}"
ITEMS = f"item_idx int, {STATES}, price double, released_on date, num_categories int"


def history(seed: int = 4, rows: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    at = [START + timedelta(hours=int(h)) for h in random.integers(0, 60 * 24, rows)]
    table = pd.DataFrame(
        {
            "user_idx": random.integers(0, 4, rows),
            "item_idx": random.integers(0, 6, rows).astype(object),
            "event_type": random.choice(["view", "purchase"], rows),
            "value": random.choice([np.nan, 1.0, 4.0], rows),
            "dwell_seconds": random.choice([np.nan, 30.0], rows),
            "sought": None,
            "event_time": at,
        }
    )
    searches = table.sample(12, random_state=1).index
    table.loc[searches, "item_idx"] = None
    # Index 2 or 3 of the first attribute, or words that no item has.
    table.loc[searches, "sought"] = [2, 3, None] * 4
    return table.sort_values("event_time", ignore_index=True)


def examples_of(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What was bought, and as often an item that wasn't; the last is of unknown time."""
    rows = []
    for row in table[(table.event_type == "purchase") & table.item_idx.notna()].itertuples():
        split = "train" if row.event_time < CUT else "test"
        for n, item in enumerate((row.item_idx, (row.item_idx + 1) % 6)):
            vectors = [0.25, 0.75, 9.0], [1.0, 0.0, 9.0]
            key = (f"e{row.Index}", n, row.user_idx, int(item), row.event_time.to_pydatetime())
            rows.append((*key, 1.0 - n, 1.0, split, *vectors))
    return [*rows, ("unknown", 0, 1, 1, None, 1.0, 1.0, "train", *vectors)]


def extracted(
    spark: SparkSession, past: pd.DataFrame, asked: pd.DataFrame, kinds: Kinds = KINDS
) -> Extracted:
    """The past is told up to the cut."""
    told = [
        (*(None if pd.isna(value) else value for value in row[:-1]), row[-1].to_pydatetime())
        for row in past[past.event_time < CUT].astype(object).itertuples(index=False, name=None)
    ]
    released = START.date() - timedelta(days=10)
    always = (None, None)
    items = [(n, *always, [2 + n % 2 if n else 0, 3], 1.5 * n, released, 1) for n in range(5)]
    users = [(n, *always, [2]) for n in range(3)]
    known = Known("item", spark.createDataFrame(items, ITEMS), ("brand", "kind"))
    described = describe(
        spark.createDataFrame(examples_of(asked), EXAMPLES),
        Known("user", spark.createDataFrame(users, USERS), ("gender",)),
        known,
    )
    return extract(spark.createDataFrame(told, EVENTS), described, known, kinds)


def as_table(found: Extracted) -> pd.DataFrame:
    rows = found.rows.orderBy("event_id", "n").collect()
    names = [feature.name for feature in found.numeric]
    assert all(len(row["numeric"]) == len(names) for row in rows)
    table = pd.DataFrame([row["numeric"] for row in rows], columns=names, dtype=float)
    table["key"] = [(row["event_id"], row["n"]) for row in rows]
    table["categorical"] = [row["categorical"] for row in rows]
    return table.set_index("key")


@pytest.fixture(scope="module")
def past() -> pd.DataFrame:
    return history()


@pytest.fixture(scope="module")
def found(spark: SparkSession, past: pd.DataFrame) -> pd.DataFrame:
    return as_table(extracted(spark, past, past))


def test_each_feature_has_a_name_of_its_own_and_a_meaning(
    spark: SparkSession, past: pd.DataFrame
) -> None:
    made = extracted(spark, past, past)
    names = [feature.name for feature in made.numeric]
    assert len(set(names)) == len(names) == 60
    assert all(feature.definition and feature.family for feature in made.numeric)
    assert made.categorical == ("hour", "weekday", "item_brand", "item_kind", "user_gender")
    assert made.rows.columns == [*EXAMPLE, "numeric", "categorical", "recent", "pooled"]


def test_of_one_type_of_events_nothing_is_told_twice(
    spark: SparkSession, past: pd.DataFrame, found: pd.DataFrame
) -> None:
    alone = replace(KINDS, types=())
    made = as_table(extracted(spark, past, past, alone))
    names = set(made.columns) - {"categorical"}
    assert names - set(found.columns) == {"user_value_mean", "item_value_mean"}
    assert not {name for name in names if "_view_" in name or "_purchase_" in name}
    for name in ("user_event_count_7d", "item_event_recency", "user_dwell_mean"):
        pd.testing.assert_series_equal(made[name], found[name])
    row, key = made.iloc[-1], made.index[-1]
    asked = {(r[0], r[1]): r for r in examples_of(past)}[key]
    told = past[(past.event_time < CUT) & (past.event_time < asked[4])]
    mine = told[(told.user_idx == asked[2]) & told.value.notna()]
    assert row.user_value_mean == pytest.approx(mine.value.mean())


def test_figures_worked_out_slowly(past: pd.DataFrame, found: pd.DataFrame) -> None:
    rows = {(row[0], row[1]): row for row in examples_of(past)}
    assert set(found.index) == set(rows) - {("unknown", 0)}
    brand = {0: None, 1: 3, 2: 2, 3: 3, 4: 2}
    for key, row in found.iterrows():
        _, _, user, item, at, *_ = rows[key]
        seen = min(at, CUT)
        before = past[past.event_time < seen]
        of_user, of_item = before[before.user_idx == user], before[before.item_idx == item]
        of_item = of_item[of_item.user_idx != user]
        week = of_user[of_user.event_time >= seen - timedelta(days=7)]
        assert row.user_event_count_lifetime == len(of_user)
        assert row.user_event_count_7d == len(week)
        assert row.user_view_count_7d == (week.event_type == "view").sum()
        assert row.item_purchase_count_lifetime == (of_item.event_type == "purchase").sum()
        views = of_item[of_item.event_type == "view"]
        assert row.item_view_value_mean == pytest.approx(views.value.mean(), nan_ok=True)
        assert row.user_dwell_mean == pytest.approx(of_user.dwell_seconds.mean(), nan_ok=True)
        bought = (of_user.event_type == "purchase").sum()
        assert row.user_purchase_share == pytest.approx(bought / (len(of_user) + 10))
        late = of_item[of_item.event_time >= seen - timedelta(days=7)]
        share = (late.event_type == "view").sum() / (len(late) + 10)
        assert row.item_view_share_7d == pytest.approx(share)
        taken = of_user[~(of_user.value < 3) & of_user.item_idx.notna()].item_idx
        others = taken[taken != item]
        alike = sum(brand.get(other) == brand.get(item) for other in others)
        share = alike / (len(others) + 10) if brand.get(item) else np.nan
        assert row.user_brand_share == pytest.approx(share, nan_ok=True)
        sought = of_user.sought.dropna()
        share = (sought == brand.get(item)).sum() / (len(sought) + 10)
        assert row.user_search_category_share == pytest.approx(
            share if brand.get(item) else np.nan, nan_ok=True
        )
        since = (seen - of_user.event_time.max()).total_seconds() if len(of_user) else np.nan
        assert row.user_event_recency == pytest.approx(since, nan_ok=True)
        since = (seen - of_item.event_time.max()).total_seconds() if len(of_item) else np.nan
        assert row.item_event_recency == pytest.approx(since, nan_ok=True)
        since = (seen - views.event_time.max()).total_seconds() if len(views) else np.nan
        assert row.item_view_recency == pytest.approx(since, nan_ok=True)


def test_visits_worked_out_slowly(spark: SparkSession) -> None:
    """Of one user who comes and goes; the second of two events at once begins no visit."""
    minutes = [0, 0, 20, 45, 80, 80, 2000, 2029, 2029, 2060, 4000]
    kinds = ["view", "purchase", "view"] * 3 + ["view", "purchase"]
    past = (
        history()
        .head(len(minutes))
        .assign(
            user_idx=1,
            item_idx=[n % 6 for n in range(len(minutes))],
            event_type=kinds,
            event_time=[START + timedelta(minutes=m) for m in minutes],
        )
    )
    table = as_table(extracted(spark, past, past))
    for key, row in table.iterrows():
        at = minutes[int(key[0][1:])]
        before = [m for m in minutes if m < at]
        begins = [m for n, m in enumerate(before) if not n or m - before[n - 1] > 30]
        goes_on = bool(before) and at - before[-1] <= 30
        assert row.user_session_count_lifetime == len(begins)
        assert row.user_session_count_1d == sum(at - m <= 1440 for m in begins)
        inside = [m for m in before if goes_on and m >= begins[-1]]
        assert row.user_session_events == len(inside)
        assert row.user_session_seconds == (60 * (at - begins[-1]) if goes_on else 0)
        views = sum(kind == "view" for kind, m in zip(kinds, minutes, strict=True) if m < at)
        if begins:
            assert row.user_session_events_mean == pytest.approx(len(before) / len(begins))
            assert row.user_session_depth_mean == pytest.approx(views / len(begins))
        else:
            assert np.isnan(row.user_session_events_mean)
    assert len(table) == 8


def test_nothing_is_told_of_what_a_user_did_with_the_very_item(spark: SparkSession) -> None:
    """Many looks at it before, or none: what is told of the pair is the same."""
    past = history()
    asked = past[(past.event_type == "purchase") & past.item_idx.notna()].iloc[[30]]
    (bought,) = asked.itertuples()
    own = {"user_idx": bought.user_idx, "item_idx": bought.item_idx, "event_type": "view"}
    ago = [bought.event_time - timedelta(hours=hours) for hours in (1, 2, 30, 500)]
    looks = [{**own, "value": 4.0, "event_time": at} for at in ago]
    more = pd.concat([past, pd.DataFrame(looks)], ignore_index=True)
    without, with_looks = (
        as_table(extracted(spark, told, asked)).loc[[(f"e{bought.Index}", 0)]]
        for told in (past, more)
    )
    about = [name for name in without if name.startswith("item_") or name == "user_brand_share"]
    assert len(about) > 20
    pd.testing.assert_frame_equal(without[about], with_looks[about])
    assert not without.equals(with_looks)  # the user's own figures have them


@pytest.mark.parametrize("named", ["event", "item"])
def test_two_features_of_one_name_are_refused(spark: SparkSession, named: str) -> None:
    """A type of events that is called like all events; an attribute like a type."""
    past = history(rows=20)
    told = extracted(spark, past, past)
    name = told.categorical[2] if named == "item" else "user_view_share"
    twin = replace(told.numeric[0], name=name)
    with pytest.raises(DataError, match=f"two features would be called {twin.name}"):
        replace(told, numeric=(*told.numeric, twin))


def test_shapes(spark: SparkSession, past: pd.DataFrame) -> None:
    shapes = Shapes({"item_price": (2.0, 4.0)}, ("*_count_lifetime", "item_price"))
    plain, shaped = (
        as_table(extracted(spark, past, past, replace(KINDS, shapes=which)))
        for which in (Shapes(), shapes)
    )
    counts = [name for name in plain if name.endswith("_count_lifetime")]
    expected = np.log1p(plain[counts]).assign(item_price=np.log1p(plain.item_price.clip(2, 4)))
    pd.testing.assert_frame_equal(shaped[expected.columns], expected, rtol=1e-6)
    others = [name for name in plain if name not in expected]
    pd.testing.assert_frame_equal(shaped[others], plain[others])
    made = extracted(spark, past, past, replace(KINDS, shapes=shapes))
    words = {feature.name: feature.definition for feature in made.numeric}
    assert words["item_price"] == "ln(1 + price of the item, within 2 and 4)"


def test_what_a_row_is_itself(past: pd.DataFrame, found: pd.DataFrame) -> None:
    rows = {(row[0], row[1]): row for row in examples_of(past)}
    for key, row in found.iterrows():
        _, _, user, item, at, *_ = rows[key]
        index = 0 if not item or item > 4 else 2 + item % 2
        assert row.categorical == [
            2 + at.hour,
            2 + at.weekday(),
            index,
            3 if item < 5 else 0,
            2 if user < 3 else 0,
        ]
        assert row.hour_cos == pytest.approx(np.cos(2 * np.pi * at.hour / 24), abs=1e-6)
        assert row.item_price == pytest.approx(1.5 * item if item < 5 else np.nan, nan_ok=True)
    first = found.iloc[0]
    assert first.weekday_sin**2 + first.weekday_cos**2 == pytest.approx(1.0)


@pytest.mark.parametrize("days", [3, 13, 39])
def test_what_comes_after_changes_no_feature_before(
    spark: SparkSession, past: pd.DataFrame, found: pd.DataFrame, days: int
) -> None:
    t = START + timedelta(days=days)
    changed = past.copy()
    later = changed.event_time > t
    changed.loc[later, "user_idx"] = (changed.user_idx + 1) % 4
    changed.loc[later, "event_type"] = "view"
    changed.loc[later, "value"] = 5.0
    changed = pd.concat([changed, changed[later]])  # and more of them
    again = as_table(extracted(spark, changed, past))
    times = {(row[0], row[1]): row[4] for row in examples_of(past)}
    before = [key for key in found.index if times[key] <= t]
    pd.testing.assert_frame_equal(again.loc[before], found.loc[before])
    assert len(before) >= max(2, 2 * days // 3)


def test_a_user_whose_whole_history_is_one_moment_has_no_past(spark: SparkSession) -> None:
    at_once = history(rows=20).assign(event_time=START, user_idx=1, item_idx=2)
    table = as_table(extracted(spark, at_once, at_once))
    assert (table[[c for c in table.columns if "_count_" in c]] == 0).all().all()
    assert table.user_event_recency.isna().all()


def test_items_are_as_they_were_just_before(spark: SparkSession) -> None:
    """The second day's event tells of another brand: known from then on, not at that moment."""
    first, second = START + timedelta(days=1), START + timedelta(days=2)
    states = (None, second, [2, 3], 1.0, None, 1), (second, None, [3, 3], 9.0, None, 1)
    brands = [(item, *state) for item in (1, 2) for state in states]
    items = Known("item", spark.createDataFrame(brands, ITEMS), ("brand", "kind"))
    users = Known("user", spark.createDataFrame([], USERS), ("gender",))
    times = [first, second, second + timedelta(hours=1), second + timedelta(days=1)]
    vectors = [1.0, 0.0], [1.0, 0.0]
    asked = [(f"e{n}", 0, 1, 1, at, 1.0, 1.0, "train", *vectors) for n, at in enumerate(times)]
    past = [(1, 2, "view", None, None, None, at) for at in (first, second)]
    described = describe(spark.createDataFrame(asked, EXAMPLES), users, items)
    found = as_table(extract(spark.createDataFrame(past, EVENTS), described, items, KINDS))
    assert [row[2] for row in found.categorical] == [2, 2, 3, 3]
    assert list(found.item_price) == [1.0, 1.0, 9.0, 9.0]
    # Of two events in the past one was of the brand that the item has now.
    assert list(found.user_brand_share * 12)[2:] == pytest.approx([1.0, 1.0])
