"""Synthetic rows: the same for a seed, well formed, and with what they claim to have planted."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual
from scipy.stats import chi2_contingency

from tastemill.synth import items, relations, users
from tastemill.synth.events import build_events
from tastemill.synth.params import SynthConfig
from tastemill.synth.sessions import BLOCK_EVENTS
from tastemill.synth.topics import FUNNELS, GOODS, KINDS, NOISE, SIGNAL, TAKES, TOPICS
from tastemill.synth.users import BUDGETS

CFG = SynthConfig(num_users=500, num_items=300, num_events=40_000, num_days=120, seed=6)
COLUMNS = {
    "event_id": "string",
    "user_id": "string",
    "item_id": "string",
    "event_type": "string",
    "value": "double",
    "dwell_seconds": "double",
    "query": "string",
    "session_id": "string",
    "event_time": "timestamp",
}


@dataclass(frozen=True)
class World:
    """All tables of CFG, and the truth joined to its events."""

    events: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    relations: pd.DataFrame
    tastes: pd.DataFrame
    truth: pd.DataFrame

    def known(self) -> pd.DataFrame:
        """Events about an item, with what is true and told of user and item."""
        rows = self.events[self.events.item_id.notna()]
        rows = rows.merge(self.users, on="user_id").merge(self.tastes, on="user_id")
        rows = rows.merge(self.items, on="item_id", suffixes=("", "_of_item"))
        return rows.merge(self.truth, on="item_id")


@pytest.fixture(scope="module")
def world(spark: SparkSession) -> World:
    return World(
        build_events(spark, CFG, 2).toPandas(),
        users.build_users(spark, CFG).toPandas(),
        items.build_items(spark, CFG).toPandas(),
        relations.build_relations(spark, CFG).toPandas(),
        users.build_user_tastes(spark, CFG).toPandas(),
        items.build_item_truth(spark, CFG).toPandas(),
    )


def day_of(times: pd.Series) -> pd.Series:
    return (times - pd.Timestamp(CFG.first_day)) / pd.Timedelta(days=1)


def by_id(events: DataFrame) -> pd.DataFrame:
    return events.toPandas().sort_values("event_id", ignore_index=True)


@pytest.mark.slow
def test_rows_depend_on_the_seed_and_not_on_partitions(spark: SparkSession) -> None:
    cfg = SynthConfig(num_users=200, num_items=100, num_events=20_000, seed=3)
    one = by_id(build_events(spark, cfg, 1))
    assert len(one) == 20_000
    for parts in (2, 7):
        frame = build_events(spark, cfg, parts)
        assert frame.rdd.getNumPartitions() == parts
        pd.testing.assert_frame_equal(one, by_id(frame))
    other = by_id(build_events(spark, cfg.model_copy(update={"seed": 4}), 2))
    # Ids count events, so they are the same; what they stand for isn't.
    both = one.merge(other, on="event_id")
    assert (both.user_id_x == both.user_id_y).mean() < 0.1
    assert (both.event_time_x == both.event_time_y).mean() < 0.01


def test_side_tables_depend_on_the_seed_alone(spark: SparkSession) -> None:
    other = CFG.model_copy(update={"seed": CFG.seed + 1})
    tables = (users.build_users, items.build_items, relations.build_relations)
    for build in (*tables, users.build_user_tastes, items.build_item_truth):
        first = build(spark, CFG)
        assertDataFrameEqual(first, build(spark, CFG).repartition(3))
        assert first.exceptAll(build(spark, other)).count() > first.count() / 2


@pytest.mark.parametrize("wanted", [1, BLOCK_EVENTS - 1, BLOCK_EVENTS, BLOCK_EVENTS + 1])
def test_the_number_of_events_is_exact(spark: SparkSession, wanted: int) -> None:
    cfg = SynthConfig(num_users=1, num_items=len(TOPICS), num_events=wanted, num_days=1)
    rows = build_events(spark, cfg, 2).toPandas()
    assert len(rows) == wanted
    assert rows.event_id.is_unique
    assert set(rows.user_id) == {"u00000000"}
    assert rows.event_time.between("2024-01-01", "2024-01-02", inclusive="left").all()


def test_events_have_the_columns_and_ids_of_the_other_tables(
    spark: SparkSession, world: World
) -> None:
    assert dict(build_events(spark, CFG, 2).dtypes) == COLUMNS
    events = world.events
    assert len(events) == CFG.num_events
    assert events.event_id.is_unique
    assert set(events.user_id) <= set(world.users.user_id)
    assert set(events.item_id.dropna()) <= set(world.items.item_id)
    assert (len(world.users), len(world.items)) == (CFG.num_users, CFG.num_items)
    assert world.users.user_id.is_unique
    assert world.items.item_id.is_unique
    assert set(events.event_type) == {"search", *(step for funnel in FUNNELS for step in funnel)}


def test_values_and_queries_stand_where_they_belong(world: World) -> None:
    events, by_type = world.events, world.events.groupby("event_type")
    is_search = events.event_type == "search"
    assert events.item_id.isna().equals(is_search)
    assert events["query"].notna().equals(is_search)
    low, high = by_type.value.min(), by_type.value.max()
    assert (low["rating"], high["rating"]) == (1, 5)
    assert (low["purchase"], high["purchase"]) == (1, 3)
    assert low["listen"] == 1
    assert 0 < low["watch"] < 0.2
    assert 0.9 < high["watch"] <= 1
    told = {"rating", "purchase", "listen", "watch"}
    assert events.value.notna().equals(events.event_type.isin(told))
    dwells = {"view", "click", "search", "watch", "listen"}
    assert events.dwell_seconds.notna().equals(events.event_type.isin(dwells))


def test_sessions_are_in_order(world: World) -> None:
    events = world.events.sort_values(["session_id", "event_time"])
    sessions = events.groupby("session_id")
    assert (sessions.user_id.nunique() == 1).all()
    gap = -sessions.event_time.diff(-1).dt.total_seconds()
    known = gap.notna()
    assert (gap[known] > 0).all()
    assert (gap[known] <= 1_800).all()
    dwell = events.dwell_seconds.fillna(0)
    assert (dwell[known] <= gap[known]).all()
    times = events.event_time
    assert times.min() >= pd.Timestamp(CFG.first_day)
    assert times.max() < pd.Timestamp(CFG.first_day) + timedelta(days=CFG.num_days)


def test_each_step_follows_the_one_before_it(world: World) -> None:
    rows = world.events.sort_values(["session_id", "event_time"])
    kinds = world.items.set_index("item_id").kind
    before = rows.groupby("session_id")[["item_id", "event_type"]].shift(1)
    for kind, funnel in zip(KINDS, FUNNELS, strict=True):
        for earlier, later in pairwise(funnel):
            here = (rows.event_type == later) & (rows.item_id.map(kinds) == kind)
            assert here.any()
            assert (before.event_type[here] == earlier).all()
            assert (before.item_id[here] == rows.item_id[here]).all()


def test_nothing_happens_before_release_or_joining(world: World) -> None:
    rows = world.known()
    day = day_of(rows.event_time)
    assert (day >= rows.released_day).all()
    assert (rows.event_time >= pd.to_datetime(rows.released_on)).all()
    # A session may begin on the day of joining, and its later events follow.
    assert (day >= rows.joined_day).all()


def test_some_users_and_items_first_come_late(world: World) -> None:
    late = 0.8 * CFG.num_days
    for key in ("user_id", "item_id"):
        first = day_of(world.events.groupby(key).event_time.min())
        assert 0.04 < (first > late).mean() < 0.4


def test_activity_and_popularity_have_long_tails(world: World) -> None:
    for key, most in (("user_id", 0.35), ("item_id", 0.3)):
        counts = world.events[key].value_counts()
        assert counts.head(len(counts) // 10).sum() > most * counts.sum()
        assert counts.median() < counts.mean()
    # The truth's ranks are those that the events show.
    rows = world.known().query("released_day < 0")
    seen = rows.groupby("item_id").size()
    truth = world.truth.set_index("item_id").loc[seen.index]
    assert np.corrcoef(seen, truth.popularity)[0, 1] > 0.6
    active = world.events.groupby("user_id").size()
    tastes = world.tastes.set_index("user_id").loc[active.index]
    assert np.corrcoef(active, tastes.activity)[0, 1] > 0.7


def test_ranks_are_one_to_one(world: World) -> None:
    for _, ranks in world.truth.groupby("topic").popularity_rank:
        assert sorted(ranks) == list(range(len(ranks)))
    assert world.tastes.activity.is_unique


def test_weeks_and_days_have_a_rhythm(world: World) -> None:
    times = world.events.groupby("session_id").event_time.min()
    per_day = times.dt.dayofweek.value_counts().sort_index()
    assert per_day[5] > 1.2 * per_day[0]
    assert per_day[6] > 1.1 * per_day[1]
    per_hour = times.dt.hour.value_counts()
    assert per_hour[20] > 4 * per_hour.get(3, 0)


def test_users_keep_to_their_topics_and_move(world: World) -> None:
    rows = world.known()
    rows = rows[rows.event_type.isin(TAKES) & (rows.early_topic != rows.late_topic)]
    day = day_of(rows.event_time)
    before, after = day < rows.moves_on_day, day > rows.moves_on_day + 0.2 * CFG.num_days
    in_early, in_late = rows.topic == rows.early_topic, rows.topic == rows.late_topic
    steady = rows.topic == rows.steady_topic
    assert in_early[before].mean() > 2 * in_early[after].mean()
    assert in_late[after].mean() > 2 * in_late[before].mean()
    assert abs(steady[before].mean() - steady[after].mean()) < 0.1
    assert (in_early | steady)[before].mean() > 0.7


def test_new_items_are_taken_more(world: World) -> None:
    rows = world.known().query("released_day >= 0 and event_type == 'view'")
    age = day_of(rows.event_time) - rows.released_day
    young, old = ((age >= low) & (age < low + 15) for low in (0, 45))
    lived = CFG.num_days - world.truth.released_day[world.truth.released_day >= 0]
    days = [np.clip(lived - low, 0, 15).sum() for low in (0, 45)]
    assert young.sum() / days[0] > 1.25 * old.sum() / days[1]


def test_deeper_visits_suit_better(world: World) -> None:
    """Every planted attribute drives behaviour: what is taken suits more than what is seen."""
    rows = world.known()
    budget = np.array(BUDGETS)[rows.income_no.to_numpy()]
    rows["distance"] = (rows.price_level - budget).abs()
    rows["own_language"] = (rows.language_no == rows.item_language_no).astype(float)
    for _, of_kind in rows.groupby("kind"):  # each has topics of its own, some with better brands
        means = of_kind.groupby("event_type")[["distance", "own_language", "brand_quality"]].mean()
        (take,) = set(TAKES) & set(means.index)
        assert means.distance[take] < 0.95 * means.distance["view"]
        assert means.own_language[take] > 1.1 * means.own_language["view"]
        assert means.brand_quality[take] > 1.03 * means.brand_quality["view"]


def test_age_tells_of_the_steady_topic(world: World) -> None:
    both = world.users.merge(world.tastes, on="user_id")
    spread = both.groupby("steady_topic").age.std().mean()
    assert spread < 0.6 * both.age.std()


def test_categories_tell_of_the_topic(world: World) -> None:
    both = world.items.merge(world.truth, on="item_id")
    own = [TOPICS[topic].category for topic in both.topic]
    first = both.categories.str[0]
    assert 0.78 < (first == own).mean() < 0.95
    assert {1, 2} == set(both.categories.str.len())
    assert set(both.kind[both.topic == 0]) == {KINDS[GOODS]}


@pytest.mark.parametrize(
    ("table", "name"), [(t, n) for t, names in NOISE.items() for n in names if n != "weight_grams"]
)
def test_noise_tells_nothing(world: World, table: str, name: str) -> None:
    """Whether a first step becomes a take doesn't depend on it: one row a user or item."""
    rows = world.known()
    key = "user_id" if table == "users" else "item_id"
    taken = rows.event_type.isin(TAKES).groupby(rows[key]).mean()
    told = getattr(world, table).set_index(key)[name]
    high = (taken > taken.median()).rename("high")
    counts = pd.crosstab(told.loc[taken.index].astype("string"), high)
    assert chi2_contingency(counts).pvalue > 0.001


def test_signal_and_noise_are_all_columns_but_ids_and_texts(world: World) -> None:
    for table in ("users", "items"):
        told = {*SIGNAL[table], *NOISE[table]}
        others = set(getattr(world, table).columns) - told
        assert others <= {"user_id", "item_id", "title", "description"}
        assert told <= set(getattr(world, table).columns)


def test_some_users_keep_things_to_themselves(world: World) -> None:
    missing = world.users.drop(columns="user_id").isna().mean()
    assert missing.between(0.06, 0.2).all()


def test_texts_say_synthetic(world: World) -> None:
    assert world.items.title.str.contains("synthetic").all()
    assert world.items.description.str.startswith("Synthetic.").all()
    assert world.items.price.between(4, 160).all()


def test_people_follow_people_of_their_taste(world: World) -> None:
    edges = world.relations
    assert set(edges.kind) == {"follows"}
    assert (edges.user_id != edges.other_id).all()
    assert not edges.duplicated(["user_id", "other_id"]).any()
    topic = world.tastes.set_index("user_id").steady_topic
    same = (edges.user_id.map(topic) == edges.other_id.map(topic)).mean()
    by_chance = (world.tastes.steady_topic.value_counts(normalize=True) ** 2).sum()
    assert same > 3 * by_chance
    degrees = edges.user_id.value_counts()
    assert len(degrees) == CFG.num_users
    assert degrees.max() > degrees.median()


@pytest.mark.parametrize("num_users", [1, 2, 65, 130])
def test_few_people(spark: SparkSession, num_users: int) -> None:
    cfg = CFG.model_copy(update={"num_users": num_users})
    ids = set(users.build_users(spark, cfg).toPandas().user_id)
    edges = relations.build_relations(spark, cfg).toPandas()
    assert len(ids) == num_users
    assert set(edges.user_id) | set(edges.other_id) <= ids
    assert not edges.duplicated(["user_id", "other_id"]).any()
    assert (edges.user_id != edges.other_id).all()
    assert len(edges) > 0 or num_users == 1


@pytest.mark.parametrize(
    "wrong",
    [{"num_users": 0}, {"num_items": 19}, {"num_events": 0}, {"num_days": 0}, {"users": 3}],
)
def test_sizes_that_make_no_world(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SynthConfig.model_validate(wrong)
