"""``manage.py seed_stays`` leaves a house that could have been lived in, at a local Stripe of its own."""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from bookings.models import Booking, BookingChangeLog
from payments import gateway
from payments.models import GuestEmail, Payment, Refund, StripeEvent
from reyes_estancias.local_stripe.launcher import sandbox_running
from tests.integration.constraints import check_deferred_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def _in_development(settings, tmp_path, monkeypatch):
    with sandbox_running(state=tmp_path / "stripe.jsonl") as stripe:
        settings.DEBUG = True
        settings.STRIPE_API_BASE = stripe.base_url
        gateway._build_gateway.cache_clear()
        yield
    gateway._build_gateway.cache_clear()


def seed(count: int) -> str:
    out = StringIO()
    call_command("seed_stays", count=count, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("_in_development")
def test_stays_of_every_state_are_made_with_their_money():
    said = seed(48)

    assert "24 past stays" in said
    check_deferred_rules()
    statuses = Counter(Booking.objects.values_list("status", flat=True))
    assert set(statuses) == {"pending", "confirmed", "completed", "cancelled", "expired"}
    assert sum(statuses.values()) == 48
    balances = Counter(Payment.objects.filter(kind="balance").values_list("status", flat=True))
    assert {"paid", "failed", "requires_action", "pending", "void"} <= set(balances)
    assert Refund.objects.exists()
    assert BookingChangeLog.objects.exists()
    assert {"received", "applied"} <= set(StripeEvent.objects.values_list("state", flat=True))
    assert GuestEmail.objects.filter(sent_at=None).exists()
    assert GuestEmail.objects.exclude(sent_at=None).exists()


@pytest.mark.slow  # the first stays are seeded above; this says only that their numbers do not collide
@pytest.mark.usefixtures("_in_development")
def test_more_stays_can_be_made_later():
    seed(8)
    seed(8)

    check_deferred_rules()
    assert Booking.objects.count() == 16


@pytest.mark.parametrize(
    ("debug", "stripe"), [(False, "http://127.0.0.1:12111"), (True, "https://api.stripe.com")]
)
def test_it_refuses_where_guests_book_or_pay(settings, debug, stripe):
    settings.DEBUG, settings.STRIPE_API_BASE = debug, stripe

    with pytest.raises(CommandError, match="on a laptop only"):
        seed(1)
    assert not Booking.objects.exists()
