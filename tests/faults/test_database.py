"""The database goes away, deadlocks or cannot commit, and processes with it."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from payments.policies import PaymentStatus
from tests.factories import balance_of
from tests.faults.conftest import HouseMaker
from tests.faults.life import Life
from tests.faults.points import Point, Side
from tests.faults.scenarios import SCENARIOS
from tests.faults.staging import (
    CLAIM,
    CONFIRM,
    INBOX,
    LAST_LOOK,
    RECORD,
    at,
    begin,
    book_many,
    end_well,
)
from tests.faults.strikes import Strike, Striker

pytestmark = pytest.mark.slow  # minutes: make faults runs it


def test_money_whose_answer_nobody_read_is_recorded_within_two_minutes(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house, events="lost", are_jobs_lost=True)
        (booking,) = book_many(life, 1)
        point = Point("call", CONFIRM.removeprefix("call "))
        life.visitor = Striker(house, (Strike(point, Side.AFTER),))
        life.run_jobs()
        assert life.deaths == 1
        assert house.charges(booking) == [booking.quote.balance_minor]

        for _ in range(2):
            house.wait(minutes=1)
            house.run_janitor()

        assert balance_of(booking).status == PaymentStatus.PAID
        end_well(life)


@pytest.mark.parametrize("point", [CLAIM, LAST_LOOK, RECORD, INBOX])
def test_a_database_that_goes_away_at_a_commit_costs_no_peso(new_house: HouseMaker, point: str):
    with new_house() as house:
        life = begin(house)
        life.visitor = at(point, Side.BEFORE, lose_session)
        verdict = SCENARIOS["balance"](life)
        life.drain()
        verdict()
        life.assert_all_holds()


def lose_session() -> None:
    """End this process's session, as a server that stops does, in the middle of its transaction."""
    raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize("point", [CLAIM, LAST_LOOK, RECORD])
def test_a_deadlock_at_a_commit_is_tried_again(new_house: HouseMaker, point: str):
    def meet_deadlock() -> None:
        raise OperationalError("deadlock detected") from DeadlockDetected()

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        life.visitor = at(point, Side.BEFORE, meet_deadlock)

        assert house_retried(life)
        house.wait(seconds=30)
        life.run_jobs()

        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


def house_retried(life: Life) -> bool:
    report = life.act(life.house.run_jobs)
    assert report is not None
    return bool(report.retried)


@pytest.mark.parametrize("error", ["could not extend file: No space left on device", "canceling statement"])
def test_without_a_committed_last_look_nothing_is_confirmed(new_house: HouseMaker, error: str):
    def cannot_commit() -> None:
        raise OperationalError(error)

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        life.visitor = at(LAST_LOOK, Side.BEFORE, cannot_commit)
        life.run_jobs()
        assert house.calls().count("payment_intents/pi/confirm") == 0

        house.wait(seconds=30)
        life.run_jobs()
        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)
