"""The office: staff see bookings and their money, and change neither."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings import date_changes
from bookings.models import Booking, BookingChangeLog, NightBlock, Property
from payments.models import GuestEmail, LedgerTransfer, Payment, Refund, StripeEvent
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.services import request_cancellation
from procrastinate_tasks.queues.pauses import pause_queue
from tests.factories import BASE_URL, make_confirmed_booking, make_property
from tests.gateways import FakeGateway
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
READ_ONLY = (
    Booking,
    BookingChangeLog,
    NightBlock,
    Payment,
    Refund,
    LedgerTransfer,
    StripeEvent,
    GuestEmail,
)

_DATA = re.compile(
    rb'<td.*?</td>|<th class="field.*?</th>|<div class="readonly">.*?</div>|<h2>.*?</h2>|<title>.*?</title>'
    rb'|<a href="\?type=[^>]*>.*?</a>|<(div|nav|ol)[^>]*breadcrumbs.*?</\1>',
    re.DOTALL,
)

pytestmark = pytest.mark.django_db


def address(model: type, page: str = "changelist", *args: object) -> str:
    meta = model._meta  # type: ignore[attr-defined]
    tail = {"changelist": "", "add": "add/", "change": "{}/change/", "delete": "{}/delete/"}[page]
    return f"/admin/{meta.app_label}/{meta.model_name}/{tail.format(*args)}"


def cancel(booking: Booking) -> None:
    gateway = FakeGateway()
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=NOW)  # type: ignore[arg-type]


@pytest.fixture
def office(client):
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    return client


@pytest.fixture
def booking() -> Booking:
    return make_confirmed_booking(now=NOW, home=make_property(), check_in=date(2026, 12, 1))


@pytest.fixture
def rows(booking) -> dict[type, object]:
    """Return one row of every read-only model."""
    date_changes.change_nights(
        booking=booking, check_in=date(2026, 12, 10), check_out=date(2026, 12, 13), now=NOW
    )
    cancel(booking)
    StripeEvent.objects.create(
        event_id="evt_1", type="refund.updated", object_id="re_1", payload={}, created_at=NOW, received_at=NOW
    )
    return {model: model.objects.first() for model in READ_ONLY}


@pytest.mark.parametrize("model", READ_ONLY)
def test_a_row_is_listed_and_shown_and_nothing_of_it_is_english(office, rows, model):
    listed = office.get(address(model))
    shown = office.get(address(model, "change", rows[model].pk))

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert english_words(_without_data(listed)) == set()
    assert english_words(_without_data(shown)) == set()


def _without_data(response) -> str:
    """Leave out the cells of rows: codes, ids of Stripe's and proofs are kept in English."""
    response.content = _DATA.sub(b"", response.content)
    return read(response)


@pytest.mark.parametrize("model", READ_ONLY)
def test_not_even_a_superuser_adds_changes_or_deletes(office, rows, model):
    row, count = rows[model], model.objects.count()

    # A booking by telephone and nights closed by hand are written by a form, and by nothing else.
    answer = 200 if model in (Booking, NightBlock) else 403
    assert office.get(address(model, "add")).status_code == answer
    assert office.post(address(model, "add"), {}).status_code == answer
    assert model.objects.count() == count
    assert office.post(address(model, "change", row.pk), {}).status_code == 403
    assert office.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    office.post(address(model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", READ_ONLY)
def test_a_longer_list_takes_no_more_queries(office, model):
    for _ in range(1):
        cancel(make_confirmed_booking(now=NOW, home=make_property(), check_in=date(2026, 12, 1)))
    office.get(address(model))
    with_one = _count_queries(office, address(model))

    for _ in range(2):
        cancel(make_confirmed_booking(now=NOW, home=make_property(), check_in=date(2026, 12, 1)))

    assert _count_queries(office, address(model)) <= with_one


@pytest.mark.parametrize(("model", "field"), [(Booking, "status"), (NightBlock, "kind"), (Payment, "kind")])
def test_a_filter_by_what_no_text_can_hold_shows_the_whole_list(office, model, field):
    response = office.get(address(model), {f"{field}__exact": "\x00"}, follow=True)

    assert response.status_code == 200
    assert response.redirect_chain


def _count_queries(office, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        office.get(path)
    return len(queries)


@pytest.mark.parametrize("model", (Booking, Payment, LedgerTransfer, GuestEmail))
@pytest.mark.parametrize("reference", ["folio", "public_id", "lower case", "guest_email"])
def test_rows_are_found_by_folio_public_id_and_email(office, booking, model, reference):
    make_confirmed_booking(
        now=NOW, home=make_property(), check_in=date(2026, 12, 1), email="otra@correo.example"
    )
    query = {
        "folio": booking.folio,
        "public_id": str(booking.public_id),
        "lower case": booking.folio.lower().removeprefix("re-"),
        "guest_email": booking.guest_email,
    }[reference]

    text = read(office.get(address(model), {"q": f" {query} "}))

    other = Booking.objects.exclude(pk=booking.pk).get()
    assert booking.folio in text
    assert other.folio not in text


def test_payments_and_refunds_are_found_by_the_ids_of_stripe(office, booking):
    cancel(booking)
    attempt = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get()

    for query in (attempt.stripe_intent_id, attempt.stripe_session_id):
        assert booking.folio in read(office.get(address(Payment), {"q": query}))
    assert booking.folio in read(office.get(address(Refund), {"q": attempt.stripe_intent_id}))
    assert booking.folio not in read(office.get(address(Payment), {"q": "pi_other"}))


def test_a_booking_and_its_payments_lead_to_each_other_with_amounts_in_pesos(office, booking):
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT)

    of_booking = office.get(address(Booking, "change", booking.pk))
    of_payment = office.get(address(Payment, "change", deposit.pk))

    assert "$5,336.00 MXN" in read(of_booking)
    assert "$1,600.80 MXN" in read(of_booking)
    assert address(Payment, "change", deposit.pk) in of_booking.content.decode()
    assert address(Booking, "change", booking.pk) in of_payment.content.decode()
    assert deposit.attempts.get().stripe_intent_id in read(of_payment)


def test_staff_can_open_the_page_as_the_guest_sees_it(office, booking):
    to_site = re.search(
        r'href="(/admin/r/[^"]+)"', office.get(address(Booking, "change", booking.pk)).content.decode()
    )

    assert to_site is not None
    assert office.get(to_site[1])["Location"].endswith(booking.get_absolute_url())


def test_the_payload_of_an_event_is_not_shown(office):
    StripeEvent.objects.create(
        event_id="evt_2",
        type="charge.updated",
        object_id="ch_1",
        payload={"email": "lucia@correo.example"},
        created_at=NOW,
        received_at=NOW,
    )

    assert "lucia@" not in read(office.get(address(StripeEvent, "change", "evt_2")))


def test_a_property_is_edited_in_pesos(office):
    home = make_property(nightly_rate_minor=150_050)
    form = {
        "name": home.name,
        "slug": home.slug,
        "town": home.town,
        "summary": home.summary,
        "timezone": home.timezone,
        "capacity": "4",
        "nightly_rate_minor": "1750.25",
        "cleaning_fee_minor": "0",
        "tax_bps": "1600",
        "lodging_tax_bps": "0",
        "bedrooms": "2",
        "beds": "2",
        "bathrooms": "1",
        "min_nights": "2",
        "max_nights": "365",
        "is_listed": "on",
    }

    shown = office.get(address(Property, "change", home.pk)).content.decode()
    saved = office.post(address(Property, "change", home.pk), form)

    assert 'value="1500.50"' in shown
    assert saved.status_code == 302
    home.refresh_from_db()
    assert (home.nightly_rate_minor, home.cleaning_fee_minor) == (175_025, 0)


@pytest.mark.parametrize("rate", ["0", "-5", "1.001", "mucho", ""])
def test_a_price_that_is_none_is_refused_beside_its_field(office, rate):
    home = make_property()

    response = office.post(address(Property, "change", home.pk), {"nightly_rate_minor": rate})

    assert response.status_code == 200
    assert "nightly_rate_minor" in response.context["adminform"].form.errors


def test_every_model_of_bookings_and_money_that_staff_ask_about_is_in_the_office():
    registered = set(admin.site._registry)

    assert registered >= {Property, *READ_ONLY}


def test_while_anything_is_paused_the_pages_of_money_say_so_too(office):
    assert "está en pausa" not in read(office.get(address(Payment)))

    pause_queue(queue="payments", by="Ana", reason="el banco")

    assert read(office.get(address(Payment))).count("La cola payments está en pausa") == 1
    assert read(office.get("/admin/queue/jobs/")).count("La cola payments está en pausa") == 1
