"""Which item a visit is about, by taste, popularity, novelty and what suits the user.

Four candidates are drawn: a topic from the user's taste on that day, then an item of the topic by
Zipf's law. One of them is chosen with probability proportional to

    novelty(age) · exp(sharpness · match),

match = brand_weight · quality + language_weight · [own language] - price_weight · |price - budget|

(Gumbel-max, McFadden 1974). The deeper a visit goes, the sharper the choice and the fewer topics
outside the taste are tried: by Bayes, the better an item suits, the likelier a view becomes a
click, a cart and a purchase.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.synth import items, users
from tastemill.synth.draws import Draws, at
from tastemill.synth.params import SynthConfig
from tastemill.synth.pieces import compiled_apart

NUM_CANDIDATES = 4
# By depth of the visit, from 1.
SHARPNESS = (0.2, 0.5, 0.9, 1.3, 1.5, 1.5)
EXPLORED = (0.30, 0.20, 0.10, 0.05, 0.05, 0.05)
NEVER = -1e9


def with_choice(visits: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Adds item_no, topic, match and affinity to the rows of `build_visits`."""
    rows = visits
    for n in range(NUM_CANDIDATES):
        rows = _with_candidate(compiled_apart(rows), cfg, n)
    rows = compiled_apart(rows)
    rows = rows.withColumn("best", F.greatest(*(f"score_{n}" for n in range(NUM_CANDIDATES))))
    rows = rows.withColumns({name: _of_best(name) for name in ("topic", "slot", "match")})
    item = items.item_number(cfg, F.col("topic"), F.col("slot"))
    drawn = [f"{name}_{n}" for n in range(NUM_CANDIDATES) for name in _DRAWN]
    chosen = rows.drop("best", *drawn).withColumn("item_no", item)
    return chosen.withColumn("affinity", affinity(cfg, F.col("match")))


_DRAWN = ("topic", "slot", "item", "brand", "released", "match", "score")


def _with_candidate(rows: DataFrame, cfg: SynthConfig, n: int) -> DataFrame:
    """Adds the columns _DRAWN of the n-th candidate."""
    draws, visit = Draws(cfg.seed), F.col("visit_no")
    topic, slot, item, brand, released, match, score = (f"{name}_{n}" for name in _DRAWN)
    rows = rows.withColumn(topic, _topic(cfg, n))
    drawn = items.slot_at(cfg, F.col(topic), draws.uniform(slot, visit))
    rows = rows.withColumn(slot, drawn)
    if n == 0:  # so that one of the candidates is there from the first day
        rows = rows.withColumn(slot, _released_slot(cfg, F.col(topic), F.col(slot)))
    rows = rows.withColumn(item, items.item_number(cfg, F.col(topic), F.col(slot)))
    rows = rows.withColumn(brand, items.brand_no(cfg, F.col(item)))
    rows = rows.withColumn(released, items.released_day(cfg, F.col(topic), F.col(slot)))
    suits = match_of(
        cfg,
        items.price_level(cfg, F.col(item)),
        items.language_no(cfg, F.col(item)),
        items.brand_quality(cfg, F.col(topic), F.col(brand)),
    )
    rows = rows.withColumn(match, suits)
    sharp = at(SHARPNESS, F.col("depth") - 1)
    chance = novelty(cfg, F.col("day") - F.col(released))
    value = sharp * F.col(match) + F.log(chance) + draws.gumbel(score, visit)
    there = F.col(released) <= F.col("day")
    return rows.withColumn(score, F.when(there, value).otherwise(NEVER))


def _topic(cfg: SynthConfig, n: int) -> Column:
    """A topic of the user's taste, or any where the visit explores."""
    draws, visit = Draws(cfg.seed), F.col("visit_no")
    explores = draws.uniform(f"explores {n}", visit) < at(EXPLORED, F.col("depth") - 1)
    steady = draws.uniform(f"steady {n}", visit) < cfg.steady_share
    late = draws.uniform(f"late {n}", visit) < users.moved(cfg, F.col("day"))
    return (
        F.when(explores, draws.below(cfg.num_topics, f"explored {n}", visit))
        .when(steady, F.col("steady_topic"))
        .when(late, F.col("late_topic"))
        .otherwise(F.col("early_topic"))
    )


def _released_slot(cfg: SynthConfig, topic: Column, slot: Column) -> Column:
    """The slot, or a founder's in its place where it isn't released yet."""
    founder = F.floor(slot * items.num_founders(cfg, topic) / items.count_in(cfg, topic))
    there = items.released_day(cfg, topic, slot) <= F.col("day")
    return F.when(there, slot).otherwise(founder)


def _of_best(name: str) -> Column:
    """The value of the candidate with the highest score."""
    last = NUM_CANDIDATES - 1
    value = F.col(f"{name}_{last}")
    for n in reversed(range(last)):
        is_best = F.col(f"score_{n}") == F.col("best")
        value = F.when(is_best, F.col(f"{name}_{n}")).otherwise(value)
    return value


def match_of(cfg: SynthConfig, price: Column, language: Column, quality: Column) -> Column:
    """How an item suits a user beyond its topic; needs income_no and language_no of the user.

    Args:
        cfg: the weights.
        price: price level of the item, 0 to 1.
        language: its place in LANGUAGES.
        quality: of its brand, 0 to 1.
    """
    distance = F.abs(price - at(users.BUDGETS, F.col("income_no")))
    own = (F.col("language_no") == language).cast("double")
    return quality * cfg.brand_weight + own * cfg.language_weight - distance * cfg.price_weight


def novelty(cfg: SynthConfig, age_days: Column) -> Column:
    """1 at release, halved each half-life down to what is evergreen."""
    halved = F.pow(F.lit(2.0), -age_days / cfg.half_life_days)
    return cfg.evergreen + (1.0 - cfg.evergreen) * halved


def affinity(cfg: SynthConfig, match: Column) -> Column:
    """From 0 to 1: how well an item suits the user on that day, topic and all."""
    weight = users.topic_weight(cfg, F.col("topic"), F.col("day"))
    return 1.0 / (1.0 + F.exp(2.0 - 1.5 * match - 2.0 * weight))
