"""Start the training processes with TorchDistributor, and believe only what they say themselves."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from tastemill.errors import SetupError, TrainingError
from tastemill.training.spec import TrainResult, TrainSpec
from tastemill.training.told import telling
from tastemill.training.worker import Status, has_begun, read_statuses, train_and_report

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LaunchConfig:
    """Where and how training processes start.

    Attributes:
        num_processes: Ranks.
        local_mode: All on the driver's machine; else one per task of a barrier stage.
        use_gpu: `auto` takes what there is: the driver's CUDA devices in local mode, those that
            Spark hands to tasks else.
        retries: Starts after the first one, each from the last checkpoint.
        timeout_s: How long a rank waits for the others before it gives up, and the driver for the
            first of them.
        slots_wait_s: How long executors have to register, from the start of the application,
            before a cluster counts as too small.
    """

    num_processes: int = 2
    local_mode: bool = True
    use_gpu: Literal["auto"] | bool = "auto"
    retries: int = 1
    timeout_s: int = 300
    slots_wait_s: int = 30


def launch(spec: TrainSpec, spark: SparkSession, config: LaunchConfig) -> TrainResult:
    """Train in `num_processes` processes.

    Raises:
        SetupError: Too few slots, slots that stay taken, or a GPU asked for that isn't there;
            nothing was started.
        TrainingError: The first line is the exception of the rank that failed first. One of
            tastemill's own (bad data, a loss that isn't a number) would come again, so it isn't
            tried again.
    """
    gpu = _gpu(spark, config)
    if not config.local_mode:
        _check_slots(spark, config)
    for attempt in range(config.retries + 1):
        started = replace(
            spec,
            use_gpu=gpu,
            attempt=attempt,
            timeout_s=config.timeout_s,
            status_dir=str(Path(spec.checkpoint_dir) / "status" / uuid.uuid4().hex[:12]),
        )
        try:
            with _described(spark, f"train {spec.network}, {config.num_processes} processes"):
                return _run(spark, started, config)
        except TrainingError as error:
            if attempt == config.retries or _is_final(started):
                raise
            log.warning("training attempt %d of %d: %s", attempt + 1, config.retries + 1, error)
    raise SetupError("no attempt to train", expected="retries of 0 or more")


@contextmanager
def _described(spark: SparkSession, words: str) -> Iterator[None]:
    """What Spark's pages call the stage that the processes are tasks of."""
    spark.sparkContext.setJobDescription(words)
    try:
        yield
    finally:
        spark.sparkContext.setLocalProperty("spark.job.description", None)  # type: ignore[arg-type]  # takes it away


@contextmanager
def _given_up(
    spark: SparkSession, spec: TrainSpec, config: LaunchConfig
) -> Iterator[threading.Event]:
    """Cancel a barrier stage of which no task has begun in time; Spark would wait for ever."""
    gone, over, tag = threading.Event(), threading.Event(), f"tastemill-{uuid.uuid4().hex}"

    def watch() -> None:
        if not over.wait(config.timeout_s) and not has_begun(spec):
            gone.set()
            spark.sparkContext.cancelJobsWithTag(tag)

    if config.local_mode:
        yield gone
        return
    spark.sparkContext.addJobTag(tag)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield gone
    finally:
        over.set()
        watcher.join()
        spark.sparkContext.removeJobTag(tag)


def _run(spark: SparkSession, spec: TrainSpec, config: LaunchConfig) -> TrainResult:
    """One attempt; its success is that every rank says so."""
    # In local mode the processes inherit the driver's devices, and TorchDistributor would want
    # Spark's resource settings before it passed any on.
    through_spark = spec.use_gpu and not config.local_mode
    distributor = TorchDistributor(
        num_processes=config.num_processes, local_mode=config.local_mode, use_gpu=through_spark
    )
    # Says no more than the stage's own line does.
    distributor.logger.setLevel(logging.WARNING)
    # Without it torchrun warns and sets 1; the loop takes the number of the spec in any case.
    os.environ.setdefault("OMP_NUM_THREADS", str(spec.num_threads))
    crash: Exception | None = None
    result = None
    try:
        with telling(spec), _given_up(spark, spec, config) as given_up:
            result = distributor.run(train_and_report, spec)
    # What it raises says only that something went wrong; the ranks' own words decide.
    except Exception as error:
        crash = error
    if given_up.is_set():
        raise SetupError(
            f"no training process began within {config.timeout_s} s",
            expected=f"{config.num_processes} free task slots",
            found="slots that other jobs hold, executors that don't answer, or processes whose "
            "checkpoint_dir isn't the driver's",
            fix="wait for those jobs, raise deep.timeout_seconds, set deep.local_mode, or put the "
            "artifacts where all machines see them (run.artifacts)",
        ) from crash
    statuses = read_statuses(Path(spec.status_dir))
    missing = sorted(set(range(config.num_processes)) - set(statuses))
    if crash is None and not missing and all(status.ok for status in statuses.values()):
        assert isinstance(result, TrainResult)
        return result
    raise _failure(statuses, missing, crash) from crash


def _failure(
    statuses: dict[int, Status], missing: list[int], crash: Exception | None
) -> TrainingError:
    """What went wrong first: an exception, else a silent end, else an echo of either."""
    failed = sorted(
        (status for status in statuses.values() if not status.ok),
        key=lambda status: (status.is_echo, status.time),
    )
    names = ", ".join(map(str, missing))
    silent = f"rank {names} ended without a word: killed, stopped, or out of memory"
    if failed and not (failed[0].is_echo and missing):
        first = failed[0]
        return TrainingError(f"{first.error}\n  rank: {first.rank}\n{first.trace}")
    if missing and statuses:
        return TrainingError(
            silent,
            found="; ".join(f"rank {s.rank}: {s.error.splitlines()[0]}" for s in failed),
            fix="checkpoint_dir must be on a file system that all processes and the driver share",
        )
    return TrainingError(
        "no training process left a word" if missing else "training failed after every rank ended",
        found=str(crash),
        fix="look at the processes' output above; tastemill must be installed where they run, and "
        "checkpoint_dir be on a file system that they share with the driver",
    )


def _is_final(spec: TrainSpec) -> bool:
    return any(status.final for status in read_statuses(Path(spec.status_dir)).values())


def _gpu(spark: SparkSession, config: LaunchConfig) -> bool:
    """Whether ranks are to use CUDA."""
    if config.local_mode:
        there = torch.cuda.is_available()
    else:
        there = float(spark.conf.get("spark.task.resource.gpu.amount", "0") or 0) >= 1
    if config.use_gpu is True and not there:
        raise SetupError(
            "a GPU was asked for and there is none",
            expected="a CUDA device" if config.local_mode else "spark.task.resource.gpu.amount=1",
            fix="set use_gpu to auto",
        )
    return there and config.use_gpu is not False


def _check_slots(spark: SparkSession, config: LaunchConfig) -> None:
    """Refuse at once what Spark would refuse after ten minutes of waiting."""
    if spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        raise SetupError(
            "distributed training needs all its tasks at once",
            expected="spark.dynamicAllocation.enabled=false",
            found="true",
        )
    local = str(spark.sparkContext.master).startswith("local[")
    until = 0 if local else spark.sparkContext.startTime / 1000 + config.slots_wait_s
    while (slots := _slots(spark)) < config.num_processes and time.time() < until:
        time.sleep(1)
    if slots < config.num_processes:
        raise SetupError(
            "too few task slots for the training processes",
            expected=f"{config.num_processes}",
            found=f"{slots}",
            fix="lower num_processes, add executors, or set local_mode",
        )


def _slots(spark: SparkSession) -> int:
    """Tasks that can run at once: the number Spark's own check of barrier stages uses."""
    context = spark.sparkContext._jsc.sc()
    profile = context.resourceProfileManager().defaultResourceProfile()
    return int(context.maxNumConcurrentTasks(profile))
