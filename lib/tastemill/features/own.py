"""Features of a row itself: its hour and weekday, what its user and its item are."""

import math

from pyspark.sql import Column
from pyspark.sql import functions as F

from tastemill.features.config import TIME
from tastemill.features.feature import Feature
from tastemill.features.history import DAY
from tastemill.features.vocabulary import FIRST, MISSING

HOUR, WEEK = DAY // 24, 7 * DAY
MONDAY = 4 * DAY  # 1970 began with a Thursday
CALENDAR = dict(zip(TIME, (FIRST + 24, FIRST + 7), strict=True))  # how many indices they have


def own_features() -> list[Feature]:
    """Of rows with event_time and what is known of the item."""
    moment = F.unix_micros("event_time")
    age = (moment - F.unix_micros(F.col("released_on").cast("timestamp"))) / DAY
    return [
        *_turning("hour", "of the day (UTC)", moment, DAY),
        *_turning("weekday", "of the week (UTC)", moment - MONDAY, WEEK),
        Feature("item_price", "item", "price of the item", F.col("price")),
        Feature("item_age", "item", "days since the item's release", age),
        Feature("item_num_categories", "item", "categories of the item", F.col("num_categories")),
    ]


def calendar() -> Column:
    """Indices of the hour and of the weekday, from Monday, in UTC."""
    moment = F.unix_micros("event_time")
    hour = F.floor(F.pmod(moment, F.lit(DAY)) / HOUR)
    weekday = F.floor(F.pmod(moment - MONDAY, F.lit(WEEK)) / DAY)
    return F.array(*[F.coalesce(at + FIRST, F.lit(MISSING)).cast("int") for at in (hour, weekday)])


def _turning(name: str, words: str, at: Column, length: int) -> list[Feature]:
    """Where in a circle of time a moment lies: its end is next to its beginning."""
    angle = F.pmod(at, F.lit(length)) / length * (2 * math.pi)
    return [
        Feature(f"{name}_sin", "time", f"sine of the time {words}", F.sin(angle)),
        Feature(f"{name}_cos", "time", f"cosine of the time {words}", F.cos(angle)),
    ]
