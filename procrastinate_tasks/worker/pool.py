"""Keeps the right number of children: recruits, retires the spent and the too big, ends the overdue."""

from __future__ import annotations

import itertools
import logging
import math
import signal
import time
from collections.abc import Set

from procrastinate_tasks.jobs import job_log
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.worker.children import Child, Children
from procrastinate_tasks.worker.messages import Channel, ChildExited, ForkChild, KillChild, Leave
from procrastinate_tasks.worker.options import WorkerOptions

logger = logging.getLogger(__name__)

_START_SECONDS = 60.0
_LEAVE_SECONDS = 5.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_MEGABYTE = 1024 * 1024
# A successor is forked while its predecessor has this share of its jobs still to start: where jobs are short
# there would else be nobody to take any while it is forked.
_LAST_SHARE = 0.25
# The child raises the soft limit and the worker enforces the hard one; a job that ends right at its limit
# gets this long to say so.
_HARD_LIMIT_MARGIN = 0.2


class Pool:
    """Decides which children there should be; the supervisor does the forking and killing."""

    def __init__(self, *, options: WorkerOptions, children: Children, channel: Channel) -> None:
        self._options = options
        self._children = children
        self._channel = channel
        self._numbers = itertools.count(1)
        self._is_closed = False
        self._failed_starts = 0
        self._fork_not_before = 0.0

    def close(self) -> None:
        """No child is forked from now on."""
        self._is_closed = True

    def run_once(self) -> None:
        """Looks at every child once."""
        now = time.monotonic()
        for child in self._children:
            self._inspect(child, now)
        self.start_missing()

    def check(self, child: Child) -> None:
        """Retires a child whose jobs just ended, if it did enough, and has a successor ready by then."""
        self._retire_if_spent(child)
        if child.is_retiring or self._is_nearly_spent(child):
            self.start_missing()
        self._let_go_if_done(child, time.monotonic())

    def start_missing(self) -> None:
        """Asks for the children that are missing, and for one beside each that is nearly spent."""
        if self._is_closed or time.monotonic() < self._fork_not_before:
            return
        serving = [child for child in self._children if not child.is_retiring and not child.kill_reason]
        nearly_spent = sum(map(self._is_nearly_spent, serving))
        wanted = self._options.processes + min(nearly_spent, self._options.processes)
        for _ in range(wanted - len(serving)):
            number = next(self._numbers)
            self._children.expect(number)
            self._channel.send(ForkChild(number))

    def start_alone(self, assignment: ClaimedJob) -> None:
        """Has a job run alone in a child of its own: one in whose company a child died before."""
        number = next(self._numbers)
        self._children.expect(number, reserved_for=assignment)
        self._channel.send(ForkChild(number))

    def kill_lost(self, job_ids: Set[int]) -> None:
        """Kills children that still run what is theirs no more; their other jobs run again."""
        for child in self._children:
            lost = child.running.keys() & job_ids
            for job_id in lost:
                job_log.log_lost(procrastinate_job(child.running.pop(job_id).assignment))
            if lost:
                self.kill(child, reason=f"job {min(lost)} was taken over by another worker")

    def on_exit(self, child: Child, exited: ChildExited) -> None:
        """Learns from an exit: a child that never came up delays the next, longer each time in a row."""
        if child.left is None and not child.kill_reason:
            logger.error(
                "Child %d (pid %d) ended by itself: %s",
                child.number,
                child.pid,
                child.broke or cause_of(exited),
            )
        if child.is_ready or child.jobs_started:
            self._failed_starts = 0
            self._fork_not_before = 0.0
            return
        self._failed_starts += 1
        pause = min(_SHORTEST_PAUSE * 2**self._failed_starts, _LONGEST_PAUSE)
        self._fork_not_before = time.monotonic() + pause
        logger.error("Child %d ended before it was ready; the next one starts in %.1f s", child.number, pause)

    def kill(self, child: Child, *, reason: str) -> None:
        """Has a child killed; what it ran is dealt with when its exit is reported."""
        if not child.kill_reason:
            logger.warning("Killing child %d (pid %d): %s", child.number, child.pid, reason)
            child.kill_reason = reason
            self._channel.send(KillChild(child.number))

    def _inspect(self, child: Child, now: float) -> None:
        if child.broke:
            self._end_broken(child)
            return
        is_late = now - child.forked > _START_SECONDS and not child.refused_slots
        if not child.is_ready and not child.jobs_started and is_late:
            self.kill(child, reason=f"it was not ready after {_START_SECONDS:g} s")
        self._enforce_hard_limits(child, now)
        self._retire_if_spent(child)
        self._let_go_if_done(child, now)

    def _end_broken(self, child: Child) -> None:
        """A child that nobody can hear any more is lost, as one that died by itself."""
        if not child.is_retiring:
            child.is_retiring = True
            self._channel.send(KillChild(child.number))

    def _let_go_if_done(self, child: Child, now: float) -> None:
        if not child.is_retiring or child.occupied:
            return
        if child.left is None:
            child.left = now
            child.send(Leave())
        elif now - child.left > _LEAVE_SECONDS:
            self.kill(child, reason=f"it was retired and did not leave within {_LEAVE_SECONDS:g} s")

    def _enforce_hard_limits(self, child: Child, now: float) -> None:
        """Of several overdue jobs the first alone is blamed: it may have kept the others from ending."""
        kill_at, job_id = min(
            (
                (running.kill_at, job_id)
                for job_id, running in child.running.items()
                if running.kill_at is not None
            ),
            default=(math.inf, None),
        )
        if kill_at + _HARD_LIMIT_MARGIN <= now and not child.kill_reason:
            child.overdue_job_id = job_id
            self.kill(
                child, reason=f"job {job_id} ran longer than its time limit, or did not stop when asked to"
            )

    def _retire_if_spent(self, child: Child) -> None:
        if child.is_retiring:
            return
        options = self._options
        if options.max_jobs is not None and child.jobs_started >= options.max_jobs:
            self._retire(child, f"it started {child.jobs_started} jobs (--max-jobs {options.max_jobs})")
        elif options.max_memory_mb is not None and child.memory_bytes > options.max_memory_mb * _MEGABYTE:
            held = child.memory_bytes // _MEGABYTE
            self._retire(child, f"it holds {held} MB (--max-memory {options.max_memory_mb})")

    def _is_nearly_spent(self, child: Child) -> bool:
        most = self._options.max_jobs
        return most is not None and 0 < most - child.jobs_started <= most * _LAST_SHARE

    def _retire(self, child: Child, why: str) -> None:
        logger.info("Replacing child %d (pid %d): %s", child.number, child.pid, why)
        child.is_retiring = True


def cause_of(exited: ChildExited) -> str:
    """The cause of an exit in words."""
    if exited.signal_number:
        return f"killed by {signal.Signals(exited.signal_number).name}"
    return f"exit code {exited.exit_code}"
