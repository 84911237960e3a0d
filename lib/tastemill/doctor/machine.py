"""Memory, cores, disks and GPUs."""

import os
import shutil
import tempfile
from pathlib import Path

from tastemill.doctor.check import Check, Status

GIB = 2**30
LEAST_MEMORY = 3.0  # of driver and JVM on the shipped data: 2.4 GiB
LEAST_CORES = 2
LEAST_DISK, FULL_DISK = 2.0, 0.2
CGROUP = Path("/sys/fs/cgroup/memory.max")
MEMINFO = Path("/proc/meminfo")
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


def memory() -> Check:
    """What is free, and within what the machine or the container has."""
    free, total = _memory_bytes()
    found = f"{free / GIB:.1f} GiB free of {total / GIB:.1f}"
    if free / GIB >= LEAST_MEMORY:
        return Check("memory", "ok", found, f"{LEAST_MEMORY:.0f} GiB free")
    fix = "end other programs, or lower spark.driver.memory under [session.conf]"
    return Check("memory", "warn", found, f"{LEAST_MEMORY:.0f} GiB free", fix)


def cores() -> Check:
    """Cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    count = len(usable(0)) if usable else os.cpu_count() or 1
    enough = count >= LEAST_CORES
    return Check("cores", "ok" if enough else "warn", str(count), f"{LEAST_CORES} or more")


def disk(name: str, place: str) -> Check:
    """Room where a folder is, or would be made."""
    if "://" in place or ("/" not in place and place.count(".") == 1):
        return Check(name, "ok", f"{place} is no local folder and was not looked at")
    folder = Path(place).expanduser().resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        fix = "check that it is a folder and that you may write there, or name another"
        return Check(name, "missing", f"{there} can't be written", "a folder to write in", fix)
    free = shutil.disk_usage(there).free / GIB
    status: Status = "ok" if free >= LEAST_DISK else "warn" if free >= FULL_DISK else "missing"
    fix = "" if status == "ok" else "free space, or name another folder"
    return Check(name, status, f"{free:.1f} GiB free at {there}", f"{LEAST_DISK:.0f} GiB free", fix)


def temporary_files() -> Check:
    """Where Spark keeps what doesn't fit into memory."""
    return disk("temporary files", os.environ.get("SPARK_LOCAL_DIRS") or tempfile.gettempdir())


def gpu() -> Check:
    """CUDA devices as torch sees them, where the machine has any; none are needed."""
    if not _has_driver():
        return Check("GPU", "ok", "none; networks are trained on the CPU", "none needed")
    try:
        import torch  # noqa: PLC0415 - slow, and perhaps missing
    except ImportError:
        return Check("GPU", "ok", "not used without torch", "none needed")
    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())}
        found = f"{torch.cuda.device_count()} × {', '.join(sorted(names))}"
        return Check("GPU", "ok", found, "none needed")
    fix = "install a torch built for the GPU's driver"
    return Check("GPU", "warn", f"a driver, but torch {torch.__version__} sees none", fix=fix)


def _has_driver() -> bool:
    """Whether there is a sign of a GPU: torch takes seconds to import, only to find none."""
    return any(place.exists() for place in DRIVERS) or shutil.which("nvidia-smi") is not None


def _memory_bytes() -> tuple[int, int]:
    """(free, total), the lesser of the machine's and of the container's limit."""
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    total = free = page * pages
    if MEMINFO.exists():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = CGROUP.read_text().strip() if CGROUP.exists() else "max"
    if limit.isdigit():
        used = CGROUP.with_name("memory.current")
        taken = int(used.read_text()) if used.exists() else 0
        total, free = min(total, int(limit)), min(free, int(limit) - taken)
    return max(free, 0), total
