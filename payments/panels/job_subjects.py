"""What jobs are about: bookings, payments, refunds, events and e-mails, read for many jobs at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import FilteredRelation, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from bookings.models import Booking
from payments.models import Dispute, GuestEmail, Payment, PaymentAttempt, Refund, StripeEvent
from payments.policies import PaymentKind, PaymentStatus
from procrastinate_tasks.jobs.descriptions import JobArgs
from procrastinate_tasks.models import Job

MOST_JOBS = 200
_LARGEST_ID = 2**63 - 1
_STANDING = [status for status in PaymentStatus if status != PaymentStatus.VOID]
# Source: docs.stripe.com/api, the ids of refunds, disputes, PaymentIntents and Checkout Sessions.
_REFUND = "re_"
_DISPUTES = ("dp_", "du_")
_ATTEMPTED = ("pi_", "cs_")


def read_ids(jobs: Sequence[JobArgs], argument: str) -> dict[int, int]:
    """Return by job id what an argument names; jobs whose argument is no id are left out."""
    found = {job.id: job.args.get(argument) for job in jobs}
    return {
        job_id: value
        for job_id, value in found.items()
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_ID
    }


def find_bookings(ids: Iterable[int]) -> Mapping[int, Booking]:
    return Booking.objects.in_bulk(set(ids))


def find_balances(booking_ids: Iterable[int]) -> dict[int, tuple[Booking, Payment | None]]:
    """Return each booking that exists with the balance it has, if it has one, by the booking's id."""
    its_balance = FilteredRelation(
        "payments", condition=Q(payments__kind=PaymentKind.BALANCE, payments__status__in=_STANDING)
    )
    bookings = Booking.objects.filter(pk__in=set(booking_ids)).annotate(balance=its_balance)
    return {
        booking.pk: (booking, getattr(booking, "balance", None))
        for booking in bookings.select_related("balance")  # type: ignore[misc]  # named above
    }


def find_payments(ids: Iterable[int]) -> Mapping[int, Payment]:
    return Payment.objects.select_related("booking").in_bulk(set(ids))


def find_refunds(ids: Iterable[int]) -> Mapping[int, Refund]:
    return Refund.objects.select_related("attempt__payment__booking").in_bulk(set(ids))


def find_emails(ids: Iterable[int]) -> Mapping[int, GuestEmail]:
    return GuestEmail.objects.select_related("booking", "payment").in_bulk(set(ids))


def find_events(ids: Iterable[str]) -> Mapping[str, StripeEvent]:
    """Return events without their payloads, which hold personal data."""
    return StripeEvent.objects.defer("payload").in_bulk(set(ids))


def find_owners(object_ids: Collection[str]) -> dict[str, Payment]:
    """Return the payment to which each of Stripe's objects belongs, in three queries at most.

    Args:
        object_ids: ids of PaymentIntents, Checkout Sessions, refunds and disputes; others are left out.
    """
    refund_ids = {object_id for object_id in object_ids if object_id.startswith(_REFUND)}
    attempted = {object_id for object_id in object_ids if object_id.startswith(_ATTEMPTED)}
    owners: dict[str, Payment] = {}
    attempts = PaymentAttempt.objects.filter(
        Q(stripe_intent_id__in=attempted) | Q(stripe_session_id__in=attempted)
    ).select_related("payment__booking")
    for attempt in attempts:
        for object_id in (attempt.stripe_intent_id, attempt.stripe_session_id):
            if object_id in attempted:
                owners[object_id] = attempt.payment
    refunds = Refund.objects.filter(stripe_refund_id__in=refund_ids)
    found = refunds.select_related("attempt__payment__booking")
    owners |= {refund.stripe_refund_id or "": refund.attempt.payment for refund in found}
    dispute_ids = {object_id for object_id in object_ids if object_id.startswith(_DISPUTES)}
    disputes = Dispute.objects.filter(stripe_dispute_id__in=dispute_ids)
    about = disputes.select_related("attempt__payment__booking")
    return owners | {dispute.stripe_dispute_id: dispute.attempt.payment for dispute in about}


def references_of(booking_ids: Collection[int]) -> dict[str, tuple[str, ...]]:
    """Return by argument which values the jobs of these bookings have, in six queries."""
    payments = Payment.objects.filter(booking_id__in=booking_ids)
    attempts = PaymentAttempt.objects.filter(payment__booking_id__in=booking_ids)
    refunds = Refund.objects.filter(attempt__payment__booking_id__in=booking_ids)
    emails = GuestEmail.objects.filter(booking_id__in=booking_ids)
    refund_ids = list(refunds.values_list("pk", "stripe_refund_id"))
    objects = [
        each for pair in attempts.values_list("stripe_intent_id", "stripe_session_id") for each in pair
    ]
    objects += [stripe_id for _, stripe_id in refund_ids]
    disputes = Dispute.objects.filter(attempt__payment__booking_id__in=booking_ids)
    objects += disputes.values_list("stripe_dispute_id", flat=True)
    events = StripeEvent.objects.filter(object_id__in={each for each in objects if each})
    references = {
        "booking_id": booking_ids,
        "payment_id": payments.values_list("pk", flat=True),
        "refund_id": [pk for pk, _ in refund_ids],
        "email_id": emails.values_list("pk", flat=True),
        "event_id": events.values_list("pk", flat=True),
    }
    return in_words(references)


def in_words(references: Mapping[str, Iterable[object]]) -> dict[str, tuple[str, ...]]:
    """Return by argument its values as the arguments of a job are compared; none that has no value."""
    written = {argument: tuple(map(str, values)) for argument, values in references.items()}
    return {argument: values for argument, values in written.items() if values}


def find_job_ids(references: Mapping[str, Sequence[str]]) -> tuple[int, ...]:
    """Return the newest jobs whose arguments have one of these values, the newest first.

    Each argument is looked up by an index of its own: in one condition, the planner may read the table.
    """
    if not references:
        return ()
    first, *others = (_newest_about(argument, values) for argument, values in references.items())
    return tuple(sorted(set(first.union(*others)), reverse=True)[:MOST_JOBS])


def _newest_about(argument: str, values: Sequence[str]) -> QuerySet[Job, int]:
    jobs = Job.objects.annotate(value=KeyTextTransform(argument, "args")).filter(value__in=values)
    newest: QuerySet[Job, int] = jobs.order_by("-pk").values_list("pk", flat=True)[:MOST_JOBS]
    return newest
