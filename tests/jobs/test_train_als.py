"""train_als on events that carry no values: views and loans, with nothing that was rated."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import DataError
from tastemill.jobs import ingest, train_als
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow


def settings(folder: Path, *more: str) -> Config:
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    small = ("als.rank=2", "als.max_iter=1")
    return load_config(Request("movielens-100k", settings=(*place, *small, *more)))


def test_a_fit_to_values_is_left_out_where_there_are_none(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_movielens(tmp_path / "data")
    implicit = settings(tmp_path, "dataset.task=implicit")
    ingest.run(spark, implicit)
    warehouse = Warehouse(spark, implicit.run.warehouse, "movielens-100k")
    spark.sql(f"UPDATE {warehouse.name(tables.EVENTS)} SET value = NULL")
    assert set(train_als.run(spark, implicit).models) == {"als"}
    wanted = (
        settings(tmp_path, "dataset.task=rating"),
        settings(tmp_path, "dataset.task=implicit", "recommend.model=als_explicit"),
    )
    for cfg in wanted:
        with pytest.raises(DataError, match="no events with a value before as_of"):
            train_als.run(spark, cfg)
