"""Where MLflow keeps runs, files and registered models."""

from dataclasses import dataclass

from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.host import on_databricks


@dataclass(frozen=True)
class Place:
    """Where MLflow keeps what it is told.

    Attributes:
        uri: Of the tracking store.
        experiment: Its name.
        name: Of the registered model.
        files: Folder of files that go with runs; empty where the store has one of its own.
        registry: URI of the store of registered models; empty for the same.
    """

    uri: str
    experiment: str
    name: str
    files: str = ""
    registry: str = ""


def mlflow_place(cfg: Config) -> Place:
    """As configured, else beside the weights, on Databricks its own."""
    settings, dataset = cfg.registry, cfg.dataset.name
    if on_databricks():
        schema = cfg.run.warehouse.replace("/", "-")
        names = (f"/Shared/tastemill-{dataset}", f"{schema}.recommender")
        own = Place("databricks", *names, registry="databricks-uc")
    else:
        folder = paths.artifacts(cfg) / "mlflow"
        if not settings.tracking_uri:
            folder.mkdir(parents=True, exist_ok=True)
        store, files = f"sqlite:///{folder}/mlflow.db", f"file://{folder}/files"
        own = Place(store, f"tastemill-{dataset}", f"tastemill-{dataset}", files)
    return Place(
        settings.tracking_uri or own.uri,
        settings.experiment or own.experiment,
        settings.name or own.name,
        "" if settings.tracking_uri else own.files,
        "" if settings.tracking_uri else own.registry,
    )
