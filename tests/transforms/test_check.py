"""The dry run of a mapping: what a person sees of their files before anything is written."""

from pathlib import Path

from pyspark.sql import SparkSession

from tastemill.config.load import Request, load_config
from tastemill.sources.check import check

MAPPING = """
[source]
zone = "Europe/Madrid"

[[source.events]]
file = "log.csv"
user_id = "who"
item_id = "what"
type = { column = "how", map = { lent = "loan", kept = "reserve" } }
value = "stars"
time = "at"

[[source.items]]
file = "books.csv"
item_id = "what"
title = "title"
"""
LOG = """who,what,how,stars,at
u1,b1,lent,4,2024-07-01 10:00
u1,b2,lent,,2024-07-02 10:00
u2,b1,kept,,2024-01-03 10:00
u2,b9,burnt,,2024-01-03 11:00
u3,b1,stolen,,2024-01-03 11:00
,b1,lent,3,2024-01-04 10:00
"""


def test_what_is_shown_of_a_folder(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "books.csv").write_text("what,title\nb1,Rain\nb2,Sun\n")
    (tmp_path / "library.toml").write_text(MAPPING)
    found = check(spark, load_config(Request(str(tmp_path / "library.toml"))), tmp_path)
    events, items = found.counts
    assert events == {
        "table": "events",
        "rows": 6,
        "sound": 3,
        "distinct": 3,
        "to quarantine": 3,
    }
    assert (items["rows"], items["sound"]) == (2, 2)
    by_type = {row.pop("event_type"): row for row in found.types}
    assert list(by_type) == ["loan", "reserve"]  # the most frequent first
    assert by_type["loan"] == {"rows": 2, "with value": 1, "with event_time": 2}
    # Madrid's summer is two hours ahead; the columns say whose time it is.
    times = [f"{row['event_time (UTC)']:%H:%M}" for row in found.rows["events"]]
    assert times == ["08:00", "08:00", "09:00"]
    reasons = [(row["reason"], row["rows"], row["lines"]) for row in found.problems]
    assert reasons == [("event_type_unknown", 2, "5, 6"), ("user_id_missing", 1, "7")]
