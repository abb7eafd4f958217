"""What runs next: lists in the order of their turns, paged by it, and the next ten that move money."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from procrastinate_tasks.formatting import Amount, moment_in_words
from procrastinate_tasks.jobs.descriptions import JobArgs, Kind, TaskDescription, describe_task
from procrastinate_tasks.queries.jobs import ROWS_PER_PAGE
from tests.integration.pages import read
from tests.integration.procrastinate_tasks.claiming import claim, execute, register_worker
from tests.integration.procrastinate_tasks.job_states import TASK, make_job
from tests.integration.procrastinate_tasks.viewer.office import OPERATOR, address, staff_client

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def staff() -> Client:
    return staff_client(*OPERATOR)


def due(minutes: float, *, priority: int = 0, attempts: int = 0) -> int:
    job_id = make_job()
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now() + %s * interval '1 minute', priority = %s,"
        " attempts = %s WHERE id = %s",
        minutes,
        priority,
        attempts,
        job_id,
    )
    return job_id


def ready(priority: int = 0) -> int:
    job_id = make_job()
    execute("UPDATE procrastinate_jobs SET priority = %s WHERE id = %s", priority, job_id)
    return job_id


def pages(client: Client, **query: str) -> list[list[int]]:
    """Return the ids of each page, as one is led from page to page."""
    found: list[list[int]] = []
    url = ""
    while not found or url:
        context = client.get(address("queue_jobs") + url, {} if url else query).context
        found.append([shown.row.id for shown in context["rows"]])
        url = context["older_url"]
        assert len(found) < 20
    return found


def test_scheduled_jobs_come_by_the_time_they_are_due(staff: Client):
    later, sooner, first = due(90), due(30), due(5)

    assert pages(staff, tab="scheduled") == [[first, sooner, later]]
    assert pages(staff, tab="scheduled", sort="newest") == [[first, sooner, later]]
    assert pages(staff, tab="scheduled", sort="place") == [[first, sooner, later]]


def test_jobs_to_be_retried_come_by_the_time_of_their_retry(staff: Client):
    later, sooner = due(90, attempts=1), due(30, attempts=1)

    assert pages(staff, tab="retrying") == [[sooner, later]]


def test_ready_jobs_come_in_the_order_in_which_claims_take_them(staff: Client):
    for priority in (0, 5, 0, -3, 5):
        ready(priority)

    (listed,) = pages(staff, tab="ready")

    worker_id = register_worker()
    assert listed == [job_id for _ in range(5) for job_id in claim(1, worker_id=worker_id)]


@pytest.mark.parametrize("tab", ["scheduled", "ready"])
def test_each_job_is_on_one_page_whatever_is_alike(staff: Client, tab: str):
    count = 2 * ROWS_PER_PAGE + 3
    jobs = [due(30 + number // 40) if tab == "scheduled" else ready(number // 40) for number in range(count)]

    found = pages(staff, tab=tab)

    assert [len(page) for page in found] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 3]
    listed = [job_id for page in found for job_id in page]
    key = jobs.index if tab == "scheduled" else lambda job_id: (-(jobs.index(job_id) // 40), job_id)
    assert listed == sorted(jobs, key=key)


def test_jobs_due_at_no_time_that_python_knows_are_each_listed_once(staff: Client):
    jobs = [due(1) for _ in range(ROWS_PER_PAGE + 5)]
    execute("UPDATE procrastinate_jobs SET scheduled_at = 'infinity'")

    assert [job_id for page in pages(staff, tab="scheduled") for job_id in page] == jobs


@pytest.mark.parametrize("tab", ["scheduled", "ready", "failed"])
@pytest.mark.parametrize(
    "key",
    ["x", "~", "x~1", "infinity~1", "2026-13-45~3", "9" * 40, "-5~7", "5~" + "9" * 30, "½~½", "1~1\x00"],
)
def test_a_page_that_is_none_is_the_first_or_empty(staff: Client, tab: str, key: str):
    assert staff.get(address("queue_jobs"), {"tab": tab, "next": key}).status_code == 200


def test_the_command_lists_in_the_same_order(capsys: pytest.CaptureFixture[str]):
    later, sooner = due(90), due(30)

    call_command("jobs", "list", "--state", "scheduled", "--json")

    listed = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert listed == [sooner, later]


def test_a_page_of_scheduled_jobs_reads_an_index_in_its_order(staff: Client):
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)"
        " SELECT 'sample', %s, now() + n * interval '1 second' FROM generate_series(1, 20000) AS n",
        TASK,
    )
    execute("ANALYZE procrastinate_jobs")

    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT id FROM procrastinate_jobs AS job"
            " WHERE job.status = 'todo' AND job.scheduled_at > now()"
            " AND (job.scheduled_at, job.id) > (now() + interval '1 hour', 5)"
            " ORDER BY job.scheduled_at, job.id LIMIT 51"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "ptasks_jobs_later" in plan
    assert "Sort" not in plan


# --- The next that move money -----------------------------------------------------------------------------


def describe_charges() -> None:
    def amounts(calls: Sequence[JobArgs]) -> Mapping[int, Amount]:
        return {call.id: Amount(minor=100_000, currency="MXN") for call in calls}

    described = TaskDescription(
        title="Charge", describe=lambda calls: {}, amounts=amounts, kind=Kind.MONEY, moves_money=True
    )
    describe_task(TASK, described)


def test_the_dashboard_tells_the_next_ten_that_move_money_with_their_sum(staff: Client):
    describe_charges()
    jobs = [due(30 + number) for number in range(12)]
    waiting = ready()

    response = staff.get(address("queue_dashboard"))

    upcoming = response.context["upcoming"]
    text = read(response)
    assert [row.job_id for row in upcoming.rows] == [waiting, *jobs[:9]]
    assert upcoming.amount == "$10,000.00 MXN"
    assert "$10,000.00 MXN" in text
    first: datetime = upcoming.rows[1].due_at
    assert moment_in_words(first, to_the_second=False) in text


def test_a_project_without_money_has_no_such_part(staff: Client):
    due(30)

    context: Any = staff.get(address("queue_dashboard")).context

    assert context["upcoming"] is None
