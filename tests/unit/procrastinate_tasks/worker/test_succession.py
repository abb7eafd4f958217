"""A child that may start only so many jobs has its successor ready before it is spent."""

from __future__ import annotations

import asyncio
from unittest.mock import create_autospec

import pytest

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.children import Child, Children
from procrastinate_tasks.worker.messages import Channel, ForkChild, Leave
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool


class Crew:
    """Children and their staff, with the supervisor and the processes left out."""

    def __init__(self, *, processes: int, max_jobs: int | None) -> None:
        self.options = WorkerOptions(processes=processes, concurrency=10, max_jobs=max_jobs)
        self.children = Children(self.options, on_ends=lambda child, ends: None)
        self.channel = create_autospec(Channel, instance=True)
        self.staff = Pool(options=self.options, children=self.children, channel=self.channel)
        self.staff.start_missing()
        self.make_ready()

    @property
    def forked(self) -> list[int]:
        """The numbers of the children asked for so far."""
        messages = [call.args[0] for call in self.channel.send.call_args_list]
        return [message.number for message in messages if isinstance(message, ForkChild)]

    def make_ready(self) -> None:
        for child in self.children:
            child.is_ready = True
            child.transport = child.transport or create_autospec(asyncio.WriteTransport, instance=True)

    def note_started(self, number: int, *, jobs: int) -> Child:
        """Let a child have started and ended so many jobs."""
        child = next(each for each in self.children if each.number == number)
        child.jobs_started = jobs
        self.staff.check(child)
        return child


def assignment(job_id: int) -> ClaimedJob:
    return ClaimedJob(job_id, "engine.no_op", "default", 0, None, None, "{}", None, 0, 1, 0)


@pytest.mark.parametrize(
    ("max_jobs", "started", "forked"),
    [(100, 74, [1]), (100, 75, [1, 2]), (100, 100, [1, 2]), (None, 10_000, [1])],
)
def test_a_successor_is_forked_when_a_quarter_of_the_jobs_is_left(
    max_jobs: int | None, started: int, forked: list[int]
):
    crew = Crew(processes=1, max_jobs=max_jobs)

    crew.note_started(1, jobs=started)

    assert crew.forked == forked


def test_one_successor_is_enough_however_often_its_predecessor_is_looked_at():
    crew = Crew(processes=1, max_jobs=100)

    for jobs in (75, 80, 99, 100):
        crew.note_started(1, jobs=jobs)
        crew.make_ready()

    assert crew.forked == [1, 2]


def test_successors_that_are_themselves_nearly_spent_do_not_pile_up():
    crew = Crew(processes=2, max_jobs=100)

    for number in (1, 2, 3, 4):
        crew.note_started(number, jobs=90)
        crew.make_ready()

    assert crew.forked == [1, 2, 3, 4]


def test_jobs_go_to_a_successor_only_when_its_predecessor_has_no_room():
    crew = Crew(processes=1, max_jobs=100)
    crew.note_started(1, jobs=94)
    crew.make_ready()

    unplaced = crew.children.start([assignment(number) for number in range(10)])

    assert unplaced == []
    assert [len(child.running) for child in crew.children] == [6, 4]


def test_no_more_jobs_run_than_the_worker_has_slots_whoever_takes_them():
    crew = Crew(processes=1, max_jobs=100)
    crew.note_started(1, jobs=80)
    crew.make_ready()
    crew.children.start([assignment(number) for number in range(7)])

    assert crew.children.free_slots == 3


def test_a_spent_child_leaves_with_its_last_job():
    crew = Crew(processes=1, max_jobs=100)

    spent = crew.note_started(1, jobs=100)

    assert spent.transport is not None
    written = spent.transport.write.call_args_list  # type: ignore[attr-defined]
    assert any(Leave.__qualname__.encode() in call.args[0] for call in written)
