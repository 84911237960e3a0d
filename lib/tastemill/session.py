"""The only builder of a SparkSession: reuses the active one, else starts it with Delta."""

import logging
import os
import sys
from collections.abc import Mapping
from subprocess import STDOUT

from pydantic import BaseModel, ConfigDict, Field
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from tastemill.errors import SetupError
from tastemill.explain import no_start
from tastemill.host import is_submitted, on_databricks
from tastemill.jars import DELTA_JARS, jar_settings
from tastemill.java import find_java
from tastemill.logs import log_file

log = logging.getLogger(__name__)

DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
REQUIRED = {**DELTA_SETTINGS, "spark.sql.session.timeZone": "UTC"}


class SessionConfig(BaseModel):
    """How to start Spark where none is running; `conf` holds plain Spark settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    master: str = Field("local[*]", description="Spark master, used when Spark isn't running yet.")
    conf: dict[str, str] = Field(
        default_factory=dict, description="Spark settings, passed on as they are."
    )


def build_session(cfg: SessionConfig, app: str = "tastemill") -> SparkSession:
    """Return the active session, or start one with Delta, UTC and this Python on the workers.

    Raises:
        SetupError: no Java, or Delta's JARs are neither on disk nor to be fetched.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return _checked(active)
    settings = _settings(cfg)
    builder = SparkSession.builder.appName(app)
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        if not is_submitted():
            _start_jvm(settings)
        spark = builder.getOrCreate()
    except Exception as error:
        raise no_start(error, DELTA_JARS) from error
    spark.sparkContext.setLogLevel("ERROR")
    # Analysis errors reach the caller as exceptions; this logger adds the plan as a page of JSON.
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    return _checked(spark)


def _required() -> dict[str, str]:
    """What a session must have; Databricks builds Delta in, under names of its own."""
    return {k: v for k, v in REQUIRED.items() if not (on_databricks() and k in DELTA_SETTINGS)}


def _settings(cfg: SessionConfig) -> dict[str, str]:
    """What is left to be set: little where something else has started Spark."""
    wanted = {**_required(), **cfg.conf}
    if on_databricks():
        return wanted
    return _beside_submitted(wanted) if is_submitted() else {**wanted, **_own(cfg)}


def _own(cfg: SessionConfig) -> dict[str, str]:
    """What spark-submit would have set."""
    if find_java() is None:
        raise SetupError(
            "Java is missing",
            expected="Java 17 on the PATH or in JAVA_HOME",
            found=f"JAVA_HOME={home} without bin/java" if (home := os.getenv("JAVA_HOME")) else "",
            fix="install a Java 17 runtime (Debian, Ubuntu: openjdk-17-jre-headless)",
        )
    # Otherwise workers run whatever "python3" is first on the PATH.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    return {"spark.master": cfg.master, **jar_settings()}


def _start_jvm(settings: Mapping[str, str]) -> None:
    """Start the JVM with what it and its workers say going to the log, from Ivy's lines on."""
    log = log_file()
    if log is None or SparkContext._gateway is not None:
        return
    with log.open("ab") as said:
        conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
        gateway = launch_gateway(conf, {"stdout": said, "stderr": STDOUT})
    SparkContext._ensure_initialized(gateway=gateway)


def _beside_submitted(wanted: Mapping[str, str]) -> dict[str, str]:
    """What spark-submit wasn't told; it wins: an operator knows better than our defaults."""
    SparkContext._ensure_initialized()  # else SparkConf doesn't see the settings of the JVM
    given = dict(SparkConf().getAll())
    return {
        key: value
        for key, value in wanted.items()
        if key not in given or REQUIRED.get(key, "") not in given[key]
    }


def _checked(spark: SparkSession) -> SparkSession:
    for key, wanted in _required().items():
        found = spark.conf.get(key, None)
        if wanted not in (found or ""):
            log.warning("the running Spark session has %s=%s, expected %s", key, found, wanted)
    return spark
