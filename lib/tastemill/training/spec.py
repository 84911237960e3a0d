"""What crosses to the training processes and back: frozen records of strings and numbers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

FLOAT_COLUMNS = ("label", "weight")
INDEX_COLUMNS = ("user_idx", "item_idx")
VECTOR_COLUMNS = ("user_vector", "item_vector")
COLUMNS = (*INDEX_COLUMNS, *FLOAT_COLUMNS, *VECTOR_COLUMNS)


@dataclass(frozen=True)
class FeedSpec:
    """A materialized feed: Parquet files in a folder that every process can read.

    Attributes:
        folder: Absolute path.
        files: File names, sorted.
        row_groups: Rows of each row group, per file.
        sha256: Hash of each file.
        user_width: Length of user_vector (Pu).
        item_width: Length of item_vector (Pi).
        max_user_idx: Largest user_idx, for a check against the network's tables.
        max_item_idx: Largest item_idx.
        mean_label: Weighted mean of label.
        meta: Where the rows come from, as (key, value) pairs: table versions and the like.
    """

    folder: str
    files: tuple[str, ...]
    row_groups: tuple[tuple[int, ...], ...]
    sha256: tuple[str, ...]
    user_width: int
    item_width: int
    max_user_idx: int
    max_item_idx: int
    mean_label: float
    meta: tuple[tuple[str, str], ...] = ()

    @property
    def group_rows(self) -> tuple[int, ...]:
        """Rows of every row group, in the order of files."""
        return tuple(rows for groups in self.row_groups for rows in groups)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.group_rows)

    def shard_rows(self, rank: int, world: int) -> int:
        """Rows of a rank's shard: row groups go to ranks in turn (index modulo world)."""
        return sum(self.group_rows[rank::world])


@dataclass(frozen=True)
class TrainSpec:
    """One training, complete: the same record on every rank.

    Attributes:
        train: The rows to learn from.
        checkpoint_dir: Folder shared by all processes; also holds their status.
        artifact_dir: Where rank 0 leaves model.json and model.safetensors.
        network: A kind of `tastemill.deep.registry`.
        params: The network's parameters as JSON.
        valid: Rows for the validation metrics, or none.
        loss: `mse` or `bce`.
        batch_size: Rows of one step over all ranks together.
        timeout_s: How long a rank waits for the others before it gives up.
        feed: `petastorm` or `pyarrow`.
        use_gpu: Use CUDA where the process sees a device.
        attempt: Number of the launch, from 0.
        status_dir: Where ranks leave their last word; empty for none.
        faults: Failures to inject, for tests (see `tastemill.training.faults`).
    """

    train: FeedSpec
    checkpoint_dir: str
    artifact_dir: str
    network: str
    params: str
    valid: FeedSpec | None = None
    loss: str = "mse"
    epochs: int = 5
    batch_size: int = 4096
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    seed: int = 1
    num_threads: int = 1
    timeout_s: int = 300
    feed: str = "petastorm"
    shuffle: bool = True
    use_gpu: bool = False
    attempt: int = 0
    status_dir: str = ""
    faults: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to be carried on with.

        The number of epochs is not in it: a finished training can be made longer.
        """
        names = ("network", "loss", "batch_size", "learning_rate", "weight_decay", "seed")
        values = {name: getattr(self, name) for name in names}
        values |= {f"params.{k}": v for k, v in json.loads(self.params).items()}
        return values | {
            "feed": self.feed,
            "shuffle": self.shuffle,
            "train_sha256": digest(self.train.sha256),
        }


@dataclass(frozen=True)
class TrainResult:
    """What comes back: metrics and a folder, never weights.

    Attributes:
        history: (epoch, metric, value), epochs from 0.
        artifact: Folder of the trained network.
        rows_per_second: Training rows over all ranks per second of the epochs run.
        epochs: Epochs trained in all, those before a resume included.
    """

    history: tuple[tuple[int, str, float], ...]
    artifact: str
    rows_per_second: float
    epochs: int
    world: int = 1
    device: str = "cpu"


def digest(values: object) -> str:
    """The sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def feed_to_json(spec: FeedSpec) -> dict[str, Any]:
    """The record as JSON values, without its folder: the manifest moves with the files."""
    return {k: v for k, v in asdict(spec).items() if k != "folder"}


def feed_from_json(folder: str, values: dict[str, Any]) -> FeedSpec:
    """The inverse of `feed_to_json`."""
    return FeedSpec(
        folder=folder,
        files=tuple(values["files"]),
        row_groups=tuple(tuple(groups) for groups in values["row_groups"]),
        sha256=tuple(values["sha256"]),
        user_width=values["user_width"],
        item_width=values["item_width"],
        max_user_idx=values["max_user_idx"],
        max_item_idx=values["max_item_idx"],
        mean_label=values["mean_label"],
        meta=tuple((k, v) for k, v in values["meta"]),
    )
