"""The bootstrap: exact weights and sums, intervals against theory, paired tests, Holm by hand."""

import numpy as np
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from tastemill.errors import DataError
from tastemill.evaluation.bootstrap import exact_product, poisson_weights
from tastemill.evaluation.significance import (
    differences_from,
    holm,
    paired_difference,
    with_intervals,
)

PER_USER = "model_id string, user_idx int, segment string, metric string, k int, value double"
PER_RATING = "model_id string, user_idx int, segment string, metric string, n long, total double"
NUM_USERS = 400


@pytest.fixture(scope="module")
def per_user(spark: SparkSession) -> DataFrame:
    """Two models that differ by noise around 0.02, and one equal to the first."""
    rng = np.random.default_rng(11)
    a = rng.beta(2, 3, NUM_USERS)
    b = np.clip(a - rng.normal(0.02, 0.05, NUM_USERS), 0, 1)
    rows = [
        (model, u, "new" if u < 100 else "old", "ndcg", 10, float(values[u]))
        for model, values in (("a", a), ("b", b), ("twin", a))
        for u in range(NUM_USERS)
    ]
    return spark.createDataFrame(rows, PER_USER)


def by_key(frame: DataFrame) -> dict[tuple[str, str | None], Row]:
    return {(r.model_id, r.segment): r for r in frame.collect()}


def values_of(frame: DataFrame, model: str) -> np.ndarray:
    return np.array([r.value for r in frame.where(f"model_id = '{model}'").collect()])


def test_weights_are_poisson_and_independent() -> None:
    streams = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 20_000, dtype=np.int64)
    weights = poisson_weights(streams, 50)
    assert weights.shape == (50, 20_000)
    # P(w = 0) = P(w = 1) = 1/e, P(w = 2) = 1/2e; a million draws: standard error 0.0005
    shares = np.bincount(weights.ravel(), minlength=3)[:3] / weights.size
    np.testing.assert_allclose(shares, np.array([1, 1, 0.5]) / np.e, atol=0.0025)
    assert (weights.mean(), weights.var()) == pytest.approx((1, 1), abs=0.01)
    correlations = np.corrcoef(weights) - np.eye(50)
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)
    np.testing.assert_array_equal(poisson_weights(streams[5:9], 50), weights[:, 5:9])


def test_products_are_exact_beyond_doubles() -> None:
    left = np.array([[1, 2], [3, 4]], dtype=np.int64)
    right = np.array([[2**53 + 1], [1]], dtype=np.int64)
    assert exact_product(left, right).tolist() == [[2**53 + 3], [3 * 2**53 + 7]]
    assert exact_product(left, left).tolist() == [[7, 10], [15, 22]]


def test_interval_holds_the_mean_and_has_the_normal_width(per_user: DataFrame) -> None:
    rows = by_key(with_intervals(per_user, num_replicates=1000, seed=3))
    assert len(rows) == 3 * 3
    values = values_of(per_user, "a")
    row = rows["a", "all"]
    assert row.low < row.value < row.high
    assert row.value == pytest.approx(values.mean(), abs=1e-6)
    normal = 2 * 1.96 * values.std() / np.sqrt(NUM_USERS)
    assert row.high - row.low == pytest.approx(normal, rel=0.12)
    assert (row.metric, row.k, row.users) == ("ndcg", 10, NUM_USERS)
    assert (rows["a", "new"].users, rows["a", "old"].users) == (100, 300)
    assert rows["a", "new"].value == pytest.approx(values[:100].mean(), abs=1e-6)


def test_same_seed_same_numbers_in_any_partitioning(per_user: DataFrame) -> None:
    one = by_key(with_intervals(per_user.coalesce(1), seed=5))
    assert by_key(with_intervals(per_user.repartition(5), seed=5)) == one
    other = by_key(with_intervals(per_user, seed=6))
    assert other["a", "all"].value == one["a", "all"].value
    assert other["a", "all"].low != one["a", "all"].low
    # The same users' weights for every model: the twin's interval is the first's.
    assert one["a", "all"][1:] == one["twin", "all"][1:]


def test_ratios_resample_both_sums(spark: SparkSession) -> None:
    rng = np.random.default_rng(2)
    n, squared = rng.integers(1, 40, 300), rng.gamma(2.0, 0.5, 300)
    rows = [("m", u, "s", "squared_error", int(n[u]), float(n[u] * squared[u])) for u in range(300)]
    frame = spark.createDataFrame(rows, PER_RATING)
    (row,) = with_intervals(frame, num_replicates=1000, overall=None).collect()
    totals = n * squared
    mean = totals.sum() / n.sum()
    assert (row.metric, row.k, row.segment, row.users) == ("rmse", None, "s", 300)
    assert row.value == pytest.approx(np.sqrt(mean), abs=1e-6)
    # Delta method: sd(ratio) = √Σ(t − mean·n)² / Σn, sd(root) = sd(ratio) / 2√mean.
    deviation = np.sqrt(((totals - mean * n) ** 2).sum()) / n.sum() / (2 * np.sqrt(mean))
    assert row.high - row.low == pytest.approx(2 * 1.96 * deviation, rel=0.12)


def test_nulls_lonely_users_and_empty_frames(spark: SparkSession) -> None:
    rows = [("m", 0, None, "hit", 1, 1.0), ("m", 1, None, "hit", 1, None)]
    (row,) = with_intervals(spark.createDataFrame(rows, PER_USER)).collect()
    # Replicates that draw nobody have no mean; the others all have the one user's.
    assert row.asDict() == {
        "model_id": "m", "segment": "all", "metric": "hit", "k": 1,
        "value": 1.0, "low": 1.0, "high": 1.0, "users": 1,
    }  # fmt: skip
    (kept,) = with_intervals(spark.createDataFrame(rows, PER_USER), overall=None).collect()
    assert kept.segment is None
    assert with_intervals(spark.createDataFrame([], PER_USER)).collect() == []
    with pytest.raises(DataError, match="num_replicates"):
        with_intervals(spark.createDataFrame([], PER_USER), num_replicates=0)


def test_paired_difference(per_user: DataFrame) -> None:
    rows = {r.segment: r for r in paired_difference(per_user, "a", "b").collect()}
    differences = values_of(per_user, "a") - values_of(per_user, "b")
    row = rows["all"]
    assert row.difference == pytest.approx(differences.mean(), abs=1e-6)
    # Paired: the width is that of the differences, far below that of two independent means.
    normal = 2 * 1.96 * differences.std() / np.sqrt(NUM_USERS)
    assert row.high - row.low == pytest.approx(normal, rel=0.12)
    # 0.02 is eight standard errors away: no replicate crosses 0, and p is the smallest there is.
    assert row.p_value == pytest.approx(2 / 1001)
    assert (row.metric, row.k, row.users) == ("ndcg", 10, NUM_USERS)
    same = paired_difference(per_user, "a", "twin", overall=None).collect()
    assert {(r.difference, r.low, r.high, r.p_value) for r in same} == {(0.0, 0.0, 0.0, 1.0)}


def test_differences_from_one_model_are_those_of_each_pair(per_user: DataFrame) -> None:
    found = by_key(differences_from(per_user, "b", 200, seed=3))
    assert {model for model, _ in found} == {"a", "twin"}
    for model in ("a", "twin"):
        for pair in paired_difference(per_user, model, "b", 200, seed=3).collect():
            of_all = found[model, pair.segment].asDict()
            assert of_all.pop("model_id") == model
            assert of_all == pair.asDict()


def test_no_difference_from_a_model_that_is_not_there(per_user: DataFrame) -> None:
    found = differences_from(per_user, "nobody", 20).collect()
    assert {r.difference for r in found} == {None}
    assert differences_from(per_user.limit(0), "a", 20).collect() == []


def test_p_values_are_uniform_without_a_difference(spark: SparkSession) -> None:
    # 200 metrics of pure noise: about 5 % below 0.05 (standard deviation 1.5 points).
    noise = np.random.default_rng(8).normal(0, 0.1, (200, 120))
    rows = [
        (model, u, None, f"m{i}", 1, float(noise[i, u]) if model == "a" else 0.0)
        for i in range(200)
        for u in range(120)
        for model in ("a", "b")
    ]
    tests = paired_difference(spark.createDataFrame(rows, PER_USER), "a", "b", 400).collect()
    p = np.array([r.p_value for r in tests])
    assert len(p) == 200
    assert 0.005 <= (p < 0.05).mean() <= 0.11
    assert p.mean() == pytest.approx(0.5, abs=0.08)
    assert min(holm(p.tolist())) > 0.05


def test_holm_worked_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 × 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04; the last rises to 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(DataError, match="p-values"):
        holm([1.5])
