"""Whether models do better than popularity: paired on the same users.

Intervals of two means overlap long before their difference is in doubt, for the same users are
easy or hard for both; so the difference itself is measured, user by user.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.evaluation.config import EvaluationConfig
from tastemill.evaluation.ranking import ranking_metrics
from tastemill.evaluation.significance import differences_from
from tastemill.models import Model
from tastemill.sources.cleaning import as_table
from tastemill.tables import COMPARISONS

METRIC, SEGMENT = "ndcg", "all"
POPULAR = ("popularity", "recent_popularity")
USUAL_K = 10
NUM_REPLICATES = 1_000
"""More than intervals need: of 200, none is left for p-values that are corrected for many tests."""


def usual_k(ks: Sequence[int]) -> int:
    """The length of list at which models are compared."""
    return USUAL_K if USUAL_K in ks else ks[0]


def popular_lists(judged: DataFrame, models: Sequence[Model], cfg: EvaluationConfig) -> DataFrame:
    """(model_id): the lists that are the same for everybody, the strongest first.

    Args:
        judged: rows of `metrics`.
        models: those that were judged.
        cfg: list lengths.
    """
    of_all = (F.col("metric") == METRIC) & (F.col("segment") == SEGMENT)
    ids = [m.model_id for m in models if m.kind in POPULAR]
    same = judged.where(of_all & (F.col("k") == usual_k(cfg.ks)) & F.col("model_id").isin(ids))
    return same.orderBy(F.desc("value"), "model_id").select("model_id")


def comparison_rows(
    lists: DataFrame, relevant: DataFrame, reference: str, cfg: EvaluationConfig
) -> DataFrame:
    """Rows of the table `comparisons`: every model's metric minus the reference's, over all users.

    Args:
        lists: as for `ranking_metrics`, of the reference too.
        relevant: as for `ranking_metrics`.
        reference: the model_id that all others are held against.
        cfg: list lengths, seed.
    """
    every = ranking_metrics(lists, relevant, [usual_k(cfg.ks)]).where(F.col("metric") == METRIC)
    per_user = every.withColumn("segment", F.lit(SEGMENT))
    found = differences_from(per_user, reference, NUM_REPLICATES, cfg.seed, None)
    rows = found.where(F.col("difference").isNotNull())
    return as_table(rows.withColumn("reference", F.lit(reference)), COMPARISONS)
