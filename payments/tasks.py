"""The front door of the queue: each task makes one call and returns what became of it as a string."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from payments import policies
from payments.deferred_jobs import (
    APPLY_STRIPE_EVENT,
    CHARGE_BALANCE,
    CHARGE_PAYMENT,
    END_CHANGE,
    END_HOLD,
    GUEST_WAITS_PRIORITY,
    LOOK_AT_PAGE,
    QUEUE,
    REFUND_PAYMENT,
    RESOLVE_UNFINISHED,
    SEND_ACCESS_LINK,
    SEND_GUEST_EMAIL,
    SETTLE_CANCELLATION,
    WATCH_PRIORITY,
)
from payments.exceptions import EventsBeingRead, GatewayRefused, TransientFault
from payments.gateway import get_gateway
from payments.invariants import checking
from payments.protocols import (
    access_link,
    cancellation,
    charge,
    date_change,
    guest_email,
    hold,
    inbox,
    janitor,
    memory,
    notice,
    reconcile,
    refund,
    resumption,
    scan,
    stripe_event,
)
from procrastinate_tasks import CatchUp, InvalidTaskArguments, Retries, pause_queue, periodic, task

# A database that fails over takes its sessions with it, in the middle of whatever they did.
DATABASE_LOST = (OperationalError, InterfaceError)

# The old system's max_retries=3, default_retry_delay=30. A decline is an answer, not a fault.
CHARGE_RETRIES = Retries(max_retries=3, delay=timedelta(seconds=30), on=(TransientFault, *DATABASE_LOST))

# Charges run before what they cause, events and receipts, and after whoever watches over them or waits.
CHARGE_PRIORITY = 10

# What must happen in the end outlives an outage of two days.
PATIENT_RETRIES = Retries(
    max_retries=20,
    delay=timedelta(seconds=30),
    backoff=2,
    max_delay=timedelta(hours=4),
    on=(TransientFault, OSError, *DATABASE_LOST),
)


def pause_when_refused(call_next: Callable[[], Any], context: JobContext, worker: Worker | None) -> Any:
    """Pause the queue of payments when a task finds out that Stripe does not accept our key.

    The task itself is tried again like after any fault that passes: a paused queue holds its retry back, so
    it has an attempt left when somebody has mended the key and resumes the queue.
    """
    try:
        return call_next()
    except GatewayRefused:
        reason = _("Stripe refuses our key. Correct STRIPE_SECRET_KEY, restart, then resume this queue.")
        if pause_queue(queue=QUEUE, by=_("the site itself"), reason=reason):
            logger.critical("charging paused: Stripe refuses our key")
        raise


# Of every task that speaks to Stripe.
AT_STRIPE = (pause_when_refused, memory.guard)


def compare_with_stripe() -> None:
    """Compare as a worker does before its first task at Stripe; for whoever charges many without one."""
    memory.guard.require(now=timezone.now())


def check_base_url(arguments: Mapping[str, object]) -> None:
    """Refuse to defer a job whose links would lead nowhere.

    Raises:
        InvalidTaskArguments: ``base_url`` is no URL of a site.
    """
    problem = policies.base_url_problem(arguments.get("base_url"))
    if problem is not None:
        raise InvalidTaskArguments(problem)


@task(
    name=CHARGE_BALANCE,
    queue=QUEUE,
    priority=CHARGE_PRIORITY,
    retry=CHARGE_RETRIES,
    validate=check_base_url,
    task_middleware=AT_STRIPE,
    log_fields=("booking_id",),
)
def charge_balance_for_booking(booking_id: int, base_url: str) -> str:
    """Charge the balance of a booking to the saved card. Returns one of ``policies.ChargeAnswer``."""
    return charge.charge_balance(
        booking_id=booking_id, base_url=base_url, gateway=get_gateway(), now=timezone.now()
    ).value


@task(
    name=CHARGE_PAYMENT,
    queue=QUEUE,
    priority=CHARGE_PRIORITY,
    retry=CHARGE_RETRIES,
    validate=check_base_url,
    task_middleware=AT_STRIPE,
    log_fields=("payment_id",),
)
def charge_payment(payment_id: int, base_url: str) -> str:
    """Charge any other payment to the saved card, such as the fee of a late cancellation."""
    return charge.charge_payment(
        payment_id=payment_id, base_url=base_url, gateway=get_gateway(), now=timezone.now()
    ).value


@periodic(cron="*/15 * * * *", catch_up=CatchUp.LAST)
@task(name="payments.tasks.scan_and_charge_balances", queue=QUEUE, priority=WATCH_PRIORITY)
def scan_and_charge_balances() -> str:
    """Defer the charge of every balance and fee that is due. Returns ``enqueued=N``."""
    return f"enqueued={scan.defer_due_charges(base_url=settings.SITE_BASE_URL, now=timezone.now())}"


@periodic(cron="10 * * * *", catch_up=CatchUp.LAST)
@task(name="payments.tasks.announce_balances", queue="emails")
def announce_balances() -> str:
    """Have guests told three days ahead that their card will be charged. Returns ``announced=N``."""
    return f"announced={notice.announce_balances(base_url=settings.SITE_BASE_URL, now=timezone.now())}"


@periodic(cron="20 * * * *", catch_up=CatchUp.LAST)
@task(name="payments.tasks.announce_arrivals", queue="emails")
def announce_arrivals() -> str:
    """Have guests told two days ahead that they are expected. Returns ``announced=N``."""
    return f"announced={notice.announce_arrivals(base_url=settings.SITE_BASE_URL, now=timezone.now())}"


@periodic(cron="* * * * *", catch_up=CatchUp.SKIP)
@task(
    name=RESOLVE_UNFINISHED,
    queue=QUEUE,
    priority=WATCH_PRIORITY,
    task_middleware=AT_STRIPE,
)
def resolve_unfinished_payments() -> str:
    """Bring money that was left in the middle to Stripe's truth. Returns ``looked_at=N ended=M``."""
    report = janitor.resolve_unfinished(gateway=get_gateway(), now=timezone.now())
    return f"looked_at={report.looked_at} ended={report.ended}"


@periodic(cron="*/5 * * * *", catch_up=CatchUp.SKIP)
@task(name="payments.tasks.defer_unfinished_work", queue=QUEUE, priority=WATCH_PRIORITY)
def defer_unfinished_work() -> str:
    """Defer the jobs again of what was asked for and is not done. Returns ``enqueued=N``."""
    return f"enqueued={resumption.defer_unfinished(now=timezone.now())}"


@periodic(cron="30 4 * * *", catch_up=CatchUp.LAST)
@task(
    name="payments.tasks.reconcile_with_stripe",
    queue=QUEUE,
    retry=PATIENT_RETRIES,
    task_middleware=AT_STRIPE,
)
def reconcile_with_stripe() -> str:
    """Compare what Stripe took and paid back with what we have. Returns ``compared=N repaired=M open=K``."""
    report = reconcile.reconcile(gateway=get_gateway(), now=timezone.now())
    return f"compared={report.compared} repaired={report.repaired} open={report.open_breaks}"


@periodic(cron="*/5 * * * *", catch_up=CatchUp.LAST)
@task(
    name="payments.tasks.fetch_missed_events",
    queue=QUEUE,
    priority=WATCH_PRIORITY,
    task_middleware=AT_STRIPE,
)
def fetch_missed_events() -> str:
    """Take in what Stripe told and no webhook brought. Returns ``listed=N missed=M``, or ``being_read``."""
    try:
        fetched = inbox.fetch_missed(gateway=get_gateway(), now=timezone.now())
    except EventsBeingRead:
        return "being_read"
    return f"listed={fetched.listed} missed={fetched.missed}"


# Not of the queue of payments: while that is paused, it is most wanted.
@periodic(cron="*/5 * * * *", catch_up=CatchUp.SKIP)
@task(name="payments.tasks.check_invariants", queue="bookings", priority=WATCH_PRIORITY)
def check_invariants() -> str:
    """Ask the database what must hold of money and nights, where due. Returns ``checked=N broken=M``."""
    verdicts = checking.check_and_keep(now=timezone.now())
    return f"checked={len(verdicts)} broken={sum(not each.holds for each in verdicts)}"


@task(
    name=SETTLE_CANCELLATION,
    queue=QUEUE,
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    validate=check_base_url,
    task_middleware=AT_STRIPE,
    log_fields=("booking_id",),
)
def settle_cancellation(booking_id: int, base_url: str) -> str:
    """End a booking whose cancellation was asked for. Returns its status, or ``not_found``."""
    status = cancellation.settle_cancellation(
        booking_id=booking_id, base_url=base_url, gateway=get_gateway(), now=timezone.now()
    )
    return status.value if status else "not_found"


@task(
    name=REFUND_PAYMENT,
    queue=QUEUE,
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    task_middleware=AT_STRIPE,
    log_fields=("refund_id",),
)
def refund_payment(refund_id: int) -> str:
    """Send a refund. Returns its state, or ``not_found``."""
    return refund.refund_payment(refund_id=refund_id, gateway=get_gateway(), now=timezone.now())


@task(
    name=APPLY_STRIPE_EVENT,
    queue=QUEUE,
    retry=PATIENT_RETRIES,
    task_middleware=AT_STRIPE,
    log_fields=("event_id",),
)
def apply_stripe_event(event_id: str, again: bool = False) -> str:
    """Bring an event's object up to Stripe's truth. Returns ``applied``, ``ignored`` or ``not_found``."""
    state = stripe_event.apply_stripe_event(
        event_id=event_id, gateway=get_gateway(), now=timezone.now(), again=again
    )
    return state.value if state else "not_found"


@task(
    name=LOOK_AT_PAGE,
    queue=QUEUE,
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    task_middleware=AT_STRIPE,
    log_fields=("attempt_id",),
)
def look_at_payment_page(attempt_id: int, looks: int | None = None) -> str:
    """Ask Stripe whether a guest has paid. Returns the state of the attempt, or ``not_found``."""
    return hold.look_at_page(attempt_id=attempt_id, looks=looks, gateway=get_gateway(), now=timezone.now())


@task(
    name=END_HOLD,
    queue=QUEUE,
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    log_fields=("booking_id",),
)
def end_unpaid_hold(booking_id: int) -> str:
    """End a hold that nobody paid. Returns ``ended`` or ``kept``."""
    return hold.end_unpaid_hold(booking_id=booking_id, now=timezone.now())


@task(
    name=END_CHANGE,
    queue=QUEUE,
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    task_middleware=AT_STRIPE,
    log_fields=("change_id",),
)
def end_unpaid_change(change_id: int) -> str:
    """Give up other dates that nobody paid for. Returns the state of the change, or ``not_found``."""
    return date_change.end_unpaid_change(change_id=change_id, gateway=get_gateway(), now=timezone.now())


@task(
    name=SEND_ACCESS_LINK,
    queue="emails",
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    log_fields=("link_id",),
)
def send_access_link(link_id: int) -> str:
    """Send a guest the link to their bookings. Returns ``sent``, or why it was not."""
    return access_link.send_access_link(link_id=link_id, now=timezone.now())


@task(
    name=SEND_GUEST_EMAIL,
    queue="emails",
    priority=GUEST_WAITS_PRIORITY,
    retry=PATIENT_RETRIES,
    log_fields=("email_id",),
)
def send_guest_email(email_id: int) -> str:
    """Send an e-mail to a guest. Returns ``sent``, ``dropped`` or why it was not sent now."""
    return guest_email.send_guest_email(email_id=email_id, now=timezone.now())


logger = logging.getLogger(__name__)
