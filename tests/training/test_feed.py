"""One suite for every feed: each row once, equal steps, an order that can be repeated."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tastemill.errors import FeedError
from tastemill.training import feed as feeds
from tastemill.training.feed import Batch, open_feed, open_measured
from tastemill.training.groups import READERS, Columns, Shard
from tastemill.training.spec import FeedSpec

MakeFeed = Callable[..., FeedSpec]

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(params=sorted(READERS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def _read(spec: FeedSpec, kind: str, shard: Shard, epoch: int = 0) -> list[Batch]:
    return list(open_feed(spec, kind, shard).epoch(epoch))


def _labels(batches: list[Batch]) -> list[int]:
    return [int(x) for batch in batches for x in batch["label"]]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_row_once_over_all_ranks(make_feed: MakeFeed, kind: str, world: int) -> None:
    spec = make_feed([10, 3, 7, 1])
    parts = [_read(spec, kind, Shard(r, world, batch_size=4)) for r in range(world)]
    assert Counter(x for part in parts for x in _labels(part)) == Counter(range(21))
    assert {len(part) for part in parts} == {6}  # ceil(21 / 4), on every rank


@pytest.mark.parametrize("name", ["käse und brot", "50% #1 a?b", "a%20b"])
def test_a_folder_of_any_name(make_feed: MakeFeed, kind: str, name: str) -> None:
    spec = make_feed([10, 3], name=name)
    assert sorted(_labels(_read(spec, kind, Shard(batch_size=4)))) == list(range(13))


def test_a_step_holds_at_most_a_batch_and_sees_every_shard(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([12, 4])
    sizes = [
        [len(b["label"]) for b in _read(spec, kind, Shard(r, 2, batch_size=4))] for r in (0, 1)
    ]
    assert sizes == [[3, 3, 3, 3], [1, 1, 1, 1]]


def test_a_shard_with_fewer_rows_than_steps_has_empty_batches(
    make_feed: MakeFeed, kind: str
) -> None:
    batches = _read(make_feed([9, 1]), kind, Shard(1, 2, batch_size=2))
    assert [len(b["label"]) for b in batches] == [0, 0, 0, 0, 1]
    assert batches[0]["user_vector"].shape == (0, 2)


def test_types_shapes_and_rows_stay_together(make_feed: MakeFeed, kind: str) -> None:
    for batch in _read(make_feed([5, 6], width=3), kind, Shard(batch_size=4)):
        assert batch["user_idx"].dtype == batch["item_idx"].dtype == torch.int64
        assert batch["user_vector"].dtype == batch["label"].dtype == torch.float32
        assert torch.equal(batch["user_vector"][:, 0], batch["label"])
        assert torch.equal(batch["user_idx"], batch["label"].long() % 7)
        assert batch["item_vector"].shape == (len(batch["label"]), 3)


def test_vectors_may_be_of_length_zero(make_feed: MakeFeed, kind: str) -> None:
    (batch,) = _read(make_feed([4], width=0), kind, Shard(batch_size=4))
    assert batch["user_vector"].shape == (4, 0)


def test_same_seed_same_order_other_epoch_other_order(make_feed: MakeFeed, kind: str) -> None:
    spec, shard = make_feed([20, 20, 20]), Shard(batch_size=8)
    first = _labels(_read(spec, kind, shard, epoch=0))
    assert first == _labels(_read(spec, kind, shard, epoch=0))
    assert first != _labels(_read(spec, kind, shard, epoch=1))
    assert first != _labels(_read(spec, kind, replace(shard, seed=2), epoch=0))
    assert sorted(first) == list(range(60))


def test_without_shuffle_rows_come_as_written(make_feed: MakeFeed, kind: str) -> None:
    shard = Shard(batch_size=4, shuffle=False)
    assert _labels(_read(make_feed([5, 6]), kind, shard)) == list(range(11))


def test_small_buffers_lose_nothing(
    make_feed: MakeFeed, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BUFFER_ROWS", 5)
    labels = _labels(_read(make_feed([4] * 6), kind, Shard(batch_size=7)))
    assert sorted(labels) == list(range(24))


def test_one_source_gives_many_epochs_and_may_be_left_early(make_feed: MakeFeed, kind: str) -> None:
    source = open_feed(make_feed([8, 8]), kind, Shard(batch_size=4))
    epoch = source.epoch(0)
    next(epoch)
    epoch.close()
    for number in (0, 1):
        assert sorted(_labels(list(source.epoch(number)))) == list(range(16))


def test_two_hundred_short_reads_lose_no_row(make_feed: MakeFeed, kind: str) -> None:
    source = open_feed(make_feed([3]), kind, Shard(batch_size=8))
    for epoch in range(200):
        assert sorted(_labels(list(source.epoch(epoch)))) == [0, 1, 2]


def test_more_ranks_than_row_groups(make_feed: MakeFeed, kind: str) -> None:
    with pytest.raises(FeedError, match="fewer row groups than training processes"):
        open_feed(make_feed([5]), kind, Shard(0, 2))


def test_what_is_measured_may_have_fewer_row_groups(make_feed: MakeFeed, kind: str) -> None:
    feed = make_feed([5, 2])
    found = [open_measured(feed, kind, Shard(rank, 3, shuffle=False)) for rank in range(3)]
    assert [source.rows for source in found] == [7, 0, 0]
    batches = [list(source.epoch(0)) for source in found]
    assert _labels(batches[0]) == [float(n) for n in range(7)]
    assert batches[1:] == [[], []]


def test_a_flipped_byte_is_found(make_feed: MakeFeed, kind: str) -> None:
    """By the rank that reads the file; a rank hashes no others."""
    spec = make_feed([50, 20])
    path = Path(spec.folder) / spec.files[1]
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    assert set(_labels(_read(spec, kind, Shard(0, 2)))) == set(range(50))
    for reading in (Shard(), Shard(1, 2)):
        with pytest.raises(FeedError, match="has changed since it was written"):
            open_feed(spec, kind, reading)


def test_a_file_cut_short_after_opening(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([50])
    source = open_feed(spec, kind, Shard())
    path = Path(spec.folder) / spec.files[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FeedError, match="can't read"):
        list(source.epoch(0))


def test_a_folder_that_goes_away_in_mid_run(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([50, 50])
    source = open_feed(spec, kind, Shard())
    assert sum(len(batch["label"]) for batch in source.epoch(0)) == 100
    shutil.rmtree(spec.folder)
    with pytest.raises(FeedError, match=f"can't read {spec.folder}"):
        list(chain(source.epoch(1), source.epoch(2)))  # of the first, blocks may lie ready


def test_a_missing_file(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([5])
    (Path(spec.folder) / spec.files[0]).unlink()
    with pytest.raises(FeedError, match="is missing"):
        open_feed(spec, kind, Shard())


def test_rows_lost_on_the_way_stop_the_epoch(
    make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = READERS["pyarrow"]

    def losing(spec: FeedSpec, shard: Shard, epoch: int) -> list[Columns]:
        return list(whole(spec, shard, epoch))[1:]

    monkeypatch.setitem(READERS, "losing", lambda *a: iter(losing(*a)))
    with pytest.raises(FeedError, match=r"expected: 8 rows[^\n]*\n *found: 4 rows"):
        _read(make_feed([4, 4]), "losing", Shard(batch_size=4))


def test_nulls_in_ids_are_refused(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([4])
    path = Path(spec.folder) / spec.files[0]
    table = pq.read_table(path)
    holes = pa.array([0, None, 1, 2], type=pa.int32())
    pq.write_table(table.set_column(0, "user_idx", holes), path)
    source = feeds._Feed(spec, Shard(), READERS[kind])
    with pytest.raises(FeedError, match="user_idx holds nulls"):
        list(source.epoch(0))


def test_a_folder_with_a_pickle_in_its_metadata(make_feed: MakeFeed, kind: str) -> None:
    spec = make_feed([4])
    (Path(spec.folder) / "_common_metadata").write_bytes(b"")
    with pytest.raises(FeedError, match="_common_metadata"):
        open_feed(spec, kind, Shard())


def test_unknown_implementation(make_feed: MakeFeed) -> None:
    with pytest.raises(FeedError, match="unknown feed"):
        open_feed(make_feed([4]), "csv", Shard())
