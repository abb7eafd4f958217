"""Checkout Sessions and the page a guest pays on."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import (
    DEPOSIT,
    card_form,
    confirm_off_session,
    create_intent,
    create_session,
    make_customer,
)

MINUTE = 60


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def retrieve(world: LocalStripe, session: stripe.checkout.Session, *expand: str) -> Any:
    return world.client.v1.checkout.sessions.retrieve(session.id, {"expand": list(expand)})


def test_an_open_session_has_a_page_and_no_intent_yet(world):
    session = create_session(world)

    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    page = world.browse("GET", session.url)
    assert page.status == 200
    for text in ("$3,000.00 MXN", "Anticipo de Casa Azul", "4242 4242 4242 4242", "Volver sin pagar"):
        assert text in page.body
    assert "<script" not in page.body
    assert "https://reyes.test/volver" in page.body


def test_paying_completes_the_session_and_brings_the_guest_back(world):
    session = create_session(world)

    answer = world.browse("POST", session.url, card_form("4242 4242 4242 4242"))

    assert (answer.status, answer.headers["Location"]) == (303, f"https://reyes.test/listo?s={session.id}")
    paid = retrieve(world, session)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer_details.email == "ana@example.com"
    [line] = world.statement()
    assert (line.amount, line.payment_intent, line.metadata) == (
        DEPOSIT,
        paid.payment_intent,
        {"attempt": "3"},
    )
    assert world.event_types()[-1] == "checkout.session.completed"


@pytest.mark.parametrize("number", ["4242424242424242", "4000002500003155"])
def test_the_card_a_guest_paid_with_is_saved_and_charged_later_off_session(world, number):
    session = create_session(world)
    answer = world.browse("POST", session.url, card_form(number))
    if answer.headers["Location"].endswith("/authenticate"):
        world.browse("POST", answer.headers["Location"], "decision=authorize")
    paid = retrieve(world, session, "payment_intent")
    deposit = paid.payment_intent

    balance = create_intent(world, customer=paid.customer, payment_method=deposit.payment_method)
    confirmed = confirm_off_session(world, balance.id)

    assert confirmed.status == "succeeded"
    assert [line.payment_intent for line in world.statement()] == [deposit.id, balance.id]
    [saved] = world.client.v1.payment_methods.list({"customer": paid.customer}).data
    assert saved.id == deposit.payment_method


def test_the_card_that_saves_and_then_declines_pays_the_deposit_and_fails_the_balance(world):
    session = create_session(world)
    world.browse("POST", session.url, card_form("4000000000000341"))
    paid = retrieve(world, session, "payment_intent")
    balance = create_intent(world, customer=paid.customer, payment_method=paid.payment_intent.payment_method)

    with pytest.raises(stripe.CardError):
        confirm_off_session(world, balance.id)

    assert world.taken() == DEPOSIT


def test_a_session_for_a_known_customer_charges_that_customer(world):
    customer = make_customer(world)
    session = create_session(world, customer=customer)

    assert "ana@example.com" in world.browse("GET", session.url).body
    world.browse("POST", session.url, card_form("4242424242424242", email=""))

    assert retrieve(world, session).customer == customer
    assert world.statement()[0].customer == customer


def test_without_a_customer_the_card_is_not_saved(world):
    session = create_session(world, customer_creation="if_required", customer_email="luis@example.com")

    world.browse("POST", session.url, card_form("4242424242424242", email=""))

    paid = retrieve(world, session)
    assert (paid.customer, paid.customer_details.email) == (None, "luis@example.com")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("4000000000000002", "El banco rechazó la tarjeta"),
        ("4000000000009995", "no tiene fondos"),
        ("4000000000000069", "vencida"),
        ("1234", "no es de una tarjeta de prueba"),
    ],
)
def test_a_decline_is_told_on_the_page_and_the_session_stays_open(world, number, reason):
    session = create_session(world)

    answer = world.browse("POST", session.url, card_form(number))

    assert answer.status == 200
    assert 'role="alert"' in answer.body
    assert reason in answer.body
    assert retrieve(world, session).status == "open"
    assert world.statement() == []
    world.browse("POST", session.url, card_form("4242424242424242"))
    assert retrieve(world, session).status == "complete"
    assert world.taken() == DEPOSIT


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expiry": "13/40"}, "vencimiento"),
        ({"expiry": "01/20"}, "vencimiento"),
        ({"cvc": "1"}, "código de seguridad"),
        ({"email": "nadie"}, "correo"),
    ],
)
def test_a_badly_filled_form_is_explained_and_keeps_what_was_written(world, fields, reason):
    session = create_session(world)

    answer = world.browse("POST", session.url, card_form("4242424242424242", name="José <b>", **fields))

    assert reason in answer.body
    assert "José &lt;b&gt;" in answer.body
    assert retrieve(world, session).payment_intent is None


def test_several_declines_and_a_success_are_one_intent(world):
    session = create_session(world)
    world.browse("POST", session.url, card_form("4000000000000002"))
    first = retrieve(world, session).payment_intent

    world.browse("POST", session.url, card_form("4242424242424242"))

    assert retrieve(world, session).payment_intent == first
    assert world.core.store.count("payment_intent") == 1


def test_3d_secure_comes_on_a_page_of_its_own(world):
    session = create_session(world)
    step = world.browse("POST", session.url, card_form("4000002760003184")).headers["Location"]
    page = world.browse("GET", step)

    assert "Autorizar" in page.body
    assert "Rechazar" in page.body
    assert world.statement() == []
    done = world.browse("POST", step, "decision=authorize")

    assert done.headers["Location"].startswith("https://reyes.test/listo")
    assert world.taken() == DEPOSIT


def test_rejecting_3d_secure_leaves_the_session_open_for_another_card(world):
    session = create_session(world)
    step = world.browse("POST", session.url, card_form("4000002760003184")).headers["Location"]

    page = world.browse("POST", step, "decision=reject")

    assert "No se autorizó el pago" in page.body
    assert retrieve(world, session).status == "open"
    assert world.statement() == []


def test_two_tabs_with_two_cards_pay_once(world):
    session = create_session(world)
    waiting = world.browse("POST", session.url, card_form("4000002760003184")).headers["Location"]

    world.browse("POST", session.url, card_form("4242424242424242"))
    late = world.browse("POST", waiting, "decision=authorize")
    again = world.browse("POST", session.url, card_form("5555555555554444"))

    assert "Este pago ya está hecho" in late.body
    assert "Este pago ya está hecho" in again.body
    assert world.taken() == DEPOSIT


def test_an_answer_to_3d_secure_nobody_asked_for_is_refused(world):
    session = create_session(world)

    answer = world.browse("POST", f"/c/pay/{session.id}/authenticate", "decision=authorize")

    assert answer.status == 409
    assert world.statement() == []


def test_expiring_ends_the_page_and_the_intent(world):
    session = create_session(world)
    world.browse("POST", session.url, card_form("4000000000000002"))

    expired = world.client.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.payment_status, expired.url) == ("expired", "unpaid", None)
    assert world.find("payment_intent", str(expired.payment_intent))["status"] == "canceled"
    assert "Este enlace ya venció" in world.browse("POST", session.url, card_form("4242424242424242")).body
    assert world.statement() == []


@pytest.mark.parametrize("state", ["expired", "complete"])
def test_only_an_open_session_can_be_expired(world, state):
    session = create_session(world)
    if state == "expired":
        world.client.v1.checkout.sessions.expire(session.id)
    else:
        world.browse("POST", session.url, card_form("4242424242424242"))

    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.checkout.sessions.expire(session.id)

    assert str(error.value.user_message) == (
        'Only Checkout Sessions with a status in ["open"] can be expired. '
        f"This Checkout Session has a status of `{state}`."
    )


def test_a_session_expires_by_itself_at_its_time(world):
    session = create_session(world, expires_at=int(world.clock.now) + 31 * MINUTE)

    world.clock.advance(seconds=30 * MINUTE)
    before = retrieve(world, session).status
    world.clock.advance(seconds=MINUTE)

    assert (before, retrieve(world, session).status) == ("open", "expired")
    assert world.event_types()[-1] == "checkout.session.expired"


@pytest.mark.parametrize(
    ("minutes", "words"), [(29, "at least 30 minutes"), (24 * 60 + 1, "less than 24 hours")]
)
def test_a_session_lives_between_half_an_hour_and_a_day(world, minutes, words):
    with pytest.raises(stripe.InvalidRequestError, match=words):
        create_session(world, expires_at=int(world.clock.now) + minutes * MINUTE)


def test_customer_and_email_exclude_each_other(world):
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        create_session(world, customer=make_customer(world), customer_email="x@example.com")


def test_a_total_below_the_minimum_is_refused(world):
    item = {"price_data": {"currency": "mxn", "unit_amount": 500, "product_data": {"name": "x"}}}

    with pytest.raises(stripe.InvalidRequestError) as error:
        create_session(world, line_items=[item])

    assert error.value.code == "amount_too_small"


def test_sessions_are_listed_by_customer_and_state(world):
    customer = make_customer(world)
    paid = create_session(world, customer=customer)
    world.browse("POST", paid.url, card_form("4242424242424242"))
    still_open = create_session(world, customer=customer)
    create_session(world)

    sessions = world.client.v1.checkout.sessions

    assert [each.id for each in sessions.list({"customer": customer})] == [still_open.id, paid.id]
    assert [each.id for each in sessions.list({"customer": customer, "status": "open"})] == [still_open.id]


def test_line_items_can_be_listed_and_expanded(world):
    session = create_session(world)

    listed = world.client.v1.checkout.sessions.line_items.list(session.id).data
    expanded = retrieve(world, session, "line_items")

    assert [item.description for item in listed] == ["Anticipo de Casa Azul"]
    assert expanded.line_items.data[0].amount_total == DEPOSIT
