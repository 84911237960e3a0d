"""Each gate keeps back what it is for, and says so."""

import numpy as np
import pytest

from tastemill.features.bins import quantiles
from tastemill.features.config import SelectionConfig
from tastemill.features.selection import Decision, Tested, select
from tastemill.features.tally import Layout, taken_apart, tally

ROWS = 20_000


def decided(
    numeric: dict[str, np.ndarray],
    label: np.ndarray,
    tests: dict[str, Tested] | None = None,
    categorical: dict[str, np.ndarray] | None = None,
    **cfg: float,
) -> dict[str, Decision]:
    indices = categorical or {}
    values = np.column_stack(list(numeric.values())).astype(np.float32)
    finite = np.where(np.isfinite(values), values, 0.0).astype(np.float64)
    layout = Layout(
        edges=tuple(quantiles(column, 16) for column in values.T),
        sizes=tuple(int(column.max()) + 1 for column in indices.values()),
        label_edges=np.unique(label)[1:],
        rows=ROWS,
        centre=(centre := np.median(finite, axis=0)),
        scale=np.maximum(np.std(finite, axis=0), 1e-9),
        reach=np.abs(finite - centre).max(axis=0),
    )
    columns = np.array(list(indices.values()), dtype=np.int64).reshape(-1, ROWS).T
    found = taken_apart(layout, tally(layout, values, columns, label))
    return {
        each.name: each
        for each in select([*numeric, *indices], found, tests or {}, SelectionConfig(**cfg))
    }


@pytest.fixture(scope="module")
def found() -> dict[str, Decision]:
    random = np.random.default_rng(1)
    label = (random.random(ROWS) < 0.3).astype(np.float64)
    strong = label + random.normal(0, 1, ROWS)
    far = np.where(random.random(ROWS) < 0.1, np.inf, strong)
    rare = np.where(random.random(ROWS) < 0.01, label, np.nan)
    return decided(
        {
            "noise": random.normal(0, 1, ROWS),
            "strong": strong,
            "again": 2 * strong + random.normal(0, 0.2, ROWS),
            "opposite": -strong + random.normal(0, 0.15, ROWS),
            "another": label + random.normal(0, 2, ROWS),
            "constant": np.ones(ROWS),
            "rare": rare,
            "nothing": np.full(ROWS, np.nan),
            "the label": label * 2 - 1,
            "told by its absence": np.where(label == 1, 1.0, np.nan),
            "infinite": far * np.where(label == 1, 1, -1),
        },
        label,
    )


def test_what_tells_is_kept(found: dict[str, Decision]) -> None:
    kept = {name for name, decision in found.items() if decision.kept}
    assert kept == {"strong", "another", "infinite"}
    assert found["strong"].found.told > found["another"].found.told > 0.01


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("noise", "independent"),
        ("again", "redundant: correlation 0.996 with strong"),
        ("opposite", "redundant: correlation 0.99"),
        ("constant", "constant: 100.00% of the rows lie in one bin"),
        ("rare", "missing in 9"),
        ("nothing", "missing in 100.0% of the rows"),
        ("the label", "leak: it tells 100% of the label"),
        ("told by its absence", "leak: it tells 100% of the label"),
    ],
)
def test_the_rest_says_why_not(found: dict[str, Decision], name: str, reason: str) -> None:
    assert found[name].reason.startswith(reason)


def test_a_label_of_one_class_tells_apart_nothing() -> None:
    found = decided({"x": np.arange(ROWS)}, np.ones(ROWS))
    assert found["x"].reason == "the label has one class: nothing can be told of it"


def test_significant_is_not_yet_worth_learning() -> None:
    random = np.random.default_rng(2)
    label = (random.random(ROWS) < 0.5).astype(np.float64)
    faint = {"faint": label + random.normal(0, 12, ROWS)}
    assert decided(faint, label, min_information=0.0)["faint"].kept
    assert decided(faint, label, min_information=0.05)["faint"].reason.startswith("weak")


def test_a_feature_that_is_no_matter_of_rows_is_tested_by_its_unit() -> None:
    random = np.random.default_rng(3)
    label = (random.random(ROWS) < 0.5).astype(np.float64)
    values = {name: label + random.normal(0, 3, ROWS) for name in ("colour", "brand")}
    values |= {name: random.normal(0, 1, ROWS) for name in ("past", "age")}
    tests = {
        "colour": Tested("items", 0.4),  # a popular item has it
        "brand": Tested("items", 1e-9),
        "past": Tested("users", None, alone=False),  # tells only together with the item's
        "age": Tested("users", 0.3, alone=False),
    }
    found = decided(values, label, tests)
    assert found["brand"].kept
    assert found["past"].kept
    assert found["colour"].reason == "independent of the label (p = 0.4, tested on items)"
    assert found["age"].reason.startswith("independent of the label")
    assert found["past"].corrected is None


def test_a_cross_has_to_tell_more_than_its_parts() -> None:
    random = np.random.default_rng(6)
    user, item, other = (random.integers(1, 5, ROWS) for _ in range(3))
    chance = 0.2 + 0.3 * (user == item) + 0.2 * (other == 1) + 0.2 * (user == 2)
    label = (random.random(ROWS) < chance).astype(float)
    parts = {"user_a": user, "item_b": item, "item_c": other}
    crosses = {"user_a:item_b": user * 5 + item, "user_a:item_c": user * 5 + other}
    found = decided(
        {"noise": random.normal(0, 1, ROWS)},
        label,
        categorical=parts | crosses,
        min_information=1e-3,
    )
    assert {name for name, each in found.items() if each.kept} == {
        "user_a",
        "item_c",
        "user_a:item_b",
    }
    assert found["user_a:item_c"].reason == "adds nothing to what its parts tell"


def test_a_cross_of_one_side_has_to_tell_more_than_its_best_part() -> None:
    random = np.random.default_rng(8)
    colour, size, maker = (random.integers(1, 4, ROWS) for _ in range(3))
    label = (random.random(ROWS) < 0.2 + 0.4 * (colour == size)).astype(float)
    label = np.where(maker == 1, np.maximum(label, random.random(ROWS) < 0.4), label)
    parts = {"item_colour": colour, "item_size": size, "item_maker": maker}
    crosses = {
        "item_colour:item_size": colour * 4 + size,
        "item_maker:item_size": np.where(size < 3, maker * 4 + 1, maker * 4 + 2),
    }
    numbers = {"noise": random.normal(0, 1, ROWS)}
    found = decided(numbers, label, categorical=parts | crosses, min_information=2e-3)
    assert found["item_colour:item_size"].kept
    assert found["item_maker:item_size"].reason == "adds nothing to what its parts tell"
