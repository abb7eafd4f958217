"""Puts an alert, or its end, into words for those who are told, once for each channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.alerting.alerts import Alert
from procrastinate_tasks.alerting.channels import open_channels
from procrastinate_tasks.alerting.rules import AlertRule
from procrastinate_tasks.statements import statement


def write_notices(rule: AlertRule, alerts: Sequence[Alert], *, has_recovered: bool, now: datetime) -> None:
    """Store one notice a channel about alerts of one rule; ``delivery`` sends them."""
    if not alerts:
        return
    title, text = _words_of_end(rule, alerts, now=now) if has_recovered else _words_of_fault(rule, alerts)
    DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS).execute_query(
        statement("write_alert_notices"),
        channels=list(open_channels()),
        rule=rule.name,
        subjects=json.dumps([alert.subject for alert in alerts if alert.subject]),
        has_recovered=has_recovered,
        title=title,
        text=text,
        now=now,
    )


def _words_of_fault(rule: AlertRule, alerts: Sequence[Alert]) -> tuple[str, str]:
    seen_at = date_format(timezone.localtime(min(alert.seen_at for alert in alerts)), "DATETIME_FORMAT")
    lines = [
        *(alert.sentence for alert in alerts),
        "",
        _("Since: %s.") % seen_at,
        _("What to do: %s") % rule.advice,
        _("You will be told once more, when it is over."),
    ]
    return _("Alert: %s") % rule.title, "\n".join(lines)


def _words_of_end(rule: AlertRule, alerts: Sequence[Alert], *, now: datetime) -> tuple[str, str]:
    since = min(alert.seen_at for alert in alerts)
    lines = [
        _("This is over:"),
        *(alert.sentence for alert in alerts),
        "",
        _("It lasted %s.") % timesince(since, now),
    ]
    return _("Over: %s") % rule.title, "\n".join(lines)
