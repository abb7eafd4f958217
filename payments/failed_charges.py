"""Charges to saved cards that failed: the bank declined them, or their job ended in a fault."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from payments.deferred_jobs import CHARGE_BALANCE, CHARGE_PAYMENT
from payments.models import Payment, PaymentAttempt
from payments.policies import AttemptState, Channel, PaymentKind, PaymentStatus
from procrastinate_tasks.models import Job, JobAttempt, Outcome

# By which the list of payments shows them alone.
FAILED_SINCE_PARAMETER = "charge_failed_since"

_MOST_JOBS = 1_000
# Of an id that a column can hold, whatever its first.
_DIGITS = 19


def find_failed_charges(*, since: datetime) -> QuerySet[Payment]:
    """Return the payments whose charge failed since an instant, each once."""
    declined = PaymentAttempt.objects.filter(
        state=AttemptState.DECLINED, channel=Channel.OFF_SESSION, updated_at__gte=since
    )
    return Payment.objects.filter(Q(pk__in=declined.values("payment")) | _of_broken_jobs(since))


def _of_broken_jobs(since: datetime) -> Q:
    """Return the payments that jobs were to charge which ended in a fault: the latest of them."""
    runs = JobAttempt.objects.filter(
        outcome__in=(Outcome.FAILED, Outcome.PARKED),
        finished_at__gte=since,
        task_name__in=(CHARGE_BALANCE, CHARGE_PAYMENT),
    )
    job_ids = set(runs.order_by("-finished_at").values_list("job_id", flat=True)[:_MOST_JOBS])
    calls = Job.objects.filter(pk__in=job_ids).values_list(
        KeyTextTransform("booking_id", "args"), KeyTextTransform("payment_id", "args")
    )
    booking_ids, payment_ids = map(_ids, zip(*calls, strict=True)) if calls else (set(), set())
    balances = Q(kind=PaymentKind.BALANCE, booking_id__in=booking_ids) & ~Q(status=PaymentStatus.VOID)
    return balances | Q(pk__in=payment_ids)


def _ids(texts: Iterable[str | None]) -> set[int]:
    """Read what arguments name; any client may have written them."""
    return {
        int(text) for text in texts if text and text.isascii() and text.isdecimal() and len(text) < _DIGITS
    }
