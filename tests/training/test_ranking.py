"""Validation by lists: what it counts, when it ends a training, and which weights are kept."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from tastemill.deep.registry import load_network
from tastemill.training.feed import open_feed
from tastemill.training.groups import Shard
from tastemill.training.loop import train
from tastemill.training.ranking import (
    NDCG,
    VALID_LOSS,
    VALID_RMSE,
    Ranking,
    best_epoch,
    is_over,
    items_of,
)
from tastemill.training.schedule import learning_rate
from tastemill.training.spec import FeedColumn, FeedSpec, TrainSpec

ITEMS, USERS = 11, 7
WriteFeed = Callable[..., FeedSpec]


class Told(nn.Module):
    """Scores that are told, a row for each user."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)

    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        scores: Tensor = self.scores.detach()[users["user_idx"]][:, items["item_idx"]]
        return scores


def users_feed(write_feed: WriteFeed, folder: Path, rows: list[dict[str, Any]]) -> FeedSpec:
    """Rows of user_idx, seen, held and what a network takes, in two parts."""
    lists = pa.list_(pa.int32())
    kinds = {"user_idx": pa.int32(), "seen": lists, "held": lists}
    kinds |= {"user_vector": pa.list_(pa.float32())} if "user_vector" in rows[0] else {}
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items())))
    columns = (
        FeedColumn("user_idx", high=USERS - 1),
        FeedColumn("seen", len(rows[0]["seen"]), ITEMS),
        FeedColumn("held", len(rows[0]["held"]), ITEMS),
        *([FeedColumn("user_vector", 2)] if "user_vector" in rows[0] else []),
    )
    return write_feed(folder, [table.slice(0, 1), table.slice(1)], columns)


def test_it_is_the_ndcg_that_lists_are_judged_by(write_feed: WriteFeed, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    scores = draw.random((USERS, ITEMS)).astype(np.float32)
    rows = []
    for user in range(USERS):
        seen, held = draw.permutation(ITEMS)[:7].tolist()[:3], draw.permutation(ITEMS).tolist()
        held = [item for item in held if item not in seen][: 1 + user % 3]
        rows.append({"user_idx": user, "seen": [*seen, ITEMS], "held": held + [ITEMS] * 3})
        rows[-1]["held"] = rows[-1]["held"][:3]
    feed = users_feed(write_feed, tmp_path / "users", rows)
    source = open_feed(feed, "pyarrow", Shard(batch_size=3, shuffle=False))
    network = Told(torch.from_numpy(scores))
    found = Ranking(source, items_of(None, ITEMS, "pyarrow")).measure(network)
    expected_ndcg, expected_hits = 0.0, 0
    for row in rows:
        order = np.argsort(-scores[row["user_idx"]], kind="stable")
        shown = [item for item in order if item not in row["seen"]][:10]
        held = {item for item in row["held"] if item < ITEMS}
        hits = np.array([item in held for item in shown])
        gains = 1 / np.log2(np.arange(2, 12))
        expected_ndcg += (hits * gains[: len(hits)]).sum() / gains[: len(held)].sum()
        expected_hits += hits.any()
    assert found.tolist() == pytest.approx([expected_ndcg, expected_hits, USERS], rel=1e-5)


def test_vectors_of_items_lie_at_their_places(write_feed: WriteFeed, tmp_path: Path) -> None:
    vectors = pa.array([[1.0, 2.0], [3.0, 4.0]], type=pa.list_(pa.float32()))
    table = pa.table({"item_idx": pa.array([5, 2], type=pa.int32()), "item_vector": vectors})
    columns = (FeedColumn("item_idx", high=5), FeedColumn("item_vector", 2))
    feed = write_feed(tmp_path / "items", [table.slice(0, 1), table.slice(1)], columns)
    items = items_of(feed, 7, "pyarrow")
    assert items["item_vector"][[5, 2, 0]].tolist() == [[1, 2], [3, 4], [0, 0]]


def test_a_training_ends_where_ndcg_rises_no_more() -> None:
    history = [(epoch, NDCG, value) for epoch, value in enumerate((0.1, 0.3, 0.3, 0.2))]
    assert best_epoch(history) == 1
    assert best_epoch([(0, "train_loss", 1.0)]) is None
    assert [is_over(history[:n], 2) for n in (1, 2, 3, 4)] == [False, False, False, True]
    assert not is_over(history, 0)


def test_where_no_lists_are_judged_the_loss_decides() -> None:
    losses = [(epoch, VALID_LOSS, value) for epoch, value in enumerate((0.5, 0.3, 0.3, 0.4))]
    assert best_epoch(losses) == 1
    assert is_over(losses, 2)
    assert best_epoch([*losses, (3, NDCG, 0.1)]) == 3


def test_of_stars_the_error_decides_whatever_the_lists() -> None:
    history = [(0, NDCG, 0.4), (0, VALID_RMSE, 1.0), (1, NDCG, 0.2), (1, VALID_RMSE, 0.9)]
    assert best_epoch(history) == 1


@pytest.fixture
def spec(rating_feed: FeedSpec, write_feed: WriteFeed, tmp_path: Path) -> TrainSpec:
    vector = [0.1, 0.2]
    rows = [
        {"user_idx": user, "user_vector": vector, "seen": [0, ITEMS], "held": [2, 5 + user % 3]}
        for user in range(USERS)
    ]
    params = {"num_users": USERS, "num_items": ITEMS, "user_dim": 2, "item_dim": 2}
    items = pa.table(
        {
            "item_idx": pa.array(range(ITEMS), type=pa.int32()),
            "item_vector": pa.array([vector] * ITEMS, type=pa.list_(pa.float32())),
        }
    )
    columns = (FeedColumn("item_idx", high=ITEMS - 1), FeedColumn("item_vector", 2))
    return TrainSpec(
        train=rating_feed,
        users=users_feed(write_feed, tmp_path / "users", rows),
        items=write_feed(tmp_path / "items", [items], columns),
        checkpoint_dir=str(tmp_path / "checkpoints"),
        artifact_dir=str(tmp_path / "artifact"),
        network="embedding_mlp",
        params=json.dumps({**params, "embedding_dim": 8, "output_bias": 2.0}),
        epochs=12,
        batch_size=32,
        learning_rate=0.02,
        feed="pyarrow",
        patience=3,
    )


def test_the_weights_of_the_best_epoch_are_kept(spec: TrainSpec, tmp_path: Path) -> None:
    result = train(spec)
    history = list(result.history)
    measured = {epoch: value for epoch, metric, value in history if metric == NDCG}
    best = best_epoch(history)
    assert best == max(measured, key=lambda epoch: (measured[epoch], -epoch))
    assert result.epochs == min(spec.epochs, best + 1 + spec.patience) == len(measured)
    # The same training, ended at its best epoch.
    place = {"checkpoint_dir": str(tmp_path / "c"), "artifact_dir": str(tmp_path / "a")}
    train(replace(spec, epochs=best + 1, patience=0, **place))
    one, two = (
        load_network(folder).state_dict() for folder in (result.artifact, place["artifact_dir"])
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_interrupted_while_it_waits_it_ends_alike(spec: TrainSpec, tmp_path: Path) -> None:
    whole = train(spec)
    place = {"checkpoint_dir": str(tmp_path / "c"), "artifact_dir": str(tmp_path / "a")}
    broken = replace(spec, faults=(f"raise:epoch={whole.epochs - 2}:at=epoch_end",), **place)
    with pytest.raises(Exception, match="injected fault"):
        train(broken)
    again = train(replace(broken, faults=()))
    assert [row for row in again.history if row[1] == NDCG] == [
        row for row in whole.history if row[1] == NDCG
    ]
    one, two = (load_network(done.artifact).state_dict() for done in (whole, again))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(2.0, step, 10, warmup=0.2, decay="cosine") for step in range(10)]
    assert rates[:3] == [1.0, 2.0, 2.0]
    assert rates[6] == pytest.approx(1.0 + math.cos(math.pi / 2))
    assert 0 < rates[9] < rates[8] < rates[7]
    assert learning_rate(2.0, 9, 10, warmup=0.0, decay="none") == 2.0
