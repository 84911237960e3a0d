"""Settings of train_deep."""

from typing import Any, Literal

from pydantic import Field

from tastemill.config import Section


class DeepConfig(Section):
    """The network, how it is fitted, and with how many processes."""

    model: Literal["embedding_mlp"] = Field("embedding_mlp", description="The network.")
    enabled: bool = Field(True, description="Whether a run trains it in the backtest.")
    embedding_dim: int = Field(32, ge=1, description="Length of user and item embeddings.")
    hidden: tuple[int, ...] = Field((128, 64), min_length=1, description="Widths of hidden layers.")
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of ids hidden in training, so that strangers score."
    )
    epochs: int = Field(5, ge=1, description="Passes over the training rows.")
    validate_epochs: bool = Field(
        False,
        description="Keep the valid split out of training and measure on it after every epoch: "
        "for choosing parameters; a final fit learns from everything before the cut.",
    )
    batch_size: int = Field(4096, ge=1, description="Rows of a step, over all processes.")
    learning_rate: float = Field(0.002, gt=0, description="Of Adam.")
    weight_decay: float = Field(0.0, ge=0, description="Of Adam.")
    seed: int = Field(1, ge=1, description="Of weights, dropout and order.")
    feed: Literal["petastorm", "pyarrow"] = Field("petastorm", description="Reader of the rows.")
    num_processes: int = Field(2, ge=1, description="Training processes.")
    num_threads: int = Field(1, ge=1, description="Threads of each on a CPU.")
    local_mode: bool = Field(True, description="On the driver's machine, else on the cluster.")
    use_gpu: Literal["auto", "yes", "no"] = Field("auto", description="GPUs when there are any.")
    retries: int = Field(1, ge=0, description="Launches after a failed one, from its checkpoint.")
    timeout_seconds: int = Field(300, ge=1, description="How long a process waits for others.")
    slots_wait_seconds: int = Field(
        30,
        ge=0,
        description="How long executors have to register, from the application's start, before a "
        "cluster counts as too small.",
    )

    def loss(self, task: str) -> str:
        """Squared error on stars, cross-entropy on taken or not."""
        return "mse" if task == "rating" else "bce"

    def network(self) -> dict[str, Any]:
        """The parameters that the network itself takes, without the sizes of the data."""
        return {
            "embedding_dim": self.embedding_dim,
            "hidden": list(self.hidden),
            "id_dropout": self.id_dropout,
        }
