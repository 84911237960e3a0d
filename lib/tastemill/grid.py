"""Chooses the parameters of ALS for a protocol, on the validation part inside train.

Every combination is fitted on what came before the validation part and judged by NDCG@10 on it;
nothing at or after the cut is read, so the test part stays untouched. The first factors move NDCG
by more than neighbours in the grid differ, so the best of each rank is judged by several seeds.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.progress import track

from tastemill import console, tables
from tastemill.benchmark import K, scratch_line
from tastemill.collaborative.als import AlsConfig, fit_als, implicit_ratings
from tastemill.config.load import Config
from tastemill.config.paths import artifacts
from tastemill.delta import Warehouse
from tastemill.evaluation import backtest
from tastemill.evaluation.ranking import ranking_metrics
from tastemill.examples import type_weight
from tastemill.line.stages import Plan
from tastemill.passes import numbered_events, times_of
from tastemill.protocols import protocol_of
from tastemill.retrieval import lists
from tastemill.retrieval.recommend import recommend_top_k
from tastemill.splits import is_past, tuning

ALS_GRID: Mapping[str, tuple[float, ...]] = {
    "rank": (8, 10, 12, 16, 32),
    "reg": (0.001, 0.003, 0.01, 0.03, 0.1),
    "alpha": (0.1, 0.5, 1.0, 2.0),
}
SEEDS = (1, 2, 3, 4, 5)
Row = dict[str, Any]


def run_grid(name: str, data_root: Path, settings: tuple[str, ...] = ()) -> list[Row]:
    """The best combination of each rank, by the mean NDCG@10 of all seeds, best first."""
    with scratch_line(protocol_of(name), data_root) as line:
        run = line(settings, lambda _: Plan(last="ingest"))
        return _searched(_Judge.of(run.warehouse, run.cfg), run.cfg.als)


def _searched(judge: "_Judge", base: AlsConfig) -> list[Row]:
    """Every combination by one seed, then the best of each rank by all."""
    combinations = [dict(zip(ALS_GRID, v, strict=True)) for v in product(*ALS_GRID.values())]
    tried = [{**c, "ndcg": judge.ndcg(_with(base, c))} for c in _shown(combinations)]
    tried.sort(key=lambda row: row["ndcg"])
    best = {row["rank"]: row for row in tried}  # the last one of a rank stays
    rows = []
    for row in _shown(list(best.values())):
        params = {key: row[key] for key in ALS_GRID}
        values = [judge.ndcg(_with(base, {**params, "seed": seed})) for seed in SEEDS]
        rows.append({**params, "ndcg": mean(values), "lowest": min(values), "highest": max(values)})
    return sorted(rows, key=lambda row: -float(row["ndcg"]))


def _with(base: AlsConfig, params: Mapping[str, float]) -> AlsConfig:
    return AlsConfig.model_validate({**base.model_dump(), **params})


def _shown(rows: list[Row]) -> Iterable[Row]:
    """The rows, with a bar of how many are done."""
    return track(rows, description="fitting", console=console.err, transient=True)


@dataclass(frozen=True)
class _Judge:
    """What all combinations share: ratings, users, catalogue and relevant items."""

    checkpoints: str
    ratings: DataFrame
    users: DataFrame
    relevant: DataFrame
    pool: lists.Catalogue

    @staticmethod
    def of(warehouse: Warehouse, cfg: Config) -> "_Judge":
        dataset = cfg.dataset
        # The events of the test part are never seen.
        events = tuning(numbered_events(warehouse, cfg, times_of(warehouse, cfg))).persist()
        past = events.where(is_past())
        relevant = backtest.relevant_items(
            events, dataset.positive_min, dataset.min_item_events, item="item_idx"
        )
        warm = relevant.where("segment = 'warm'").persist()
        seen = lists.seen_by_user(past, cfg)
        num_items = lists.num_items_of(warehouse.read(tables.ITEM_INDEX))
        ratings = implicit_ratings(past, dataset.positive_min, type_weight(dataset))
        return _Judge(
            str(artifacts(cfg) / "checkpoints"),
            ratings.persist(),
            warm.select("user_idx").join(seen, "user_idx").persist(),
            warm,
            lists.catalogue(past, dataset, num_items),
        )

    def ndcg(self, cfg: AlsConfig) -> float:
        """Mean NDCG@10 over the users of the validation part."""
        factors = fit_als(self.ratings, cfg, implicit=True, checkpoints=self.checkpoints)
        items = lists.dense(factors.items, len(self.pool.eligible))
        users = self.users.join(factors.users.withColumnRenamed("idx", "user_idx"), "user_idx")
        scorer, eligible = lists.factor_scorer(items, self.pool), self.pool.eligible
        with ExitStack() as after:
            made = recommend_top_k(users, scorer, K, eligible=eligible, after=after)
            named = made.withColumn("model_id", F.lit("als"))
            per_user = ranking_metrics(named, self.relevant, (K,))
            return float(per_user.where("metric = 'ndcg'").agg(F.avg("value")).collect()[0][0])
