"""How an alert reaches somebody: a log line, an e-mail to the ADMINS, a POST to a webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.request import Request, urlopen

from django.conf import settings as django_settings
from django.core.mail import mail_admins

from procrastinate_tasks.alerting.alerts import Notice
from procrastinate_tasks.conf import queue_settings

logger = logging.getLogger("procrastinate_tasks.alerts")

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
    level = logging.INFO if notice.has_recovered else logging.ERROR
    fields = {
        "event": _event(notice),
        "alert": notice.rule,
        "subjects": ",".join(notice.subjects) or None,
        "told": notice.text.partition("\n")[0] if not notice.has_recovered else None,
    }
    logger.log(level, "%s", notice.title, extra=fields)


def _mail(notice: Notice) -> None:
    mail_admins(notice.title, notice.text)


def _post(notice: Notice) -> None:
    body = {
        "event": _event(notice),
        "alert": notice.rule,
        "subjects": notice.subjects,
        "title": notice.title,
        "text": f"{notice.title}\n{notice.text}",
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


def _event(notice: Notice) -> str:
    return "alert_recovered" if notice.has_recovered else "alert_fired"


CHANNELS = {
    "log": Channel(lambda: True, _log),
    "email": Channel(lambda: bool(django_settings.ADMINS), _mail),
    "webhook": Channel(lambda: bool(queue_settings().alert_webhook_url), _post),
}
