"""What MLflow loads a network with: code by name and weights in safetensors, nothing pickled."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from tastemill.deep.registry import load_network


class Served(PythonModel):
    """A network that scores rows of a pandas frame with the columns of the signature."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own
        """Load the weights of the model's folder."""
        self._network: Any = load_network(context.artifacts["network"])

    def predict(
        self,
        context: Any,  # noqa: ANN401 - MLflow's own
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> np.ndarray[Any, Any]:
        """Scores (n,) of n rows."""
        if model_input.empty:
            return np.zeros(0, dtype=np.float32)
        batch = {name: _tensor(model_input[name], self._network) for name in model_input.columns}
        with torch.no_grad():
            scores: np.ndarray[Any, Any] = self._network(batch).numpy()
        return scores


def _tensor(column: pd.Series, network: Any) -> torch.Tensor:  # noqa: ANN401
    """Numbers (n,), or lists (n, longest) that are filled up at their ends with "no item"."""
    values = list(column)
    if not np.ndim(values[0]):
        return torch.tensor(values)
    if column.name != "history":
        return torch.tensor(np.array(values))
    newest = [list(row)[-network.config.max_length :] for row in values]
    longest = max(1, *map(len, newest))
    filled = [[*row, *[network.config.num_items] * (longest - len(row))] for row in newest]
    return torch.tensor(np.array(filled))


set_model(Served())
