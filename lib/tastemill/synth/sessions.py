"""Who visits what when, up to the item: visits in sessions, their users and times.

A visit is one look at one item: a view, and perhaps what follows. Visits are numbered in time;
consecutive ones make a session. How deep a visit goes is dealt out like cards: each block of 32
visits has the same 32 shapes in an order of its own, so the number of events is exact and needs
no count. Neighbours in time belong to different blocks.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.synth import users
from tastemill.synth.draws import Draws, at
from tastemill.synth.params import SynthConfig
from tastemill.synth.pieces import compiled_apart


@dataclass(frozen=True)
class Shape:
    """How far a visit goes down its funnel, and whether a search came before it."""

    depth: int
    searched: bool = False

    @property
    def num_events(self) -> int:
        """Steps, and the search."""
        return self.depth + self.searched


SHAPES = (
    *[Shape(1)] * 17, Shape(1, searched=True),
    *[Shape(2)] * 5, Shape(2, searched=True),
    *[Shape(3)] * 2, Shape(3, searched=True),
    *[Shape(4)] * 2, Shape(4, searched=True),
    Shape(5), Shape(6),
)  # fmt: skip
BLOCK_EVENTS = sum(shape.num_events for shape in SHAPES)  # 66
_OFFSETS = [0, *accumulate(shape.num_events for shape in SHAPES)][:-1]

# Lengths of the sessions in a group of twelve visits.
PATTERNS = (
    (12,), (8, 4), (2, 10), (6, 3, 2, 1), (5, 5, 2), (1, 7, 4), (4, 3, 1, 4), (3, 3, 3, 3),
    (1, 1, 2, 3, 5), (2, 2, 1, 2, 4, 1), (1, 2, 1, 2, 1, 5), (1, 1, 1, 1, 2, 2, 4),
)  # fmt: skip
GROUP = 12

VISIT_SECONDS = 480
WEEKDAYS = (1.0, 1.0, 1.0, 1.05, 1.25, 1.5, 1.35)  # from Monday
HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 10, 11, 10, 9, 9, 10, 12, 15, 18, 20, 18)
"""Weights of the hours in which sessions begin: none so late that it would end on another day."""
_QUANTILES = 96
_TRIES = 3


def num_blocks(cfg: SynthConfig) -> int:
    """Blocks that hold the wanted events; the last one has up to 65 too many."""
    return -(-cfg.num_events // BLOCK_EVENTS)


def num_visits(cfg: SynthConfig) -> int:
    """Visits of all blocks."""
    return num_blocks(cfg) * len(SHAPES)


def build_visits(spark: SparkSession, cfg: SynthConfig, num_partitions: int) -> DataFrame:
    """A row per visit: its shape, session, day (with a fraction), user and the user's taste.

    The same rows whatever the partitions.
    """
    rows = spark.range(0, num_visits(cfg), 1, num_partitions).withColumnRenamed("id", "visit_no")
    rows = _with_session(_with_shape(rows, cfg), cfg)
    rows = _with_user(compiled_apart(_with_day(rows, cfg)), cfg)
    return compiled_apart(rows).withColumns(users.tastes(cfg, F.col("user_no")))


def _with_shape(rows: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Adds first_event_no, depth (from 1) and searched (0 or 1)."""
    visit, blocks = F.col("visit_no"), num_blocks(cfg)
    rows = rows.withColumn("block", F.pmod(visit, F.lit(blocks)))
    draws, block = Draws(cfg.seed), F.col("block")
    odd = draws.below(len(SHAPES) // 2, "stride", block) * 2 + 1
    shift = draws.below(len(SHAPES), "shift", block)
    place = F.floor(visit / blocks)
    rows = rows.withColumn("shape", F.pmod(place * odd + shift, F.lit(len(SHAPES))))
    shape = F.col("shape")
    return rows.select(
        "visit_no",
        (block * BLOCK_EVENTS + at(_OFFSETS, shape)).alias("first_event_no"),
        at([s.depth for s in SHAPES], shape).alias("depth"),
        at([int(s.searched) for s in SHAPES], shape).alias("searched"),
    )


def _with_session(rows: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Adds session_no, the number of the session's first visit, and the place within it."""
    visit = F.col("visit_no")
    group, place = F.floor(visit / GROUP), F.pmod(visit, F.lit(GROUP))
    pattern = Draws(cfg.seed).below(len(PATTERNS), "pattern", group)
    starts = [start for lengths in PATTERNS for start in _starts(lengths)]
    start = at(starts, pattern * GROUP + place)
    rows = rows.withColumn("session_no", group * GROUP + start)
    return rows.withColumn("visit_place", visit - F.col("session_no"))


def _starts(lengths: tuple[int, ...]) -> list[int]:
    """For each visit of a group, the place at which its session begins."""
    begins = [0, *accumulate(lengths)][:-1]
    return [begins[bisect_right(begins, place) - 1] for place in range(GROUP)]


def _with_day(rows: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Adds day, from 0 with a fraction: when the session begins.

    Sessions lie in order over the days, which weigh as their weekday does; within a day they
    follow the hours. Both by the inverse of the distribution.
    """
    session = F.col("session_no")
    jitter = Draws(cfg.seed).uniform("session", session)
    weights = _from_weekday(cfg.first_day.weekday())
    begins = [0.0, *accumulate(weights)]
    week, rest = divmod(cfg.num_days, 7)
    total = week * begins[7] + begins[rest]
    rows = rows.withColumn("place", (session + jitter) * (total / num_visits(cfg)))
    rows = rows.withColumn("week", F.floor(F.col("place") / begins[7]))
    rows = rows.withColumn("rest", F.col("place") - F.col("week") * begins[7])
    passed = [(F.col("rest") >= begin).cast("int") for begin in begins[1:7]]
    rows = rows.withColumn("weekday", sum(passed[1:], passed[0]))
    weekday = F.col("weekday")
    part = (F.col("rest") - at(begins, weekday)) / at(weights, weekday)
    rows = rows.withColumn("part", F.greatest(F.lit(0.0), F.least(F.lit(1.0 - 1e-9), part)))
    # The last place may round up to the day after the last one.
    whole = F.least(F.col("week") * 7 + weekday, F.lit(cfg.num_days - 1))
    day = (whole + _hour(F.col("part")) / 24.0).alias("day")
    return rows.select(*(n for n in rows.columns if n not in _WITHIN), day)


_WITHIN = ("place", "week", "rest", "weekday", "part")


def _from_weekday(first: int) -> tuple[float, ...]:
    return WEEKDAYS[first:] + WEEKDAYS[:first]


def _hour(part: Column) -> Column:
    """The hour, with a fraction, before which a part of a day's sessions begins."""
    quantiles = _hour_quantiles()
    step = F.floor(part * _QUANTILES)
    low, high = at(quantiles, step), at(quantiles, step + 1)
    return low + (high - low) * (part * _QUANTILES - step)


def _hour_quantiles() -> list[float]:
    """The inverse of the hours' distribution at 0/96, 1/96, …, 96/96."""
    ends = [0, *accumulate(HOURS)]
    wanted = [ends[-1] * n / _QUANTILES for n in range(_QUANTILES + 1)]
    hours = [min(bisect_right(ends, w) - 1, len(HOURS) - 1) for w in wanted]
    return [h + (w - ends[h]) / HOURS[h] for h, w in zip(hours, wanted, strict=True)]


def _with_user(rows: DataFrame, cfg: SynthConfig) -> DataFrame:
    """Adds user_no: by activity, among those who have joined by then.

    A user that hasn't is drawn again; after three draws a founder takes the session.
    """
    draws, session = Draws(cfg.seed), F.col("session_no")
    names = [f"user_{n}" for n in range(_TRIES)]
    rows = rows.withColumns(
        {name: users.user_at(cfg, draws.uniform(name, session)) for name in names}
    )
    founder = F.floor(F.col(names[-1]) * (users.num_founders(cfg) / cfg.num_users))
    chosen = founder
    for name in reversed(names):
        joined = users.joined_day(cfg, F.col(name)) <= F.col("day")
        chosen = F.when(joined, F.col(name)).otherwise(chosen)
    rows = rows.withColumn("user_no", chosen)
    return rows.drop(*names)
