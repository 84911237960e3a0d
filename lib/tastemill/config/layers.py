"""Reads the layers of settings and remembers which layer set which key."""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from tastemill.config.lines import line_named, shown
from tastemill.errors import UsageError

Values = dict[str, Any]
ENV_PREFIX = "TASTEMILL__"


@dataclass(frozen=True)
class Layer:
    """One source of settings: where it comes from and the nested values it gives."""

    origin: str
    values: Values


def conf_root(folder: str | None) -> Traversable:
    """The folder of TOML files: the one named by --conf, else what the package ships."""
    if folder is None:
        return resources.files("tastemill.conf")
    if not Path(folder).is_dir():
        raise UsageError("--conf names no folder", found=folder)
    return Path(folder)


def toml_files(folder: Traversable) -> list[Traversable]:
    """The TOML files of a folder by name; none where there is no such folder."""
    found = [f for f in folder.iterdir() if f.name.endswith(".toml")] if folder.is_dir() else []
    return sorted(found, key=lambda f: f.name)


def toml_layer(file: Traversable, *, required: bool) -> Layer:
    """Read one TOML file; a missing one is empty unless required."""
    if not file.is_file():
        if required:
            others = ", ".join(f.name for f in _beside(file))
            raise UsageError("no such configuration file", expected=others, found=str(file))
        return Layer(str(file), {})
    content = file.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{file} is no valid TOML",
            expected="UTF-8",
            found=f"line {line}: byte {content[error.start]:#x}",
            fix=f"save it as UTF-8, or correct line {line}",
        ) from error
    try:
        return Layer(str(file), tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = line_named(error, text)
        raise UsageError(
            f"{file} is no valid TOML: {error}",
            found=shown(text, line),
            fix=f"correct line {line}",
        ) from error


def _beside(file: Traversable) -> list[Traversable]:
    return toml_files(file.parent) if isinstance(file, Path) else []


def environment_layer(environ: Mapping[str, str] = os.environ) -> Layer:
    """TASTEMILL__ALS__RANK=16 sets als.rank."""
    pairs = {
        key.removeprefix(ENV_PREFIX).lower().replace("__", "."): value
        for key, value in environ.items()
        if key.startswith(ENV_PREFIX)
    }
    return Layer("environment", _nested(pairs.items()))


def settings_layer(settings: Iterable[str]) -> Layer:
    """--set als.rank=16 sets als.rank."""
    pairs = []
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError("--set wants key=value", found=text)
        pairs.append((key.strip(), value.strip()))
    return Layer("--set", _nested(pairs))


def place_settings(
    data: str | None, warehouse: str | None, artifacts: str | None = None
) -> tuple[str, ...]:
    """--data and --warehouse are settings with names of their own; quoted, they stay text."""
    named = {"run.data": data, "run.warehouse": warehouse, "run.artifacts": artifacts}
    return tuple(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in named.items() if value
    )


def merged(layers: Iterable[Layer]) -> tuple[Values, dict[str, str]]:
    """Lay later layers over earlier ones; also return the origin of every dotted key."""
    values: Values = {}
    origins: dict[str, str] = {}
    for layer in layers:
        _lay(values, layer.values, layer.origin, "", origins)
    return values, origins


def _lay(below: Values, above: Values, origin: str, prefix: str, origins: dict[str, str]) -> None:
    for key, value in above.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict) and isinstance(below.get(key, {}), dict):
            _lay(below.setdefault(key, {}), value, origin, dotted + ".", origins)
        else:
            below[key] = value
        origins[dotted] = origin


def _nested(pairs: Iterable[tuple[str, str]]) -> Values:
    values: Values = {}
    for dotted, text in pairs:
        *parents, leaf = dotted.split(".")
        at = values
        for parent in parents:
            at = at.setdefault(parent, {})
            if not isinstance(at, dict):
                raise UsageError(f"{dotted} can't be set", found=f"{parent} = {at!r} beside it")
        at[leaf] = _literal(text)
    return values


def _literal(text: str) -> Any:  # noqa: ANN401 - TOML values are of any type
    """Read a value as TOML would (16, 0.5, true, [1, 2]), else as plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
