"""Number of cores that this process may use: a container's share of them, not the machine's."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def count_cores(cgroups: Path = CGROUPS) -> int:
    """Return the number of cores that this process may use, at least 1: those that the system lets it run on, and of
    these as many as the CPU quota of its container pays for in full."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(cores, _quota(cgroups))))  # of 1.5 cores one: a thread without its time holds up all


def _quota(cgroups: Path) -> float:
    """Return the CPU quota of a container in cores, infinity if it has none.

    Inside a container its own group lies at the root: `cpu.max` with quota and period in version 2 of cgroups, one file
    each in version 1, where a quota of -1 is none.
    """
    version_1 = cgroups / "cpu"
    for files in ([cgroups / "cpu.max"], [version_1 / "cpu.cfs_quota_us", version_1 / "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join(file.read_text() for file in files).split()
            if quota != "max" and int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):  # another version, or another system
            continue
    return math.inf
