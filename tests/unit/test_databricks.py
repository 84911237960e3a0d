"""The bundle for Databricks holds together, and the wheel and the library suit what is there.

Nothing of it was run on Databricks: what can be held against our own code, or against the files
that the bundle names, is.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, requires
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from packaging.requirements import Requirement

from tastemill import job, logs, session
from tastemill.cli import app
from tastemill.config import paths
from tastemill.config.layers import place_settings
from tastemill.config.load import Request, load_config
from tastemill.host import is_submitted, on_databricks, spark_uri
from tastemill.line.stages import ALONE, BACKTEST
from tastemill.sources.lines import location
from tastemill.training.spec import FeedSpec

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What whoever deploys has to say, with a value such as they might give.
TOLD = {
    "warehouse": "main.taste",
    "artifacts": "/Volumes/main/taste/files",
    "node_type": "m5.xlarge",
}
# What the Databricks CLI fills in.
FILLED_IN = {
    "bundle.name": "tastemill",
    "bundle.target": "dev",
    "workspace.file_path": "/Workspace/files",
    "workspace.current_user.userName": "somebody",
}
DEDICATED = ("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED")


@dataclass(frozen=True)
class Bundle:
    """The bundle's own file, the files that it includes, and the folder that it lies in."""

    root: Path

    @property
    def main(self) -> dict[str, Any]:
        loaded = yaml.safe_load((self.root / "databricks.yml").read_text())
        assert isinstance(loaded, dict)
        return loaded

    @property
    def included(self) -> dict[Path, dict[str, Any]]:
        files = [file for glob in self.main["include"] for file in self.root.glob(glob)]
        return {file: yaml.safe_load(file.read_text()) for file in sorted(files)}

    @property
    def jobs(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for file, content in self.included.items():
            for found in content["resources"]["jobs"].values():
                yield file, found

    def values(self) -> dict[str, str]:
        """What each reference stands for, by its name between the braces."""
        declared = self.main["variables"]
        of_variables = {
            f"var.{name}": str(about.get("default", TOLD.get(name, "")))
            for name, about in declared.items()
        }
        return of_variables | FILLED_IN

    def told(self, text: str) -> str:
        """A text with its references filled in."""
        return re.sub(r"\$\{([\w.]+)\}", lambda found: self.values()[found[1]], text)


def problems(bundle: Bundle) -> Iterator[str]:
    """Everything that doesn't hold together; references are looked at first."""
    wrong = [*_includes(bundle), *_references(bundle)]
    yield from wrong
    if wrong:
        return
    for artifact in bundle.main["artifacts"].values():
        if not (bundle.root / artifact["path"] / "pyproject.toml").is_file():
            yield f"no pyproject.toml in the artifact's {artifact['path']}"
    for file, found in bundle.jobs:
        yield from _job(bundle, found)
        for task in found["tasks"]:
            yield from (f"{task['task_key']}: {said}" for said in _task(bundle, file, found, task))
        for cluster in found["job_clusters"]:
            yield from _cluster(bundle, cluster["new_cluster"])


def _includes(bundle: Bundle) -> Iterator[str]:
    for glob in bundle.main["include"]:
        if not list(bundle.root.glob(glob)):
            yield f"nothing is included by {glob}"


def _references(bundle: Bundle) -> Iterator[str]:
    texts = [file.read_text() for file in (bundle.root / "databricks.yml", *bundle.included)]
    used = {name for text in texts for name in re.findall(r"\$\{([^}]*)\}", text)}
    declared = bundle.main["variables"]
    yield from (f"{name} is nowhere declared" for name in sorted(used - bundle.values().keys()))
    yield from (f"{n} is never used" for n in sorted(declared) if f"var.{n}" not in used)
    without = {name for name, about in declared.items() if "default" not in about}
    yield from (f"{name} has no default" for name in sorted(without - TOLD.keys()))
    yield from (f"{name} has a default" for name in sorted(TOLD.keys() - without))
    yield from (f"{name} isn't described" for name in declared if not declared[name]["description"])


def _job(bundle: Bundle, found: dict[str, Any]) -> Iterator[str]:
    if found["max_concurrent_runs"] != 1:
        yield "two runs at once: the lease refuses the second one"
    if found["schedule"]["pause_status"] != "PAUSED":
        yield "runs on schedule as soon as it is deployed"
    if found["timeout_seconds"] < sum(task["timeout_seconds"] for task in found["tasks"]):
        yield "the job's timeout is shorter than those of its tasks"
    placed = [bundle.told(_option(task, "--warehouse")) for task in found["tasks"]]
    if len(set(placed)) > 1:
        yield f"tasks of one job work on different warehouses: {placed}"


def _task(bundle: Bundle, file: Path, found: dict[str, Any], task: dict[str, Any]) -> Iterator[str]:
    known = [other["task_key"] for other in found["tasks"]]
    before = known[: known.index(task["task_key"])]
    for other in task.get("depends_on", []):
        if other["task_key"] not in before:
            yield f"depends on {other['task_key']}, which is no task before it"
    clusters = [cluster["job_cluster_key"] for cluster in found["job_clusters"]]
    if task["job_cluster_key"] not in clusters:
        yield f"no job cluster {task['job_cluster_key']}"
    if task["max_retries"] != 0:
        yield "is repeated without anybody having looked"
    wheel = task["python_wheel_task"]
    if wheel["package_name"] != PROJECT["name"]:
        yield f"no package {wheel['package_name']}"
    if wheel["entry_point"] not in PROJECT["scripts"]:
        yield f"no console script {wheel['entry_point']}"
    built = {
        (bundle.root / a["path"] / "dist").resolve() for a in bundle.main["artifacts"].values()
    }
    for library in task["libraries"]:
        if (file.parent / library["whl"]).resolve().parent not in built:
            yield f"no artifact is built where {library['whl']} is"
    try:
        request = _request([bundle.told(word) for word in wheel["parameters"]])
        cfg = load_config(request)
    except Exception as error:
        yield f"{' '.join(wheel['parameters'])}: {error}"
        return
    if request.env != "databricks" or cfg.deep.local_mode:
        yield "isn't told that it runs on Databricks"
    if paths.location(cfg) != TOLD["warehouse"] or str(paths.artifacts(cfg)) != TOLD["artifacts"]:
        yield "its warehouse or artifacts aren't those of the bundle"


def _cluster(bundle: Bundle, cluster: dict[str, Any]) -> Iterator[str]:
    if cluster["data_security_mode"] not in DEDICATED:
        yield f"{cluster['data_security_mode']} is no classic Spark"
    if "autoscale" in cluster:
        yield "a cluster that grows later has too few slots for a training"
    if "17.3." not in cluster["spark_version"]:
        yield f"{cluster['spark_version']} is not the runtime of Spark 4.0"
    for script in cluster["init_scripts"]:
        name = script["workspace"]["destination"].removeprefix("${workspace.file_path}/")
        if not (bundle.root / name).is_file():
            yield f"no init script {name}"


def _option(task: dict[str, Any], name: str) -> str:
    words: list[str] = task["python_wheel_task"]["parameters"]
    return words[words.index(name) + 1] if name in words else ""


def _request(words: list[str]) -> Request:
    """What our own parsers make of a task's parameters, without running anything."""
    command, *rest = words
    if command == "job":
        name, *options = rest
        assert name in (*BACKTEST, *ALONE), f"no job {name}"
        return job.request_of(name, options)
    parser = typer.main.get_command(app).commands[command]
    given = parser.make_context(command, rest).params
    places = place_settings(given["data"], given["warehouse"])
    settings = (*(given["settings"] or ()), *places)
    return Request(given["dataset"], given["env"], given["conf"], given["params"], settings)


def test_the_bundle_holds_together() -> None:
    bundle = Bundle(ROOT / "deploy" / "databricks")
    assert list(problems(bundle)) == []
    (found,) = [found for _, found in bundle.jobs]
    assert [task["task_key"] for task in found["tasks"]] == ["run", "maintain_tables"]
    targets = bundle.main["targets"]
    assert {name: target["mode"] for name, target in targets.items()} == {
        "dev": "development",
        "prod": "production",
    }


MAIN, LINE = "databricks.yml", "resources/line.job.yml"
FAULTS = [
    (MAIN, "resources/*.yml", "resource/*.yml", "nothing is included by resource/*.yml"),
    (MAIN, "path: ../..", "path: ..", "no pyproject.toml in the artifact's .."),
    (MAIN, "  dataset:\n", "  data_set:\n", "var.dataset is nowhere declared"),
    (MAIN, "  dataset:\n", "  more:\n    description: x\n  dataset:\n", "more has no default"),
    (MAIN, "  dataset:\n", "  more:\n    description: x\n  dataset:\n", "more is never used"),
    (MAIN, "; it exists.", ".\n    default: main.taste", "warehouse has a default"),
    (MAIN, "default: completejourney", "default: completejorney", "unknown dataset"),
    (LINE, "${var.artifacts}", "${var.artefacts}", "var.artefacts is nowhere declared"),
    (LINE, "${var.node_type}", "${var.node-type}", "var.node-type is nowhere declared"),
    (LINE, "entry_point: tastemill", "entry_point: taste", "run: no console script taste"),
    (LINE, "package_name: tastemill", "package_name: taste", "run: no package taste"),
    (LINE, "- --data=", "- --folder=", "No such option: --folder"),
    (LINE, "- maintain_tables\n", "- maintain_table\n", "no job maintain_table"),
    (LINE, "run.artifacts=", "run.artefacts=", "unknown key run.artefacts"),
    (LINE, "- databricks\n", "- databrick\n", "no such configuration file"),
    (LINE, "- databricks\n", "- cluster\n", "isn't told that it runs on Databricks"),
    (LINE, "- ${var.warehouse}\n", "- main.other\n", "work on different warehouses"),
    (LINE, "- ${var.warehouse}\n", "- main.other\n", "aren't those of the bundle"),
    (LINE, "            - task_key: run", "            - task_key: ran", "depends on ran"),
    (LINE, "job_cluster_key: line", "job_cluster_key: lime", "run: no job cluster lime"),
    (LINE, "../../../dist", "../../dist", "no artifact is built where ../../dist/*.whl is"),
    (LINE, "SINGLE_USER", "USER_ISOLATION", "USER_ISOLATION is no classic Spark"),
    (LINE, "num_workers: 2", "autoscale: {min_workers: 1}", "has too few slots"),
    (LINE, "17.3.x-scala2.13", "16.4.x-scala2.13", "not the runtime of Spark 4.0"),
    (LINE, "install-training.sh", "install.sh", "no init script install.sh"),
    (LINE, "max_concurrent_runs: 1", "max_concurrent_runs: 2", "two runs at once"),
    (LINE, "pause_status: PAUSED", "pause_status: UNPAUSED", "runs on schedule"),
    (LINE, "timeout_seconds: 21600", "timeout_seconds: 3600", "shorter than those of its tasks"),
    (LINE, "max_retries: 0", "max_retries: 3", "run: is repeated"),
]


@pytest.mark.parametrize(("file", "text", "fault", "said"), FAULTS)
def test_a_fault_is_found(file: str, text: str, fault: str, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "deploy" / "databricks"
    shutil.copytree(ROOT / "deploy" / "databricks", folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    whole = (folder / file).read_text()
    assert text in whole
    (folder / file).write_text(whole.replace(text, fault, 1))
    found = list(problems(Bundle(folder)))
    assert [problem for problem in found if said in problem], found


def name_of(requirement: str) -> str:
    return Requirement(requirement).name.lower()


def needs(package: str) -> set[str]:
    """What a package asks for here, without extras."""
    asked = [Requirement(text) for text in requires(package) or []]
    return {r.name.lower() for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})}


def reached(requirements: Iterable[str]) -> set[str]:
    """Every package that pip would bring."""
    found: set[str] = set()
    ahead = {name_of(requirement) for requirement in requirements}
    while ahead:
        found |= ahead
        ahead = {need for name in ahead for need in needs(name)} - found
    return found


def test_the_wheel_brings_no_spark() -> None:
    brought = reached(PROJECT["dependencies"])
    assert {"pyarrow", "markdown-it-py"} <= brought
    assert not {"pyspark", "delta-spark"} & brought
    # Which is why training has a script of its own.
    assert "pyspark" in needs("petastorm")


def test_the_init_script_brings_what_training_needs_and_no_spark() -> None:
    script = ROOT / "deploy" / "databricks" / "install-training.sh"
    said = subprocess.run(
        ["sh", str(script)], env={"PIP": "echo"}, capture_output=True, text=True, check=True
    )
    together, alone = (shlex.split(line) for line in said.stdout.splitlines())
    assert alone[:3] == ["install", "--quiet", "--no-deps"]
    assert {*together[2:], *alone[3:]} >= set(PROJECT["optional-dependencies"]["train"])
    of_wheel = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    names = {name_of(requirement) for requirement in together[2:]}
    assert needs("petastorm") - of_wheel - {"pyspark"} <= names
    assert "pyspark" not in names | set(alone)


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not on_databricks()
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")


@pytest.mark.usefixtures("databricks")
def test_there_spark_and_its_logging_are_taken_as_they_are() -> None:
    assert is_submitted()
    assert logs.log_file() is None
    cfg = load_config(Request("completejourney", env="databricks"))
    assert session._settings(cfg.session) == {"spark.sql.session.timeZone": "UTC"}


@pytest.mark.usefixtures("databricks")
def test_there_volumes_have_a_scheme_of_their_own() -> None:
    assert spark_uri("/Volumes/main/taste/files") == "dbfs:/Volumes/main/taste/files"
    assert location(Path("/Volumes/main/raw/a*b.csv")) == "dbfs:/Volumes/main/raw/a\\*b.csv"
    # What the package ships lies on the machines themselves.
    assert spark_uri(Path("/databricks/python/a.csv")) == "file:///databricks/python/a.csv"


def test_elsewhere_a_folder_of_that_name_is_a_folder() -> None:
    assert spark_uri("/Volumes/main/taste/files") == "file:///Volumes/main/taste/files"


@pytest.mark.usefixtures("databricks")
def test_there_a_feed_in_a_volume_is_kept_from_petastorms_converter() -> None:
    from petastorm.spark.spark_dataset_converter import (  # noqa: PLC0415 - takes a second
        _normalize_databricks_dbfs_url,
    )

    from tastemill.training import materialize  # noqa: PLC0415 - so does torch

    with pytest.raises(ValueError, match="DBFS"):
        _normalize_databricks_dbfs_url("file:///Volumes/main/taste/files/feeds/1", "DBFS")
    feed = FeedSpec("/Volumes/main/taste/files/feeds/1", (), (), (), (), 0.0)
    materialize._register(None, feed)  # asks no session


def test_a_command_ends_without_an_exit_unless_it_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Databricks calls the console script and takes SystemExit for a failure, even of 0."""
    main = EntryPoint("tastemill", PROJECT["scripts"]["tastemill"], "console_scripts").load()
    for command in ("datasets", "datasets --json", "run --help"):
        monkeypatch.setattr(sys, "argv", ["tastemill", *command.split()])
        assert main() is None
    assert "completejourney" in capsys.readouterr().out
    for command in ("datasets --jsno", "tables --dataset nothing --json"):
        monkeypatch.setattr(sys, "argv", ["tastemill", *command.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
