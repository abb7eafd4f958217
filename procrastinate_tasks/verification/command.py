"""A management command that runs checks of the set-up; a project gives it its own."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.verification.verdicts import Check, Level, Verdict, verify

_MARKS = {Level.OK: "✓", Level.WARNING: "!", Level.FAILED: "✗", Level.SKIPPED: "–"}


class VerificationCommand(BaseCommand):
    """Prints one line a check, with what mends it; exit code 1 when something failed."""

    requires_system_checks = ()  # what is wrong shall be told, not keep us from telling it

    def list_checks(self, *, job_within: timedelta) -> Sequence[tuple[str, Sequence[Check]]]:
        """Return the checks in groups, each with its heading; the first group looks at the database."""
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument(
            "--job-timeout",
            type=float,
            default=15.0,
            metavar="SECONDS",
            help="how long a worker has for one job (default: %(default)g)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        groups = self.list_checks(job_within=timedelta(seconds=options["job_timeout"]))
        headings = {group[0].name: heading for heading, group in groups}
        verdicts = []
        for verdict in verify([check for _heading, group in groups for check in group]):
            verdicts.append(verdict)
            if not options["json"]:
                self._write(verdict, heading=headings.get(verdict.check))
        failed = sum(verdict.level is Level.FAILED for verdict in verdicts)
        if options["json"]:
            body = {"ok": not failed, "checks": [asdict(verdict) for verdict in verdicts]}
            self.stdout.write(json.dumps(body, ensure_ascii=False, indent=2))
        if failed:
            raise CommandError(
                ngettext("%d check failed.", "%d checks failed.", failed) % failed, returncode=1
            )
        if not options["json"]:
            self.stdout.write(_("\nEverything that matters is in order."))

    def _write(self, verdict: Verdict, *, heading: str | None) -> None:
        if heading:
            self.stdout.write(f"\n{heading}")
        self.stdout.write(f"{_MARKS[verdict.level]} {verdict.title}: {verdict.sentence}")
        if verdict.fix:
            self.stdout.write(f"    → {verdict.fix}")
        self.stdout.flush()
