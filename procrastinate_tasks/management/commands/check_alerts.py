"""``manage.py check_alerts``: looks for faults once, for a platform's scheduler or a cron job."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import DATABASE_FAULTS
from procrastinate_tasks.monitoring.alerts import delivery, evaluation
from procrastinate_tasks.monitoring.alerts.rules import Alert

_PATIENCE = timedelta(seconds=5)
_PAUSE_SECONDS = 0.5


class Command(BaseCommand):
    """Looks for faults, tells them through the channels of the settings, and lists those that are there.

    A fault is told when it has lasted (``PROCRASTINATE_TASKS_ALERT_LASTING``): the command waits for that.
    """

    help = (
        "Looks for faults of the queue and sends the alerts that are due."
        " Exit code 0: all is well, 1: an alert fires, silenced or not, 2: the database cannot be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            firing = look_until_decided()
            delivery.deliver_due()
        except DATABASE_FAULTS as error:
            raise CommandError(_("The database cannot be asked: %s") % error, returncode=2) from error
        self._write(firing, as_json=options["json"])
        if firing:
            raise CommandError(_("Alerts that fire: %d") % len(firing), returncode=1)

    def _write(self, firing: Sequence[Alert], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"alerts": [_plain(alert) for alert in firing]}, ensure_ascii=False))
            return
        for alert in firing:
            self.stdout.write(f"{alert.rule}: {alert.sentence}")
        if not firing:
            self.stdout.write(_("No alert fires."))


def look_until_decided() -> tuple[Alert, ...]:
    """Look until no fault is merely watched any more, and return the alerts that fire."""
    deadline = time.monotonic() + (queue_settings().alert_lasting + _PATIENCE).total_seconds()
    while True:
        evaluation.run_once(every=timedelta(0))
        alerts = evaluation.list_alerts()
        if all(alert.fired_at is not None for alert in alerts) or time.monotonic() > deadline:
            return tuple(alert for alert in alerts if alert.fired_at is not None)
        time.sleep(_PAUSE_SECONDS)


def _plain(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.rule,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "since": alert.seen_at.isoformat(),
        "is_silenced": alert.silenced_at is not None,
    }
