"""The selection of features finds what was planted in synthetic data, and no noise."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Request, load_config
from tastemill.delta import Warehouse
from tastemill.jobs import build_examples, build_features, build_profiles, ingest
from tastemill.synth.found import held_against_truth
from tastemill.synth.params import SynthConfig
from tastemill.synth.write import synthesize


@pytest.mark.slow
def test_planted_signals_are_kept_and_planted_noise_is_not(
    spark: SparkSession, tmp_path: Path
) -> None:
    sizes = SynthConfig(num_users=1_500, num_items=800, num_events=60_000)
    synthesize(spark, sizes, tmp_path / "data", command="")
    place = (f"run.data='{tmp_path}/data'", f"run.warehouse='{tmp_path}/warehouse'")
    settings = ("features.windows_days=[7]", "examples.types=['purchase', 'watch', 'listen']")
    cfg = load_config(Request("synthetic", settings=(*settings, *place)))
    for job in (ingest, build_profiles, build_examples, build_features):
        job.run(spark, cfg)
    chosen = Warehouse(spark, cfg.run.warehouse, "synthetic").read(tables.FEATURE_SELECTION)
    rows = {row["feature"]: row for row in chosen.collect()}
    kept = [name for name, row in rows.items() if row["kept"]]
    found = held_against_truth(list(rows), kept)
    print(f"precision {found.precision:.2f}, recall {found.recall:.2f}", found)
    assert found.fooled_by == ()
    assert found.recall >= 0.7, found.missed
    # What a user searched for tells of what they take.
    assert "user_search_category_share" in kept
    assert {"user_recent_category_mean", "user_recent_text_mean"} & set(kept)


def test_what_is_held_against_the_truth() -> None:
    features = ["user_age", "item_price_bucket", "item_price", "user_gender", "item_colour", "hour"]
    found = held_against_truth(features, ["user_age", "item_price", "user_gender", "hour"])
    assert found.found == ("user_age", "item_price")
    assert found.missed == ()
    assert found.fooled_by == ("user_gender",)
    assert (found.precision, found.recall) == (2 / 3, 1.0)
    nothing = held_against_truth(features, [])
    assert (nothing.precision, nothing.recall) == (0.0, 0.0)
