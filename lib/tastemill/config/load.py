"""The whole configuration, put together from the sections of the parts and the layers of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

from pydantic import ValidationError, model_validator

from tastemill.collaborative.als import AlsConfig
from tastemill.collaborative.baselines import BaselinesConfig
from tastemill.config.layers import (
    Layer,
    Values,
    conf_root,
    environment_layer,
    merged,
    settings_layer,
    toml_files,
    toml_layer,
)
from tastemill.config.lines import place_of
from tastemill.config.sections import DatasetConfig, RunConfig, Section, SplitConfig
from tastemill.errors import UsageError, did_you_mean
from tastemill.evaluation.config import EvaluationConfig
from tastemill.features.config import FeaturesConfig
from tastemill.negatives import ExamplesConfig
from tastemill.profiles.config import ProfilesConfig
from tastemill.quality.config import QualityConfig
from tastemill.ranking.config import RankerConfig
from tastemill.registry.config import RegistryConfig
from tastemill.retrieval.config import RecommendConfig
from tastemill.session import SessionConfig
from tastemill.sources.config import IngestConfig
from tastemill.sources.mapping import SourceConfig
from tastemill.training.config import DeepConfig
from tastemill.upkeep.config import MaintainConfig


class Config(Section):
    """Everything a run can be told."""

    session: SessionConfig = SessionConfig()
    run: RunConfig = RunConfig()
    dataset: DatasetConfig = DatasetConfig()
    split: SplitConfig = SplitConfig()
    source: SourceConfig = SourceConfig()
    ingest: IngestConfig = IngestConfig()
    profiles: ProfilesConfig = ProfilesConfig()
    examples: ExamplesConfig = ExamplesConfig()
    quality: QualityConfig = QualityConfig()
    features: FeaturesConfig = FeaturesConfig()
    ranker: RankerConfig = RankerConfig()
    baselines: BaselinesConfig = BaselinesConfig()
    als: AlsConfig = AlsConfig()
    deep: DeepConfig = DeepConfig()
    recommend: RecommendConfig = RecommendConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    registry: RegistryConfig = RegistryConfig()
    maintain: MaintainConfig = MaintainConfig()

    @model_validator(mode="after")
    def _labels_suit(self) -> Self:
        own = {f"by_model.{kind}.": values for kind, values in self.deep.by_model.items()}
        asked = {"": self.deep.objective} | {k: v.get("objective") for k, v in own.items()}
        for place, objective in asked.items():
            if self.dataset.task == "rating" and objective == "bce":
                raise ValueError(
                    f"deep.{place}objective: bce learns from labels of 0 and 1, not from stars; "
                    "leave it at auto, or set dataset.task to implicit"
                )
        return self

    @property
    def builds_features(self) -> bool:
        """Whether the line builds features: for themselves or for the ranker."""
        return self.features.enabled or self.ranker.enabled


@dataclass(frozen=True)
class Request:
    """Which layers to read: what the command line says before any file is opened."""

    dataset: str = ""
    env: str = "local"
    conf: str | None = None
    params: str | None = None
    settings: tuple[str, ...] = ()
    benchmark: str | None = None


def load_config(request: Request) -> Config:
    """Read and check all layers.

    Raises:
        UsageError: names the key, the file that set it, what was expected and what was found.
    """
    values, origins = merged(_layers(request))
    return _validated(_published_as_named(values), origins)


def _published_as_named(values: Values) -> Values:
    """Whoever names a network and nothing to publish is shown that network's lists."""
    deep, recommend = (values.get(section, {}) for section in ("deep", "recommend"))
    if "model" not in deep or "model" in recommend or deep.get("enabled") is False:
        return values
    return {**values, "recommend": {**recommend, "model": deep["model"]}}


def config_of(values: Values, origin: str) -> Config:
    """The configuration of recorded values.

    Raises:
        UsageError: a key that this release doesn't know, or a value that it refuses.
    """
    return _validated(values, dict.fromkeys(values, origin))


def _validated(values: Values, origins: dict[str, str]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _explained(error, origins) from None


def known_datasets(conf: str | None = None) -> list[str]:
    """Names that --dataset takes."""
    files = toml_files(conf_root(conf).joinpath("datasets"))
    return [f.name.removesuffix(".toml") for f in files]


def _layers(request: Request) -> list[Layer]:
    root = conf_root(request.conf)
    layers = [toml_layer(root.joinpath("base.toml"), required=False)]
    layers += [toml_layer(f, required=True) for f in toml_files(root.joinpath("jobs"))]
    if request.dataset:
        layers.append(_dataset_layer(request))
    if request.benchmark:
        file = root.joinpath("benchmarks", f"{request.benchmark}.toml")
        layers.append(toml_layer(file, required=True))
    if request.params:
        layers.append(toml_layer(Path(request.params), required=True))
    layers.append(toml_layer(root.joinpath("env", f"{request.env}.toml"), required=True))
    return [*layers, environment_layer(), settings_layer(request.settings)]


def _dataset_layer(request: Request) -> Layer:
    if request.dataset.endswith(".toml"):
        layer = toml_layer(Path(request.dataset), required=True)
        name = Path(request.dataset).stem
    else:
        known = known_datasets(request.conf)
        if request.dataset not in known:
            raise UsageError(
                f"unknown dataset {request.dataset}",
                expected="one of " + ", ".join(known) + ", or a .toml file",
                fix=did_you_mean(
                    request.dataset, known, "tastemill datasets lists what each needs"
                ),
            )
        name = request.dataset
        file = conf_root(request.conf).joinpath("datasets", f"{name}.toml")
        layer = toml_layer(file, required=True)
    named = {key: {"name": name, **layer.values.get(key, {})} for key in ("dataset", "source")}
    return Layer(layer.origin, {**layer.values, **named})


def _explained(error: ValidationError, origins: dict[str, str]) -> UsageError:
    problem = error.errors()[0]
    words = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return UsageError("settings that don't go together", found=words)
    key = ".".join(str(part) for part in problem["loc"])
    setter = next((k for k in _prefixes(key) if k in origins), "")
    origin = place_of(origins[setter], setter) if setter else "the defaults"
    if problem["type"] == "extra_forbidden":
        section: Sequence[str] = _siblings(problem["loc"])
        return UsageError(
            f"unknown key {key} in {origin}",
            expected="one of " + ", ".join(section),
            found=key,
            fix=did_you_mean(str(problem["loc"][-1]), section, "conf/README.md has every key"),
        )
    return UsageError(
        f"{key} in {origin} is not usable",
        expected=words,
        found=repr(problem.get("input")),
        fix=f"correct it there, or with --set {key}=…",
    )


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _siblings(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table in which one is unknown."""
    found: object = Config
    for part in loc[:-1]:
        if isinstance(part, str):
            section = _section_of(found)
            found = section.model_fields[part].annotation if section else None
    section = _section_of(found)
    return sorted(section.model_fields) if section else []


def _section_of(annotation: object) -> type[Section] | None:
    """The table that a type is or holds: X, X | None, tuple[X, ...], dict[str, X]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    held = (_section_of(each) for each in get_args(annotation))
    return next((section for section in held if section), None)


def as_values(config: Config) -> Values:
    """The configuration as plain values, for records and hashes."""
    return config.model_dump(mode="json")
