"""What the job viewer tells of the house's jobs: sentences, links, money, whether to retry, and searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import translation

from bookings.models import Booking
from payments.deferred_jobs import (
    APPLY_STRIPE_EVENT,
    CHARGE_BALANCE,
    CHARGE_PAYMENT,
    REFUND_PAYMENT,
    SEND_GUEST_EMAIL,
    SETTLE_CANCELLATION,
)
from payments.ledger import outcomes
from payments.models import GuestEmail, Payment, Refund, StripeEvent
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.services import request_cancellation
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.descriptions import (
    JobDescription,
    Kind,
    RetrySafety,
    described_tasks,
    descriptions_of,
    find_description,
    find_jobs_meant,
)
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.models import Job
from procrastinate_tasks.queries.queues import list_tasks
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_hold,
    make_intent,
    make_property,
)
from tests.gateways import FakeGateway

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
HOUSES_OWN = ("bookings.", "payments.")

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Row:
    """A job as a description needs it."""

    id: int
    task_name: str
    args: dict[str, object] = field(default_factory=dict)


def describe(task_name: str, **args: object) -> JobDescription:
    return descriptions_of([Row(1, task_name, args)])[1]


def make_booking(*, email: str = "lucia@correo.example") -> Booking:
    return make_confirmed_booking(now=NOW, home=make_property(), check_in=date(2026, 12, 1), email=email)


def cancel(booking: Booking) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=FakeGateway(), now=NOW)  # type: ignore[arg-type]


def make_event(object_id: str, *, event_id: str = "evt_1") -> StripeEvent:
    return StripeEvent.objects.create(
        event_id=event_id,
        type="payment_intent.succeeded",
        object_id=object_id,
        payload={"email": "lucia@correo.example"},
        created_at=NOW,
        received_at=NOW,
    )


@pytest.fixture(autouse=True)
def _in_spanish():
    with translation.override("es-mx"):
        yield


# --- Every task -------------------------------------------------------------------------------------------


def house_tasks() -> list[str]:
    return [task.name for task in list_tasks() if task.name.startswith(HOUSES_OWN)]


def test_every_task_of_the_house_is_presented():
    assert set(house_tasks()) == {name for name in described_tasks() if name.startswith(HOUSES_OWN)}


@pytest.mark.parametrize("task_name", house_tasks())
def test_every_task_tells_why_it_may_be_retried_and_what_to_do(task_name):
    description = describe(task_name)

    presentation = find_description(task_name)
    assert presentation is not None and presentation.kind is not Kind.OTHER
    if description.retry_safety is RetrySafety.UNKNOWN:
        description = describe(task_name, **dict.fromkeys(_parameters(task_name), 999_999))
        assert description.retry_reason != ""
    else:
        assert description.runbook != ""
    assert not description.sentence.endswith(".")


def _parameters(task_name: str) -> Sequence[str]:
    options = find_options(task_name)
    assert options is not None
    return [name for name in options.signature.parameters if name != "base_url"]


@pytest.mark.parametrize(
    "task_name",
    [
        name
        for name in house_tasks()
        if name in described_tasks() and described_tasks()[name].related_argument
    ],
)
def test_the_argument_that_a_list_filters_by_exists_and_has_an_index(task_name):
    argument = described_tasks()[task_name].related_argument

    options = find_options(task_name)
    assert options is not None and argument in options.signature.parameters
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = %s", [f"payments_jobs_{argument}"])
        assert cursor.fetchone() is not None


@pytest.mark.parametrize(
    "args", [{}, {"booking_id": "x"}, {"booking_id": None}, {"booking_id": 2**70}, {"booking_id": True}]
)
def test_arguments_that_make_no_sense_break_nothing(args):
    description = describe(CHARGE_BALANCE, **args)

    assert description.sentence == "Cobrar el saldo"


def test_only_what_moves_money_asks_for_a_reason():
    presented = described_tasks()
    assert {name for name in house_tasks() if presented[name].moves_money} == {
        CHARGE_BALANCE,
        CHARGE_PAYMENT,
        SETTLE_CANCELLATION,
        REFUND_PAYMENT,
    }


# --- Sentences --------------------------------------------------------------------------------------------


def test_the_charge_of_a_balance_names_its_booking_its_payment_and_its_amount():
    booking = make_booking()

    description = describe(CHARGE_BALANCE, booking_id=booking.pk, base_url=BASE_URL)

    assert description.sentence == f"Cobra el saldo de la reserva {booking.folio}"
    assert [related.key for related in description.related] == [
        f"booking:{booking.pk}",
        f"payment:{balance_of(booking).pk}",
    ]
    assert description.amount is not None
    assert (description.amount.minor, description.amount.currency) == (
        balance_of(booking).amount_minor,
        "mxn",
    )
    assert description.retry_safety is RetrySafety.SAFE_BY_KEY
    assert "Stripe reconoce el intento" in description.retry_reason


def test_a_link_shows_the_guests_initials_and_no_name():
    booking = make_booking()

    (link, _) = describe(CHARGE_BALANCE, booking_id=booking.pk).related

    assert link.label == f"{booking.folio} (L. P.)"


def test_every_link_leads_to_a_page_of_the_admin():
    booking = make_booking()
    cancel(booking)
    refund = Refund.objects.get()
    event = make_event(refund.attempt.stripe_intent_id or "")
    descriptions = [
        describe(CHARGE_BALANCE, booking_id=booking.pk),
        describe(REFUND_PAYMENT, refund_id=refund.pk),
        describe(APPLY_STRIPE_EVENT, event_id=event.pk),
    ]

    for related in (each for description in descriptions for each in description.related):
        assert (resolve(related.url).url_name or "").endswith("_change")


def test_a_job_whose_booking_is_gone_says_so_and_does_no_harm():
    description = describe(CHARGE_BALANCE, booking_id=999_999)

    assert "999999" in description.sentence
    assert description.related == ()
    assert description.retry_safety is RetrySafety.SAFE


def test_the_fee_of_a_cancellation_is_called_by_its_name():
    booking = make_booking()
    fee = Payment.objects.create(
        booking=booking, kind=PaymentKind.FEE, amount_minor=100, currency="mxn", created_at=NOW
    )

    description = describe(CHARGE_PAYMENT, payment_id=fee.pk, base_url=BASE_URL)

    assert description.sentence == f"Cobra el cargo por cancelación de la reserva {booking.folio}"


def test_a_refund_says_how_much_goes_back():
    booking = make_booking()
    cancel(booking)
    refund = Refund.objects.get()

    description = describe(REFUND_PAYMENT, refund_id=refund.pk)

    assert description.sentence == f"Devuelve $1,600.80\u00a0MXN al huésped de la reserva {booking.folio}"
    assert "idempotencia" in description.retry_reason


def test_an_event_leads_to_the_booking_of_its_object():
    booking = make_booking()
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT)
    event = make_event(deposit.attempts.get().stripe_intent_id or "")

    description = describe(APPLY_STRIPE_EVENT, event_id=event.pk)

    assert booking.folio in description.sentence
    assert [related.key for related in description.related] == [
        f"booking:{booking.pk}",
        f"payment:{deposit.pk}",
        f"event:{event.pk}",
    ]


def test_an_event_of_no_booking_is_only_taken_note_of():
    event = make_event("pi_of_somebody_else")

    assert describe(APPLY_STRIPE_EVENT, event_id=event.pk).sentence == (
        "Toma nota del evento de Stripe payment_intent.succeeded"
    )


def test_an_email_tells_what_it_is_and_shows_no_address():
    booking = make_booking()
    email = GuestEmail.objects.get(booking=booking)

    description = describe(SEND_GUEST_EMAIL, email_id=email.pk)

    assert (
        description.sentence
        == f"Envía el correo «reserva confirmada» al huésped de la reserva {booking.folio}"
    )
    assert "Message-ID" in description.retry_reason
    assert "@" not in f"{description.sentence}{description.related}"


def test_an_email_that_was_sent_would_not_be_sent_again():
    email = GuestEmail.objects.get(booking=make_booking())
    GuestEmail.objects.update(sent_at=NOW)

    description = describe(SEND_GUEST_EMAIL, email_id=email.pk)

    assert description.retry_safety is RetrySafety.SAFE
    assert "no lo enviaría otra vez" in description.retry_reason


def test_a_balance_that_is_paid_would_not_be_charged():
    booking = make_booking()
    balance = balance_of(booking)
    attempt = balance.attempts.create(
        n=1,
        channel="off_session",
        amount_minor=balance.amount_minor,
        currency="mxn",
        base_url=BASE_URL,
        check_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=NOW)

    description = describe(CHARGE_BALANCE, booking_id=booking.pk)

    assert description.retry_safety is RetrySafety.SAFE
    assert "repetirlo no cobra nada" in description.retry_reason


def test_more_jobs_take_no_more_queries():
    bookings = [make_booking(email=f"g{number}@correo.example") for number in range(4)]
    emails = list(GuestEmail.objects.all())

    def count(number: int) -> int:
        rows = [
            Row(2 * place, CHARGE_BALANCE, {"booking_id": booking.pk})
            for place, booking in enumerate(bookings[:number])
        ]
        rows += [
            Row(2 * place + 1, SEND_GUEST_EMAIL, {"email_id": email.pk})
            for place, email in enumerate(emails[:number])
        ]
        with CaptureQueriesContext(connection) as queries:
            assert len(descriptions_of(rows)) == 2 * number
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    assert count(1) == count(4) == 2


def test_bookings_with_and_without_a_balance_are_read_in_one_query():
    owing, held, cancelled = make_booking(), make_hold(now=NOW), make_booking(email="otra@correo.example")
    cancel(cancelled)
    ids = [owing.pk, held.pk, cancelled.pk, 999_999]

    with CaptureQueriesContext(connection) as queries:
        told = descriptions_of([Row(pk, CHARGE_BALANCE, {"booking_id": pk}) for pk in ids])

    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 1
    assert [told[pk].amount is not None for pk in ids] == [True, False, False, False]
    assert [len(told[pk].related) for pk in ids] == [2, 1, 1, 0]


# --- Searches ---------------------------------------------------------------------------------------------


def jobs_meant(term: str) -> set[int]:
    """Return the jobs that a term means, as a list of the viewer finds them."""
    search = find_jobs_meant(term)
    if search is None:
        return set()
    return {
        job.pk
        for argument, values in search.arguments.items()
        for job in Job.objects.filter(**{f"args__{argument}__in": [_as_stored(value) for value in values]})
    } | set(search.job_ids)


def _as_stored(value: str) -> object:
    return int(value) if value.isdecimal() else value


@pytest.fixture
def booking() -> Booking:
    make_booking(email="otra@correo.example")
    return make_booking()


@pytest.fixture
def jobs_of_booking(booking) -> set[int]:
    """Return the jobs of the booking, with one for its deposit's event."""
    intent = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get().stripe_intent_id
    defer(APPLY_STRIPE_EVENT, {"event_id": make_event(intent).pk})
    email = GuestEmail.objects.get(booking=booking)
    about = [{"booking_id": booking.pk, "base_url": BASE_URL}, {"email_id": email.pk}, {"event_id": "evt_1"}]
    return {job.pk for job in Job.objects.all() if job.args in about}


@pytest.mark.parametrize("kind", ["folio", "lower case", "public_id", "email", "EMAIL", "pi_", "cs_"])
def test_the_jobs_of_a_booking_are_found_by_whatever_names_it(booking, jobs_of_booking, kind):
    attempt = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get()
    term = {
        "folio": f" {booking.folio} ",
        "lower case": booking.folio.lower(),
        "public_id": str(booking.public_id),
        "email": booking.guest_email,
        "EMAIL": booking.guest_email.upper(),
        "pi_": attempt.stripe_intent_id,
        "cs_": attempt.stripe_session_id,
    }[kind]

    assert len(jobs_of_booking) == 3
    assert jobs_meant(term) == jobs_of_booking


def test_the_job_of_an_event_is_found_by_the_events_id(booking, jobs_of_booking):
    assert jobs_meant("evt_1") == set(
        Job.objects.filter(task_name=APPLY_STRIPE_EVENT).values_list("pk", flat=True)
    )


def test_a_refund_is_found_by_stripes_id(booking):
    cancel(booking)
    Refund.objects.update(stripe_refund_id="re_1")

    found = find_jobs_meant("re_1")

    assert found is not None
    assert booking.folio in found.label
    assert Job.objects.get(task_name=REFUND_PAYMENT).pk in found.job_ids


def test_a_number_may_be_a_bookings(booking, jobs_of_booking):
    assert jobs_meant(str(booking.pk)) == jobs_of_booking


@pytest.mark.parametrize("term", ["12345678", "lucia", "payments.tasks", "", "RE-12", "@"])
def test_other_terms_are_left_to_the_viewer(booking, term):
    assert find_jobs_meant(term) is None


@pytest.mark.parametrize("term", ["RE-00000000", "nadie@correo.example", "pi_nobody"])
def test_what_nothing_has_is_found_nowhere(booking, term):
    found = find_jobs_meant(term)

    assert found is not None
    assert not any(found.arguments.values())
    assert found.job_ids == ()


def test_a_label_of_a_search_shows_no_address(booking):
    found = find_jobs_meant(booking.guest_email)

    assert found is not None
    assert "@" not in found.label


@pytest.mark.parametrize("argument", ["booking_id", "payment_id", "refund_id", "event_id", "email_id"])
def test_jobs_about_an_object_are_found_by_an_index(argument):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")  # and the pages that earlier tests left
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM procrastinate_jobs WHERE (args ->> %s) IN ('1', '2')"
            " ORDER BY id DESC LIMIT 50",
            [argument],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert f"payments_jobs_{argument}" in plan
