"""What makes a stage run again, and what doesn't."""

import pytest

from tastemill.config import Purpose
from tastemill.config.load import Request, load_config
from tastemill.jobs import recommend, train_als
from tastemill.line.stages import stage_key


def key_of(purpose: Purpose, *settings: str) -> str:
    cfg = load_config(Request("completejourney", settings=settings))
    cfg = cfg.model_copy(update={"run": cfg.run.model_copy(update={"purpose": purpose})})
    return stage_key("train_als", train_als, cfg, {"events": 1})


def test_a_backtest_stays_whichever_model_is_published() -> None:
    assert key_of("backtest", "recommend.model=bias") == key_of("backtest")
    assert key_of("production", "recommend.model=bias") != key_of("production")


@pytest.mark.parametrize(
    "setting", ["als.rank=3", "dataset.positive_min=4", "split.test_fraction=0.3"]
)
def test_settings_that_count(setting: str) -> None:
    assert key_of("backtest", setting) != key_of("backtest")


def test_settings_of_other_stages_do_not_count() -> None:
    assert "als" not in recommend.SECTIONS
    assert key_of("backtest", "deep.enabled=false") == key_of("backtest")
