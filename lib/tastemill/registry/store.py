"""Models in MLflow: a run for each, a version of one registered model for each network.

A model that a run is there of isn't told again; its aliases are. Everything goes through a client
of its own, so that what else a process tells MLflow isn't touched.
"""

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from tastemill.errors import SetupError
from tastemill.models import Model
from tastemill.registry.champion import CANDIDATE, CHAMPION
from tastemill.registry.place import Place

MODEL_ID = "tastemill.model_id"
History = Sequence[tuple[int, str, float]]  # (epoch, metric, value)


@dataclass(frozen=True)
class Told:
    """What is told of one model.

    Attributes:
        model: The model.
        metrics: Of its evaluation.
        history: Of its training.
        tags: Versions of tables, of packages, and the like.
    """

    model: Model
    metrics: Mapping[str, float]
    history: History
    tags: Mapping[str, str]


def tell(place: Place, told: Sequence[Told], champion: str) -> dict[str, str]:
    """Make runs and versions that aren't there yet, and set the aliases.

    Of several candidates MLflow's alias names the one of the highest NDCG.

    Args:
        place: where.
        told: the models of a backtest.
        champion: model_id of one of them.

    Returns:
        model_id to the run's id.

    Raises:
        SetupError: MLflow isn't installed.
    """
    client = _client(place)
    experiment = _experiment(client, place)
    runs = {}
    versions = {}
    for each in told:
        model = each.model
        run_id = _run_of(client, experiment, model.model_id)
        if run_id is None:
            run_id = _new_run(client, experiment, each)
        runs[model.model_id] = run_id
        if has_network(model):
            versions[model.model_id] = _version_of(client, place.name, model, run_id)
    others = [each for each in told if each.model.model_id in versions.keys() - {champion}]
    best = max(others, key=_ndcg).model.model_id if others else ""
    for alias, model_id in ((CHAMPION, champion), (CANDIDATE, best)):
        _give(client, place.name, alias, versions.get(model_id))
    return runs


def _ndcg(told: Told) -> float:
    return max((v for name, v in told.metrics.items() if name.startswith("ndcg@")), default=0.0)


def _give(client: Any, name: str, alias: str, version: str | None) -> None:  # noqa: ANN401
    """An alias names one version, or none: a model without a network may be the champion."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode  # noqa: PLC0415

    if version is not None:
        client.set_registered_model_alias(name, alias, version)
        return
    try:
        client.delete_registered_model_alias(name, alias)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):  # nothing is registered yet
            raise


def has_network(model: Model) -> bool:
    """Whether its weights are in a folder that `load_network` reads."""
    return model.artifact is not None and (Path(model.artifact) / "model.json").exists()


def _client(place: Place) -> Any:  # noqa: ANN401 - MLflow is an extra
    try:
        # It advises type hints and input examples on every import and save.
        warnings.filterwarnings("ignore", module="mlflow")
        from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise SetupError(
            "MLflow isn't installed",
            expected="mlflow-skinny, SQLAlchemy and Alembic",
            fix="pip install 'tastemill[registry]', or --set registry.mlflow=false",
        ) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=place.uri, registry_uri=place.registry or place.uri)


def _experiment(client: Any, place: Place) -> str:  # noqa: ANN401
    found = client.get_experiment_by_name(place.experiment)
    if found is None:
        made = client.create_experiment(place.experiment, artifact_location=place.files or None)
        return str(made)
    return str(found.experiment_id)


def _run_of(client: Any, experiment: str, model_id: str) -> str | None:  # noqa: ANN401
    """The finished run of a model."""
    wanted = f"tags.`{MODEL_ID}` = '{model_id}' and attributes.status = 'FINISHED'"
    found = client.search_runs([experiment], wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def _new_run(client: Any, experiment: str, told: Told) -> str:  # noqa: ANN401
    """A run with everything, finished last: one that was cut off is made anew."""
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    model = told.model
    tags = {MODEL_ID: model.model_id, "tastemill.kind": model.kind, **told.tags}
    run = client.create_run(experiment, tags=tags, run_name=model.model_id)
    run_id, at = str(run.info.run_id), run.info.start_time
    by_epoch = {metric for _, metric, _ in told.history}
    figures = [
        *((name, value, 0) for name, value in told.metrics.items() if name not in by_epoch),
        *((metric, value, epoch) for epoch, metric, value in told.history),
    ]
    client.log_batch(
        run_id,
        [Metric(_name(name), value, at, step) for name, value, step in figures],
        [Param(_name(name), str(value)) for name, value in model.params.items()],
        [RunTag("tastemill.as_of", model.as_of.isoformat())],
    )
    if has_network(model):
        with tempfile.TemporaryDirectory() as folder:
            _save(model, Path(folder) / "network")
            client.log_artifacts(run_id, f"{folder}/network", "network")
    client.set_terminated(run_id)
    return run_id


def _name(metric: str) -> str:
    """MLflow takes no @."""
    return metric.replace("@", "_at_")


def _save(model: Model, folder: Path) -> None:
    """A network's folder in MLflow's form, with its signature."""
    import mlflow  # noqa: PLC0415
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types.schema import Array, ColSpec, DataType, Schema  # noqa: PLC0415

    from tastemill.deep.registry import load_network  # noqa: PLC0415 - torch: an extra

    network: Any = load_network(str(model.artifact))
    kinds: dict[str, Any] = {
        "user_idx": DataType.long,
        "item_idx": DataType.long,
        "user_vector": Array(DataType.float),
        "item_vector": Array(DataType.float),
        "history": Array(DataType.long),
    }
    names = dict.fromkeys((*network.inputs, "item_idx"))
    columns: list[Any] = [ColSpec(kinds[name], name) for name in names]
    code = resources.files("tastemill.registry").joinpath("served.py")
    with resources.as_file(code) as script:
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(script),
            artifacts={"network": str(model.artifact)},
            signature=ModelSignature(Schema(columns), Schema([ColSpec(DataType.float)])),
            pip_requirements=["tastemill[train]"],
        )


def _version_of(client: Any, name: str, model: Model, run_id: str) -> str:  # noqa: ANN401
    """The version that is made of a run; a new one where there is none."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    found = client.search_model_versions(f"name = '{name}'")
    made = [str(version.version) for version in found if version.run_id == run_id]
    if made:
        return made[0]
    tags = {MODEL_ID: model.model_id}
    version = client.create_model_version(name, f"runs:/{run_id}/network", run_id, tags=tags)
    return str(version.version)
