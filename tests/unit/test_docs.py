"""Pages that are written from the code are current."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tastemill.config.docs import settings_page
from tastemill.evaluation import labels, ranking, ratings
from tastemill.evaluation.docs import metrics_page
from tastemill.evaluation.golden import WORKED
from tastemill.tables import ALL
from tastemill.tables.docs import tables_page

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("conf/README.md", settings_page),
        ("lib/tastemill/tables/README.md", tables_page),
        ("lib/tastemill/evaluation/README.md", metrics_page),
    ],
)
def test_pages_are_current_and_say_how_they_are_made(file: str, page: Callable[[], str]) -> None:
    written = (ROOT / file).read_text()
    assert written == page(), f"make docs writes {file} anew"
    (command,) = [line for line in written.splitlines() if f".docs > {file}`" in line]
    assert command in written
    assert f".docs > {file}\n" in (ROOT / "Makefile").read_text()


def test_every_column_and_metric_is_on_its_page() -> None:
    rows = tables_page().splitlines()
    assert len([row for row in rows if row.startswith("## ")]) == len(ALL)
    for table in ALL:
        for field in table.schema:
            assert field.metadata["comment"], f"{table.name}.{field.name} has no meaning"
            assert [row for row in rows if row.startswith(f"| {field.name} | ")]
    of_lists = {**ranking.FORMULAS, **ranking.CATALOGUE_FORMULAS}
    formulas = {**of_lists, **ratings.FORMULAS, **labels.FORMULAS}
    assert list(WORKED) == list(formulas)
