"""``manage.py jobs``: what the queue knows and does, as a table or as JSON, and what people do to it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.command_line import (
    acting,
    alerts,
    audit_listing,
    listing,
    overview,
    queues,
    replaying,
    schedules,
    showing,
    watching,
)
from procrastinate_tasks.command_line.output import ExitCode, Output, Verb, reader_may_leave, width_of
from procrastinate_tasks.database import DATABASE_FAULTS, in_one_line

_MODULES = (
    overview,
    listing,
    showing,
    acting,
    replaying,
    queues,
    schedules,
    audit_listing,
    alerts,
    watching,
)
VERBS: dict[str, Verb] = {verb.name: verb for module in _MODULES for verb in module.VERBS}


class Command(BaseCommand):
    """Shows the queue and its jobs, and acts on them; whoever acts is written down.

    The exit code is 0 when all went as asked, 1 on an error, 2 when the database cannot be asked, 3 when
    nothing matched, 4 when something named does not exist, 5 when an action skipped some jobs, 6 when it
    was possible for none and 141 when whoever reads left first.
    """

    help = (
        "Shows the queue and its jobs, and acts on them.\n\n"
        "Exit codes: 0 all done, 1 error, 2 database down, 3 none matched, 4 not found, 5 some skipped,"
        " 6 none done, 141 the reader left."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "no_color": True})

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        subparsers = parser.add_subparsers(dest="verb", required=True, metavar="verb")
        for verb in VERBS.values():
            epilog = f"Example: manage.py {verb.example}" if verb.example else ""
            added = subparsers.add_parser(verb.name, help=verb.summary, epilog=epilog)
            verb.add_arguments(added)
            added.add_argument("--json", action="store_true", help="print JSON")
            added.add_argument("--wide", action="store_true", help="cut no table to the terminal")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Run the verb; any code but 0 ends the process."""
        width = None if options["wide"] else width_of(self.stdout)
        out = Output(self.stdout, as_json=options["json"], width=width)
        try:
            with reader_may_leave(self.stdout):
                code = VERBS[verb].run(out, options)
        except DATABASE_FAULTS as error:
            cause = in_one_line(error)
            raise CommandError(
                _("The database cannot be asked: %s") % cause, returncode=ExitCode.DATABASE_FAULT
            ) from error
        if code:
            sys.exit(code)
