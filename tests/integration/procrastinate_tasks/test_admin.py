"""The job viewer: fast, read only, and discreet."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.deferring import Call, defer, defer_many
from procrastinate_tasks.models import Job, JobAttempt
from procrastinate_tasks.queries import why_not_running
from procrastinate_tasks.testing import drain_queue
from procrastinate_tasks.viewer import paging

pytestmark = pytest.mark.django_db

LIST = "admin:procrastinate_tasks_job_changelist"
SECRET = "ana@example.com"


@pytest.fixture(autouse=True)
def _empty_static_root(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path


def staff_client(*codenames: str) -> Client:
    user = User.objects.create_user(f"staff-{'-'.join(codenames)}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer() -> Client:
    return staff_client("view_job")


@pytest.fixture
def operator() -> Client:
    return staff_client("view_job", "view_job_arguments", "retry_job")


def page(client: Client, job_id: int | None) -> str:
    return client.get(reverse("admin:procrastinate_tasks_job_change", args=[job_id])).content.decode()


def listed_ids(client: Client, **query: Any) -> list[int]:
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200
    return [job.id for job in response.context["cl"].result_list]


def retry(client: Client, *job_ids: int | None) -> Any:
    return client.post(reverse(LIST), {"action": "retry", "_selected_action": job_ids}, follow=True)


def set_status(job_id: int | None, status: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", [status, job_id])


def a_failed_job() -> int | None:
    job_id = defer("sample.flaky", {"email": SECRET, "hopeless": True})
    drain_queue()
    return job_id


def test_procrastinate_s_own_page_is_replaced():
    assert not admin.site.is_registered(ProcrastinateJob)
    assert admin.site.is_registered(Job)


def test_the_list_takes_few_queries_and_no_distinct(viewer: Client):
    defer_many("sample.remember", (Call({"number": n}) for n in range(120)))

    with CaptureQueriesContext(connection) as queries:
        ids = listed_ids(viewer)

    assert len(ids) == 50
    assert ids == sorted(ids, reverse=True)
    assert len(queries) <= 12
    assert not any("DISTINCT" in query["sql"] for query in queries)


def test_counting_stops_at_the_cap(viewer: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "MOST_COUNTED", 60)
    defer_many("sample.remember", (Call({"number": n}) for n in range(120)))

    response = viewer.get(reverse(LIST))

    assert response.context["cl"].result_count == 60
    assert len(listed_ids(viewer, p=2)) == 10


def test_jobs_are_filtered_by_state_queue_and_task(viewer: Client):
    ready = defer("sample.remember", {"number": 1})
    scheduled = defer("sample.locked", schedule_at=timezone.now() + timedelta(hours=1))
    orphaned = defer("sample.remember", {"number": 2})
    set_status(orphaned, "doing")

    assert listed_ids(viewer, state="ready") == [ready]
    assert listed_ids(viewer, state="scheduled") == [scheduled]
    assert listed_ids(viewer, state="orphaned") == [orphaned]
    assert listed_ids(viewer, state="running") == []
    assert listed_ids(viewer, task="sample.locked") == [scheduled]
    assert listed_ids(viewer, queue="sample") == [orphaned, scheduled, ready]
    assert listed_ids(viewer, state="nonsense") == [orphaned, scheduled, ready]


def test_a_job_is_found_by_its_number_or_its_queueing_lock(viewer: Client):
    first = defer("sample.remember", {"number": 1}, queueing_lock="charge:1")
    second = defer("sample.remember", {"number": 2})

    assert listed_ids(viewer, q=str(second)) == [second]
    assert listed_ids(viewer, q="charge:1") == [first]
    assert listed_ids(viewer, q="charge") == []
    assert listed_ids(viewer, q="9" * 30) == []


def test_arguments_are_shown_only_with_their_own_permission(viewer: Client, operator: Client):
    job_id = defer("sample.flaky", {"email": SECRET})

    assert SECRET not in page(viewer, job_id)
    assert SECRET in page(operator, job_id)
    assert SECRET not in viewer.get(reverse(LIST)).content.decode()


def test_a_job_s_page_shows_its_attempts_with_result_or_traceback(viewer: Client):
    succeeded = defer("sample.remember", {"number": 4})
    failed = a_failed_job()

    assert "remembered=4" in page(viewer, succeeded)
    assert "sample_tasks.Hopeless" in page(viewer, failed)
    assert "Traceback (most recent call last)" in page(viewer, failed)
    assert SECRET not in page(viewer, failed)


def test_a_job_s_page_tells_why_it_does_not_run(viewer: Client):
    job_id = defer("sample.remember", {"number": 4})

    assert why_not_running(job_id or 0).sentence in page(viewer, job_id)


@pytest.mark.parametrize("object_id", ["0", "999999999999999999999999", "abc", "1/2"])
def test_the_page_of_a_job_that_does_not_exist_says_so(viewer: Client, object_id: str):
    address = reverse("admin:procrastinate_tasks_job_change", args=["X"]).replace("X", object_id)

    assert viewer.get(address, follow=True).status_code in (200, 404)


def test_pages_work_under_a_strict_content_security_policy(operator: Client):
    pages = [page(operator, a_failed_job()), operator.get(reverse(LIST)).content.decode()]

    for html in pages:
        assert "<style" not in html
        assert not re.search(r"""\s(style|on\w+)=["']""", html)
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)


def test_nothing_can_be_added_changed_or_deleted(operator: Client):
    job_id = defer("sample.remember", {"number": 1})

    changed = operator.post(reverse("admin:procrastinate_tasks_job_change", args=[job_id]), {"priority": 5})
    deleted = operator.post(reverse("admin:procrastinate_tasks_job_delete", args=[job_id]), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert operator.get(reverse("admin:procrastinate_tasks_job_add")).status_code == 403


def test_a_failed_job_is_retried_by_hand_and_the_retry_is_logged(operator: Client):
    job_id = a_failed_job()

    retry(operator, job_id)

    assert Job.objects.get(id=job_id).status == "todo"
    assert LogEntry.objects.get().object_id == str(job_id)


def test_retrying_needs_its_own_permission(viewer: Client):
    job_id = a_failed_job()

    retry(viewer, job_id)

    assert Job.objects.get(id=job_id).status == "failed"


def test_only_failed_and_aborted_jobs_are_retried(operator: Client):
    ids = {
        status: defer("sample.remember", {"number": 1})
        for status in ("doing", "succeeded", "aborted", "todo")
    }
    for status, job_id in ids.items():
        set_status(job_id, status)

    response = retry(operator, *ids.values())

    statuses = {job.id: job.status for job in Job.objects.all()}
    assert statuses[ids["aborted"]] == "todo"
    assert statuses[ids["doing"]] == "doing"
    assert statuses[ids["succeeded"]] == "succeeded"
    assert f"{ids['doing']}, {ids['succeeded']}" in response.content.decode()


def test_one_taken_queueing_lock_does_not_stop_the_other_retries(operator: Client):
    blocked, twin, other = (
        defer("sample.remember", {"number": n}, queueing_lock=lock) for n, lock in enumerate("abc")
    )
    for job_id in (blocked, twin, other):
        set_status(job_id, "failed")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET queueing_lock = 'a' WHERE id = %s", [twin])
    waiting = defer("sample.remember", {"number": 9}, queueing_lock="a")

    retry(operator, blocked, twin, other)

    statuses = {job.id: job.status for job in Job.objects.all()}
    assert [statuses[i] for i in (blocked, twin, other, waiting)] == ["failed", "failed", "todo", "todo"]


def test_a_hand_retried_job_runs_and_keeps_its_history(operator: Client):
    job_id = a_failed_job()
    retry(operator, job_id)

    drain_queue()

    attempts = JobAttempt.objects.filter(job_id=job_id or 0).order_by("id").values_list("attempt", "outcome")
    assert list(attempts) == [(1, "failed"), (2, "failed")]
