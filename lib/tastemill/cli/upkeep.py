"""Commands to begin a release with: what the machine lacks, what older tables need."""

from typing import Annotated

import typer

from tastemill import console
from tastemill.cli.options import AsJson, Dataset, Place, opened


def doctor(
    warehouse: Annotated[
        str, typer.Option("--warehouse", help="Folder that the tables would go to.")
    ] = "warehouse",
    spark: Annotated[
        bool, typer.Option("--spark", help="Also start Spark and write a tiny Delta table.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What this machine has of what Tastemill needs, and how to get the rest.

    Example: tastemill doctor --spark
    """
    from tastemill.doctor import examined, healthy  # noqa: PLC0415

    checks = examined(warehouse, with_spark=spark)
    console.show("This machine", [check.row for check in checks], as_json=as_json)
    if not healthy(checks):
        raise typer.Exit(1)


def migrate(dataset: Dataset, warehouse: Place = "", as_json: AsJson = False) -> None:
    """Bring tables that an older release wrote to today's contracts; never back.

    Example: tastemill migrate --dataset completejourney
    """
    from tastemill.lease import held  # noqa: PLC0415 - Spark is slow to import
    from tastemill.migrations import migrate as migrated  # noqa: PLC0415

    place = opened(dataset, warehouse)
    with held(place, "migrate"):
        steps = [{"step": step} for step in migrated(place)]
    console.show("Steps taken", steps, as_json=as_json)
