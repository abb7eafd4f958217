"""``manage.py check_invariants``: ask the database what must hold of money and nights."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.invariants.catalogue import INVARIANTS, named
from payments.invariants.checking import Verdict, check


class Command(BaseCommand):
    help = "Ask the database what must always hold of money and nights, and name the rows that break it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="only these, such as I8; otherwise all")
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [name.upper() for name in options["names"]]
        if unknown := sorted(set(names) - {each.name for each in INVARIANTS}):
            raise CommandError(_("There is no invariant %(names)s.") % {"names": ", ".join(unknown)})
        verdicts = []
        for verdict in check(now=timezone.now(), invariants=named(names)):
            verdicts.append(verdict)
            if not options["json"]:
                self.stdout.write(_write(verdict))
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(each) for each in verdicts], ensure_ascii=False, indent=2))
        broken = sum(not each.holds for each in verdicts)
        if broken:
            raise CommandError(
                ngettext("%(count)d invariant is broken.", "%(count)d invariants are broken.", broken)
                % {"count": broken}
            )


def _write(verdict: Verdict) -> str:
    name, seconds = verdict.invariant.name, f"{verdict.seconds:.2f} s"
    if verdict.holds:
        return _("%(name)s holds (%(seconds)s)") % {"name": name, "seconds": seconds}
    rows = verdict.problem or ", ".join(verdict.rows)
    return _("%(name)s is broken (%(seconds)s): %(broken)s. %(count)d: %(rows)s") % {
        "name": name,
        "seconds": seconds,
        "broken": verdict.invariant.broken,
        "count": verdict.count,
        "rows": rows,
    }


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.invariant.name,
        "holds": verdict.holds,
        "broken_when": str(verdict.invariant.broken),
        "count": verdict.count,
        "rows": verdict.rows,
        "problem": verdict.problem,
        "seconds": verdict.seconds,
    }
