"""Upkeep changes no row, makes nothing run again, and keeps what a repro needs."""

import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import UsageError
from tastemill.jobs import maintain_tables
from tastemill.line.kept import kept_version
from tastemill.models import Fitted, Recipe, save
from tastemill.upkeep.folders import sweep
from tastemill.upkeep.sizes import KEYS, files_of

SLOTS = tables.CATEGORY_SLOTS
DAYS = [date(2020, 1, n) for n in range(1, 5)]


def rows(spark: SparkSession, day: date, number: int) -> DataFrame:
    return spark.createDataFrame([(day, 0, "a", number)], SLOTS.schema)


def test_fewer_files_the_same_rows_and_no_new_data_version(
    spark: SparkSession, tmp_path: Path
) -> None:
    place = str(tmp_path / "warehouse")
    warehouse = Warehouse(spark, place, "toy")
    for number, day in enumerate(DAYS):
        warehouse.overwrite_slice(SLOTS, rows(spark, day, number), str(day))
    before, version = sorted(warehouse.read(SLOTS).collect()), warehouse.data_version(SLOTS)
    assert len(warehouse.read(SLOTS).inputFiles()) == len(DAYS)
    settings = (f"run.warehouse='{place}'", "dataset.name=toy")
    cfg = load_config(Request(settings=settings))
    assert maintain_tables.run(spark, cfg).rows == len(DAYS)
    after = Warehouse(spark, place, "toy")
    assert len(after.read(SLOTS).inputFiles()) == 1
    assert sorted(after.read(SLOTS).collect()) == before
    assert after.data_version(SLOTS) == version
    assert kept_version(after, SLOTS, int(version or 0)) is not None
    assert maintain_tables.run(spark, cfg).rows == 0


def test_files_stay_small_enough_to_be_rewritten(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(spark, str(tmp_path / "warehouse"), "toy")
    clustered = replace(tables.RELATIONS, cluster_by=("user_id",))
    name = F.sha2(F.col("id").cast("string"), 256)
    pairs = [name.alias(key) for key in clustered.columns]
    warehouse.merge(clustered, spark.range(20_000).select(*pairs))
    with files_of(spark, 0.5):
        warehouse.optimize(clustered)
        assert warehouse.optimize(clustered) == 0
    files = warehouse.read(clustered).inputFiles()
    sizes = [Path(file.removeprefix("file:")).stat().st_size / 2**20 for file in files]
    assert len(files) > 2
    assert max(sizes) < 0.5 * 1.2
    assert warehouse.read(clustered).count() == 20_000


def test_the_sizes_of_a_session_are_put_back(spark: SparkSession) -> None:
    spark.conf.set(KEYS[0], 7)
    with files_of(spark, 2):
        assert [spark.conf.get(key) for key in KEYS] == [str(2**21)] * 2
    assert spark.conf.get(KEYS[0]) == "7"
    spark.conf.unset(KEYS[0])
    assert spark.conf.get(KEYS[1], None) is None


def test_versions_older_than_the_retention_go(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(spark, str(tmp_path / "warehouse"), "toy")
    for number in (1, 2):
        warehouse.overwrite_slice(SLOTS, rows(spark, DAYS[0], number), str(DAYS[0]))
    first, last = 1, int(warehouse.data_version(SLOTS) or 0)
    warehouse.vacuum(SLOTS, 7)
    assert kept_version(warehouse, SLOTS, first) == first
    warehouse.vacuum(SLOTS, 0)
    assert kept_version(warehouse, SLOTS, first) is None
    # What still stands is kept however old it is.
    assert kept_version(warehouse, SLOTS, last) == warehouse.history(SLOTS)[0].version
    assert warehouse.data_version(SLOTS) == last
    assert warehouse.read(SLOTS).collect() == rows(spark, DAYS[0], 2).collect()


def test_weights_that_a_model_names_stay(spark: SparkSession, tmp_path: Path) -> None:
    place = tmp_path / "warehouse"
    warehouse = Warehouse(spark, str(place), "toy")
    fits = [
        Recipe("sasrec", "backtest", datetime(2024, 1, day, tzinfo=UTC), {}, 1, {}, "code")
        for day in (1, 2)
    ]
    folders = [make(place / "_artifacts/models" / fit.model_id / "network", 90) for fit in fits]
    for folder in folders:
        os.utime(folder.parent, (1.0, 1.0))
    save(warehouse, [Fitted(fits[0], 1.0, artifact=str(folders[0]))])
    settings = (f"run.warehouse='{place}'", "dataset.name=toy")
    maintain_tables.run(spark, load_config(Request(settings=settings)))
    assert [folder.exists() for folder in folders] == [True, False]


def test_less_than_a_week_is_refused() -> None:
    with pytest.raises(UsageError, match=r"maintain\.retention_days"):
        load_config(Request(settings=("maintain.retention_days=6",)))


def make(folder: Path, age_days: float) -> Path:
    folder.mkdir(parents=True)
    file = folder / "part"
    file.write_bytes(b"x" * 10)
    then = time.time() - age_days * 86_400
    for path in (file, folder):
        os.utime(path, (then, then))
    return folder


def test_folders_go_by_age_and_by_what_models_name(tmp_path: Path) -> None:
    ages = {"feeds/old": 2, "feeds/new": 0, "checkpoints/als/old": 2, "repro/old": 2}
    ages |= {"models/named/network": 90, "models/named/checkpoints": 2, "models/forgotten": 90}
    ages |= {"models/new/checkpoints": 0, "models/young/checkpoints": 9}
    folders = {name: make(tmp_path / name, age) for name, age in ages.items()}
    freed = sweep(tmp_path, scratch_days=1, weights_days=30, kept={"named", "new"})
    left = {name for name, folder in folders.items() if folder.exists()}
    trained = {"models/named/network", "models/new/checkpoints", "models/young/checkpoints"}
    assert left == {"feeds/new", *trained}
    assert freed == 50
    assert sweep(tmp_path, scratch_days=1, weights_days=30, kept={"named"}) == 0
    assert sweep(tmp_path / "nowhere", scratch_days=1, weights_days=30, kept=()) == 0
