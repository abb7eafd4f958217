"""Task middleware: a key that Stripe refuses stops every charge, instead of failing them one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from payments import task_names
from payments.exceptions import GatewayRefused
from procrastinate_tasks import operations

logger = logging.getLogger(__name__)


def pause_when_refused(call_next: Callable[[], Any], context: JobContext, worker: Worker | None) -> Any:
    """Pause the queue of payments when a task finds out that Stripe does not accept our key.

    The task itself is tried again like after any fault that passes: a paused queue holds its retry back, so
    it has an attempt left when somebody has mended the key and resumes the queue.
    """
    try:
        return call_next()
    except GatewayRefused:
        reason = _("Stripe refuses our key. Correct STRIPE_SECRET_KEY, restart, then resume this queue.")
        if operations.pause(queue=task_names.QUEUE, by=_("the site itself"), reason=reason):
            logger.critical("charging paused: Stripe refuses our key")
        raise
