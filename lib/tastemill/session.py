"""The only builder of a SparkSession: reuses the active one, finds or fetches Delta's JARs."""

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from tastemill.errors import SetupError

log = logging.getLogger(__name__)

DELTA_PACKAGE = "io.delta:delta-spark_4.0_2.13:4.4.0"
DELTA_JARS = ("delta-spark_4.0_2.13-4.4.0.jar", "delta-storage-4.4.0.jar")
# Delta on classic Spark runs with two JARs; the other 31 that its POM names are Spark's own
# or serve Unity Catalog.
UNNEEDED = (
    "org.antlr:*,com.fasterxml*:*,org.apache*:*,io.unitycatalog:*,org.openapitools:*,"
    "org.scala-lang*:*,org.slf4j:*,commons*:*,com.google*:*,org.roaringbitmap:*,"
    "io.delta:delta-kernel*"
)
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
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # spark-submit has set master and JARs
    builder = SparkSession.builder.appName(app)
    if not submitted:
        _require_java()
        # Otherwise workers run whatever "python3" is first on the PATH.
        os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        builder = builder.master(cfg.master)
    given = _submitted_settings() if submitted else {}
    for key, value in ({**REQUIRED, **cfg.conf, **({} if submitted else jar_settings())}).items():
        if REQUIRED.get(key, "") not in given.get(key, "") or key not in given:
            builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise SetupError(
            f"Spark did not start: {str(error).splitlines()[0]}",
            expected="Java 17 and, on the first start, Maven Central or a folder of JARs",
            fix=f"put {' and '.join(DELTA_JARS)} into a folder and set TASTEMILL_JARS to it",
        ) from error
    spark.sparkContext.setLogLevel("ERROR")
    # Analysis errors reach the caller as exceptions; this logger adds the plan as a page of JSON.
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    return _checked(spark)


def _submitted_settings() -> dict[str, str]:
    """What spark-submit was told; it wins: a cluster's operator knows better than our defaults."""
    SparkContext._ensure_initialized()  # else SparkConf doesn't see the settings of the JVM
    return dict(SparkConf().getAll())


def jar_settings() -> Mapping[str, str]:
    """Delta's JARs by path when they are on disk, else the settings that make Ivy fetch them once.

    By path a session starts several seconds faster and without a network.
    """
    folder = os.environ.get("TASTEMILL_JARS")
    ivy = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tastemill" / "ivy"
    found = _jars_in(Path(folder)) if folder else _jars_in(ivy / "jars")
    if found:
        return {"spark.jars": ",".join(found)}
    if folder:
        raise SetupError(
            f"TASTEMILL_JARS={folder} lacks Delta's JARs",
            expected=" and ".join(DELTA_JARS),
            fix="put both there, or unset TASTEMILL_JARS to have them fetched",
        )
    return {
        "spark.jars.packages": DELTA_PACKAGE,
        "spark.jars.excludes": UNNEEDED,
        "spark.jars.ivy": str(ivy),
    }


def _jars_in(folder: Path) -> list[str]:
    found = [next(iter(sorted(folder.glob(f"*{name}"))), None) for name in DELTA_JARS]
    return [str(jar) for jar in found if jar] if all(found) else []


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and Path(home, "bin", "java").exists()):
        raise SetupError(
            "Java is missing",
            expected="Java 17 on the PATH or in JAVA_HOME",
            fix="install a Java 17 runtime (Debian, Ubuntu: openjdk-17-jre-headless)",
        )


def _checked(spark: SparkSession) -> SparkSession:
    for key, wanted in REQUIRED.items():
        found = spark.conf.get(key, None)
        if wanted not in (found or ""):
            log.warning("the running Spark session has %s=%s, expected %s", key, found, wanted)
    return spark
