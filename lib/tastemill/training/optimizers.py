"""Adam for a network's layers, and for large tables of ids a form that touches what a step met.

Adam moves every row of a table at every step, those without a gradient too, by what it remembers of
them: with millions of rows that takes longer than all the rest. SparseAdam leaves them be.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tastemill.training.spec import TrainSpec


def sparse_tables(network: nn.Module) -> list[nn.Parameter]:
    """The tables whose gradients hold only the rows that a step met."""
    modules = (module for module in network.modules() if isinstance(module, nn.Embedding))
    return [module.weight for module in modules if module.sparse]  # type: ignore[misc]  # weights are parameters


def optimizer_of(spec: TrainSpec, network: nn.Module, device: torch.device) -> "Optimizers":
    """The optimizers of a network's parameters."""
    tables = sparse_tables(network)
    own = {id(table) for table in tables}
    rest = [p for p in network.parameters() if id(p) not in own]
    fused = device.type == "cuda"
    parts: list[torch.optim.Optimizer] = [
        torch.optim.Adam(rest, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=fused)
    ]
    if tables:
        parts.append(torch.optim.SparseAdam(tables, lr=spec.learning_rate))
    return Optimizers(*parts)


class Optimizers:
    """Several optimizers as one: each has parameters of its own."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self._parts = parts

    @property
    def groups(self) -> Iterator[dict[str, Any]]:
        """The parameter groups of all."""
        return (group for part in self._parts for group in part.param_groups)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One step of each."""
        for part in self._parts:
            part.step()

    def state(self) -> tuple[dict[str, Tensor], list[list[dict[str, Any]]]]:
        """The tensors of all by name, and the groups of each, as JSON holds them."""
        tensors, groups = {}, []
        for number, part in enumerate(self._parts):
            held = part.state_dict()
            groups.append(held["param_groups"])
            for index, of_parameter in held["state"].items():
                for name, value in of_parameter.items():
                    # SparseAdam counts its steps in a plain number.
                    tensors[f"{number}.{index}.{name}"] = torch.as_tensor(value)
        return tensors, groups

    def restore(self, tensors: dict[str, Tensor], groups: list[list[dict[str, Any]]]) -> None:
        """Put back what `state` returned."""
        for number, (part, own) in enumerate(zip(self._parts, groups, strict=True)):
            counts = isinstance(part, torch.optim.SparseAdam)
            state: dict[int, dict[str, Any]] = {}
            for key, value in tensors.items():
                place, index, name = key.split(".", 2)
                if int(place) == number:
                    plain = counts and name == "step"
                    state.setdefault(int(index), {})[name] = int(value) if plain else value
            part.load_state_dict({"state": state, "param_groups": own})
