"""`tastemill synth`: a folder that is whole or isn't there, and a truth worth finding."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from tastemill import cli
from tastemill.errors import UsageError
from tastemill.synth import write
from tastemill.synth.margin import margin
from tastemill.synth.params import SynthConfig
from tastemill.synth.show import config_of
from tastemill.synth.write import synthesize

SMALL = SynthConfig(num_users=30, num_items=20, num_events=500, num_days=14)
SIZES = {"users": 30, "items": 20, "events": 500, "seed": 1, "days": 14}


def arguments(out: Path, **sizes: int) -> list[str]:
    options = [part for name, n in (SIZES | sizes).items() for part in (f"--{name}", str(n))]
    return ["synth", *options, "--out", str(out)]


def test_the_command_makes_a_data_set(spark: SparkSession, tmp_path: Path) -> None:
    out = tmp_path / "made here"
    out.mkdir()  # an empty folder is as good as none
    result = CliRunner().invoke(cli.app, [*arguments(out), "--json"], catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["rows"]["events"] == 500
    assert told["events_per_second"] > 0
    tables = {name: spark.read.parquet(f"file://{out}/{name}") for name in told["rows"]}
    assert {name: frame.count() for name, frame in tables.items()} == told["rows"]
    assert set(told["rows"]) == {
        *("events", "users", "items", "relations"), "truth/users", "truth/items"
    }  # fmt: skip
    page = (out / "README.md").read_text()
    assert page.startswith("# Synthetic data")
    assert f"tastemill {' '.join(arguments(out)[:-1])} '{out}'" in page
    truth = json.loads((out / "truth.json").read_text())
    assert "synthetic" in truth["what"]
    assert truth["parameters"]["num_events"] == 500
    assert set(truth["signal"]["users"]) <= set(tables["users"].columns)
    assert set(truth["noise"]["items"]) <= set(tables["items"].columns)
    assert sum(truth["share_of_visits_by_depth"]) == 1
    assert SynthConfig.model_validate(truth["parameters"]) == SMALL
    assert [p.name for p in tmp_path.iterdir()] == ["made here"]


@pytest.mark.slow
@pytest.mark.faults
def test_the_same_command_makes_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    for name, parts in (("a", 1), ("b", 3)):
        synthesize(spark, SMALL, tmp_path / name, command="", num_partitions=parts)
    for table in ("events", "users", "items", "relations", "truth/users", "truth/items"):
        one, other = (spark.read.parquet(f"file://{tmp_path}/{n}/{table}") for n in "ab")
        assert one.exceptAll(other).count() == other.exceptAll(one).count() == 0
        assert one.count() > 0


def test_a_folder_with_something_in_it_is_left_alone(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="isn't empty"):
        synthesize(spark, SMALL, tmp_path, command="")
    with pytest.raises(UsageError, match="is a file"):
        synthesize(spark, SMALL, tmp_path / "mine", command="")
    with pytest.raises(UsageError, match="written"):
        synthesize(spark, SMALL, tmp_path / "mine" / "below", command="")
    with pytest.raises(UsageError, match="local folder"):
        synthesize(spark, SMALL, Path("s3://bucket/place"), command="")
    assert (tmp_path / "mine").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_run_leaves_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        synthesize(spark, SMALL, tmp_path / "out", command="")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next(spark: SparkSession, tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    machine = platform.node()
    names = [
        f".out.part-{machine}-{dead}",
        f".out.part-{machine}-{os.getppid()}",
        f".out.part-elsewhere-{dead}",
    ]
    for name in names:
        (tmp_path / name).mkdir()
    synthesize(spark, SMALL, tmp_path / "out", command="")
    # Another that is still at work, here or elsewhere, is left alone.
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names[1:], "out"])


@pytest.mark.parametrize(
    ("sizes", "option", "fault"),
    [
        ({"users": 0}, "--users", "greater than or equal to 1"),
        ({"items": 19}, "--items", "at least num_topics = 20"),
        ({"events": 0}, "--events", "greater than or equal to 1"),
        ({"days": -1}, "--days", "greater than or equal to 1"),
        ({"seed": 2**63}, "--seed", "less than"),
    ],
)
def test_bad_sizes_name_the_option(sizes: dict[str, int], option: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault) as error:
        config_of(SIZES | sizes)
    assert str(error.value).startswith(option)
    assert str(next(iter(sizes.values()))) in str(error.value)


@pytest.mark.slow
def test_an_oracle_beats_popularity_by_far(spark: SparkSession, tmp_path: Path) -> None:
    cfg = SynthConfig(num_users=400, num_items=300, num_events=30_000)
    synthesize(spark, cfg, tmp_path / "out", command="")
    found = margin(spark, tmp_path / "out", cfg)
    assert set(found) == {"popularity", "oracle"}
    assert 0 < 2.5 * found["popularity"] < found["oracle"] < 1
