"""What a machine has of what Tastemill needs; starts no Spark, and needs no package itself."""

from tastemill.doctor.check import Check, healthy, tried
from tastemill.doctor.machine import cores, disk, gpu, memory, temporary_files
from tastemill.doctor.packages import packages
from tastemill.doctor.proof import delta_write
from tastemill.doctor.software import delta_jars, java, python, spark_home

__all__ = ["Check", "examined", "healthy"]


def examined(warehouse: str, *, with_spark: bool = False) -> list[Check]:
    """Every check, whatever is missing.

    Args:
        warehouse: where the tables would go.
        with_spark: also start Spark and write and read a small Delta table.
    """
    found = [
        *tried("Python", python),
        *tried("Java", java),
        *tried("packages", packages),
        *tried("Spark", spark_home),
        *tried("Delta's JARs", delta_jars),
        *tried("GPU", gpu),
        *tried("memory", memory),
        *tried("cores", cores),
        *tried("warehouse", lambda: disk("warehouse", warehouse)),
        *tried("temporary files", temporary_files),
    ]
    return [*found, *(tried("Delta on Spark", delta_write) if with_spark else [])]
