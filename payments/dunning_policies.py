"""When a card that said no is asked again, and when it never is. Pure: no Django, no I/O.

    soft   the account may have money later, the bank may answer later: asked again by the steps below
    data   the guest has to do something: approve, correct a number, use another card
    hard   the bank does not want to be asked again

Of the last two the guest gets the link, and nothing comes by itself.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class DeclineClass(StrEnum):
    SOFT = "soft"
    HARD = "hard"
    DATA = "data"


# The first charge and what follows it, in all; the database refuses more.
# Source: https://docs.stripe.com/billing/revenue-recovery/smart-retries, Stripe's own default.
MOST_STEPS = 8

_BY_CODE = {
    # Source: https://docs.stripe.com/declines/codes, and what Stripe itself never tries again.
    DeclineClass.HARD: {
        "do_not_try_again",
        "fraudulent",
        "highest_risk_level",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
        # Stripe rejects the request itself: the same one would be rejected again.
        "request_rejected",
    },
    DeclineClass.DATA: {
        "authentication_not_handled",
        "authentication_required",
        "card_not_supported",
        "currency_not_supported",
        "expired_card",
        "incorrect_address",
        "incorrect_cvc",
        "incorrect_number",
        "incorrect_zip",
        "invalid_account",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "missing_method",
        "new_account_information_available",
        "payment_intent_authentication_failure",
    },
}
# Source: https://docs.stripe.com/declines/codes, "advice code".
_BY_ADVICE = {
    "do_not_try_again": DeclineClass.HARD,
    "confirm_card_data": DeclineClass.DATA,
    "try_again_later": DeclineClass.SOFT,
}


def classify(*, code: str, advice: str = "") -> DeclineClass:
    """Return what a decline means for the next try; a code that nobody knows may be asked again.

    What forbids another try weighs more than what allows it, whichever of the two says so.
    """
    said = {_BY_ADVICE.get(advice, DeclineClass.SOFT)}
    said |= {decline_class for decline_class, codes in _BY_CODE.items() if code in codes}
    return next(each for each in (DeclineClass.HARD, DeclineClass.DATA, DeclineClass.SOFT) if each in said)


PAYDAY_DAY = 15  # And the last day of the month: how wages are paid in Mexico.
PAYDAY_TIME = time(12)  # By noon the wages are there.
# How long after each decline the card is asked again, None for the next payday.
STEPS: tuple[timedelta | None, ...] = (
    timedelta(hours=6),
    timedelta(hours=24),
    timedelta(days=3),
    None,
    timedelta(days=7),
    timedelta(days=14),
)
_LEAST_GAP = timedelta(hours=6)


def next_try(
    *, decline_class: DeclineClass, step: int, declined_at: datetime, timezone: ZoneInfo
) -> datetime | None:
    """Return when a card is asked again after its decline number ``step``; ``None``: not by itself."""
    if decline_class != DeclineClass.SOFT or step > len(STEPS):
        return None
    pause = STEPS[step - 1]
    if pause is not None:
        return declined_at + pause
    return next_payday(after=declined_at + _LEAST_GAP, timezone=timezone)


def next_payday(*, after: datetime, timezone: ZoneInfo) -> datetime:
    """Return noon of the first payday that is later than an instant, by the clock of the house."""
    day = after.astimezone(timezone).date()
    while True:
        payday = _payday_from(day)
        at = datetime.combine(payday, PAYDAY_TIME, timezone)
        if at > after:
            return at
        day = payday + timedelta(days=1)


def _payday_from(day: date) -> date:
    if day.day <= PAYDAY_DAY:
        return day.replace(day=PAYDAY_DAY)
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])
