"""What a check of the set-up says, how checks are run one after the other, and the command that runs them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.database import DATABASE_FAULTS


class Level(StrEnum):
    """A warning is no reason to stop; what was skipped could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check found: how it stands, or the cause and what mends it."""

    level: Level
    sentence: str
    fix: str = ""
    check: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that has to be in order. Without the database, those that need it are skipped."""

    name: str
    title: str | Promise
    run: Callable[[], Verdict]
    needs_database: bool = True


def ok(sentence: str) -> Verdict:
    return Verdict(level=Level.OK, sentence=sentence)


def warn(sentence: str, *, fix: str) -> Verdict:
    return Verdict(level=Level.WARNING, sentence=sentence, fix=fix)


def fail(sentence: str, *, fix: str) -> Verdict:
    return Verdict(level=Level.FAILED, sentence=sentence, fix=fix)


def skip(sentence: str) -> Verdict:
    return Verdict(level=Level.SKIPPED, sentence=sentence)


def verify(checks: Sequence[Check]) -> Iterator[Verdict]:
    """Run checks in their order; the first stands for the database that others need."""
    has_database = True
    for check in checks:
        verdict = _run(check) if has_database or not check.needs_database else skip(_("Needs the database."))
        if check.name == "database":
            has_database = verdict.level is Level.OK
        yield replace(verdict, check=check.name, title=str(check.title))


def _run(check: Check) -> Verdict:
    try:
        return check.run()
    except DATABASE_FAULTS as error:
        return fail(
            _("The database refused a question: %s") % _first_line(error),
            fix=_("Apply the migrations: manage.py migrate. Then look at the rights of the database user."),
        )


def _first_line(error: Exception) -> str:
    return str(error.__cause__ or error).strip().partition("\n")[0]


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
