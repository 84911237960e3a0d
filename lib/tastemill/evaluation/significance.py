"""How sure a mean over users is: a seeded Poisson bootstrap, paired between models.

In replicate r user u counts w(u, r) ~ Poisson(1) times (Hanley & MacGibbon 2006; Chamandy et al.
2012): unlike a draw with replacement, the weights need no knowledge of the other users. They come
from a hash of (seed, user, r), so they are the same for every model, which pairs comparisons, and
in every partitioning; sums are whole numbers, so results are equal to the bit.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.errors import DataError
from tastemill.evaluation.bootstrap import SUMS_SCHEMA, user_sums
from tastemill.evaluation.ratings import from_units, in_units, summary_name, summary_value

OVERALL = "all"
_GROUP = ("segment", "metric", "k")
_LOW, _HIGH = 0.025, 0.975


def with_intervals(
    per_user: DataFrame, num_replicates: int = 200, seed: int = 0, overall: str | None = OVERALL
) -> DataFrame:
    """Means over users with a 95 % percentile interval.

    Args:
        per_user: what `ranking_metrics` returns (`value`), or `rating_errors` (`n`, `total`; the
            ratio of their sums is resampled, and squared errors come out as rmse). Null values
            are left out.
        num_replicates: resamples behind the interval.
        seed: another seed draws other weights.
        overall: the segment of all users together, added to the users' own; None adds none. A
            user in several segments would count several times in it.

    Returns:
        (model_id, segment, metric, k, value, low, high double, users bigint).
    """
    drawn = replicates(per_user, num_replicates, seed, overall)
    bounds = F.percentile(_resampled("value"), [_LOW, _HIGH])
    columns = [_measured("value").alias("value"), bounds.alias("bounds"), _users()]
    return drawn.groupBy("model_id", *_GROUP).agg(*columns).select(
        "model_id", *_GROUP, "value",
        F.get("bounds", 0).alias("low"), F.get("bounds", 1).alias("high"), "users",
    )  # fmt: skip


def paired_difference(
    per_user: DataFrame,
    model_a: str,
    model_b: str,
    num_replicates: int = 1000,
    seed: int = 0,
    overall: str | None = OVERALL,
) -> DataFrame:
    """Model a's mean minus model b's, under the same weights of the same users.

    Args:
        per_user: as for `with_intervals`, with both models.
        model_a: the model_id that is better where the difference is positive (errors: worse).
        model_b: the model_id compared with.
        num_replicates: the smallest p-value is 2 / (num_replicates + 1).
        seed: another seed draws other weights.
        overall: as for `with_intervals`.

    Returns:
        (segment, metric, k, difference, low, high, p_value double, users bigint): a 95 % interval,
        and the two-sided p-value of no difference, 2 (1 + min(#d ≤ 0, #d ≥ 0)) / (replicates + 1),
        at most 1 (Davison & Hinkley 1997, ch. 4). Correct families of tests with `holm`.
    """
    both = per_user.where(F.col("model_id").isin(model_a, model_b))
    drawn = replicates(both, num_replicates, seed, overall)
    of = {m: F.max(F.when(F.col("model_id") == m, F.col("value"))) for m in (model_a, model_b)}
    differences = drawn.groupBy(*_GROUP, "replicate").agg(
        (of[model_a] - of[model_b]).alias("difference"), F.max("users").alias("users")
    )
    return differences.groupBy(*_GROUP).agg(*_difference())


def differences_from(
    per_user: DataFrame,
    reference: str,
    num_replicates: int = 1000,
    seed: int = 0,
    overall: str | None = OVERALL,
) -> DataFrame:
    """Every model's mean minus the reference's: `paired_difference` of many models in one pass.

    Args:
        per_user: as for `with_intervals`, with all models.
        reference: the model_id that all others are compared with.
        num_replicates: as for `paired_difference`.
        seed: as for `paired_difference`.
        overall: as for `with_intervals`.

    Returns:
        What `paired_difference` returns, with model_id; nothing of the reference itself.
    """
    drawn = replicates(per_user, num_replicates, seed, overall)
    same = W.partitionBy(*_GROUP, "replicate")
    of_reference = F.max(F.when(F.col("model_id") == reference, F.col("value"))).over(same)
    differences = drawn.withColumn("difference", F.col("value") - of_reference)
    others = differences.where(F.col("model_id") != reference)
    return others.groupBy("model_id", *_GROUP).agg(*_difference())


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for testing them all, in the given order (Holm 1979).

    The i-th smallest of m (from 0) becomes max over j ≤ i of (m − j) p_j, at most 1.
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise DataError("bad p-values", expected="numbers in [0, 1]", found=str(list(p_values)))
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = worst
    return corrected


def replicates(
    per_user: DataFrame, num_replicates: int, seed: int, overall: str | None
) -> DataFrame:
    """The mean of each replicate; replicate 0 weighs every user 1: the measured value.

    Returns:
        (model_id, segment, metric, k, replicate int, value double, users bigint); the value is
        null where a replicate drew nobody.
    """
    if num_replicates < 1:
        raise DataError("bad num_replicates", expected="at least 1", found=str(num_replicates))
    # mapInArrow: weights × values is a matrix product; in SQL it would be a row per user, metric
    # and replicate. What comes back is a row per model, metric and partition.
    sums = _as_fractions(per_user, seed).mapInArrow(user_sums(num_replicates, overall), SUMS_SCHEMA)
    key = ("model_id", *_GROUP)
    each = sums.select(*key, "users", F.posexplode(F.arrays_zip("total", "n")).alias("r", "sums"))
    added = each.groupBy(*key, F.col("r").alias("replicate")).agg(
        F.sum("sums.total").alias("total"),
        F.sum("sums.n").alias("n"),
        F.sum("users").alias("users"),
    )
    mean = F.try_divide(from_units(F.col("total")), F.col("n"))
    return added.select(
        "model_id", "segment", summary_name("metric").alias("metric"), "k", "replicate",
        summary_value("metric", mean).alias("value"), "users",
    )  # fmt: skip


def _as_fractions(per_user: DataFrame, seed: int) -> DataFrame:
    """(model_id, segment, metric, k, total in millionths, n, stream): a mean is Σ total / Σ n."""
    ratio = "total" in per_user.columns
    total, n = (F.col("total"), F.col("n")) if ratio else (F.col("value"), F.lit(1))
    k = F.col("k") if "k" in per_user.columns else F.lit(None)
    return per_user.where(total.isNotNull()).select(
        "model_id", "segment", "metric", k.cast("int").alias("k"),
        in_units(total).alias("total"), n.cast("long").alias("n"),
        F.xxhash64(F.lit(seed), "user_idx").alias("stream"),
    )  # fmt: skip


def _difference() -> list[Column]:
    """A difference with its interval, the p-value of none, and how many users it is over."""
    return [
        _measured("difference").alias("difference"),
        F.percentile(_resampled("difference"), _LOW).alias("low"),
        F.percentile(_resampled("difference"), _HIGH).alias("high"),
        _two_sided("difference").alias("p_value"),
        _users(),
    ]


def _measured(name: str) -> Column:
    return F.max(F.when(F.col("replicate") == 0, F.col(name)))


def _resampled(name: str) -> Column:
    return F.when(F.col("replicate") > 0, F.col(name))


def _two_sided(name: str) -> Column:
    drawn = _resampled(name)
    tail = F.least(F.count_if(drawn <= 0), F.count_if(drawn >= 0))
    return F.least(F.lit(1.0), 2 * (1 + tail) / (1 + F.count(drawn)))


def _users() -> Column:
    return F.max("users").alias("users")
