"""Sends what is to be told, outside every transaction, once; what could not be sent is tried again."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta

from django.db import connections
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.alerting import channels
from procrastinate_tasks.alerting.alerts import Notice
from procrastinate_tasks.statements import statement

logger = logging.getLogger(__name__)

MOST_TRIES = 20
_PAUSE = timedelta(seconds=60)

_delivering = threading.Lock()


def deliver_due() -> int:
    """Send every notice that is due, and return how many were sent.

    A notice belongs to the process that counted a try for it. Should that die before the try is over, the
    notice is due again after a minute: a message may then come twice, and is never lost.
    """
    sent = 0
    while (notice := _claim()) is not None:
        try:
            channels.send(notice)
        except Exception as error:
            # The error's own words may hold addresses.
            logger.error(
                "Alert could not be sent",
                extra={
                    "alert": notice.rule,
                    "channel": notice.channel,
                    "tries": notice.tries,
                    "error": type(error).__name__,
                },
            )
            continue
        sent += 1
        _connector().execute_query(statement("note_alert_sent"), notice_id=notice.id)
    return sent


def has_due() -> bool:
    return bool(
        _connector().execute_query_one(statement("has_due_alert_notice"), most_tries=MOST_TRIES)["due"]
    )


def deliver_in_background() -> None:
    """Send on a thread and connection of its own: a slow mail server holds up nothing else."""
    if has_due() and _delivering.acquire(blocking=False):
        threading.Thread(target=_deliver_and_close, name="alerts", daemon=True).start()


def _deliver_and_close() -> None:
    try:
        deliver_due()
    except Exception:
        logger.exception("Alerts could not be delivered, will be tried again")
    finally:
        connections.close_all()
        _delivering.release()


def _claim() -> Notice | None:
    rows = _connector().execute_query_all(
        statement("claim_alert_notice"), most_tries=MOST_TRIES, pause=_PAUSE
    )
    if not rows:
        return None
    subjects = rows[0].pop("subjects")
    return Notice(**rows[0], subjects=tuple(json.loads(subjects)))


def _connector() -> DjangoConnector:
    return DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
