"""One run at a time: who holds the lease, how it ends, and that a late holder writes nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.errors import BusyError
from tastemill.lease import Holder, Lease, held

pytestmark = pytest.mark.slow
ELSEWHERE = Holder("somebody on another machine", "another boot", "1 1")


@pytest.fixture
def warehouse(spark: SparkSession, tmp_path: Path) -> Warehouse:
    return Warehouse(spark, str(tmp_path / "warehouse"), "toy")


def slots(spark: SparkSession, n: int) -> object:
    row = (datetime(2020, 1, 1).date(), n, "a", 1)
    return spark.createDataFrame([row], tables.CATEGORY_SLOTS.schema)


def test_the_second_is_told_who_holds_it_and_since_when(warehouse: Warehouse) -> None:
    first = Lease(warehouse, ELSEWHERE)
    first.take()
    with pytest.raises(BusyError, match=r"somebody on another machine, since 20"):
        Lease(warehouse, Holder.here("second")).take()
    first.give_back()
    second = Lease(warehouse, Holder.here("second"))
    second.take()
    assert second.fence == 2
    second.give_back()


def test_of_many_that_try_at_once_one_wins(warehouse: Warehouse) -> None:
    for _ in range(2):  # the first time nobody has held it: all would insert
        leases = [Lease(warehouse, Holder(f"n{n}", "another boot", f"{n} 1")) for n in range(4)]

        def take(lease: Lease) -> bool:
            try:
                lease.take()
            except BusyError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(take, leases))
        assert won.count(True) == 1
        assert warehouse.read(tables.LEASES).count() == 1
        leases[won.index(True)].give_back()


def test_a_holder_that_ran_out_is_replaced_and_then_writes_nothing(
    spark: SparkSession, warehouse: Warehouse
) -> None:
    late = Lease(warehouse, ELSEWHERE, lasts_s=0.0)
    late._renew_now_and_then = lambda: None  # type: ignore[method-assign] # its threads stand still
    late.take()
    warehouse.before_commit(late.check)
    other = Lease(warehouse, Holder.here("other"))
    other.take()
    assert other.fence == late.fence + 1
    with pytest.raises(BusyError, match="another run has taken over"):
        warehouse.merge(tables.CATEGORY_SLOTS, slots(spark, 1))
    assert Warehouse(spark, warehouse.location, "toy").read(tables.CATEGORY_SLOTS).count() == 0
    other.give_back()


def test_one_that_runs_out_with_nobody_waiting_goes_on(warehouse: Warehouse) -> None:
    lease = Lease(warehouse, Holder.here("slow"), lasts_s=0.0)
    lease.take()
    lease.check()
    lease.give_back()


def test_a_dead_process_of_this_machine_holds_nothing(warehouse: Warehouse) -> None:
    code = "from tastemill.lease import Holder; print(Holder.here('gone').process)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = Holder.here("next")
    dead = Lease(warehouse, Holder("gone", here.machine, done.stdout.strip()))
    dead.take()
    dead._over.set()
    lease = Lease(warehouse, here)
    lease.take()
    assert lease.fence == 2
    lease.give_back()


def test_it_is_renewed_while_its_holder_works(warehouse: Warehouse) -> None:
    with held(warehouse, "work") as lease:
        lease.lasts_s = 60.0
        lease._renew()
        row = warehouse.read(tables.LEASES).first()
        assert row is not None
        ends = row["expires_at"].astimezone(UTC)
        assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(seconds=60)
        assert row["since"] <= row["expires_at"]
    row = warehouse.read(tables.LEASES).first()
    assert row is not None
    assert row["expires_at"].astimezone(UTC) <= datetime.now(UTC)
