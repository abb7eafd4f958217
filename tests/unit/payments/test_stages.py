"""Where a booking stands, as its guest sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bookings.models import BookingStatus
from payments.panels.guest_page import (
    EAGER_REFRESH,
    PATIENT_REFRESH,
    Stage,
    StageFacts,
    refresh_after,
    stage_of,
)
from payments.policies import Channel

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)


def facts(status: BookingStatus, **overrides: object) -> StageFacts:
    usual: dict[str, object] = {
        "cancel_requested": False,
        "hold_is_over": False,
        "live_channel": None,
        "is_payable": False,
    }
    return StageFacts(status=status, **{**usual, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        (facts(BookingStatus.PENDING), Stage.HELD),
        (facts(BookingStatus.PENDING, hold_is_over=True), Stage.HOLD_OVER),
        (facts(BookingStatus.PENDING, live_channel=Channel.CHECKOUT), Stage.PAYING),
        (facts(BookingStatus.PENDING, cancel_requested=True), Stage.CANCELLING),
        (
            facts(BookingStatus.PENDING, cancel_requested=True, live_channel=Channel.CHECKOUT),
            Stage.CANCELLING,
        ),
        (facts(BookingStatus.EXPIRED), Stage.HOLD_OVER),
        (facts(BookingStatus.CONFIRMED), Stage.CONFIRMED),
        (facts(BookingStatus.CONFIRMED, live_channel=Channel.OFF_SESSION), Stage.CONFIRMED),
        (facts(BookingStatus.CONFIRMED, is_payable=True), Stage.PAYMENT_NEEDED),
        (facts(BookingStatus.CONFIRMED, is_payable=True, live_channel=Channel.CHECKOUT), Stage.PAYING),
        (facts(BookingStatus.CONFIRMED, cancel_requested=True, is_payable=True), Stage.CANCELLING),
        (facts(BookingStatus.CANCELLED, cancel_requested=True), Stage.CANCELLED),
        (facts(BookingStatus.CANCELLED, cancel_requested=True, is_payable=True), Stage.CANCELLED),
        (
            facts(BookingStatus.CANCELLED, cancel_requested=True, live_channel=Channel.CHECKOUT),
            Stage.PAYING,
        ),
        (facts(BookingStatus.COMPLETED), Stage.COMPLETED),
    ],
)
def test_each_situation_has_its_sentence(given, stage):
    assert stage_of(given) == stage


def test_a_payment_is_looked_at_often_at_first_and_seldom_later():
    assert refresh_after(begun_at=NOW, now=NOW + timedelta(minutes=4)) == EAGER_REFRESH
    assert refresh_after(begun_at=NOW, now=NOW + timedelta(minutes=5)) == PATIENT_REFRESH
