"""Stripe's test cards, and what the bank behind each of them says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Authentication(StrEnum):
    """When a card asks for 3-D Secure."""

    NEVER = "never"
    UNLESS_SET_UP = "unless_set_up"
    ON_SESSION = "on_session"
    ALWAYS = "always"


class DeclinesWhen(StrEnum):
    NEVER = "never"
    SAVED = "saved"
    CHARGED = "charged"
    ALWAYS = "always"


class RefundBehaviour(StrEnum):
    SUCCEEDS = "succeeds"
    PENDING_FIRST = "pending_first"
    FAILS_LATER = "fails_later"


class Settlement(StrEnum):
    """When the money of an approved charge is there: cards have it at once, vouchers and banks take days."""

    AT_ONCE = "at_once"
    LATER = "later"
    NEVER = "never"


class DisputeBehaviour(StrEnum):
    NEVER = "never"
    CHARGEBACK = "chargeback"
    INQUIRY = "inquiry"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a card was refused. Source: docs.stripe.com/declines/codes."""

    code: str
    decline_code: str | None
    message: str
    advice_code: str | None = None


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.", "try_again_later")
FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later")
LOST = Decline("card_declined", "lost_card", "Your card was declined.", "do_not_try_again")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.", "do_not_try_again")
VELOCITY = Decline("card_declined", "card_velocity_exceeded", "Your card was declined.", "try_again_later")
EXPIRED = Decline("expired_card", None, "Your card has expired.", "confirm_card_data")
CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "confirm_card_data")
ISSUER = Decline(
    "processing_error",
    None,
    "An error occurred while processing your card. Try again in a little bit.",
    "try_again_later",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. "
    "Please choose a different payment method and try again.",
)


@dataclass(frozen=True, slots=True)
class TestCard:
    """One card: its number, the ids of Stripe's ready payment methods for it, what it does.

    ``note`` is what the hosted page says beside the number.
    """

    __test__ = False

    number: str
    tokens: tuple[str, ...]
    note: str
    brand: str = "visa"
    country: str = "US"
    declines: DeclinesWhen = DeclinesWhen.NEVER
    decline: Decline = GENERIC
    authentication: Authentication = Authentication.NEVER
    refund: RefundBehaviour = RefundBehaviour.SUCCEEDS
    dispute: DisputeBehaviour = DisputeBehaviour.NEVER
    settles: Settlement = Settlement.AT_ONCE

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, token: str, note: str, decline: Decline) -> TestCard:
    return TestCard(
        number,
        (f"pm_card_{token}", f"pm_card_visa_{token}"),
        note,
        declines=DeclinesWhen.ALWAYS,
        decline=decline,
    )


CARDS = (
    TestCard("4242424242424242", ("pm_card_visa", "pm_card_us"), "Se aprueba"),
    TestCard("4000004840008001", ("pm_card_mx",), "Se aprueba (México)", country="MX"),
    TestCard("5555555555554444", ("pm_card_mastercard",), "Se aprueba (Mastercard)", brand="mastercard"),
    TestCard("378282246310005", ("pm_card_amex",), "Se aprueba (American Express)", brand="amex"),
    TestCard(
        "4000002500003155",
        ("pm_card_authenticationRequiredOnSetup",),
        "Pide 3-D Secure la primera vez",
        authentication=Authentication.UNLESS_SET_UP,
    ),
    TestCard(
        "4000002760003184",
        ("pm_card_authenticationRequired",),
        "Pide 3-D Secure siempre",
        authentication=Authentication.ALWAYS,
    ),
    TestCard(
        "4000003800000446",
        ("pm_card_authenticationRequiredSetupForOffSession",),
        "Pide 3-D Secure solo con el huésped presente",
        authentication=Authentication.ON_SESSION,
    ),
    TestCard(
        "4000008260003178",
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
        "Pide 3-D Secure y después no tiene fondos",
        declines=DeclinesWhen.CHARGED,
        decline=FUNDS,
        authentication=Authentication.UNLESS_SET_UP,
    ),
    TestCard(
        "4000000000000341",
        ("pm_card_chargeCustomerFail",),
        "Se guarda; se rechaza en cobros posteriores",
        declines=DeclinesWhen.SAVED,
    ),
    _declined("4000000000000002", "chargeDeclined", "Se rechaza", GENERIC),
    _declined("4000000000009995", "chargeDeclinedInsufficientFunds", "Sin fondos suficientes", FUNDS),
    _declined("4000000000009987", "chargeDeclinedLostCard", "Reportada como perdida", LOST),
    _declined("4000000000009979", "chargeDeclinedStolenCard", "Reportada como robada", STOLEN),
    _declined("4000000000000069", "chargeDeclinedExpiredCard", "Vencida", EXPIRED),
    _declined("4000000000000127", "chargeDeclinedIncorrectCvc", "Código de seguridad incorrecto", CVC),
    _declined("4000000000000119", "chargeDeclinedProcessingError", "Error del banco", ISSUER),
    _declined("4000000000006975", "chargeDeclinedVelocityLimitExceeded", "Demasiados cargos", VELOCITY),
    TestCard(
        "4000000000005126",
        ("pm_card_refundFail",),
        "Se aprueba; su reembolso falla después",
        refund=RefundBehaviour.FAILS_LATER,
    ),
    TestCard(
        "4000000000007726",
        ("pm_card_pendingRefund",),
        "Se aprueba; su reembolso tarda",
        refund=RefundBehaviour.PENDING_FIRST,
    ),
    TestCard(
        "4000000000000259",
        ("pm_card_createDispute",),
        "Se aprueba; su titular lo desconoce",
        dispute=DisputeBehaviour.CHARGEBACK,
    ),
    TestCard(
        "4000000000001976",
        ("pm_card_createDisputeInquiry",),
        "Se aprueba; su banco pregunta por el cargo",
        dispute=DisputeBehaviour.INQUIRY,
    ),
    # Ours: Stripe has such charges with vouchers and bank debits only, which this site does not take.
    TestCard(
        "4000000000990018",
        ("pm_card_settlesLater",),
        "Queda en proceso; se cobra después",
        settles=Settlement.LATER,
    ),
    TestCard(
        "4000000000990026",
        ("pm_card_neverSettles",),
        "Queda en proceso; el dinero no llega",
        settles=Settlement.NEVER,
    ),
)

BY_NUMBER = {card.number: card for card in CARDS}
BY_TOKEN = {token: card for card in CARDS for token in card.tokens}


class UnknownCard(Exception):
    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"no test card has the number or id ending in {text[-4:]}")


def find_card(text: str) -> TestCard:
    """Return the test card with this number (spaces allowed) or ``pm_card_…`` id.

    Raises:
        UnknownCard: there is none.
    """
    card = BY_TOKEN.get(text) or BY_NUMBER.get(re.sub(r"[\s-]", "", text))
    if card is None:
        raise UnknownCard(text)
    return card


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is there when a card is charged, and what the bank knows of it."""

    is_off_session: bool
    is_authenticated: bool
    is_set_up: bool
    is_saved: bool


class Verdict(StrEnum):
    APPROVED = "approved"
    DECLINED = "declined"
    NEEDS_AUTHENTICATION = "needs_authentication"


def judge_charge(card: TestCard, presence: Presence) -> Verdict:
    """Say what the bank answers to a charge."""
    if not presence.is_authenticated and _asks_for_authentication(card, presence):
        return Verdict.NEEDS_AUTHENTICATION
    if card.declines in (DeclinesWhen.ALWAYS, DeclinesWhen.CHARGED):
        return Verdict.DECLINED
    if card.declines is DeclinesWhen.SAVED and presence.is_saved:
        return Verdict.DECLINED
    return Verdict.APPROVED


def judge_setup(card: TestCard, *, is_authenticated: bool) -> Verdict:
    """Say what the bank answers when a card is set up for later charges."""
    if card.authentication is not Authentication.NEVER and not is_authenticated:
        return Verdict.NEEDS_AUTHENTICATION
    return Verdict.DECLINED if card.declines is DeclinesWhen.ALWAYS else Verdict.APPROVED


def _asks_for_authentication(card: TestCard, presence: Presence) -> bool:
    match card.authentication:
        case Authentication.NEVER:
            return False
        case Authentication.UNLESS_SET_UP:
            return not presence.is_set_up
        case Authentication.ON_SESSION:
            return not presence.is_off_session
        case Authentication.ALWAYS:
            return True
