"""What is stored, as a newcomer sees it."""

from tastemill.delta import Warehouse
from tastemill.tables import ALL


def table_versions(warehouse: Warehouse) -> dict[str, int]:
    """The newest version of every table that is there, read anew."""
    fresh = Warehouse(warehouse.spark, warehouse.location, warehouse.dataset)
    return {t.name: fresh.history(t)[0].version for t in ALL if fresh.exists(t)}
