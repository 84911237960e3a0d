"""The social graph: users follow users, most of them of the same class and so of one steady taste.

Whom a user follows is worked out from its number alone: the n-th of d picks falls into the n-th
of d equal parts of the others, so nobody is picked twice and nothing is joined.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.synth.draws import Draws
from tastemill.synth.params import SynthConfig
from tastemill.synth.users import CLASSES, user_id, user_numbers

MAX_CLOSE, FAR = 24, 3


def build_relations(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """(user_id, other_id, kind = follows), unique, nobody follows itself."""
    users = user_numbers(spark, cfg)
    edges = _close(users, cfg).unionByName(_far(users, cfg))
    return edges.select(
        user_id(F.col("user_no")).alias("user_id"),
        user_id(F.col("other_no")).alias("other_id"),
        F.lit("follows").alias("kind"),
    )


def _close(users: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Edges within a class: most users follow few, some follow many."""
    draws, user = Draws(cfg.seed), F.col("user_no")
    members = F.floor((cfg.num_users - 1 - F.pmod(user, F.lit(CLASSES))) / CLASSES) + 1
    wanted = F.floor(2.0 * F.exp(draws.uniform("degree", user) * 2.5)).cast("long")
    degree = F.least(wanted, F.lit(MAX_CLOSE), members - 1)
    picks = _picks(users.withColumn("others", members - 1), degree, draws, "close")
    place = F.pmod(F.floor(user / CLASSES) + 1 + F.col("pick"), F.col("others") + 1)
    other = place * CLASSES + F.pmod(user, F.lit(CLASSES))
    return picks.select("user_no", other.alias("other_no"))


def _far(users: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Edges to anybody of another class."""
    draws, user = Draws(cfg.seed), F.col("user_no")
    others = F.lit(cfg.num_users - 1).cast("long")
    picks = _picks(users.withColumn("others", others), F.least(F.lit(FAR), others), draws, "far")
    other = F.pmod(user + 1 + F.col("pick"), F.lit(cfg.num_users))
    edges = picks.select("user_no", other.alias("other_no"))
    return edges.where(F.pmod("other_no", F.lit(CLASSES)) != F.pmod("user_no", F.lit(CLASSES)))


def _picks(users: DataFrame, degree: Column, draws: Draws, what: str) -> DataFrame:
    """Adds `pick`: degree different numbers from 0 to others - 1, none where degree is 0."""
    rows = users.withColumn("degree", degree.cast("long")).where("degree > 0")
    rows = rows.withColumn("n", F.explode(F.sequence(F.lit(1).cast("long"), F.col("degree"))))
    # A lone user's degree is a constant 0, and Spark would divide by it while it plans.
    first = F.floor(F.try_divide((F.col("n") - 1) * F.col("others"), F.col("degree")))
    end = F.floor(F.try_divide(F.col("n") * F.col("others"), F.col("degree")))
    uniform = draws.uniform(what, F.col("user_no"), F.col("n"))
    return rows.withColumn("pick", first + F.floor(uniform * (end - first)))
