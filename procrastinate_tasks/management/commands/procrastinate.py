"""``manage.py procrastinate``: Procrastinate's own command, with our worker behind ``worker``."""

from __future__ import annotations

import argparse
import logging
import sys
from difflib import get_close_matches
from typing import Any

from django.core.management.base import CommandError
from procrastinate.contrib.django import app
from procrastinate.contrib.django.management.commands import procrastinate as upstream

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.exceptions import CannotFork
from procrastinate_tasks.worker.greeting import greet, keep_own_lines_from_raising
from procrastinate_tasks.worker.options import InvalidWorkerOption, read_options
from procrastinate_tasks.worker.reloading import is_outer, run_reloading
from procrastinate_tasks.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)


class Command(upstream.Command):
    """Procrastinate's command; the options of its worker keep their meaning."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        add_worker_options(find_subparser(parser, "worker"))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["command"] != "worker":
            super().handle(*args, **options)
            return
        try:
            worker_options = read_options(defaults=worker_defaults(), given=options)
        except InvalidWorkerOption as error:
            raise CommandError(str(error)) from error
        app.perform_import_paths()
        if worker_options.reload and is_outer():
            sys.exit(run_reloading())
        keep_own_lines_from_raising()
        greet(worker_options)
        for queue in worker_options.queues or ():
            warn_of_unused_queue(queue)
        try:
            sys.exit(Supervisor(app=app, options=worker_options).run())
        except CannotFork as hindrance:
            raise CommandError(str(hindrance)) from hindrance


def warn_of_unused_queue(queue: str) -> None:
    """Says so when no task of the project uses a queue: it is perhaps misspelt, and served all the same."""
    known = sorted({task.queue for task in app.tasks.values()})
    if queue in known:
        return
    likely = get_close_matches(queue, known, n=1)
    meant = f" Did you mean {likely[0]!r}?" if likely else ""
    logger.warning("--queues: no task uses the queue %r.%s Tasks use: %s", queue, meant, ", ".join(known))


def worker_defaults() -> dict[str, Any]:
    """What holds where the command line is silent: our own settings, then Procrastinate's own."""
    settings = queue_settings()
    return {
        "soft_time_limit": settings.soft_time_limit.total_seconds(),
        "time_limit": settings.time_limit.total_seconds(),
        "orphaned_after": settings.orphaned_after.total_seconds(),
        **app.worker_defaults,
    }


def find_subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """The parser of one of Procrastinate's subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            subparser: argparse.ArgumentParser = action.choices[name]
            return subparser
    raise LookupError(f"Procrastinate's command has no subcommand {name!r}")


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Adds what Procrastinate's worker has not; left out, the setting holds, else the default shown."""
    group = parser.add_argument_group("processes and limits")
    group.add_argument("--processes", type=int, help="child processes that run jobs (default: 1)")
    group.add_argument(
        "--max-jobs", type=int, help="replace a child after this many jobs; 0: never (default: 1000)"
    )
    group.add_argument(
        "--max-memory",
        type=int,
        dest="max_memory_mb",
        metavar="MB",
        help="replace a child, between jobs, that holds more than this; 0: never (default: 400)",
    )
    group.add_argument(
        "--soft-time-limit",
        type=float,
        metavar="SECONDS",
        help="raise SoftTimeLimitExceeded in a job after this long; 0: never (default: 540)",
    )
    group.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="end a job after this long, whatever it does; 0: never (default: 600)",
    )
    group.add_argument(
        "--graceful-timeout",
        type=float,
        metavar="SECONDS",
        help="on SIGTERM, give running jobs this long; then they run again elsewhere (default: 25)",
    )
    group.add_argument(
        "--reload",
        action="store_true",
        help="for development: start anew when a Python file changes; running jobs finish first",
    )
