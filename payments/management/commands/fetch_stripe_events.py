"""``manage.py fetch_stripe_events``: take in what Stripe told and no webhook brought."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import ngettext

from payments.exceptions import PaymentError
from payments.gateway import get_gateway
from payments.protocols import inbox, memory


class Command(BaseCommand):
    help = (
        "Take in the events that Stripe lists and no webhook brought, since it was looked at last;"
        " a schedule does so every five minutes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        most = inbox.LISTED_FOR.days
        parser.add_argument(
            "--days",
            type=int,
            choices=range(1, most + 1),
            metavar="N",
            help=f"look N days back (Stripe lists {most})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        since = now - timedelta(days=options["days"]) if options["days"] else None
        try:
            memory.guard.require(now=now)
            fetched = inbox.fetch_missed(gateway=get_gateway(), now=now, since=since)
        except PaymentError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            ngettext(
                "Of %(listed)d event that Stripe lists, %(missed)d was missed.",
                "Of %(listed)d events that Stripe lists, %(missed)d were missed.",
                fetched.listed,
            )
            % {"listed": fetched.listed, "missed": fetched.missed}
        )
