"""What can go wrong in the queue app, each condition under its own name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from django.core.exceptions import ImproperlyConfigured


class QueueError(Exception):
    """Base of the queue app's own exceptions."""


class InvalidTaskArguments(QueueError, ValueError):
    """A job would be deferred with arguments its task cannot run with.

    A task's ``validate`` raises it with the problem alone; deferring adds the task's name.
    """

    def __init__(self, problem: str, *, task_name: str | None = None) -> None:
        self.problem = problem
        self.task_name = task_name
        super().__init__(problem, task_name)

    def __str__(self) -> str:
        return self.problem if self.task_name is None else f"{self.task_name}: {self.problem}"


class UnknownTask(QueueError, LookupError):
    """No task of that name is registered in this process."""

    def __init__(self, task_name: str, known_names: Sequence[str]) -> None:
        self.task_name = task_name
        self.suggestion = next(iter(get_close_matches(task_name, known_names, n=1)), None)
        super().__init__(task_name, self.suggestion)

    def __str__(self) -> str:
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"No task is named {self.task_name!r}.{hint} `manage.py jobs tasks` lists the names."


class UnknownQueue(QueueError, LookupError):
    """No task, no job and no limit names this queue."""

    def __init__(self, queue: str, known_names: Sequence[str]) -> None:
        self.queue = queue
        self.suggestion = next(iter(get_close_matches(queue, known_names, n=1)), None)
        super().__init__(queue, self.suggestion)

    def __str__(self) -> str:
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"No queue is named {self.queue!r}.{hint} `manage.py jobs tasks` lists the tasks' queues."


class UnknownFault(QueueError, LookupError):
    """No kept attempt has this fault."""


class AlreadyOver(QueueError, ValueError):
    """A pause or a silence until an instant that has passed."""

    def __str__(self) -> str:
        return f"What ends at {self.args[0].isoformat()} is over already."


class UnknownAlert(QueueError, LookupError):
    """No alert of this name fires."""


class InvalidQueueLimit(QueueError, ValueError):
    """A limit of a queue that nothing could keep, or that keeps everything."""

    def __init__(self, queue: str, problem: str) -> None:
        self.queue = queue
        self.problem = problem
        super().__init__(queue, problem)

    def __str__(self) -> str:
        return f"Queue {self.queue!r} cannot be limited: {self.problem}."


class NotADjangoTask(QueueError, LookupError):
    """A path does not lead to a function declared with the ``task`` decorator of Django's Tasks."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)

    def __str__(self) -> str:
        return (
            f"{self.path!r} is no task of Django's in this code: "
            "there must be a function of that name with its @task decorator."
        )


class TasksApiMissing(ImproperlyConfigured):
    """The backend for Django's Tasks is used, and there is no such API here."""

    def __str__(self) -> str:
        return "Django before 6.0 has no Tasks API: install its backport, the package django-tasks."


class TaskNameTaken(QueueError):
    """Two functions want the same task name."""

    def __init__(self, task_name: str, *, first: str, second: str) -> None:
        self.task_name = task_name
        self.first = first
        self.second = second
        super().__init__(task_name, first, second)

    def __str__(self) -> str:
        return (
            f"{self.second} cannot be the task {self.task_name!r}: {self.first} already is. "
            "Give one of them another name; a name is part of the jobs that wait in the database."
        )


class AlertRuleNameTaken(QueueError):
    """Two alert rules have one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"An alert rule named {self.name!r} exists already. Give each rule a name of its own."


class ScheduleNameTaken(QueueError):
    """One task has two schedules that are not told apart."""

    def __init__(self, schedule_name: str) -> None:
        self.schedule_name = schedule_name
        super().__init__(schedule_name)

    def __str__(self) -> str:
        return (
            f"A schedule named {self.schedule_name!r} exists already. "
            "Give each further schedule of a task its own schedule_id."
        )


class UnknownSchedule(QueueError, LookupError):
    """No schedule of that name is declared in this process."""

    def __init__(self, schedule_name: str, known_names: Sequence[str]) -> None:
        self.schedule_name = schedule_name
        self.suggestion = next(iter(get_close_matches(schedule_name, known_names, n=1)), None)
        super().__init__(schedule_name, self.suggestion)

    def __str__(self) -> str:
        hint = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        return (
            f"No schedule is named {self.schedule_name!r}.{hint} `manage.py jobs schedule` lists the names."
        )


class PresentationTaken(QueueError):
    """Two presentations are registered for one task."""

    def __init__(self, task_name: str) -> None:
        self.task_name = task_name
        super().__init__(task_name)

    def __str__(self) -> str:
        return f"The task {self.task_name!r} is presented already: describe_task() it in one place only."


class InvalidCron(QueueError, ValueError):
    """A cron expression that cannot be read, or that never comes true."""

    def __init__(self, expression: str, problem: str) -> None:
        self.expression = expression
        self.problem = problem
        super().__init__(expression, problem)

    def __str__(self) -> str:
        return f"{self.expression!r} is not a cron expression: {self.problem}."


class UnknownTimeZone(QueueError, ValueError):
    """A time zone the system's zone database does not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"{self.name!r} is not a time zone this system knows (for example 'America/Mexico_City')."


class WorkerLost(QueueError):
    """The process that ran a job is gone, or has been silent for too long."""

    def __init__(self, *, worker_id: int | None, silent_seconds: float | None, crashes: int) -> None:
        self.worker_id = worker_id
        self.silent_seconds = silent_seconds
        self.crashes = crashes
        super().__init__(worker_id, silent_seconds, crashes)

    def __str__(self) -> str:
        worker = "Its worker" if self.worker_id is None else f"Worker {self.worker_id}"
        silence = (
            "is gone" if self.silent_seconds is None else f"sent no heartbeat for {self.silent_seconds:.0f} s"
        )
        times = "once" if self.crashes == 1 else f"{self.crashes} times"
        return f"{worker} {silence}. The job has now lost its worker {times}."


class EndRefused(QueueError):
    """The database refused what a run left behind, because of a value in it.

    ``reason`` is a SQLSTATE or the name of an error, and no value.
    """

    def __init__(self, *, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"What this run left behind could not be stored ({self.reason}), and none of it is kept."


class UnusableRetry(QueueError, ValueError):
    """A task's retry strategy answered what cannot be carried out."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        return f"The job cannot be tried again as its retry strategy wants: {self.problem}."


class Retry(QueueError):
    """Raised by a task that wants to be tried again at a time of its own choosing; it costs an attempt.

    ``raise Retry(in_=timedelta(minutes=5)) from error`` records that error. The task's ``Retries`` still says
    how often: after its last retry the job fails. Without ``retry=`` it is tried again as often as it asks.

    Args:
        in_: how long to wait; ``at`` is an aware instant instead. Without either, at once.
    """

    def __init__(self, *, in_: timedelta | None = None, at: datetime | None = None) -> None:
        self.in_, self.at = _wait_of("Retry", in_=in_, at=at)
        super().__init__(in_, at)

    def __str__(self) -> str:
        return f"The task wants to be tried again {_in_words(self.in_, self.at)}."


class Snooze(QueueError):
    """Raised by a task whose time has not come: the job waits again, and it cost no attempt.

    Args:
        in_: how long to wait; ``at`` is an aware instant instead.
        reason: what it waits for, in the record of the run.
    """

    def __init__(self, *, in_: timedelta | None = None, at: datetime | None = None, reason: str = "") -> None:
        self.in_, self.at = _wait_of("Snooze", in_=in_, at=at)
        if self.in_ is None and self.at is None:
            raise ValueError("Snooze needs in_ or at: a job that waits for nothing would run at once.")
        self.reason = reason
        super().__init__(in_, at, reason)

    def __str__(self) -> str:
        return self.reason or f"The task put itself off {_in_words(self.in_, self.at)}."


_LONGEST_WAIT = timedelta(days=3650)


def _wait_of(
    name: str, *, in_: timedelta | None, at: datetime | None
) -> tuple[timedelta | None, datetime | None]:
    if in_ is not None and at is not None:
        raise ValueError(f"{name} takes in_ or at, not both.")
    if in_ is not None and not timedelta(0) <= in_ <= _LONGEST_WAIT:
        raise ValueError(f"{name} needs in_ between zero and ten years.")
    if at is not None and (at.utcoffset() is None or not 1 < at.year < 9999):
        raise ValueError(f"{name} needs an aware instant, in a year from 2 to 9998.")
    return in_, at


def _in_words(in_: timedelta | None, at: datetime | None) -> str:
    if at is not None:
        return f"at {at.isoformat(timespec='seconds')}"
    return "at once" if in_ is None else f"in {in_.total_seconds():g} s"


class WorkerDied(QueueError):
    """The worker that held a job died, and its supervisor saw it: no fault of the job."""

    def __str__(self) -> str:
        return "The worker that held this job died under it. The job was given back at no cost."


class JobDoesNotFit(QueueError):
    """A job's arguments do not fit its task in this release: the call could not begin."""

    def __init__(self, task_name: str, problem: str) -> None:
        self.task_name = task_name
        self.problem = problem
        super().__init__(task_name, problem)

    def __str__(self) -> str:
        return f"The job does not fit the task {self.task_name!r} of this release: {self.problem}"


class AppsInWrongOrder(ImproperlyConfigured):
    """Procrastinate's Django app is missing, or stands after ours."""

    def __str__(self) -> str:
        return (
            "INSTALLED_APPS must hold 'procrastinate.contrib.django' before 'procrastinate_tasks', "
            "and 'procrastinate_tasks' before the apps that defer jobs in their AppConfig.ready()."
        )


class SoftTimeLimitExceeded(QueueError):
    """A job ran longer than its soft time limit; raised inside the job, which may clean up."""

    def __init__(self, *, seconds: float | None = None) -> None:
        self.seconds = seconds
        super().__init__(seconds)

    def __str__(self) -> str:
        limit = "" if self.seconds is None else f" of {self.seconds:g} s"
        return f"The job ran longer than its soft time limit{limit}."


class TimeLimitExceeded(QueueError):
    """A job ran longer than its hard time limit and was ended from outside."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)

    def __str__(self) -> str:
        return f"The job ran longer than its time limit of {self.seconds:g} s; its process was ended."


class ChildLost(QueueError):
    """The child process that ran a job died; with no ``neighbours``, other jobs there, it is to blame."""

    def __init__(
        self, *, cause: str, peak_memory_mb: int, neighbours: int, crashes: int, last_log_lines: str
    ) -> None:
        self.cause = cause
        self.peak_memory_mb = peak_memory_mb
        self.neighbours = neighbours
        self.crashes = crashes
        self.last_log_lines = last_log_lines
        super().__init__(cause, peak_memory_mb, neighbours, crashes)

    def __str__(self) -> str:
        others = "another job" if self.neighbours == 1 else f"{self.neighbours} other jobs"
        blame = f"beside {others}" if self.neighbours else "while it ran alone"
        times = "once" if self.crashes == 1 else f"{self.crashes} times"
        return (
            f"The job's process died {blame}: {self.cause}, peak memory {self.peak_memory_mb} MB. "
            f"This has now happened to it {times}.\nLast log lines:\n{self.last_log_lines or '(none)'}"
        )


class InvalidQueueName(QueueError, ValueError):
    """A queue's name is too long: PostgreSQL names at most 63 bytes of a channel, and 23 are the prefix."""

    def __init__(self, *, queue: str, most_bytes: int) -> None:
        self.queue = queue
        self.most_bytes = most_bytes
        super().__init__(queue, most_bytes)

    def __str__(self) -> str:
        size = len(self.queue.encode("utf-8", "replace"))
        return f"The queue's name {self.queue!r} has {size} bytes, and may have {self.most_bytes} at most."


class CannotFork(QueueError):
    """The supervisor would hand its forks threads' locks or a database connection that all would share."""

    def __init__(self, *, threads: Sequence[str], database_peers: Sequence[str]) -> None:
        self.threads = tuple(threads)
        self.database_peers = tuple(database_peers)
        super().__init__(self.threads, self.database_peers)

    def __str__(self) -> str:
        held = [f"the thread {name!r}" for name in self.threads]
        held += [f"a connection to the database at {peer}" for peer in self.database_peers]
        return (
            f"A worker forks its processes, and cannot do so beside {' and '.join(held)}: each of them would "
            "inherit it. Begin it where a job process begins: on_process_start in process_hooks."
        )
