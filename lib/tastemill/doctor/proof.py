"""The proof: a Spark session that writes a small Delta table and reads it back."""

import time
from tempfile import TemporaryDirectory

from tastemill import logs
from tastemill.doctor.check import Check
from tastemill.errors import TastemillError

NAME = "Delta on Spark"
ROWS = 3


def delta_write() -> Check:
    """Start Spark, send rows through a Python worker into a table, count what is there."""
    start = time.monotonic()
    try:
        rows = _written()
    # Of whatever kind: it is what the check is there to find.
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        log = logs.tell(error)
        fix = error.fix if isinstance(error, TastemillError) else ""
        step = "; ".join(filter(None, [fix, f"log: {log}" if log else ""]))
        return Check(NAME, "missing", first[:300], f"{ROWS} rows written and read", step)
    found = f"{rows} rows written and read in {time.monotonic() - start:.1f} s"
    return Check(NAME, "ok" if rows == ROWS else "missing", found, f"{ROWS} rows")


def _written() -> int:
    from tastemill import tables  # noqa: PLC0415 - Spark may be missing
    from tastemill.config.load import Request, load_config  # noqa: PLC0415
    from tastemill.delta import Warehouse  # noqa: PLC0415
    from tastemill.session import build_session  # noqa: PLC0415

    spark = build_session(load_config(Request()).session, "tastemill doctor")
    table = tables.CATEGORY_INDEX
    numbers = spark.range(ROWS).selectExpr("string(id) AS category", "int(id) AS category_idx")
    # mapInArrow: nothing else would show that workers find Python and pyarrow.
    rows = numbers.mapInArrow(lambda batches: batches, numbers.schema)
    with TemporaryDirectory(prefix="tastemill-doctor-") as folder:
        warehouse = Warehouse(spark, folder, "doctor")
        warehouse.append_once(table, rows, "doctor", 0)
        return warehouse.read(table).count()
