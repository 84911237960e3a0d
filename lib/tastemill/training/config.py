"""Settings of train_deep."""

from typing import Any, Literal, Self, get_args

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from tastemill.config import Section

SEQUENCES = ("sasrec", "esasrec", "hstu")
OF_PROFILES = ("embedding_mlp", "two_tower")
OF_IDS = ("gmf", "mlp", "neumf", "deep_mf")  # which know users and items by their numbers alone
FACTORIZING = ("gmf", "deep_mf", "two_tower")  # whose scores are products of two vectors
DRAWING = ("sampled_bce", "bpr")  # objectives that draw what they hold against a row
PARTS: tuple["Network", ...] = ("gmf", "mlp")  # of neumf, which may begin with them
Network = Literal[
    "embedding_mlp",
    "gmf",
    "mlp",
    "neumf",
    "deep_mf",
    "two_tower",
    "sasrec",
    "esasrec",
    "hstu",
]
FeatureNetwork = Literal["wide_deep", "dcn", "dlrm"]
"""Networks over rows of `features`: rankers, which score pairs and make no lists."""
OF_FEATURES: tuple[FeatureNetwork, ...] = get_args(FeatureNetwork)


class DeepConfig(Section):
    """The network, how it is fitted, and with how many processes."""

    model: Network | FeatureNetwork = Field("embedding_mlp", description="The network.")
    more: tuple[Network, ...] = Field((), description="Networks to train beside it.")
    by_model: dict[Network | FeatureNetwork, dict[str, Any]] = Field(
        default_factory=dict,
        description="What is otherwise for one of them, such as `by_model.sasrec.epochs = 60`, or "
        "for one of `ranker.models`.",
    )
    objective: Literal["auto", "mse", "bce", "sampled_bce", "bpr"] = Field(
        "auto",
        description="What it learns: stars (mse), what was taken among the examples (bce), or, of "
        "networks of ids (gmf, mlp, neumf, deep_mf), what was taken against items that each step "
        "draws (sampled_bce, bpr). "
        "By default stars in rating tasks, else sampled_bce where there is a choice. Two towers "
        "and sequences have objectives of their own.",
    )
    enabled: bool = Field(True, description="Whether a run trains them in the backtest.")
    embedding_dim: int = Field(32, ge=1, description="Length of user and item embeddings.")
    hidden: tuple[int, ...] = Field((128, 64), min_length=1, description="Widths of hidden layers.")
    init_from: str = Field(
        "",
        description="A model whose factors the embeddings begin with, such as als, fitted in the "
        "same run; they fill as much of each as they are long. Empty: random numbers.",
    )
    inputs_from: str = Field(
        "",
        description="A model whose factors stand behind the profile vectors of users and items, "
        "such as als, fitted in the same run; of embedding_mlp and two_tower. Empty: none.",
    )
    pretrained: bool = Field(
        False,
        description="neumf begins with the weights of gmf and mlp, which are trained before it: as "
        "long embeddings and the same hidden layers, so its own learning rate should be low.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of ids hidden in training, so that strangers score."
    )
    epochs: int = Field(5, ge=1, description="Passes over the training rows.")
    validate_epochs: bool = Field(
        False,
        description="Keep the valid split out of training and measure on it after every epoch: "
        "for choosing parameters; a final fit learns from everything before the cut. Production, "
        "which has no such split, trains as many epochs as were best in the backtest.",
    )
    validate_users: int = Field(
        2000, ge=1, description="Users whose lists are judged after every epoch, then."
    )
    patience: int = Field(
        0,
        ge=0,
        description="Epochs without a higher NDCG@10 on validation (of stars: a lower RMSE; of "
        "rankers: a lower loss) that end the training; the network keeps the weights of its best "
        "epoch. 0 trains all epochs.",
    )
    batch_size: int = Field(4096, ge=1, description="Rows of a step, over all processes.")
    learning_rate: float = Field(0.002, gt=0, description="Of Adam.")
    weight_decay: float = Field(0.0, ge=0, description="Of Adam.")
    warmup: float = Field(
        0.0, ge=0, le=1, description="Share of all steps in which the learning rate rises."
    )
    decay: Literal["none", "cosine"] = Field(
        "none", description="Whether the learning rate falls to 0 afterwards, as a cosine does."
    )
    schedule_epochs: int = Field(
        0,
        ge=0,
        description="Epochs that warmup and decay are laid over; 0: as many as are trained. "
        "Production takes its backtest's, where it ends sooner.",
    )
    max_norm: float = Field(0.0, ge=0, description="Longer gradients are shortened; 0 for none.")
    accumulate: int = Field(
        1, ge=1, description="Parts of a step's rows, one after another, where memory is short."
    )
    sparse: bool = Field(
        False,
        description="Move only the embeddings of ids that a step met (SparseAdam): with millions "
        "of users or items on a CPU. Not of sequences.",
    )
    seed: int = Field(1, ge=1, description="Of weights, dropout and order.")
    feed: Literal["petastorm", "pyarrow"] = Field("petastorm", description="Reader of the rows.")
    num_processes: int = Field(2, ge=1, description="Training processes.")
    num_threads: int = Field(1, ge=1, description="Threads of each on a CPU.")
    local_mode: bool = Field(True, description="On the driver's machine, else on the cluster.")
    use_gpu: Literal["auto", "yes", "no"] = Field("auto", description="GPUs when there are any.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Of products inside the network; weights stay float32. By default bfloat16 on "
        "GPUs.",
    )
    compiled: bool = Field(
        False,
        description="Compile each step (torch.compile), for long trainings on GPUs. On two cores "
        "it takes half a minute and more, and only gmf was faster then (a quarter).",
    )
    checkpoint_steps: int = Field(
        0,
        ge=0,
        description="Steps between checkpoints, where epochs take hours; 0: only at their ends.",
    )
    retries: int = Field(1, ge=0, description="Launches after a failed one, from its checkpoint.")
    timeout_seconds: int = Field(300, ge=1, description="How long a process waits for others.")
    slots_wait_seconds: int = Field(
        30,
        ge=0,
        description="How long executors have to register, from the application's start, before a "
        "cluster counts as too small.",
    )

    temperature: float = Field(
        0.1, gt=0, description="two_tower: scores are cosines divided by it."
    )
    max_length: int = Field(
        100,
        ge=1,
        description="Sequences: items that a network looks back. deep_mf: those of a user, and "
        "users of an item.",
    )
    num_blocks: int = Field(2, ge=1, description="Sequences: blocks, one after another.")
    num_heads: int = Field(1, ge=1, description="Sequences: heads of a block.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Sequences: numbers hidden in training.")
    batch_users: int = Field(
        128, ge=1, description="Sequences: users of a step, over all processes."
    )
    sampled_items: int = Field(
        0,
        ge=0,
        description="Sequences: items drawn at each step, of which the next one is to be told; 0 "
        "for the whole catalogue.",
    )
    negatives: int = Field(
        4, ge=1, description="Networks of ids: items drawn for each row, which it is held against."
    )

    @field_validator("model")
    @classmethod
    def _makes_lists(cls, model: str, info: ValidationInfo) -> str:
        if model in OF_FEATURES and info.context is None:
            raise ValueError(f"{model} makes no lists: name it under ranker.models")
        return model

    @model_validator(mode="after")
    def _has_something_to_wait_for(self) -> Self:
        if self.patience and not self.validate_epochs:
            raise ValueError("patience goes by validation: set validate_epochs too")
        return self

    @model_validator(mode="after")
    def _has_that_objective(self) -> Self:
        if self.objective in DRAWING and self.model not in OF_IDS:
            raise ValueError(f"{self.objective} is of {', '.join(OF_IDS)}")
        if self.model == "deep_mf" and self.objective not in ("auto", *DRAWING):
            raise ValueError(f"deep_mf learns by {' or '.join(DRAWING)}: leave it at auto")
        if self.objective != "auto" and (self.is_sequence or self.model == "two_tower"):
            raise ValueError(f"{self.model} has an objective of its own: leave it at auto")
        if self.model == "two_tower" and self.accumulate > 1:
            raise ValueError("parts of a step would hold its items against fewer others: leave out")
        return self

    @model_validator(mode="after")
    def _schedule_is_long_enough(self) -> Self:
        if 0 < self.schedule_epochs < self.epochs:
            raise ValueError("schedule_epochs ends before epochs does, when nothing is learned")
        return self

    @model_validator(mode="after")
    def _heads_are_even(self) -> Self:
        if self.is_sequence and self.embedding_dim % self.num_heads:
            raise ValueError(f"embedding_dim, {self.embedding_dim}, is no multiple of num_heads")
        return self

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        if self.init_from and self.model == "deep_mf":
            raise ValueError("deep_mf has no embeddings of ids for init_from")
        if self.inputs_from and self.model not in OF_PROFILES:
            raise ValueError(f"{self.model} takes no profile vectors, so no inputs_from")
        for first in filter(None, (self.init_from, self.inputs_from)):
            if self.validate_epochs:
                raise ValueError(f"the factors of {first} have seen the part that is validated on")
        if self.init_from and self.parts:
            raise ValueError("neumf begins with its parts or with init_from, not with both")
        return self

    @model_validator(mode="after")
    def _sparse_suits(self) -> Self:
        if self.sparse and (self.is_sequence or self.model == "deep_mf"):
            raise ValueError(f"{self.model} has no tables that can be sparse")
        if self.sparse and (self.weight_decay or self.max_norm):
            raise ValueError("sparse goes without weight_decay and max_norm, which take all rows")
        return self

    @model_validator(mode="after")
    def _all_are_valid(self) -> Self:
        for network in {*self.networks, *self.by_model} if self.by_model or self.more else ():
            try:
                self.of(network)
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(("deep.by_model", network, *map(str, first["loc"])))
                raise ValueError(f"{key}: {first['msg']}") from error
        return self

    @property
    def networks(self) -> tuple[Network | FeatureNetwork, ...]:
        """All that are trained in a backtest, each once."""
        named = (self.model, *self.more)
        pretrained = self.by_model.get("neumf", {}).get("pretrained", self.pretrained)
        parts = PARTS if pretrained and "neumf" in named else ()
        return tuple(dict.fromkeys((*parts, *named)))

    @property
    def parts(self) -> tuple[Network, ...]:
        """Networks whose weights this one begins with."""
        return PARTS if self.model == "neumf" and self.pretrained else ()

    def of(self, network: Network | FeatureNetwork) -> Self:
        """The settings of one of the networks, or of a ranker, alone."""
        shared = self.model_dump(exclude={"more", "by_model"})
        own = self.by_model.get(network, {})
        values = {**shared, **own, "model": network}
        return type(self).model_validate(values, context={"alone": True})

    @property
    def is_sequence(self) -> bool:
        """Whether the network learns from what users took in order, instead of from examples."""
        return self.model in SEQUENCES

    def learns_from_events(self, task: str) -> bool:
        """Whether what users took is all that it needs, without examples and profiles."""
        return self.is_sequence or self.objective_of(task) in DRAWING

    @property
    def drawn(self) -> int:
        """Items that a step draws, for all rows together or for each."""
        if self.is_sequence:
            return self.sampled_items
        return self.negatives if self.model in OF_IDS else 0

    @property
    def rows_per_step(self) -> int:
        """Rows of the feed."""
        return self.batch_users if self.is_sequence else self.batch_size

    def objective_of(self, task: str) -> str:
        """A key of `deep.objectives.OBJECTIVES`."""
        if self.is_sequence:
            return "sampled_softmax" if self.sampled_items else "softmax"
        if self.model == "two_tower":
            return "in_batch_softmax"
        if self.objective != "auto":
            return self.objective
        if self.model == "deep_mf":  # its scores are no stars
            return "sampled_bce"
        if task == "rating":
            return "mse"
        return "sampled_bce" if self.model in OF_IDS else "bce"

    def network(self) -> dict[str, Any]:
        """The parameters that the network itself takes, without the sizes of the data."""
        return {
            "embedding_dim": self.embedding_dim,
            "hidden": [] if self.model == "gmf" else list(self.hidden),  # gmf has no layers
            "id_dropout": self.id_dropout,
            **({} if self.is_sequence else {"temperature": self.temperature}),
            **({"sparse": True} if self.sparse else {}),
            "max_length": self.max_length,
            "num_blocks": self.num_blocks,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
        }
