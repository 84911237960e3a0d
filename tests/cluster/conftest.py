"""The wheel, an environment that has it, and a standalone cluster of two workers on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
WORKERS = 2
# Short-lived JVMs: cheap compilation, a small collector.
JAVA = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
SPARK_OPTIONS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
}


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its exit code and what it said."""

    code: int
    said: str


def clean_environ(**more: str) -> dict[str, str]:
    """This environment without what would lead a Python or a Spark back to the sources."""
    ours = ("PYTHON", "PYSPARK", "SPARK", "TASTEMILL__", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def start(
    command: Sequence[str], log: Path, cwd: Path, environ: dict[str, str]
) -> subprocess.Popen[bytes]:
    """A program in a process group of its own, its output in a file."""
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it started."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.wait(1)


def run(command: Sequence[str], cwd: Path, seconds: int, **environ: str) -> Ended:
    """Run a program to its end."""
    log = cwd / f"{Path(command[0]).name}-{time.time_ns()}.log"
    process = start(command, log, cwd, clean_environ(**environ))
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{command} ran longer than {seconds} s:\n{log.read_text()[-4000:]}")
    finally:
        end(process)
    return Ended(code, log.read_text(errors="replace"))


def await_words(process: subprocess.Popen[bytes], log: Path, words: str, count: int = 1) -> None:
    """Wait until a log holds the words so many times."""
    until = time.monotonic() + 120
    while (text := log.read_text(errors="replace")).count(words) < count:
        if process.poll() is not None or time.monotonic() > until:
            pytest.fail(f"no {count} × {words!r}:\n{text[-4000:]}")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from a copy so that the sources stay as they are."""
    home = tmp_path_factory.mktemp("wheel")
    sources = home / "sources"
    passed_over = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("lib", "jobs", "conf"):
        shutil.copytree(ROOT / name, sources / name, symlinks=True, ignore=passed_over)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(home)]
    ended = run([*build, str(sources)], home, 120)
    assert ended.code == 0, ended.said
    (found,) = home.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel installed, that borrows all other packages from this one."""
    home = tmp_path_factory.mktemp("thin")
    venv.create(home / "env", with_pip=False, symlinks=True)
    there = home / "env" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(there), "install", "--no-deps"]
    ended = run([*install, "--no-index", "--disable-pip-version-check", str(wheel)], home, 60)
    assert ended.code == 0, ended.said
    # Path files in the folder that is named here aren't read, so the sources can't be found.
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return there


@dataclass(frozen=True)
class Cluster:
    """A standalone master and its workers."""

    master: subprocess.Popen[bytes]
    url: str
    home: Path

    @property
    def executors(self) -> list[Path]:
        """What executors wrote to stderr, one file each."""
        return sorted(self.home.glob("worker-*/app-*/*/stderr"))

    def await_workers(self) -> None:
        """Wait until all workers are known to the master."""
        await_words(self.master, self.home / "master.log", "Registering worker", WORKERS)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of one core on 127.0.0.1, started but perhaps not yet there."""
    home = tmp_path_factory.mktemp("cluster")
    environ = clean_environ(
        SPARK_HOME=str(SPARK_HOME),
        SPARK_DAEMON_MEMORY="256m",
        SPARK_LOCAL_DIRS=str(home / "local"),
        SPARK_NO_DAEMONIZE="1",
        **JAVA,
    )
    processes: list[subprocess.Popen[bytes]] = []

    def daemon(name: str, kind: str, *args: str) -> subprocess.Popen[bytes]:
        command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}"]
        loopback = ["--host", "127.0.0.1", "--webui-port", "0"]
        processes.append(start([*command, *loopback, *args], home / f"{name}.log", home, environ))
        return processes[-1]

    try:
        port = str(_free_port())
        master = daemon("master", "master.Master", "--port", port)
        await_words(master, home / "master.log", "New state: ALIVE")
        url = f"spark://127.0.0.1:{port}"
        for n in range(WORKERS):
            size = ("--cores", "1", "--memory", "2g", "--work-dir", str(home / f"worker-{n}"))
            daemon(f"worker-{n}", "worker.Worker", *size, url)
        yield Cluster(master, url, home)
    finally:
        for process in reversed(processes):
            end(process)


@pytest.fixture(scope="session")
def submit(cluster: Cluster, python: Path) -> Callable[..., Ended]:
    """submit("train_deep", "--dataset", …): deploy/spark-submit/submit.sh from another folder."""
    elsewhere, events = cluster.home / "elsewhere", cluster.home / "events"
    elsewhere.mkdir()
    events.mkdir()
    settings = {**SPARK_OPTIONS, "spark.eventLog.dir": f"file://{events}"}
    options = " ".join(f"--conf {key}={value}" for key, value in settings.items())

    def submitted(job: str, *args: str, seconds: int = 300) -> Ended:
        cluster.await_workers()
        return run(
            [str(ROOT / "deploy" / "spark-submit" / "submit.sh"), job, "cluster", *args],
            elsewhere,
            seconds,
            TASTEMILL_PYTHON=str(python),
            SPARK_OPTIONS=f"--master {cluster.url} {options}",
            **JAVA,
        )

    return submitted


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
