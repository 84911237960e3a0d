"""Ranking metrics: values worked by hand, then a plain-Python reference over many users."""

from math import log2

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from tastemill.errors import DataError
from tastemill.evaluation import golden, labels
from tastemill.evaluation.ranking import METRICS, coverage, gini, ranking_metrics
from tastemill.evaluation.ratings import rating_errors, rating_summary

LISTS = "model_id string, user_idx int, items array<int>"
RELEVANT = "user_idx int, items array<int>, segment string"
Values = dict[tuple[str, int, str, int], float]


def values_of(metrics: DataFrame) -> Values:
    rows = metrics.collect()
    values = {(r.model_id, r.user_idx, r.metric, r.k): r.value for r in rows}
    assert len(values) == len(rows)
    return values


def one_user(spark: SparkSession, items: list[int] | None, relevant: list[int], k: int) -> dict:
    lists = spark.createDataFrame([("m", 0, items)], LISTS)
    wanted = spark.createDataFrame([(0, relevant, "s")], RELEVANT)
    values = values_of(ranking_metrics(lists, wanted, [k]))
    return {metric: values["m", 0, metric, k] for metric in METRICS}


def test_hits_in_the_first_and_third_place(spark: SparkSession) -> None:
    # Relevant 1 to 4; the list cut at 3 is 1 9 3: hits at 1 and 3; 2 comes too late, 4 never.
    values = one_user(spark, [1, 9, 3, 2], [1, 2, 3, 4], 3)
    # gain 1/log2(2) + 1/log2(4) = 1 + 0.5; ideal over min(3, 4) = 3: 1 + 1/log2(3) + 0.5
    assert values == pytest.approx(
        {
            "recall": 2 / 4,
            "recall_capped": 2 / 3,
            "precision": 2 / 3,
            "hit": 1,
            "ndcg": 1.5 / (1.5 + 0.63092975),  # 0.7039
            "map": (1 / 1 + 2 / 3) / 3,  # 0.5556
            "mrr": 1,
        },
        abs=1e-8,
    )


def test_the_example_of_the_page(spark: SparkSession) -> None:
    values = one_user(spark, list(golden.SHOWN), list(golden.RELEVANT), golden.K)
    lists = spark.createDataFrame([("m", n, list(i)) for n, i in enumerate(golden.LISTS)], LISTS)
    for metric in (coverage, gini):
        (row,) = metric(lists, golden.NUM_ITEMS, [golden.LENGTH]).collect()
        values[row.metric] = row.value
    pairs = zip(golden.RATINGS, golden.PREDICTIONS, strict=True)
    rated = spark.createDataFrame(
        [("m", 0, "s", label, prediction) for label, prediction in pairs],
        "model_id string, user_idx int, segment string, label double, prediction double",
    )
    values |= {row.metric: row.value for row in rating_summary(rating_errors(rated)).collect()}
    worked = {
        name: value for name, (_, value) in golden.WORKED.items() if name not in labels.FORMULAS
    }
    assert values == pytest.approx(worked)


def test_a_list_shorter_than_k(spark: SparkSession) -> None:
    # The list 8 5 has one hit, at 2, of one relevant item; precision divides by k = 4 all the same.
    values = one_user(spark, [8, 5], [5], 4)
    assert values == pytest.approx(
        {
            "recall": 1,
            "recall_capped": 1,
            "precision": 1 / 4,
            "hit": 1,
            "ndcg": 0.63092975,  # 1/log2(3), ideal 1
            "map": 1 / 2,
            "mrr": 1 / 2,
        }
    )


@pytest.mark.parametrize(("items", "relevant"), [([1, 2], [2, 1, 3]), ([1, 2, 7], [1, 2])])
def test_a_perfect_list_scores_one(
    spark: SparkSession, items: list[int], relevant: list[int]
) -> None:
    # More relevant than k, and fewer than the list is long: nothing better was possible.
    values = one_user(spark, items, relevant, 2)
    assert [values[m] for m in ("recall_capped", "ndcg", "map", "mrr", "hit")] == [1.0] * 5


@pytest.mark.parametrize("items", [[7, 8, 9], [], None])
def test_no_hit_scores_zero(spark: SparkSession, items: list[int] | None) -> None:
    assert one_user(spark, items, [1, 2], 3) == dict.fromkeys(METRICS, 0.0)


def test_repeats_count_once(spark: SparkSession) -> None:
    # 1 1 2: hits at 1 and 3. A relevant item given twice, or null, doesn't change |R| = 2.
    values = one_user(spark, [1, 1, 2], [2, 1, 1, None], 3)
    assert (values["recall"], values["map"]) == pytest.approx((1, (1 / 1 + 2 / 3) / 2))


def test_users_without_a_list_count_and_users_without_items_do_not(spark: SparkSession) -> None:
    lists = spark.createDataFrame(
        [("a", 0, [1]), ("b", 1, [2]), ("b", 2, [3]), ("b", 99, [1])], LISTS
    )
    relevant = spark.createDataFrame(
        [(0, [1], "old"), (1, [2], None), (2, [], "old"), (3, None, "old"), (4, [5], "new")],
        RELEVANT,
    )
    metrics = ranking_metrics(lists, relevant, [1, 2])
    recall = {key[:2]: v for key, v in values_of(metrics).items() if key[2:] == ("recall", 2)}
    assert recall == {
        ("a", 0): 1, ("a", 1): 0, ("a", 4): 0,
        ("b", 0): 0, ("b", 1): 1, ("b", 4): 0,
    }  # fmt: skip
    segments = {(r.user_idx, r.segment) for r in metrics.collect()}
    assert segments == {(0, "old"), (1, None), (4, "new")}
    assert metrics.count() == 6 * 2 * len(METRICS)


def test_empty_frames_give_no_rows(spark: SparkSession) -> None:
    nobody = spark.createDataFrame([], RELEVANT)
    none = spark.createDataFrame([], LISTS)
    assert ranking_metrics(none, nobody, [1]).collect() == []
    assert coverage(none, 10, [1]).collect() == []
    types = [f.dataType.simpleString() for f in ranking_metrics(none, nobody, [1]).schema]
    assert types == ["string", "int", "string", "string", "int", "double"]


@pytest.mark.parametrize("ks", [[], [0], [5, 5]])
def test_bad_ks_are_refused(spark: SparkSession, ks: list[int]) -> None:
    none = spark.createDataFrame([], LISTS)
    with pytest.raises(DataError, match="distinct k"):
        coverage(none, 10, ks)


def test_coverage_worked_by_hand(spark: SparkSession) -> None:
    # Model a shows 1 first to both users, and 2, 3 in second place: 1 of 4 items, then 3 of 4.
    # Model b has an empty list beside one of a single item: 1 of 4 at any k.
    rows = [("a", 0, [1, 2]), ("a", 1, [1, 3]), ("b", 0, []), ("b", 1, [2])]
    shares = coverage(spark.createDataFrame(rows, LISTS), 4, [1, 5]).collect()
    assert {(r.model_id, r.metric, r.k, r.value) for r in shares} == {
        ("a", "coverage", 1, 0.25), ("a", "coverage", 5, 0.75),
        ("b", "coverage", 1, 0.25), ("b", "coverage", 5, 0.25),
    }  # fmt: skip


def test_gini_worked_by_hand(spark: SparkSession) -> None:
    # k = 1: shown 0 0 0 2 times: (2·4 − 5)·2 / (4·2) = 3/4.
    # k = 2: shown 0 1 1 2 times: (−1·1 + 1·1 + 3·2) / (4·4) = 3/8. Model b: all alike.
    rows = [("a", 0, [1, 2]), ("a", 1, [1, 3]), ("b", 0, [0, 1, 2, 3]), ("b", 1, None)]
    shares = gini(spark.createDataFrame(rows, LISTS), 4, [1, 2, 4]).collect()
    found = {(r.model_id, r.k): r.value for r in shares}
    assert (found["a", 1], found["a", 2], found["b", 4]) == (0.75, 0.375, 0.0)


def by_definition(items: list[int], relevant: set[int], k: int) -> dict[str, float]:
    top, best = items[:k], min(k, len(relevant))
    flags = [item in relevant for item in top]
    dcg = sum(1 / log2(i + 2) for i, flag in enumerate(flags) if flag)
    precisions = [sum(flags[: i + 1]) / (i + 1) for i, flag in enumerate(flags) if flag]
    return {
        "recall": sum(flags) / len(relevant),
        "recall_capped": sum(flags) / best,
        "precision": sum(flags) / k,
        "hit": float(any(flags)),
        "ndcg": dcg / sum(1 / log2(i + 2) for i in range(best)),
        "map": sum(precisions) / best,
        "mrr": 1 / (flags.index(True) + 1) if any(flags) else 0.0,
    }


USERS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), unique=True, max_size=15),
        st.sets(st.integers(0, 20), min_size=1, max_size=12),
    ),
    min_size=40,
    max_size=80,
)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(users=USERS)
def test_equals_the_definition(
    spark: SparkSession, users: list[tuple[list[int], set[int]]]
) -> None:
    lists = spark.createDataFrame([("m", u, items) for u, (items, _) in enumerate(users)], LISTS)
    relevant = spark.createDataFrame(
        [(u, list(r), "s") for u, (_, r) in enumerate(users)], RELEVANT
    )
    expected = {
        ("m", u, metric, k): value
        for u, (items, wanted) in enumerate(users)
        for k in (1, 5, 10)
        for metric, value in by_definition(items, wanted, k).items()
    }
    values = values_of(ranking_metrics(lists, relevant, [1, 5, 10]))
    assert values == pytest.approx(expected, abs=1e-12)
    assert all(0 <= value <= 1 for value in values.values())
