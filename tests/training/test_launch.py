"""Training processes started by Spark: what fails is told, what is killed carries on.

Each launch costs ten seconds or more, so each test looks at several things.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill.deep.registry import load_network
from tastemill.errors import SetupError, TrainingError
from tastemill.training.launch import LaunchConfig, _failure, launch
from tastemill.training.spec import FeedSpec, TrainSpec
from tastemill.training.worker import Status

PARAMS = {"num_users": 7, "num_items": 11, "user_dim": 2, "item_dim": 2, "output_bias": 30.0}
LOCAL = LaunchConfig(num_processes=2, local_mode=True, use_gpu=False, retries=0, timeout_s=60)
BARRIER = replace(LOCAL, local_mode=False)


@pytest.fixture
def spec(make_feed: Callable[..., FeedSpec], tmp_path: Path) -> TrainSpec:
    """Shards of 52 and 9 rows."""
    return TrainSpec(
        train=make_feed([40, 9, 12]),
        valid=make_feed([6], name="valid"),  # one of the ranks has none of it
        checkpoint_dir=str(tmp_path / "checkpoints"),
        artifact_dir=str(tmp_path / "artifact"),
        network="embedding_mlp",
        params=json.dumps(PARAMS),
        epochs=3,
        batch_size=8,
    )


def _losses(history: tuple[tuple[int, str, float], ...]) -> list[tuple[int, str, float]]:
    return [row for row in history if row[1].endswith(("_loss", "_rmse"))]


@pytest.mark.slow
def test_a_killed_rank_is_named_and_the_next_attempt_ends_as_if_nothing_had_been(
    spark: SparkSession,
    spec: TrainSpec,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    spec = replace(spec, checkpoint_steps=3)
    with caplog.at_level("INFO", "tastemill.progress"):
        undisturbed = launch(spec, spark, LOCAL)
    assert "embedding_mlp: epoch 3 of 3, train_loss" in caplog.text
    assert "valid_rmse" in caplog.text
    assert not [*temporary.glob("torchelastic_*")]
    again = replace(
        spec,
        checkpoint_dir=str(tmp_path / "again"),
        artifact_dir=str(tmp_path / "again"),
        faults=("kill:rank=1:epoch=1:step=4:attempt=0",),
    )
    resumed = launch(again, spark, replace(LOCAL, retries=1))
    assert "rank 1 ended without a word" in caplog.text
    assert not [*temporary.glob("torchelastic_*")]
    # Uneven shards, three epochs, two launches: the same numbers.
    assert (undisturbed.world, undisturbed.epochs, resumed.epochs) == (2, 3, 3)
    assert _losses(resumed.history) == _losses(undisturbed.history)
    weights = [(Path(s.artifact_dir) / "model.safetensors").read_bytes() for s in (spec, again)]
    assert weights[0] == weights[1]
    load_network(resumed.artifact)


@pytest.mark.slow
def test_in_a_barrier_stage_a_killed_rank_0_is_named_and_tried_again(
    spark: SparkSession, spec: TrainSpec, caplog: pytest.LogCaptureFixture
) -> None:
    killed = replace(spec, faults=("kill:rank=0:epoch=1:at=epoch_end:attempt=0",))
    resumed = launch(killed, spark, replace(BARRIER, retries=1))
    assert "rank 0 ended without a word" in caplog.text
    assert resumed.epochs == 3


@pytest.mark.slow
@pytest.mark.faults
def test_a_rank_that_stands_still_ends_the_training(spark: SparkSession, spec: TrainSpec) -> None:
    """The others wait for timeout_s; then the launcher ends them all."""
    stopped = replace(spec, faults=("stop:rank=1:epoch=1:step=1",))
    began = time.monotonic()
    with pytest.raises(TrainingError, match=r"\Arank 1 ended without a word: killed, stopped"):
        launch(stopped, spark, replace(LOCAL, timeout_s=5))
    assert time.monotonic() - began < 120


@pytest.mark.slow
def test_a_rank_that_fails_after_rank_0_has_finished(spark: SparkSession, spec: TrainSpec) -> None:
    late = replace(spec, epochs=1, faults=("late:rank=1:at=end",))
    with pytest.raises(TrainingError, match=r"\ATrainingError: injected fault late:rank=1") as info:
        launch(late, spark, LOCAL)
    assert "worker.py" in str(info.value)


@pytest.mark.slow
def test_in_a_barrier_stage_the_first_exception_comes_first(
    spark: SparkSession, spec: TrainSpec
) -> None:
    early = replace(spec, faults=("raise:rank=1:epoch=0:step=0",))
    # Tastemill's own errors would come again, so there is no second attempt to wait for.
    with pytest.raises(TrainingError, match=r"\ATrainingError: injected fault raise:rank=1"):
        launch(early, spark, replace(BARRIER, retries=5))


@pytest.mark.slow
@pytest.mark.faults
def test_in_a_barrier_stage_the_result_is_rank_0s(spark: SparkSession, spec: TrainSpec) -> None:
    result = launch(replace(spec, epochs=1), spark, BARRIER)
    assert (result.world, result.epochs, result.artifact) == (2, 1, spec.artifact_dir)
    assert {name for _, name, _ in result.history} >= {"train_loss", "valid_rmse"}


def test_too_few_slots_are_refused_at_once(spark: SparkSession, spec: TrainSpec) -> None:
    with pytest.raises(SetupError, match=r"too few task slots[^$]*expected: 64\n *found: 2"):
        launch(spec, spark, replace(BARRIER, num_processes=64))


@pytest.mark.slow
def test_slots_that_others_hold_end_the_wait(spark: SparkSession, spec: TrainSpec) -> None:
    def hold(_: Iterator[int]) -> Iterator[int]:
        time.sleep(25)
        return iter(())

    busy = threading.Thread(
        target=spark.sparkContext.parallelize([1, 2], 2).foreachPartition, args=(hold,)
    )
    busy.start()
    try:
        with pytest.raises(SetupError, match="no training process began within 3 s"):
            launch(spec, spark, replace(BARRIER, timeout_s=3, retries=2))
        assert busy.is_alive()
    finally:
        busy.join()


def test_a_gpu_that_is_not_there(spark: SparkSession, spec: TrainSpec) -> None:
    with pytest.raises(SetupError, match=r"expected: spark.task.resource.gpu.amount=1"):
        launch(spec, spark, replace(BARRIER, use_gpu=True))


ECHO = Status(0, False, 1.0, "RuntimeError: Connection closed by peer [127.0.0.1]:1234", "trace")
CAUSE = Status(1, False, 2.0, "ValueError: bad label", "trace of rank 1")


def test_a_cause_comes_before_its_echo() -> None:
    text = str(_failure({0: ECHO, 1: CAUSE}, [], None))
    assert text.startswith("ValueError: bad label\n  rank: 1\ntrace of rank 1")


def test_a_silent_rank_comes_before_an_echo_and_after_a_cause() -> None:
    assert str(_failure({0: ECHO}, [1], None)).startswith("rank 1 ended without a word")
    assert str(_failure({1: CAUSE}, [0], None)).startswith("ValueError: bad label")


def test_an_echo_alone_and_nobodys_word() -> None:
    assert str(_failure({0: ECHO}, [], None)).startswith("RuntimeError: Connection closed")
    nobody = str(_failure({}, [0, 1], RuntimeError("exit 1")))
    assert nobody.startswith("no training process left a word")
    assert "found: exit 1" in nobody
