"""Delta's two JARs: where they are, else the settings that have them fetched."""

import os
from collections.abc import Mapping
from pathlib import Path

from tastemill.errors import SetupError
from tastemill.places import ivy_folder

DELTA_PACKAGE = "io.delta:delta-spark_4.0_2.13:4.4.0"
DELTA_JARS = ("delta-spark_4.0_2.13-4.4.0.jar", "delta-storage-4.4.0.jar")
# Delta on classic Spark runs with two JARs; the other 31 that its POM names are Spark's own
# or serve Unity Catalog.
UNNEEDED = (
    "org.antlr:*,com.fasterxml*:*,org.apache*:*,io.unitycatalog:*,org.openapitools:*,"
    "org.scala-lang*:*,org.slf4j:*,commons*:*,com.google*:*,org.roaringbitmap:*,"
    "io.delta:delta-kernel*"
)


def jar_settings() -> Mapping[str, str]:
    """Delta's JARs by path when they are on disk, else the settings that make Ivy fetch them once.

    By path a session starts several seconds faster and without a network.
    """
    folder, found = os.environ.get("TASTEMILL_JARS"), jars_found()
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
        "spark.jars.ivy": str(ivy_folder()),
    }


def jars_found() -> list[str]:
    """Delta's JARs in the folder that TASTEMILL_JARS names, else in what was fetched before."""
    folder = os.environ.get("TASTEMILL_JARS")
    return _jars_in(Path(folder) if folder else ivy_folder() / "jars")


def _jars_in(folder: Path) -> list[str]:
    found = [next(iter(sorted(folder.glob(f"*{name}"))), None) for name in DELTA_JARS]
    return [str(jar) for jar in found if jar] if all(found) else []
