"""The conditions of a run that decide its last bits: versions, cores, the machine."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from pyspark.sql import SparkSession

from tastemill.release import code_hash

PACKAGES = (
    "tastemill",
    "pyspark",
    "delta-spark",
    "numpy",
    "pandas",
    "pyarrow",
    "torch",
    "petastorm",
)


def environment(spark: SparkSession) -> dict[str, str | None]:
    """What stands beside a run in `runs`; equal environments give equal bits."""
    context = spark.sparkContext
    return {
        "code": code_hash(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "master": context.master,
        "cores": str(context.defaultParallelism),
        "shuffle_partitions": spark.conf.get("spark.sql.shuffle.partitions", ""),
        **{name: _version(name) for name in PACKAGES},
    }


def differences(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    """What differs, as a person would say it."""
    names = sorted(then.keys() | now.keys())
    return [
        f"{name}: {then.get(name, 'not there')} then, {now.get(name, 'not there')} now"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not there"
