"""What a check of the set-up says, and how checks are run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from procrastinate_tasks.queries import DATABASE_FAULTS


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
