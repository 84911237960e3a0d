"""Objectives: what a network is trained for, as sums that whoever knows all ranks divides.

Each is a module around the network, so that gradients are synchronized whatever it calls. It turns
a batch into the sum of weighted losses (), and tells the sum of weights () before.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

Batch = dict[str, Tensor]
IGNORED = -100  # a target that counts for nothing


class Objective(nn.Module):
    """A network and its loss.

    Attributes:
        asks: The columns of a batch that it takes beside the network's inputs.

    Args:
        network: What is trained.
        negatives: How many items are drawn at each step, where any are.
    """

    asks: ClassVar[tuple[str, ...]] = ("label", "weight")

    def __init__(self, network: Any, negatives: int = 0) -> None:  # noqa: ANN401 - networks share methods, not a base
        super().__init__()
        self.network, self.negatives = network, negatives

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a batch has to have."""
        return columns_of(self.network, type(self))

    def weight(self, batch: Batch) -> Tensor:
        """The sum of weights (), by which the loss is to be divided."""
        return batch["weight"].sum()

    def forward(self, batch: Batch) -> Tensor:
        """The sum of losses ()."""
        raise NotImplementedError


class SquaredError(Objective):
    """weight × (score - label)²."""

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch: what the network takes, label (B,), weight (B,)."""
        weight = batch["weight"]
        return torch.sum(weight * (self.network(batch) - batch["label"]) ** 2)


class LogLoss(Objective):
    """weight × cross entropy in nats; scores are log-odds, labels in [0, 1]."""

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch: what the network takes, label (B,), weight (B,)."""
        scores, weight = self.network(batch), batch["weight"]
        return nnf.binary_cross_entropy_with_logits(
            scores, batch["label"], weight=weight, reduction="sum"
        )


class _Drawn(Objective):
    """Each row is of what was taken; the items held against it are drawn anew in every step.

    A drawn item may be one that the user took too: seldom, where catalogues are large.
    """

    asks = ("weight",)

    def weight(self, batch: Batch) -> Tensor:
        """See `Objective`; a row counts once with each item, its own and the drawn ones."""
        return batch["weight"].sum() * (1 + self.negatives)

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores (B,) of the rows' own items and (B, N) of drawn ones."""
        own = batch["item_idx"]
        places = (len(own), self.negatives)
        drawn = torch.randint(self.network.config.num_items, places, device=own.device)
        items = torch.cat((own[:, None], drawn), dim=1)
        users = batch["user_idx"][:, None].expand_as(items)
        scores = self.network({"user_idx": users.reshape(-1), "item_idx": items.reshape(-1)})
        scores = scores.view_as(items)
        return scores[:, 0], scores[:, 1:]


class SampledLogLoss(_Drawn):
    """weight × cross entropy of what was taken (1) and of each drawn item (0).

    Source: He et al., Neural Collaborative Filtering (WWW 2017), equation 7.
    """

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch: user_idx (B,), item_idx (B,), weight (B,)."""
        own, drawn = self.scores(batch)
        losses = nnf.softplus(-own) + nnf.softplus(drawn).sum(dim=1)
        return (batch["weight"] * losses).sum()


class Bpr(_Drawn):
    """weight × -ln σ(score of what was taken - score of a drawn item), over all drawn.

    Source: Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback (UAI 2009).
    """

    def weight(self, batch: Batch) -> Tensor:
        """See `Objective`; a row counts once with each drawn item."""
        return batch["weight"].sum() * self.negatives

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch: user_idx (B,), item_idx (B,), weight (B,)."""
        own, drawn = self.scores(batch)
        return (batch["weight"] * nnf.softplus(drawn - own[:, None]).sum(dim=1)).sum()


class InBatchSoftmax(Objective):
    """weight × -ln of the user's own item among those of the batch, each as likely as the other.

    What is popular is often in a batch, so ln of its share is taken from its score (logQ); a
    user's own item that came in with somebody else isn't held against it.

    Source: Yi et al., Sampling-Bias-Corrected Neural Modeling (RecSys 2019), equations 2 to 4.
    """

    asks = ("weight", "item_share")

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch also: item_idx (B,), item_share (B,), weight (B,)."""
        scores = self.network.user_vectors(batch) @ self.network.item_vectors(batch).T
        scores = scores - torch.log(batch["item_share"].clamp(min=1e-12))
        own, same = torch.arange(len(scores), device=scores.device), batch["item_idx"]
        twice = (same[:, None] == same[None, :]).fill_diagonal_(False)
        loss = nnf.cross_entropy(scores.masked_fill(twice, -torch.inf), own, reduction="none")
        return (batch["weight"] * loss).sum()


class SequenceSoftmax(Objective):
    """-ln of each next item among all items.

    Source: Klenitskiy and Vasilev, Turning Dross Into Gold Loss: is BERT4Rec really better than
    SASRec? (RecSys 2023).
    """

    asks = ()

    def forward(self, batch: Batch) -> Tensor:
        """See `Objective`; batch: history (B, L + 1), each item but the first being predicted."""
        states, targets = self.predicting(batch)
        scores = states @ self.network.all_item_vectors().T
        return nnf.cross_entropy(scores, targets, reduction="sum")

    def predicting(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The states (N, d) that an item follows, and those items (N,)."""
        history, targets = batch["history"][:, :-1], batch["history"][:, 1:]
        known = targets < self.network.config.num_items
        return self.network.states(history, known), targets[known]

    def weight(self, batch: Batch) -> Tensor:
        """How many items are predicted ()."""
        known = batch["history"][:, 1:] < self.network.config.num_items
        amount: Tensor = known.sum().to(torch.float32)
        return amount


class SampledSoftmax(SequenceSoftmax):
    """-ln of each next item among itself and some items that the step draws, each equally likely.

    A drawn item stands for all that were not: ln of how often it is expected among the drawn is
    taken from its score (logQ), so that the sum estimates the one over all items.

    Source: Bengio and Senecal, Quick Training of Probabilistic Neural Nets by Importance Sampling
    (AISTATS 2003), equation 10.
    """

    def forward(self, batch: Batch) -> Tensor:
        """See `SequenceSoftmax`."""
        states, targets = self.predicting(batch)
        num_items = self.network.config.num_items
        drawn = torch.randint(num_items, (self.negatives,), device=states.device)
        others = states @ self.network.item_vectors({"item_idx": drawn}).T
        others = others - math.log(self.negatives / num_items)
        others = others.masked_fill(targets[:, None] == drawn, -torch.inf)
        own = (states * self.network.item_vectors({"item_idx": targets})).sum(dim=1)
        losses: Tensor = torch.logsumexp(torch.cat((own[:, None], others), dim=1), dim=1) - own
        return losses.sum()


OBJECTIVES: Mapping[str, type[Objective]] = {
    "mse": SquaredError,
    "bce": LogLoss,
    "sampled_bce": SampledLogLoss,
    "bpr": Bpr,
    "in_batch_softmax": InBatchSoftmax,
    "softmax": SequenceSoftmax,
    "sampled_softmax": SampledSoftmax,
}


def columns_of(network: Any, objective: type[Objective]) -> tuple[str, ...]:  # noqa: ANN401 - as above
    """What a batch has to have for a network (or its class) and an objective."""
    return tuple(dict.fromkeys((*network.inputs, *objective.asks)))
