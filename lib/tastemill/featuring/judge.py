"""All features measured in one pass, and each kept or not."""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.columns import as_array
from tastemill.features.config import FeaturesConfig
from tastemill.features.describe import most_met, of_numbers
from tastemill.features.extract import Extracted
from tastemill.features.figures import Row, selection_rows, stats_of_indices, stats_of_numbers
from tastemill.features.layout import layout_of
from tastemill.features.measure import drawn, met, summary, sums
from tastemill.features.one_pass import as_vector
from tastemill.features.selection import Decision, select
from tastemill.features.skew import is_skewed, skew
from tastemill.features.tally import taken_apart
from tastemill.featuring.categories import Categories
from tastemill.featuring.units import tests_of_likeness


@dataclass(frozen=True)
class Judged:
    """Rows of `feature_stats` and of `feature_selection`, but for the purpose."""

    stats: list[Row]
    selection: list[Row]
    summary: str

    @property
    def kept(self) -> list[str]:
        """Names of the features that models learn from."""
        return [row["feature"] for row in self.selection if row["kept"]]


def judge(
    rows: DataFrame,
    later: DataFrame,
    made: Extracted,
    categories: Categories,
    words: DataFrame,
    cfg: FeaturesConfig,
) -> Judged:
    """Measure all features and decide which are kept.

    What reaches the driver grows with the features and their bins, not with the rows.

    Args:
        rows: of the table `features`, those that models learn from; one at least.
        later: of the same table, those of the test.
        made: the features in them.
        categories: the categorical ones among them.
        words: of the table `feature_vocabulary`, what their indices stand for.
        cfg: bins and gates.
    """
    measured = [row.asDict() for row in summary(rows).orderBy("feature").drop("feature").collect()]
    num_rows = measured[0]["rows"]
    sample = rows.where(drawn(num_rows, cfg.sample_rows, cfg.seed)).select(
        "numeric", "label", "item_idx", "recent"
    )
    table = sample.toArrow().combine_chunks()
    numbers = as_array(table["numeric"].combine_chunks(), "numeric", gaps=True)
    layout = layout_of(
        numbers,
        table["label"].to_numpy(),
        [(row["low"], row["high"]) for row in measured],
        categories.sizes,
        cfg,
        rows=num_rows,
    )
    tally = taken_apart(layout, as_vector(sums(rows, layout).toArrow(), sum(layout.parts)))
    measured = [one | other for one, other in zip(measured, of_numbers(numbers), strict=True)]
    stats = [
        *stats_of_numbers(made.numeric, measured, layout, tally),
        *_with_top(stats_of_indices(made.categorical, categories.crossings, layout, tally), words),
    ]
    shift = skew(layout, tally, as_vector(met(later, layout).toArrow(), sum(layout.num_bins)))
    stats = [row | figures for row, figures in zip(stats, shift, strict=True)]
    tests = categories.tests.of(made, [c.cross for c in categories.crossings.values()])
    tests |= tests_of_likeness(table, made.names, categories.items, cfg.seed)
    chosen = select(made.names, tally, tests, cfg.selection)
    return Judged(stats, selection_rows(chosen), _in_words(chosen, stats))


def _with_top(stats: list[Row], words: DataFrame) -> list[Row]:
    """Rows of categorical features with the values met most: texts, where indices have some."""
    top = {row["feature"]: most_met(np.array(row["counts"])) for row in stats}
    pairs = [(name, index) for name, met in top.items() for index, _ in met]
    asked = words.sparkSession.createDataFrame(pairs, "feature string, index int")
    named = words.join(F.broadcast(asked), ["feature", "index"]).collect()
    texts = {(row["feature"], row["index"]): row["value"] for row in named}
    return [
        {
            **row,
            "top": [
                (texts.get((row["feature"], index), f"index {index}"), share)
                for index, share in top[row["feature"]]
            ],
        }
        for row in stats
    ]


def _in_words(chosen: list[Decision], stats: list[Row]) -> str:
    kept = {each.name for each in chosen if each.kept}
    skewed = sum(row["feature"] in kept and is_skewed(row) for row in stats)
    told = f"{len(kept)} of {len(chosen)} features kept"
    return f"{told}, {skewed} of them skewed in the test" if skewed else told
