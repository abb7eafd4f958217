"""Keeps the last log lines of running jobs and passes them on: twice a second, and in the end the last ones.

A handler on the root logger sees what the project's own handlers there see. A line costs its job a few
microseconds: it is cut and put into a ring. What must not leave the job is taken out when the lines are sent,
on a thread of its own. A job that logs nothing pays nothing.

What it does not see: loggers that do not propagate, and threads that a job starts without its context
(``contextvars.copy_context().run``).
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from queue import SimpleQueue

from procrastinate.exceptions import JobAborted

from procrastinate_tasks.exceptions import SoftTimeLimitExceeded
from procrastinate_tasks.jobs.attempts import storable
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.jobs.log_lines import LogLine, RunLog
from procrastinate_tasks.jobs.redaction import Redaction, most_needed
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.jobs.values import name_of, text_of
from procrastinate_tasks.worker.child.slots import Slot, current_slot

MOST_LINES = 100
LONGEST_LINE = 500
# All lines of a run together; the oldest go first.
MOST_CHARACTERS = 20_000
_LONGEST_NAME = 100
_LAST_SECOND = 4e9
_SECONDS_BETWEEN = 0.5
# So many runs a second, of those that end well before any line was sent, have their lines kept.
_MOST_SHORT_RUNS = 50
# What the queue itself says of a job is in its events.
_MACHINERY = ("procrastinate_tasks.", "procrastinate.")

current_run: ContextVar[ClaimedJob | None] = ContextVar("procrastinate_tasks_run", default=None)


class _Lines:
    """The lines of one run: ``fresh`` as they came, ``kept`` as they may be shown."""

    def __init__(self, slot: Slot, assignment: ClaimedJob) -> None:
        self.slot = slot
        self.assignment = assignment
        self.guard = threading.Lock()
        self.was_sent = False
        self.is_closed = False
        self._run = secrets.randbits(62)
        self._numbers = count(1)
        self._fresh: deque[tuple[int, LogLine]] = deque(maxlen=MOST_LINES)
        self._kept: deque[LogLine] = deque(maxlen=MOST_LINES)
        self._last = 0
        self._redaction: Redaction | None = None

    @property
    def has_news(self) -> bool:
        return bool(self._fresh)

    def add(self, line: LogLine) -> None:
        self._fresh.append((next(self._numbers), line))

    def take(self) -> RunLog:
        """What is to be shown now."""
        for _ in range(len(self._fresh)):
            self._last, line = self._fresh.popleft()
            self._kept.append(self._clean(line))
        while sum(len(line.text) for line in self._kept) > MOST_CHARACTERS:
            self._kept.popleft()
        return RunLog(
            job_id=self.assignment.job_id,
            run=self._run,
            attempt=self.assignment.attempts + 1,
            lines=tuple(self._kept),
            left_out=self._last - len(self._kept),
        )

    def _clean(self, line: LogLine) -> LogLine:
        if self._redaction is None:
            job = procrastinate_job(self.assignment)
            options = find_options(job.task_name)
            self._redaction = Redaction(
                arguments=job.task_kwargs, visible=options.log_fields if options else ()
            )
        text = self._redaction.apply_to_beginning(line.text, longest=LONGEST_LINE)
        return line._replace(text=storable(text), logger=storable(line.logger), level=storable(line.level))


class JobLogs:
    """The lines of the jobs that run in a child, by slot."""

    def __init__(self, send: Callable[[RunLog], None]) -> None:
        self._send = send
        self._pid = os.getpid()
        self._by_slot: dict[int, _Lines] = {}
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._is_asked = False
        self._second = 0
        self._short_runs = 0

    def add(self, slot: Slot, assignment: ClaimedJob, line: LogLine) -> None:
        """Takes a line that a job logs; called in the job, which may be interrupted here."""
        lines = self._by_slot.get(slot.index)
        if lines is None or lines.assignment is not assignment:
            lines = self._by_slot[slot.index] = _Lines(slot, assignment)
        lines.add(line)
        if not self._is_asked:
            self._is_asked = True
            self._asked.put(None)

    def close(self, slot: Slot, assignment: ClaimedJob, *, has_failed: bool) -> None:
        """Passes on what a run logged last, before it ends."""
        lines = self._by_slot.get(slot.index)
        if lines is None or lines.assignment is not assignment or os.getpid() != self._pid:
            return
        with lines.guard:
            lines.is_closed = True
            if lines.has_news and (has_failed or lines.was_sent or self._may_be_kept()):
                self._send(lines.take())

    def serve(self) -> None:
        """Passes on whenever there is something, for the rest of the process's life."""
        while True:
            self._asked.get()
            time.sleep(_SECONDS_BETWEEN)
            self._is_asked = False
            for lines in list(self._by_slot.values()):
                self._send_news(lines)

    def _send_news(self, lines: _Lines) -> None:
        with lines.guard:
            if lines.has_news and not lines.is_closed:
                lines.was_sent = True
                self._send(lines.take())

    def _may_be_kept(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._short_runs = second, 0
        self._short_runs += 1
        return self._short_runs <= _MOST_SHORT_RUNS


class JobLogHandler(logging.Handler):
    """Gives the lines that running jobs log to ``JobLogs``; nothing that a record does ends its job here."""

    def __init__(self, logs: JobLogs) -> None:
        super().__init__()
        self._logs = logs

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """None is needed, and a job that is interrupted in here shall not keep it."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """The base class takes the lock, whether there is one or not: Python 3.13 does not ask."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        assignment, slot = current_run.get(), current_slot.get()
        if assignment is None or slot is None or slot.assignment is not assignment:
            return
        try:
            if not record.name.startswith(_MACHINERY):
                self._logs.add(slot, assignment, _line_of(record))
        except (SoftTimeLimitExceeded, JobAborted):
            raise
        except Exception as fault:
            told = f"(a line that cannot be written: {name_of(type(fault))})"
            self._logs.add(slot, assignment, LogLine(_instant(record.created), "", "", told))


def _line_of(record: logging.LogRecord) -> LogLine:
    text = _beginning(record.getMessage(), most_needed(LONGEST_LINE))
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text += f"\n{name_of(type(error))}: {_beginning(text_of(error), most_needed(LONGEST_LINE))}"
    return LogLine(
        _instant(record.created),
        _beginning(record.levelname, _LONGEST_NAME),
        _beginning(record.name, _LONGEST_NAME),
        text,
    )


def _instant(seconds: float) -> float:
    """Whoever changes records may change that too."""
    return seconds if type(seconds) is float and 0 <= seconds < _LAST_SECOND else time.time()


def _beginning(text: str, longest: int) -> str:
    """Cut what may be of a class of its own, which would see to that itself."""
    return str.__getitem__(text, slice(longest))
