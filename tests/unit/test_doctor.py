"""`tastemill doctor`: it tells what is missing, and never fails for want of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tastemill.doctor.check import Check, tried
from tastemill.doctor.machine import disk
from tastemill.doctor.packages import check_package, is_within
from tastemill.doctor.software import java, spark_home
from tastemill.jars import DELTA_JARS

COMMAND = (sys.executable, "-m", "tastemill", "doctor", "--json")
Row = dict[str, str]


def doctor(
    cwd: Path, *more: str, command: tuple[str, ...] = COMMAND, **environ: str
) -> tuple[int, dict[str, Row]]:
    """Exit code, and the checks by name, of a process with this environment changed."""
    ours = ("TASTEMILL_", "JAVA_HOME", "SPARK")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    ended = subprocess.run(
        [*command, *more],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, {row["check"]: row for row in json.loads(ended.stdout)}


def script(folder: Path, text: str) -> Path:
    """A program `java` that says what another Java would say."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "java"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_a_machine_that_has_it_all_is_well(tmp_path: Path) -> None:
    for jar in DELTA_JARS:
        (tmp_path / jar).touch()
    program = script(tmp_path / "bin", """echo 'openjdk version "17.0.1"' >&2""")
    code, rows = doctor(tmp_path, TASTEMILL_JARS=str(tmp_path), JAVA_HOME=str(tmp_path))
    assert {name for name, row in rows.items() if row["status"] == "missing"} == set()
    assert code == 0
    assert rows["Java"]["found"] == f"17 at {program}"
    assert rows["Delta's JARs"]["found"] == f"in {tmp_path}"
    assert {"pyspark", "torch", "petastorm", "memory", "cores", "GPU", "warehouse"} <= set(rows)
    assert not (tmp_path / "warehouse").exists()


def test_without_java(tmp_path: Path) -> None:
    code, rows = doctor(tmp_path, PATH="")
    assert code == 1
    assert rows["Java"]["status"] == "missing"
    assert "no java on the PATH" in rows["Java"]["found"]
    assert "openjdk-17" in rows["Java"]["fix"]


@pytest.mark.parametrize(
    ("said", "status", "found"),
    [
        ('java version "1.8.0_392"', "missing", "8 at "),
        ('openjdk version "11.0.2" 2019-01-15', "missing", "11 at "),
        ('openjdk version "17.0.12" 2024-07-16', "ok", "17 at "),
        ('openjdk version "21" 2023-09-19', "ok", "21 at "),
        ('openjdk version "25.0.1" 2025-10-21', "warn", "25 at "),
        ("gibberish", "missing", "doesn't tell its version"),
    ],
)
def test_versions_of_java(
    tmp_path: Path, said: str, status: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin", f"echo '{said}' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    seen = java()
    assert seen.status == status
    assert found in seen.found


def test_java_home_wins_as_it_does_in_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    assert (java().status, "gone has no bin/java" in java().found) == ("missing", True)


def test_jars_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / DELTA_JARS[0]).touch()
    code, rows = doctor(tmp_path, TASTEMILL_JARS=str(tmp_path))
    assert code == 1
    assert rows["Delta's JARs"]["status"] == "missing"
    assert all(jar in rows["Delta's JARs"]["expected"] for jar in DELTA_JARS)


def test_jars_that_will_be_fetched(tmp_path: Path) -> None:
    code, rows = doctor(tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert code == 0  # by the first start, so nothing is amiss
    assert rows["Delta's JARs"]["status"] == "warn"
    assert "the first start fetches them" in rows["Delta's JARs"]["fix"]


def test_another_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    assert spark_home().status == "ok"
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert spark_home().status == "warn"


def test_a_warehouse_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, rows = doctor(tmp_path, "--warehouse", str(tmp_path / "file" / "w"))
    assert code == 1
    assert rows["warehouse"]["status"] == "missing"


@pytest.mark.parametrize("place", ["s3a://bucket/w", "main.taste"])
def test_a_warehouse_that_is_no_folder_is_left_alone(place: str) -> None:
    assert disk("warehouse", place).status == "ok"


def test_without_any_package(tmp_path: Path) -> None:
    """Python alone, without site-packages: typer, rich, pyspark and pydantic aren't there."""
    import tastemill  # noqa: PLC0415 - only its place matters

    lib = Path(tastemill.__file__).parents[1]
    bare = (sys.executable, "-S", "-m", "tastemill", "doctor", "--json")
    code, rows = doctor(tmp_path, command=bare, PYTHONPATH=str(lib))
    assert code == 1
    assert rows["Spark"]["status"] == "missing"
    assert "not installed" in rows["packages"]["found"]
    assert rows["Python"]["status"] == "ok"
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "tastemill", "runs"],
        env={"PYTHONPATH": str(lib)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "No module named" in ended.stderr
    assert "next step: tastemill doctor" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_check_that_breaks_is_a_check() -> None:
    def broken() -> Check:
        raise OSError("no such device")

    (found,) = tried("disk", broken)
    assert (found.status, "no such device" in found.found) == ("warn", True)


def test_spark_without_its_package_is_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databricks, or a cluster's SPARK_HOME: on the path, and unknown to pip."""
    found = check_package("no-such-spark", ">=4.0", "spark")
    assert (found.status, "Spark is here" in found.found) == ("ok", True)
    module = sys.modules["tastemill.doctor.packages"]  # the package has a function of that name
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    found = check_package("no-such-spark", ">=4.0", "spark")
    assert (found.status, found.fix) == ("missing", "pip install 'tastemill[spark]'")
    assert check_package("no-such-torch", ">=2.10", "train").status == "warn"
    assert check_package("no-such-rich", ">=13", None).status == "missing"


@pytest.mark.parametrize(
    ("version", "wanted", "within"),
    [
        ("14.0.2", "<15,>=14.0.1", True),
        ("15.0", "<15,>=14.0.1", False),
        ("2.11.0+cu128", ">=2.10", True),
    ],
)
def test_ranges(version: str, wanted: str, within: bool) -> None:
    assert is_within(version, wanted) is within


@pytest.mark.slow
def test_spark_proves_itself(tmp_path: Path) -> None:
    code, rows = doctor(tmp_path, "--spark", TASTEMILL_LOGS=str(tmp_path / "logs"))
    assert rows["Delta on Spark"]["status"] == "ok", rows
    assert code == 0
    assert rows["Delta on Spark"]["found"].startswith("3 rows written and read in ")
    assert len(list((tmp_path / "logs").glob("*.log"))) == 1
