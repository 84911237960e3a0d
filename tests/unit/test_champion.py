"""Who takes the champion's place, and who doesn't."""

import pytest

from tastemill.registry.champion import Difference, decided


@pytest.mark.parametrize(
    ("others", "champion"),
    [
        ([], "present"),
        ([Difference("sure", 0.01, 0.04)], "sure"),
        ([Difference("unsure", 0.5, 0.06)], "present"),
        ([Difference("worse", -0.5, 0.001)], "present"),
        ([Difference("good", 0.01, 0.001), Difference("best", 0.02, 0.05)], "best"),
        ([Difference("good", 0.01, 0.001), Difference("unsure", 0.02, 0.5)], "good"),
    ],
)
def test_only_what_is_surely_better(others: list[Difference], champion: str) -> None:
    assert decided("present", others) == champion
