"""``manage.py rebuild_from_stripe``: after a restored backup, write down again what only Stripe remembers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from payments import memory
from payments.exceptions import PaymentError
from payments.gateway import get_gateway
from payments.protocols import rebuild
from payments.protocols.rebuild import Fate, Finding


class Command(BaseCommand):
    help = "Show what Stripe knows of us and this database does not; with --apply, write it down again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="do it, instead of only showing it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._rebuild() if options["apply"] else rebuild.find(gateway=get_gateway())
        except PaymentError as error:
            raise CommandError(str(error)) from error
        if not options["apply"]:
            for finding in found:
                self._show(finding)
        self._conclude(found, is_applied=options["apply"])

    def _rebuild(self) -> list[Finding]:
        found = []
        for finding in rebuild.rebuild(
            gateway=get_gateway(), base_url=settings.SITE_BASE_URL, now=timezone.now()
        ):
            self._show(finding)
            found.append(finding)
        return found

    def _show(self, finding: Finding) -> None:
        booking = finding.booking.folio if finding.booking else _("the booking is gone")
        self.stdout.write(f"{_words_of(finding.fate)}: {finding.stripe_id} · {finding.theirs} · {booking}")

    def _conclude(self, found: list[Finding], *, is_applied: bool) -> None:
        if not found:
            self.stdout.write(_("Stripe knows nothing of us that this database does not."))
        elif not is_applied:
            self.stdout.write(_("Nothing was changed. Run it again with --apply."))
        if is_applied and memory.is_locked():
            raise CommandError(_("Charging is still locked: run it again."))


def _words_of(fate: Fate) -> str:
    return {
        Fate.REBUILT: _("Written down again"),
        Fate.CLOSED: _("Closed at Stripe"),
        Fate.FLAGGED: _("Kept as a difference for a person"),
    }[fate]
