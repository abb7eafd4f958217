"""How ``manage.py jobs`` chooses jobs: by the filter of the job list in the admin."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from django.core.management.base import CommandError

from procrastinate_tasks.command_line.output import ExitCode, Options
from procrastinate_tasks.exceptions import UnknownQueue, UnknownTask
from procrastinate_tasks.jobs.deferring import find_task
from procrastinate_tasks.jobs.descriptions import Kind
from procrastinate_tasks.queries.filters import PERIODS, read_filter, understand
from procrastinate_tasks.queries.jobs import JobQuery
from procrastinate_tasks.queries.tabs import Tab
from procrastinate_tasks.queues.control import list_queue_names

# The option's name on the command line, and the filter's.
_FIELDS = {
    "state": "tab",
    "search": "q",
    "task": "task",
    "queue": "queue",
    "kind": "kind",
    "period": "period",
    "since": "since",
    "until": "until",
    "lock": "lock",
    "attempts": "attempts",
    "fault": "fault",
    "ended": "ended",
    "ended_from": "ended_from",
    "ended_to": "ended_to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A filter of the command line: as a query, and as it shall be written down."""

    query: JobQuery
    written: dict[str, object]

    @property
    def is_empty(self) -> bool:
        return not self.written


def add_filter_arguments(parser: ArgumentParser) -> None:
    """Add the options that choose jobs; together they narrow."""
    group = parser.add_argument_group("which jobs")
    group.add_argument(
        "--state", choices=[tab.value for tab in Tab if tab], help="as the tabs of the job list"
    )
    group.add_argument("--task", metavar="NAME", help="of this task")
    group.add_argument("--queue", metavar="NAME", help="of this queue")
    group.add_argument(
        "--kind", choices=[kind.value for kind in Kind], help="as the project presents its tasks"
    )
    group.add_argument(
        "--period", choices=list(PERIODS), help="deferred in the last hour, day, week or month"
    )
    group.add_argument("--since", metavar="TIME", help="deferred then or later: 2026-11-29, or with T10:05")
    group.add_argument("--until", metavar="TIME", help="deferred then or earlier; a day is whole")
    group.add_argument(
        "--ended", choices=list(PERIODS), help="ended in the last hour, day, week or month, and not since"
    )
    group.add_argument("--ended-from", metavar="TIME", help="ended then or later")
    group.add_argument("--ended-to", metavar="TIME", help="ended then or earlier")
    group.add_argument("--lock", metavar="TEXT", help="with this whole lock or queueing lock")
    group.add_argument("--attempts", metavar="N", help="with this many attempts or more")
    group.add_argument(
        "--fault", metavar="FINGERPRINT", help="struck by this fault, as jobs show has it, ever so often"
    )
    group.add_argument(
        "--search",
        metavar="TERM",
        help="what the search of the job list takes: a number, a reference, an address",
    )


def read_choice(options: Options) -> Choice:
    """Read the filter.

    Raises:
        CommandError: a value makes no sense, or names no task or queue.
    """
    given = {field: options[name] for name, field in _FIELDS.items() if options[name]}
    _require_known(task=given.get("task"), queue=given.get("queue"))
    understood = understand(read_filter(given))
    if understood.problems:
        raise CommandError(" ".join(understood.problems), returncode=ExitCode.ERROR)
    written = {name: options[name] for name in _FIELDS if options[name]}
    return Choice(query=understood.query, written=written)


def _require_known(*, task: str | None, queue: str | None) -> None:
    """Refuse a misspelt name: no job would match, and nobody would know why."""
    try:
        if task:
            find_task(task)
        if queue and queue not in (known := list_queue_names()):
            raise UnknownQueue(queue, known)
    except (UnknownTask, UnknownQueue) as unknown:
        raise CommandError(str(unknown), returncode=ExitCode.NOT_FOUND) from unknown
