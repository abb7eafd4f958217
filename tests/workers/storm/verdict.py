"""Judges the evidence: what was lost, stuck, finished twice, out of order, over its limit. Decides purely."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import pairwise

from tests.workers.storm.evidence import Evidence, StoredJob
from tests.workers.storm.ledger import Run
from tests.workers.storm.orders import AT_A_TIME, PER_SECOND, JobKind, Order

_UNFINISHED = ("todo", "doing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Each field lists, in words, what broke that promise."""

    lost: list[str]
    stuck: list[str]
    finished_twice: list[str]
    out_of_order: list[str]
    over_limit: list[str]

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, field.name) for field in fields(self))

    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        return [complaint for field in fields(self) for complaint in getattr(self, field.name)]


def judge(evidence: Evidence) -> Verdict:
    """Compares what was ordered with what the tasks noted and what the queue recorded."""
    return Verdict(
        lost=[*_never_stored(evidence), *_without_a_run(evidence), *_without_effect(evidence)],
        stuck=list(_stuck(evidence)),
        finished_twice=[*_stored_twice(evidence), *_recorded_twice(evidence)],
        out_of_order=list(_out_of_order(evidence)),
        over_limit=[*_too_many_at_a_time(evidence), *_too_many_a_second(evidence)],
    )


def _never_stored(evidence: Evidence) -> Iterator[str]:
    stored = {job.order for job in evidence.jobs}
    follows = (Order(JobKind.FOLLOW, key) for key in evidence.effects)
    for order in [*evidence.ordered, *follows]:
        if order not in stored:
            yield f"{order.kind.value} {order.key} was ordered and is in no table"


def _without_a_run(evidence: Evidence) -> Iterator[str]:
    """A job's success has to be that of a run that the task itself noted as complete."""
    complete = {run.id: run for run in evidence.runs if run.is_complete}
    for job in evidence.jobs:
        if job.status in _UNFINISHED:
            continue
        if job.status != "succeeded":
            yield f"{_name(job)} ended as {job.status}"
        elif not job.accepted:
            yield f"{_name(job)} is called succeeded, and no attempt of it is"
        elif any(run_id not in complete or complete[run_id].job_id != job.id for run_id in job.accepted):
            yield f"{_name(job)} is called succeeded, and its task never noted the end of that run"


def _without_effect(evidence: Evidence) -> Iterator[str]:
    effects = set(evidence.effects)
    for job in evidence.jobs:
        if job.order.kind is JobKind.WRITE and job.status == "succeeded" and job.order.key not in effects:
            yield f"{_name(job)} succeeded and left no row"


def _stuck(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job.status in _UNFINISHED:
            yield f"{_name(job)} is still {job.status}"
    if evidence.other_jobs_doing:
        yield f"{evidence.other_jobs_doing} jobs of the project are still doing"


def _stored_twice(evidence: Evidence) -> Iterator[str]:
    """An order in two jobs: what a task defers in its transaction has to come once, as its effect does."""
    for order, count in Counter(job.order for job in evidence.jobs).items():
        if count > 1:
            yield f"{order.kind.value} {order.key} is in {count} jobs"
    for key, count in Counter(evidence.effects).items():
        if count > 1:
            yield f"the row of storm.write {key} is there {count} times"


def _recorded_twice(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if len(job.accepted) > 1 or job.success_events > 1:
            yield f"{_name(job)} finished {max(len(job.accepted), job.success_events)} times"


def _out_of_order(evidence: Evidence) -> Iterator[str]:
    """Of the jobs with one lock, the runs that counted come in the order of the jobs, one after another."""
    for lock, runs in _counted_runs_by_lock(evidence).items():
        for (earlier_job, earlier), (later_job, later) in pairwise(runs):
            assert earlier.ended_at is not None
            if later.began_at < earlier.ended_at:
                yield f"{lock}: job {later_job} began before job {earlier_job} had ended"


def _counted_runs_by_lock(evidence: Evidence) -> dict[str, list[tuple[int, Run]]]:
    by_id = {run.id: run for run in evidence.runs if run.is_complete}
    locked: dict[str, list[tuple[int, Run]]] = defaultdict(list)
    for job in sorted(evidence.jobs, key=lambda job: job.id):
        if job.order.lock is not None:
            locked[job.order.lock] += [(job.id, by_id[each]) for each in job.accepted if each in by_id]
    return locked


def _too_many_at_a_time(evidence: Evidence) -> Iterator[str]:
    seen = evidence.most_narrow_at_a_time
    if seen > AT_A_TIME:
        yield f"{seen} jobs of the queue limited to {AT_A_TIME} were doing at a time"
    counted = most_at_a_time(_counted_runs_of(evidence, JobKind.NARROW))
    if counted > AT_A_TIME:
        yield f"{counted} runs of the queue limited to {AT_A_TIME} ran at a time"


def _counted_runs_of(evidence: Evidence, kind: JobKind) -> list[Run]:
    accepted = {each for job in evidence.jobs if job.order.kind is kind for each in job.accepted}
    return [run for run in evidence.runs if run.id in accepted]


def _too_many_a_second(evidence: Evidence) -> Iterator[str]:
    most = most_within(evidence.slow_starts, timedelta(seconds=1))
    if most > PER_SECOND:
        yield f"{most} jobs of the queue limited to {PER_SECOND} a second were started in one"


def most_at_a_time(runs: Iterable[Run]) -> int:
    """The most runs that overlapped."""
    changes = [
        change
        for run in runs
        if run.ended_at is not None
        for change in ((run.began_at, 1), (run.ended_at, -1))
    ]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def most_within(moments: list[datetime], period: timedelta) -> int:
    """The most moments in any one period; they come in order."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= period:
            first += 1
        most = max(most, last - first + 1)
    return most


def _name(job: StoredJob) -> str:
    return f"job {job.id} ({job.order.kind.value} {job.order.key})"
