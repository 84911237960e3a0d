"""The mapping language: what is said once for all files."""

from typing import Any

import pytest

from tastemill.sources.fingerprint import reader_hash
from tastemill.sources.mapping import SourceConfig

EVENTS: dict[str, Any] = {"file": "a.csv", "user_id": "u", "item_id": "i", "type": "view"}
ITEMS: dict[str, Any] = {"file": "b.csv", "item_id": "i"}


def source(common: dict[str, Any], events: dict[str, Any], items: dict[str, Any]) -> SourceConfig:
    parts = {"events": [EVENTS | events], "items": [ITEMS | items]}
    return SourceConfig.model_validate({**common, **parts})


def test_a_file_says_what_is_its_own() -> None:
    found = source({"separator": ";", "encoding": "Latin-1"}, {}, {"separator": "|"})
    assert [part.separator for part in found.parts] == [";", "|"]
    assert [part.encoding for part in found.parts] == ["iso-8859-1"] * 2
    assert {part.quote for part in found.parts} == {'"'}


@pytest.mark.parametrize(
    "form",
    [{"separator": ";"}, {"quote": "'"}, {"encoding": "ascii"}, {"zone": "Europe/Rome"}],
)
def test_files_are_read_alike_however_it_is_said(form: dict[str, Any]) -> None:
    once, each, plain = source(form, {}, {}), source({}, form, form), source({}, {}, {})
    assert once.parts == each.parts
    assert reader_hash(once, "code") == reader_hash(each, "code")
    assert reader_hash(once, "code") != reader_hash(plain, "code")


def test_a_zone_said_once_is_of_all_times_that_name_none_but_of_no_day() -> None:
    said = {"updated_at": {"column": "t", "format": "unix_seconds"}, "released_on": "day"}
    found = source({"zone": "Europe/Rome"}, {"time": "t"}, said)
    (events,), (items,) = found.events, found.items
    whens = (events.time, items.updated_at, items.released_on)
    assert [when and when.zone for when in whens] == ["Europe/Rome", "Europe/Rome", "UTC"]
    own = source({"zone": "Europe/Rome"}, {"time": {"column": "t", "zone": "Asia/Tokyo"}}, {})
    assert [when and when.zone for when in (own.events[0].time,)] == ["Asia/Tokyo"]


def test_recorded_values_say_the_same() -> None:
    found = source({"separator": ";", "zone": "Asia/Tokyo"}, {"time": "t"}, {"separator": ","})
    assert SourceConfig.model_validate(found.model_dump()) == found
