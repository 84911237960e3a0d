"""Options that commands share, and what they are made into: a configuration, a warehouse."""

from typing import TYPE_CHECKING, Annotated

import typer

from tastemill import completion
from tastemill.config.layers import place_settings

if TYPE_CHECKING:  # Spark is slow to import, and neither help nor completion needs it
    from tastemill.config.load import Config
    from tastemill.delta import Warehouse

Dataset = Annotated[
    str,
    typer.Option(
        help="Name (see: tastemill datasets) or FILE.toml.", autocompletion=completion.datasets
    ),
]
Data = Annotated[str, typer.Option(help="Folder of raw files.")]
Place = Annotated[str, typer.Option("--warehouse", help="Path, URI or catalog.schema.")]
Env = Annotated[str, typer.Option(help="local, cluster or databricks: conf/env/<name>.toml.")]
Conf = Annotated[str | None, typer.Option(help="Folder of TOML files in place of the package's.")]
Params = Annotated[str | None, typer.Option(help="TOML file laid over the dataset's.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, e.g. als.rank=64.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]


def config(
    dataset: str, data: str, place: str, env: str, conf: str | None, *more: str, **layers: str
) -> "Config":
    """The configuration of a command."""
    from tastemill.config.load import Request, load_config  # noqa: PLC0415 - slow to import

    given = (*more, *place_settings(data, place))
    return load_config(Request(dataset, env, conf, settings=given, **layers))


def opened(dataset: str, place: str) -> "Warehouse":
    """The warehouse of a command that only looks."""
    from tastemill import job  # noqa: PLC0415 - Spark is slow to import
    from tastemill.session import build_session  # noqa: PLC0415

    cfg = config(dataset, "", place, "local", None)
    return job.open_warehouse(build_session(cfg.session), cfg)
