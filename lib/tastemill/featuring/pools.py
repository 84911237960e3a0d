"""Pools as a table: written with the features that they are of, and read only with these."""

from pyspark.sql import DataFrame

from tastemill.config import Purpose
from tastemill.delta import Warehouse
from tastemill.errors import ContractError, DataError, UsageError, did_you_mean
from tastemill.features.config import PoolConfig
from tastemill.features.figures import Row
from tastemill.features.pools import Pool, pool_of_rows, pools_of, value_digests
from tastemill.featuring.judge import Judged
from tastemill.tables import FEATURE_POOLS, FEATURES


def rows_of_pools(
    judged: Judged, vocabulary: DataFrame, wanted: dict[str, PoolConfig], of_version: int
) -> list[Row]:
    """Rows of `feature_pools`, but for the purpose.

    Args:
        judged: all features, and which were kept.
        vocabulary: (feature, value, index) of those that have one.
        wanted: the configured pools by name.
        of_version: of the table `features`.
    """
    digests = {row["feature"]: row["digest"] for row in value_digests(vocabulary).collect()}
    pools = pools_of(judged.stats, judged.kept, digests, wanted)
    return [{**row, "of_version": of_version} for pool in pools for row in pool.rows()]


def read_pool(warehouse: Warehouse, purpose: Purpose, name: str) -> Pool:
    """A pool of the features that stand in the table now.

    Raises:
        UsageError: there is none of this name.
        DataError: it has no feature.
        ContractError: features were written since.
    """
    rows = [row.asDict() for row in warehouse.read(FEATURE_POOLS, where=purpose).collect()]
    known = sorted({row["pool"] for row in rows})
    if not rows:
        raise DataError(f"no {purpose} pool", fix="make them with tastemill job build_features")
    if name not in known:
        fix = did_you_mean(name, known, "name it under [features.pools], and run build_features")
        raise UsageError(f"no feature in pool {name}", expected=", ".join(known), fix=fix)
    stands = warehouse.data_version(FEATURES, purpose)
    if any(row["of_version"] != stands for row in rows):
        raise ContractError(
            "the pools are of other features than the table has now",
            expected=f"pools of version {stands} of features",
            found=f"pools of version {rows[0]['of_version']}",
            fix="run tastemill job build_features again",
        )
    return pool_of_rows([row for row in rows if row["pool"] == name])
