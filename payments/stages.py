"""Where a booking stands, as its guest sees it. Pure decisions on facts that were read before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bookings.models import BookingStatus
from payments.policies import Channel

# A payment that was begun a moment ago is looked at often, one that lies about seldom.
EAGER_FOR = timedelta(minutes=5)
EAGER_REFRESH = timedelta(seconds=5)
PATIENT_REFRESH = timedelta(seconds=30)


class Stage(StrEnum):
    """The sentence at the top of the guest's page."""

    HELD = "held"
    HOLD_OVER = "hold_over"
    PAYING = "paying"
    PAYMENT_NEEDED = "payment_needed"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """What decides the stage.

    Attributes:
        hold_is_over: the time to pay has run out and no payment page is open.
        live_channel: how money is being taken at this moment, ``None`` when it is not.
        is_payable: the guest can pay something now.
    """

    status: BookingStatus
    cancel_requested: bool
    hold_is_over: bool
    live_channel: Channel | None
    is_payable: bool


def stage_of(facts: StageFacts) -> Stage:
    if facts.status == BookingStatus.EXPIRED:
        return Stage.HOLD_OVER
    if facts.cancel_requested and facts.status != BookingStatus.CANCELLED:
        return Stage.CANCELLING
    if facts.live_channel == Channel.CHECKOUT:
        return Stage.PAYING
    if facts.status == BookingStatus.PENDING:
        return Stage.HOLD_OVER if facts.hold_is_over else Stage.HELD
    if facts.status == BookingStatus.CONFIRMED and facts.is_payable:
        return Stage.PAYMENT_NEEDED
    return Stage(facts.status.value)


def refresh_after(*, begun_at: datetime, now: datetime) -> timedelta:
    """Return after how long the page of a payment that is being confirmed looks again."""
    return EAGER_REFRESH if now - begun_at < EAGER_FOR else PATIENT_REFRESH
