"""Open tabs share one reading of the queue; none is shown an older one than it has, or another one's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from procrastinate_tasks.viewer.pages import dashboard
from procrastinate_tasks.viewer.rendering import LIVE_HEADER, READ_AT_HEADER, SEEN_HEADER
from procrastinate_tasks.viewer.sharing import LONGEST_SHARED, SharedReadings
from tests.integration.procrastinate_tasks.job_states import make_job
from tests.integration.procrastinate_tasks.viewer.office import address

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(hours=1)


class Queue:
    """Readings of a queue that take so many seconds each, and the clock by which they do."""

    def __init__(self, *, cost: float) -> None:
        self.cost = cost
        self.now = 0.0
        self.readings = SharedReadings[datetime](instant_of=lambda reading: reading, clock=lambda: self.now)

    def read(self) -> datetime:
        at = NOON + timedelta(seconds=self.now)
        self.now += self.cost
        return at

    def ask(self, *, key: str = "staff", not_before: datetime | None = LONG_AGO) -> datetime:
        return self.readings.get(key, self.read, not_before=not_before)


def test_a_reading_is_shared_until_its_cost_is_paid():
    queue = Queue(cost=0.01)
    first = queue.ask()
    queue.now = 5.0
    assert queue.ask() == first
    queue.now = 5.02
    assert queue.ask() > first


def test_no_reading_is_shared_for_longer_than_a_page_waits():
    queue = Queue(cost=2.0)
    first = queue.ask()
    queue.now += LONGEST_SHARED.total_seconds() - 0.01
    assert queue.ask() == first
    queue.now += 0.02
    assert queue.ask() > first


def test_whoever_has_seen_later_is_not_handed_what_was_before():
    queue = Queue(cost=0.1)
    first = queue.ask()
    assert queue.ask(not_before=first) == first
    assert queue.ask(not_before=first + timedelta(microseconds=1)) > first


def test_a_whole_page_reads_anew_and_for_the_others_too():
    queue = Queue(cost=0.1)
    first = queue.ask()
    anew = queue.ask(not_before=None)
    assert first < anew == queue.ask()


def test_those_who_may_see_other_things_are_handed_their_own():
    queue = Queue(cost=0.1)
    assert queue.ask(key="staff") < queue.ask(key="owner")


@pytest.fixture
def refreshes(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The headers of a tab that has seen an old region; readings are shared for as long as they may be."""
    readings = SharedReadings[dashboard._Reading](
        instant_of=lambda reading: reading.snapshot.taken_at, clock=iter(range(1000)).__next__
    )
    monkeypatch.setattr(dashboard, "_readings", readings)
    return {LIVE_HEADER: "1", SEEN_HEADER: LONG_AGO.isoformat()}


@pytest.mark.django_db
def test_a_second_tab_costs_no_reading_until_a_page_is_opened(operator: Client, refreshes: dict[str, str]):
    first = operator.get(address("queue_dashboard"), headers=refreshes)
    make_job(status="todo")

    second = operator.get(address("queue_dashboard"), headers=refreshes)
    operator.get(address("queue_dashboard"))
    third = operator.get(address("queue_dashboard"), headers=refreshes)

    assert second["ETag"] == first["ETag"] != third["ETag"]
    assert second[READ_AT_HEADER] == first[READ_AT_HEADER]


@pytest.mark.django_db
def test_nobody_is_handed_the_panels_of_those_who_may_see_money(operator: Client, refreshes: dict[str, str]):
    owner = Client()
    owner.force_login(User.objects.create_superuser("rosa"))
    title = "panel-1"

    of_owner = owner.get(address("queue_dashboard"), headers=refreshes).content.decode()
    of_operator = operator.get(address("queue_dashboard"), headers=refreshes).content.decode()

    assert title in of_owner
    assert title not in of_operator


@pytest.mark.django_db
def test_a_reading_in_another_language_is_not_shared(
    operator: Client, refreshes: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    first = operator.get(address("queue_dashboard"), headers=refreshes)
    make_job(status="todo")
    monkeypatch.setattr(dashboard, "get_language", lambda: "es")

    other = operator.get(address("queue_dashboard"), headers=refreshes)

    assert other["ETag"] != first["ETag"]
