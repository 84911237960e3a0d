"""The user profiles of a day: how their numbers are spread, what users like, one user as a card."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.parallel import at_once
from tastemill.profiles.history import FIXED_POINT
from tastemill.report.contents.data import Bin
from tastemill.report.contents.people import Card, Lists, Profiles, Quantity

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
QUANTITIES = (
    *("num_events", "num_events_30d", "num_active_days", "num_sessions", "visits_per_week"),
    *("click_depth_mean", "dwell_seconds_mean", "value_mean"),
)
FACTS = ("age", "gender", "occupation")
LOWEST, HIGHEST = -5, 6  # powers of two of visits per week: under 1/16 is one bin, 64 and up one
NUM_INTERESTS, NUM_OWN = 12, 6


def collect_profiles(warehouse: Warehouse, day: date, lists: Lists | None) -> Profiles | None:
    """The profiles of a day; None where there are none.

    Args:
        warehouse: where the tables are.
        day: the slice of the tables.
        lists: a few users' lists; the first of them who has a profile is shown as a card.
    """
    # The slice of another run's day may be gone: it is then as if nobody had a profile.
    of_day = F.col("ds") == F.lit(day)
    users = warehouse.read_or_empty(tables.USER_PROFILES).where(of_day)
    slots = warehouse.read_or_empty(tables.CATEGORY_SLOTS).where(of_day)
    shown = [u.user_id for u in lists.users] if lists else []
    spread, liked, cards = at_once(
        warehouse.spark,
        lambda: visits(users).collect(),
        lambda: mean_interests(users, slots).collect(),
        lambda: own_interests(users.where(F.col("user_id").isin(shown)), slots).collect(),
    )
    total = next((r for r in spread if r["power"] is None), None)
    if total is None:
        return None
    return Profiles(
        day,
        total["users"],
        liked[0]["users"] if liked else 0,
        tuple(
            Quantity(name, total[name], tuple(map(float, total[f"{name}_at"])))
            for name in QUANTITIES
            if total[name]
        ),
        _bins(spread),
        tuple((r["category"], r["share"]) for r in liked),
        _card(cards, lists) if lists else None,
    )


def visits(profiles: DataFrame) -> DataFrame:
    """Users by the power of two below their visits per week; power null: all users.

    Returns:
        (power int, users, with_visits, and for each of QUANTITIES the number of users of whom it is
        known, and its QUANTILES as <name>_at). Users without a time are in the total alone.
    """
    logarithm = F.floor(F.log2("visits_per_week")).cast("int")
    power = F.greatest(F.lit(LOWEST), F.least(F.lit(HIGHEST), logarithm))
    known = F.when(F.col("visits_per_week") > 0, power).otherwise(F.lit(None))
    numbers = [F.count(name).alias(name) for name in QUANTITIES]
    spread = [F.percentile_approx(n, list(QUANTILES)).alias(f"{n}_at") for n in QUANTITIES]
    of_power = profiles.withColumn("power", known).rollup("power")
    counted = of_power.agg(
        F.grouping("power").alias("all"), F.count("*").alias("users"), *numbers, *spread
    )
    return counted.where((F.col("all") == 1) | F.col("power").isNotNull()).drop("all")


def mean_interests(profiles: DataFrame, slots: DataFrame) -> DataFrame:
    """(category, share, users): the largest mean interests of the users that have any.

    The category is null for all that have no slot of their own.
    """
    some = profiles.where(F.exists("interests", lambda share: share > 0))
    each = some.select("user_id", F.posexplode("interests").alias("slot", "share"))
    # Whole numbers add up to the same in every order.
    total = F.sum(F.round(F.col("share") * FIXED_POINT).cast("long")) / FIXED_POINT
    of_slot = each.groupBy("slot").agg(
        (total / F.count("*")).alias("share"), F.count("*").alias("users")
    )
    named = of_slot.where("share > 0").join(slots.select("slot", "category"), "slot", "left")
    largest = named.orderBy(F.desc("share"), "slot").limit(NUM_INTERESTS)
    return largest.select("category", "share", "users")


def own_interests(profiles: DataFrame, slots: DataFrame) -> DataFrame:
    """The profiles of a few users with `largest`: (share, category) of their largest interests."""
    names = slots.where("category IS NOT NULL").agg(
        F.map_from_entries(F.collect_list(F.struct("slot", "category"))).alias("names")
    )
    shares = F.transform(
        "interests",
        lambda share, slot: F.struct(
            (-share).alias("order"),
            slot.alias("slot"),
            F.try_element_at("names", slot).alias("category"),
        ),
    )
    # As many names as a vector has positions.
    with_names = profiles.crossJoin(F.broadcast(names))
    liked = F.filter(F.array_sort(shares), lambda interest: interest["order"] < 0)
    return with_names.withColumn("largest", F.slice(liked, 1, NUM_OWN)).drop("names")


def _bins(rows: Sequence[Row]) -> tuple[Bin, ...]:
    users = {r["power"]: r["users"] for r in rows if r["power"] is not None}
    if not users:
        return ()
    powers = range(min(users), max(users) + 1)
    return tuple(Bin(2.0**p, 2.0 ** (p + 1), users.get(p, 0)) for p in powers)


def _card(profiles: Sequence[Row], lists: Lists) -> Card | None:
    """Who is shown a list first and has a profile; whoever has a past comes first in lists."""
    of_user = {r["user_id"]: r for r in profiles}
    shown = next((u for u in lists.users if u.user_id in of_user), None)
    if shown is None:
        return None
    row = of_user[shown.user_id]
    return Card(
        shown.user_id,
        {name: row[name] for name in FACTS if row[name]},
        {name: float(row[name]) for name in QUANTITIES if row[name] is not None},
        dict(
            sorted((row["num_events_by_type"] or {}).items(), key=lambda pair: (-pair[1], pair[0]))
        ),
        tuple((i["category"], -i["order"]) for i in row["largest"]),
        shown.history[:NUM_OWN],
    )
