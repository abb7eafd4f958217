"""Charging a saved card: create, confirm, each test card, each refusal of a wrong state."""

from __future__ import annotations

import pytest
import stripe

from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import (
    BALANCE,
    charge_saved_card,
    confirm_off_session,
    create_intent,
    create_session,
    decline_of,
    details_of,
    make_customer,
    save_card,
)

SETUP_CARD = "pm_card_authenticationRequiredOnSetup"


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def seed(world: LocalStripe, card: str) -> tuple[str, str]:
    customer = make_customer(world)
    return customer, save_card(world, customer, card=card)


def test_an_unconfirmed_intent_takes_no_money(world):
    customer, method = seed(world, "pm_card_visa")

    intent = create_intent(world, customer=customer, payment_method=method)

    assert intent.status == "requires_confirmation"
    assert world.statement() == []


def test_confirming_takes_the_amount_once_and_says_so_everywhere(world):
    intent = charge_saved_card(world)

    assert (intent.status, intent.amount_received) == ("succeeded", BALANCE)
    [line] = world.statement()
    assert (line.amount, line.currency, line.payment_intent) == (BALANCE, "mxn", intent.id)
    assert (line.customer, line.metadata) == (intent.customer, {"attempt": "7"})
    assert world.event_types()[-3:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_creating_with_confirm_takes_the_money_at_once(world):
    customer, method = seed(world, "pm_card_visa")

    intent = world.client.v1.payment_intents.create(
        {
            "amount": BALANCE,
            "currency": "mxn",
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
        }
    )

    assert intent.status == "succeeded"
    assert world.taken() == BALANCE


def test_the_charge_and_its_balance_transaction_can_be_read(world):
    intent = charge_saved_card(world)

    [charge] = world.client.v1.charges.list({"payment_intent": intent.id}).data
    expanded = world.client.v1.payment_intents.retrieve(
        intent.id, {"expand": ["latest_charge.balance_transaction", "customer"]}
    )

    assert charge.id == intent.latest_charge
    assert (charge.status, charge.paid, charge.amount_captured) == ("succeeded", True, BALANCE)
    assert isinstance(expanded.latest_charge, stripe.Charge)
    transaction = expanded.latest_charge.balance_transaction
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert transaction.net == BALANCE - transaction.fee
    assert isinstance(expanded.customer, stripe.Customer)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
        (SETUP_CARD, "authentication_required", "authentication_required"),
        ("pm_card_authenticationRequired", "authentication_required", "authentication_required"),
    ],
)
def test_a_saved_card_that_fails_later_brings_the_intent_back_to_needing_a_card(
    world, card, code, decline_code
):
    customer, method = seed(world, card)
    intent = create_intent(world, customer=customer, payment_method=method)

    with pytest.raises(stripe.CardError) as error:
        confirm_off_session(world, intent.id)

    assert error.value.http_status == 402
    assert decline_of(error) == (code, decline_code)
    told = details_of(error).payment_intent
    assert (told.id, told.status) == (intent.id, "requires_payment_method")
    now = world.client.v1.payment_intents.retrieve(intent.id)
    assert (now.status, now.payment_method) == ("requires_payment_method", None)
    assert now.last_payment_error.code == code
    assert now.last_payment_error.payment_method.id == method
    assert world.statement() == []


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
        ("pm_card_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ],
)
def test_a_card_declined_at_once_can_neither_be_charged_nor_saved(world, card, code, decline_code):
    customer = make_customer(world)
    intent = world.client.v1.payment_intents.create(
        {"amount": BALANCE, "currency": "mxn", "customer": customer}
    )

    with pytest.raises(stripe.CardError) as charging:
        world.client.v1.payment_intents.confirm(intent.id, {"payment_method": card})
    with pytest.raises(stripe.CardError) as saving:
        save_card(world, customer, card=card)

    assert decline_of(charging) == (code, decline_code)
    assert decline_of(saving) == (code, decline_code)
    assert world.statement() == []


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_mx"])
def test_a_good_card_is_charged(world, card):
    assert charge_saved_card(world, card=card).status == "succeeded"


def test_a_declined_intent_succeeds_with_another_card_and_still_takes_the_money_once(world):
    customer, method = seed(world, "pm_card_chargeCustomerFail")
    intent = create_intent(world, customer=customer, payment_method=method)
    with pytest.raises(stripe.CardError):
        confirm_off_session(world, intent.id)
    good = save_card(world, customer)

    again = world.client.v1.payment_intents.confirm(intent.id, {"payment_method": good, "off_session": True})

    assert (again.status, again.last_payment_error) == ("succeeded", None)
    assert world.taken() == BALANCE


def test_a_declined_intent_asks_for_a_card_when_none_is_given(world):
    customer, method = seed(world, "pm_card_chargeCustomerFail")
    intent = create_intent(world, customer=customer, payment_method=method)
    with pytest.raises(stripe.CardError):
        confirm_off_session(world, intent.id)

    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as error:
        confirm_off_session(world, intent.id)

    assert error.value.code == "payment_intent_unexpected_state"


def test_a_succeeded_intent_refuses_a_second_confirm(world):
    intent = charge_saved_card(world)

    with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as error:
        confirm_off_session(world, intent.id)

    assert error.value.code == "payment_intent_unexpected_state"
    assert world.taken() == BALANCE


def test_a_cancelled_intent_can_never_take_money(world):
    customer, method = seed(world, "pm_card_visa")
    intent = create_intent(world, customer=customer, payment_method=method)

    canceled = world.client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled") as error:
        confirm_off_session(world, intent.id)
    assert error.value.code == "payment_intent_unexpected_state"
    assert world.statement() == []


def test_a_succeeded_intent_cannot_be_cancelled(world):
    intent = charge_saved_card(world)

    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded") as error:
        world.client.v1.payment_intents.cancel(intent.id)

    assert error.value.code == "payment_intent_unexpected_state"


def test_a_card_set_up_with_3d_secure_is_charged_off_session(world):
    customer = make_customer(world)
    setup = world.client.v1.setup_intents.create(
        {
            "customer": customer,
            "payment_method": SETUP_CARD,
            "confirm": True,
            "return_url": "https://reyes.test/listo",
        }
    )
    assert setup.status == "requires_action"

    answer = world.browse("POST", setup.next_action.redirect_to_url.url, "decision=authorize")

    assert (answer.status, answer.headers["Location"]) == (303, "https://reyes.test/listo")
    done = world.client.v1.setup_intents.retrieve(setup.id)
    assert done.status == "succeeded"
    intent = create_intent(world, customer=customer, payment_method=done.payment_method)
    assert confirm_off_session(world, intent.id).status == "succeeded"


def test_rejecting_3d_secure_leaves_the_card_unsaved(world):
    customer = make_customer(world)
    setup = world.client.v1.setup_intents.create({"customer": customer, "payment_method": SETUP_CARD})
    world.client.v1.setup_intents.confirm(setup.id, {"return_url": "https://reyes.test/listo"})

    answer = world.browse("POST", f"/authenticate/{setup.id}", "decision=reject")

    assert answer.status == 200
    assert "No se autorizó" in answer.body
    assert world.client.v1.setup_intents.retrieve(setup.id).status == "requires_payment_method"
    assert world.client.v1.customers.payment_methods.list(customer).data == []


@pytest.mark.parametrize("card", [SETUP_CARD, "pm_card_authenticationRequired"])
def test_an_on_session_charge_asks_for_3d_secure_and_takes_money_after_it(world, card):
    customer, method = seed(world, card)
    intent = create_intent(world, customer=customer, payment_method=method)

    asked = world.client.v1.payment_intents.confirm(intent.id, {"return_url": "https://reyes.test/listo"})

    assert asked.status == "requires_action"
    assert world.statement() == []
    assert "$7,000.00 MXN" in world.browse("GET", asked.next_action.redirect_to_url.url).body
    world.browse("POST", asked.next_action.redirect_to_url.url, "decision=authorize")
    assert world.client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert world.taken() == BALANCE


def test_a_card_already_set_up_asks_for_3d_secure_only_while_the_guest_is_there(world):
    card = "pm_card_authenticationRequiredSetupForOffSession"
    customer, method = seed(world, card)
    present = create_intent(world, customer=customer, payment_method=method)

    asked = world.client.v1.payment_intents.confirm(present.id, {"return_url": "https://reyes.test/x"})

    assert asked.status == "requires_action"
    assert charge_saved_card(world, card=card).status == "succeeded"


def test_a_client_that_cannot_show_3d_secure_gets_an_error_instead(world):
    customer, method = seed(world, SETUP_CARD)
    intent = create_intent(world, customer=customer, payment_method=method)

    with pytest.raises(stripe.CardError) as error:
        world.client.v1.payment_intents.confirm(intent.id, {"error_on_requires_action": True})

    assert decline_of(error) == ("authentication_required", "authentication_required")


def test_a_detached_card_may_not_be_charged_again(world):
    customer, method = seed(world, "pm_card_visa")
    intent = create_intent(world, customer=customer, payment_method=method)
    world.client.v1.payment_methods.detach(method)

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        confirm_off_session(world, intent.id)

    assert world.statement() == []


def test_deleting_a_customer_detaches_the_cards(world):
    customer, method = seed(world, "pm_card_visa")

    deleted = world.client.v1.customers.delete(customer)

    assert deleted.deleted is True
    assert world.client.v1.customers.retrieve(customer).deleted is True
    assert world.client.v1.payment_methods.retrieve(method).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        create_intent(world, customer=customer, payment_method="pm_card_visa")


def test_another_customers_card_is_refused(world):
    _, method = seed(world, "pm_card_visa")
    stranger = make_customer(world, email="otro@example.com")

    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        create_intent(world, customer=stranger, payment_method=method)


def test_off_session_and_saving_for_later_exclude_each_other(world):
    customer, method = seed(world, "pm_card_visa")
    intent = create_intent(world, customer=customer, payment_method=method)

    with pytest.raises(stripe.InvalidRequestError, match="setup_future_usage"):
        world.client.v1.payment_intents.confirm(
            intent.id, {"off_session": True, "setup_future_usage": "off_session"}
        )

    assert world.statement() == []


@pytest.mark.parametrize(("amount", "code"), [(999, "amount_too_small"), (100_000_000, "amount_too_large")])
def test_amounts_no_card_may_be_charged_are_refused(world, amount, code):
    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.payment_intents.create({"amount": amount, "currency": "mxn"})

    assert error.value.code == code


def test_intents_are_listed_by_customer_and_time_newest_first(world):
    customer, method = seed(world, "pm_card_visa")
    first = create_intent(world, customer=customer, payment_method=method)
    world.clock.advance(seconds=60)
    second = create_intent(world, customer=customer, payment_method=method)
    charge_saved_card(world)

    mine = world.client.v1.payment_intents.list({"customer": customer})
    recent = world.client.v1.payment_intents.list({"customer": customer, "created": {"gt": first.created}})

    assert [intent.id for intent in mine] == [second.id, first.id]
    assert [intent.id for intent in recent] == [second.id]


def test_a_long_list_comes_in_pages_both_ways(world):
    customer = make_customer(world)
    made = [
        world.client.v1.payment_intents.create({"amount": 2000, "currency": "mxn", "customer": customer}).id
        for _ in range(7)
    ]

    page = world.client.v1.payment_intents.list({"customer": customer, "limit": 3})
    all_ids = [intent.id for intent in page.auto_paging_iter()]
    back = world.client.v1.payment_intents.list({"customer": customer, "limit": 2, "ending_before": made[0]})

    assert page.has_more is True
    assert all_ids == made[::-1]
    assert [intent.id for intent in back] == [made[2], made[1]]


def test_the_intent_of_a_checkout_session_can_be_neither_confirmed_nor_cancelled(world):
    session = create_session(world)
    world.browse("POST", session.url, "number=4000000000000002&expiry=12/40&cvc=123&email=a@b.mx")
    intent_id = world.client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent_id, str)

    with pytest.raises(stripe.InvalidRequestError, match="expire the Checkout Session"):
        world.client.v1.payment_intents.cancel(intent_id)
    with pytest.raises(stripe.InvalidRequestError, match="created by Checkout"):
        world.client.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})

    assert world.statement() == []
