"""Whether Stripe remembers more than we do: asked before a worker's first call, and every hour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from payments import memory, unexplained
from payments.exceptions import MemoryLost, OtherAccount
from payments.gateway import Gateway, get_gateway

COMPARED_FOR = timedelta(hours=1)


def compare(*, gateway: Gateway, now: datetime) -> None:
    """Lock all charging if Stripe has something of ours that no row of ours explains.

    Raises:
        OtherAccount: our key is for another account than our customers are; charging is paused.
        MemoryLost: charging is locked, now or since before.
        TransientFault: Stripe cannot be asked.
    """
    try:
        unknown = unexplained.list_unknown(gateway=gateway)
    except OtherAccount:
        memory.pause(
            _("STRIPE_SECRET_KEY is for another account. Correct it, restart, then resume this queue.")
        )
        raise
    if unknown.count or memory.is_locked():
        memory.lock(unknown=unknown.count, now=now)
        raise MemoryLost
    memory.note_compared(account_id=unknown.account_id, now=now)


@dataclass(slots=True)
class Guard:
    """Task middleware: no task asks anything of Stripe before its process has compared."""

    has_compared: bool = False
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call_next: Callable[[], Any], context: JobContext, worker: Worker | None) -> Any:
        self.require(now=timezone.now())
        return call_next()

    def require(self, *, now: datetime) -> None:
        """Compare if this process has not yet, or nobody has for an hour; raises as ``compare`` does."""
        with self._one_at_a_time:
            if self.has_compared and _is_fresh(now):
                return
            compare(gateway=get_gateway(), now=now)
            self.has_compared = True


def _is_fresh(now: datetime) -> bool:
    known = memory.read()
    compared_at = known.compared_at
    return known.locked_at is None and compared_at is not None and now - compared_at < COMPARED_FOR


guard = Guard()
