"""What a child keeps of its jobs' log lines, and what it sends of them: bounded, and of the right run."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from procrastinate_tasks.exceptions import SoftTimeLimitExceeded
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.log_lines import RunLog
from procrastinate_tasks.worker import children as workers_children
from procrastinate_tasks.worker.child import job_logs
from procrastinate_tasks.worker.child.control import stack_of
from procrastinate_tasks.worker.child.job_logs import JobLogHandler, JobLogs, current_run
from procrastinate_tasks.worker.child.slots import Slot, current_slot
from procrastinate_tasks.worker.children import Child, Children
from procrastinate_tasks.worker.options import WorkerOptions

logger = logging.getLogger("shop.unit")


class Unwritable:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error


class House:
    """A child's logs on the root logger, and what was sent of them."""

    def __init__(self) -> None:
        self.sent: list[RunLog] = []
        self.logs = JobLogs(self.sent.append)
        self.slot = Slot(index=0)
        self._ids = iter(range(1, 10_000))

    def begin(self, args_json: str = "{}") -> ClaimedJob:
        assignment = ClaimedJob(
            next(self._ids), "shop.unit", "default", 0, None, None, args_json, None, 0, 1, 0
        )
        self.slot.assignment = assignment
        current_slot.set(self.slot)
        current_run.set(assignment)
        return assignment

    def end(self, assignment: ClaimedJob, *, has_failed: bool = True) -> None:
        self.logs.close(self.slot, assignment, has_failed=has_failed)
        self.slot.vacate()

    @property
    def texts(self) -> list[list[str]]:
        return [[line.text for line in log.lines] for log in self.sent]


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    handler = JobLogHandler(made.logs)
    logging.getLogger().addHandler(handler)
    yield made
    logging.getLogger().removeHandler(handler)
    current_slot.set(None)
    current_run.set(None)


def test_all_lines_of_a_run_together_are_bounded_and_the_oldest_go_first(house: House):
    job = house.begin()
    for number in range(99):
        logger.warning("%03d%s", number, "x" * 1000)

    house.end(job)

    (log,) = house.sent
    assert sum(len(line.text) for line in log.lines) <= job_logs.MOST_CHARACTERS
    assert max(len(line.text) for line in log.lines) == job_logs.LONGEST_LINE
    assert log.lines[-1].text.startswith("098x")
    assert log.left_out + len(log.lines) == 99


def test_a_secret_that_the_cut_goes_through_is_not_shown_in_part(house: House):
    secret = "s" * 300
    job = house.begin(f'{{"secret": "{secret}"}}')
    logger.warning("%s%s", "x" * 400, secret)

    house.end(job)

    assert house.texts == [["x" * 400 + "[secret]"]]


def test_lines_of_two_jobs_in_one_slot_do_not_mix(house: House):
    first = house.begin()
    logger.warning("first")
    house.end(first)
    second = house.begin()
    logger.warning("second")
    house.end(second)

    assert house.texts == [["first"], ["second"]]
    assert [log.job_id for log in house.sent] == [first.job_id, second.job_id]
    assert house.sent[0].run != house.sent[1].run


def test_what_a_job_left_behind_logs_is_nobody_s(house: House):
    first = house.begin()
    leftover = copy_context()
    house.end(first)
    second = house.begin()
    leftover.run(logger.warning, "from before")
    house.end(second)

    assert house.sent == []


def test_nothing_is_sent_of_a_run_that_was_closed(house: House):
    job = house.begin()
    logger.warning("last")
    house.logs.close(house.slot, job, has_failed=True)
    logger.warning("after the end")

    (lines,) = house.logs._by_slot.values()
    house.logs._send_news(lines)

    assert house.texts == [["last"]]


def test_a_copy_that_a_job_forked_sends_nothing(house: House, monkeypatch: pytest.MonkeyPatch):
    job = house.begin()
    logger.warning("in the copy")
    monkeypatch.setattr(os, "getpid", lambda: -1)

    house.end(job)

    assert house.sent == []


def test_of_short_runs_that_end_well_so_many_a_second_are_kept(house: House, monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("procrastinate_tasks.worker.child.job_logs.time.monotonic", lambda: now[0])
    for _ in range(60):
        job = house.begin()
        logger.warning("short")
        house.end(job, has_failed=False)
    in_one_second = len(house.sent)
    now[0] += 1
    job = house.begin()
    logger.warning("later")
    house.end(job, has_failed=False)

    assert in_one_second == job_logs._MOST_SHORT_RUNS
    assert house.texts[-1] == ["later"]


@pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), KeyboardInterrupt()])
def test_what_interrupts_a_job_passes_through(house: House, error: BaseException):
    house.begin()

    with pytest.raises(type(error)):
        logger.warning("%s", Unwritable(error))


def test_an_instant_that_is_none_and_a_name_of_a_megabyte_are_brought_into_bounds(house: House):
    job = house.begin()
    record = logging.LogRecord("n" * 1_000_000, logging.WARNING, "", 1, "text", (), None)
    record.created = float("nan")
    JobLogHandler(house.logs).handle(record)

    house.end(job)

    ((line,),) = (log.lines for log in house.sent)
    assert 0 < line.at < 4e9
    assert len(line.logger) == 100


def test_what_the_queue_itself_says_is_not_the_job_s(house: House):
    job = house.begin()
    logging.getLogger("procrastinate_tasks.jobs.job_log").warning("Job started")
    house.end(job)

    assert house.sent == []


# --- In the worker ----------------------------------------------------------------------------------------


def a_log(run: int, left_out: int = 0) -> RunLog:
    return RunLog(job_id=run, run=run, attempt=1, lines=(), left_out=left_out)


def test_while_nothing_can_be_stored_what_was_logged_first_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers_children, "_MOST_LOGS", 3)
    children = Children(WorkerOptions(), on_ends=lambda child, ends: None)
    for run in range(1, 6):
        children._on_message(Child(number=1, forked=0.0), a_log(run))

    assert [log.run for log in children.take_logs()] == [3, 4, 5]


def test_what_could_not_be_stored_comes_again_unless_it_is_older_than_what_came_since():
    children = Children(WorkerOptions(), on_ends=lambda child, ends: None)
    taken = [a_log(1), a_log(2)]
    children._on_message(Child(number=1, forked=0.0), a_log(1, left_out=7))

    children.return_logs(taken)

    assert {(log.run, log.left_out) for log in children.take_logs()} == {(1, 7), (2, 0)}


# --- Stacks -----------------------------------------------------------------------------------------------


class AwaitsItself:
    """Names itself as what it awaits."""

    def __init__(self, frame: object) -> None:
        self.cr_frame = frame
        self.cr_await = self
        self.cr_running = False


class Hostile:
    @property
    def cr_frame(self) -> object:
        raise LookupError


async def _wait() -> None:
    await asyncio.sleep(1)


def test_what_awaits_itself_and_what_cannot_be_read_end_no_question():
    coroutine = _wait()
    slot = Slot(index=0)
    slot.coroutine = AwaitsItself(coroutine.cr_frame)  # type: ignore[assignment,attr-defined]
    assert len(stack_of(slot)) < 21_000

    slot.coroutine = Hostile()  # type: ignore[assignment]
    assert "LookupError" in stack_of(slot)
    coroutine.close()
