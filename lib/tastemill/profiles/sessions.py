"""Visits and dwell: the source's own where it tells them, else read off the gaps between events."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.times import ORDER


def with_visits(events: DataFrame, gap_minutes: float) -> DataFrame:
    """Add `starts_visit` and fill `dwell_seconds`.

    A visit is the source's session, else it ends where the user pauses for more than the gap;
    events of unknown time belong to none. Dwell that the source doesn't tell is the time to the
    next event of the same visit, null for its last.

    Added columns:
        starts_visit: true for the first event of a visit without a session_id of the source.
        dwell_seconds: given or derived, null when neither is possible.
    """
    # Events without a session of the source stand apart from those with one.
    order = W.partitionBy("user_id", "session_id").orderBy(*ORDER)
    at = F.col("event_time").cast("double")
    since = at - F.lag(at).over(order)
    until = F.lead(at).over(order) - at
    pause = F.lit(gap_minutes * 60.0)
    known = F.col("session_id").isNull() & F.col("event_time").isNotNull()
    goes_on = F.col("session_id").isNotNull() | (until <= pause)
    return events.withColumns(
        {
            "starts_visit": known & (since.isNull() | (since > pause)),
            "dwell_seconds": F.coalesce("dwell_seconds", F.when(goes_on, until)),
        }
    )
