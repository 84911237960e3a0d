"""Embeddings that begin with the vectors of another model."""

from typing import Any

import torch

from tastemill.errors import TrainingError
from tastemill.training.feed import open_feed
from tastemill.training.groups import Shard
from tastemill.training.spec import FeedSpec, TrainSpec


@torch.no_grad()
def begin_with(network: Any, spec: TrainSpec) -> None:  # noqa: ANN401 - networks share methods, not a base
    """Put each vector into the first numbers of its id's embedding; the others stay random.

    Raises:
        TrainingError: Vectors longer than embeddings.
    """
    for feed in spec.begin:
        ids, vectors = _names(feed)
        table, width = network.embeddings()[ids].weight, feed.column(vectors).width
        if width > table.shape[1]:
            raise TrainingError(
                f"the vectors that {ids} begins with are longer than its embeddings",
                expected=f"{table.shape[1]} numbers or fewer",
                found=str(width),
                fix="raise deep.embedding_dim, or take factors of a lower rank",
            )
        whole = Shard(batch_size=feed.rows, shuffle=False)
        for batch in open_feed(feed, spec.feed, whole).epoch(0):
            table[batch[ids], :width] = batch[vectors].to(table.device)


def _names(feed: FeedSpec) -> tuple[str, str]:
    side = "user" if feed.column("user_vector").width else "item"
    return f"{side}_idx", f"{side}_vector"
