"""How long work stood still after each fault, and how long jobs that were cut off waited to run again."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from itertools import pairwise

from tests.workers.storm.faults import Strike
from tests.workers.storm.ledger import Run
from tests.workers.storm.plan import FaultKind


def longest_standstills(
    *, strikes: list[Strike], runs: list[Run], ends_at: float
) -> dict[FaultKind, list[float]]:
    """Seconds from one finished run to the next: the longest such time after each strike, until the next one.

    Args:
        ends_at: when the load ended, after which standing still proves nothing.
    """
    ends = sorted(run.ended_at for run in runs if run.is_complete and run.ended_at is not None)
    limits = [*(strike.at for strike in strikes), ends_at]
    standstills: dict[FaultKind, list[float]] = defaultdict(list)
    for strike, until in zip(strikes, limits[1:], strict=True):
        until = max(until, strike.at)
        within = ends[bisect_right(ends, strike.at) : bisect_right(ends, until)]
        points = [strike.at, *within, until]
        standstills[strike.kind].append(max(after - before for before, after in pairwise(points)))
    return standstills


def waits_for_another_run(*, strikes: list[Strike], runs: list[Run]) -> dict[FaultKind, list[float]]:
    """Seconds from the strike that cut a run off to the beginning of the same job's next run."""
    by_job: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_job[run.job_id].append(run)
    instants = [strike.at for strike in strikes]
    waits: dict[FaultKind, list[float]] = defaultdict(list)
    for runs_of_job in by_job.values():
        for cut_off, following in pairwise(runs_of_job):
            last = bisect_right(instants, following.began_at) - 1
            if cut_off.ended_at is None and last >= 0 and instants[last] >= cut_off.began_at:
                waits[strikes[last].kind].append(following.began_at - instants[last])
    return waits
