"""The sources that --dataset can name."""

from tastemill.errors import UsageError, did_you_mean
from tastemill.sources.base import Source
from tastemill.sources.completejourney import COMPLETEJOURNEY
from tastemill.sources.movielens import MOVIELENS

SOURCES = {source.name: source for source in (COMPLETEJOURNEY, MOVIELENS)}


def source(name: str) -> Source:
    """The source of a name, or an error that lists all."""
    if name not in SOURCES:
        raise UsageError(
            f"unknown source {name or '(none)'}",
            expected=", ".join(SOURCES),
            fix=did_you_mean(name, SOURCES, "name a dataset with --dataset, or set dataset.source"),
        )
    return SOURCES[name]
