"""``manage.py check_waiting_jobs``: which waiting jobs a release could not run, asked when it is released."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.database import DATABASE_FAULTS
from procrastinate_tasks.verification.waiting_jobs import Misfit, announce_release, find_misfits


class Command(BaseCommand):
    """Lists the jobs that wait and do not fit this release's tasks, by task: how many, and why.

    No value of an argument is shown. It also announces the release: workers of the one before it then give
    jobs back that only this one can run.
    """

    help = (
        "Lists waiting jobs that this release could not run: their task is gone, or takes other arguments."
        " Exit code 0, or with --strict 1 if there are any; 2: the database cannot be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="exit with 1 if a job does not fit")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            announce_release()
            misfits = find_misfits()
        except DATABASE_FAULTS as error:
            raise CommandError(_("The database cannot be asked: %s") % error, returncode=2) from error
        self._write(misfits, as_json=options["json"])
        if misfits and options["strict"]:
            raise CommandError(_("Waiting jobs do not fit this release."), returncode=1)

    def _write(self, misfits: Sequence[Misfit], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"misfits": [asdict(misfit) for misfit in misfits]}))
            return
        for misfit in misfits:
            text = ngettext(
                "%(task)s: %(jobs)d job: %(problem)s", "%(task)s: %(jobs)d jobs: %(problem)s", misfit.jobs
            )
            self.stdout.write(text % asdict(misfit))
        if not misfits:
            self.stdout.write(_("Every waiting job fits this release."))
