"""What the e-mails to guests say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from django.conf import settings
from django.core import mail

from bookings import services
from bookings.models import Booking
from bookings.money import format_pesos
from payments.date_changes import change_dates
from payments.deferred_jobs import request_email
from payments.email_facts import EmailFacts, take_facts
from payments.ledger import claims, dunning, outcomes
from payments.letters import write_email
from payments.models import GuestEmail, Refund
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.protocols.guest_email import send_guest_email
from payments.services import announce_hold, request_cancellation
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_deposit_attempt,
    make_hold,
    make_intent,
    make_property,
)
from tests.integration.pages import english_words

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
Kind = GuestEmail.Kind
REFUNDS = (Kind.REFUND_SENT, Kind.REFUND_FAILED)

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking() -> Booking:
    home = make_property(name="Casa «Mar & Sol»", town="Tulum")
    return make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, 1))


def send(booking: Booking, kind: GuestEmail.Kind, payment=None) -> mail.EmailMessage:
    version = booking.balance_due_at.toordinal() if kind == Kind.BALANCE_SOON else 0
    request_email(kind=kind, booking=booking, base_url=BASE_URL, now=NOW, payment=payment, version=version)
    email = GuestEmail.objects.get(booking=booking, kind=kind, payment=payment, sent_at=None)
    assert send_guest_email(email_id=email.pk, now=NOW) == "sent"
    return mail.outbox[-1]


def html_of(message: mail.EmailMessage) -> str:
    assert isinstance(message, mail.EmailMultiAlternatives)
    return str(message.alternatives[0][0])


def calendar_of(message: mail.EmailMessage) -> bytes:
    ((_name, content, kind),) = message.attachments
    assert kind == "text/calendar"
    return str(content).encode()


def test_a_confirmation_tells_the_stay_the_price_and_the_next_charge(booking):
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT)

    message = send(booking, Kind.CONFIRMED, deposit)

    assert message.to == [booking.guest_email]
    assert message.subject == f"Reserva confirmada: Casa «Mar & Sol» ({booking.folio})"
    assert "Llegada: martes 1 de diciembre de 2026, 15:00" in message.body
    assert "Total: $5,336.00\u00a0MXN (impuestos incluidos)" in message.body
    assert "El jueves 3 de diciembre cobramos el saldo de $3,735.20\u00a0MXN" in message.body
    assert BASE_URL + booking.get_absolute_url() in message.body
    assert "&amp;" not in message.body


def test_a_notice_names_the_day_and_the_sum(booking):
    message = send(booking, Kind.BALANCE_SOON, balance_of(booking))

    assert (
        message.subject == f"El jueves 3 de diciembre cobramos $3,735.20 MXN a tu tarjeta ({booking.folio})"
    )
    assert "El jueves 3 de diciembre cobramos el saldo de tu reserva" in message.body
    assert BASE_URL + booking.get_absolute_url() in message.body


def test_a_receipt_names_what_was_paid(booking):
    message = send(booking, Kind.RECEIPT, balance_of(booking))

    assert message.subject == f"Recibimos $3,735.20 MXN ({booking.folio})"
    assert "saldo, $3,735.20\u00a0MXN. Gracias." in message.body


def test_a_payment_link_leads_to_the_page_that_can_be_paid(booking):
    message = send(booking, Kind.PAYMENT_LINK, balance_of(booking))

    assert message.subject == f"Falta un pago de $3,735.20 MXN ({booking.folio})"
    assert BASE_URL + booking.get_absolute_url() in message.body


def test_a_cancellation_names_what_comes_back(booking, gateway):
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=NOW)

    message = send(booking, Kind.CANCELLED)

    assert message.subject == f"Reserva cancelada: Casa «Mar & Sol» ({booking.folio})"
    assert "Pagaste: $1,600.80\u00a0MXN" in message.body
    assert "Devolvemos a tu tarjeta: $1,600.80\u00a0MXN" in message.body
    assert "cargo por cancelación" not in message.body


def test_a_cancellation_that_gives_nothing_back_promises_no_zero(booking, gateway):
    late = booking.arrival_at - timedelta(days=1)
    request_cancellation(booking=booking, base_url=BASE_URL, now=late)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=late)

    message = send(booking, Kind.CANCELLED)

    assert "Cobramos a tu tarjeta, como cargo por cancelación" in message.body
    assert "Devolvemos" not in message.body
    assert "$0.00" not in message.body


# A refund has tests of its own, with a refund: test_returned_refunds and below.
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.HOLD, *REFUNDS)])
def test_no_english_word_is_in_an_email(booking, kind):
    message = send(booking, kind, balance_of(booking))

    words = f"{message.subject} {message.body}".replace(BASE_URL + booking.get_absolute_url(), "")
    assert english_words(words.replace(settings.SITE_BASE_URL, "")) == set()
    assert "\n\n\n" not in message.body
    assert "{" not in message.body


def test_a_hold_that_never_opened_a_payment_is_told_that_it_was_given_up(gateway):
    hold = make_hold(now=NOW, home=make_property(name="Casa Sol"), check_in=date(2026, 12, 1))
    request_cancellation(booking=hold, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=hold.pk, base_url=BASE_URL, gateway=gateway, now=NOW)

    message = send(hold, Kind.CANCELLED)

    assert message.subject == f"Reserva cancelada: Casa Sol ({hold.folio})"
    assert "Pagaste" not in message.body
    assert "No se cobró nada." in message.body


# --- Every e-mail in every state ---------------------------------------------------------------------------


def held(gateway) -> Booking:
    return make_hold(now=NOW, check_in=date(2026, 12, 1))


def begun(gateway) -> Booking:
    booking = held(gateway)
    make_deposit_attempt(booking=booking, now=NOW)
    return booking


def expired(gateway) -> Booking:
    booking = held(gateway)
    services.expire_holds(now=NOW + timedelta(hours=1))
    return booking


def given_up(gateway) -> Booking:
    return cancel(held(gateway), gateway)


def confirmed(gateway) -> Booking:
    return make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1))


def declined(gateway) -> Booking:
    booking = confirmed(gateway)
    dunning.note_decline(payment=balance_of(booking), code="insufficient_funds", base_url=BASE_URL, now=NOW)
    return booking


def paid(gateway) -> Booking:
    booking = confirmed(gateway)
    due = booking.balance_due_at
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=due).attempt
    assert attempt is not None
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=due)
    return booking


def completed(gateway) -> Booking:
    booking = paid(gateway)
    services.complete_departed(now=NOW + timedelta(days=60))
    return booking


def moved(gateway) -> Booking:
    booking = confirmed(gateway)
    move(booking)
    return booking


def cancelled(gateway) -> Booking:
    return cancel(confirmed(gateway), gateway)


STATES = (held, begun, expired, given_up, confirmed, declined, paid, completed, moved, cancelled)


def move(booking: Booking) -> None:
    change_dates(
        booking=booking,
        check_in=date(2026, 12, 10),
        check_out=date(2026, 12, 13),
        base_url=BASE_URL,
        now=NOW,
    )


def cancel(booking: Booking, gateway) -> Booking:
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=NOW)
    return booking


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_every_email_is_written_whatever_state_a_booking_is_in(gateway, state):
    booking = Booking.objects.select_related("quote__home").get(pk=state(gateway).pk)
    payments = [None, *booking.payments.all()]

    for kind, payment, language in product(Kind, payments, ("es-mx", "en")):
        booking.language = language
        email = GuestEmail(pk=1, booking=booking, kind=kind, payment=payment, base_url=BASE_URL)
        letter = write_email(email)

        assert booking.folio in letter.subject
        assert BASE_URL + booking.get_absolute_url() in letter.text
        assert BASE_URL + booking.get_absolute_url() in letter.html
        for form in (letter.text, letter.html):
            assert not {"None", "{{", "{%"} & set(form.split())
        if language == "es-mx":
            words = f"{letter.subject} {letter.text}".replace(booking.get_absolute_url(), "")
            assert english_words(words.replace(settings.SITE_BASE_URL, "").replace(BASE_URL, "")) == set()


def test_an_email_is_written_in_the_language_of_its_guest_whatever_the_worker_speaks(booking):
    Booking.objects.filter(pk=booking.pk).update(language="en")
    booking.refresh_from_db()

    message = send(booking, Kind.RECEIPT, balance_of(booking))

    assert message.subject == f"We received $3,735.20 MXN ({booking.folio})"
    assert 'lang="en"' in html_of(message)


def test_the_html_escapes_what_a_guest_wrote_and_the_text_does_not(booking):
    Booking.objects.filter(pk=booking.pk).update(guest_name="<b>Ana</b> & Co\r\nBcc: x@y.example")
    booking.refresh_from_db()

    message = send(booking, Kind.RECEIPT, balance_of(booking))

    assert "&lt;b&gt;Ana&lt;/b&gt; &amp; Co" in html_of(message)
    assert "<b>Ana</b> & Co" in message.body
    assert "<script" not in html_of(message)


# --- What an e-mail tells is of its cause, and is dropped when it is over ----------------------------------


def pending(booking: Booking, kind: GuestEmail.Kind) -> GuestEmail:
    return GuestEmail.objects.get(booking=booking, kind=kind, sent_at=None)


def test_what_changes_before_an_email_is_sent_does_not_change_its_words(booking, gateway):
    cancel(booking, gateway)
    Booking.objects.filter(pk=booking.pk).update(guest_name="Otra Persona")
    booking.home.name = "Casa Nueva"
    booking.home.save()
    refund = Refund.objects.get(attempt__payment__booking=booking)

    assert send_guest_email(email_id=pending(booking, Kind.CANCELLED).pk, now=NOW) == "sent"

    message = mail.outbox[-1]
    assert "Hola, Lucía Pérez:" in message.body
    assert "Casa «Mar & Sol»" in message.subject
    assert f"Devolvemos a tu tarjeta: {format_pesos(refund.amount_minor)}" in message.body


def test_a_change_is_told_with_before_and_after_and_the_old_confirmation_is_dropped(booking):
    confirmation = pending(booking, Kind.CONFIRMED)
    move(booking)

    assert send_guest_email(email_id=confirmation.pk, now=NOW) == "dropped"
    assert send_guest_email(email_id=pending(booking, Kind.CHANGED).pk, now=NOW) == "sent"

    message = mail.outbox[-1]
    assert "Antes era del martes 1 de diciembre de 2026 al viernes 4 de diciembre de 2026" in message.body
    assert "Llegada: jueves 10 de diciembre de 2026, 15:00" in message.body
    assert b"SEQUENCE:1" in calendar_of(message)


def test_two_changes_are_two_emails_and_the_first_is_dropped_when_it_comes_late(booking):
    move(booking)
    first = pending(booking, Kind.CHANGED)
    change_dates(
        booking=booking,
        check_in=date(2026, 12, 20),
        check_out=date(2026, 12, 23),
        base_url=BASE_URL,
        now=NOW,
    )

    assert GuestEmail.objects.filter(booking=booking, kind=Kind.CHANGED).count() == 2
    assert send_guest_email(email_id=first.pk, now=NOW) == "dropped"


def test_the_email_of_a_hold_is_dropped_when_the_hold_is_over(gateway):
    hold = make_hold(now=NOW)
    announce_hold(booking=hold, base_url=BASE_URL, now=NOW)
    email = pending(hold, Kind.HOLD)

    assert send_guest_email(email_id=email.pk, now=NOW + timedelta(minutes=31)) == "dropped"


def test_a_refund_that_has_come_back_is_not_told_as_sent(booking, gateway):
    cancel(booking, gateway)
    refund = Refund.objects.get(attempt__payment__booking=booking)
    request_email(kind=Kind.REFUND_SENT, booking=booking, refund=refund, base_url=BASE_URL, now=NOW)
    email = pending(booking, Kind.REFUND_SENT)

    assert send_guest_email(email_id=email.pk, now=NOW) == "dropped"


def test_a_cancelled_stay_takes_itself_out_of_the_calendar(booking, gateway):
    cancel(booking, gateway)

    send_guest_email(email_id=pending(booking, Kind.CANCELLED).pk, now=NOW)

    assert b"STATUS:CANCELLED" in calendar_of(mail.outbox[-1])


def test_facts_that_a_newer_release_has_stored_are_read_by_this_one(booking):
    stored = {**take_facts(booking=booking).as_json(), "of_tomorrow": 1}
    del stored["changes"]

    assert EmailFacts.from_json(stored) == take_facts(booking=booking)
