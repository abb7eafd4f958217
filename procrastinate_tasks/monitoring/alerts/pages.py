"""Where something can be done about an alert: the page that its rule names, with just what it tells of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Notice, all_rules
from procrastinate_tasks.queries.alerts import ToldAlert

logger = logging.getLogger(__name__)


def query_of(rule: AlertRule, alert: ToldAlert) -> Mapping[str, str]:
    """Ask the rule, which may be a project's: one that fails is left with its whole page."""
    try:
        return rule.query(alert)
    except Exception:
        logger.exception("An alert rule could not name its list", extra={"rule": rule.name})
        return {}


def address_of(notice: Notice) -> str:
    """Return where one goes from a message; nothing where the project has no such page.

    Without ``SITE_URL`` it is the path alone. Of several subjects the page is the one of all.
    """
    rule = next((rule for rule in all_rules() if rule.name == notice.rule), None)
    path = _path_of(rule) if rule else ""
    if not rule or not path:
        return ""
    subject = notice.subjects[0] if len(notice.subjects) == 1 else ""
    told = ToldAlert(rule=rule.name, subject=subject, sentence="", told_at=notice.created_at)
    query = urlencode({name: value for name, value in query_of(rule, told).items() if value})
    return queue_settings().site_url.rstrip("/") + path + (f"?{query}" if query else "")


def _path_of(rule: AlertRule) -> str:
    """Ask the project's addresses, which a worker has not read yet: a fault in them holds up no alert."""
    try:
        return reverse(rule.page)
    except NoReverseMatch:
        return ""
    except Exception:
        logger.exception("The page of an alert could not be found", extra={"rule": rule.name})
        return ""
