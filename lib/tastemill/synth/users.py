"""Users: latent tastes as functions of a user's number, and the table that tells some of them.

A user's number says when it joined (in order) and its class; its rank of activity is scrambled. A
taste is a mixture over topics: a steady one, and one that moves from an early to a late topic
within a fifth of the time.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.synth.draws import Draws, at, scrambler, zipf_log_range, zipf_rank
from tastemill.synth.params import SynthConfig
from tastemill.synth.topics import (
    BROWSERS,
    GENDERS,
    INCOMES,
    LANGUAGE_CARDS,
    LANGUAGES,
    OCCUPATIONS,
)

CLASSES = 64
"""Users n, n + 64, n + 128, … share a steady topic: friends are found by arithmetic."""
MOVE_SHARE = 0.2  # of the days, from the begin of a move to its end
BUDGETS = (0.2, 0.5, 0.8)  # by income, on the scale of price levels


def topic_at(cfg: SynthConfig, uniform: Column) -> Column:
    """The topic at a uniform number: K u^skew, so that first topics have more followers."""
    place = F.floor(F.pow(uniform, F.lit(cfg.topic_skew)) * float(cfg.num_topics))
    return F.least(place, F.lit(cfg.num_topics - 1))


def class_topics(cfg: SynthConfig) -> list[int]:
    """The steady topic of each class, as `topic_at` spreads them."""
    places = [(37 * n + 11) % CLASSES for n in range(CLASSES)]  # neighbours are of unlike tastes
    return [int(cfg.num_topics * ((p + 0.5) / CLASSES) ** cfg.topic_skew) for p in places]


def num_founders(cfg: SynthConfig) -> int:
    """Users that are there from the first day: the lowest numbers."""
    return max(1, int(cfg.num_users * cfg.founding_users))


def joined_day(cfg: SynthConfig, user: Column) -> Column:
    """The day, from 0 and with a fraction, before which a user does nothing."""
    founders = num_founders(cfg)
    late = max(1, cfg.num_users - founders)
    day = (user - founders) * (0.98 * cfg.num_days / late)
    return F.when(user < founders, 0.0).otherwise(day)


def activity_q(cfg: SynthConfig) -> float:
    """Flattens the head of activity: the busiest user has some twenty times the mean."""
    return max(1.0, 0.01 * cfg.num_users)


def user_at(cfg: SynthConfig, uniform: Column) -> Column:
    """The user at a uniform number, by Zipf's law over scrambled ranks."""
    q = activity_q(cfg)
    rank = zipf_rank(uniform, cfg.num_users, zipf_log_range(cfg.num_users, q), q)
    return F.pmod(rank * scrambler(cfg.num_users) + cfg.num_users // 3, F.lit(cfg.num_users))


def _activity_rank(cfg: SynthConfig, user: Column) -> Column:
    """`user_at` backwards: the rank of a user, 0 the busiest."""
    back = pow(scrambler(cfg.num_users), -1, cfg.num_users)
    return F.pmod((user - cfg.num_users // 3) * back, F.lit(cfg.num_users))


def tastes(cfg: SynthConfig, user: Column) -> dict[str, Column]:
    """Latent columns of a user: topics, when the taste moves, budget, language."""
    draws, days = Draws(cfg.seed), float(cfg.num_days)
    moves = draws.uniform("moves", user) < cfg.drifting_users
    early = topic_at(cfg, draws.uniform("early topic", user))
    late = topic_at(cfg, draws.uniform("late topic", user))
    return {
        "steady_topic": at(class_topics(cfg), F.pmod(user, F.lit(CLASSES))).cast("long"),
        "early_topic": early,
        "late_topic": F.when(moves, late).otherwise(early),
        "moves_on_day": draws.uniform("move", user) * (days * (1 - MOVE_SHARE)),
        "income_no": draws.below(len(INCOMES), "income", user),
        "language_no": draws.one_of(LANGUAGE_CARDS, "language", user),
    }


def moved(cfg: SynthConfig, day: Column) -> Column:
    """How far a taste has moved, from 0 to 1, on a day; needs `moves_on_day`."""
    share = (day - F.col("moves_on_day")) / (MOVE_SHARE * cfg.num_days)
    return F.greatest(F.lit(0.0), F.least(F.lit(1.0), share))


def topic_weight(cfg: SynthConfig, topic: Column, day: Column) -> Column:
    """The weight of a topic in a user's taste on a day, from 0 to 1; needs `tastes`."""
    share = moved(cfg, day)
    own = F.when(topic == F.col("early_topic"), 1 - share).otherwise(0.0)
    own = own + F.when(topic == F.col("late_topic"), share).otherwise(0.0)
    steady = F.when(topic == F.col("steady_topic"), cfg.steady_share).otherwise(0.0)
    return steady + own * (1 - cfg.steady_share)


def user_id(user: Column) -> Column:
    """The id that tables show."""
    return F.concat(F.lit("u"), F.lpad(user.cast("string"), 8, "0"))


def user_numbers(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """(user_no): all users."""
    return spark.range(cfg.num_users).withColumnRenamed("id", "user_no")


def build_users(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """A row per user; null is what a user keeps to itself, regardless of its value."""
    draws, user = Draws(cfg.seed), F.col("user_no")
    rows = user_numbers(spark, cfg).withColumns(tastes(cfg, user))
    told = {
        "age": _age(draws),
        "gender": draws.one_of(GENDERS, "gender", user),
        "occupation": draws.one_of(OCCUPATIONS, "occupation", user),
        "income": at(INCOMES, F.col("income_no")),
        "language": at(LANGUAGES, F.col("language_no")),
        "newsletter": draws.uniform("newsletter", user) < 0.4,
        "browser": draws.one_of(BROWSERS, "browser", user),
    }
    kept = {name: draws.uniform(f"kept {name}", user) < cfg.missing_share for name in told}
    return rows.select(
        user_id(user).alias("user_id"),
        *(F.when(~kept[name], value).alias(name) for name, value in told.items()),
    )


def _age(draws: Draws) -> Column:
    """Whole years around what is usual for the steady topic, from 16 to 90."""
    usual = 20 + F.pmod(F.col("steady_topic") * 17, F.lit(50))
    years = F.round(usual + draws.bell("age", F.col("user_no")) * 7.0).cast("int")
    return F.greatest(F.lit(16), F.least(F.lit(90), years))


def build_user_tastes(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """The truth about each user: a mixture over topics before and after it moved, and the rest."""
    user = F.col("user_no")
    rows = user_numbers(spark, cfg).withColumns(tastes(cfg, user))
    start, end = F.lit(0.0), F.lit(float(cfg.num_days))
    topics = F.array(*(F.lit(topic).cast("long") for topic in range(cfg.num_topics)))
    return rows.select(
        user_id(user).alias("user_id"),
        "user_no",
        *tastes(cfg, user),
        F.transform(topics, lambda topic: topic_weight(cfg, topic, start)).alias("taste_at_start"),
        F.transform(topics, lambda topic: topic_weight(cfg, topic, end)).alias("taste_at_end"),
        joined_day(cfg, user).alias("joined_day"),
        (1.0 / (_activity_rank(cfg, user) + activity_q(cfg))).alias("activity"),
    )
