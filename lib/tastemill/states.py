"""What was known of users and of items at a time: what the source told of them, state by state.

`users` and `items` hold the newest state of each, `user_states` and `item_states` all those whose
time the source tells. A state is known from just after its `updated_at` until the next one's: an
event that tells of its item, as the line of an invoice tells the price, does not know it before.

Equal states in a row are kept once, by the first time. So what a file tells that comes late, of a
time between two equal states (A on Monday and Wednesday, then B on Tuesday), holds until the next
change, as if Wednesday had said nothing: where files come out of order, ingest them anew in one.
"""

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

SINCE, UNTIL = "since", "until"


def told_by(newest: DataFrame, earlier: DataFrame | None, key: str, as_of: datetime) -> DataFrame:
    """Add `since` and `until` to the states that were told before as_of, a row for each.

    Args:
        newest: the table `users` or `items`.
        earlier: the table of their states; None where the source tells of one only.
        key: user_id or item_id.
        as_of: what the source changed from then on isn't known yet.
    """
    before = F.col("updated_at").isNull() | (F.col("updated_at") < F.lit(as_of))
    told, next_one = newest.where(before), F.lit(None).cast("timestamp")
    if earlier is not None:
        # The newest is among its states too: of two with one time the first never holds.
        told = told.unionByName(earlier.where(before))
        in_order = W.partitionBy(key).orderBy(F.col("updated_at").asc_nulls_first())
        next_one = F.lead("updated_at").over(in_order)
    return told.withColumns({SINCE: F.col("updated_at"), UNTIL: next_one})


def last_of(told: DataFrame) -> DataFrame:
    """Of each the last state: what is known of it in the end; also those without any."""
    return told.where(F.col(UNTIL).isNull())


def holds_at(at: Column) -> Column:
    """Whether a state is what was known just before a time."""
    since, until = F.col(SINCE), F.col(UNTIL)
    return (since.isNull() | (since < at)) & (until.isNull() | (at <= until))
