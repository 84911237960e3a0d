"""The wheel holds all of the package and nothing else, and works where the sources aren't."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tastemill.config.load import known_datasets

pytestmark = pytest.mark.cluster
LIB = Path(__file__).parents[2] / "lib"


# Pictures for who reads the sources; the package doesn't need them.
LEFT_OUT = {"__pycache__", "screenshots"}


def files_of_the_package() -> set[str]:
    """Every file of lib/tastemill by its place in the wheel; jobs/ and conf/ are links there."""
    package = LIB / "tastemill"
    folders = [package, *(link for link in package.iterdir() if link.is_symlink())]
    found = (path for folder in folders for path in folder.rglob("*"))
    return {
        str(path.relative_to(LIB))
        for path in found
        if path.is_file() and not LEFT_OUT & set(path.parts)
    }


def test_the_wheel_has_one_root_and_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert {name.split("/")[0] for name in inside} == {"tastemill"}
    assert inside == files_of_the_package()
    assert inside >= {
        "tastemill/py.typed",
        "tastemill/jobs/train_deep.py",
        "tastemill/conf/base.toml",
        "tastemill/conf/env/cluster.toml",
        "tastemill/conf/env/databricks.toml",
        "tastemill/conf/spark/cluster.conf",
        "tastemill/report/report.html.j2",
        "tastemill/report/parts/style.css.j2",
        "tastemill/sources/data/completejourney/products.csv.gz",
    }


def test_the_installed_wheel_is_what_runs(python: Path, tmp_path: Path) -> None:
    place = said(tmp_path, str(python), "-c", "import tastemill; print(tastemill.__file__)")
    assert Path(place.strip()).is_relative_to(python.parents[1])
    rows = json.loads(said(tmp_path, str(python.with_name("tastemill")), "datasets", "--json"))
    assert [row["dataset"] for row in rows] == known_datasets()


def said(cwd: Path, *command: str) -> str:
    environ = {"HOME": str(cwd)}
    ended = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
