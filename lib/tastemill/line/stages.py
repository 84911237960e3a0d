"""Which jobs a run consists of, in which order and under which of the two times.

A stage is a job under one purpose. Its key is a hash of everything that decides its outcome.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pyspark.sql import SparkSession

from tastemill import job, tables
from tastemill.config import Purpose
from tastemill.config.load import Config
from tastemill.errors import UsageError, did_you_mean
from tastemill.passes import published
from tastemill.release import code_hash
from tastemill.tables import Table

BACKTEST = (
    "ingest",
    "build_profiles",
    "build_examples",
    "check_quality",
    "build_features",
    "train_baselines",
    "train_als",
    "train_deep",
    "train_ranker",
    "recommend",
    "evaluate",
    "register_models",
)
TRAINING = ("train_baselines", "train_als", "train_deep")
PRODUCTION = ("build_profiles", "build_examples", *TRAINING, "recommend")
ALONE = ("maintain_tables",)  # jobs beside the line
JUDGED = (
    "recommend",
    "evaluate",
    "register_models",
)  # stages that depend on which models there are

Stage = tuple[Purpose, str]
"""A job and the pass it is part of."""


class JobModule(Protocol):
    """What a file in jobs/ offers."""

    SECTIONS: tuple[str, ...]
    INPUTS: tuple[Table, ...]
    OUTPUTS: tuple[Table, ...]

    def run(self, spark: SparkSession, cfg: Config) -> job.JobResult:
        """Do the job."""


@dataclass(frozen=True)
class Plan:
    """Which stages a call covers."""

    first: str | None = None
    last: str | None = None
    force: bool = False
    leave_out: frozenset[str] = frozenset()

    def stages(self, cfg: Config) -> list[Stage]:
        """What to do, in order."""
        return self._split(cfg)[1]

    def passed_over(self, cfg: Config) -> list[Stage]:
        """What comes before the first stage, and is taken as it is."""
        return self._split(cfg)[0]

    def _split(self, cfg: Config) -> tuple[list[Stage], list[Stage]]:
        wanted = [("backtest", name) for name in BACKTEST if _is_wanted(name, cfg)]
        if cfg.run.refit:
            wanted += [("production", name) for name in PRODUCTION if _serves(name, cfg)]
        wanted = [entry for entry in wanted if entry[1] not in self.leave_out]
        names = [name for _, name in wanted]
        for name in (self.first, self.last):
            if name is not None and name not in names:
                known = dict.fromkeys(names)
                fix = did_you_mean(name, known)
                raise UsageError(f"no stage {name}", expected=", ".join(known), fix=fix)
        start = names.index(self.first) if self.first else 0
        stop = len(names) - names[::-1].index(self.last) if self.last else len(names)
        line = cast(list[Stage], wanted[:stop])
        return line[:start], line[start:]


def stage_key(name: str, module: JobModule, cfg: Config, inputs: Mapping[str, int]) -> str:
    """Hash of the job, tastemill's sources, its settings, its times, its inputs, its models."""
    facts: dict[str, Any] = {
        "job": name,
        "code": code_hash(),
        "purpose": cfg.run.purpose,
        "times": [str(at) for at in (cfg.run.valid_from, cfg.run.cut, cfg.run.as_of)],
        "models": dict(cfg.run.models),
        "inputs": dict(inputs),
        "sections": {section: _settings(section, cfg) for section in module.SECTIONS},
        "kinds": getattr(module, "kinds", lambda _: [])(cfg),
        "files": getattr(module, "inputs", lambda _: {})(cfg),
    }
    return _hash(facts)


def times_key(cfg: Config, events_version: int | None) -> str:
    """Hash of everything that decides the times of a run that names none."""
    sections = {name: _settings(name, cfg) for name in ("dataset", "split")}
    return _hash({"code": code_hash(), "events": events_version, "sections": sections})


def _hash(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _settings(section: str, cfg: Config) -> dict[str, Any]:
    values: dict[str, Any] = getattr(cfg, section).model_dump(mode="json")
    if section == "recommend" and cfg.run.purpose == "backtest":
        del values["model"]  # which of the models is published later
    return values


def slices_of(table: Table, cfg: Config, models: Mapping[str, str]) -> list[str | None]:
    """The slices of a table that a stage touches; None is all of it."""
    match table.slice_by:
        case "ds":
            moment = cfg.run.cut if cfg.run.purpose == "backtest" else cfg.run.as_of
            return [str(moment.date())] if moment else [None]
        case "purpose":
            return [cfg.run.purpose]
        case "model_id":
            return list((models or cfg.run.models).values())
        case _:
            return [None]


def outputs_of(module: JobModule, cfg: Config) -> tuple[Table, ...]:
    """Production's lists go to another table than a backtest's."""
    if cfg.run.purpose == "production" and tables.BACKTEST_LISTS in module.OUTPUTS:
        return (tables.RECOMMENDATIONS,)
    return module.OUTPUTS


def _is_wanted(name: str, cfg: Config) -> bool:
    """Whether a backtest has a stage."""
    match name:
        case "check_quality":
            return bool(cfg.quality.tables)
        case "build_features":
            return cfg.builds_features
        case "train_ranker":
            return cfg.ranker.enabled
        case "register_models":
            return cfg.registry.enabled
        case _:
            return True


def _serves(name: str, cfg: Config) -> bool:
    """Whether production needs a stage for the model that it publishes."""
    training = {"train_als": cfg.als.models, "train_baselines": cfg.baselines.models}
    network = cfg.recommend.model in cfg.deep.networks
    match name:
        case "build_examples" | "train_deep":
            return network
        case "train_als" | "train_baselines":
            return bool(set(published(cfg)) & set(training[name]))
        case _:
            return True
