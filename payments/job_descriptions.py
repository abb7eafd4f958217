"""Registers what the job viewer tells of the tasks of payments, and what their seeded jobs look like."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bookings.job_descriptions import describe_alike
from bookings.models import Booking
from payments.deferred_jobs import (
    APPLY_STRIPE_EVENT,
    CHARGE_BALANCE,
    CHARGE_PAYMENT,
    END_CHANGE,
    END_HOLD,
    LOOK_AT_PAGE,
    REFUND_PAYMENT,
    SEND_GUEST_EMAIL,
    SETTLE_CANCELLATION,
)
from payments.models import GuestEmail, Payment, Refund, StripeEvent
from payments.panels import job_searches, job_sentences, money_today, unfinished
from procrastinate_tasks.jobs.descriptions import Kind, TaskDescription, add_search, describe_task
from procrastinate_tasks.monitoring.panels import ExtraPage, Panel, add_page, add_panel
from procrastinate_tasks.seeding.samples import Arguments, Fault, Samples, offer_samples

describe_task(
    CHARGE_BALANCE,
    TaskDescription(
        title=_("Charge the balance"),
        kind=Kind.MONEY,
        describe=job_sentences.describe_balance_charges,
        amounts=job_sentences.amounts_of_balances,
        related_argument="booking_id",
        moves_money=True,
    ),
)
describe_task(
    CHARGE_PAYMENT,
    TaskDescription(
        title=_("Charge a payment"),
        kind=Kind.MONEY,
        describe=job_sentences.describe_payment_charges,
        amounts=job_sentences.amounts_of_payments,
        related_argument="payment_id",
        moves_money=True,
    ),
)
describe_task(
    SETTLE_CANCELLATION,
    TaskDescription(
        title=_("Settle a cancellation"),
        kind=Kind.MONEY,
        describe=job_sentences.describe_settlements,
        related_argument="booking_id",
        moves_money=True,
    ),
)
describe_task(
    REFUND_PAYMENT,
    TaskDescription(
        title=_("Send a refund"),
        kind=Kind.MONEY,
        describe=job_sentences.describe_refunds,
        related_argument="refund_id",
        moves_money=True,
    ),
)
describe_task(
    APPLY_STRIPE_EVENT,
    TaskDescription(
        title=_("Apply a Stripe event"),
        kind=Kind.MONEY,
        describe=job_sentences.describe_events,
        related_argument="event_id",
    ),
)
describe_task(
    SEND_GUEST_EMAIL,
    TaskDescription(
        title=_("Send an e-mail to a guest"),
        kind=Kind.MAIL,
        describe=job_sentences.describe_emails,
        related_argument="email_id",
    ),
)
describe_task(
    LOOK_AT_PAGE,
    TaskDescription(
        title=_("Look at a payment page"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Asks Stripe whether a guest has paid on an open payment page"),
            retry_reason=_("It takes no money: it records what Stripe says is true."),
            runbook=_("Stripe's events and the janitor tell the same later. Look at status.stripe.com."),
        ),
    ),
)
describe_task(
    END_HOLD,
    TaskDescription(
        title=_("End a hold that was not paid"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Gives up the deposit of a hold whose hour is over, and frees its nights"),
            retry_reason=_("It ends nothing that is paid or being paid, and nothing twice."),
            runbook=_("The nights are free for others all the same. Read the error of the attempt."),
        ),
    ),
)
describe_task(
    END_CHANGE,
    TaskDescription(
        title=_("End a change of dates that was not paid"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Closes the payment page of dates whose hour is over, and leaves the stay as it was"),
            retry_reason=_("It takes no money, and ends nothing that is paid or being paid."),
            runbook=_("The new nights stay held until it succeeds. Look at status.stripe.com."),
        ),
    ),
)
describe_task(
    "payments.tasks.scan_and_charge_balances",
    TaskDescription(
        title=_("Find due balances"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Looks for balances and fees that are due, and defers their charges"),
            retry_reason=_(
                "It charges nothing itself and defers no charge that waits already; each charge looks "
                "for itself whether there is something to charge."
            ),
            runbook=_("It runs again within 15 minutes. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
describe_task(
    "payments.tasks.announce_balances",
    TaskDescription(
        title=_("Announce balances"),
        kind=Kind.MAIL,
        describe=describe_alike(
            sentence=_("Looks for balances that fall due within three days, and has their guests told"),
            retry_reason=_("It sends nothing itself, and asks for each e-mail once."),
            runbook=_("It runs again within an hour. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
describe_task(
    "payments.tasks.announce_arrivals",
    TaskDescription(
        title=_("Announce arrivals"),
        kind=Kind.MAIL,
        describe=describe_alike(
            sentence=_("Looks for guests who arrive within two days, and has them told"),
            retry_reason=_("It sends nothing itself, and asks for each e-mail once."),
            runbook=_("It runs again within an hour. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
describe_task(
    "payments.tasks.send_access_link",
    TaskDescription(
        title=_("Send a link to a guest's bookings"),
        kind=Kind.MAIL,
        describe=describe_alike(
            sentence=_("Sends a guest the link to their bookings, if the address has any"),
            retry_reason=_("What was sent is not sent again, and a link that is over is not sent at all."),
            runbook=_(
                "If it failed, the mail server could not be reached. The guest asks for a new link: this one "
                "ends after half an hour."
            ),
        ),
    ),
)
describe_task(
    "payments.tasks.defer_unfinished_work",
    TaskDescription(
        title=_("Find what is not done yet"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Looks for cancellations, events, refunds and e-mails whose job did not do them"),
            retry_reason=_("It does nothing itself and defers no job that waits already."),
            runbook=_("It runs again within 5 minutes. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
describe_task(
    "payments.tasks.check_invariants",
    TaskDescription(
        title=_("Check that money and nights add up"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Asks the database what must always hold of money and nights"),
            retry_reason=_("It only reads."),
            runbook=_("It runs again within 5 minutes. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
describe_task(
    "payments.tasks.resolve_unfinished_payments",
    TaskDescription(
        title=_("Resolve unfinished payments"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Asks Stripe about payments and refunds that were left in the middle"),
            retry_reason=_("It never guesses and starts nothing new: it records what Stripe says is true."),
            runbook=_("It runs again within a minute. If it keeps failing, look at status.stripe.com."),
        ),
    ),
)

describe_task(
    "payments.tasks.fetch_missed_events",
    TaskDescription(
        title=_("Fetch missed Stripe events"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Reads in Stripe's list of events what no webhook brought"),
            retry_reason=_("An event that is here already is left alone."),
            runbook=_(
                "It runs again within 5 minutes and goes on where it was. If it keeps failing, look at "
                "status.stripe.com."
            ),
        ),
    ),
)

describe_task(
    "payments.tasks.reconcile_with_stripe",
    TaskDescription(
        title=_("Compare with Stripe"),
        kind=Kind.MONEY,
        describe=describe_alike(
            sentence=_("Compares our payments and refunds with Stripe's"),
            retry_reason=_(
                "It takes no money: what it finds is recorded as Stripe says it is, each difference once."
            ),
            runbook=_(
                "It runs again the next night and looks further back then. If it keeps failing, read the "
                "error, and look at status.stripe.com."
            ),
        ),
    ),
)

add_search(job_searches.find_jobs)
add_page(
    ExtraPage(
        title=pgettext_lazy("title", "Stripe events"),
        url_name="admin:payments_stripeevent_changelist",
        permission="payments.view_stripeevent",
    )
)
add_panel(
    Panel(title=_("Today in money"), read=money_today.read_money_panel, permission="payments.view_payment")
)
add_panel(
    Panel(
        title=_("Asked for and not done yet"),
        read=unfinished.tell_unfinished,
        permission="payments.view_payment",
    )
)


# --- What seeded jobs look like ---------------------------------------------------------------------------

_MOST_SAMPLED = 5_000
_STRIPE_FAULTS = (
    Fault(
        exception_class="payments.exceptions.TransientFault",
        message="Stripe cannot be reached; the same request is repeated later.",
    ),
    Fault(
        exception_class="payments.exceptions.OutcomeUnknown",
        message="Stripe did not answer within 30 seconds.",
    ),
    Fault(exception_class="psycopg.OperationalError", message="server closed the connection unexpectedly"),
    Fault(
        exception_class="payments.exceptions.StateConflict",
        message="The PaymentIntent is in another state than the attempt.",
    ),
)
_MAIL_FAULTS = (
    Fault(exception_class="ConnectionRefusedError", message="[Errno 111] Connection refused"),
    Fault(exception_class="smtplib.SMTPServerDisconnected", message="Connection unexpectedly closed"),
)


def _sample_bookings() -> Sequence[Arguments]:
    ids = Booking.objects.order_by("-pk").values_list("pk", flat=True)[:_MOST_SAMPLED]
    return [{"booking_id": pk, "base_url": settings.SITE_BASE_URL} for pk in ids]


def _sample_payments() -> Sequence[Arguments]:
    ids = Payment.objects.order_by("-pk").values_list("pk", flat=True)[:_MOST_SAMPLED]
    return [{"payment_id": pk, "base_url": settings.SITE_BASE_URL} for pk in ids]


def _sample_refunds() -> Sequence[Arguments]:
    return [{"refund_id": pk} for pk in Refund.objects.values_list("pk", flat=True)[:_MOST_SAMPLED]]


def _sample_events() -> Sequence[Arguments]:
    ids = StripeEvent.objects.values_list("pk", flat=True)[:_MOST_SAMPLED]
    return [{"event_id": pk} for pk in ids]


def _sample_emails() -> Sequence[Arguments]:
    return [{"email_id": pk} for pk in GuestEmail.objects.values_list("pk", flat=True)[:_MOST_SAMPLED]]


offer_samples(CHARGE_BALANCE, Samples(arguments=_sample_bookings, faults=_STRIPE_FAULTS, weight=6))
offer_samples(CHARGE_PAYMENT, Samples(arguments=_sample_payments, faults=_STRIPE_FAULTS, weight=1))
offer_samples(SETTLE_CANCELLATION, Samples(arguments=_sample_bookings, faults=_STRIPE_FAULTS, weight=1))
offer_samples(REFUND_PAYMENT, Samples(arguments=_sample_refunds, faults=_STRIPE_FAULTS, weight=1))
offer_samples(APPLY_STRIPE_EVENT, Samples(arguments=_sample_events, faults=_STRIPE_FAULTS, weight=8))
offer_samples(SEND_GUEST_EMAIL, Samples(arguments=_sample_emails, faults=_MAIL_FAULTS, weight=6))
