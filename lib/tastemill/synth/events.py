"""Visits → events: the steps of each visit, with times, dwell, values and queries."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.synth.choice import with_choice
from tastemill.synth.draws import Draws, at
from tastemill.synth.items import brand_name, brand_no, category_of, item_id, noun_of
from tastemill.synth.params import SynthConfig
from tastemill.synth.pieces import compiled_apart
from tastemill.synth.sessions import VISIT_SECONDS, build_visits
from tastemill.synth.topics import FILM, FUNNELS, GENERIC_QUERIES, GOODS, TOPICS
from tastemill.synth.users import user_id

# Within a visit: a step every 45 seconds, and room for what is watched or heard at stage 2.
STEP_SECONDS, JITTER_SECONDS, PLAY_SECONDS, LONGEST_DWELL = 45.0, 15.0, 150.0, 29.0
PLAY_STAGE = 2
_ID_BITS, _ID_FACTOR, _ID_SHIFT = 40, 106_039_667, 40_503


def build_events(spark: SparkSession, cfg: SynthConfig, num_partitions: int) -> DataFrame:
    """A row per event, `cfg.num_events` of them; the same rows whatever the partitions."""
    visits = with_choice(build_visits(spark, cfg, num_partitions), cfg)
    steps = compiled_apart(_with_steps(compiled_apart(visits), cfg))
    plays = (F.col("kind") != GOODS) & (F.col("stage") == PLAY_STAGE)
    is_search = F.col("stage") < 0
    kind = F.when(is_search, F.lit("search")).otherwise(_of_funnel())
    return steps.select(
        _event_id(F.col("event_no")).alias("event_id"),
        "user_id",
        F.when(~is_search, F.col("item_id")).alias("item_id"),
        kind.alias("event_type"),
        _value(cfg).alias("value"),
        _dwell(cfg, plays).alias("dwell_seconds"),
        F.when(is_search, _query(cfg)).alias("query"),
        "session_id",
        _time(cfg).alias("event_time"),
    )


def _with_steps(visits: DataFrame, cfg: SynthConfig) -> DataFrame:
    """A row per step: stage 0 is the view, -1 the search before it."""
    kinds = [topic.kind for topic in TOPICS]
    rows = visits.select(
        user_id(F.col("user_no")).alias("user_id"),
        item_id(F.col("item_no")).alias("item_id"),
        F.concat(F.lit("s"), F.lpad(F.col("session_no").cast("string"), 11, "0")).alias(
            "session_id"
        ),
        *("item_no", "topic", "affinity", "day", "visit_place", "first_event_no", "searched"),
        at(kinds, F.col("topic")).alias("kind"),
        F.explode(F.sequence(F.lit(0), F.col("depth") + F.col("searched") - 1)).alias("step"),
    )
    rows = rows.withColumns(
        {
            "event_no": F.col("first_event_no") + F.col("step"),
            "stage": F.col("step") - F.col("searched"),
        }
    )
    return rows.where(F.col("event_no") < cfg.num_events)


def _event_id(number: Column) -> Column:
    """Ten hex digits, one to one with the number but out of order."""
    scrambled = F.pmod(number * _ID_FACTOR + _ID_SHIFT, F.lit(2**_ID_BITS))
    return F.lower(F.lpad(F.hex(scrambled), _ID_BITS // 4, "0"))


def _of_funnel() -> Column:
    width = len(FUNNELS[0])
    return at([name for steps in FUNNELS for name in steps], F.col("kind") * width + F.col("stage"))


def _time(cfg: SynthConfig) -> Column:
    """UTC; a later step of a session is always later."""
    draws, waits = Draws(cfg.seed), (F.col("kind") != GOODS) & (F.col("stage") > PLAY_STAGE)
    seconds = (
        F.lit(cfg.start.timestamp())
        + F.col("day") * 86_400.0
        + F.col("visit_place") * float(VISIT_SECONDS)
        + F.col("step") * STEP_SECONDS
        + draws.uniform("time", F.col("event_no")) * JITTER_SECONDS
        + F.when(waits, PLAY_SECONDS).otherwise(0.0)
    )
    return F.timestamp_micros(F.floor(seconds * 1_000.0) * 1_000)


def _dwell(cfg: SynthConfig, plays: Column) -> Column:
    """Seconds, in tenths; null for what takes no time. Never beyond the session's next event."""
    uniform = Draws(cfg.seed).uniform("dwell", F.col("event_no"))
    looked = 1.0 + uniform * uniform * (0.4 + 0.6 * F.col("affinity")) * (LONGEST_DWELL - 1.0)
    seconds = F.when(plays, _fraction(cfg) * PLAY_SECONDS).when(F.col("stage") < 2, looked)
    return F.round(seconds, 1)


def _value(cfg: SynthConfig) -> Column:
    """Quantity bought, stars, fraction watched or plays; null for other steps."""
    uniform = Draws(cfg.seed).uniform("value", F.col("event_no"))
    liked = 0.65 * F.col("affinity") + 0.35 * uniform
    goods, stage = F.col("kind") == GOODS, F.col("stage")
    film = F.col("kind") == FILM
    quantity = F.lit(1.0) + (uniform > 0.8).cast("double") + (uniform > 0.95).cast("double")
    return (
        F.when(goods & (stage == 3), quantity)
        .when(goods & (stage == 4), 1.0 + F.floor(liked * 5.0))
        .when(film & (stage == PLAY_STAGE), F.round(_fraction(cfg), 3))
        .when(~goods & (stage == PLAY_STAGE), 1.0 + F.floor(liked * 4.0))
        .cast("double")
    )


def _fraction(cfg: SynthConfig) -> Column:
    """The part that is watched or heard: the more affinity, the longer."""
    uniform = Draws(cfg.seed).uniform("fraction", F.col("event_no"))
    return F.greatest(F.lit(0.02), F.pow(uniform, 1.5 - 1.3 * F.col("affinity")))


def _query(cfg: SynthConfig) -> Column:
    """What the user typed before it found the item: category, word, brand, or nothing of it."""
    draws, number, topic = Draws(cfg.seed), F.col("event_no"), F.col("topic")
    which = draws.uniform("query", number)
    noun = F.lower(noun_of(topic, draws.below(len(TOPICS[0].nouns), "noun", F.col("item_no"))))
    brand = F.lower(brand_name(topic, brand_no(cfg, F.col("item_no"))))
    return (
        F.when(which < 0.4, category_of(topic))
        .when(which < 0.75, noun)
        .when(which < 0.9, F.concat_ws(" ", brand, category_of(topic)))
        .otherwise(draws.one_of(GENERIC_QUERIES, "generic", number))
    )
