"""Whether Stripe remembers more than we do.

Asked every hour, and whenever the database may not be the one that was compared; of which account our key is,
before the first call of each process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from payments import clocks, memory, unexplained
from payments.exceptions import MemoryLost, OtherAccount
from payments.gateway import Gateway, get_gateway

COMPARED_FOR = timedelta(hours=1)


def compare(*, gateway: Gateway, now: datetime) -> None:
    """Lock all charging if Stripe has something of ours that no row of ours explains.

    Raises:
        OtherAccount: our key is for another account than our customers are; charging is paused.
        MemoryLost: charging is locked, now or since before; or the database changed meanwhile.
        ClocksDisagree: from when on Stripe is asked the next time would be written down wrong.
        TransientFault: Stripe cannot be asked.
    """
    clocks.require_agreement()
    epoch = memory.read_epoch()
    with _pausing():
        unknown = unexplained.list_unknown(gateway=gateway)
    if unknown.count or memory.is_locked():
        memory.lock(unknown=unknown.count, now=now)
        raise MemoryLost
    if not memory.note_compared(
        account_id=unknown.account_id, epoch=epoch, is_whole=unknown.is_whole, now=now
    ):
        raise MemoryLost


def compare_account(*, gateway: Gateway) -> None:
    """Compare the account of our key with that of our customers, and nothing else.

    Raises:
        OtherAccount: it is another; charging is paused.
        TransientFault: Stripe cannot be asked.
    """
    with _pausing():
        unexplained.read_account(gateway=gateway)


@contextmanager
def _pausing() -> Iterator[None]:
    try:
        yield
    except OtherAccount:
        memory.pause(
            _("STRIPE_SECRET_KEY is for another account. Correct it, restart, then resume this queue.")
        )
        raise


@dataclass(slots=True)
class Guard:
    """Task middleware: no task asks anything of Stripe before that was compared with what we have."""

    _compared_at: datetime | None = None
    _epoch: str = ""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call_next: Callable[[], Any], context: JobContext, worker: Worker | None) -> Any:
        self.require(now=timezone.now())
        return call_next()

    def require(self, *, now: datetime) -> None:
        """Compare if nobody has for an hour in this state of the database; raises as ``compare`` does.

        A process that finds it compared looks at the account of its own key all the same.
        """
        with self._one_at_a_time:
            if self._has_compared(now):
                return
            self._epoch = memory.read_epoch()
            if memory.is_sure(since=now - COMPARED_FOR):
                compare_account(gateway=get_gateway())
            else:
                compare(gateway=get_gateway(), now=now)
            self._compared_at = now

    def _has_compared(self, now: datetime) -> bool:
        known = memory.read()
        if self._compared_at is None or known.locked_at is not None or memory.read_epoch() != self._epoch:
            return False
        return now - max(self._compared_at, known.compared_at or self._compared_at) < COMPARED_FOR


guard = Guard()
