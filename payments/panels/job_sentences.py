"""The sentences of the job viewer: what each job of payments does, with whose money, and whether again."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookings.job_descriptions import related_booking
from bookings.models import Booking
from bookings.money import format_pesos
from payments.models import GuestEmail, Payment, Refund, StripeEvent
from payments.panels import job_subjects
from payments.policies import PaymentKind, PaymentStatus, RefundState
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.descriptions import JobArgs, JobDescription, Related, RetrySafety

_ONE_CHARGE = gettext_lazy("It will not charge twice: Stripe knows the attempt.")
_RUNBOOK_CHARGE = gettext_lazy(
    "A decline is an answer and no failure: the guest has the link to pay. If the job failed, "
    "Stripe could not be reached: look at status.stripe.com, then retry. Every 15 minutes the scan finds "
    "what was left."
)
_RUNBOOK_PATIENT = gettext_lazy(
    "It tries 20 times, for two days. If it failed in the end, look at the error, remove the cause, retry."
)


def describe_balance_charges(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = job_subjects.read_ids(jobs, "booking_id")
    found = job_subjects.find_balances(ids.values())
    return {job_id: _tell_balance(found.get(pk), pk) for job_id, pk in ids.items()}


def _tell_balance(found: tuple[Booking, Payment | None] | None, booking_id: int) -> JobDescription:
    if found is None:
        return _missing(_("Charges the balance of booking no. %(id)s, which does not exist"), booking_id)
    booking, balance = found
    if balance is not None and balance.status == PaymentStatus.PAID:
        reason = _("The balance is paid already: to repeat it charges nothing.")
        safety = RetrySafety.SAFE
    else:
        reason, safety = str(_ONE_CHARGE), RetrySafety.SAFE_BY_KEY
    return JobDescription(
        sentence=_("Charges the balance of booking %(folio)s") % {"folio": booking.folio},
        related=(related_booking(booking), *([related_payment(balance)] if balance else [])),
        amount=_amount(balance),
        retry_safety=safety,
        retry_reason=reason,
        runbook=str(_RUNBOOK_CHARGE),
    )


def amounts_of_balances(jobs: Sequence[JobArgs]) -> dict[int, Amount]:
    """Return what the charges of balances are about, for sums over many."""
    ids = job_subjects.read_ids(jobs, "booking_id")
    balances = job_subjects.find_balances(ids.values())
    found = {
        job_id: _amount(balances[booking_id][1])
        for job_id, booking_id in ids.items()
        if booking_id in balances
    }
    return {job_id: amount for job_id, amount in found.items() if amount is not None}


def amounts_of_payments(jobs: Sequence[JobArgs]) -> dict[int, Amount]:
    ids = job_subjects.read_ids(jobs, "payment_id")
    payments = job_subjects.find_payments(ids.values())
    found = {job_id: _amount(payments.get(payment_id)) for job_id, payment_id in ids.items()}
    return {job_id: amount for job_id, amount in found.items() if amount is not None}


def describe_payment_charges(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = job_subjects.read_ids(jobs, "payment_id")
    payments = job_subjects.find_payments(ids.values())
    return {job_id: _tell_payment(payments.get(payment_id), payment_id) for job_id, payment_id in ids.items()}


def _tell_payment(payment: Payment | None, payment_id: int) -> JobDescription:
    if payment is None:
        return _missing(_("Charges payment no. %(id)s, which does not exist"), payment_id)
    sentence = _PAYMENT_SENTENCES.get(PaymentKind(payment.kind), _SOME_PAYMENT)
    return JobDescription(
        sentence=str(sentence) % {"folio": payment.booking.folio},
        related=(related_booking(payment.booking), related_payment(payment)),
        amount=_amount(payment),
        retry_safety=RetrySafety.SAFE_BY_KEY,
        retry_reason=str(_ONE_CHARGE),
        runbook=str(_RUNBOOK_CHARGE),
    )


_SOME_PAYMENT = gettext_lazy("Charges a payment of booking %(folio)s")
_PAYMENT_SENTENCES = {
    PaymentKind.FEE: gettext_lazy("Charges the cancellation fee of booking %(folio)s"),
    PaymentKind.EXTENSION: gettext_lazy("Charges the extension of booking %(folio)s"),
}


def describe_settlements(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = job_subjects.read_ids(jobs, "booking_id")
    bookings = job_subjects.find_bookings(ids.values())
    return {job_id: _tell_settlement(bookings.get(pk), pk) for job_id, pk in ids.items()}


def _tell_settlement(booking: Booking | None, booking_id: int) -> JobDescription:
    if booking is None:
        return _missing(_("Settles the cancellation of booking no. %(id)s, which does not exist"), booking_id)
    return JobDescription(
        sentence=_("Settles the cancellation of booking %(folio)s") % {"folio": booking.folio},
        related=(related_booking(booking),),
        retry_safety=RetrySafety.SAFE,
        retry_reason=_(
            "What is to be paid back or charged is decided in the transaction that cancels the booking; of a "
            "cancelled booking it only answers that it is."
        ),
        runbook=str(_RUNBOOK_PATIENT),
    )


def describe_refunds(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = job_subjects.read_ids(jobs, "refund_id")
    refunds = job_subjects.find_refunds(ids.values())
    return {job_id: _tell_refund(refunds.get(pk), pk) for job_id, pk in ids.items()}


def _tell_refund(refund: Refund | None, refund_id: int) -> JobDescription:
    if refund is None:
        return _missing(_("Pays refund no. %(id)s back, which does not exist"), refund_id)
    payment = refund.attempt.payment
    is_done = refund.state == RefundState.SUCCEEDED
    return JobDescription(
        sentence=_("Pays %(amount)s back to the guest of booking %(folio)s")
        % {"amount": format_pesos(refund.amount_minor), "folio": payment.booking.folio},
        related=(related_booking(payment.booking), related_refund(refund)),
        amount=Amount(minor=refund.amount_minor, currency=refund.currency),
        retry_safety=RetrySafety.SAFE if is_done else RetrySafety.SAFE_BY_KEY,
        retry_reason=_("The refund has arrived: to repeat it changes nothing.")
        if is_done
        else _(
            "It cannot pay twice. Stripe is asked for a refund with this key first, and a new one "
            "carries it as its idempotency key; the database keeps refunds below what was charged."
        ),
        runbook=str(_RUNBOOK_PATIENT),
    )


def describe_events(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = {job.id: str(job.args["event_id"]) for job in jobs if job.args.get("event_id")}
    events = job_subjects.find_events(ids.values())
    owners = job_subjects.find_owners([event.object_id for event in events.values()])
    return {job_id: _tell_event(events.get(pk), owners, pk) for job_id, pk in ids.items()}


def _tell_event(event: StripeEvent | None, owners: dict[str, Payment], event_id: str) -> JobDescription:
    if event is None:
        return _missing(_("Applies Stripe's event %(id)s, which we do not have"), event_id)
    payment = owners.get(event.object_id)
    words = {"type": event.type, "folio": payment.booking.folio if payment else ""}
    return JobDescription(
        sentence=_("Applies Stripe's event %(type)s to booking %(folio)s") % words
        if payment
        else _("Takes note of Stripe's event %(type)s") % words,
        related=(
            *((related_booking(payment.booking), related_payment(payment)) if payment else ()),
            related_event(event),
        ),
        retry_safety=RetrySafety.SAFE,
        retry_reason=_(
            "It does not do what the event says: it asks Stripe what is true now, and records that. An event "
            "that was applied is not applied again."
        ),
        runbook=_(
            "If it failed, Stripe could not be reached. The payment itself is safe: the janitor asks "
            "Stripe about it every minute, with or without events."
        ),
    )


def describe_emails(jobs: Sequence[JobArgs]) -> dict[int, JobDescription]:
    ids = job_subjects.read_ids(jobs, "email_id")
    emails = job_subjects.find_emails(ids.values())
    return {job_id: _tell_email(emails.get(pk), pk) for job_id, pk in ids.items()}


def _tell_email(email: GuestEmail | None, email_id: int) -> JobDescription:
    if email is None:
        return _missing(_("Sends e-mail no. %(id)s, which does not exist"), email_id)
    is_sent = email.sent_at is not None
    return JobDescription(
        sentence=_("Sends the e-mail “%(kind)s” to the guest of booking %(folio)s")
        % {"kind": email.get_kind_display(), "folio": email.booking.folio},
        related=(
            related_booking(email.booking),
            *([related_payment(email.payment)] if email.payment else []),
        ),
        retry_safety=RetrySafety.SAFE if is_sent else RetrySafety.SAFE_BY_KEY,
        retry_reason=_("It was sent: the job would not send it again.")
        if is_sent
        else _(
            "What was sent is not sent again. Only if the worker died between the mail server's answer "
            "and our note of it does the guest get it twice, under one Message-ID."
        ),
        runbook=_(
            "If it failed, read the error: the mail server could not be reached for two days (check "
            "EMAIL_URL and the server, then retry), or the fault is the site's own. "
            "The guest sees the same on the page of the booking."
        ),
    )


def related_payment(payment: Payment) -> Related:
    return Related(
        label=f"{payment.get_kind_display()} {format_pesos(payment.amount_minor)}",
        url=reverse("admin:payments_payment_change", args=[payment.pk]),
        key=f"payment:{payment.pk}",
    )


def related_refund(refund: Refund) -> Related:
    return Related(
        label=_("refund %(amount)s") % {"amount": format_pesos(refund.amount_minor)},
        url=reverse("admin:payments_refund_change", args=[refund.pk]),
        key=f"refund:{refund.pk}",
    )


def related_event(event: StripeEvent) -> Related:
    return Related(
        label=event.pk,
        url=reverse("admin:payments_stripeevent_change", args=[event.pk]),
        key=f"event:{event.pk}",
    )


def _amount(payment: Payment | None) -> Amount | None:
    return Amount(minor=payment.amount_minor, currency=payment.currency) if payment else None


def _missing(sentence: str, subject: object) -> JobDescription:
    return JobDescription(
        sentence=sentence % {"id": subject},
        retry_safety=RetrySafety.SAFE,
        retry_reason=_("The job would answer not_found and change nothing."),
    )
