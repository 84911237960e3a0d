"""Measures of features by Spark: those of numpy, whatever the partitioning."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.features.measure import drawn, summary, sums
from tastemill.features.one_pass import as_vector
from tastemill.features.tally import Layout, taken_apart, tally

ROWS = 500


@pytest.fixture(scope="module")
def values() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    numeric = random.normal(0.0, 3.0, (ROWS, 4)).astype(np.float32)
    numeric[:50, 0] = np.nan
    numeric[:2, 1] = np.inf, -np.inf
    numeric[:, 2] = np.nan
    numeric[:, 3] = np.maximum(numeric[:, 3], 0.0)
    categorical = random.integers(0, 5, (ROWS, 2))
    return numeric, categorical, random.integers(0, 2, ROWS).astype(np.float64)


@pytest.fixture(scope="module")
def rows(spark: SparkSession, values: tuple[np.ndarray, np.ndarray, np.ndarray]) -> DataFrame:
    numeric, categorical, label = values
    lists = [[None if np.isnan(v) else float(v) for v in row] for row in numeric]
    table = pd.DataFrame({"event_id": np.arange(ROWS).astype(str), "n": 0, "label": label})
    table["numeric"], table["categorical"] = lists, categorical.tolist()
    schema = "event_id string, n int, label double, numeric array<float>, categorical array<int>"
    return spark.createDataFrame(table, schema).persist()


def layout() -> Layout:
    edges = (np.array([-1.0, 1.0]), np.array([0.0]), np.empty(0), np.array([0.5, 2.0, 4.0]))
    same = np.ones(4)
    return Layout(edges, (5, 5), np.array([1.0]), ROWS, same * 0, same * 3, same * 16)


@pytest.mark.parametrize("partitions", [1, 7])
def test_sums_are_those_of_all_rows_at_once(
    rows: DataFrame, values: tuple[np.ndarray, np.ndarray, np.ndarray], partitions: int
) -> None:
    found = sums(rows.repartition(partitions), layout()).toPandas()
    whole = np.zeros(sum(layout().parts), dtype=np.int64)
    whole[found["place"]] = found["amount"]
    assert (whole == tally(layout(), *values)).all()


def test_no_row_is_shuffled(rows: DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    sums(rows, layout()).explain()
    plan = capsys.readouterr().out
    assert plan.count("Exchange") == 1  # of sums, by their place
    assert plan.index("Exchange") < plan.index("MapInArrow")  # which is read from below


def test_two_hundred_features_take_one_pass(spark: SparkSession) -> None:
    rows, numbers, kinds = 3_000, 150, 50
    numeric = F.array(*[F.sin(F.col("id") * (n + 1)).cast("float") for n in range(numbers)])
    indices = F.array(*[(F.col("id") % (n + 2)).cast("int") for n in range(kinds)])
    label = (F.col("id") % 2).cast("double")
    table = spark.range(rows, numPartitions=3).select(
        numeric.alias("numeric"), indices.alias("categorical"), label.alias("label")
    )
    same = np.ones(numbers)
    edges = tuple(np.linspace(-0.9, 0.9, 19) for _ in range(numbers))
    sizes = tuple(n + 2 for n in range(kinds))
    wide = Layout(edges, sizes, np.array([1.0]), rows, same * 0, same, same)
    tracker, group = spark.sparkContext.statusTracker(), "two hundred features"
    spark.sparkContext.setJobGroup(group, group)
    sent = sums(table, wide).toArrow()
    spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    found = taken_apart(wide, as_vector(sent, sum(wide.parts)))
    assert len(found.counts) == 200
    assert all(counts.sum() == rows for counts in found.counts)
    assert found.counts[numbers].tolist() == [[rows / 2, 0], [0, rows / 2]]  # the label itself
    # The rows are read by one stage; what follows adds up sums.
    tasks = [
        tracker.getStageInfo(stage)
        for job in tracker.getJobIdsForGroup(group)
        for stage in tracker.getJobInfo(job).stageIds
    ]
    assert sum(info.numTasks == 3 and info.numCompletedTasks == 3 for info in tasks if info) == 1


def test_summary(rows: DataFrame) -> None:
    found = {r["feature"]: r.asDict() for r in summary(rows.repartition(3)).collect()}
    assert {found[n]["rows"] for n in range(4)} == {ROWS}
    assert [found[n]["missing"] for n in range(4)] == [50, 0, ROWS, 0]
    assert [found[n]["infinite"] for n in range(4)] == [0, 2, 0, 0]
    assert found[3]["zeros"] > 100
    assert found[2]["low"] is None
    assert found[1]["high"] < 20


def test_a_sample_is_the_same_however_rows_are_split(rows: DataFrame) -> None:
    ids = [
        {r["event_id"] for r in rows.repartition(n).where(drawn(ROWS, 100, 1)).collect()}
        for n in (1, 5)
    ]
    assert ids[0] == ids[1]
    assert 60 < len(ids[0]) < 140
    assert rows.where(drawn(ROWS, ROWS, 1)).count() == ROWS
