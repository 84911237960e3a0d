"""What a history amounts to, written once for aggregates (profiles) and windows (examples).

An event before as_of adds its recency weight to the categories of its item. The weight halves
every `half_life_days`, measured back from as_of: because vectors are normalized, this equals
measuring from any later moment, so one running sum serves every example.
"""

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LOG_SCALE = 10.0  # log1p of 22,000 events is 10: keeps counts near the other inputs of a network
FIXED_POINT = 1e9  # sums that must not depend on the order of rows are sums of integers


@dataclass(frozen=True)
class Moment:
    """A point in time, from which only what came strictly before is seen."""

    as_of: datetime

    @property
    def before(self) -> Column:
        """Whether an event lies before; unknown times do."""
        at = F.col("event_time")
        return at.isNull() | (at < F.lit(self.as_of))

    def within_days(self, days: int) -> Column:
        """Whether an event lies in the window that ends here; unknown times lie in none."""
        at = F.col("event_time")
        inside = (at < F.lit(self.as_of)) & (
            at >= F.lit(self.as_of) - F.expr(f"INTERVAL {days} DAY")
        )
        return F.coalesce(inside, F.lit(False))

    def recency(self, half_life_days: float, oldest: Column) -> Column:
        """2^(-age in half-lives); an event of unknown time counts as the oldest known one."""
        seconds = F.unix_timestamp(F.lit(self.as_of)) - F.unix_timestamp(
            F.coalesce("event_time", oldest, F.lit(self.as_of))
        )
        return F.pow(F.lit(2.0), -seconds / F.lit(86_400.0 * half_life_days))


def fit_overall(events: DataFrame) -> DataFrame:
    """One row: mean value (0 where no event carries one) and oldest known time of the events."""
    total = F.sum(F.round(F.col("value") * 1e6).cast("long"))
    mean = F.coalesce(total / F.count("value") / 1e6, F.lit(0.0))
    return events.agg(mean.alias("overall_mean"), F.min("event_time").alias("oldest"))


def centred() -> Column:
    """A value relative to the overall mean, in whole millionths; null where there is no value."""
    return F.round((F.col("value") - F.col("overall_mean")) * 1e6).cast("long")


def history_aggregates(moment: Moment) -> list[Column]:
    """What profiles of users and of items count alike; rows carry `overall_mean`."""
    return [
        F.count("*").alias("num_events"),
        *[F.count_if(moment.within_days(d)).alias(f"num_events_{d}d") for d in (7, 30, 90)],
        F.count("value").alias("num_values"),
        (F.sum(centred()) / 1e6).alias("centred"),
        F.min("event_time").alias("first_event_time"),
        F.max("event_time").alias("last_event_time"),
    ]


def history_features(events: Column, values: Column, total: Column, prior: float) -> list[Column]:
    """The numbers that follow the categories in a profile vector.

    Args:
        events: count of events before.
        values: count of those that carry a value.
        total: sum of (value - overall mean) over those.
        prior: events at the overall mean that are added before the mean is taken.

    Returns:
        log1p(events) / 10, and the shrunk mean value relative to the overall mean.
    """
    known = F.coalesce(events, F.lit(0))
    counted = F.coalesce(values, F.lit(0)) + F.lit(prior)
    mean = F.when(counted > 0, F.coalesce(total, F.lit(0.0)) / counted).otherwise(0.0)
    return [F.log1p(known.cast("double")) / LOG_SCALE, mean]


def as_vector(categories: Column, features: list[Column]) -> Column:
    """Categories and features as one array<float> without nulls."""
    return F.concat(categories, F.array(*features)).cast("array<float>")
