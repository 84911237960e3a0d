"""What the data are like: events by type and time, how much users do, how few items hold most.

The transforms end in a bounded number of rows: types, calendar units, powers of two, columns.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.parallel import at_once
from tastemill.report.calendar import timeline, unit_of
from tastemill.report.contents.data import Activity, Bin, EventType, Known, Shape, Tail

MAX_TYPES = 12
QUARTILES = (0.25, 0.5, 0.75)
TOP_SHARES = tuple(n / 1000 for n in (1, 2, 5, *range(10, 50, 10), *range(50, 1001, 25)))
EVENT_COLUMNS = (*("item_id", "value", "event_time", "session_id", "dwell_seconds", "query"),)
USER_COLUMNS = ("age", "gender", "occupation")
ITEM_COLUMNS = ("title", "categories", "price", "released_on", "description")


def collect_shape(warehouse: Warehouse) -> Shape | None:
    """The shape of everything that the warehouse holds; None without an event."""
    events = warehouse.read_or_empty(tables.EVENTS)
    total, types = _types(by_type(events).collect())
    if total is None:
        return None
    unit = unit_of(total["first"], total["last"])
    names = [t.name for t in types if t.name is not None]
    times, users, items, known = at_once(
        warehouse.spark,
        lambda: over_time(events, unit, names).collect() if unit else [],
        lambda: activity(events).collect(),
        lambda: long_tail(events, TOP_SHARES).collect(),
        lambda: _known_columns(warehouse),
    )
    return Shape(
        types=types,
        without_time=total["events"] - total["event_time"],
        timeline=timeline(unit, times, names) if unit else None,
        activity=_activity(users),
        tail=_tail(items),
        known={"events": _of_events(total)} | known,
    )


def by_type(events: DataFrame) -> DataFrame:
    """Events by type: the total first (type null), then the most frequent types.

    Returns:
        (event_type, events, value_mean, first and last date, and for each of EVENT_COLUMNS the
        number of events in which it is known): at most MAX_TYPES rows and the total, and nothing
        of no events.
    """
    known = [F.count(name).alias(name) for name in EVENT_COLUMNS]
    sums = [F.count("*").alias("events"), F.sum("value").alias("total"), *known]
    ends = [F.min("event_date").alias("first"), F.max("event_date").alias("last")]
    of_type = events.groupBy("event_type").agg(*sums, *ends)
    added = of_type.rollup("event_type").agg(
        *(F.sum(name).alias(name) for name in ("events", *EVENT_COLUMNS)),
        F.try_divide(F.sum("total"), F.sum("value")).alias("value_mean"),
        F.min("first").alias("first"),
        F.max("last").alias("last"),
    )
    return added.orderBy(F.desc("events"), F.asc_nulls_first("event_type")).limit(MAX_TYPES + 1)


def over_time(events: DataFrame, unit: str, types: Sequence[str]) -> DataFrame:
    """(begin date, event_type, n): events with a time by calendar unit; type null: not in types."""
    begin = F.date_trunc(unit, "event_date").cast("date").alias("begin")
    kind = F.when(F.col("event_type").isin(list(types)), F.col("event_type"))
    dated = events.where(F.col("event_date").isNotNull())
    return dated.groupBy(begin, kind.alias("event_type")).agg(F.count("*").alias("n"))


def activity(events: DataFrame) -> DataFrame:
    """Users by the power of two below their number of events; power null: all users.

    Returns:
        (power int, users, pairs, quartiles, most): pairs counts each user's items once.
    """
    of_pair = events.groupBy("user_id", "item_id").agg(F.count("*").alias("n"))
    of_user = of_pair.groupBy("user_id").agg(
        F.sum("n").alias("n"), F.count("item_id").alias("pairs")
    )
    return of_user.rollup(power_of_two("n").alias("power")).agg(
        F.count("*").alias("users"),
        F.sum("pairs").alias("pairs"),
        F.percentile_approx("n", list(QUARTILES)).alias("quartiles"),
        F.max("n").alias("most"),
    )


def power_of_two(number: str) -> Column:
    """The largest p with 2^p ≤ a whole number of at least 1: exact, where a logarithm isn't."""
    return F.length(F.bin(number)) - 1


def long_tail(events: DataFrame, shares: Sequence[float]) -> DataFrame:
    """(share, held, items): what share of events the most frequent share of items holds.

    Items are those with an event. Between two items, and among items of equal frequency, the curve
    is a straight line.
    """
    of_item = events.where(F.col("item_id").isNotNull()).groupBy("item_id").count()
    alike = of_item.groupBy(F.col("count").alias("n")).agg(F.count("*").alias("items"))
    # As many rows as there are frequencies: one partition adds them up.
    everything = W.partitionBy(F.lit(0))
    so_far = everything.orderBy(F.desc("n"))
    held = F.col("n") * F.col("items")
    summed = alike.select(
        "n",
        F.sum("items").over(so_far).alias("items_to"),
        F.sum(held).over(so_far).alias("events_to"),
        F.sum("items").over(everything).alias("items"),
        F.sum(held).over(everything).alias("events"),
        (F.sum("items").over(so_far) - F.col("items")).alias("items_before"),
    )
    wanted = summed.withColumn("share", F.explode(F.array(*map(F.lit, shares))))
    place = F.col("share") * F.col("items")
    inside = (place > F.col("items_before")) & (place <= F.col("items_to"))
    missing = (F.col("items_to") - place) * F.col("n")
    return wanted.where(inside).select(
        "share", ((F.col("events_to") - missing) / F.col("events")).alias("held"), "items"
    )


def known_columns(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """(column, known, rows): in how many rows a column is neither null nor an empty list."""
    is_list = {f.name for f in rows.schema if f.dataType.typeName() == "array"}
    count = {c: F.count_if(F.size(c) > 0) if c in is_list else F.count(c) for c in columns}
    counted = rows.agg(F.count("*").alias("rows"), *(n.alias(c) for c, n in count.items()))
    pairs = [F.struct(F.lit(c).alias("column"), F.col(c).alias("known")) for c in columns]
    return counted.select(F.inline(F.array(*pairs)), "rows").select("column", "known", "rows")


def _known_columns(warehouse: Warehouse) -> dict[str, tuple[Known, ...]]:
    """Of all users and items with a number, also those of which the source tells nothing else."""
    parts = (
        (tables.USERS, tables.USER_INDEX, "user_id", USER_COLUMNS),
        (tables.ITEMS, tables.ITEM_INDEX, "item_id", ITEM_COLUMNS),
    )
    frames = []
    for table, index, key, columns in parts:
        told = warehouse.read_or_empty(table).select(key, *columns)
        rows = warehouse.read_or_empty(index).join(told, key, "left")
        frames.append(known_columns(rows, columns).withColumn("table", F.lit(table.name)))
    found = frames[0].unionByName(frames[1]).collect()
    return {
        table.name: tuple(
            Known(r["column"], r["known"], r["rows"])
            for column in columns
            for r in found
            if (r["table"], r["column"]) == (table.name, column) and r["rows"]
        )
        for table, _, _, columns in parts
    }


def _types(rows: Sequence[Row]) -> tuple[Row | None, tuple[EventType, ...]]:
    """The total, and the types; what the limit left out stands last."""
    if not rows:
        return None, ()
    total, *named = rows
    types = [
        EventType(
            *(r[name] for name in ("event_type", "events", "value", "value_mean", "first", "last"))
        )
        for r in named
    ]
    left = total["events"] - sum(t.events for t in types)
    if left:
        values = total["value"] - sum(t.values for t in types)
        types.append(EventType(None, left, values, None, None, None))
    return total, tuple(types)


def _of_events(total: Row) -> tuple[Known, ...]:
    return tuple(Known(name, total[name], total["events"]) for name in EVENT_COLUMNS)


def _activity(rows: Sequence[Row]) -> Activity | None:
    total = next((r for r in rows if r["power"] is None), None)
    if total is None:
        return None
    users = {r["power"]: r["users"] for r in rows if r["power"] is not None}
    powers = range(min(users), max(users) + 1)
    bins = tuple(Bin(2.0**p, 2.0 ** (p + 1), users.get(p, 0)) for p in powers)
    quartiles = tuple(float(q) for q in total["quartiles"])
    return Activity(total["users"], quartiles, total["most"], total["pairs"], bins)


def _tail(rows: Sequence[Row]) -> Tail | None:
    points = tuple(sorted((r["share"], r["held"]) for r in rows))
    return Tail(rows[0]["items"], points) if rows else None
