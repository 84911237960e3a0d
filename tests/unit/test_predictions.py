"""Which models' scores are what the labels of a task are."""

from datetime import UTC, datetime

import pytest

from tastemill.evaluation.predictions import predicts
from tastemill.models import Model


@pytest.mark.parametrize(
    ("kind", "objective", "tasks"),
    [
        ("bias", None, {"rating"}),
        ("als_explicit", None, {"rating"}),
        ("als", None, set()),
        ("gmf", "auto", {"rating", "implicit"}),
        ("gmf", "mse", {"rating"}),
        ("gmf", "sampled_bce", {"implicit"}),
        ("gmf", "bpr", set()),
        ("embedding_mlp", "bce", {"implicit"}),
        ("embedding_mlp", None, {"rating", "implicit"}),
        ("two_tower", "auto", set()),
    ],
)
def test_it_predicts_what_it_was_trained_for(
    kind: str, objective: str | None, tasks: set[str]
) -> None:
    params = {"objective": objective} if objective else {}
    model = Model("m-1", kind, datetime(2000, 1, 1, tzinfo=UTC), params, {}, None)
    assert {task for task in ("rating", "implicit") if predicts(model, task)} == tasks
