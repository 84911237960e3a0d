"""The layers of the project, read off its imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIB = ROOT / "lib" / "tastemill"


def modules(folder: Path) -> list[Path]:
    found = sorted(
        p for p in folder.rglob("*.py") if not {"jobs", "conf"} & set(p.relative_to(LIB).parts[:1])
    )
    assert found, f"no modules in {folder}"
    return found


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def importers(package: str, folder: Path = LIB) -> set[str]:
    return {
        str(file.relative_to(LIB))
        for file in modules(folder)
        if any(name == package or name.startswith(package + ".") for name in imports(file))
    }


def test_the_library_never_imports_jobs() -> None:
    assert importers("tastemill.jobs") == set()


@pytest.mark.parametrize("folder", ["deep", "training/loop.py", "training/checkpoint.py"])
def test_networks_and_their_loop_know_no_spark(folder: str) -> None:
    place = LIB / folder
    files = [place] if place.suffix else modules(place)
    for file in files:
        assert not [name for name in imports(file) if name.split(".")[0] == "pyspark"], file


def test_one_module_for_each_foreign_thing() -> None:
    assert importers("petastorm") <= {"training/materialize.py", "training/groups.py"}
    assert importers("pyspark.ml.torch") == {"training/launch.py"}
    assert importers("delta") == set()
    builders = {
        str(f.relative_to(LIB)) for f in modules(LIB) if "SparkSession.builder" in f.read_text()
    }
    assert builders == {"session.py"}


@pytest.mark.parametrize("folder", ["profiles", "evaluation", "features"])
def test_transforms_read_write_and_collect_nothing(folder: str) -> None:
    actions = {
        "collect",
        "count",
        "show",
        "toPandas",
        "toArrow",
        "persist",
        "cache",
        "save",
        "first",
    }
    for file in modules(LIB / folder):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                on_functions = isinstance(node.func.value, ast.Name) and node.func.value.id == "F"
                grouped = ast.unparse(node.func.value).find("groupBy(") >= 0
                if node.func.attr in actions and not on_functions and not grouped:
                    pytest.fail(f"{file.name}:{node.lineno} calls {node.func.attr}")


def test_jobs_are_short_and_alike() -> None:
    jobs = sorted((ROOT / "jobs").glob("[a-z]*.py"))
    assert len(jobs) >= 8
    for file in jobs:
        names = {n.name for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef)}
        assert {"run", "main"} <= names, file
