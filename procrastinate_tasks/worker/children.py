"""The worker's view of its children: who is there, what each of them runs, where there is room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, cast

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.jobs.context import Progress
from procrastinate_tasks.jobs.log_lines import RunLog
from procrastinate_tasks.worker.completion_loop import Waiting
from procrastinate_tasks.worker.messages import (
    AbortJob,
    AskedStack,
    AskStack,
    ChildReady,
    FrameReader,
    FrameUnreadable,
    JobsEnded,
    OverdueStack,
    RetireMe,
    RunJobs,
    SlotsRefused,
    encode,
    longest_from_child,
)
from procrastinate_tasks.worker.options import JobLimits, WorkerOptions
from procrastinate_tasks.worker.processes import end_group

logger = logging.getLogger(__name__)

# How long a job that staff asked to stop may go on before its process is killed.
SECONDS_TO_STOP = 10.0
# Jobs that were refused a connection and may have ended with another worker.
_MOST_REMEMBERED = 10_000
# Runs whose log lines wait to be stored.
_MOST_LOGS = 2_000
_MOST_LOGS_AT_ONCE = 200


class Running(NamedTuple):
    """A job in a child. Times are on the monotonic clock; ``kill_at`` is when its process is killed for it.

    That is at its hard limit, or some time after staff ``asked_to_stop`` it.
    """

    assignment: ClaimedJob
    started: float
    hard_seconds: float | None
    stack: str = ""
    asked_to_stop: float | None = None

    @property
    def kill_at(self) -> float | None:
        ends = [
            start + seconds
            for start, seconds in (
                (self.started, self.hard_seconds),
                (self.asked_to_stop, SECONDS_TO_STOP),
            )
            if start is not None and seconds is not None
        ]
        return min(ends, default=None)


@dataclass(slots=True, kw_only=True, eq=False)
class Child:
    """One child process as the worker knows it."""

    number: int
    forked: float
    pid: int = 0
    application_name: str = ""
    transport: asyncio.WriteTransport | None = None
    is_ready: bool = False
    is_retiring: bool = False
    kill_reason: str = ""
    broke: str = ""
    reserved_for: ClaimedJob | None = None
    overdue_job_id: int | None = None
    left: float | None = None
    refused_slots: int = 0
    refusal: str = ""
    running: dict[int, Running] = field(default_factory=dict)
    jobs_started: int = 0
    memory_bytes: int = 0

    @property
    def takes_jobs(self) -> bool:
        return (
            self.is_ready
            and self.transport is not None
            and not (self.is_retiring or self.kill_reason or self.broke)
        )

    @property
    def occupied(self) -> int:
        """How many jobs it runs or was forked for."""
        return len(self.running) + (self.reserved_for is not None)

    def send(self, message: object) -> None:
        """Sends a message; to a child that is gone it goes nowhere, its exit is reported anyway."""
        if self.transport is not None:
            self.transport.write(encode(message))


class Children:
    """The children by number, and the jobs they run."""

    def __init__(self, options: WorkerOptions, *, on_ends: Callable[[Child, list[Waiting]], None]) -> None:
        self._options = options
        self._on_ends = on_ends
        self._limits = JobLimits(options)
        self._by_number: dict[int, Child] = {}
        self._refusals: dict[int, int] = {}
        self._progress: dict[int, Progress] = {}
        self._logs: dict[tuple[int, int], RunLog] = {}
        self._stacks: dict[int, str] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_number.values()))

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def running_count(self) -> int:
        """How many jobs run now, also in children that take no more."""
        return sum(child.occupied for child in self._by_number.values())

    @property
    def most_memory_bytes(self) -> int:
        """Memory of the biggest child."""
        return max((child.memory_bytes for child in self._by_number.values()), default=0)

    @property
    def refusal(self) -> str:
        """Why children cannot connect to the database; empty if all can."""
        return next((child.refusal for child in self._by_number.values() if child.refused_slots), "")

    @property
    def free_slots(self) -> int:
        """How many jobs can start now, in all at most the worker's capacity."""
        room = sum(self._room_in(child) for child in self._by_number.values() if child.takes_jobs)
        return max(0, min(room, self._options.capacity - self.running_count))

    def expect(self, number: int, *, reserved_for: ClaimedJob | None = None) -> None:
        """Notes a child that the supervisor was asked for, to run one job alone or any."""
        self._by_number[number] = Child(
            number=number,
            forked=time.monotonic(),
            reserved_for=reserved_for,
            is_retiring=reserved_for is not None,
        )

    async def attach(self, number: int, *, pid: int, application_name: str, link: socket.socket) -> None:
        """Connects a child that was forked."""
        child = self._by_number[number]
        child.pid = pid
        child.application_name = application_name
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: _ChildProtocol(child, self._on_message), sock=link)

    def remove(self, number: int) -> Child | None:
        """Forgets a child that is gone, and returns what it was."""
        child = self._by_number.pop(number, None)
        if child is not None and child.transport is not None:
            child.transport.close()
        return child

    def end_groups(self) -> None:
        """Ends all children and what their jobs started: the supervisor, who would do so, is gone."""
        for child in self._by_number.values():
            if child.pid:
                end_group(child.pid)

    def take_progress(self) -> list[Progress]:
        """What jobs said last of their progress, since somebody asked."""
        taken, self._progress = self._progress, {}
        return list(taken.values())

    def take_logs(self) -> list[RunLog]:
        """What runs logged last, the oldest first, of as many as one statement should store."""
        taken = dict(islice(self._logs.items(), _MOST_LOGS_AT_ONCE))
        for key in taken:
            del self._logs[key]
        return list(taken.values())

    def return_logs(self, logs: Iterable[RunLog]) -> None:
        """Takes back what could not be stored, unless the runs have logged more since."""
        for log in logs:
            self._logs.setdefault((log.job_id, log.run), log)
        self._forget_logs()

    def ask_stacks(self, job_ids: Iterable[int]) -> None:
        """Asks the children where these jobs stand, as far as they run here."""
        for job_id in job_ids:
            if (found := self.find_running(job_id)) is not None:
                found[0].send(AskStack(job_id))

    def take_stacks(self) -> dict[int, str]:
        """Where jobs stand of which somebody asked."""
        taken, self._stacks = self._stacks, {}
        return taken

    def find_running(self, job_id: int) -> tuple[Child, Running] | None:
        """The child that runs this job."""
        for child in self._by_number.values():
            if (running := child.running.get(job_id)) is not None:
                return child, running
        return None

    def attempts_by_job(self) -> dict[int, int]:
        """Every running job with the attempt it was claimed at."""
        return {assignment.job_id: assignment.attempts for assignment in self._assignments()}

    def started_before(self, instant: float) -> set[int]:
        """The jobs that run since before this instant of the monotonic clock."""
        return {
            job_id
            for child in self._by_number.values()
            for job_id, running in child.running.items()
            if running.started < instant
        }

    def _assignments(self) -> Iterator[ClaimedJob]:
        for child in self._by_number.values():
            yield from (running.assignment for running in child.running.values())
            if child.reserved_for is not None:
                yield child.reserved_for

    def rename_claims(self, job_ids: set[int], *, worker_id: int) -> None:
        """Puts running jobs under another worker id, under which their ends will be settled."""
        for child in self._by_number.values():
            for job_id in child.running.keys() & job_ids:
                running = child.running[job_id]
                assignment = running.assignment._replace(worker_id=worker_id)
                child.running[job_id] = running._replace(assignment=assignment)
            if child.reserved_for is not None and child.reserved_for.job_id in job_ids:
                child.reserved_for = child.reserved_for._replace(worker_id=worker_id)

    def start(self, assignments: list[ClaimedJob]) -> list[ClaimedJob]:
        """Spreads claimed jobs over the oldest children; returns those that found no room.

        A successor that is ready early takes what its predecessor cannot, so that it is not spent as soon.
        """
        takers = [child for child in self._by_number.values() if child.takes_jobs and self._room_in(child)]
        serving, spare = takers[: self._options.processes], takers[self._options.processes :]
        return self._spread(self._spread(assignments, serving), spare)

    def _spread(self, assignments: list[ClaimedJob], takers: list[Child]) -> list[ClaimedJob]:
        """Gives each child its share, the fullest first: what one has no room for goes to the freer ones."""
        for index, child in enumerate(sorted(takers, key=self._room_in)):
            share = min(-(-len(assignments) // (len(takers) - index)), self._room_in(child))
            self._start_in(child, assignments[:share])
            assignments = assignments[share:]
        return assignments

    def abort(self, job_ids: Iterable[int], *, shutting_down: bool) -> None:
        """Tells the children to stop these jobs, as far as they run here."""
        for job_id in job_ids:
            if (found := self.find_running(job_id)) is not None:
                child, running = found
                child.send(AbortJob(job_id=job_id, shutting_down=shutting_down))
                if running.asked_to_stop is None and not shutting_down:
                    child.running[job_id] = running._replace(asked_to_stop=time.monotonic())

    def _room_in(self, child: Child) -> int:
        room = max(0, self._options.concurrency - len(child.running) - child.refused_slots)
        if self._options.max_jobs is None:
            return room
        return min(room, self._options.max_jobs - child.jobs_started)

    def _start_in(self, child: Child, assignments: list[ClaimedJob]) -> None:
        if not assignments:
            return
        now = time.monotonic()
        if self._refusals:
            assignments = [each._replace(refusals=self._refusals.get(each.job_id, 0)) for each in assignments]
        for assignment in assignments:
            hard = self._limits.of(assignment).hard
            child.running[assignment.job_id] = Running(assignment, now, hard)
        child.jobs_started += len(assignments)
        child.send(RunJobs(assignments))

    def _on_message(self, child: Child, message: object) -> None:
        if isinstance(message, JobsEnded):
            child.memory_bytes = message.rss_bytes
            self._count_refusals(message.ends)
            self._on_ends(child, [_finish(child, end) for end in message.ends])
        elif isinstance(message, ChildReady):
            child.is_ready = True
            if child.reserved_for is not None:
                assignment, child.reserved_for = child.reserved_for, None
                self._start_in(child, [assignment])
            self._on_ends(child, [])
        elif isinstance(message, SlotsRefused):
            self._note_refusal(child, message)
        elif isinstance(message, OverdueStack):
            if (running := child.running.get(message.job_id)) is not None:
                child.running[message.job_id] = running._replace(stack=message.stack)
        elif isinstance(message, Progress):
            self._progress[message.job_id] = message
        elif isinstance(message, RunLog):
            self._logs[message.job_id, message.run] = message
            self._forget_logs()
        elif isinstance(message, AskedStack):
            self._stacks[message.job_id] = message.stack
        elif isinstance(message, RetireMe):
            child.is_retiring = True
            self._on_ends(child, [])

    def _forget_logs(self) -> None:
        """While the database is away, what was logged first is what is lost."""
        while len(self._logs) > _MOST_LOGS:
            del self._logs[next(iter(self._logs))]

    def _note_refusal(self, child: Child, message: SlotsRefused) -> None:
        """Nothing is claimed for slots that wait for a connection; one line a disturbance tells of them."""
        before = self.refusal
        child.refused_slots, child.refusal = message.slots, message.reason or child.refusal
        if self.refusal and not before:
            logger.error(
                "Job processes cannot connect to the database: %s; they get no jobs until they can",
                self.refusal,
            )
        elif before and not self.refusal:
            logger.warning("Job processes can connect to the database again")
        self._on_ends(child, [])

    def _count_refusals(self, ends: Iterable[Completion]) -> None:
        for end in ends:
            if end.could_not_connect:
                self._refusals[end.job_id] = self._refusals.get(end.job_id, 0) + 1
            else:
                self._refusals.pop(end.job_id, None)
        while len(self._refusals) > _MOST_REMEMBERED:
            del self._refusals[next(iter(self._refusals))]


def _finish(child: Child, end: Completion) -> Waiting:
    """Settles under the claim as it is now: the worker may have registered anew since the job started."""
    running = child.running.pop(end.job_id, None)
    end = _with_sound_clock(end, began=child.forked if running is None else running.started)
    if running is None:
        return Waiting(end)
    if end.worker_id != running.assignment.worker_id:
        end = end._replace(worker_id=running.assignment.worker_id)
    return Waiting(end, running.assignment)


def _with_sound_clock(end: Completion, *, began: float) -> Completion:
    """Says when a run was as this process knows it, if its job has put another clock in place of its own."""
    now = time.monotonic()
    with contextlib.suppress(TypeError):
        if began <= end.started_at <= end.finished_at <= now:
            return end
    return end._replace(started_at=began, finished_at=now)


class _ChildProtocol(asyncio.Protocol):
    """Reads one child's frames. That it is gone is for the supervisor to say, who knows why."""

    def __init__(self, child: Child, on_message: Callable[[Child, object], None]) -> None:
        self._child = child
        self._on_message = on_message
        self._reader = FrameReader(longest=longest_from_child())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._child.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                self._on_message(self._child, message)
        except FrameUnreadable as fault:
            self._child.broke = f"what it sent cannot be read ({fault})"
            if self._child.transport is not None:
                self._child.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.transport = None
