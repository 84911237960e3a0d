"""Where the things of a run are: raw files, tables, feeds and weights."""

from importlib import resources
from pathlib import Path

from tastemill.config.load import Config
from tastemill.errors import UsageError


def data_folder(cfg: Config) -> Path:
    """The folder named by --data, or the data that the package ships."""
    if cfg.run.data:
        return Path(cfg.run.data).expanduser().resolve()
    if cfg.source.shipped:
        return Path(str(resources.files("tastemill.sources").joinpath(cfg.source.shipped)))
    raise UsageError(
        f"dataset {cfg.dataset.name} is not shipped",
        fix=f"get it ({cfg.source.where or 'where you have it from'}) and name its folder with "
        "--data",
    )


def location(cfg: Config) -> str:
    """Where the tables are: as configured, else warehouse/<dataset> under the working folder."""
    where = cfg.run.warehouse or f"warehouse/{cfg.dataset.name}"
    if "://" in where or ("/" not in where and where.count(".") == 1):
        return where
    return str(Path(where).expanduser().resolve())


def artifacts(cfg: Config) -> Path:
    """Folder of feeds, weights and reports: as configured, else beside the tables."""
    if cfg.run.artifacts:
        return Path(cfg.run.artifacts).expanduser().resolve()
    where = location(cfg)
    if "://" in where or "/" not in where:
        raise UsageError(
            "a warehouse that is no local folder needs a folder for feeds and weights",
            found=where,
            fix="--set run.artifacts=/a/folder/all/workers/see",
        )
    return Path(where) / "_artifacts"
