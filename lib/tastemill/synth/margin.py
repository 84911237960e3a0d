"""What the truth is worth: lists by popularity and by an oracle, judged on the newest takes.

The oracle knows the latent tastes and ranks by the chance of a take as of the cut, so no model
should come out far above it; one below popularity has learned nothing. For small sets: all pairs
of users and items are scored.
"""

from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.evaluation.ranking import ranking_metrics
from tastemill.synth import choice, users
from tastemill.synth.params import SynthConfig
from tastemill.synth.topics import TAKES
from tastemill.synth.write import TRUTH

NEWEST = 0.2
TAKEN_DEPTH = 3  # place in SHARPNESS and EXPLORED of a visit that ends in a take


def margin(spark: SparkSession, folder: Path, cfg: SynthConfig, k: int = 10) -> dict[str, float]:
    """Mean NDCG at k of `popularity` and `oracle` over the users of the newest fifth of takes.

    Lists leave out what the user has taken, and hold only items taken by somebody before.

    Args:
        spark: where it is worked out.
        folder: what `synthesize` wrote.
        cfg: what it was made from.
        k: length of lists.
    """
    takes = _takes(spark, folder).persist()
    cut = takes.agg(F.percentile(F.unix_micros("event_time"), 1 - NEWEST)).collect()[0][0]
    is_past = F.unix_micros("event_time") < int(cut)
    past = takes.where(is_past).groupBy("user_no", "item_no").agg(F.count("*").alias("times"))
    later = takes.where(~is_past).select("user_no", "item_no").distinct()
    known = past.groupBy("item_no").agg(F.count("*").cast("double").alias("num_users"))
    wanted = later.join(past, ["user_no", "item_no"], "left_anti").join(known, "item_no")
    relevant = wanted.groupBy(F.col("user_no").cast("int").alias("user_idx")).agg(
        F.collect_set("item_no").alias("items"), F.lit("all").alias("segment")
    )
    pairs = _pairs(spark, folder, wanted.select("user_no").distinct(), known, past)
    day = (int(cut) / 1e6 - cfg.start.timestamp()) / 86_400
    scores = {"popularity": F.col("num_users"), "oracle": oracle_score(cfg, F.lit(day))}
    lists = [_best(pairs, score, name, k) for name, score in scores.items()]
    judged = ranking_metrics(reduce(DataFrame.unionByName, lists), relevant, (k,))
    means = judged.where("metric = 'ndcg'").groupBy("model_id").agg(F.avg("value").alias("ndcg"))
    found = {row["model_id"]: float(row["ndcg"]) for row in means.collect()}
    takes.unpersist()
    return found


def oracle_score(cfg: SynthConfig, day: Column) -> Column:
    """About the chance that a user takes an item on a day, to rank the items of each user by.

    With p the chance that an item is drawn as a candidate and w its weight in the choice,
    p w / (w + 3 w̄): as if its three rivals weighed as candidates of the user do on average (w̄).
    Needs the columns of `truth/users` and `truth/items`, a row for each item of a user's catalogue.
    """
    outside, sharp = choice.EXPLORED[TAKEN_DEPTH], choice.SHARPNESS[TAKEN_DEPTH]
    taste = users.topic_weight(cfg, F.col("topic"), day)
    drawn = ((1 - outside) * taste + outside / cfg.num_topics) * F.col("popularity")
    suits = choice.match_of(
        cfg, F.col("price_level"), F.col("item_language_no"), F.col("brand_quality")
    )
    weight = choice.novelty(cfg, day - F.col("released_day")) * F.exp(sharp * suits)
    of_user = W.partitionBy("user_no")
    usual = F.sum(drawn * weight).over(of_user) / F.sum(drawn).over(of_user)
    return drawn * weight / (weight + (choice.NUM_CANDIDATES - 1) * usual)


def _takes(spark: SparkSession, folder: Path) -> DataFrame:
    """(user_no, item_no, event_time)."""
    events = spark.read.parquet(f"file://{folder}/events")
    taken = events.where(F.col("event_type").isin(*TAKES))
    return taken.select(
        *(F.substring(F.col(f"{noun}_id"), 2, 20).cast("long").alias(f"{noun}_no")
          for noun in ("user", "item")),
        "event_time",
    )  # fmt: skip


def _pairs(
    spark: SparkSession, folder: Path, wanted: DataFrame, known: DataFrame, past: DataFrame
) -> DataFrame:
    """Users with something to find, and all items of the catalogue that they haven't had."""
    tastes = spark.read.parquet(f"file://{folder}/{TRUTH}/users").join(wanted, "user_no")
    items = spark.read.parquet(f"file://{folder}/{TRUTH}/items").join(known, "item_no")
    return tastes.crossJoin(items).join(past, ["user_no", "item_no"], "left_anti")


def _best(pairs: DataFrame, score: Column, name: str, k: int) -> DataFrame:
    """(model_id, user_idx, items best first); equal scores by number of the item."""
    ranked = pairs.select("user_no", "item_no", score.alias("score"))
    place = F.row_number().over(W.partitionBy("user_no").orderBy(F.desc("score"), "item_no"))
    best = ranked.withColumn("place", place).where(F.col("place") <= k)
    items = F.array_sort(F.collect_list(F.struct("place", "item_no")))
    grouped = best.groupBy(F.col("user_no").cast("int").alias("user_idx")).agg(items.alias("all"))
    return grouped.select(
        F.lit(name).alias("model_id"), "user_idx", F.col("all.item_no").alias("items")
    )
