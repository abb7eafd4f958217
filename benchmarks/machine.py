"""What a benchmark ran on: processor, memory, versions, and how busy the machine was."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("django", "procrastinate", "psycopg")


def describe_machine() -> str:
    """Return processor, cores and memory in one line."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GB; {system}"


def describe_versions(others: Mapping[str, str]) -> str:
    """Return the versions of what takes part; ``others`` are those that only its owner can tell."""
    own = {"Python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    return ", ".join(f"{name} {number}" for name, number in {**own, **others}.items())


def describe_load(averages: Iterable[float]) -> str:
    """Return the load averages (one minute) before each round and at the end."""
    return "load average before, between and after the rounds: " + ", ".join(f"{one:.1f}" for one in averages)


def load_average() -> float:
    return os.getloadavg()[0]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.machine()
