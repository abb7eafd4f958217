"""Jobs that are gone or wait by the thousand, and events by the thousand."""

from __future__ import annotations

import pytest
from django.db import connection
from freezegun.api import real_perf_counter

from payments import tasks
from tests.faults.conftest import HouseMaker
from tests.faults.points import Point, Side
from tests.faults.scenarios import SCENARIOS
from tests.faults.staging import (
    begin,
    book_many,
    end_well,
)

pytestmark = pytest.mark.slow  # minutes: make faults runs it


@pytest.mark.parametrize(
    "scenario", ["balance", "decline_then_funds", "late_cancellation", "refund_comes_back"]
)
def test_no_protocol_hangs_on_a_job_that_has_ended(new_house: HouseMaker, scenario: str):
    with new_house() as house:
        life = begin(house)

        def delete_what_has_ended(point: Point, side: Side) -> None:
            if point.kind == "call" and side is Side.AFTER:
                delete_ended_jobs()

        life.visitor = delete_what_has_ended
        verdict = SCENARIOS[scenario](life)
        life.drain()
        verdict()
        life.assert_all_holds()


def delete_ended_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status IN ('succeeded', 'failed', 'cancelled')")


def test_behind_a_hundred_thousand_jobs_a_due_charge_runs_next(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                " SELECT 'emails', %s, jsonb_build_object('email_id', -number)"
                " FROM generate_series(1, 100000) AS number",
                [tasks.send_guest_email.name],
            )
            cursor.execute("ANALYZE procrastinate_jobs")
        began = real_perf_counter()
        house.run_jobs_of("payments")
        seconds = real_perf_counter() - began

        assert house.charges(booking) == [booking.quote.balance_minor]
        assert seconds < 60
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'emails'")
        end_well(life)


def test_events_are_answered_within_200_ms(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        book_many(life, 1)
        (event, *_) = house.events()
        took = []
        for number in range(1_000):
            began = real_perf_counter()
            assert house.post_event({**event, "id": f"evt_{number}"}) == 200
            took.append(real_perf_counter() - began)

        assert sorted(took)[989] < 0.2
