"""What a page that refreshes itself sends: packed, and nothing at all where only the time has changed."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from procrastinate_tasks.monitoring import rollup
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.templatetags import job_viewer
from procrastinate_tasks.viewer.rendering import AS_OF_HEADER, LIVE_HEADER
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job
from tests.integration.procrastinate_tasks.viewer.office import address

pytestmark = pytest.mark.django_db

LIVE = {LIVE_HEADER: "1", "Accept-Encoding": "gzip"}
MOST_BYTES = 15 * 1024


def test_a_refresh_of_a_busy_dashboard_is_at_most_fifteen_kilobytes(operator: Client):
    call_command("seed_jobs", "--force", count=300, locks=20, days=2, stdout=Nowhere(), stderr=Nowhere())
    while rollup.run_once().has_more:
        pass

    answer = operator.get(address("queue_dashboard"), headers=LIVE)

    assert answer["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(answer.content)) > MOST_BYTES, "there is little to see"
    assert len(answer.content) <= MOST_BYTES


def test_ages_that_grow_make_a_region_no_newer(operator: Client, monkeypatch: pytest.MonkeyPatch):
    make_job(status="succeeded")
    first = operator.get(address("queue_jobs"), headers=LIVE)
    monkeypatch.setattr(job_viewer, "age_in_words", lambda at, now: "99 d ago")

    again = operator.get(address("queue_jobs"), headers={**LIVE, "If-None-Match": first["ETag"]})

    assert "data-age" in gzip.decompress(first.content).decode()
    assert (again.status_code, again.content) == (304, b"")


def test_the_dashboard_is_unchanged_a_minute_later_and_says_of_when_it_is(
    operator: Client, monkeypatch: pytest.MonkeyPatch
):
    first = operator.get(address("queue_dashboard"), headers=LIVE)
    later = timezone.now() + timedelta(minutes=3)
    monkeypatch.setattr(
        "procrastinate_tasks.monitoring.snapshot.PAUSES", replace(PAUSES, read=lambda _rows: (later, ()))
    )

    again = operator.get(address("queue_dashboard"), headers={**LIVE, "If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert again[AS_OF_HEADER] != first[AS_OF_HEADER]


def test_a_moment_that_is_another_makes_a_region_new(operator: Client):
    make_job(status="succeeded")
    first = operator.get(address("queue_jobs"), headers=LIVE)
    execute("UPDATE procrastinate_events SET at = at - interval '1 minute'")

    changed = operator.get(address("queue_jobs"), headers={**LIVE, "If-None-Match": first["ETag"]})

    assert changed.status_code == 200


def test_a_page_that_a_form_token_is_on_is_not_packed(operator: Client):
    answer = operator.get(address("queue_jobs"), headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


class Nowhere:
    def write(self, text: str) -> int:
        return len(text)
