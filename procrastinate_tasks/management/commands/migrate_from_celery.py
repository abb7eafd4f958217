"""``manage.py migrate_from_celery``: what of Celery a project uses, and what stands here for it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procrastinate_tasks.coming_from_celery.counterparts import Fit, counterpart_of
from procrastinate_tasks.coming_from_celery.reading import Use
from procrastinate_tasks.coming_from_celery.survey import Survey, look_through

SOMETHING_HAS_NO_COUNTERPART = 1
SOMETHING_WAS_NOT_READ = 2

_HEADINGS = {
    Fit.NONE: "Has no counterpart: decide what to do",
    Fit.PARTLY: "Is here in part, or in another way",
    Fit.SAME: "Is here",
    Fit.NEEDLESS: "Is needless here: remove it",
}


class Command(BaseCommand):
    help = (
        "List every use of Celery in a project's code, settings, requirements and Procfile, with what stands "
        "for it here. Nothing is imported, run or changed. Exit code 0: everything has a counterpart; "
        "1: something has none; 2: something could not be read."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            type=Path,
            required=True,
            metavar="PATH",
            help="a project's folder, or one file",
        )
        parser.add_argument("--json", action="store_true", help="print the same as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["check"]
        if not path.exists():
            raise CommandError(f"There is no {path}.", returncode=SOMETHING_WAS_NOT_READ)
        survey = look_through(path)
        self.stdout.write(_as_json(survey) if options["json"] else _as_text(survey))
        if survey.unreadable:
            raise SystemExit(SOMETHING_WAS_NOT_READ)
        if survey.count(Fit.NONE):
            raise SystemExit(SOMETHING_HAS_NO_COUNTERPART)


def _as_json(survey: Survey) -> str:
    return json.dumps(
        {
            "files": survey.files,
            "counts": {fit.value: survey.count(fit) for fit in Fit},
            "uses": [_use_as_json(use) for use in survey.uses],
            "unreadable": [{"path": one.path, "reason": one.reason} for one in survey.unreadable],
        },
        indent=2,
        ensure_ascii=False,
    )


def _use_as_json(use: Use) -> dict[str, object]:
    row = counterpart_of(use.key)
    place: dict[str, object] = {"path": use.path, "line": use.line, "text": use.text}
    return {**place, "celery": row.celery, "fit": row.fit.value, "here": row.here}


def _as_text(survey: Survey) -> str:
    sections = [_section(survey, fit, heading) for fit, heading in _HEADINGS.items()]
    unread = [f"Not read: {problem}" for problem in survey.unreadable]
    return "\n".join([_summary(survey), *filter(None, sections), *unread])


def _summary(survey: Survey) -> str:
    if not survey.uses:
        return f"No use of Celery in {survey.files} files."
    counts = ", ".join(f"{survey.count(fit)} {fit.value}" for fit in Fit)
    return f"{len(survey.uses)} uses of Celery in {survey.files} files: {counts}."


def _section(survey: Survey, fit: Fit, heading: str) -> str:
    groups = survey.by_counterpart(fit)
    lines = [f"\n{heading}" if groups else ""]
    for row, uses in groups.items():
        lines += [f"\n  {row.celery}  ({len(uses)})", f"    -> {row.here}"]
        lines += [f"    {use.path}:{use.line}: {use.text}" for use in uses]
    return "\n".join(lines)
