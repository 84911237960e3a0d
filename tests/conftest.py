"""One Spark session for all tests, a fresh warehouse for each test that writes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill.testing.session import start_session

# Files of slow tests from the longest on: two processes then end at about the same time.
LONGEST = (
    *("benchmark", "documented_commands", "line", "features", "train_deep", "launch"),
    *("register_models", "ingest", "report", "synth_features", "features_future", "notebooks"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files change places, tests within a file do not."""
    place = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    session = start_session(**{"spark.sql.warehouse.dir": str(home)})
    session.sparkContext.setCheckpointDir(str(home / "checkpoints"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = os.environ.get("TASTEMILL_DATA")
    if not root:
        pytest.skip("TASTEMILL_DATA names no data folder")
    return Path(root).resolve()
