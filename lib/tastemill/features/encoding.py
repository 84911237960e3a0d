"""Categorical features as numbers: the mean label of a value so far, and how often it was met.

Both go by earlier days alone, so that no row sees its own label nor one of a row drawn with it:
ordered target statistics (Prokhorenkova et al., "CatBoost: unbiased boosting with categorical
features", NeurIPS 2018), in the order of time and not of a shuffle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.features.config import FeaturesConfig
from tastemill.features.feature import Feature
from tastemill.features.history import DAY
from tastemill.splits import is_past

MICRO = 1e6  # labels are added up as whole millionths


PARTS = ("rows", "labels", "events")  # what is added up over earlier days
EVERY = "_every"  # the key of all rows, whatever their value


@dataclass(frozen=True)
class Encodings:
    """Which features become numbers.

    Args:
        names: of categorical features.
        prior: rows of the mean label that are added before a mean is taken.
    """

    names: Sequence[str]
    prior: float

    @classmethod
    def of(cls, cfg: FeaturesConfig) -> "Encodings":
        """As configured."""
        return cls(cfg.encode, cfg.prior_events)

    def features(self) -> list[Feature]:
        """What `with_encodings` adds."""
        mean = f"of earlier days' examples of this value, {self.prior:g} of the mean presumed"
        told = {
            "target": f"mean label {mean}",
            "frequency": "share of this value in what was taken or rated on earlier days",
        }
        return [
            Feature(f"{name}_{what}", "encoding", words, F.col(_column(what, place)), (name,))
            for place, name in enumerate(self.names)
            for what, words in told.items()
        ]


def with_encodings(
    rows: DataFrame, of: Sequence[str], wanted: Encodings, as_of: datetime
) -> DataFrame:
    """Add two columns for each encoding; null before the first day with an example.

    Labels of the test are in none of them. What is added up grows with values and days; rows aren't
    shuffled where that is small.

    Args:
        rows: with event_time, n, label, split and `categorical`.
        of: names of the indices in it.
        wanted: the encodings.
        as_of: a row of a later day sees what was known then.
    """
    if not wanted.names:
        return rows
    values = {
        f"_value_{place}": F.get("categorical", F.lit(of.index(name)))
        for place, name in enumerate(wanted.names)
    }
    at = F.unix_micros(F.least("event_time", F.lit(as_of)))
    dated = rows.withColumns({"_day": F.floor(at / DAY), EVERY: F.lit(0), **values})
    # Each sum is of the rows as they came: sums of what was joined would double the plan each time.
    joined = dated.join(F.broadcast(_before(dated, EVERY)), [EVERY, "_day"])
    mean, events = F.try_divide(F.col("labels"), F.col("rows")), F.col("events")
    added = {}
    for place, key in enumerate(values):
        names = {part: f"{part}_{place}" for part in PARTS}
        own_rows, own_labels, own_events = map(F.col, names.values())
        joined = joined.join(_before(dated, key).withColumnsRenamed(names), [key, "_day"])
        total = (own_labels + F.lit(wanted.prior) * mean) / (own_rows + F.lit(wanted.prior))
        added[_column("target", place)] = total / MICRO
        added[_column("frequency", place)] = F.try_divide(own_events, events)
    return joined.withColumns(added).select(*rows.columns, *added)


def _column(what: str, place: int) -> str:
    return f"{what}_{place}"


def _before(rows: DataFrame, key: str) -> DataFrame:
    """The key and _day, of all that occur, with sums over earlier days: `PARTS`."""
    counts = F.when(is_past(), F.lit(1))
    label = F.when(is_past(), F.round(F.col("label") * MICRO).cast("long"))
    amounts = (F.count(counts), F.sum(label), F.count(F.when(F.col("n") == 0, counts)))
    by_day = rows.groupBy(key, "_day").agg(
        *(amount.alias(part) for part, amount in zip(PARTS, amounts, strict=True))
    )
    earlier = W.partitionBy(key).orderBy("_day").rowsBetween(W.unboundedPreceding, -1)
    sums = [F.coalesce(F.sum(part).over(earlier), F.lit(0)).alias(part) for part in PARTS]
    return by_day.select(key, "_day", *sums)
