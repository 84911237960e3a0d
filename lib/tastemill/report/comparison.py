"""Whether the models do better than popularity, as the evaluation compared them."""

from collections.abc import Mapping

from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.evaluation.comparison import METRIC, POPULAR
from tastemill.evaluation.significance import holm
from tastemill.report.contents.quality import Comparison, Difference, MetricsTable


def reference_of(table: MetricsTable) -> str | None:
    """The kind of the strongest list that is the same for everybody, if there is one."""
    ndcg = {kind: row[METRIC].value for kind, row in table.rows.items() if METRIC in row}
    return max((kind for kind in POPULAR if kind in ndcg), key=lambda k: ndcg[k], default=None)


def collect_comparison(
    warehouse: Warehouse, kinds: Mapping[str, str], table: MetricsTable | None
) -> Comparison | None:
    """Every model against the strongest popular list; p-values are corrected for all tests (Holm).

    Args:
        warehouse: with `comparisons`.
        kinds: model id to kind of the backtest, best first.
        table: the metrics of all users; None, or without a popular list: nothing to compare with.
    """
    reference = reference_of(table) if table else None
    if table is None or reference is None:
        return None
    ids = list(kinds)
    same = next(model_id for model_id, kind in kinds.items() if kind == reference)
    stored = warehouse.read_or_empty(tables.COMPARISONS).where(F.col("metric") == METRIC)
    same_terms = (F.col("reference") == same) & (F.col("k") == table.k)
    rows = stored.where(F.col("model_id").isin(ids) & same_terms).collect()
    if not rows:
        return None
    found = {r["model_id"]: r for r in rows}
    order = [found[model_id] for model_id in ids if model_id in found]
    corrected = holm([r["p_value"] for r in order])
    differences = tuple(
        Difference(kinds[r["model_id"]], r["difference"], r["low"], r["high"], p)
        for r, p in zip(order, corrected, strict=True)
    )
    return Comparison(reference, METRIC, order[0]["k"], max(r["users"] for r in order), differences)
