"""What the data was expected to be like, as it was last checked."""

from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.gate import in_words
from tastemill.report.contents.data import Expected


def collect_expectations(warehouse: Warehouse, cfg: Config) -> tuple[Expected, ...]:
    """Those of the settings, the ones that don't hold first."""
    names = list(cfg.quality.tables)
    if not names:
        return ()
    stored = warehouse.read_or_empty(tables.QUALITY).where(F.col("table_name").isin(names))
    rows = stored.orderBy("holds", "table_name", "column_name", "check", "expected").collect()
    return tuple(
        Expected(
            *(r["table_name"], r["column_name"], r["check"], r["expected"]),
            in_words(r["check"], r["found"], r["broken"]),
            r["holds"],
        )
        for r in rows
    )
