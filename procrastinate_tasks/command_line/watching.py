"""The verb that shows the state of the queue again and again."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from contextlib import suppress

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb, cell
from procrastinate_tasks.command_line.overview import show_status
from procrastinate_tasks.database import DATABASE_FAULTS, in_one_line

_CLEAR_SCREEN = "\x1b[2J\x1b[H"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--every", type=float, default=2.0, metavar="SECONDS", help="how often (default: %(default)g)"
    )


def watch(out: Output, options: Options) -> ExitCode:
    """Show the status until Ctrl-C; a database that is down, or no worker, is shown and ends nothing."""
    every = options["every"]
    if not 0.1 <= every <= 3600:
        raise CommandError(_("--every takes 0.1 to 3600 seconds."), returncode=ExitCode.ERROR)
    with suppress(KeyboardInterrupt):
        while True:
            _show_once(out, options)
            time.sleep(every)
    return ExitCode.DONE


def _show_once(out: Output, options: Options) -> None:
    if out.stream.isatty():
        out.stream.write(_CLEAR_SCREEN, ending="")
    if not out.as_json:
        out.line(cell(timezone.now()))
    try:
        show_status(out, options)
    except CommandError as error:
        out.line(str(error))
    except DATABASE_FAULTS as error:
        out.line(_("The database cannot be asked: %s") % in_one_line(error))
    out.stream.flush()


VERBS = (
    Verb(
        name="watch",
        summary="the status again and again, until Ctrl-C",
        run=watch,
        add_arguments=add_arguments,
        example="jobs watch --every 5",
    ),
)
