"""Records finished runs, many in one statement, and never forgets one that the database has not confirmed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any, NamedTuple

from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import retry_clash_async
from procrastinate_tasks.jobs import job_log
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.jobs.log_context import log_fields
from procrastinate_tasks.jobs.recording import COMPLETE_JOBS, Portions, encode, why_refused
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.worker.connection import Query, WorkerConnection

logger = logging.getLogger(__name__)

_WITHIN = timedelta(seconds=15)


_MOST_IN_ONE = 200


# No job is claimed while an end waits for longer than this to be recorded.
LONGEST_WAIT_SECONDS = 10.0


_APART_SECONDS = 15.0


class Waiting(NamedTuple):
    """A finished run on its way into the database; the assignment is for its log line."""

    end: Completion
    assignment: ClaimedJob | None = None


class _Waiting(NamedTuple):
    """A finished run that the database has not confirmed; ``since`` is on the monotonic clock."""

    since: float
    finished: Waiting
    is_told: bool = False


class Along:
    """Ends that a claim takes along."""

    def __init__(self, loop: CompletionLoop, batch: Mapping[int, _Waiting]) -> None:
        self._loop = loop
        self._batch = batch
        self._ends = [each.finished.end for each in batch.values()]

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def query(self) -> Query:
        """The statement that records them; to be sent at once."""
        return self._loop._query(self._ends)

    def confirm(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Takes in what the database answered, in a transaction that is committed."""
        self._loop._confirm(self._ends, self._batch, _read(rows))


class CompletionLoop:
    """Waiting runs on their way into the database; ``add`` takes them in, ``run_once`` records them.

    A claim may take ends ``along``: then a slot costs one round trip a job, instead of two.

    An end that the database refuses is recorded in our words; one that it refuses even so is kept apart and
    tried again now and then.
    """

    def __init__(self, link: WorkerConnection, *, delete_jobs: DeleteJobCondition) -> None:
        self._link = link
        self._delete_jobs = delete_jobs
        self._release = queue_settings().release
        self._host = socket.gethostname()
        self._waiting: dict[int, _Waiting] = {}  # by job id, the oldest first
        self._apart: dict[int, _Waiting] = {}
        self._try_apart_at = 0.0
        self._on_the_way: set[int] = set()
        self._needs_care = False
        self._has_work = asyncio.Event()
        self._recording = asyncio.Lock()
        self._claiming = asyncio.Lock()

    def __len__(self) -> int:
        """How many jobs have ended here and are ``doing`` in the database: each keeps its slot."""
        return len(self._waiting) + len(self._apart)

    @property
    def is_empty(self) -> bool:
        """Whether the database has confirmed every run that was added, but for those it refuses for good."""
        return not self._waiting

    @property
    def is_overdue(self) -> bool:
        """Whether an end waits for so long that no more jobs should be claimed."""
        since = _oldest(self._waiting)
        return since is not None and time.monotonic() - since > LONGEST_WAIT_SECONDS

    @property
    def waits_since(self) -> float | None:
        """Since when the oldest end waits, on the monotonic clock."""
        return min(filter(None, (_oldest(self._waiting), _oldest(self._apart))), default=None)

    def job_ids(self) -> set[int]:
        """The jobs whose end the database has not confirmed yet."""
        return self._waiting.keys() | self._apart.keys()

    @property
    def at_hand(self) -> int:
        """How many ends a claim may take along."""
        return 0 if self._needs_care else min(_MOST_IN_ONE, len(self._waiting) - len(self._on_the_way))

    def add(self, finished: Iterable[Waiting], *, left_to_claim: bool = False) -> None:
        """Takes finished runs in; ``left_to_claim`` if a claim is about to take them along."""
        now = time.monotonic()
        for each in finished:
            self._waiting[each.end.job_id] = _Waiting(now, each)
        if not left_to_claim:
            self.wake()

    def wake(self) -> None:
        """Has the ends recorded that are not on their way: no claim will take them along."""
        if len(self._waiting) > len(self._on_the_way):
            self._has_work.set()

    def try_refused_again(self) -> None:
        """Has those recorded again that the database refused: a right, or a trigger, may have changed."""
        self._waiting, self._apart = self._apart | self._waiting, {}
        self.wake()

    def forget(self, job_ids: Set[int]) -> None:
        """Drops the ends of jobs that were claimed again: the database has them, though it never said so."""
        for job_id in job_ids & self.job_ids():
            self._waiting.pop(job_id, None)
            self._apart.pop(job_id, None)

    def attempts_by_job(self) -> dict[int, int]:
        """Every job whose end the database has not confirmed yet, with the attempt it was claimed at."""
        return {job_id: each.finished.end.attempts for job_id, each in (self._apart | self._waiting).items()}

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Keeps ends from being sent while the block runs: only then may claims be renamed."""
        async with self._recording, self._claiming:
            yield

    def rename_claims(self, job_ids: Set[int], *, worker_id: int) -> None:
        """Puts ends under another worker id, under which the database has their jobs now."""
        for kept in (self._waiting, self._apart):
            for job_id in kept.keys() & job_ids:
                end = kept[job_id].finished.end._replace(worker_id=worker_id)
                kept[job_id] = kept[job_id]._replace(finished=kept[job_id].finished._replace(end=end))

    async def open(self) -> None:
        """Makes sure that there is a session to settle through.

        Raises:
            psycopg.Error, TimeoutError: There is none.
        """
        await self._link.open()

    async def run_once(self) -> bool:
        """Settles what has gathered, and says whether a lock was set free.

        On a fault of the database everything stays gathered that it has not confirmed.

        What the database does not accept was lost to another worker, or settled by an earlier statement whose
        answer never came.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._try_apart_at if self._apart else None):
                await self._has_work.wait()
        if self._apart and loop.time() >= self._try_apart_at:
            self.try_refused_again()
        self._has_work.clear()
        try:
            return await self._settle_batch(self._link)
        finally:
            self.wake()

    async def settle_through(self, link: WorkerConnection) -> None:
        """Settles everything through another session, for want of one of its own.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        while self._waiting:
            await self._settle_batch(link)

    @contextlib.asynccontextmanager
    async def along(self, *, most: int) -> AsyncIterator[Along]:
        """Lends ends to a claim, which records them in its own transaction.

        When the database refuses a value, neither has happened: the block ends without an error, and until
        nothing waits any more ends are recorded by themselves.
        """
        batch: Mapping[int, _Waiting] = {}
        try:
            async with self._claiming:
                with self._sent(min(most, self.at_hand)) as batch:
                    yield Along(self, batch)
        except Exception as fault:
            if not batch or why_refused(fault) is None:
                raise
            self._needs_care = True
            self.wake()

    @contextlib.contextmanager
    def _sent(self, most: int) -> Iterator[dict[int, _Waiting]]:
        """Lends the oldest ends that are not on their way yet; nobody else sends them meanwhile."""
        left = (item for item in self._waiting.items() if item[0] not in self._on_the_way)
        batch = dict(itertools.islice(left, most))
        self._on_the_way |= batch.keys()
        try:
            yield batch
        finally:
            self._on_the_way -= batch.keys()

    async def _settle_batch(self, link: WorkerConnection) -> bool:
        async with self._recording:
            with self._sent(_MOST_IN_ONE) as batch:
                await self._settle_in_portions(link, batch)
            if not self._waiting:
                self._needs_care = False
        assignments = (each.finished.assignment for each in batch.values())
        return any(assignment is not None and assignment.lock for assignment in assignments)

    async def _settle_in_portions(self, link: WorkerConnection, batch: Mapping[int, _Waiting]) -> None:
        portions = Portions([each.finished.end for each in batch.values()])
        while (portion := portions.next) is not None:
            try:
                settled = await self._settle(link, portion)
            except Exception as fault:
                if (reason := why_refused(fault)) is None:
                    raise
                portions.refuse(reason)
            else:
                portions.accept()
                self._confirm(portion, batch, settled)
        self._set_apart(batch[end.job_id] for end in portions.refused_for_good)

    def _confirm(
        self, ends: Sequence[Completion], batch: Mapping[int, _Waiting], settled: Mapping[int, Recorded]
    ) -> None:
        for end in ends:
            self._forget_one(batch[end.job_id])
        for end in ends:
            log_end(batch[end.job_id].finished.assignment, end, settled.get(end.job_id))

    def _forget_one(self, confirmed: _Waiting) -> None:
        """The job may have been claimed meanwhile, and have ended again."""
        job_id = confirmed.finished.end.job_id
        if self._waiting.get(job_id) is confirmed:
            del self._waiting[job_id]

    def _set_apart(self, refused: Iterable[_Waiting]) -> None:
        for each in refused:
            if not self._apart:
                self._try_apart_at = asyncio.get_running_loop().time() + _APART_SECONDS
            self._forget_one(each)
            if not each.is_told:
                logger.error(
                    "The database refuses every end of job %d, which ran. It keeps its slot, and its end"
                    " is tried again every %g s",
                    each.finished.end.job_id,
                    _APART_SECONDS,
                )
            self._apart[each.finished.end.job_id] = each._replace(is_told=True)

    async def _settle(self, link: WorkerConnection, ends: Sequence[Completion]) -> dict[int, Recorded]:
        query = self._query(ends)
        # A job with the same queueing lock may be committed while the statement runs.
        rows = await retry_clash_async(lambda: link.fetch(*query, within=_WITHIN))
        return _read(rows)

    def _query(self, ends: Sequence[Completion]) -> Query:
        return Query(COMPLETE_JOBS, {"ends": encode(map(self._columns_of, ends))})

    def _columns_of(self, end: Completion) -> dict[str, object]:
        own = {"host": self._host, "release": self._release, "deletes_job": self._deletes(end)}
        return end._asdict() | own

    def _deletes(self, end: Completion) -> bool:
        if self._delete_jobs is DeleteJobCondition.SUCCESSFUL:
            return end.status == "succeeded"
        return self._delete_jobs is DeleteJobCondition.ALWAYS


def _oldest(kept: Mapping[int, _Waiting]) -> float | None:
    """Ends come in the order of their time."""
    return next((each.since for each in kept.values()), None)


def _read(rows: Iterable[tuple[Any, ...]]) -> dict[int, Recorded]:
    return {
        job_id: Recorded(job_id=job_id, status=status, outcome=Outcome(outcome), sibling_id=sibling_id)
        for job_id, status, outcome, sibling_id, *_ in rows
    }


def log_end(assignment: ClaimedJob | None, end: Completion, settled: Recorded | None) -> None:
    """Writes the line, with the job's fields on it. ``settled`` is None for a run the database refused."""
    if assignment is None or _is_unheard(settled):
        return
    job = procrastinate_job(assignment)
    with log_fields(job):
        if settled is None:
            job_log.log_lost(job)
            return
        job_log.log_settled(end, settled)


def _is_unheard(settled: Recorded | None) -> bool:
    """Whether nobody would read the line: at thousands of successes a second that is worth asking."""
    is_success = settled is not None and settled.outcome is Outcome.SUCCEEDED
    return is_success and not job_log.logger.isEnabledFor(logging.INFO)
