"""The command that does a run's backtest again."""

import shlex
from collections.abc import Sequence
from itertools import pairwise

from pyspark.sql import Row

from tastemill.config.load import Config

KEPT = ("--env", "--conf")  # where the run's own settings are recorded, these are not


def repro_command(cfg: Config, run_id: str, stages: Sequence[Row]) -> str | None:
    """`tastemill run … --repro RUN_ID`, fit for a shell; None where there is nothing to do again.

    Args:
        cfg: the run's configuration.
        run_id: the run, as in `runs`.
        stages: the run's rows in `runs`; one that knows models has trained or judged some.
    """
    worth = [
        r for r in stages if r["purpose"] == "backtest" and r["status"] != "failed" and r["models"]
    ]
    if not worth:
        return None
    said = _options(worth[0]["command"])
    dataset = said.get("--dataset", "")
    # A data set that is a file goes by its path; the name alone says nothing to another call.
    named = dataset if dataset.endswith(".toml") else cfg.dataset.name
    words = ["tastemill", "run", "--dataset", named]
    if cfg.run.warehouse:
        words += ["--warehouse", cfg.run.warehouse]
    for option in KEPT:
        words += [option, said[option]] if option in said else []
    return shlex.join([*words, "--repro", run_id])


def _options(command: str) -> dict[str, str]:
    """The options of a command as it was called: `--name value` or `--name=value`."""
    try:
        words = shlex.split(command)
    except ValueError:  # of a release that wrote commands without quotes
        words = command.split()
    pairs = dict(word.split("=", 1) for word in words if word.startswith("--") and "=" in word)
    following = pairwise(words)
    return pairs | {name: value for name, value in following if name.startswith("--")}
