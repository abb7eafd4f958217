"""Jobs the database shows as running here that nobody runs: their claim's answer was lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from procrastinate_tasks.engine.children import Children
from procrastinate_tasks.engine.frames import RunEnd
from procrastinate_tasks.engine.settlements import Finished, Settlements
from procrastinate_tasks.results import Outcome


class Strays:
    """Compares what each beat says with what runs. A job missing here for three beats is given back.

    One beat proves nothing: a claim may be committed and its answer still on the way.
    """

    _BEATS = 3

    def __init__(self, *, children: Children, settlements: Settlements) -> None:
        self._children = children
        self._settlements = settlements
        self._seen: dict[int, int] = {}

    def note(self, held: Mapping[int, int], *, worker_id: int) -> None:
        """Takes in what the database believes: attempts by job id."""
        missing = held.keys() - self._children.attempts_by_job().keys() - self._settlements.job_ids()
        self._seen = {job_id: self._seen.get(job_id, 0) + 1 for job_id in missing}
        strays = [job_id for job_id, beats in self._seen.items() if beats >= self._BEATS]
        self._settlements.add(Finished(_end_of_stray(job_id, held[job_id], worker_id)) for job_id in strays)


def _end_of_stray(job_id: int, attempts: int, worker_id: int) -> RunEnd:
    now = datetime.now(UTC)
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
        retry_at=now,
    )
