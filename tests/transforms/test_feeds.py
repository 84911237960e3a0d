"""Feeds of a training: what is learned from, what is kept back, who is asked for lists."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.training.config import DeepConfig
from tastemill.training.feeds import FeedMaker
from tastemill.training.spec import FeedSpec

START, USERS, ITEMS = datetime(2024, 5, 1, tzinfo=UTC), 5, 20
# user: what they took, in order, and how many of it the validation part holds.
TAKEN = {0: ([1, 2, 3, 4], 1), 1: ([5, 6, 5, 7], 2), 2: ([8, 9], 0), 3: ([3], 1), 4: ([2, 1, 2], 1)}


@pytest.fixture(scope="module")
def taken(spark: SparkSession) -> DataFrame:
    rows = [
        (
            *(user, item, START + timedelta(hours=place), "f", place),
            "train" if place < len(items) - held else "valid",
        )
        for user, (items, held) in TAKEN.items()
        for place, item in enumerate(items)
    ]
    schema = "user_idx int, item_idx int, event_time timestamp, source_file string, "
    made = spark.createDataFrame(rows, schema + "source_row bigint, split string")
    return made.withColumn("event_id", F.concat_ws("-", "user_idx", "source_row")).persist()


@pytest.fixture(scope="module")
def examples(taken: DataFrame) -> DataFrame:
    """A row for each, whose vectors tell their hour."""
    hour = F.array((F.hour("event_time") + 0.5).cast("float"))
    return taken.select(
        *("user_idx", "item_idx", "event_time", "split", "event_id"),
        F.lit(0).alias("n"),
        F.lit(1.0).alias("label"),
        F.lit(1.0).alias("weight"),
        hour.alias("user_vector"),
        F.concat(hour, F.array(F.col("item_idx").cast("float"))).alias("item_vector"),
    )


def maker(folder: Path, **settings: object) -> FeedMaker:
    values = {"num_processes": 1, "validate_epochs": True, "max_length": 3, **settings}
    return FeedMaker(folder, {"table": "1"}, DeepConfig.model_validate(values), (USERS, ITEMS))


def rows_of(feed: FeedSpec | None) -> list[dict[str, object]]:
    assert feed is not None
    rows = [
        row for name in feed.files for row in pq.read_table(Path(feed.folder) / name).to_pylist()
    ]
    return sorted(
        rows, key=lambda row: row.get("user_idx", row.get("history", row.get("item_idx")))
    )


def test_histories_end_where_validation_begins(taken: DataFrame, tmp_path: Path) -> None:
    feeds = maker(tmp_path, model="sasrec").of_histories(taken)
    pad = ITEMS
    assert [row["history"] for row in rows_of(feeds.train)] == [
        *([1, 2, 3, pad], [2, 1, pad, pad], [5, 6, pad, pad], [8, 9, pad, pad])
    ]
    assert feeds.valid is None
    assert feeds.items is None
    # Nobody without a past is asked, and nobody who only takes again what they had.
    assert rows_of(feeds.users) == [
        {"user_idx": 0, "history": [1, 2, 3], "seen": [1, 2, 3], "held": [4]},
        {"user_idx": 1, "history": [5, 6, pad], "seen": [5, 6, pad], "held": [7]},
    ]


def test_what_was_taken_before_may_come_again(taken: DataFrame, tmp_path: Path) -> None:
    made = maker(tmp_path, model="sasrec")
    again = FeedMaker(made.folder, made.versions, made.cfg, (USERS, ITEMS), leave_out=False)
    users = rows_of(again.of_histories(taken).users)
    assert [(row["user_idx"], row["held"]) for row in users] == [
        (0, [4, ITEMS]),
        (1, [5, 7]),
        (4, [2, ITEMS]),
    ]
    assert {tuple(row["seen"]) for row in users} == {(ITEMS,)}


def test_without_validation_all_is_learned_from(taken: DataFrame, tmp_path: Path) -> None:
    feeds = maker(tmp_path, model="sasrec", validate_epochs=False).of_histories(taken)
    assert rows_of(feeds.train)[0]["history"] == [1, 2, 3, 4]
    assert (feeds.valid, feeds.users, feeds.items) == (None, None, None)


def test_vectors_are_of_before_validation(
    examples: DataFrame, taken: DataFrame, tmp_path: Path
) -> None:
    feeds = maker(tmp_path, model="two_tower").of_examples(examples, taken, "in_batch_softmax")
    assert feeds.valid is not None
    assert (feeds.train.rows, feeds.valid.rows) == (9, 5)
    users = {row["user_idx"]: row["user_vector"] for row in rows_of(feeds.users)}
    assert users == {0: [3.5], 1: [2.5]}  # of each user's first row of validation
    items = {row["item_idx"]: row["item_vector"] for row in rows_of(feeds.items)}
    # Item 2 was met in training at hours 0 and 1; item 7 in validation alone.
    assert items[2] == [1.5, 2.0]
    assert 7 not in items
    shares = {row["item_idx"]: row["item_share"] for row in rows_of(feeds.train)}
    assert shares[1] == pytest.approx(2 / 9)


def test_of_networks_of_ids_no_vectors_are_kept(
    examples: DataFrame, taken: DataFrame, tmp_path: Path
) -> None:
    feeds = maker(tmp_path, model="neumf", validate_users=1).of_examples(examples, taken, "bce")
    assert feeds.items is None
    assert feeds.users is not None
    assert [column.name for column in feeds.users.columns] == ["user_idx", "seen", "held"]
    assert feeds.users.rows == 1


def test_pairs_are_what_was_taken(taken: DataFrame, tmp_path: Path) -> None:
    feeds = maker(tmp_path, model="gmf").of_pairs(taken)
    pairs = sorted((row["user_idx"], row["item_idx"]) for row in rows_of(feeds.train))
    assert pairs == sorted(
        (user, item) for user, (items, held) in TAKEN.items() for item in items[: len(items) - held]
    )
    assert {row["weight"] for row in rows_of(feeds.train)} == {1.0}
    assert [row["user_idx"] for row in rows_of(feeds.users)] == [0, 1]


def test_nobody_to_ask(taken: DataFrame, tmp_path: Path) -> None:
    strangers = taken.where("user_idx = 3")
    assert (
        maker(tmp_path, model="sasrec")
        .of_histories(strangers.union(taken.where("user_idx = 2")))
        .users
        is None
    )


def test_rows_of_both_sides_are_of_the_past(taken: DataFrame, tmp_path: Path) -> None:
    users, items = maker(tmp_path, model="deep_mf").of_rows(taken)
    of_users = {row["user_idx"]: row["history"] for row in rows_of(users)}
    assert of_users == {0: [1, 2, 3], 1: [5, 6, ITEMS], 2: [8, 9, ITEMS], 4: [2, 1, ITEMS]}
    of_items = {row["item_idx"]: row["history"] for row in rows_of(items)}
    assert of_items[1] == [0, 4, USERS]
    assert of_items[5] == [1, USERS, USERS]
    assert 4 not in of_items
    everything = maker(tmp_path, model="deep_mf", validate_epochs=False).of_rows(taken)
    assert {row["item_idx"] for row in rows_of(everything[1])} == {1, 2, 3, 4, 5, 6, 7, 8, 9}


def test_factors_are_as_they_were_fitted(spark: SparkSession, tmp_path: Path) -> None:
    schema = "idx int, vector array<float>"
    factors = spark.createDataFrame([(3, [0.5, 1.5]), (0, [2.0, -1.0])], schema)
    users, items = maker(tmp_path, model="gmf").of_factors(factors, factors, "als-1")
    assert rows_of(users) == [
        {"user_idx": 0, "user_vector": [2.0, -1.0]},
        {"user_idx": 3, "user_vector": [0.5, 1.5]},
    ]
    assert [column.name for column in items.columns] == ["item_idx", "item_vector"]
    (alone,) = maker(tmp_path, model="sasrec").of_factors(factors, factors, "als-1")
    assert alone == items
