"""One run at a time on a warehouse: a lease in Delta, renewed while its holder works.

Taking it is a compare-and-set on one row, so of two that try at once Delta lets one win. Each
holder's fence is one higher than the last one's. Before every commit the holder makes sure that
the lease is still its own; one that was held up until it ran out finds another's fence there and
stops. A holder that died ends its lease at once for those on its machine, and for others when it
runs out. Clocks of machines may differ by far less than the lease lasts.
"""

import getpass
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import Row

from tastemill.delta import Warehouse
from tastemill.errors import BusyError
from tastemill.tables import LEASES

LINE = "line"
LASTS_S = 300.0
RENEWALS = 3  # in the time that a lease lasts


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, for people and for a look at whether it still lives."""

    label: str
    machine: str
    process: str

    @staticmethod
    def here(run: str) -> "Holder":
        """This process."""
        pid = os.getpid()
        label = f"{_user()} on {platform.node()}, process {pid}, run {run}"
        return Holder(label, _machine(), f"{pid} {_began(pid)}")


class Lease:
    """The right of one holder to write."""

    def __init__(self, warehouse: Warehouse, holder: Holder, lasts_s: float = LASTS_S) -> None:
        # An object of its own: renewing must not wait for the lease to be checked.
        self._warehouse = Warehouse(warehouse.spark, warehouse.location, warehouse.dataset)
        self.holder, self.lasts_s = holder, lasts_s
        self.fence = 0  # 0: not held
        self._sure_until = 0.0  # by this process's monotonic clock
        self._over = threading.Event()
        self._lock = threading.Lock()

    @property
    def held(self) -> bool:
        """Whether it was taken and not given back."""
        return self.fence > 0

    def take(self) -> None:
        """Take the lease and begin to renew it.

        Raises:
            BusyError: who holds it, since when, and when it ends.
        """
        self._warehouse.create(LEASES)
        while not self.held:
            row = self._stored()
            if row is not None and _is_live(row):
                raise _busy(row)
            last = row["fence"] if row is not None else 0
            if self._write(last + 1, f"t.fence = {last}", datetime.now(UTC)):
                self.fence = last + 1
        self._over.clear()
        threading.Thread(target=self._renew_now_and_then, name="lease", daemon=True).start()

    def check(self) -> None:
        """Raise unless the lease is still this holder's.

        Raises:
            BusyError: it ran out, and another run has taken it.
        """
        if time.monotonic() >= self._sure_until:
            self._renew()

    def give_back(self) -> None:
        """End it now; nothing happens where it isn't held."""
        if not self.held:
            return
        self._over.set()
        with self._lock:
            self._write(self.fence, self._mine, None)
            self.fence = 0

    @property
    def _mine(self) -> str:
        return f"t.fence = {self.fence}"

    def _renew_now_and_then(self) -> None:
        while not self._over.wait(self.lasts_s / RENEWALS):
            # Where it fails, the check before the next commit says so.
            with suppress(Exception):
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            while self.held and not self._write(self.fence, self._mine, self._since):
                row = self._stored()
                if row is not None and row["fence"] != self.fence:
                    self._sure_until = 0.0
                    raise _taken_over(row)

    def _stored(self) -> Row | None:
        return self._warehouse.read(LEASES).where(f"name = '{LINE}'").first()

    def _write(self, fence: int, unchanged: str, since: datetime | None) -> bool:
        """Write the row; no `since` gives the lease back."""
        began, now = time.monotonic(), datetime.now(UTC)
        if since is not None:
            self._since = since
        ends = now + timedelta(seconds=self.lasts_s if since is not None else 0)
        who = (self.holder.label, self.holder.machine, self.holder.process)
        values = (LINE, fence, *who, self._since, ends)
        row = self._warehouse.spark.createDataFrame([values], LEASES.schema)
        written = self._warehouse.compare_and_set(LEASES, row, unchanged)
        if written:
            self._sure_until = began + self.lasts_s
        return written


@contextmanager
def held(warehouse: Warehouse, run: str) -> Iterator[Lease]:
    """Hold the lease of a warehouse while something writes to it."""
    lease = Lease(warehouse, Holder.here(run))
    lease.take()
    warehouse.before_commit(lease.check)
    try:
        yield lease
    finally:
        lease.give_back()


def _is_live(row: Row) -> bool:
    """Whether the holder may still be at work."""
    ends: datetime = row["expires_at"]
    if ends.astimezone(UTC) <= datetime.now(UTC):
        return False
    pid, _, began = row["process"].partition(" ")
    return bool(row["machine"] != _machine() or _began(int(pid)) == began)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _machine() -> str:
    """This boot of this machine and its process numbers; a container has numbers of its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{platform.node()} without /proc"


def _began(pid: int) -> str:
    """When a process began, in ticks since boot; empty where there is none such."""
    try:
        # Field 22; the name before it, in parentheses, may hold blanks.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "" if Path("/proc/self").exists() else "unknown"


def _utc(at: datetime) -> str:
    """A time as Spark gives it, in this machine's zone, as people on all machines read it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _busy(row: Row) -> BusyError:
    return BusyError(
        "another run works on this warehouse",
        expected="one run at a time",
        found=f"{row['holder']}, since {_utc(row['since'])} UTC",
        fix=(
            "wait until it is over; if its machine is gone, its lease ends at "
            f"{_utc(row['expires_at'])} UTC"
        ),
    )


def _taken_over(row: Row) -> BusyError:
    return BusyError(
        "this run's lease ran out and another run has taken over; nothing was written since",
        found=f"{row['holder']}, since {_utc(row['since'])} UTC",
        fix="let the other run finish",
    )
