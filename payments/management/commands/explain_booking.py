"""``manage.py explain_booking``: was a guest charged twice, and why this amount?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from bookings.models import Booking
from bookings.money import format_pesos
from bookings.references import read_reference
from payments.panels.explanation import Explanation, IntentMoney, Line, explain


class Command(BaseCommand):
    help = "Tell a booking's money: whether anything was charged twice, why this amount, and every row of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("booking", help="its id, folio (RE-1A2B3C4D) or public id")
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        booking = _find(options["booking"])
        now = timezone.now()
        told = explain(booking, now=now, with_jobs=True)
        if options["json"]:
            with translation.override("en"):
                english = explain(booking, now=now, with_jobs=False).sentence
            document = {**_as_json(told), "sentence": {"es-mx": told.sentence, "en": english}}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self._write(told)

    def _write(self, told: Explanation) -> None:
        self.stdout.write(f"{told.booking.folio}: {told.sentence}")
        for money in told.intents:
            self.stdout.write(_write_intent(money))
        for section in told.sections:
            self.stdout.write(f"\n{section.title}")
            for line in section.lines:
                self.stdout.write(f"  {_write_line(line)}")


def _find(reference: str) -> Booking:
    named = read_reference(reference)
    bookings = Booking.objects.select_related("quote__home")
    found = list(bookings.filter(public_id__range=named)[:2]) if named else []
    if not found and reference.isdecimal() and len(reference) < 19:
        found = list(bookings.filter(pk=int(reference)))
    if len(found) != 1:
        raise CommandError(_("There is no one booking %(reference)s.") % {"reference": reference})
    return found[0]


def _write_intent(money: IntentMoney) -> str:
    return _("%(intent)s (%(payment)s): %(charged)s charged, %(returned)s given back, %(held)s disputed") % {
        "intent": money.intent_id,
        "payment": money.payment,
        "charged": format_pesos(money.charged_minor),
        "returned": format_pesos(money.returned_minor),
        "held": format_pesos(money.disputed_minor),
    }


def _write_line(line: Line) -> str:
    at = f"{timezone.localtime(line.at):%Y-%m-%d %H:%M}" if line.at else ""
    amount = format_pesos(line.amount_minor) if line.amount_minor is not None else ""
    return " · ".join(filter(None, (line.row, at, line.words, amount)))


def _as_json(told: Explanation) -> dict[str, Any]:
    sums = {name: getattr(told.sums, name) for name in told.sums.__dataclass_fields__}
    return {
        "booking": told.booking.pk,
        "folio": told.booking.folio,
        "charged_twice": list(told.twice),
        "sums": {**sums, "due_minor": told.sums.due_minor},
        "intents": [
            {name: getattr(money, name) for name in (*money.__dataclass_fields__, "kept_minor")}
            for money in told.intents
        ],
        **{section.name: [_line_as_json(line) for line in section.lines] for section in told.sections},
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    return {
        "row": line.row,
        "words": line.words,
        "amount_minor": line.amount_minor,
        "at": line.at.isoformat() if line.at else None,
    }
