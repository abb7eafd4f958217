"""Sends what is to be told, outside every transaction, once; what could not be sent is tried again.

An alert, its end, or that somebody silenced it, is put into words once for each channel: a log line, an
e-mail to the ADMINS, a POST to a webhook.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.request import Request, urlopen

from django.conf import settings as django_settings
from django.core.mail import mail_admins
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import database_alias, fetch_row, fetch_rows, statement
from procrastinate_tasks.models import AlertNotice
from procrastinate_tasks.monitoring.alerts.pages import address_of
from procrastinate_tasks.monitoring.alerts.rules import Alert, AlertRule, Notice
from procrastinate_tasks.monitoring.policies import has_time_passed

logger = logging.getLogger(__name__)

MOST_TRIES = 20


_PAUSE = timedelta(seconds=60)

_delivering = threading.Lock()

_HAS_DUE = """
-- Whether something is to be told and nobody is at it.
SELECT EXISTS (
    SELECT FROM procrastinate_tasks_alertnotice
    WHERE NOT is_sent AND next_try_at <= clock_timestamp() AND tries < %(most_tries)s
) AS due
"""


def deliver_due() -> int:
    """Send every notice that is due, and return how many were sent.

    A notice belongs to the process that counted a try for it. Should that die before the try is over, the
    notice is due again after a minute: a message may then come twice, and is never lost.
    """
    sent = 0
    while (notice := _claim()) is not None:
        try:
            send(notice)
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
        _notices().filter(pk=notice.id).update(is_sent=True)
    return sent


def has_due() -> bool:
    return bool(fetch_row(_HAS_DUE, most_tries=MOST_TRIES)["due"])


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


def _notices() -> QuerySet[AlertNotice]:
    return AlertNotice.objects.using(database_alias())


def _claim() -> Notice | None:
    rows = fetch_rows(statement("monitoring/claim_alert_notice"), most_tries=MOST_TRIES, pause=_PAUSE)
    if not rows:
        return None
    subjects = rows[0].pop("subjects")
    return Notice(**rows[0], subjects=tuple(json.loads(subjects)))


alert_log = logging.getLogger("procrastinate_tasks.alerts")

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out. ``is_open`` tells whether this project uses it."""

    is_open: Callable[[], bool]
    send: Callable[[Notice], None]


def open_channels() -> tuple[str, ...]:
    return tuple(name for name, channel in CHANNELS.items() if channel.is_open())


def send(notice: Notice) -> None:
    """Send a notice through its channel.

    Raises:
        OSError: the mail server or the webhook did not take it.
    """
    CHANNELS[notice.channel].send(notice)


def _log(notice: Notice) -> None:
    is_fault = not (notice.has_recovered or notice.is_silenced)
    level = logging.ERROR if is_fault else logging.INFO
    fields = {
        "event": _event(notice),
        "alert": notice.rule,
        "subjects": ",".join(notice.subjects) or None,
        "told": notice.text.partition("\n")[0] if is_fault else None,
    }
    alert_log.log(level, "%s", notice.title, extra=fields)


def _mail(notice: Notice) -> None:
    mail_admins(notice.title, _with_address(notice))


def _post(notice: Notice) -> None:
    body = {
        "event": _event(notice),
        "alert": notice.rule,
        "subjects": notice.subjects,
        "title": notice.title,
        "text": f"{notice.title}\n{_with_address(notice)}",
        "url": _address_of(notice),
        "at": notice.created_at.isoformat(),
    }
    request = Request(  # noqa: S310 - the system checks allow no other scheme than http(s)
        queue_settings().alert_webhook_url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - see above
        pass


def _with_address(notice: Notice) -> str:
    """Lead to the page where something can be done, in the project's language as all of a notice is."""
    address = _address_of(notice)
    if not address:
        return notice.text
    with translation.override(django_settings.LANGUAGE_CODE):
        return "\n".join((notice.text, _("Look here: %s") % address))


def _address_of(notice: Notice) -> str:
    return "" if notice.has_recovered else address_of(notice)


def _event(notice: Notice) -> str:
    if notice.is_silenced:
        return "alert_silenced"
    return "alert_recovered" if notice.has_recovered else "alert_fired"


CHANNELS = {
    "log": Channel(lambda: True, _log),
    "email": Channel(lambda: bool(django_settings.ADMINS), _mail),
    "webhook": Channel(lambda: bool(queue_settings().alert_webhook_url), _post),
}


class News(StrEnum):
    """What is to be told of alerts."""

    FAULT = "fault"
    RETURN = "return"
    SILENCE = "silence"
    END = "end"


def write_notices(rule: AlertRule, alerts: Sequence[Alert], news: News, *, now: datetime) -> None:
    """Store one notice a channel about alerts of one rule; ``delivery`` sends them.

    Args:
        alerts: as they are now; of a return as they were, with its silence.
    """
    if not alerts:
        return
    title, text = _WORDS[news](rule, alerts, now)
    subjects = [alert.subject for alert in alerts if alert.subject]
    _notices().bulk_create(
        AlertNotice(
            channel=channel,
            rule=rule.name,
            subjects=subjects,
            has_recovered=news is News.END,
            is_silenced=news is News.SILENCE,
            title=title,
            text=text,
            created_at=now,
            next_try_at=now,
        )
        for channel in open_channels()
    )


Words = tuple[str, str]


def _words_of_fault(rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> Words:
    lines = [
        *(alert.sentence for alert in alerts),
        "",
        _("Since: %s.") % _moment(min(alert.seen_at for alert in alerts)),
        _("What to do: %s") % rule.advice,
        _("You will be told once more, when it is over."),
    ]
    return _("Alert: %s") % rule.title, "\n".join(lines)


def _words_of_return(rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> Words:
    title, text = _words_of_fault(rule, alerts, now)
    reasons = dict.fromkeys(_why_back(alert, now) for alert in alerts)
    return title, "\n".join([text, *reasons])


def _why_back(alert: Alert, now: datetime) -> str:
    has_passed = alert.silence is not None and has_time_passed(alert.silence, now=now)
    sentence = (
        _("%(person)s had silenced it; that is over.")
        if has_passed
        else _("%(person)s had silenced it; it is much worse now.")
    )
    return sentence % {"person": alert.silenced_by}


def _words_of_silence(rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> Words:
    lines = [line for alert in alerts for line in (alert.sentence, _how_silenced(alert))]
    lines += ["", _("It still counts in health checks and metrics.")]
    return _("Silenced: %s") % rule.title, "\n".join(lines)


def _how_silenced(alert: Alert) -> str:
    values = {"person": alert.silenced_by, "note": alert.silence_note}
    if alert.silenced_until is None:
        return _("%(person)s silenced it until it is over or gets much worse: %(note)s") % values
    values["until"] = _moment(alert.silenced_until)
    return _("%(person)s silenced it until %(until)s, or until it gets much worse: %(note)s") % values


def _words_of_end(rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> Words:
    since = min(alert.seen_at for alert in alerts)
    lines = [
        _("This is over:"),
        *(alert.sentence for alert in alerts),
        "",
        _("It lasted %s.") % timesince(since, now),
    ]
    return _("Over: %s") % rule.title, "\n".join(lines)


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


_WORDS: Mapping[News, Callable[[AlertRule, Sequence[Alert], datetime], Words]] = {
    News.FAULT: _words_of_fault,
    News.RETURN: _words_of_return,
    News.SILENCE: _words_of_silence,
    News.END: _words_of_end,
}
