"""Validation as lists are judged: each user's best items of the whole catalogue, by NDCG and hits.

Far fewer users than train are asked, and the network scores whole rows of the catalogue, so it is
cheap beside an epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tastemill.training.feed import Batch, BatchSource, open_feed, open_measured
from tastemill.training.groups import Shard
from tastemill.training.spec import FeedSpec, History, TrainSpec

K = 10
RANKED_AT_ONCE = 256  # users over all ranks, each with a score for every item
NDCG, HIT = f"valid_ndcg@{K}", f"valid_hit@{K}"
VALID_LOSS, VALID_RMSE = "valid_loss", "valid_rmse"


@dataclass(frozen=True)
class Ranking:
    """Users that this rank asks for lists.

    Attributes:
        users: Their rows: what the network takes of users, `seen` (n, S) and `held` (n, H), both
            filled up with num_items: the items that are left out, and those to be found.
        items: What it takes of items, a row for each of the index: item_idx (m,) and the like.
    """

    users: BatchSource
    items: Mapping[str, Tensor]

    def measure(self, network: Any) -> Tensor:  # noqa: ANN401 - networks share methods, not a base
        """(sum of NDCG, sum of hits, users) over this rank's users."""
        device = next(network.parameters()).device
        items = {name: values.to(device) for name, values in self.items.items()}
        totals = torch.zeros(3, dtype=torch.float64)
        for batch in self.users.epoch(0):
            moved = {name: values.to(device) for name, values in batch.items()}
            if len(moved["held"]):
                scores = network.score_all(moved, items)
                totals += _judged(scores, moved).cpu()
        return totals


def ranking_of(spec: TrainSpec, network: Any, shard: Shard) -> Ranking | None:  # noqa: ANN401 - as above
    """The users that this rank asks for lists, and all items; None where none are asked."""
    if spec.users is None:
        return None
    users = open_measured(spec.users, spec.feed, replace(shard, batch_size=RANKED_AT_ONCE))
    return Ranking(users, items_of(spec.items, network.config.num_items, spec.feed))


def items_of(feed: FeedSpec | None, num_items: int, implementation: str) -> dict[str, Tensor]:
    """What a network takes of all items of the index; zeros of those that the feed lacks."""
    items = {"item_idx": torch.arange(num_items)}
    if feed is None:
        return items
    vectors = torch.zeros(num_items, feed.column("item_vector").width)
    whole = Shard(batch_size=feed.rows, shuffle=False)
    for batch in open_feed(feed, implementation, whole).epoch(0):
        vectors[batch["item_idx"]] = batch["item_vector"]
    return {**items, "item_vector": vectors}


def _judged(scores: Tensor, users: Batch) -> Tensor:
    """(sum of NDCG, sum of hits, users) of scores (n, m)."""
    num_items = scores.shape[1]
    # One column more, for what fills up.
    open_to = torch.zeros(len(scores), num_items + 1, device=scores.device)
    open_to.scatter_(1, users["seen"], -torch.inf)
    best = (scores + open_to[:, :num_items]).topk(min(K, num_items), dim=1).indices
    found = (best[:, :, None] == users["held"][:, None, :]).any(dim=2)
    ranks = torch.arange(best.shape[1], device=scores.device)
    gains = 1.0 / torch.log2(ranks + 2.0)
    wanted = (users["held"] < num_items).sum(dim=1).clamp(min=1, max=best.shape[1])
    ndcg = (found * gains).sum(dim=1) / gains.cumsum(0)[wanted - 1]
    hits = found.any(dim=1)
    return torch.tensor([float(ndcg.sum()), float(hits.sum()), len(scores)], dtype=torch.float64)


def best_epoch(history: History) -> int | None:
    """The best epoch on validation; the first of equal ones, None where nothing was measured.

    Of stars it has the lowest RMSE, else the highest NDCG, and where no lists are judged the lowest
    loss.
    """

    def of(wanted: str, sign: int) -> list[tuple[float, int]]:
        return [(sign * value, -epoch) for epoch, metric, value in history if metric == wanted]

    measured = of(VALID_RMSE, -1) or of(NDCG, 1) or of(VALID_LOSS, -1)
    return -max(measured)[1] if measured else None


def is_over(history: History, patience: int) -> bool:
    """Whether no epoch of so many was the best; patience 0 never ends a training."""
    best = best_epoch(history)
    return bool(patience) and best is not None and history[-1][0] - best >= patience
