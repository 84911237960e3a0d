"""What crosses to the training processes and back: frozen records of strings and numbers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# What a feed may hold, by the form of its columns: (n,) or (n, width), int64 or float32.
INDEX_COLUMNS = ("user_idx", "item_idx")
FLOAT_COLUMNS = ("label", "weight", "item_share")
VECTOR_COLUMNS = ("user_vector", "item_vector", "numeric")
INDICES_COLUMNS = ("categorical", "history", "seen", "held")
GAPS = ("numeric",)  # null and NaN stand for what isn't known
History = list[tuple[int, str, float]]  # (epoch, metric, value)
PAIRS = ("user_idx", "item_idx", "label", "weight", "user_vector", "item_vector")


@dataclass(frozen=True)
class FeedColumn:
    """A column of a feed.

    Attributes:
        name: One of those above.
        width: Length of its lists; 0 for a scalar.
        high: Its largest index; -1 where it holds no indices.
    """

    name: str
    width: int = 0
    high: int = -1

    @property
    def is_index(self) -> bool:
        """Whether its values are int64."""
        return self.name in (*INDEX_COLUMNS, *INDICES_COLUMNS)

    def shape(self, rows: int) -> tuple[int, ...]:
        """Of so many rows."""
        is_list = self.name in (*VECTOR_COLUMNS, *INDICES_COLUMNS)
        return (rows, self.width) if is_list else (rows,)


@dataclass(frozen=True)
class FeedSpec:
    """A materialized feed: Parquet files in a folder that every process can read.

    Attributes:
        folder: Absolute path.
        files: File names, sorted.
        row_groups: Rows of each row group, per file.
        sha256: Hash of each file.
        columns: What it holds.
        mean_label: Weighted mean of label; 0 without one.
        meta: Where the rows come from, as (key, value) pairs: table versions and the like.
    """

    folder: str
    files: tuple[str, ...]
    row_groups: tuple[tuple[int, ...], ...]
    sha256: tuple[str, ...]
    columns: tuple[FeedColumn, ...]
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

    def column(self, name: str) -> FeedColumn:
        """A column that may be missing: without width and indices then."""
        return next((each for each in self.columns if each.name == name), FeedColumn(name))

    def shard_rows(self, rank: int, world: int) -> int:
        """Rows of a rank's shard: row groups go to ranks in turn (index modulo world)."""
        return sum(self.group_rows[rank::world])

    def shard_groups(self, rank: int, world: int) -> list[tuple[str, int]]:
        """A rank's row groups: each one's file, and its number in that."""
        groups_of = zip(self.files, self.row_groups, strict=True)
        return [(name, i) for name, groups in groups_of for i in range(len(groups))][rank::world]


_OF_IDENTITY = (
    *("network", "objective", "negatives", "batch_size", "accumulate", "seed"),
    *("learning_rate", "weight_decay", "warmup", "decay", "max_norm", "precision"),
)


@dataclass(frozen=True)
class TrainSpec:
    """One training, complete: the same record on every rank.

    Attributes:
        train: The rows to learn from.
        checkpoint_dir: Folder shared by all processes; also holds their status.
        artifact_dir: Where rank 0 leaves model.json and model.safetensors.
        network: A kind of `tastemill.deep.registry`.
        params: The network's parameters as JSON.
        valid: Rows for the validation loss, or none.
        users: Users to rank the catalogue for after every epoch, or none.
        items: What the network takes of items beside their index, for the same.
        begin: What users or items begin with, an index and a vector or a history in each feed.
        parts: Folders of trained networks, each in one named by its model, which it begins with.
        objective: A key of `tastemill.deep.objectives`.
        negatives: Items drawn, at each step (sampled_softmax) or for each row (sampled_bce, bpr).
        epochs: Passes over the rows.
        batch_size: Rows of one step over all ranks together.
        learning_rate: Of Adam, at its highest.
        weight_decay: Of Adam.
        seed: Of weights, dropout, order and what is drawn.
        num_threads: Of each process on a CPU.
        shuffle: False takes the rows as they lie.
        accumulate: Parts that a rank cuts its rows of a step into, one after another.
        warmup: Share of all steps in which the learning rate rises.
        decay: `cosine` lets it fall to 0 afterwards; else `none`.
        schedule_epochs: Epochs whose steps these are; 0 for `epochs`.
        max_norm: Longest gradient, longer ones are shortened; 0 for any.
        patience: Epochs without a better one that end a training; 0 for none.
        checkpoint_steps: Steps between checkpoints within an epoch; 0 for none but at its end.
        timeout_s: How long a rank waits for the others before it gives up.
        feed: `petastorm` or `pyarrow`.
        precision: `float32` or `bfloat16` for products; `auto` is the latter on a GPU.
        compiled: Whether torch.compile makes one program of a step's products and losses.
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
    users: FeedSpec | None = None
    items: FeedSpec | None = None
    begin: tuple[FeedSpec, ...] = ()
    parts: tuple[str, ...] = ()
    objective: str = "mse"
    negatives: int = 0
    epochs: int = 5
    batch_size: int = 4096
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    accumulate: int = 1
    warmup: float = 0.0
    decay: str = "none"
    schedule_epochs: int = 0
    max_norm: float = 0.0
    patience: int = 0
    checkpoint_steps: int = 0
    seed: int = 1
    num_threads: int = 1
    timeout_s: int = 300
    feed: str = "petastorm"
    shuffle: bool = True
    precision: str = "auto"
    compiled: bool = False
    use_gpu: bool = False
    attempt: int = 0
    status_dir: str = ""
    faults: tuple[str, ...] = ()

    @property
    def scheduled(self) -> int:
        """Epochs that warm-up and decay are laid over."""
        return self.schedule_epochs or self.epochs

    def identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to be carried on with.

        The number of epochs is not in it, unless the learning rate goes by it: a finished
        training can be made longer.
        """
        values = {name: getattr(self, name) for name in _OF_IDENTITY}
        if self.warmup or self.decay != "none":
            values["epochs"] = self.scheduled
        values |= {f"params.{k}": v for k, v in json.loads(self.params).items()}
        if self.checkpoint_steps:  # random numbers begin anew there
            values["checkpoint_steps"] = self.checkpoint_steps
        if self.begin:
            values["begin_sha256"] = digest([feed.sha256 for feed in self.begin])
        if self.parts:
            values["parts"] = [Path(folder).parent.name for folder in self.parts]
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
        columns=tuple(FeedColumn(**column) for column in values["columns"]),
        mean_label=values["mean_label"],
        meta=tuple((k, v) for k, v in values["meta"]),
    )
