"""The janitor's looks, row by row: whose turn it is, when the next one is, and what nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction

from payments import policies
from payments.ledger import claims, looks, outcomes
from payments.models import PaymentAttempt
from payments.policies import IntentStatus
from tests.factories import BASE_URL, make_confirmed_booking, make_intent

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)
LATER = DUE + policies.DRIVER_LEASE


@pytest.fixture
def attempt(transactional_db: None) -> PaymentAttempt:
    """Return an attempt whose first look is at ``LATER``; it is committed, for others to lock."""
    booking = make_confirmed_booking(now=NOW)
    claimed = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert claimed is not None
    return claimed


@contextmanager
def locked_by_another(table: str, pk: int, strength: str) -> Iterator[None]:
    """Hold a row's lock in another session, as a worker at work or a forgotten one does."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"SELECT FROM {table} WHERE id = %s FOR {strength}", (pk,))
        yield
        other.rollback()


def look(attempt: PaymentAttempt, now: datetime = LATER) -> int | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        return looks.take_attempt(attempt_id=attempt.pk, now=now)


def test_a_look_is_counted_and_the_next_is_put_off(attempt: PaymentAttempt):
    assert look(attempt, LATER - timedelta(seconds=1)) is None
    now = LATER
    for number, delay in enumerate(policies.CHECK_BACKOFF[:5], start=1):
        assert look(attempt, now) == number
        attempt.refresh_from_db()
        assert (attempt.checks, attempt.check_at) == (number, now + delay)
        assert look(attempt, now) is None, "somebody has taken this look"
        now = attempt.check_at


@pytest.mark.parametrize("strength", ["UPDATE", "NO KEY UPDATE"])
@pytest.mark.parametrize("whose", ["attempt", "booking"])
def test_a_row_that_is_locked_is_not_waited_for(attempt: PaymentAttempt, whose: str, strength: str):
    table = {"attempt": "payments_paymentattempt", "booking": "bookings_booking"}[whose]
    pk = attempt.pk if whose == "attempt" else attempt.payment.booking_id

    with locked_by_another(table, pk, strength):
        assert look(attempt) is None

    attempt.refresh_from_db()
    put_off = timedelta(minutes=1) if whose == "booking" else timedelta(0)
    assert (attempt.checks, attempt.check_at) == (0, LATER + put_off)
    assert look(attempt, LATER + put_off) == 1


@pytest.mark.parametrize("whose", ["attempt", "booking"])
def test_a_row_that_something_only_refers_to_is_looked_at(attempt: PaymentAttempt, whose: str):
    """To insert a row that refers to one locks its key, and to look changes none."""
    table = {"attempt": "payments_paymentattempt", "booking": "bookings_booking"}[whose]
    pk = attempt.pk if whose == "attempt" else attempt.payment.booking_id

    with locked_by_another(table, pk, "KEY SHARE"):
        assert look(attempt) == 1


def test_an_attempt_that_ended_is_not_looked_at(attempt: PaymentAttempt):
    canceled = make_intent(attempt, status=IntentStatus.CANCELED)
    outcomes.record_intent(attempt_id=attempt.pk, intent=canceled, now=DUE)

    assert look(attempt) is None


@contextmanager
def failing(attempt: PaymentAttempt, *, began_at: datetime) -> Iterator[None]:
    """Let a call for an attempt end without an answer."""
    with pytest.raises(TimeoutError), looks.attempt_in_use(attempt_id=attempt.pk, now=began_at):
        yield
        raise TimeoutError


@pytest.mark.parametrize("strength", ["UPDATE", "NO KEY UPDATE"])
@pytest.mark.parametrize("whose", ["attempt", "booking"])
def test_the_end_of_a_call_waits_for_no_row_and_leaves_it_to_whoever_has_it(
    attempt: PaymentAttempt, whose: str, strength: str
):
    table = {"attempt": "payments_paymentattempt", "booking": "bookings_booking"}[whose]
    pk = attempt.pk if whose == "attempt" else attempt.payment.booking_id

    with locked_by_another(table, pk, strength), connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
        with failing(attempt, began_at=DUE):
            pass
        cursor.execute("RESET lock_timeout")

    attempt.refresh_from_db()
    assert attempt.check_at == LATER
    with failing(attempt, began_at=DUE):
        pass
    attempt.refresh_from_db()
    assert attempt.check_at == DUE + policies.LOOK_EVERY


def test_a_call_that_brought_an_answer_changes_no_look(attempt: PaymentAttempt):
    with looks.attempt_in_use(attempt_id=attempt.pk, now=DUE):
        pass

    attempt.refresh_from_db()
    assert attempt.check_at == LATER
