"""Compares what the database believes this worker runs with what it does run, at each beat."""

from __future__ import annotations

import logging
import time

from procrastinate_tasks.engine.children import Children
from procrastinate_tasks.engine.heartbeat import Beat
from procrastinate_tasks.engine.settlements import Finished, Settlements
from procrastinate_tasks.engine.staff import Staff
from procrastinate_tasks.exchange.frames import RunEnd
from procrastinate_tasks.results import Outcome

logger = logging.getLogger(__name__)

# One beat proves nothing: a claim may be committed and its answer still on the way.
_BEATS = 3


class ClaimAudit:
    """Gives back stray jobs, whose claim's answer never came, and stops those that others took over."""

    def __init__(self, *, children: Children, settlements: Settlements, staff: Staff) -> None:
        self._children = children
        self._settlements = settlements
        self._staff = staff
        self._beats_missing: dict[int, int] = {}

    def compare(self, beat: Beat, *, worker_id: int) -> None:
        """Takes in one beat."""
        self._return_strays(beat, worker_id)
        started_before = self._children.started_before(beat.sent)
        self._staff.stop_lost(started_before - beat.held.keys())

    def _return_strays(self, beat: Beat, worker_id: int) -> None:
        missing = beat.held.keys() - self._children.attempts_by_job().keys() - self._settlements.job_ids()
        self._beats_missing = {job_id: self._beats_missing.get(job_id, 0) + 1 for job_id in missing}
        strays = [job_id for job_id, beats in self._beats_missing.items() if beats == _BEATS]
        if strays:
            logger.warning("The answer to a claim never came; these jobs are given back: %s", strays)
        self._settlements.add(Finished(_end_of_stray(each, beat.held[each], worker_id)) for each in strays)


def _end_of_stray(job_id: int, attempts: int, worker_id: int) -> RunEnd:
    """The end of a run that never began; task and queue are for the job's row to tell."""
    now = time.monotonic()
    return RunEnd(
        job_id=job_id,
        worker_id=worker_id,
        attempts=attempts,
        status="todo",
        outcome=Outcome.INTERRUPTED.value,
        task_name="",
        queue_name="",
        started_at=now,
        finished_at=now,
        counts_attempt=False,
    )
