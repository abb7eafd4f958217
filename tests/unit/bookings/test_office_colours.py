"""The badges of the office: every state that its lists show has a colour."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import bookings
from bookings.models import BookingStatus
from payments.models import StripeEvent
from payments.policies import DisputeStatus, PaymentStatus, RefundState

_STYLES = Path(bookings.__file__).parent / "static" / "bookings" / "office.css"


def test_every_state_that_the_office_shows_has_its_colour():
    shown = chain(BookingStatus, PaymentStatus, RefundState, StripeEvent.State, DisputeStatus)

    coloured = set(re.findall(r"\.of-state-(\w+)", _STYLES.read_text()))

    assert {state.value for state in shown} - coloured == set()
