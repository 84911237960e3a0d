"""What a mapping makes of files: each kind of field, and the reason of every row it refuses."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from tastemill.sources.base import RawFrames
from tastemill.sources.core import REASON, mark_outside_core
from tastemill.sources.mapping import EventsFiles, SourceConfig
from tastemill.sources.tabular import read

IDS: dict[str, Any] = {"user_id": "u", "item_id": "i", "type": "view"}


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def read_all(spark: SparkSession, folder: Path, **source: Any) -> RawFrames:
    return read(spark, folder, SourceConfig(name="toy", **source))


def events_of(
    spark: SparkSession, folder: Path, lines: tuple[str, ...], header: str = "u,i,x", **mapping: Any
) -> list[Row]:
    write(folder, "e.csv", header, *lines)
    raw = read_all(spark, folder, events=[{"file": "e.csv", **IDS, **mapping}])
    return raw.events.orderBy("source_row").collect()


def test_event_types(spark: SparkSession, tmp_path: Path) -> None:
    lines = ("1,2,buy", "1,2,pv", "1,2,other", "1,2,")
    mapped = {"column": "x", "map": {"buy": "purchase", "pv": "view"}}
    rows = events_of(spark, tmp_path, lines, type=mapped)
    assert [(r.event_type, r.reason) for r in rows] == [
        ("purchase", None),
        ("view", None),
        (None, "event_type_unknown"),
        (None, None),
    ]
    kept = events_of(spark, tmp_path, lines, type={**mapped, "other": "keep"})
    assert [r.event_type for r in kept] == ["purchase", "view", "other", None]


def test_values(spark: SparkSession, tmp_path: Path) -> None:
    lines = ("1,2,3", "1,2,30", "1,2,x", "1,2,", "1,2,NaN", "1,2,-1", "1,2,Infinity")
    clipped = {"column": "x", "at_most": 20, "at_least": 0, "times": 2}
    rows = events_of(spark, tmp_path, lines, value=clipped)
    assert [r.value for r in rows[:4]] == [6.0, 20.0, None, None]
    assert rows[2].reason == "value_unparsable"
    assert str(rows[4].value) == "nan"
    assert [r.value for r in rows[5:]] == [0.0, float("inf")]
    ranged = {"column": "x", "range": [1, 5], "required": True}
    reasons = [r.reason for r in events_of(spark, tmp_path, lines, value=ranged)]
    out = "value_out_of_range"
    assert reasons == [None, out, "value_unparsable", "value_missing", out, out, out]
    comma = {"column": "x", "decimal": ","}
    (row,) = events_of(spark, tmp_path, ('1,2,"1.234,5"',), value=comma)
    assert row.value == 1234.5


def test_what_speaks_against_an_item(spark: SparkSession, tmp_path: Path) -> None:
    kind = {"first_of": [{"column": "n", "extract": "^(C)", "map": {"C": "return"}}, BUY]}
    lines = ("1,2,3,A7", "1,2,-3,C7", "1,2,,C8")
    mapping = {"type": kind, "value": "x", "negative_types": "return"}
    rows = events_of(spark, tmp_path, lines, "u,i,x,n", **mapping)
    found = [(r.event_type, r.value) for r in rows]
    assert found == [("purchase", 3.0), ("return", -3.0), ("return", -1.0)]


BUY = {"constant": "purchase"}


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("978300760", {"format": "unix_seconds"}, "2000-12-31 22:12:40"),
        ("978300760123", {"format": "unix_millis"}, "2000-12-31 22:12:40.123"),
        ("978300760.5", {"format": "unix_seconds"}, "2000-12-31 22:12:40.500"),
        ("99999999999999999999", {"format": "unix_seconds"}, "time_unparsable"),
        ("soon", {"format": "unix_seconds"}, "time_unparsable"),
        ("2010-12-01 08:26:00", {}, "2010-12-01 08:26:00"),
        ("2010-12-01T08:26:00+02:00", {}, "2010-12-01 06:26:00"),
        ("2010-12-01T08:26:00+02:00", {"zone": "Europe/London"}, "2010-12-01 06:26:00"),
        ("2010-07-01 08:26", {"zone": "Europe/London"}, "2010-07-01 07:26:00"),
        ("2011-03-27 01:30", {"zone": "Europe/London"}, "time_never_was"),
        ("2010-12-01", {}, "2010-12-01 00:00:00"),
        ("12:30", {}, "time_unparsable"),
        ("01/02/2010", {"format": ["iso", "dd/MM/yyyy"]}, "2010-02-01 00:00:00"),
        ("2010-02-01", {"format": ["iso", "dd/MM/yyyy"]}, "2010-02-01 00:00:00"),
        ("31/31/2010", {"format": ["iso", "dd/MM/yyyy"]}, "time_unparsable"),
        ("4-Feb-1971", {"format": "d-MMM-yyyy"}, "1971-02-04 00:00:00"),
        ("NULL", {"missing": "NULL"}, None),
    ],
)
def test_times(
    spark: SparkSession, tmp_path: Path, text: str, how: dict[str, Any], expected: str | None
) -> None:
    (row,) = events_of(spark, tmp_path, (f"1,2,{text}",), time={"column": "x", **how})
    at = row.event_time.astimezone(UTC).replace(tzinfo=None) if row.event_time else None
    if row.reason or expected is None:
        assert row.reason == expected
        assert row.reason == "time_never_was" or at is None
    else:
        assert at == datetime.fromisoformat(str(expected))


def test_rules(spark: SparkSession, tmp_path: Path) -> None:
    lines = ("1,2,POST", "1,2,123", "1,2,", "1,2,9")
    reject = [
        {"column": "x", "is_in": ["POST"], "reason": "postage"},
        {"column": "x", "is_missing": True, "reason": "nothing"},
    ]
    require = [{"column": "x", "at_least": 10, "reason": "small"}]
    rows = events_of(spark, tmp_path, lines, reject=reject, require=require)
    assert [r.reason for r in rows] == ["postage", None, "nothing", "small"]


def test_items_of_several_files(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "e.csv", "u,i", "1,a", "1,b", "2,c")
    write(tmp_path, "i.csv", "id,title,g,Drama,War", "a,Rock &amp; Roll,x| y|,1,0", "b,,(none),0,0")
    write(tmp_path, "more.csv", "id,name,price,day", "a,other,2.5,2001", "c,Cee,x,2002", ",no,1,")
    raw = read_all(
        spark,
        tmp_path,
        events=[{"file": "e.csv", **IDS}],
        items=[
            {
                "file": "i.csv",
                "item_id": "id",
                "title": {"column": "title", "html": True},
                "categories": {"column": "g", "split": "|", "missing": "(none)"},
                "attributes": ["Drama"],
                "reject_events": [{"column": "title", "is_missing": True, "reason": "no_title"}],
            },
            {
                "file": "more.csv",
                "item_id": "id",
                "title": "name",
                "price": "price",
                "released_on": {"column": "day", "format": "yyyy"},
                "attributes": {"War": "day", "Drama": "name"},
            },
        ],
    )
    rows = {r.item_id: r for r in raw.items.collect() if r.reason is None}
    assert set(rows) == {"a", "b", None}
    a = rows["a"]
    assert (a.title, a.categories, a.price) == ("Rock & Roll", ["x", "y"], 2.5)
    assert str(a.released_on) == "2001-01-01"
    assert a.attributes == {"Drama": "1", "War": "2001"}
    assert (rows["b"].title, rows["b"].categories) == (None, None)
    rejected = [(r.source_file, r.source_row, r.reason) for r in raw.items.collect() if r.reason]
    assert rejected == [("more.csv", 3, "price_unparsable")]
    events = {r.item_id: r.reason for r in raw.events.collect()}
    assert events == {"a": None, "b": "no_title", "c": None}


def test_flags_and_lists(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "e.csv", "u,i", "1,a")
    write(tmp_path, "i.csv", "id,Drama,War,list", 'a,1,0,"[""x"", ""y""]"', "b,0,,")

    def labels(how: Any) -> list[Any]:
        items = [{"file": "i.csv", "item_id": "id", "categories": how}]
        raw = read_all(spark, tmp_path, events=[{"file": "e.csv", **IDS}], items=items)
        return [r.categories for r in raw.items.orderBy("source_row").collect()]

    assert labels({"flags": ["Drama", "War"]}) == [["Drama"], None]
    assert labels({"of": ["Drama", "War"]}) == [["1", "0"], ["0"]]
    assert labels({"column": "list", "split": "json"}) == [["x", "y"], None]
    assert labels("id") == [["a"], ["b"]]


def test_users_are_put_together_and_counted(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "e.csv", "u,i", "1,a")
    write(tmp_path, "u.csv", "id,age,zip", "1,30,x", "2,,")
    write(tmp_path, "coupons.csv", "who,what", "1,c", "1,d", "3,c", "3")
    users = [
        {"file": "u.csv", "user_id": "id", "age": "age", "attributes": ["zip"]},
        {"file": "coupons.csv", "user_id": "who", "count": "redeemed"},
    ]
    raw = read_all(spark, tmp_path, events=[{"file": "e.csv", **IDS}], users=users)
    rows = raw.users.collect()
    found = {r.user_id: (r.age, r.attributes) for r in rows if r.reason is None}
    assert found == {
        "1": ("30", {"zip": "x", "redeemed": "2"}),
        "2": (None, {}),
        "3": (None, {"redeemed": "1"}),
    }
    assert [(r.raw, r.reason) for r in rows if r.reason] == [("3", "wrong_number_of_fields")]


def test_relations_and_a_sample_of_users(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "e.csv", "u,i", *[f"{n},a" for n in range(400)])
    write(tmp_path, "r.csv", "one,two", *[f"{n},{n + 1}" for n in range(400)])
    source: dict[str, Any] = {
        "events": [{"file": "e.csv", **IDS}],
        "relations": [{"file": "r.csv", "user_id": "one", "other_id": "two", "kind": "follows"}],
    }
    raw = read_all(spark, tmp_path, **source)
    assert raw.relations.where("kind = 'follows' AND reason IS NULL").count() == 400
    part = read_all(spark, tmp_path, **source, sample_users=0.25)
    users = {r.user_id for r in part.events.collect()}
    assert 60 < len(users) < 140
    assert {r.user_id for r in part.relations.collect()} == users


def test_the_core_is_what_is_left_when_none_has_too_few(spark: SparkSession) -> None:
    pairs = [(u, i) for u in "abc" for i in "xyz"]  # three users, three items: stays
    pairs += [("d", "x"), ("d", "w"), ("e", "w")]  # e falls, then w, then d
    rows = [(u, i, n, None if n else "bad", False) for n, (u, i) in enumerate(pairs, start=1)]
    rows += [("e", "x", 90, "bad", False), ("e", "x", 91, None, True), ("a", None, 92, None, False)]
    schema = "user_id string, item_id string, source_row int, reason string, _repeat boolean"
    marked = mark_outside_core(spark.createDataFrame(rows, schema), 2, 2)
    fallen = {(r.user_id, r.item_id) for r in marked.where(F.col("reason") == REASON).collect()}
    assert fallen == {("d", "x"), ("d", "w"), ("e", "w"), ("e", "x")}
    assert marked.count() == len(rows)
    assert marked.where("source_row = 90").first().reason == "bad"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../x.csv"}, "within the data folder"),
        ({"file": "/etc/passwd"}, "within the data folder"),
        ({"user_id": {}}, "name one of"),
        ({"user_id": {"column": "a", "constant": "b"}}, "name one of"),
        ({"header": False, "columns": ["a", "a"]}, "each column once; twice: a"),
        ({"columns": ["a"]}, "only where header = false"),
        ({"user_id": {"column": "a", "extract": "x"}}, "one group"),
        ({"user_id": {"column": "a", "extract": "("}}, "a regular expression"),
        ({"time": {"column": "t", "zone": "Mars/Base"}}, "a time zone"),
        ({"reject": [{"column": "x", "reason": "r"}]}, "one of is_in"),
        ({"reject": [{"column": "x", "below": 1, "above": 2, "reason": "r"}]}, "one of is_in"),
        ({"encoding": "utf-7"}, "utf-8"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EventsFiles(**{"file": "e.csv", **IDS, **change})


def test_a_filter_by_reason_stays_above_the_parsing(spark: SparkSession, tmp_path: Path) -> None:
    """Below it each mention of a column would parse the line again."""
    write(tmp_path, "e.csv", "u,i,x", "1,2,3", "1,,3")
    raw = read_all(spark, tmp_path, events=[{"file": "e.csv", **IDS, "value": "x"}])
    sound = raw.events.where("reason IS NULL").select("user_id", "value")
    plan = sound._jdf.queryExecution().optimizedPlan().toString()
    filters = [line for line in plan.splitlines() if "Filter" in line]
    assert any("reason" in line for line in filters)
    assert not any("split" in line for line in filters)
