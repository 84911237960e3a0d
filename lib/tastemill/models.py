"""Fitted models as rows: who they are, what made them, and where their numbers lie."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.config import Purpose
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.parallel import at_once
from tastemill.tables import ITEM_FACTORS, MODELS, USER_FACTORS
from tastemill.training.config import OF_FEATURES

PAIRS_ONLY = ("ranker", *OF_FEATURES)
"""Kinds that score rows of features, and make no lists."""


@dataclass(frozen=True)
class Recipe:
    """All that decides what a model is; equal recipes give one model_id."""

    kind: str
    purpose: Purpose
    as_of: datetime
    params: Mapping[str, Any]
    seed: int
    versions: Mapping[str, int]
    code: str

    @property
    def model_id(self) -> str:
        """The kind and 12 hex digits of a hash of everything here."""
        facts = [
            self.kind,
            self.as_of.isoformat(),
            self.params,
            self.seed,
            self.versions,
            self.code,
        ]
        text = json.dumps(facts, sort_keys=True, default=str)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def with_params(self, params: Mapping[str, Any]) -> "Recipe":
        """The same recipe with more parameters."""
        return replace(self, params={**self.params, **params})


@dataclass(frozen=True)
class Fitted:
    """One fitted model: its recipe, and factors or a folder of weights."""

    recipe: Recipe
    seconds: float
    items: DataFrame | None = None
    users: DataFrame | None = None
    artifact: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def model(self) -> "Model":
        """What it will be as a row."""
        recipe = self.recipe
        params, metrics = dict(recipe.params), dict(self.metrics)
        return Model(recipe.model_id, recipe.kind, recipe.as_of, params, metrics, self.artifact)


@dataclass(frozen=True)
class Model:
    """A row of `models`, as the jobs after training need it."""

    model_id: str
    kind: str
    as_of: datetime
    params: dict[str, Any]
    metrics: dict[str, float]
    artifact: str | None


def save(warehouse: Warehouse, fitted: list[Fitted]) -> dict[str, str]:
    """Write factors, then rows of `models` that name them; return kind to model_id.

    The rows come last, so that a model that is listed is whole.
    """
    sides = (
        (ITEM_FACTORS, {f.recipe.model_id: f.items for f in fitted if f.items is not None}),
        (USER_FACTORS, {f.recipe.model_id: f.users for f in fitted if f.users is not None}),
    )
    writes = [
        partial(warehouse.overwrite_slice, table, _labelled(frames), *frames)
        for table, frames in sides
        if frames
    ]
    at_once(warehouse.spark, *writes)
    warehouse.merge(MODELS, _as_rows(warehouse, fitted))
    return {f.recipe.kind: f.recipe.model_id for f in fitted}


def find(warehouse: Warehouse, model_id: str) -> Model:
    """The model of an id."""
    rows = warehouse.read(MODELS).where(F.col("model_id") == model_id).limit(1).collect()
    if not rows:
        raise ContractError(
            f"no model {model_id}", fix="tastemill models lists them; tastemill run fits them"
        )
    row = rows[0]
    return Model(
        row["model_id"],
        row["kind"],
        row["as_of"].astimezone(UTC),
        json.loads(row["params"]),
        dict(row["metrics"] or {}),
        row["artifact"],
    )


def newest(
    warehouse: Warehouse, purpose: Purpose, *, as_of: datetime | None = None, split: str = ""
) -> dict[str, str]:
    """Kind to model_id of the models fitted last for a purpose; of one moment and split if told.

    Of those that make lists.
    """
    if not warehouse.exists(MODELS):
        return {}
    rows = warehouse.read(MODELS).where(F.col("purpose") == purpose)
    rows = rows.where(~F.col("kind").isin(*PAIRS_ONLY))
    if as_of is not None:
        kept_from = F.coalesce(F.get_json_object("params", "$.split"), F.lit(""))
        rows = rows.where((F.col("as_of") == F.lit(as_of)) & (kept_from == split))
    latest = rows.groupBy("kind").agg(F.max_by("model_id", "created_at").alias("model_id"))
    return {r["kind"]: r["model_id"] for r in latest.collect()}


def that_make_lists(models: Mapping[str, str]) -> dict[str, str]:
    """Of kind to model_id, those from which lists are made."""
    return {kind: model_id for kind, model_id in models.items() if kind not in PAIRS_ONLY}


def _labelled(frames: Mapping[str, DataFrame]) -> DataFrame:
    """Factors of several models under each other, with their model_id."""
    labelled = [
        frame.select(F.lit(model_id).alias("model_id"), "idx", "vector")
        for model_id, frame in frames.items()
    ]
    return reduce(DataFrame.union, labelled)


def _as_rows(warehouse: Warehouse, fitted: list[Fitted]) -> DataFrame:
    """Rows of `models`; one that is fitted again keeps its alias and its run in MLflow."""
    rows = warehouse.spark.createDataFrame([_row(f) for f in fitted], MODELS.schema)
    given = warehouse.read_or_empty(MODELS).select(*MODELS.keys, "alias", "mlflow_run")
    again = rows.drop("alias", "mlflow_run").join(given, list(MODELS.keys), "left")
    return again.select(*MODELS.columns)


def _row(fitted: Fitted) -> tuple[Any, ...]:
    recipe = fitted.recipe
    return (
        recipe.model_id,
        recipe.kind,
        recipe.purpose,
        recipe.as_of,
        json.dumps(dict(recipe.params), sort_keys=True),
        {k: float(v) for k, v in fitted.metrics.items()},
        dict(recipe.versions),
        recipe.code,
        recipe.seed,
        fitted.artifact,
        None,
        fitted.seconds,
        datetime.now(UTC),
        None,
    )
