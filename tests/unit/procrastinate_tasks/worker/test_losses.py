"""What becomes of the jobs of a child that is gone, by why it went and what ran in it."""

from __future__ import annotations

import time

import pytest
from procrastinate.contrib.django import app

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.children import Child, Running
from procrastinate_tasks.worker.losses import ends_of_lost_child
from procrastinate_tasks.worker.messages import ChildExited

KILLED = ChildExited(1, pid=2, exit_code=0, signal_number=9, peak_memory_bytes=0, last_log_lines="")


def running(
    job_id: int, *, crashes: int = 0, asked_to_stop: float | None = None, hard_seconds: float | None = None
) -> Running:
    claimed = ClaimedJob(job_id, "engine.no_op", "default", 0, None, None, "{}", None, 0, 1, crashes)
    return Running(claimed, time.monotonic(), hard_seconds, asked_to_stop=asked_to_stop)


def child_with(*jobs: Running) -> Child:
    child = Child(number=1, forked=time.monotonic())
    child.running = {each.assignment.job_id: each for each in jobs}
    return child


def outcomes_of(child: Child) -> dict[int, tuple[str, str, bool]]:
    ends = (waiting.end for waiting in ends_of_lost_child(app, child, KILLED))
    return {end.job_id: (end.status, end.outcome, end.counts_attempt) for end in ends}


@pytest.mark.parametrize(
    ("crashes", "end"), [(0, ("todo", "crashed", True)), (1, ("failed", "parked", True))]
)
def test_the_one_job_of_a_child_that_died_is_to_blame(crashes: int, end: tuple[str, str, bool]):
    assert outcomes_of(child_with(running(7, crashes=crashes))) == {7: end}


def test_of_several_jobs_of_a_child_that_died_none_is_blamed():
    child = child_with(running(7, crashes=5), running(8))

    assert outcomes_of(child) == dict.fromkeys((7, 8), ("todo", "interrupted", False))
    assert all("ChildLost" in each.end.exception_class for each in ends_of_lost_child(app, child, KILLED))


def test_a_job_that_was_asked_to_stop_ends_aborted_when_its_child_dies():
    child = child_with(running(7, crashes=5, asked_to_stop=time.monotonic()))

    assert outcomes_of(child) == {7: ("aborted", "aborted", True)}


def test_of_a_child_that_was_killed_only_the_overdue_job_pays():
    child = child_with(running(7), running(8, crashes=5))
    child.kill_reason, child.overdue_job_id = "job 7 ran longer than its time limit", 7

    assert outcomes_of(child) == {7: ("failed", "failed", True), 8: ("todo", "interrupted", False)}


def test_the_job_that_a_child_was_forked_for_is_given_back_when_it_dies_first():
    child = child_with()
    child.reserved_for = running(7, crashes=5).assignment

    assert outcomes_of(child) == {7: ("todo", "interrupted", False)}


def test_of_those_who_were_asked_to_stop_only_the_one_its_child_was_killed_for_ends_aborted():
    """The other may still end in its own way; where it runs again it is stopped before it starts."""
    now = time.monotonic()
    child = child_with(running(7, asked_to_stop=now), running(8, asked_to_stop=now))
    child.kill_reason, child.overdue_job_id = "job 7 was asked to stop", 7

    assert outcomes_of(child) == {7: ("aborted", "aborted", True), 8: ("todo", "interrupted", False)}


@pytest.mark.parametrize(("hard_seconds", "told"), [(2.5, "limit of 2.5 s"), (None, "limit of 0 s")])
def test_an_overdue_job_is_told_its_limit(hard_seconds: float | None, told: str):
    child = child_with(running(7, hard_seconds=hard_seconds))
    child.kill_reason, child.overdue_job_id = "job 7 ran longer than its time limit", 7

    ((end, _),) = ends_of_lost_child(app, child, KILLED)

    assert told in end.message


@pytest.mark.parametrize(
    ("broke", "crashes", "told"),
    [
        ("", 0, "killed by SIGKILL, peak memory 300 MB. This has now happened to it once."),
        ("it sent garbage", 2, "it sent garbage, peak memory 300 MB. This has now happened to it 3 times."),
    ],
)
def test_what_is_known_of_a_crash_is_told(broke: str, crashes: int, told: str):
    child = child_with(running(7, crashes=crashes))
    child.broke = broke
    exited = KILLED._replace(peak_memory_bytes=300 * 1024 * 1024)

    ((end, _),) = ends_of_lost_child(app, child, exited)

    assert told in end.message
