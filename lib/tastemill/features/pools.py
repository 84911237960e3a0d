"""Pools: named sets of features that models share, and what their numbers mean, as a version.

A version is a hash of what each feature is and of the values that its indices stand for. Where it
is the same, a number means the same; a model that learned from another version can't read it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.errors import ContractError, UsageError, did_you_mean
from tastemill.features.config import FeaturesConfig, PoolConfig

KEPT = "kept"  # the pool that is always there
OF_TEXT = "item_text"  # under which the words of texts are in the vocabulary


@dataclass(frozen=True)
class Member:
    """One feature of a pool.

    Args:
        feature: its name.
        kind: numeric or categorical.
        from_place: position in the array of its kind in `features`.
        size: of a categorical one, how many indices it has.
        meaning: what the version is a hash of.
    """

    feature: str
    kind: str
    from_place: int
    size: int | None
    meaning: str


@dataclass(frozen=True)
class Pool:
    """A named set of features: numeric ones first, each kind by name."""

    name: str
    members: tuple[Member, ...]

    @property
    def version(self) -> str:
        """12 hex digits that differ where a number means something else."""
        text = json.dumps([each.meaning for each in self.members])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def of_kind(self, kind: str) -> list[Member]:
        """The numeric or the categorical ones."""
        return [each for each in self.members if each.kind == kind]

    @property
    def params(self) -> dict[str, str]:
        """What a model that learns from it records."""
        return {"pool": self.name, "pool_version": self.version}

    def must_be(self, params: Mapping[str, Any], model_id: str) -> None:
        """Hold it against what a model has recorded.

        Raises:
            ContractError: the model learned from another pool, or from another version of it.
        """
        learned = {key: params.get(key) for key in self.params}
        if learned == self.params:
            return
        raise ContractError(
            f"{model_id} can't score with pool {self.name}",
            expected=f"{learned['pool']}, version {learned['pool_version']}",
            found=f"{self.name}, version {self.version}",
            fix="fit the model again on today's features: tastemill job train_ranker",
        )

    def rows(self) -> list[dict[str, Any]]:
        """Rows of `feature_pools`, but for the purpose and what they go with."""
        return [
            {"pool": self.name, "version": self.version, "place": place, **asdict(each)}
            for place, each in enumerate(self.members)
        ]


def pool_of_rows(rows: Sequence[Mapping[str, Any]]) -> Pool:
    """A pool as `feature_pools` has it; one row at least."""
    names = ("feature", "kind", "from_place", "size", "meaning")
    in_order = sorted(rows, key=lambda row: row["place"])
    return Pool(
        rows[0]["pool"], tuple(Member(**{name: row[name] for name in names}) for row in in_order)
    )


def pools_of(
    stats: Sequence[Mapping[str, Any]],
    kept: Iterable[str],
    values: Mapping[str, str],
    wanted: Mapping[str, PoolConfig],
) -> list[Pool]:
    """The configured pools, and `kept`.

    Args:
        stats: rows of `feature_stats`.
        kept: names of the features that were kept.
        values: a digest of each vocabulary, by feature.
        wanted: by name.
    """
    members = [_member(row, values) for row in stats]
    members.sort(key=lambda each: (each.kind != "numeric", each.feature))
    chosen = frozenset(kept)
    made = []
    for name, cfg in {KEPT: PoolConfig(), **wanted}.items():
        inside = (
            each
            for each in members
            if _matches(each.feature, cfg.include)
            and not _matches(each.feature, cfg.exclude)
            and (each.feature in chosen or not cfg.only_kept)
        )
        made.append(Pool(name, tuple(inside)))
    return made


def check_patterns(cfg: FeaturesConfig, names: Sequence[str]) -> None:
    """Hold the configured pools and shapes against the names of all features.

    Raises:
        UsageError: a pattern that matches none of them.
    """
    wanted = {"log": cfg.log, "clip": tuple(cfg.clip)}
    for pool, of_pool in cfg.pools.items():
        wanted |= {
            f"pools.{pool}.include": of_pool.include,
            f"pools.{pool}.exclude": of_pool.exclude,
        }
    for key, patterns in wanted.items():
        for pattern in patterns:
            if not any(_matches(name, [pattern]) for name in names):
                raise UsageError(
                    f"features.{key}: no feature matches {pattern}",
                    fix=did_you_mean(pattern, names, "tastemill features lists them"),
                )


def value_digests(vocabulary: DataFrame) -> DataFrame:
    """(feature, digest): of its values and their indices, whatever their order.

    Words also weigh by how many items have them.
    """
    weighs = F.when(F.col("feature") == OF_TEXT, F.col("rows"))
    one = F.xxhash64("value", "index", weighs)
    digest = F.hex(F.bit_xor(one)).alias("digest")
    return vocabulary.groupBy("feature").agg(digest)


def _member(row: Mapping[str, Any], values: Mapping[str, str]) -> Member:
    name, numeric = row["feature"], row["kind"] == "numeric"
    size = None if numeric else row["size"]
    goes_by = [values.get(each, "") for each in row["goes_by"]]
    facts = [name, row["kind"], row["definition"], size, goes_by]
    meaning = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return Member(name, row["kind"], row["place"], size, meaning)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
