"""Python, Java, Spark and Delta's JARs."""

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from tastemill.doctor.check import Check
from tastemill.jars import DELTA_JARS, jars_found
from tastemill.java import LEAST, find_java, java_version
from tastemill.places import ivy_folder

WANTED_PYTHON = ((3, 11), (3, 12))
NEWEST_JAVA = 21  # the newest that Spark 4.0 names
GET_SPARK = "pip install 'tastemill[spark]'"
GET_JAVA = "install a Java 17 runtime (Debian, Ubuntu: openjdk-17-jre-headless), or set JAVA_HOME"


def python() -> Check:
    """Petastorm needs a pyarrow that newer releases of Python can't have."""
    found = f"{platform.python_version()} at {sys.executable}"
    wanted = " or ".join(f"{major}.{minor}" for major, minor in WANTED_PYTHON)
    if sys.version_info[:2] in WANTED_PYTHON:
        return Check("Python", "ok", found, wanted)
    return Check("Python", "missing", found, wanted, f"install Python {wanted} and use that")


def java() -> Check:
    """The Java that Spark would run."""
    place, home, wanted = find_java(), os.environ.get("JAVA_HOME"), f"{LEAST} to {NEWEST_JAVA}"
    if place is None:
        where = f"JAVA_HOME={home} has no bin/java" if home else "no java on the PATH"
        return Check("Java", "missing", where, wanted, GET_JAVA)
    version = java_version(place)
    if version is None:
        return Check("Java", "missing", f"{place} doesn't tell its version", wanted, GET_JAVA)
    found = f"{version} at {place}"
    if version < LEAST:
        return Check("Java", "missing", found, wanted, GET_JAVA)
    return Check("Java", "ok" if version <= NEWEST_JAVA else "warn", found, wanted)


def spark_home() -> Check:
    """SPARK_HOME wins over the package, and may be another release."""
    package = find_spec("pyspark")
    if package is None or package.origin is None:
        return Check("Spark", "missing", "no pyspark", "the package", GET_SPARK)
    own = Path(package.origin).parent
    home = os.environ.get("SPARK_HOME")
    if home and Path(home).resolve() != own.resolve():
        fix = "unset SPARK_HOME unless that is Spark 4.0"
        return Check("Spark", "warn", f"SPARK_HOME={home}", str(own), fix)
    return Check("Spark", "ok", str(own))


def delta_jars() -> Check:
    """On disk, or to be fetched by the first start."""
    found, named = jars_found(), os.environ.get("TASTEMILL_JARS")
    wanted = " and ".join(DELTA_JARS)
    if found:
        return Check("Delta's JARs", "ok", f"in {Path(found[0]).parent}", wanted)
    if named:
        fix = "put both there, or unset TASTEMILL_JARS to have them fetched"
        return Check("Delta's JARs", "missing", f"not in TASTEMILL_JARS={named}", wanted, fix)
    fix = "the first start fetches them; without a network: a folder named by TASTEMILL_JARS"
    return Check("Delta's JARs", "warn", f"not yet in {ivy_folder() / 'jars'}", wanted, fix)
