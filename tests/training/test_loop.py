"""The loop in one process: it learns, repeats, resumes, and stops when numbers go bad."""

import hashlib
import json
import math
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from tastemill.deep.registry import load_network
from tastemill.errors import TrainingError
from tastemill.training import checkpoint as checkpoints
from tastemill.training.loop import train
from tastemill.training.spec import FeedSpec, TrainResult, TrainSpec
from tastemill.training.worker import Status, StoppedError, read_statuses, train_and_report

MakeFeed = Callable[..., FeedSpec]
TOWERS = "in_batch_softmax"
PARAMS = {"num_users": 7, "num_items": 11, "user_dim": 2, "item_dim": 2, "embedding_dim": 8}


@pytest.fixture
def spec(rating_feed: FeedSpec, tmp_path: Path) -> TrainSpec:
    return TrainSpec(
        train=rating_feed,
        valid=rating_feed,
        checkpoint_dir=str(tmp_path / "checkpoints"),
        artifact_dir=str(tmp_path / "artifact"),
        network="embedding_mlp",
        params=json.dumps({**PARAMS, "output_bias": 2.0}),
        epochs=3,
        batch_size=32,
        learning_rate=0.02,
        feed="pyarrow",
    )


def _elsewhere(spec: TrainSpec, name: str, **changes: object) -> TrainSpec:
    """The same training with folders of its own."""
    root = Path(spec.checkpoint_dir).parent / name
    return replace(
        spec, checkpoint_dir=str(root / "checkpoints"), artifact_dir=str(root), **changes
    )


def _values(result: TrainResult, metric: str) -> list[float]:
    return [value for _, name, value in result.history if name == metric]


def _assert_same_weights(one: TrainSpec, two: TrainSpec) -> None:
    first, second = (load_file(Path(s.artifact_dir) / "model.safetensors") for s in (one, two))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("feed", ["petastorm", "pyarrow"])
def test_loss_falls_and_the_artifact_scores(spec: TrainSpec, feed: str) -> None:
    result = train(replace(spec, feed=feed, epochs=12))
    losses = _values(result, "train_loss")
    assert losses[-1] < 0.25 * losses[0]
    assert _values(result, "valid_rmse")[-1] == pytest.approx(
        math.sqrt(_values(result, "valid_loss")[-1])
    )
    assert (result.epochs, result.world, result.device) == (12, 1, "cpu")
    assert result.rows_per_second > 0
    scores = load_network(result.artifact).score_all(
        {"user_idx": torch.tensor([0]), "user_vector": torch.tensor([[0.1, 0.2]])},
        {"item_idx": torch.arange(11), "item_vector": torch.tensor([[0.1, 0.2]] * 11)},
    )
    # Item 0 is worth 0 to user 0, item 2 is worth 2.
    assert float(scores[0, 2] - scores[0, 0]) > 1.0


def test_cross_entropy_from_zero_and_one(spec: TrainSpec, make_feed: MakeFeed) -> None:
    feed = make_feed([1, 1], name="clicks", users=2)
    result = train(replace(spec, train=feed, valid=None, objective="bce", epochs=40))
    losses = _values(result, "train_loss")
    assert losses[-1] < 0.5 * losses[0]
    assert not _values(result, "train_rmse")


def test_the_same_training_twice_is_equal_to_the_bit(spec: TrainSpec) -> None:
    one, two = _elsewhere(spec, "one"), _elsewhere(spec, "two")
    assert _values(train(one), "train_loss") == _values(train(two), "train_loss")
    _assert_same_weights(one, two)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("where", ["at=epoch_end", "step=2", "step=5"])
def test_resumed_equals_undisturbed_to_the_bit(spec: TrainSpec, where: str, steps: int) -> None:
    spec = replace(spec, checkpoint_steps=steps)
    whole, broken = _elsewhere(spec, "whole"), _elsewhere(spec, "broken")
    undisturbed = train(whole)
    with pytest.raises(TrainingError, match="injected fault"):
        train(replace(broken, faults=(f"raise:epoch=1:{where}",)))
    newest = {"at=epoch_end": "", "step=2": "-step-000000002", "step=5": "-step-000000004"}
    left = checkpoints.latest(Path(broken.checkpoint_dir))
    assert left is not None
    assert left.folder.name == (
        f"epoch-00001{newest[where]}" if steps or where == "at=epoch_end" else "epoch-00000"
    )
    resumed = train(broken)
    for metric in ("train_loss", "valid_loss"):
        assert _values(resumed, metric) == _values(undisturbed, metric)
    _assert_same_weights(whole, broken)


def test_resumed_after_the_newest_checkpoint_was_torn(spec: TrainSpec) -> None:
    whole, broken = _elsewhere(spec, "whole"), _elsewhere(spec, "broken")
    train(whole)
    with pytest.raises(TrainingError):
        train(replace(broken, faults=("raise:epoch=1:at=epoch_end",)))
    newest = Path(broken.checkpoint_dir) / "epoch-00001" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-8])
    train(broken)
    _assert_same_weights(whole, broken)


def test_a_finished_training_can_be_made_longer(spec: TrainSpec) -> None:
    train(spec)
    assert train(replace(spec, epochs=4)).epochs == 4


def test_a_checkpoint_of_another_architecture(spec: TrainSpec) -> None:
    train(replace(spec, epochs=1))
    other = json.dumps({**PARAMS, "embedding_dim": 4})
    with pytest.raises(TrainingError, match=r"expected: params.embedding_dim = 4"):
        train(replace(spec, params=other))


def test_a_first_epoch_under_way_is_gone_on_with(spec: TrainSpec) -> None:
    spec = replace(spec, checkpoint_steps=3, epochs=1)
    whole, broken = _elsewhere(spec, "whole"), _elsewhere(spec, "broken")
    undisturbed = train(whole)
    with pytest.raises(TrainingError, match="injected fault"):
        train(replace(broken, faults=("raise:epoch=0:step=4",)))
    # Steps before the checkpoint aren't taken again.
    resumed = train(replace(broken, faults=("raise:epoch=0:step=2",)))
    assert _values(resumed, "train_loss") == _values(undisturbed, "train_loss")
    _assert_same_weights(whole, broken)


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(spec: TrainSpec) -> None:
    wild = replace(spec, learning_rate=math.inf, batch_size=1000)  # one step, told before it moves
    with pytest.raises(TrainingError, match=r"became NaN or infinite in epoch 0, rank 0"):
        train(wild)
    assert checkpoints.latest(Path(spec.checkpoint_dir)) is None


def test_a_loss_that_is_no_number_names_epoch_and_step(spec: TrainSpec) -> None:
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in epoch \d+, step \d+"):
        train(replace(spec, learning_rate=1e18, epochs=5))
    (rows,) = Path(spec.checkpoint_dir).glob("bad-batch-rank-0.safetensors")
    assert len(load_file(rows)["label"]) == 30  # 240 rows in 8 steps


@pytest.mark.parametrize("parts", [3, 1000])
def test_a_step_in_parts_is_the_same_step(spec: TrainSpec, parts: int) -> None:
    params = json.dumps({**PARAMS, "id_dropout": 0.0})
    one, two = (
        _elsewhere(spec, name, params=params, epochs=1, accumulate=accumulate)
        for name, accumulate in (("whole", 1), ("parts", parts))
    )
    assert _values(train(one), "train_loss") == pytest.approx(_values(train(two), "train_loss"))
    first, second = (load_file(Path(s.artifact_dir) / "model.safetensors") for s in (one, two))
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=1e-3, atol=1e-4)


def test_long_gradients_are_shortened(spec: TrainSpec) -> None:
    """So short that Adam's own scale is all there is to the first step, as without."""
    free, short = _elsewhere(spec, "free"), _elsewhere(spec, "short", max_norm=1e-12)
    losses = [_values(train(s), "train_loss") for s in (free, short)]
    assert losses[1][-1] > losses[0][-1]


def test_with_a_schedule_it_cannot_be_made_longer(spec: TrainSpec) -> None:
    falling = replace(spec, decay="cosine", warmup=0.1)
    train(falling)
    with pytest.raises(TrainingError, match="expected: epochs = 4"):
        train(replace(falling, epochs=4))


def test_a_schedule_laid_over_more_epochs_is_that_of_a_longer_training(spec: TrainSpec) -> None:
    falling = replace(spec, decay="cosine", warmup=0.1, epochs=4)
    long, short = _elsewhere(falling, "long"), _elsewhere(falling, "short", epochs=2)
    expected = _values(train(long), "train_loss")[:2]
    assert _values(train(short), "train_loss") != expected
    cut = _elsewhere(falling, "cut", epochs=2, schedule_epochs=4)
    assert _values(train(cut), "train_loss") == expected


def test_rows_of_weight_zero_teach_nothing(spec: TrainSpec, rating_feed: FeedSpec) -> None:
    path = Path(rating_feed.folder) / rating_feed.files[0]
    table = pq.read_table(path)
    nothing = pa.array([0.0] * table.num_rows, type=pa.float32())
    wild = pa.array([1e6] * table.num_rows, type=pa.float32())
    pq.write_table(table.set_column(2, "label", wild).set_column(3, "weight", nothing), path)
    hashes = (hashlib.sha256(path.read_bytes()).hexdigest(), *rating_feed.sha256[1:])
    result = train(replace(spec, train=replace(rating_feed, sha256=hashes), valid=None))
    assert _values(result, "train_loss")[0] < 10


def test_a_feed_beyond_the_tables(spec: TrainSpec) -> None:
    few = json.dumps({**PARAMS, "num_users": 3})
    with pytest.raises(TrainingError, match="doesn't fit the network's num_users"):
        train(replace(spec, params=few))
    narrow = json.dumps({**PARAMS, "item_dim": 5})
    with pytest.raises(TrainingError, match="doesn't fit the network's item_dim"):
        train(replace(spec, params=narrow))


def test_sparse_tables_move_only_what_a_step_met(spec: TrainSpec, make_feed: MakeFeed) -> None:
    few = make_feed([40, 40], users=3, name="few")
    sparse = json.dumps({**PARAMS, "id_dropout": 0.0, "sparse": True})
    base = replace(spec, train=few, valid=None, params=sparse)
    whole, resumed = _elsewhere(base, "whole"), _elsewhere(base, "resumed")
    losses = _values(train(whole), "train_loss")
    assert losses[-1] < losses[0]
    train(replace(resumed, epochs=1))
    train(resumed)
    _assert_same_weights(whole, resumed)
    table = load_file(Path(whole.checkpoint_dir) / "epoch-00002" / "weights.safetensors")
    untouched = table["users.table.weight"][3:]
    one = _elsewhere(base, "one")
    train(replace(one, epochs=1, learning_rate=1e-12))
    start = load_file(Path(one.checkpoint_dir) / "epoch-00000" / "weights.safetensors")
    assert torch.equal(untouched, start["users.table.weight"][3:])
    assert not torch.equal(table["users.table.weight"][:3], start["users.table.weight"][:3])


@pytest.mark.parametrize("network", ["embedding_mlp", "two_tower"])
def test_half_as_precise_products_learn_the_same(spec: TrainSpec, network: str) -> None:
    base = replace(spec, network=network, params=json.dumps(PARAMS))
    found = {
        precision: _values(train(_elsewhere(base, precision, precision=precision)), "valid_loss")
        for precision in ("auto", "float32", "bfloat16")
    }
    assert found["auto"] == found["float32"] != found["bfloat16"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile makes C++ on CPUs")
def test_a_compiled_step_learns_the_same(spec: TrainSpec) -> None:
    """Without dropout: a compiled step draws other numbers."""
    sure = replace(spec, params=json.dumps({**json.loads(spec.params), "id_dropout": 0.0}))
    found = [
        _values(train(_elsewhere(sure, str(compiled), compiled=compiled)), "valid_loss")
        for compiled in (False, True)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_unknown_objective(spec: TrainSpec) -> None:
    with pytest.raises(TrainingError, match="unknown objective"):
        train(replace(spec, objective="hinge"))


def test_a_feed_without_what_the_objective_takes(spec: TrainSpec) -> None:
    with pytest.raises(TrainingError, match="the feed lacks item_share"):
        train(replace(spec, network="two_tower", params=json.dumps(PARAMS), objective=TOWERS))


def test_every_rank_leaves_a_last_word(spec: TrainSpec, tmp_path: Path) -> None:
    watched = replace(spec, status_dir=str(tmp_path / "status"), epochs=1)
    train_and_report(watched)
    assert read_statuses(tmp_path / "status")[0].ok
    with pytest.raises(TrainingError):
        train_and_report(replace(watched, faults=("raise:at=end",)))
    status = read_statuses(tmp_path / "status")[0]
    assert (status.ok, status.final) == (False, True)
    assert status.error.startswith("TrainingError: injected fault")


def test_a_rank_that_the_launcher_ends_says_so(spec: TrainSpec, tmp_path: Path) -> None:
    ended = replace(spec, status_dir=str(tmp_path / "status"), faults=("end:epoch=0:step=0",))
    with pytest.raises(StoppedError):
        train_and_report(ended)
    assert read_statuses(tmp_path / "status")[0].is_echo


def test_a_port_that_is_taken_is_worth_another_start(
    spec: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        for name, value in (*place.items(), ("MASTER_PORT", str(taken.getsockname()[1]))):
            monkeypatch.setenv(name, value)
        with pytest.raises(Exception, match=r"(?i)address already in use"):
            train_and_report(replace(spec, status_dir=str(tmp_path / "status")))
    status = read_statuses(tmp_path / "status")[0]
    assert "address already in use" in status.error.lower()
    # The launcher tries again, by another port.
    assert not status.final


def test_a_disk_that_fills_up_is_named(spec: TrainSpec, tmp_path: Path) -> None:
    """The rank's last word lies on the same disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk is mounted by root alone")
    try:
        large = {**json.loads(spec.params), "embedding_dim": 20_000}
        place = {"checkpoint_dir": f"{disk}/c", "status_dir": f"{disk}/status"}
        with pytest.raises(Exception, match="No space left"):
            train_and_report(replace(spec, params=json.dumps(large), **place))
        (status,) = read_statuses(disk / "status").values()
        assert "No space left" in status.error
        assert "checkpoint.py" in status.trace
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_the_checkpoint_before(spec: TrainSpec) -> None:
    """A process may write files of 4 KiB at most, which no file of weights is."""
    train(replace(spec, epochs=1))
    before = {path.name for path in Path(spec.checkpoint_dir).glob("epoch-*")}
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(Exception, match=r"File too large"):
            train(replace(spec, epochs=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path.name for path in Path(spec.checkpoint_dir).glob("epoch-*")} == before
    # With room again it goes on from there.
    assert train(replace(spec, epochs=2)).epochs == 2


def test_an_echo_is_told_from_a_cause() -> None:
    echo = Status(0, False, 1.0, "RuntimeError: [gloo] Connection closed by peer [127.0.0.1]")
    assert echo.is_echo
    assert not Status(1, False, 2.0, "ValueError: bad label").is_echo


def _as_rank(spec: TrainSpec, rank: int, port: int) -> None:
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    train_and_report(spec)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [False, True])
def test_two_ranks_with_uneven_shards_learn_what_one_does(spec: TrainSpec, sparse: bool) -> None:
    # Without dropped ids the sums of a step are the same however its rows are shared out.
    params = json.dumps({**PARAMS, "id_dropout": 0.0, "sparse": sparse})
    uneven = replace(
        spec.train,
        files=spec.train.files[:3],
        row_groups=spec.train.row_groups[:3],
        sha256=spec.train.sha256[:3],
    )
    # One step per epoch takes all rows, so the order doesn't matter either.
    base = replace(spec, params=params, train=uneven, valid=None, batch_size=1000, epochs=2)
    one, two = _elsewhere(base, "one"), _elsewhere(base, "two")
    train(one)
    context, port = multiprocessing.get_context("spawn"), _free_port()
    ranks = [context.Process(target=_as_rank, args=(two, rank, port)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
        assert process.exitcode == 0
    first, second = (load_file(Path(s.artifact_dir) / "model.safetensors") for s in (one, two))
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=1e-4, atol=1e-5)
