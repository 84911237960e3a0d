"""A few users' lists beside what they had before: a dozen users, ten items, no more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config import SplitConfig
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.report.contents.people import Lists, ShownItem, UserLists
from tastemill.report.events import parted_events
from tastemill.splits import is_past
from tastemill.times import ORDER, taken

NUM_CANDIDATES, NUM_USERS, LENGTH = 12, 3, 10
MAX_CATEGORIES = 3


def collect_lists(warehouse: Warehouse, cfg: Config, kinds: Mapping[str, str]) -> Lists | None:
    """What a few users are shown: published lists where the run publishes, else a backtest's.

    Args:
        warehouse: where the tables are.
        cfg: which surface, and which model the dataset is to be served with.
        kinds: model id to kind of the backtest, best first.
    """
    found = _lists(warehouse, cfg, None) if cfg.run.refit else []
    published = bool(found)
    if not found and kinds:
        serving = [model_id for model_id, kind in kinds.items() if kind == cfg.recommend.model]
        found = _lists(warehouse, cfg, [*serving, *kinds][0])
    if not found:
        return None
    as_of: datetime = found[0]["as_of"].astimezone(UTC)
    shown = {r["user_id"]: [i["item_id"] for i in r["items"]] for r in found}
    # What is published is held against what came in later.
    split, until = (SplitConfig(), None) if published else (cfg.split, cfg.run.as_of)
    positive_min = cfg.dataset.positive_min
    events = parted_events(warehouse, split, positive_min, as_of, until)
    past = list_events(events, shown, positive_min).collect()
    reader = _Reader(shown, past, stars=cfg.dataset.task == "rating")
    titled = _titles(warehouse, reader.item_ids)
    chosen = sorted(found, key=lambda r: not reader.history[r["user_id"]])[:NUM_USERS]
    users = tuple(reader.lists_of(r, titled) for r in chosen)
    return Lists(found[0]["model_id"], as_of, published, users)


def list_events(
    events: DataFrame, shown: Mapping[str, Sequence[str]], positive_min: float
) -> DataFrame:
    """What a few users had before, newest first, and what they took later of what they are shown.

    Args:
        events: the table, with `split`.
        shown: the items each of the few users is shown.
        positive_min: smallest value that counts as taken.

    Returns:
        (user_id, item_id, before, value of the item's newest event): at most LENGTH rows with
        `before` per user, and without it at most one per item shown.
    """
    newest = F.max(F.struct(*ORDER, "value")).alias("newest")
    own = events.where(F.col("user_id").isin(list(shown)) & F.col("item_id").isNotNull())
    known = own.withColumns({"before": is_past(), "taken": taken(positive_min)})
    items = known.groupBy("user_id", "item_id", "before").agg(newest, F.max("taken").alias("taken"))
    latest = W.partitionBy("user_id", "before").orderBy(F.desc("newest"), "item_id")
    listed = {item for items in shown.values() for item in items}
    numbered = items.withColumn("n", F.row_number().over(latest))
    before = F.col("before") & (F.col("n") <= LENGTH)
    later = ~F.col("before") & F.col("taken") & F.col("item_id").isin(list(listed))
    columns = ("user_id", "item_id", "before", "newest.value")
    return numbered.where(before | later).orderBy("user_id", "n").select(*columns)


def _lists(warehouse: Warehouse, cfg: Config, model_id: str | None) -> list[Row]:
    """The lists of a few users, in the order of a hash: the same few every time."""
    table = tables.BACKTEST_LISTS if model_id else tables.RECOMMENDATIONS
    stored = warehouse.read_or_empty(table).where(F.col("surface") == cfg.recommend.surface)
    if model_id:
        stored = stored.where(F.col("model_id") == model_id)
    few = stored.orderBy(F.xxhash64("user_id"), "user_id").limit(NUM_CANDIDATES)
    first = F.slice("items", 1, LENGTH).alias("items")
    return few.select("user_id", first, "model_id", "as_of").collect()


def _titles(warehouse: Warehouse, item_ids: set[str]) -> dict[str, Row]:
    wanted = F.col("item_id").isin(list(item_ids))
    rows = warehouse.read_or_empty(tables.ITEMS).where(wanted)
    return {r["item_id"]: r for r in rows.select("item_id", "title", "categories").collect()}


class _Reader:
    """Turns collected rows into lists."""

    def __init__(self, shown: Mapping[str, Sequence[str]], past: list[Row], *, stars: bool) -> None:
        self.stars = stars
        self.history: dict[str, list[Row]] = defaultdict(list)
        self.taken: dict[str, set[str]] = defaultdict(set)
        for row in past:
            if row["before"]:
                self.history[row["user_id"]].append(row)
            else:
                self.taken[row["user_id"]].add(row["item_id"])
        of_past = {row["item_id"] for row in past}
        self.item_ids = of_past | {item for items in shown.values() for item in items}

    def lists_of(self, row: Row, titles: Mapping[str, Row]) -> UserLists:
        """History and list of one user."""
        user = row["user_id"]
        history = [
            _shown(r["item_id"], titles, value=r["value"] if self.stars else None)
            for r in self.history[user]
        ]
        shown = [
            _shown(
                i["item_id"],
                titles,
                taken=i["item_id"] in self.taken[user],
                reason=i["reason"],
                score=i["score"],
            )
            for i in row["items"]
        ]
        return UserLists(user, tuple(history), tuple(shown))


def _shown(
    item_id: str,
    titles: Mapping[str, Row],
    *,
    value: float | None = None,
    taken: bool = False,
    reason: str | None = None,
    score: float | None = None,
) -> ShownItem:
    known = titles.get(item_id)
    title = (known["title"] if known else None) or item_id
    categories = tuple((known["categories"] if known else None) or ())[:MAX_CATEGORIES]
    return ShownItem(item_id, title, categories, value, taken, reason, score)
