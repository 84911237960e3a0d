"""From tables to the feeds of one training: rows to learn from, and those to validate on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.deep.objectives import OBJECTIVES, columns_of
from tastemill.deep.registry import NETWORKS
from tastemill.training.config import DeepConfig
from tastemill.training.histories import histories
from tastemill.training.materialize import materialize
from tastemill.training.spec import FeedSpec, digest

ORDER = ("event_id", "n")
USER_COLUMNS, ITEM_COLUMNS = ("user_idx", "user_vector", "history"), ("item_vector",)


@dataclass(frozen=True)
class Feeds:
    """All that a training reads.

    Attributes:
        train: rows to learn from.
        valid: rows to measure the loss on after every epoch.
        users: users to rank the catalogue for after every epoch.
        items: what the network takes of items beside their index, for the same.
        begin: what users or items begin with: vectors of another model, or rows.
        parts: folders of trained networks that the network begins with.
    """

    train: FeedSpec
    valid: FeedSpec | None = None
    users: FeedSpec | None = None
    items: FeedSpec | None = None
    begin: tuple[FeedSpec, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeedMaker:
    """Makes the feeds of one training.

    Attributes:
        folder: where feeds lie; one that is there already isn't made again.
        versions: of the tables that the rows come from.
        cfg: network and processes.
        sizes: users and items of the indexes; those numbers fill up lists.
        leave_out: whether lists leave out what a user took before.
    """

    folder: Path
    versions: Mapping[str, str]
    cfg: DeepConfig
    sizes: tuple[int, int]
    leave_out: bool = True

    def of_examples(self, examples: DataFrame, taken: DataFrame, objective: str) -> Feeds:
        """Feeds of networks that learn from pairs.

        Args:
            examples: the rows of `examples` that the objective learns from.
            taken: what users took before the cut, with `split`; looked at for validation alone.
            objective: what the network is trained for.
        """
        columns = columns_of(self._network, OBJECTIVES[objective])

        def of(*splits: str) -> FeedSpec:
            rows = examples.where(F.col("split").isin(*splits))
            if "item_share" in columns:
                rows = with_shares(rows)
            return self._make(rows, columns, ORDER, splits=",".join(splits))

        if not self._validates(examples):
            return Feeds(of("train", "valid"))
        inputs: tuple[str, ...] = self._network.inputs
        users, items = self._users(taken), None
        if "user_vector" in inputs:
            first = F.min_by("user_vector", F.struct("event_time", "event_id"))
            then = examples.where("split = 'valid'").groupBy("user_idx")
            users = users.join(then.agg(first.alias("user_vector")), "user_idx")
        if "item_vector" in inputs:
            last = F.max_by("item_vector", F.struct("event_time", "event_id"))
            before = examples.where("split = 'train'").groupBy("item_idx")
            told = before.agg(last.alias("item_vector"))
            items = self._make(told, ("item_idx", *ITEM_COLUMNS), ("item_idx",), rank="items")
        return Feeds(of("train"), of("valid"), self._ranked(users, inputs), items)

    def of_pairs(self, taken: DataFrame) -> Feeds:
        """Feeds of networks that know ids alone and draw what they hold against a row.

        Args:
            taken: what users took before the cut, with `split`.
        """
        columns = ("user_idx", "item_idx", "weight")

        def of(*splits: str) -> FeedSpec:
            rows = taken.where(F.col("split").isin(*splits)).withColumn("weight", F.lit(1.0))
            return self._make(rows, columns, ("event_id",), pairs=",".join(splits))

        if not self._validates(taken):
            return Feeds(of("train", "valid"))
        return Feeds(of("train"), users=self._ranked(self._users(taken), columns))

    def of_features(self, features: DataFrame) -> Feeds:
        """Feeds of networks over features.

        Args:
            features: rows of `features`, their arrays those that the network takes.
        """
        columns = columns_of(self._network, OBJECTIVES["bce"])

        def of(split: str) -> FeedSpec:
            return self._make(features.where(F.col("split") == split), columns, ORDER, split=split)

        return Feeds(of("train"), of("valid") if self._validates(features) else None)

    def of_histories(self, taken: DataFrame) -> Feeds:
        """Feeds of networks that learn from what users took in order.

        Args:
            taken: what users took before the cut, with `split`.
        """
        length = self.cfg.max_length

        def of(rows: DataFrame, **told: str) -> FeedSpec:
            """Of users who took two items at least: one to begin with, one to predict."""
            made = histories(rows, length + 1, self.num_items).where("known > 1")
            return self._make(made, ("history",), ("user_idx",), length=str(length), **told)

        if not self._validates(taken):
            return Feeds(of(taken, splits="train,valid"))
        before = taken.where("split = 'train'")
        users = self._users(taken).join(histories(before, length, self.num_items), "user_idx")
        return Feeds(of(before, splits="train"), users=self._ranked(users, ("history",)))

    def of_rows(self, taken: DataFrame) -> tuple[FeedSpec, ...]:
        """What users took last, and who took items last.

        Args:
            taken: what users took before the cut, with `split`.
        """
        validates = self._validates(taken)
        past = taken.where("split = 'train'") if validates else taken
        turned = past.withColumns({"user_idx": F.col("item_idx"), "item_idx": F.col("user_idx")})
        length = self.cfg.max_length
        told = {"of": "train" if validates else "train,valid", "length": str(length)}
        feeds = []
        for side, rows, padding in (
            ("user", past, self.num_items),
            ("item", turned, self.sizes[0]),
        ):
            made = histories(rows, length, padding).withColumnRenamed("user_idx", f"{side}_idx")
            columns = (f"{side}_idx", "history")
            feeds.append(self._make(made, columns, columns[:1], **told))
        return tuple(feeds)

    def of_factors(self, users: DataFrame, items: DataFrame, model_id: str) -> tuple[FeedSpec, ...]:
        """The vectors that embeddings begin with; of a side that a network has no table of, none.

        Args:
            users: (idx, vector) of a model.
            items: the same.
            model_id: the model.
        """
        sides = {"user": users, "item": items}
        if self.cfg.is_sequence:
            del sides["user"]

        def of(side: str, factors: DataFrame) -> FeedSpec:
            columns = (f"{side}_idx", f"{side}_vector")
            rows = factors.toDF(*columns)
            return self._make(rows, columns, columns[:1], factors=model_id)

        return tuple(of(side, factors) for side, factors in sides.items())

    @property
    def num_items(self) -> int:
        """Items of the index."""
        return self.sizes[1]

    @property
    def _network(self) -> Any:  # noqa: ANN401 - networks share attributes, not a base
        return NETWORKS[self.cfg.model][1]

    def _validates(self, rows: DataFrame) -> bool:
        """In production nothing is kept back: it has no valid split."""
        return self.cfg.validate_epochs and not rows.where("split = 'valid'").isEmpty()

    def _users(self, taken: DataFrame) -> DataFrame:
        """(user_idx, seen, held) of the users to ask, drawn by the hash of their index."""
        later = taken.where("split = 'valid'").groupBy("user_idx")
        earlier = taken.where("split = 'train'").groupBy("user_idx")
        held = later.agg(F.collect_set("item_idx").alias("held"))
        users = held.join(earlier.agg(F.collect_set("item_idx").alias("seen")), "user_idx")
        if self.leave_out:
            users = users.withColumn("held", F.array_except("held", "seen"))
        else:
            users = users.withColumn("seen", F.array().cast("array<int>"))
        drawn = F.xxhash64("user_idx", F.lit(self.cfg.seed))
        return (
            users.where("size(held) > 0").orderBy(drawn, "user_idx").limit(self.cfg.validate_users)
        )

    def _ranked(self, users: DataFrame, inputs: tuple[str, ...]) -> FeedSpec | None:
        """The feed of the users to ask; there are few of them, so one task measures their lists."""
        if users.isEmpty():
            return None
        named = tuple(name for name in inputs if name in USER_COLUMNS)
        columns = dict.fromkeys(("user_idx", *named, "seen", "held"))
        padded = users.withColumns({name: self._padded(name) for name in ("seen", "held")})
        told = {"rank": "users", "most": str(self.cfg.validate_users), "seed": str(self.cfg.seed)}
        told |= {"leave_out": str(self.leave_out), "length": str(self.cfg.max_length)}
        return self._make(padded, tuple(columns), ("user_idx",), **told)

    def _padded(self, name: str) -> Column:
        longest = F.greatest(F.max(F.size(name)).over(W.partitionBy()), F.lit(1))
        rest = F.array_repeat(F.lit(self.num_items), longest - F.size(name))
        return F.concat(F.sort_array(name), rest)

    def _make(
        self, rows: DataFrame, columns: tuple[str, ...], order_by: tuple[str, ...], **told: str
    ) -> FeedSpec:
        # Files are cut by the number of processes; a training goes on only with the same files.
        told["processes"] = str(self.cfg.num_processes)
        meta = {**self.versions, **told, "columns": ",".join(columns)}
        return materialize(
            rows,
            str(self.folder / digest(meta)[:16]),
            num_processes=self.cfg.num_processes,
            meta=meta,
            columns=columns,
            order_by=order_by,
        )


def with_shares(rows: DataFrame) -> DataFrame:
    """Add `item_share`, how likely a row is of its item: Q of the logQ correction."""
    of_items = rows.groupBy("item_idx").agg(F.count("*").alias("met"))
    of_all = of_items.agg(F.sum("met").alias("all"))
    share = (F.col("met") / F.col("all")).alias("item_share")
    shares = of_items.crossJoin(of_all).select("item_idx", share)
    return rows.join(F.broadcast(shares), "item_idx")
