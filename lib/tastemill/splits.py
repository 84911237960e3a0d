"""Which events a backtest learns from, is tuned on, and is judged by: the column `split`.

`time` is how a recommender is used. The other two are what many published tables go by: they let a
model learn from what other people did after the event it is asked about.
"""

import hashlib
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W
from pyspark.sql.window import WindowSpec

from tastemill.config import Purpose, SplitConfig
from tastemill.host import spark_uri
from tastemill.profiles.history import Moment
from tastemill.times import ORDER, Times, taken

FINE = 1_000_000  # steps of the hash that picks the validation part of a fold


def with_split(
    events: DataFrame, split: SplitConfig, times: Times, purpose: Purpose, positive_min: float
) -> DataFrame:
    """Add `split`: train, valid or test. Production has no part that it doesn't learn from.

    Args:
        events: the table `events`.
        split: how they are parted.
        times: of the run; only the time split looks at them.
        purpose: backtest or production.
        positive_min: smallest value that counts as taken.
    """
    if purpose == "production":
        return events.withColumn("split", F.lit("train"))
    match split.by:
        case "time":
            part = _by_time(times)
        case "leave_one_out":
            part = _leave_one_out(positive_min)
        case "k_fold":
            part = _k_fold(split)
        case "listed":
            return _listed(events, split, positive_min)
    return events.withColumn("split", part)


def split_label(split: SplitConfig, times: Times, positive_min: float) -> str:
    """What tells the models of one split from those of another, where their as_of doesn't."""
    match split.by:
        case "time":
            return ""
        case "leave_one_out":
            return f"leave_one_out, taken from {positive_min:g}, events before {times.as_of}"
        case "k_fold":
            part = f"fold {split.fold} of {split.num_folds}, seed {split.seed}"
            return f"{part}, events before {times.as_of}"
        case "listed":
            pairs = hashlib.sha256(Path(split.file).read_bytes()).hexdigest()
            return f"listed {pairs}, taken from {positive_min:g}, events before {times.as_of}"


def judged_by(split: SplitConfig) -> str:
    """The test part in words."""
    match split.by:
        case "time":
            return "newest part of the data"
        case "leave_one_out":
            return "the last thing each user took"
        case "k_fold":
            return f"part {split.fold + 1} of {split.num_folds} of the data"
        case "listed":
            return f"what {Path(split.file).name} names"


def is_past() -> Column:
    """Whether an event is one that models of the pass learn from."""
    return F.col("split") != "test"


def tuning(events: DataFrame) -> DataFrame:
    """The same question one step earlier: no test part, and the validation part in its place."""
    part = F.when(F.col("split") == "valid", "test").otherwise("train")
    return events.where(is_past()).withColumn("split", part)


def _by_time(times: Times) -> Column:
    """An event at the moment itself belongs to what comes after."""
    return (
        F.when(Moment(times.valid_from).before, "train")
        .when(Moment(times.cut).before, "valid")
        .otherwise("test")
    )


def _leave_one_out(positive_min: float) -> Column:
    """The last thing that a user took is the test, the one before it valid.

    What the user did between the two, taken or not, belongs to the earlier one, and what came after
    the last to the test: no part sees what its user did later. Who took one thing only is left in
    train, who took two has no valid part.
    """
    of_user = W.partitionBy("user_id")
    is_test, is_valid = (_last_taken(of_user, positive_min, later) for later in (0, 1))
    return F.when(is_test, "test").when(is_valid, "valid").otherwise("train")


def _last_taken(of_user: WindowSpec, positive_min: float, later: int) -> Column:
    """Whether an event is the last that was taken but so many, or came after it, up to the next."""
    is_taken = taken(positive_min) & F.col("item_id").isNotNull()
    from_here = of_user.orderBy(*ORDER).rowsBetween(W.currentRow, W.unboundedFollowing)
    left, total = (F.count_if(is_taken).over(window) for window in (from_here, of_user))
    return (total > later + 1) & ((left == later) | ((left == later + 1) & is_taken))


def _listed(events: DataFrame, split: SplitConfig, positive_min: float) -> DataFrame:
    """Pairs of a file are the test; the last of the rest that each user took is valid."""
    listed = pairs_of(events.sparkSession, split.file).withColumn("_listed", F.lit(True))
    told = events.join(F.broadcast(listed), ["user_id", "item_id"], "left")
    is_test = F.col("_listed").isNotNull()
    is_valid = _last_taken(W.partitionBy("user_id", is_test), positive_min, 0)
    part = F.when(is_test, "test").when(is_valid, "valid").otherwise("train")
    return told.withColumn("split", part).drop("_listed")


def pairs_of(spark: SparkSession, file: str) -> DataFrame:
    """(user_id, item_id) of a CSV with these columns."""
    read = spark.read.options(header="true", enforceSchema="false", mode="FAILFAST")
    return (
        read.schema("user_id string, item_id string")
        .csv(spark_uri(Path(file).absolute()))
        .distinct()
    )


def _k_fold(split: SplitConfig) -> Column:
    """One of `num_folds` equal parts of the events, by a hash: the same whatever the order."""
    fold = F.pmod(F.xxhash64(F.lit(split.seed), "event_id"), F.lit(split.num_folds))
    fine = F.pmod(F.xxhash64(F.lit("valid"), F.lit(split.seed), "event_id"), F.lit(FINE))
    return (
        F.when(fold == split.fold, "test")
        .when(fine < split.valid_fraction * FINE, "valid")
        .otherwise("train")
    )
