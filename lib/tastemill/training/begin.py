"""What a network holds before its first step: vectors of another model, rows, trained parts."""

from typing import Any

import torch

from tastemill.deep.registry import load_network
from tastemill.errors import TrainingError
from tastemill.training.feed import open_feed
from tastemill.training.groups import Shard
from tastemill.training.spec import TrainSpec


@torch.no_grad()
def begin_with(network: Any, spec: TrainSpec) -> None:  # noqa: ANN401 - networks share methods, not a base
    """Put each vector into the first numbers of its id's embedding; the others stay random.

    Histories go into the network's rows.

    Raises:
        TrainingError: Vectors longer than embeddings, or parts of other sizes.
    """
    if spec.parts:
        parts = [load_network(folder) for folder in spec.parts]
        _check_sizes(network, parts)
        network.start_from(*parts)
    for feed in spec.begin:
        ids, values = (column.name for column in feed.columns)
        into = network.rows()[ids] if values == "history" else network.embeddings()[ids].weight
        width = feed.column(values).width
        # NeuMF's tables hold the embeddings of both of its parts, those of products first.
        longest = into.shape[1] if values == "history" else network.config.embedding_dim
        if width > longest:
            raise TrainingError(
                f"the vectors that {ids} begins with are longer than its embeddings",
                expected=f"{longest} numbers or fewer",
                found=str(width),
                fix="raise deep.embedding_dim, or take factors of a lower rank",
            )
        whole = Shard(batch_size=feed.rows, shuffle=False)
        for batch in open_feed(feed, spec.feed, whole).epoch(0):
            into[batch[ids].to(into.device), :width] = batch[values].to(into)


def _check_sizes(network: Any, parts: list[Any]) -> None:  # noqa: ANN401 - as above
    for part in parts:
        for name in ("embedding_dim", "hidden"):
            own, its = getattr(network.config, name), getattr(part.config, name)
            if its and own != its:
                raise TrainingError(
                    f"a part that neumf begins with has another {name}",
                    expected=str(own),
                    found=str(its),
                    fix="give gmf, mlp and neumf the same, or set deep.pretrained=false",
                )
