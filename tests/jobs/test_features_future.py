"""build_features sees nothing of the future: what comes later is changed, what was made stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.jobs import build_examples, build_features, build_profiles, ingest
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow
NAME = "movielens-100k"
FIRST = datetime.fromtimestamp(880_000_000, UTC)
CUT, AS_OF = FIRST + timedelta(days=70), FIRST + timedelta(days=90)
SETTINGS = (
    "dataset.task=implicit",
    "dataset.positive_min=4",
    f"run.valid_from={(CUT - timedelta(days=10)).isoformat()}",
    f"run.cut={CUT.isoformat()}",
    f"run.as_of={AS_OF.isoformat()}",
    "features.windows_days=[7,30]",
    "features.crosses=[{of = ['user_gender', 'user_age'], buckets = 8}]",
    "features.search_crosses=1",
    "features.encode=['item_category']",
    "features.pooled=['mean']",
    "features.recent_items=5",
)
OF_THE_TEST = ["later", "psi", "ks"]  # what feature_stats tells of the test


def made(spark: SparkSession, folder: Path, ratings: list[str]) -> dict[str, pd.DataFrame]:
    """Tables of a backtest at fixed times, from so many lines of u.data."""
    write_movielens(folder / "data")
    (folder / "data" / "u.data").write_text("\n".join(ratings) + "\n")
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    cfg: Config = load_config(Request(NAME, settings=(*SETTINGS, *place)))
    for job in (ingest, build_profiles, build_examples, build_features):
        job.run(spark, cfg)
    warehouse = Warehouse(spark, cfg.run.warehouse, NAME)
    return {
        table.name: warehouse.read(table).orderBy(*table.keys).toPandas()
        for table in build_features.OUTPUTS
    }


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("ratings")
    write_movielens(folder)
    return (folder / "u.data").read_text().splitlines()


@pytest.fixture(scope="module")
def before(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, ratings: list[str]
) -> dict[str, pd.DataFrame]:
    return made(spark, tmp_path_factory.mktemp("before"), ratings)


def told_at(line: str) -> datetime:
    return datetime.fromtimestamp(int(line.split("\t")[3]), UTC)


def test_what_comes_after_the_cut_changes_nothing_that_is_fitted(
    spark: SparkSession, tmp_path: Path, ratings: list[str], before: dict[str, pd.DataFrame]
) -> None:
    """Other items, other stars, other times: edges, vocabularies, choice and pools stay.

    Clocks that run ahead, too: months after the moment of the pass, and years after today, which
    ingest puts aside.
    """

    def changed(line: str) -> str:
        user, item, stars, at = map(int, line.split("\t"))
        moved = at + (3 * 86_400 if at % 2 else 0)
        return f"{user}\t{(item + 7) % 30 + 1}\t{6 - stars}\t{moved}"

    ahead = [int((AS_OF + timedelta(days=days)).timestamp()) for days in (0, 30, 30_000)]
    skewed = [f"{n % 40 + 1}\t{n % 30 + 1}\t5\t{at + n}" for at in ahead for n in range(60)]
    lines = [line if told_at(line) < CUT else changed(line) for line in ratings]
    after = made(spark, tmp_path, [*lines, *skewed])
    for name in ("feature_vocabulary", "feature_selection", "feature_pools"):
        pd.testing.assert_frame_equal(after[name], before[name], check_exact=True)
    stats = [found["feature_stats"] for found in (before, after)]
    assert not stats[0].psi.equals(stats[1].psi)  # the test itself is another one
    pd.testing.assert_frame_equal(
        *(each.drop(columns=OF_THE_TEST) for each in stats), check_exact=True
    )
    learned = [
        found["features"].query("split != 'test'").reset_index(drop=True)
        for found in (before, after)
    ]
    assert (learned[0].event_time < CUT.replace(tzinfo=None)).all()
    pd.testing.assert_frame_equal(*learned, check_exact=True)
    assert (after["features"].event_time < AS_OF.replace(tzinfo=None)).all()
