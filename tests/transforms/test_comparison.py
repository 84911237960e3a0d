"""Models against the strongest popular list: which it is, and by how much on the same users."""

from datetime import UTC, datetime
from math import log2

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.evaluation.comparison import comparison_rows, popular_lists, usual_k
from tastemill.evaluation.config import EvaluationConfig
from tastemill.models import Model

KINDS = ("popularity", "recent_popularity", "als")
CUT = datetime(2020, 1, 1, tzinfo=UTC)
MODELS = [Model(f"{kind}-1", kind, CUT, {}, {}, None) for kind in KINDS]
SECOND = 1 / log2(3)  # the gain of the second place


def ids(frame: DataFrame) -> list[str]:
    return [r["model_id"] for r in frame.collect()]


def test_the_length_of_list_is_the_usual_one_where_it_was_judged() -> None:
    assert (usual_k((5, 10, 20)), usual_k((5, 20))) == (10, 5)


def test_the_strongest_popular_list_comes_first(spark: SparkSession) -> None:
    rows = [
        *(("popularity-1", "all", "ndcg", k, 0.2) for k in (10, 20)),
        ("recent_popularity-1", "all", "ndcg", 10, 0.3),
        ("recent_popularity-1", "all", "ndcg", 20, 0.1),
        ("popularity-1", "cold", "ndcg", 10, 0.9),
        ("popularity-1", "all", "hit", 10, 0.9),
        ("als-1", "all", "ndcg", 10, 0.9),
    ]
    columns = "model_id string, segment string, metric string, k int, value double"
    judged = spark.createDataFrame(rows, columns)
    recent, ever = "recent_popularity-1", "popularity-1"
    assert ids(popular_lists(judged, MODELS, EvaluationConfig())) == [recent, ever]
    assert ids(popular_lists(judged, MODELS, EvaluationConfig(ks=(20,)))) == [ever, recent]
    assert ids(popular_lists(judged, MODELS[2:], EvaluationConfig())) == []


def test_models_are_compared_user_by_user(spark: SparkSession) -> None:
    users = range(4)
    shown = {"als-1": "ab", "popularity-1": "ba", "recent_popularity-1": "ba"}
    lists = spark.createDataFrame(
        [(model_id, user, list(items)) for model_id, items in shown.items() for user in users],
        "model_id string, user_idx int, items array<string>",
    )
    relevant = spark.createDataFrame(
        [(user, "warm" if user else "cold", ["a"]) for user in users],
        "user_idx int, segment string, items array<string>",
    )
    rows = comparison_rows(lists, relevant, MODELS[0].model_id, EvaluationConfig()).collect()
    found = {r["model_id"]: r for r in rows}
    assert set(found) == {"als-1", "recent_popularity-1"}
    als, recent = found["als-1"], found["recent_popularity-1"]
    assert (als["reference"], als["metric"], als["k"], als["users"]) == (
        "popularity-1",
        "ndcg",
        10,
        4,
    )
    gap = pytest.approx(1 - SECOND, abs=1e-5)
    assert (als["difference"], als["low"], als["high"]) == (gap, gap, gap)
    # The smallest p-value of 1,000 replicates; a few draw none of four users and don't count.
    assert 2 / 1_001 <= als["p_value"] < 2 / 900
    assert (recent["difference"], recent["p_value"]) == (0.0, 1.0)
