"""Splits worked by hand: which events a backtest learns from and which it is judged by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.config import DatasetConfig, SplitConfig
from tastemill.splits import is_past, split_label, tuning, with_split
from tastemill.times import Times, resolve_times, up_to

SCHEMA = (
    "event_id string, user_id string, item_id string, value double, event_time timestamp, "
    "source_file string, source_row long"
)
DAY = datetime(2020, 1, 1, tzinfo=UTC)
TIMES = Times(DAY + timedelta(days=8), DAY + timedelta(days=9), DAY + timedelta(days=20))
LEAVE_ONE_OUT = SplitConfig(by="leave_one_out")


def frame(spark: SparkSession, *rows: tuple[str, float | None, float | None]) -> DataFrame:
    """(name: its first letter is the user, value, day); written in a shuffled order."""
    listed = [
        (name, name[0], f"i{n}", value, None if day is None else DAY + timedelta(days=day), "f", n)
        for n, (name, value, day) in enumerate(rows)
    ]
    return spark.createDataFrame(listed, SCHEMA).orderBy(F.xxhash64("event_id"))


def parts(events: DataFrame) -> dict[str, str]:
    return {row.event_id: row.split for row in events.collect()}


def left_out(events: DataFrame) -> dict[str, str]:
    return parts(with_split(events, LEAVE_ONE_OUT, TIMES, "backtest", 3.0))


def test_the_last_taken_is_the_test(spark: SparkSession) -> None:
    events = frame(
        spark,
        ("a1", 5.0, 1),
        ("a2", 1.0, 2),
        ("a3", 4.0, 3),  # the one before the last that was taken
        ("a4", 2.0, 4),  # after it, and before the last
        ("a5", 3.0, 5),  # the last that was taken
        ("a6", 1.0, 6),  # known only after the last
        ("b1", 4.0, 30),  # alone
        ("c1", 4.0, 1),
        ("c2", None, 2),  # the last of two: nothing is left for valid
        ("d1", 1.0, 1),  # nothing was taken
        ("d2", 2.0, 2),
    )
    assert left_out(events) == {
        **{"a1": "train", "a2": "train", "a3": "valid", "a4": "valid", "a5": "test", "a6": "test"},
        **{"b1": "train", "c1": "train", "c2": "test", "d1": "train", "d2": "train"},
    }


def test_of_one_second_the_last_line_is_the_last(spark: SparkSession) -> None:
    events = frame(spark, ("a1", 5.0, 1), ("a2", 5.0, 1), ("a3", 5.0, None), ("a4", 5.0, 1))
    assert left_out(events) == {"a3": "train", "a1": "train", "a2": "valid", "a4": "test"}


def test_a_search_is_never_the_one_left_out(spark: SparkSession) -> None:
    events = frame(spark, ("a1", None, 1), ("a2", None, 2), ("a3", None, 3))
    searched = F.when(F.col("event_id") != "a3", F.col("item_id"))
    assert left_out(events.withColumn("item_id", searched))["a2"] == "test"


def test_folds_part_the_events(spark: SparkSession) -> None:
    events = frame(spark, *[(f"{n % 7}-{n}", 4.0, n % 30) for n in range(1000)])
    tests: list[set[str]] = []
    for fold in range(4):
        split = SplitConfig(by="k_fold", num_folds=4, fold=fold, valid_fraction=0.1)
        found = parts(with_split(events, split, TIMES, "backtest", 3.0))
        tests.append({name for name, part in found.items() if part == "test"})
        assert 200 < len(tests[-1]) < 300
        assert 40 < list(found.values()).count("valid") < 110
        assert found == parts(with_split(events.repartition(3), split, TIMES, "backtest", 3.0))
    assert len(set.union(*tests)) == sum(len(test) for test in tests) == 1000
    other = SplitConfig(by="k_fold", num_folds=4, seed=2)
    found = parts(with_split(events, other, TIMES, "backtest", 3.0))
    assert {name for name, part in found.items() if part == "test"} != tests[0]


def test_production_learns_from_all(spark: SparkSession) -> None:
    events = frame(spark, ("a1", 5.0, 1), ("a2", 5.0, 2))
    found = with_split(events, LEAVE_ONE_OUT, TIMES, "production", 3.0)
    assert set(parts(found).values()) == {"train"}


def test_tuning_never_sees_the_test(spark: SparkSession) -> None:
    events = frame(spark, ("a1", 5.0, 7), ("a2", 5.0, 8), ("a3", 5.0, 9), ("a4", 5.0, None))
    parted = with_split(events, SplitConfig(), TIMES, "backtest", 3.0)
    assert parts(parted) == {"a1": "train", "a2": "valid", "a3": "test", "a4": "train"}
    assert parts(parted.where(is_past())).keys() == {"a1", "a2", "a4"}
    assert parts(tuning(parted)) == {"a1": "train", "a2": "test", "a4": "train"}


@pytest.fixture
def listed(tmp_path: Path) -> SplitConfig:
    """Of the rows below: a's third item, and two pairs that no event is of."""
    file = tmp_path / "pairs.csv"
    file.write_text("user_id,item_id\na,i2\na,i2\nz,i1\nb,i99\n")
    return SplitConfig(by="listed", file=str(file))


def test_listed_pairs_are_the_test(spark: SparkSession, listed: SplitConfig) -> None:
    events = frame(
        spark,
        ("a1", 5.0, 1),
        ("a2", 4.0, 2),
        ("a3", 5.0, 3),  # listed
        ("a4", 4.0, 4),  # the last of the rest
        ("b1", 5.0, 1),
        ("b2", 5.0, 2),
        ("c1", 4.0, 1),  # alone
    )
    assert parts(with_split(events, listed, TIMES, "backtest", 3.0)) == {
        **{"a1": "train", "a2": "train", "a3": "test", "a4": "valid"},
        **{"b1": "train", "b2": "valid", "c1": "train"},
    }


def test_other_listed_pairs_are_another_split(listed: SplitConfig) -> None:
    before = split_label(listed, TIMES, 3.0)
    with Path(listed.file).open("a") as file:
        file.write("b,i5\n")
    assert split_label(listed, TIMES, 3.0) != before


def test_a_split_by_listed_pairs_names_its_file() -> None:
    for settings in ({"by": "listed"}, {"by": "time", "file": "pairs.csv"}):
        with pytest.raises(ValidationError, match="names their file"):
            SplitConfig.model_validate(settings)


@pytest.mark.parametrize("by", ["leave_one_out", "k_fold"])
def test_a_backtest_that_is_not_by_time_ends_with_the_data(spark: SparkSession, by: str) -> None:
    events = frame(spark, ("a1", 5.0, 7), ("a2", 5.0, 8.999))
    dated = events.withColumn("event_date", F.to_date("event_time"))
    found = resolve_times(dated, SplitConfig.model_validate({"by": by}), DatasetConfig())
    assert found.as_of == DAY + timedelta(days=9)
    assert found.valid_from == found.cut < found.as_of
    assert found.cut.date() == (DAY + timedelta(days=8)).date()
    assert found.cut > DAY + timedelta(days=8.999)
    # Of a day that isn't over, profiles of the backtest lie on the day before all the same.
    assert up_to(DAY + timedelta(hours=7)).cut.date() == (DAY - timedelta(days=1)).date()


def test_labels_tell_models_of_one_split_from_another() -> None:
    folds = [SplitConfig(by="k_fold", fold=n, seed=s) for n in range(2) for s in range(2)]
    splits = [SplitConfig(), LEAVE_ONE_OUT, *folds]
    later = replace(TIMES, as_of=TIMES.as_of + timedelta(days=1))
    labels = {split_label(split, TIMES, 3.0) for split in splits}
    assert len(labels) == len(splits)
    assert split_label(LEAVE_ONE_OUT, TIMES, 4.0) not in labels
    assert split_label(LEAVE_ONE_OUT, later, 3.0) not in labels
    assert split_label(SplitConfig(test_fraction=0.5), later, 4.0) == ""  # its as_of tells


def test_a_fold_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="fold must be below num_folds = 5"):
        SplitConfig(by="k_fold", fold=5)
