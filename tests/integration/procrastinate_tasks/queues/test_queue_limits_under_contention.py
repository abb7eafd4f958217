"""TimeLimits hold while several connections claim as fast as they can."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from procrastinate_tasks.conf import Rate
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import defer_many
from procrastinate_tasks.queues import control
from tests.integration.procrastinate_tasks.claiming import claim, execute

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMANTS = 6
SECONDS = 2.0
# Long enough for a busy machine to use a rate up.
PERIOD = timedelta(seconds=0.4)


@pytest.fixture(autouse=True)
def _many_jobs_wait() -> None:
    defer_many("sample.remember", (Call({"number": n}) for n in range(3000)))
    execute("ANALYZE procrastinate_jobs")


def storm(after_claim: Callable[[list[int]], int]) -> list[int]:
    """Claim on all connections at once, and return what was seen after each claim."""

    def claim_and_look() -> list[int]:
        seen = []
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            seen.append(after_claim(claim(2)))
        connection.close()
        return seen

    with ThreadPoolExecutor(CLAIMANTS) as pool:
        storms = [pool.submit(claim_and_look) for _ in range(CLAIMANTS)]
    return [number for each in storms for number in each.result()]


def count_running_then_end(claimed: list[int]) -> int:
    running = ProcrastinateJob.objects.filter(status="doing").count()
    execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = ANY(%s)", claimed)
    return running


def starts() -> list[datetime]:
    events = ProcrastinateEvent.objects.filter(type="started").order_by("at")
    return [at for at in events.values_list("at", flat=True) if at is not None]


def test_never_more_jobs_run_than_may():
    control.limit_queue(queue="sample", concurrency=3)

    running = storm(count_running_then_end)

    assert max(running) == 3
    assert len(starts()) > 10 * 3


def test_never_more_jobs_start_within_a_period_than_may_and_hardly_fewer():
    control.limit_queue(queue="sample", rate=Rate(20, per=PERIOD))

    storm(len)

    moments = starts()
    most = max(sum(first <= moment < first + PERIOD for moment in moments) for first in moments)
    assert most == 20
    assert len(moments) > 0.7 * 20 * SECONDS / PERIOD.total_seconds()
