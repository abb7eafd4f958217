"""``manage.py seed_stays``: bookings and payments in every state, for development and screenshots."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments.gateway import get_gateway
from reyes_estancias.demo.history import Historian
from reyes_estancias.demo.homes import make_homes
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.launcher import SandboxDidNotStart, start_sandbox

STATE = Path(settings.BASE_DIR) / ".local" / "demo" / "stripe.jsonl"


class Command(BaseCommand):
    """Books, pays, moves and cancels through the site's own services, at the local Stripe.

    What is made stays: a ledger is not unwritten. ``seed_jobs`` afterwards makes jobs about these bookings.
    """

    help = "Makes stays in every state with their payments, at the local Stripe. They cannot be removed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=60, help="how many stays (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG or "127.0.0.1" not in settings.STRIPE_API_BASE:
            raise CommandError(
                "Stays are made on a laptop only: with DEBUG on, and STRIPE_API_BASE at the local Stripe. "
                "Here they would take nights from guests, and could not be told from real ones."
            )
        with ExitStack() as stage:
            # The screen is for what was made; each charge would be told in several lines.
            logging.disable(logging.INFO)
            stage.callback(logging.disable, logging.NOTSET)
            historian = Historian(
                homes=make_homes(),
                gateway=get_gateway(),
                control=self._join_or_start_stripe(stage),
                base_url=settings.SITE_BASE_URL,
            )
            for step in historian.live(options["count"]):
                self.stdout.write(step)

    def _join_or_start_stripe(self, stage: ExitStack) -> Control:
        control = Control(settings.STRIPE_API_BASE)
        if control.is_up():
            return control
        port = int(settings.STRIPE_API_BASE.rpartition(":")[2])
        try:
            sandbox = start_sandbox(state=STATE, port=port)
        except SandboxDidNotStart as problem:
            raise CommandError(str(problem)) from problem
        stage.callback(sandbox.stop)
        return sandbox.control
