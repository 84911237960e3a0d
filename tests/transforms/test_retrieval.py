"""Lists from Spark against brute force: seen and ineligible items, nulls, empty frames."""

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.errors import ContractError, DataError
from tastemill.retrieval.recommend import LISTS_SCHEMA, default_block_rows, recommend_top_k
from tastemill.retrieval.scorers import FactorScorer, StaticScorer

USERS = "user_idx int, seen array<int>, vector array<float>"
SCORER = FactorScorer([[1, 0], [0, 1], [1, 1], [0, 1]], fallback=[1, 2, 3, 4])
Lists = dict[int, tuple[list[int], list[float], bool]]


def lists_of(frame: DataFrame) -> Lists:
    return {row.user_idx: (row["items"], row.scores, row.fallback) for row in frame.collect()}


def test_lists_worked_by_hand(spark: SparkSession) -> None:
    users = spark.createDataFrame(
        [
            (0, [2], [1.0, 2.0]),  # scores 1 2 3 2: 2 is seen, 1 and 3 tie
            (1, None, [3.0, 0.0]),  # 3 0 3 0: 0 and 2 tie
            (2, [3, 99, -1], None),  # fallback 1 2 3 4: 3 is seen, 99 and −1 are no items
            (3, [0, 1, 2, 3], [1.0, 1.0]),  # has seen everything
            (4, [0, 1, 3], [1.0, 1.0]),  # one item is left
        ],
        USERS,
    )
    lists = recommend_top_k(users, SCORER, 2)
    assert lists_of(lists) == {
        0: ([1, 3], [2.0, 2.0], False),
        1: ([0, 2], [3.0, 3.0], False),
        2: ([2, 1], [3.0, 2.0], True),
        3: ([], [], False),
        4: ([2], [2.0], False),
    }
    assert [field.name for field in lists.schema] == ["user_idx", "items", "scores", "fallback"]


def test_ineligible_items_and_k_beyond_the_catalogue(spark: SparkSession) -> None:
    users = spark.createDataFrame([(0, [1]), (1, None)], "user_idx int, seen array<int>")
    eligible = np.array([True, True, False])
    lists = recommend_top_k(users, StaticScorer([1, 2, 3]), 10, eligible=eligible)
    assert lists_of(lists) == {0: ([0], [1.0], False), 1: ([1, 0], [2.0, 1.0], False)}


def test_only_eligible_items_are_scored_and_nothing_else_changes(spark: SparkSession) -> None:
    rng = np.random.default_rng(7)
    items, users = rng.standard_normal((400, 16)), rng.standard_normal((30, 16))
    bias = np.where(rng.random(400) < 0.2, -np.inf, 0.0)
    scorer = FactorScorer(items, fallback=rng.random(400), item_bias=bias)
    seen = [np.flatnonzero(rng.random(400) < 0.3).tolist() for _ in range(30)]
    rows = [(u, seen[u], users[u].tolist() if u else None) for u in range(30)]
    frame = spark.createDataFrame(rows, USERS)
    eligible = rng.random(400) < 0.5
    whole = lists_of(recommend_top_k(frame, scorer, 400))
    some = lists_of(recommend_top_k(frame, scorer, 400, eligible=eligible))
    for user, (listed, scores, fallback) in whole.items():
        kept = [place for place, item in enumerate(listed) if eligible[item]]
        assert some[user][0] == [listed[place] for place in kept]
        assert some[user][1] == [scores[place] for place in kept]
        assert some[user][2] == fallback
    nothing = recommend_top_k(frame, scorer, 3, eligible=np.zeros(400, dtype=bool))
    assert {tuple(row[0]) for row in lists_of(nothing).values()} == {()}


def test_empty_frame_and_a_batch_of_nulls(spark: SparkSession) -> None:
    empty = recommend_top_k(spark.createDataFrame([], USERS), SCORER, 2)
    assert empty.schema == spark.createDataFrame([], LISTS_SCHEMA).schema
    assert empty.collect() == []
    nobody = spark.createDataFrame([(0, None, None), (1, None, None)], USERS)
    expected = ([3, 2], [4.0, 3.0], True)
    assert lists_of(recommend_top_k(nobody, SCORER, 2)) == {0: expected, 1: expected}


def test_equals_brute_force_in_any_partitioning(spark: SparkSession) -> None:
    rng = np.random.default_rng(5)
    num_users, num_items, rank, k = 150, 700, 8, 20
    users = rng.integers(-3, 4, (num_users, rank)).astype(np.float32)  # whole numbers: many ties
    items = rng.integers(-3, 4, (num_items, rank)).astype(np.float32)
    seen = [np.flatnonzero(rng.random(num_items) < share) for share in rng.random(num_users)]
    rows = [(u, seen[u].tolist(), users[u].tolist()) for u in range(num_users)]
    frame = spark.createDataFrame(rows, USERS)
    scorer = FactorScorer(items, fallback=np.zeros(num_items))

    expected: Lists = {}
    for u, scores in enumerate(users @ items.T):
        scores[seen[u]] = -np.inf
        order = np.lexsort((np.arange(num_items), -scores))
        best = [int(i) for i in order if scores[i] > -np.inf][:k]
        expected[u] = (best, [float(scores[i]) for i in best], False)
    for partitions, block_rows in ((1, None), (3, 7), (2, 64)):
        lists = recommend_top_k(frame.repartition(partitions), scorer, k, block_rows=block_rows)
        assert lists_of(lists) == expected


def test_scores_do_not_depend_on_the_neighbours_to_the_last_bit(spark: SparkSession) -> None:
    rng = np.random.default_rng(6)
    scorer = FactorScorer(rng.standard_normal((300, 64)), fallback=np.zeros(300))
    vectors = rng.standard_normal((100, 64)).tolist()
    frame = spark.createDataFrame([(u, None, v) for u, v in enumerate(vectors)], USERS)
    whole = lists_of(recommend_top_k(frame.coalesce(1), scorer, 300))
    assert lists_of(recommend_top_k(frame.repartition(4, "user_idx"), scorer, 300)) == whole
    assert lists_of(recommend_top_k(frame.where("user_idx = 42"), scorer, 300)) == {42: whole[42]}
    scores = np.array(vectors, dtype=np.float32) @ scorer._factors.T
    found = np.array([score for user in range(100) for score in whole[user][1]]).reshape(100, 300)
    assert np.allclose(found, -np.sort(-scores, axis=1), rtol=1e-5, atol=1e-5)


def test_misfits_are_named_before_any_job(spark: SparkSession) -> None:
    users = spark.createDataFrame([], "user_idx int, seen array<int>")
    with pytest.raises(ContractError, match="vector"):
        recommend_top_k(users, SCORER, 2)
    with pytest.raises(DataError, match="eligible"):
        recommend_top_k(users, StaticScorer([1, 2]), 2, eligible=np.array([True]))
    with pytest.raises(DataError, match="at least 1"):
        recommend_top_k(users, StaticScorer([1, 2]), 0)


def test_blocks_fit_the_buffer() -> None:
    assert [default_block_rows(m) for m in (1, 3706, 50_000, 10**8)] == [1024, 1024, 83, 1]
