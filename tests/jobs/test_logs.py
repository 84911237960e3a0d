"""What Spark says goes to a log: a failure is one message, and the story is where that says."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import logs, tables
from tastemill.delta import Warehouse

pytestmark = pytest.mark.slow
DATASET = "movielens-100k"


def tastemill(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    ours = ("PYSPARK", "SPARK")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # Quick compilation: these processes are short.
    fast = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"}
    return subprocess.run(
        [sys.executable, "-m", "tastemill", *args],
        env={**kept, **fast, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def only_log(folder: Path) -> tuple[Path, str]:
    (file,) = folder.glob("*.log")
    return file, file.read_text(errors="replace")


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A table whose one file is damaged, so that a task fails inside Spark."""
    made = Warehouse(spark, str(tmp_path_factory.mktemp("damaged")), DATASET)
    stage = ("run", 1, "ingest", "backtest", "done", "key", {}, {}, {}, 3, 1.0, None, "", "{}")
    rows = spark.createDataFrame([(*stage, datetime.now(UTC), {})], tables.RUNS.schema)
    made.append_once(tables.RUNS, rows.coalesce(1), "test")
    (file,) = Path(made.path(tables.RUNS)).glob("*.parquet")
    file.with_name(f".{file.name}.crc").unlink()
    file.write_bytes(b"PAR1" + b"\0" * (file.stat().st_size - 4))
    return made


def test_a_failure_inside_spark_is_one_message_and_a_path(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    place = ("--warehouse", warehouse.location)
    ended = tastemill("runs", "--dataset", DATASET, *place, TASTEMILL_LOGS=str(tmp_path))
    assert ended.returncode == 1
    file, story = only_log(tmp_path)
    lines = ended.stderr.splitlines()
    assert lines[0] == "error: a file is damaged"
    assert [line.split(":")[0].strip() for line in lines] == ["error", "found", "next step", "log"]
    assert lines[-1] == f"  log: {file}"
    assert ended.stdout == ""
    # The JVM's own trace, and where in Python it came from.
    assert "\tat org.apache.spark." in story
    assert "Traceback (most recent call last)" in story
    assert "is not a Parquet file" in story
    assert file.stat().st_mode & 0o077 == 0


def test_jars_that_cannot_be_fetched(tmp_path: Path) -> None:
    nowhere = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttps.proxyHost=127.0.0.1"
    ended = tastemill(
        "runs", "--dataset", DATASET, "--json",
        TASTEMILL_LOGS=str(tmp_path / "logs"),
        XDG_CACHE_HOME=str(tmp_path),
        JDK_JAVA_OPTIONS=f"{nowhere} -Dhttps.proxyPort=9 -Duser.home={tmp_path}",
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    assert told["error"] == "Delta's JARs could not be fetched"
    assert "TASTEMILL_JARS" in told["fix"]
    file, story = only_log(tmp_path / "logs")
    assert told["log"] == str(file)
    assert "delta-spark_4.0_2.13" in story


def test_success_says_nothing_on_stderr(tmp_path: Path) -> None:
    place = str(tmp_path / "warehouse")
    ended = tastemill(
        "runs", "--dataset", DATASET, "--warehouse", place, TASTEMILL_LOGS=str(tmp_path / "logs")
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Runs: none\n"


def test_logs_of_the_last_processes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTEMILL_LOGS", str(tmp_path))
    for n in range(30):
        (tmp_path / f"20200101T0000{n:02d}-1.log").touch()
    (tmp_path / "notes.txt").touch()
    newest = logs._begun.__wrapped__(7)
    assert newest is not None
    left = sorted(path.name for path in tmp_path.glob("*.log"))
    assert len(left) == logs.KEPT
    assert left[0] == "20200101T000011-1.log"
    assert left[-1] == newest.name
    assert (tmp_path / "notes.txt").exists()


def test_without_a_folder_to_write_there_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TASTEMILL_LOGS", str(tmp_path / "file" / "logs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = logs._begun.__wrapped__(7)
    assert found is not None
    assert found.parent == tmp_path / "cache" / "tastemill" / "logs"


def test_under_spark_submit_logging_is_the_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert logs.log_file() is None
    assert logs.tell(ValueError("no luck")) is None
