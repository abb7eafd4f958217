"""Charges to saved cards that failed: the bank declined them, or their job ended in a fault."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from payments.deferred_jobs import CHARGE_BALANCE, CHARGE_PAYMENT
from payments.models import Payment, PaymentAttempt
from payments.policies import AttemptState, Channel, PaymentKind, PaymentStatus
from procrastinate_tasks.jobs.arguments import find_arguments
from procrastinate_tasks.models import Job, JobAttempt, Outcome

# By which the list of payments shows them alone.
FAILED_SINCE_PARAMETER = "charge_failed_since"

_MOST_JOBS = 1_000
_LARGEST_ID = 2**63 - 1


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
    jobs = Job.objects.filter(pk__in=job_ids).annotate(args_text=Cast("args", TextField()))
    calls = [find_arguments(text) for text in jobs.values_list("args_text", flat=True)]
    balances = Q(kind=PaymentKind.BALANCE, booking_id__in=_ids(calls, "booking_id"))
    return Q(pk__in=_ids(calls, "payment_id")) | (balances & ~Q(status=PaymentStatus.VOID))


def _ids(calls: list[dict[str, object]], argument: str) -> set[int]:
    values = (call.get(argument) for call in calls)
    return {value for value in values if isinstance(value, int) and 0 < value <= _LARGEST_ID}
