"""Names that the shell completes after TAB.

The tables, stages and jobs are named here again, because their own modules import Spark and a
shell doesn't wait that long; a test holds both lists against each other.
"""

from tastemill.config.layers import conf_root, toml_files

STAGES = (
    "ingest",
    "build_profiles",
    "build_examples",
    "check_quality",
    "build_features",
    "train_baselines",
    "train_als",
    "train_deep",
    "train_ranker",
    "recommend",
    "evaluate",
    "register_models",
)
JOBS = (*STAGES, "maintain_tables")
TABLES = (
    "events",
    "ingested_files",
    "quarantine",
    "users",
    "items",
    "user_states",
    "item_states",
    "relations",
    "user_index",
    "item_index",
    "category_index",
    "category_slots",
    "user_profiles",
    "item_profiles",
    "examples",
    "quality",
    "feature_vocabulary",
    "features",
    "feature_stats",
    "feature_selection",
    "feature_pools",
    "models",
    "user_factors",
    "item_factors",
    "training_history",
    "recommendations",
    "backtest_lists",
    "metrics",
    "calibration",
    "comparisons",
    "runs",
    "leases",
)


def datasets(incomplete: str) -> list[str]:
    """Names that --dataset takes."""
    return _files("datasets", incomplete)


def protocols(incomplete: str) -> list[str]:
    """Names that `benchmark` takes."""
    return _files("benchmarks", incomplete)


def stages(incomplete: str) -> list[str]:
    """Names that --from and --to take."""
    return [name for name in STAGES if name.startswith(incomplete)]


def jobs(incomplete: str) -> list[str]:
    """Names that `job` takes."""
    return [name for name in JOBS if name.startswith(incomplete)]


def tables(incomplete: str) -> list[str]:
    """Names that `tables` takes."""
    return [name for name in TABLES if name.startswith(incomplete)]


def _files(folder: str, incomplete: str) -> list[str]:
    names = [f.name.removesuffix(".toml") for f in toml_files(conf_root(None).joinpath(folder))]
    return [name for name in names if name.startswith(incomplete)]
