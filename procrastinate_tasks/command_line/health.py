"""The verb that tells whether the queue does its work."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.command_line.exit_codes import ExitCode
from procrastinate_tasks.command_line.output import Output
from procrastinate_tasks.command_line.verbs import Options, Verb
from procrastinate_tasks.monitoring.health import check_health
from procrastinate_tasks.queries import DATABASE_FAULTS

# Beside ExitCode: nothing was found out.
COULD_NOT_CHECK = 2


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--queue", help="look at the waiting jobs of this queue only")
    parser.add_argument(
        "--longest-wait",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a ready job may wait (default: %(default)g)",
    )


def show_health(out: Output, options: Options) -> ExitCode:
    """Show each check, and fail when one does; a database that cannot be asked is code 2."""
    try:
        health = check_health(queue=options["queue"], longest_wait=timedelta(seconds=options["longest_wait"]))
    except DATABASE_FAULTS as error:
        raise CommandError(
            _("The database cannot be asked: %s") % (error.__cause__ or error), returncode=COULD_NOT_CHECK
        ) from error
    if out.as_json:
        out.json({"ok": health.is_healthy, "checks": health.checks})
    else:
        for check in health.checks:
            out.line(f"{'✓' if check.is_ok else '✗'} {check.sentence}")
    return ExitCode.DONE if health.is_healthy else ExitCode.ERROR


VERBS = (
    Verb(
        name="health",
        summary="tell whether the queue does its work; exit code 1 if not, 2 if nobody can tell",
        run=show_health,
        add_arguments=add_arguments,
        example="jobs health --queue payments --longest-wait 120",
    ),
)
