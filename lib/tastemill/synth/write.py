"""Writes a synthetic data set: Parquet, the truth, and a page that says what it is.

All goes into a folder beside the wanted one, which takes its name when it is whole: a killed run
leaves nothing that looks like a data set.
"""

import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from tastemill import __version__
from tastemill.errors import DataError, UsageError
from tastemill.host import spark_uri
from tastemill.synth import choice, sessions
from tastemill.synth.events import build_events
from tastemill.synth.items import build_item_truth, build_items
from tastemill.synth.params import SynthConfig
from tastemill.synth.relations import build_relations
from tastemill.synth.topics import FUNNELS, KINDS, NOISE, SIGNAL, TAKES, TOPICS
from tastemill.synth.users import build_user_tastes, build_users

EVENTS_PER_PARTITION = 1_000_000
TRUTH = "truth"


@dataclass(frozen=True)
class Written:
    """What was written."""

    folder: Path
    rows: dict[str, int]
    seconds: float
    event_seconds: float

    @property
    def events_per_second(self) -> float:
        """How fast the events were made and written."""
        return self.rows["events"] / self.event_seconds


def synthesize(
    spark: SparkSession,
    cfg: SynthConfig,
    folder: Path,
    *,
    command: str,
    num_partitions: int | None = None,
) -> Written:
    """Make a data set and write it into a folder of its own.

    Args:
        spark: where it is made.
        cfg: what it is made from.
        folder: a folder that all workers can write; new or empty.
        command: what makes it again, for its page.
        num_partitions: of the events; by default as many as there are millions of events, at
            least one a core. The rows don't depend on it.

    Raises:
        UsageError: the folder holds something, or its place can't be written.
    """
    place, began = folder.expanduser().absolute(), time.monotonic()
    check_place(place)
    with _beside(place) as part:
        seconds = {}
        for name, build in _tables(spark, cfg, num_partitions).items():
            at = time.monotonic()
            build().write.parquet(spark_uri(part / name))
            seconds[name] = time.monotonic() - at
        rows = {name: _num_rows(part / name) for name in seconds}
        if rows["events"] != cfg.num_events:
            raise DataError(
                "events got lost", expected=str(cfg.num_events), found=str(rows["events"])
            )
        (part / "README.md").write_text(_page(cfg, rows, command), encoding="utf-8")
        (part / "truth.json").write_text(json.dumps(truth(cfg), indent=1), encoding="utf-8")
    return Written(place, rows, time.monotonic() - began, seconds["events"])


def check_place(place: Path) -> None:
    """Raise UsageError unless a data set can be put there without harm."""
    if ":/" in str(place):
        raise UsageError(
            "synthetic data goes into a folder", found=str(place), fix="name a local folder"
        )
    if place.exists() and not place.is_dir():
        raise UsageError("that is a file", expected="a new folder", found=str(place))
    if place.is_dir() and any(place.iterdir()):
        raise UsageError(
            "the folder isn't empty, and nothing is overwritten",
            found=str(place),
            fix="name another folder with --out, or remove this one first",
        )
    parent = next(p for p in (place, *place.parents) if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(
            "the folder can't be written",
            found=str(parent),
            fix="name another with --out, or get the right to write there",
        )


def _tables(
    spark: SparkSession, cfg: SynthConfig, num_partitions: int | None
) -> dict[str, Callable[[], DataFrame]]:
    least = -(-cfg.num_events // EVENTS_PER_PARTITION)
    parts = num_partitions or max(spark.sparkContext.defaultParallelism, least)
    return {
        "items": lambda: build_items(spark, cfg),
        "users": lambda: build_users(spark, cfg),
        "relations": lambda: build_relations(spark, cfg),
        f"{TRUTH}/items": lambda: build_item_truth(spark, cfg),
        f"{TRUTH}/users": lambda: build_user_tastes(spark, cfg),
        "events": lambda: build_events(spark, cfg, parts),
    }


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A hidden folder that becomes the place when all went well, and goes when not."""
    machine = platform.node()
    for old in place.parent.glob(f".{place.name}.part-{machine}-*"):
        if not _is_running(old.name.rpartition("-")[2]):
            shutil.rmtree(old, ignore_errors=True)
    part = place.with_name(f".{place.name}.part-{machine}-{os.getpid()}")
    part.mkdir(parents=True)
    try:
        yield part
        if place.exists():
            place.rmdir()  # refuses when something has come into it meanwhile
        part.rename(place)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _num_rows(folder: Path) -> int:
    """Rows by the footers of the files."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("part-*.parquet"))


def truth(cfg: SynthConfig) -> dict[str, Any]:
    """What is planted: parameters, signal and noise, topics, how choices are made."""
    topics = TOPICS[: cfg.num_topics]
    return {
        "what": "synthetic data by tastemill synth: no person, item or event is real",
        "tastemill": __version__,
        "parameters": cfg.model_dump(mode="json"),
        "signal": SIGNAL,
        "noise": {table: list(names) for table, names in NOISE.items()},
        "takes": list(TAKES),
        "topics": [{"category": t.category, "kind": KINDS[t.kind]} for t in topics],
        "funnels": dict(zip(KINDS, map(list, FUNNELS), strict=True)),
        "share_of_visits_by_depth": [
            sum(shape.depth == depth for shape in sessions.SHAPES) / len(sessions.SHAPES)
            for depth in range(1, len(FUNNELS[0]) + 1)
        ],
        "choice": {
            "formula": "P ~ topic weight * 1/(rank + 2) * novelty(age) * exp(sharpness * match)",
            "match": "brand_weight*quality + language_weight*[same] - price_weight*|price-budget|",
            "num_candidates": choice.NUM_CANDIDATES,
            "sharpness_by_depth": list(choice.SHARPNESS),
            "share_outside_taste_by_depth": list(choice.EXPLORED),
        },
        "latent": {
            f"{TRUTH}/users": "topics before and after the taste moved, budget, activity",
            f"{TRUTH}/items": "topic, rank in it, price level, brand quality, release",
        },
    }


def _page(cfg: SynthConfig, rows: dict[str, int], command: str) -> str:
    counts = "\n".join(f"| {name}/ | {count:,} |" for name, count in sorted(rows.items()))
    return PAGE.format(
        command=command, version=__version__, seed=cfg.seed, start=cfg.start, end=cfg.end,
        counts=counts,
    )  # fmt: skip


PAGE = """\
# Synthetic data

Everything here is made up by Tastemill {version}: no person, item or event is real. A model's
figures on it say whether it finds what was planted, not how good it would be on people.

    {command}

The same command (seed {seed}) makes the same rows again, however Spark is set. Events lie between
{start:%Y-%m-%d} and {end:%Y-%m-%d}, UTC.

| Parquet folder | rows |
|---|---|
{counts}

- `events`: event_id, user_id, item_id (null for a search), event_type, value (quantity, stars,
  fraction watched, plays), dwell_seconds, query, session_id, event_time.
- `users`: user_id, age, gender, occupation, income, language, newsletter, browser; null is what a
  user keeps to itself.
- `items`: item_id, title, description, categories, price, released_on, kind, brand, language,
  colour, packaging, weight_grams.
- `relations`: user_id, other_id, kind (follows).
- `truth.json` and `truth/`: what was planted, which attributes are signal and which are noise, and
  the latent tastes. Not for models: it is what they are held against.
"""
